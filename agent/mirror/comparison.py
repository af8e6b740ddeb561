"""Whether MLflow still holds what the ledger says: records that are missing, edited or surplus, by name.

Takes an MLflow client and imports nothing of MLflow. Pictures are not compared: they are drawn from evidence and are
none themselves.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.gate.counting import terms_in_force
from agent.ledger.events import Standing
from agent.ledger.home import Home
from agent.mirror.aliases import Registered, wrong_aliases
from agent.mirror.artifacts import Exhibit, write_finalist_files, write_task_files
from agent.mirror.records import Record, finalist_record, policy_record, recorded_audit, task_record
from agent.mirror.review_tags import failed_rules, fit, found_runs, reviewed_finalist, reviewed_task
from agent.state.recorded import suite_of
from agent.state.state import Finalist, LifeState

__all__ = ["check_mirror"]

_TEXTS = ("certificate.json", "audit-card.md", "rejections.md")
_NOTE = "mlflow.note.content"
_LIFE = "-life"  # ends the key of the report's run, which is rewritten with each report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """A run that has to be there.

    Attributes:
        record: what it holds, decisions of people included.
        files: texts among its artifacts.
        registered: whether the registry has to hold its network; None where it may or may not.
        finalist: whose run it is, as it stands; None of others.
        free: tags that earlier standings left behind, whose value may be any.
    """

    what: str
    record: Record
    files: Mapping[str, bytes]
    registered: bool | None
    finalist: Finalist | None = None
    free: frozenset[str] = frozenset()


def check_mirror(
    client: Any, home: Home, state: LifeState, *, keys: Mapping[tuple[int, str], str], times: Mapping[int, float]
) -> tuple[Counter[str], list[str]]:
    """Compare every record of a life with its ledger.

    Args:
        client: an `MlflowClient`; whatever it raises is the caller's.
        keys: the key of each task, by run number and task name.
        times: Unix seconds of each event.

    Returns:
        How many records of which kind were compared, and one sentence for each thing that is wrong.
    """
    if not keys:
        return Counter(), []
    life = next(iter(keys.values())).split("-")[0]
    found = {kind: found_runs(client, f"tags.{kind} LIKE '{life}-%'") for kind in ("key", "task_key")}
    shown: dict[tuple[str, str], list[Any]] = {}
    for run in {run.info.run_id: run for runs in found.values() for run in runs}.values():
        tags = run.data.tags
        place = (tags.get("key", ""), "") if "key" in tags else (tags["task_key"], tags.get("digest", ""))
        if place[0] != life + _LIFE:
            shown.setdefault(place, []).append(run)
    problems, checked, registered = [], Counter[str](), list[Registered]()
    for place, expected in (*_policies(state, keys), *_expected(home, state, keys, times)):
        checked["MLflow records"] += 1
        runs = shown.pop(place, [])
        if not runs:
            problems.append(f"MLflow lacks {expected.what}")
        problems += [f"MLflow has {expected.what} {len(runs)} times"] * (len(runs) > 1)
        for run in runs[:1]:
            versions = list(client.search_model_versions(f"run_id = '{run.info.run_id}'"))
            told = (*_differences(client, run, expected), *_misregistered(versions, expected))
            problems += [f"MLflow, {expected.what}: {problem}" for problem in told]
            if expected.finalist is not None:
                registered += [
                    Registered(model=made.name, version=int(made.version), finalist=expected.finalist)
                    for made in versions
                ]
    problems += wrong_aliases(client, registered)
    for runs in shown.values():
        problems += [f"MLflow has a record that the ledger does not know: {run.info.run_name!r}" for run in runs]
    return checked, problems


def _expected(
    home: Home, state: LifeState, keys: Mapping[tuple[int, str], str], times: Mapping[int, float]
) -> Iterator[tuple[tuple[str, str], _Expected]]:
    """Every run of a finished task, by key and digest."""
    quarantined = {motif.where: failed_rules(reason) for motif, reason in state.quarantined.values()}
    restored = {state.library.by_seq(seq).where for seq in state.restored - state.quarantined.keys()}
    terms = terms_in_force(state)
    for run in state.runs:
        suite = suite_of(run)
        for task in run.tasks:
            if task.finished is None:
                continue
            key, where = keys[run.number, task.name], f"task {task.name} of run {run.number}"
            before = replace(task, finalists=[replace(finalist, reviews=[]) for finalist in task.finalists])
            exhibit = Exhibit(home, run, before, suite)
            record = task_record(run, before, suite, key=key)
            if any(finalist.reviews for finalist in task.finalists):
                tags, name = reviewed_task(run, task)
                record = replace(record, name=name, tags={**record.tags, **tags})
            yield (key, ""), _Expected(what=where, record=record, files=_files(exhibit, None), registered=False)
            best = [finalist.digest for finalist in before.admitted()[:1]]
            for finalist, plain in zip(task.finalists, before.finalists, strict=True):
                record = finalist_record(before, plain, key=key)
                if finalist.reviews:
                    tags, name = reviewed_finalist(terms, run, task, finalist, times=times)
                    record = replace(record, name=name, tags={**record.tags, **tags})
                motif = (run.number, task.name, finalist.digest)
                if motif in quarantined:
                    rules = {"quarantined": quarantined[motif], "failed_rules": quarantined[motif]}
                    record = replace(record, tags={**record.tags, **rules})
                if motif in restored:
                    record = replace(record, tags={**record.tags, "quarantined": "no"})
                let_in = any(review.facts.standing == Standing.ADMITTED for review in finalist.reviews)
                yield (
                    (key, finalist.digest),
                    _Expected(
                        what=f"{where}, finalist {finalist.digest[:12]}",
                        record=record,
                        files=_files(exhibit, plain),
                        registered=True if finalist.digest in best else None if let_in else False,
                        finalist=finalist,
                        free=frozenset({"failed_rules"} if motif in restored else ()),
                    ),
                )


def _policies(state: LifeState, keys: Mapping[tuple[int, str], str]) -> Iterator[tuple[tuple[str, str], _Expected]]:
    """Every run of a decision about the search policy, by key."""
    for event in state.policy_decisions:
        run = state.runs[event.facts.run - 1]
        task = run.tasks.names[event.facts.after_task - 1]
        record = policy_record(event, task_key=keys[run.number, task], task=task)
        what = f"decision about the policy (event {event.seq})"
        yield (record.tags["key"], ""), _Expected(what=what, record=record, files={}, registered=False)


def _files(exhibit: Exhibit, finalist: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if finalist is None:
            write_task_files(exhibit, folder)
        else:
            write_finalist_files(exhibit, finalist, recorded_audit(finalist), folder)
        return {name: (folder / name).read_bytes() for name in _TEXTS if (folder / name).is_file()}


def _differences(client: Any, run: Any, expected: _Expected) -> Iterator[str]:
    record = expected.record
    if run.info.status != "FINISHED":
        yield f"it is {run.info.status.lower()}, not finished"
    if run.info.run_name != record.name:
        yield f"it is called {run.info.run_name!r}, not {record.name!r}"
    held = {key: value for key, value in run.data.tags.items() if key == _NOTE or not key.startswith("mlflow.")}
    yield from _compared("tag", held, fit(record.tags), free=expected.free)
    yield from _compared("parameter", run.data.params, record.parameters)
    last = {name: value for name, value, _ in record.metrics}
    yield from _compared("metric", run.data.metrics, last)
    curves = {name for name, _, step in record.metrics if step}
    for name in sorted(curves & run.data.metrics.keys()):
        wanted = [(step, value) for metric, value, step in record.metrics if metric == name]
        kept = sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))
        if kept != wanted:
            yield f"the curve {name} is not the ledger's"
    there = {item.path for item in client.list_artifacts(run.info.run_id)}
    for name, content in expected.files.items():
        if name not in there:
            yield f"{name} is missing"
        else:
            with tempfile.TemporaryDirectory() as scratch:
                copy = Path(client.download_artifacts(run.info.run_id, name, scratch))
                if copy.read_bytes() != content:
                    yield f"{name} is not what the ledger gives"


def _misregistered(versions: Sequence[Any], expected: _Expected) -> Iterator[str]:
    """What is wrong with the versions in the registry that a run has."""
    if expected.registered is not None and bool(versions) != expected.registered:
        yield "its network is missing in the model registry" if expected.registered else "it must not be registered"
    for made in versions:
        if made.tags.get("digest") != expected.record.tags.get("digest"):
            yield f"version {made.version} of {made.name} in the registry names another digest"


def _compared(
    kind: str, held: Mapping[str, Any], wanted: Mapping[str, Any], *, free: frozenset[str] = frozenset()
) -> Iterator[str]:
    for name in sorted((held.keys() | wanted.keys()) - free):
        if name not in held:
            yield f"{kind} {name} is missing"
        elif name not in wanted:
            yield f"{kind} {name} is not the ledger's"
        elif held[name] != wanted[name]:
            yield f"{kind} {name} is {held[name]!r}, the ledger says {wanted[name]!r}"
