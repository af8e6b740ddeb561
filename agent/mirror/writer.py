"""The MLflow mirror: what reviewers look at. Written from the ledger's state, so that it can be lost and rebuilt.

An experiment per stream; a run per task; under it a run per finalist with its verdict as tags, certificate and card as
artifacts, the task's data as a data set; each winner, and what a person let in, in the model registry with a card. One
`create_run` and one `log_batch` for each run, because single calls cost ten times as much. Nothing here may stop a
life: `Mirror.write` answers whether it worked.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from agent.ledger.events import Standing
from agent.ledger.home import Home
from agent.mirror.addresses import server_settings, store_is_missing, tracking_uri, without_password
from agent.mirror.artifacts import Exhibit, example_of, write_finalist_files, write_task_files
from agent.mirror.claim import ForeignRecordsError, check_claim, foreign_records, write_claim
from agent.mirror.comparison import check_mirror
from agent.mirror.model_card import data_source, model_card
from agent.mirror.records import Record, finalist_record, policy_record, recorded_audit, task_record
from agent.mirror.review_tags import alias_of, cut, fit, found_runs, note, write_standing
from agent.report.figures import Evidence, figures
from agent.state.networks import restore_network
from agent.state.recorded import suite_of
from agent.state.state import Finalist, LifeState, RunState, TaskState

if TYPE_CHECKING:
    from audits import Suite

__all__ = ["Mirror", "server_settings", "store_is_missing", "tracking_uri", "without_password"]

# A server that is down is given up after seconds, not minutes: a life that ends waits for its mirror.
_CLIENT_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Context(Exhibit):
    """What every record of one task shares."""

    key: str


class Mirror:
    """Writes finished tasks to an MLflow store."""

    def __init__(self, uri: str) -> None:
        for name, value in _CLIENT_SETTINGS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        for name in ("mlflow", "mlflow.store.db.utils", "mlflow.tracking"):
            logging.getLogger(name).setLevel(logging.ERROR)
        import mlflow

        self._mlflow = mlflow
        self._uri = uri
        mlflow.set_tracking_uri(uri)
        self._client = mlflow.MlflowClient(tracking_uri=uri)

    def write(self, home: Home, run: RunState, task: TaskState, *, suite: Suite, key: str) -> bool:
        """Mirror one finished task; a task that is there already is left alone.

        Args:
            home: where pictures and weights lie.
            key: names this task of this life, the same whenever it is mirrored.
        """
        # As audits and gate left it; `write_standing` adds what people decided, so that a rebuilt mirror is equal.
        undecided = replace(task, finalists=[replace(finalist, reviews=[]) for finalist in task.finalists])
        context = _Context(home, run, undecided, suite, key)
        return _succeeds(
            lambda: self._write(context), f"MLflow mirror of task {task.name} failed (rewritten by `selfnas mirror`)"
        )

    def foreign(self, home: Home) -> str:
        """A sentence where the store mirrors a copy of this life that lived otherwise, else nothing."""
        try:
            return foreign_records(self._client, home)
        except Exception:  # noqa: BLE001 - MLflow raises what its stores raise; writing there says why
            return ""

    def forget(self, keys: Iterable[str], *, home: Home | None = None, streams: Iterable[str] = ()) -> bool:
        """Delete the runs and model versions of these tasks, so that they can be rewritten.

        Args:
            home: of the life; where the store mirrors a copy of it that lived otherwise, nothing is deleted.
            streams: whose experiments are brought back where MLflow holds them as deleted, so that nothing stays there.
        """

        def forget() -> None:
            if home is not None:
                check_claim(self._client, home)
            for stream in streams:
                found = self._client.get_experiment_by_name(stream)
                if found is not None and found.lifecycle_stage == "deleted":
                    self._client.restore_experiment(found.experiment_id)
            for key in keys:
                for kind in ("key", "task_key"):
                    for run in found_runs(self._client, f"tags.{kind} = '{key}'"):
                        self._delete(run.info.run_id)

        return _succeeds(forget, "MLflow records cannot be deleted")

    def write_standing(
        self, home: Home, state: LifeState, *, keys: Mapping[tuple[int, str], str], times: Mapping[int, float]
    ) -> bool:
        """Tag finalists with how they stand now: quarantined or not, and what people decided.

        Args:
            keys: the key of each task that was mirrored, by run number and task name.
            times: Unix seconds of each event.
        """

        def register(record: str, run: RunState, task: TaskState, finalist: Finalist) -> None:
            self._register(record, Exhibit(home, run, task, suite_of(run)), finalist)

        def write() -> None:
            check_claim(self._client, home)
            write_standing(self._client, state, keys=keys, times=times, register=register)
            self._write_policy(state, keys)
            for stream in {run.started.record.stream for run in state.runs}:
                found = self._client.get_experiment_by_name(stream)
                if found is not None and found.lifecycle_stage == "active":
                    write_claim(self._client, home, str(found.experiment_id))

        return _succeeds(write, "MLflow tags of decisions and quarantine failed (rewritten by `selfnas mirror`)")

    def check(
        self, home: Home, state: LifeState, *, keys: Mapping[tuple[int, str], str], times: Mapping[int, float]
    ) -> tuple[Counter[str], list[str]]:
        """What of this life's records is compared with the ledger, and what of them is missing, edited or surplus."""
        try:
            foreign = foreign_records(self._client, home)
            checked, problems = check_mirror(self._client, home, state, keys=keys, times=times)
            return checked, [*([foreign] if foreign else []), *problems]
        except Exception as error:  # noqa: BLE001 - MLflow raises what its stores raise; unread is not verified
            return Counter(), [
                without_password(f"MLflow at {self._uri} cannot be read: {type(error).__name__}: {error}")
            ]

    def write_evidence(self, evidence: Evidence, page: str, *, home: Home | None = None) -> bool:
        """One run for the whole life: the named figures, those of each task as steps, and the report page.

        Rewritten each time; what stood there of this life before is deleted.

        Args:
            home: of the life; where the store mirrors a copy of it that lived otherwise, nothing is written.
        """

        def write() -> None:
            if home is not None:
                check_claim(self._client, home)
            self._write_evidence(evidence, page)

        return _succeeds(write, "MLflow record of the report failed")

    def _write_evidence(self, evidence: Evidence, page: str) -> None:
        experiment = self._experiment(evidence.streams[-1])
        key = f"{evidence.genesis[:16]}-life"
        for old in self._client.search_runs([experiment], f"tags.key = '{key}'"):
            self._client.delete_run(old.info.run_id)
        tags = {"kind": "life", "key": key, "head": evidence.head}
        run = self._client.create_run(
            experiment, tags=tags, run_name=f"life · {len(evidence.tasks)} tasks · report"
        ).info.run_id
        steps = [
            self._metric(f"task.{name}", value, step)
            for step, task in enumerate(evidence.tasks, start=1)
            for name, value in task.figures().items()
        ]
        self._batch(run, [*self._metrics(figures(evidence)), *steps], {"tasks": len(evidence.tasks)})
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "report.html").write_text(page, encoding="utf-8")
            self._client.log_artifacts(run, scratch)
        self._client.set_terminated(run)

    def _write_policy(self, state: LifeState, keys: Mapping[tuple[int, str], str]) -> None:
        """Decisions about the policy that the store lacks; each belongs to the task after which it was taken."""
        for event in state.policy_decisions:
            run = state.runs[event.facts.run - 1]
            task = run.tasks.names[event.facts.after_task - 1]
            experiment = self._client.get_experiment_by_name(run.started.record.stream)
            if experiment is None:
                continue
            record = policy_record(event, task_key=keys[run.number, task], task=task)
            if not self._client.search_runs([experiment.experiment_id], f"tags.key = '{record.tags['key']}'"):
                self._client.set_terminated(self._recorded(str(experiment.experiment_id), record))

    def _write(self, context: _Context) -> None:
        check_claim(self._client, context.home)
        experiment = self._experiment(context.run.started.record.stream)
        if self._mirrored(experiment, context.key):
            return
        parent = self._task_run(experiment, context)
        for finalist in context.task.finalists:
            self._finalist_run(experiment, parent, context, finalist)
        self._client.set_terminated(parent)
        write_claim(self._client, context.home, experiment)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            made = str(found.experiment_id)
            if found.lifecycle_stage == "deleted":  # as the bin of MLflow's pages does it; with all its runs
                self._client.restore_experiment(made)
            if found.tags.get("mlflow.note.content") != note(name, made):
                self._client.set_experiment_tag(made, "mlflow.note.content", note(name, made))
            return made
        location = None
        if self._uri.startswith("sqlite:///"):
            # Beside the database, so that store and artifacts move together.
            folder = Path(unquote(self._uri.removeprefix("sqlite:///"))).resolve().parent / "mlartifacts" / name
            location = folder.as_uri()
        made = str(self._client.create_experiment(name, artifact_location=location))
        self._client.set_experiment_tag(made, "mlflow.experimentKind", "custom_model_development")
        self._client.set_experiment_tag(made, "mlflow.note.content", note(name, made))
        return made

    def _mirrored(self, experiment: str, key: str) -> bool:
        """Whether the task is there whole; what is there in part is deleted."""
        for found in self._client.search_runs([experiment], f"tags.key = '{key}'"):
            if found.info.status == "FINISHED":
                return True
            children = self._client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{found.info.run_id}'")
            for run in (*children, found):
                self._delete(run.info.run_id)
        return False

    def _delete(self, run: str) -> None:
        """A run with what it put into the registry."""
        for made in self._client.search_model_versions(f"run_id = '{run}'"):
            self._client.delete_model_version(made.name, made.version)
        self._client.delete_run(run)

    def _task_run(self, experiment: str, context: _Context) -> str:
        record = task_record(context.run, context.task, context.suite, key=context.key)
        run = self._recorded(experiment, record)
        self._data(run, context)
        with tempfile.TemporaryDirectory() as scratch:
            write_task_files(context, Path(scratch))
            self._client.log_artifacts(run, scratch)
        return run

    def _recorded(self, experiment: str, record: Record, *, parent: str = "") -> str:
        """A new run that holds a record."""
        tags = fit(record.tags) | ({"mlflow.parentRunId": parent} if parent else {})
        run = str(self._client.create_run(experiment, tags=tags, run_name=record.name).info.run_id)
        self._batch(run, [self._metric(*value) for value in record.metrics], record.parameters)
        return run

    def _finalist_run(self, experiment: str, parent: str, context: _Context, finalist: Finalist) -> None:
        task = context.task
        run_id = self._recorded(experiment, finalist_record(task, finalist, key=context.key), parent=parent)
        self._data(run_id, context)
        with tempfile.TemporaryDirectory() as scratch:
            write_finalist_files(context, finalist, recorded_audit(finalist), Path(scratch))
            self._client.log_artifacts(run_id, scratch)
        if finalist.outcome == Standing.ADMITTED and finalist is task.admitted()[0]:
            self._register(run_id, context, finalist)
        self._client.set_terminated(run_id)

    def _data(self, run: str, context: _Context) -> None:
        """Say what data the run is about: name, digest, source and shape."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        started = context.task.started
        data = Dataset(
            name=context.task.name,
            digest=started.task_digest[:16],  # MLflow keeps at most 36 characters
            source_type="selfnas task",
            source=data_source(context.run, context.task),
            schema=json.dumps(msgspec.to_builtins(started.shape), sort_keys=True),
            profile=json.dumps(started.description),
        )
        tags = [InputTag("mlflow.data.context", "all splits")]
        self._client.log_inputs(run, [DatasetInput(data, tags)])

    def _register(self, run: str, exhibit: Exhibit, finalist: Finalist) -> None:
        """Put a network into the model registry as a plain exported program: no code of ours is needed to load it."""
        import torch
        from mlflow.models import infer_signature

        task = exhibit.task
        weights = exhibit.home.weights_file(finalist.trained.weights_sha256)
        network = restore_network(task, finalist.architecture, weights)
        example = example_of(exhibit, finalist)
        with torch.no_grad():
            output = network(torch.from_numpy(example)).numpy()
        name = f"{exhibit.run.started.record.stream}.{task.name}"
        with self._mlflow.start_run(run_id=run):
            logged = self._mlflow.pytorch.log_model(
                network,
                name="model",
                serialization_format="pt2",
                input_example=example,
                signature=infer_signature(example, output),
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            )
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name, description=f"Networks admitted on task {task.name}.")
        made = self._client.create_model_version(
            name,
            logged.model_uri,
            run_id=run,
            model_id=logged.model_id,
            tags={"digest": finalist.digest},
            description=cut(model_card(exhibit.run, task, finalist, recorded_audit(finalist), exhibit.suite)),
        )
        self._client.set_registered_model_alias(name, alias_of(finalist), str(made.version))

    def _metric(self, key: str, value: float, step: int = 0) -> Any:
        from mlflow.entities import Metric

        return Metric(key, float(value), 0, step)

    def _metrics(self, values: Mapping[str, float | int | None]) -> Iterator[Any]:
        return (self._metric(key, value) for key, value in values.items() if value is not None)

    def _batch(self, run: str, metrics: list[Any], parameters: Mapping[str, object]) -> None:
        from mlflow.entities import Param

        limit = 900  # of MLflow: 1,000 items in one call, 100 parameters
        for start in range(0, max(len(metrics), 1), limit):
            chunk = [Param(key, str(value)) for key, value in parameters.items()] if start == 0 else []
            self._client.log_batch(run, metrics=metrics[start : start + limit], params=chunk)


def _succeeds(write: Callable[[], None], failure: str) -> bool:
    """Whether a write worked; how it failed goes to the log."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write()
    except ForeignRecordsError as error:
        _log.warning("%s", error)
        return False
    except Exception as error:  # noqa: BLE001 - a mirror that is down or broken must not stop a life
        _log.warning("%s: %s", failure, error)
        return False
    return True
