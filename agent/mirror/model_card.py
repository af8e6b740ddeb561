"""The model card of an admitted network: what it is, how to use it, what was measured, what nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.ledger.events import UNSET, Standing
from agent.mirror.finalist_notes import plain
from agent.report.summary import Accuracy, score_of, shown_score
from agent.state.rivals import rivals
from agent.state.state import Finalist, RunState, TaskState
from selfnas.data.targets import TargetKind
from selfnas.training.metrics import METRICS

if TYPE_CHECKING:
    from audits import Finding, Suite

__all__ = ["data_source", "model_card"]


_KINDS: Mapping[TargetKind, str] = {
    "classification": "a classifier",
    "multilabel": "a classifier into several labels",
    "regression": "a network that tells numbers,",
    "ordinal": "a classifier into ordered classes",
}
_DECIDING = ("gate", "alarm")  # roles of audits that decide about admission
_OUTPUTS: Mapping[TargetKind, str] = {
    "classification": "logits in the order of the labels",
    "multilabel": "a logit for each label, in their order",
    "regression": "standardised numbers, or their quantiles, as the task scales its targets",
    "ordinal": "a logit for each threshold between two neighbouring classes, of lying above it",
}


def model_card(run: RunState, task: TaskState, finalist: Finalist, findings: Sequence[Finding], suite: Suite) -> str:
    """Markdown, as the registry shows it.

    Source: Mitchell et al. 2019 (FAccT), cut to what a searched network has.
    """
    return "\n".join(_lines(run, task, finalist, findings, suite)) + "\n"


def data_source(run: RunState, task: TaskState) -> str:
    """The task as the stream states it: source and transformations, JSON text."""
    return json.dumps(run.started.stream["tasks"][task.index], sort_keys=True)


def _lines(
    run: RunState, task: TaskState, finalist: Finalist, findings: Sequence[Finding], suite: Suite
) -> Iterator[str]:
    from audits.catalogue.registry import audit_named
    from audits.verdicts.verdict import UNTESTED

    stream, shape, trained = run.started.record, task.shape, finalist.trained
    constraint_set = run.started.constraint_set.name
    yield f"**{_standing(finalist)}** Constraint set {constraint_set}, audit suite {suite.name}.\n"
    yield "### What it is\n"
    yield (
        f"`{finalist.architecture}`, {trained.params:,} parameters: {_KINDS[task.kind]} found by "
        f"search on task {task.name} of stream {stream.stream}, run {run.number}, seed {stream.seed}.\n"
    )
    yield "### How to use it\n"
    size = ", ".join(("n", str(shape.channels), *(["×".join(map(str, shape.size))] if shape.size else [])))
    yield (
        f"A plain `torch.export` program: float32 `({size})`, scaled as the task scales its "
        f"training split, to `(n, {shape.classes})`: {_OUTPUTS[task.kind]}. Made for this task's data; "
        "other data need their own audit (`selfnas audits run`). `selfnas motifs export` writes the same network for "
        "raw examples, with names and units.\n"
    )
    source = data_source(run, task).replace("`", "\\u0060")  # the same JSON, which cannot end the code it stands in
    yield f"### Data\n\n`{source}`, digest `{task.started.task_digest[:16]}`.\n"
    yield "### Measured\n"
    if (tested := score_of(trained)) is not None:
        told = f"accuracy {tested}" if isinstance(tested, Accuracy) else str(tested)
        yield f"- test {told} (95 % interval, n = {tested.count})"
    yield from _rivals(task, finalist)
    if task.kind != "classification" or trained.metric is not UNSET:
        yield f"- {METRICS[task.metric].title}: {METRICS[task.metric].meaning}"
    value, metric = shown_score(task.metric, trained.validation), METRICS[task.metric]
    shown = f"{metric.title} {value} %" if metric.unit == "share" else f"score {value}"
    yield f"- validation {shown}, which the search has seen"
    for finding in findings:
        measured = finding.role in _DECIDING and finding.statistic != UNTESTED
        if measured and finding.low is not None and finding.high is not None:
            limits = f"[{finding.low:.3f}, {finding.high:.3f}]"
            yield f"- audit {plain(finding.label)}: {finding.decision}, {limits} against {finding.threshold:g}"
    yield "\n### What the audits cannot see\n"
    for name in dict.fromkeys(finding.audit for finding in findings if finding.role in _DECIDING and not finding.idle):
        yield f"- {name}: {audit_named(name).misses}"
    for finding in findings:
        if finding.role in _DECIDING and finding.idle:
            yield f"- {finding.audit}: not tested; {finding.note}"
    yield "\n### Where it comes from\n"
    yield f"- architecture digest `{finalist.digest}`"
    yield f"- weights SHA-256 `{trained.weights_sha256}`"
    yield "- certificate, audit card and pictures: artifacts of the source run"


def _rivals(task: TaskState, finalist: Finalist) -> Iterator[str]:
    """Each baseline that was fitted on the same rows, beside this network."""
    for rival in rivals(task, finalist):
        if rival.record.estimate is None:
            yield f"- {rival.title}: failed"
        else:
            points = "" if rival.gain is None else f"; this network differs by {rival.gain} {rival.gain.points}"
            yield f"- {rival.title}, fitted on the same rows: {rival.record.metric} {rival.shown}{points}"


def _standing(finalist: Finalist) -> str:
    if finalist.outcome == Standing.ADMITTED:
        return "Admitted by constraint gate and audits."
    at = next(at for at, one in enumerate(finalist.reviews) if one.facts.standing == Standing.ADMITTED)
    said = [one.facts for one in finalist.reviews[: at + 1] if one.facts.decision == "overrule"]
    people = "; ".join(f"{plain(one.author)}: {plain(one.reason)}" for one in said)
    return f"Refused by the audits, let in by {people}."
