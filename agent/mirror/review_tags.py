"""How finalists and tasks stand now, written into MLflow records that were made before people decided.

A task's records tell what audits and gate left; this brings them up to date, however often it is called. Takes an
MLflow client and imports nothing of MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from agent.gate.counting import counted, terms_in_force
from agent.gate.review import moment, stage
from agent.ledger.events import SEND_BACK, MotifQuarantined, Standing
from agent.mirror.finalist_notes import finalist_note, plain
from agent.state.state import Finalist, LifeState, RunState, TaskState
from audits.contract.reviewing import USUAL_TERMS, ReviewTerms

__all__ = [
    "Register",
    "alias_of",
    "cut",
    "failed_rules",
    "fit",
    "found_runs",
    "note",
    "reviewed_finalist",
    "reviewed_task",
    "write_standing",
]

# Puts a finalist into the model registry, given the MLflow run that shows it.
Register = Callable[[str, RunState, TaskState, Finalist], None]

_QUARANTINED = "quarantined"  # name of a tag
_TAG_LIMIT = 5000  # MLflow cuts longer tags with only a warning
_NOTE = """\
### {stream}: one agent's life through a stream of tasks

Each run is a task; open the **+** beside it for its finalists, whose names begin with the verdict.

* finalists [awaiting review]({awaiting}) · [decided by a person]({decided}): \
`selfnas review list|approve|overrule` decides.
* finalists [admitted]({admitted}) or [refused by an audit]({refused}) · [tasks only]({tasks})
* [decisions about the search policy]({policy}), with the evidence of rehearsals and of the trial on real tasks.
* [quarantined]({quarantined}): admitted once, forbidden by the constraint set in force now.
* Tags to search by: `verdict` (as it stands), `audit_decision`, `review`, \
`failed_rules`, `failed_audits`, `task`, `digest`; columns for them: **Columns**.
* A finalist's artifacts: `audit-card.html` (verdict first, with the pictures), `certificate.json` (which rules held, \
checked by which engines), `attributions.png`, `confusion.png`, `cell.png`. A task's artifacts: `search.png`, \
`rejections.md`.
* MLflow is a mirror. `selfnas verify --home <home>` re-checks the ledger it was made from: the chain of hashes, every \
certificate, every verdict.
"""

# Under a sort key other than the date MLflow lists what matches; otherwise it folds children under their parents.
_VIEWS = {
    "awaiting": ("tags.kind = 'finalist' and tags.review = 'awaiting'", "verdict"),
    "decided": ("tags.kind = 'finalist' and tags.review != 'awaiting'", "verdict"),
    "admitted": ("tags.kind = 'finalist' and tags.verdict = 'admitted'", "task"),
    "refused": ("tags.kind = 'finalist' and tags.audit_decision != 'admit'", "task"),
    "quarantined": ("tags.kind = 'finalist' and tags.quarantined != 'no'", "task"),
    "policy": ("tags.kind = 'policy'", "task"),
    "tasks": ("tags.kind = 'task'", "run"),
}


def note(stream: str, experiment: str) -> str:
    """The experiment's page in Markdown: where to start, with a link for each filtered view."""
    views = {}
    for name, (query, by) in _VIEWS.items():
        order = quote(f"tags.`{by}`")
        views[name] = f"#/experiments/{experiment}/runs?searchFilter={quote(query)}&orderByKey={order}&orderByAsc=true"
    return _NOTE.format(stream=stream, **views)


def fit(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags no longer than MLflow keeps."""
    return {key: cut(value) for key, value in tags.items()}


def cut(text: str) -> str:
    """As much of a text as MLflow keeps in a tag or a description."""
    return text if len(text) <= _TAG_LIMIT else text[: _TAG_LIMIT - 1] + "…"


def alias_of(finalist: Finalist) -> str:
    """What a registered network is called: `admitted`, or `overruled` where a person let it in against the audits."""
    return str(finalist.outcome) if finalist.outcome == Standing.ADMITTED else "overruled"


def write_standing(
    client: Any,
    state: LifeState,
    *,
    keys: Mapping[tuple[int, str], str],
    times: Mapping[int, float],
    register: Register,
) -> None:
    """Tag finalists and tasks with how they stand: decided by whom, quarantined or not.

    Args:
        client: an `MlflowClient`; whatever it raises is the caller's.
        keys: the key of each task that was mirrored, by run number and task name.
        times: Unix seconds of each event.
        register: called for what people let in and the registry lacks.
    """
    terms = terms_in_force(state)
    for run in state.runs:
        for task in run.tasks.reviewed():
            key = keys[run.number, task.name]
            for finalist in task.finalists:
                if finalist.reviews:
                    _finalist(client, terms, key, run, task, finalist, times=times, register=register)
            _task(client, key, run, task)
    for motif, reason in state.quarantined.values():
        _quarantine(client, keys[motif.run, motif.task], motif.digest, failed_rules(reason))
    for seq in state.restored - state.quarantined.keys():
        motif = state.library.by_seq(seq)
        _quarantine(client, keys[motif.run, motif.task], motif.digest, "no")


def reviewed_finalist(
    terms: ReviewTerms, run: RunState, task: TaskState, finalist: Finalist, *, times: Mapping[int, float]
) -> tuple[dict[str, str], str]:
    """Tags and name that decisions of people give the run of a finalist; `times` in Unix seconds by event."""
    lines = []
    for review in finalist.reviews:
        said = review.facts
        lines.append(
            f"* {moment(times, review.seq)}, {plain(said.author)}: **{said.decision}**, stands "
            f"{said.standing}. {plain(said.reason)}"
        )
    last = finalist.reviews[-1].facts
    done, count = {"approve": "approved", SEND_BACK: "sent back"}.get(last.decision, "overruled"), None
    if terms != USUAL_TERMS:
        count = counted(terms, run, finalist)
        done = "awaiting" if stage(terms, run, finalist) == "awaiting" else done
        lines.append(f"* {plain(count)}")
    tags = {
        "verdict": str(finalist.standing or ""),
        "review": done,
        "reviewer": last.author,
        "review_reason": last.reason or "none",
        **({} if count is None else {"people": str(count)}),
        "mlflow.note.content": "Decided by people:\n\n" + "\n".join(lines) + "\n\n" + finalist_note(task, finalist),
    }
    return tags, f"{finalist.standing} ({done}) · {task.name} · {finalist.digest[:12]}"


def reviewed_task(run: RunState, task: TaskState) -> tuple[dict[str, str], str]:
    """Tags and name of the run of a task about whose finalists people decided."""
    standing = [finalist for finalist in task.finalists if finalist.standing == Standing.ADMITTED]
    best = max(standing, key=lambda finalist: finalist.trained.validation, default=None)
    tags = {
        "verdict": "admitted" if standing else "nothing admitted",
        "winner": best.architecture if best else "",
        "decided_by_people": str(sum(bool(finalist.reviews) for finalist in task.finalists)),
    }
    return tags, f"{task.name} · {len(standing)}/{len(task.finalists)} admitted, after review · run {run.number}"


def failed_rules(quarantined: MotifQuarantined) -> str:
    """Which rules forbid a quarantined motif."""
    return ", ".join(quarantined.failed) or "not decided"


def found_runs(client: Any, query: str) -> list[Any]:
    """Every run that matches, over all pages."""
    experiments = [str(experiment.experiment_id) for experiment in client.search_experiments()]
    runs: list[Any] = []
    token: str | None = None
    while token != "":
        page = client.search_runs(experiments, query, max_results=1000, page_token=token)
        runs += page
        token = page.token or ""
    return runs


def _finalist(
    client: Any,
    terms: ReviewTerms,
    key: str,
    run: RunState,
    task: TaskState,
    finalist: Finalist,
    *,
    times: Mapping[int, float],
    register: Register,
) -> None:
    tags, name = reviewed_finalist(terms, run, task, finalist, times=times)
    let_in = finalist.outcome == Standing.REFUSED and any(
        review.facts.standing == Standing.ADMITTED for review in finalist.reviews
    )
    for found in found_runs(client, f"tags.task_key = '{key}' and tags.digest = '{finalist.digest}'"):
        _update(client, found, tags, name)
        query = f"run_id = '{found.info.run_id}'"
        if let_in and not client.search_model_versions(query):
            register(found.info.run_id, run, task, finalist)
        for made in client.search_model_versions(query):
            _version(client, made, alias=alias_of(finalist), standing=str(finalist.standing or ""))


def _version(client: Any, made: Any, *, alias: str, standing: str) -> None:
    """A revoked network loses its alias; one that was restored gets it back, unless a later one has it."""
    aliases = client.get_registered_model(made.name).aliases
    if standing == Standing.REFUSED:
        if str(aliases.get(alias)) == str(made.version):
            client.delete_registered_model_alias(made.name, alias)
        client.set_model_version_tag(made.name, made.version, "revoked", "yes")
    elif "revoked" in made.tags:
        client.delete_model_version_tag(made.name, made.version, "revoked")
        if alias not in aliases or int(aliases[alias]) < int(made.version):
            client.set_registered_model_alias(made.name, alias, made.version)


def _task(client: Any, key: str, run: RunState, task: TaskState) -> None:
    """The row of a task says what stands, not what the audits alone had left."""
    tags, name = reviewed_task(run, task)
    for found in found_runs(client, f"tags.key = '{key}'"):
        _update(client, found, tags, name)


def _quarantine(client: Any, key: str, digest: str, quarantined: str) -> None:
    for run in found_runs(client, f"tags.task_key = '{key}' and tags.digest = '{digest}'"):
        if run.data.tags.get(_QUARANTINED, "no") != quarantined:
            client.set_tag(run.info.run_id, _QUARANTINED, quarantined)
            if quarantined != "no":
                client.set_tag(run.info.run_id, "failed_rules", quarantined)


def _update(client: Any, run: Any, tags: Mapping[str, str], name: str) -> None:
    for tag, value in fit(tags).items():
        if run.data.tags.get(tag) != value:
            client.set_tag(run.info.run_id, tag, value)
    if run.info.run_name != name:
        client.update_run(run.info.run_id, name=name)
