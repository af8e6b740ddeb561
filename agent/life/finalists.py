"""The finalists of a task: which they are, and what the ledger says of each once it was scored in full.

Networks that are trained are audited, then admitted or refused. A table offers no network to audit: what it says is
recorded as `tabulated` and never enters the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UnsetType

from agent.gate.admission import admission, recorded_findings
from agent.ledger.events import (
    UNSET,
    Admitted,
    Audited,
    Compared,
    CrossRecord,
    Facts,
    MetricRecord,
    Refit,
    Refused,
    RobustRecord,
    Tabulated,
    Trained,
)
from agent.life.context import TaskContext
from agent.memory.weights import inherited_record, source_of
from agent.state.spending import next_attempt
from agent.state.state import Finalist, Motif
from agent.stream.fidelities import ranked_by_rung
from agent.stream.policy import SearchPolicy
from agent.stream.training import plan_digest
from agent.workers.jobs import FullAnswer
from agent.workers.trained import Examination, Examiner
from selfnas.networks.costs import costs
from selfnas.networks.reference import residual_network
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture
from selfnas.training.evaluation import Evaluation, Evaluator, OnDone, Request

__all__ = ["compared", "comparison", "finalist_events", "next_finalists"]


def next_finalists(context: TaskContext, policy: SearchPolicy) -> list[Architecture]:
    """The best by low-fidelity score that were not scored in full yet, as many as policy and budget allow."""
    task, want, objective = context.task, policy.finalists_per_task, context.stream.objective
    known, here = task.fully_trained, len(task.finalists) + len(task.tabulated)
    if here >= want and (task.admitted() or task.tabulated):
        return []
    room = min(want - here if here < want else want, context.stream.budget.full_trainings - len(known))
    pairs = zip(task.trials, task.evaluations, strict=True)
    within = [trial for trial, at in pairs if objective is None or objective.within(at.recorded_costs)]
    left = [trial.architecture for trial in ranked_by_rung(within) if trial.architecture.digest not in known]
    return left[: max(room, 0)]


def finalist_events(
    context: TaskContext, evaluator: Evaluator, chosen: Sequence[Architecture], *, on_done: OnDone
) -> Sequence[Facts]:
    """Score in full; where the evaluator can examine, audit and decide as well."""
    if isinstance(evaluator, Examiner):
        return _examined(context, evaluator, chosen, on_done)
    return _tabulated(context, evaluator, chosen, on_done)


def compared(context: TaskContext, examiner: Examiner, finalist: Finalist, *, on_done: OnDone) -> Compared:
    """Train the hand-designed network of a finalist's size, stacked like it, the same way."""
    asked = comparison(context, finalist)
    (answer,) = examiner.examine([asked], on_done=on_done)
    return Compared(
        task=context.task.name,
        architecture=str(asked.request.architecture),
        params=costs(asked.request.architecture, context.own.shape).params,
        validation=answer.score,
        reason=answer.reason,
        test_correct=answer.test_correct,
        test_count=answer.test_count,
        metric=_metric(answer),
        test_hits=answer.test_hits or UNSET,
        refit=_refit(answer),
        plan=_plan(context),
        robust=_robust(answer),
    )


def comparison(context: TaskContext, finalist: Finalist) -> Examination:
    """The full training that a finalist is compared with."""
    macro = parse_architecture(finalist.trained.architecture).macro
    reference = residual_network(finalist.trained.params, context.own.shape, macro=macro)
    return Examination(request=_full(context, reference))


def _metric(answer: FullAnswer) -> MetricRecord | UnsetType:
    """As the ledger keeps it; left out where accuracy is counted, or nothing was tested."""
    return UNSET if answer.metric is None else MetricRecord(**answer.metric.model_dump())


def _refit(answer: FullAnswer) -> Refit | UnsetType:
    """What the ledger says of a second training; nothing where there was none."""
    told = answer.refit
    if told is None:
        return UNSET
    return Refit(steps=told.steps, examples=told.examples, folds=told.folds or UNSET, teacher=told.teacher or UNSET)


def _robust(answer: FullAnswer) -> RobustRecord | UnsetType:
    """As the ledger keeps it; left out where networks are not hardened."""
    return UNSET if answer.robust is None else RobustRecord(**answer.robust.model_dump())


def _plan(context: TaskContext) -> str:
    return plan_digest(context.stream.training, context.stream.full.fidelity("full"))


def _full(context: TaskContext, architecture: Architecture) -> Request:
    fidelity = context.stream.full.fidelity("full")
    return Request(architecture=architecture, fidelity=fidelity, seed=context.seed("full", architecture))


def _tabulated(
    context: TaskContext, evaluator: Evaluator, chosen: Sequence[Architecture], on_done: OnDone
) -> list[Tabulated]:
    """What the table says of the best after full training."""
    task = context.task
    answers = evaluator.evaluate([_full(context, architecture) for architecture in chosen], on_done=on_done)
    return [
        Tabulated(
            task=task.name,
            task_digest=context.own.digest,
            architecture=str(architecture),
            digest=architecture.digest,
            validation=_score(answer),
            test=answer.metrics["test"],
            certificate=task.certificates[str(architecture)],
        )
        for architecture, answer in zip(chosen, answers, strict=True)
    ]


def _score(answer: Evaluation) -> float:
    assert answer.score is not None  # noqa: S101 - a table knows every cell of its space
    return answer.score


def _examined(context: TaskContext, examiner: Examiner, chosen: Sequence[Architecture], on_done: OnDone) -> list[Facts]:
    """Train fully, audit, decide: what the ledger says of each finalist in order."""
    sources, taught = _sources(context, chosen), context.task.started.taught
    files = {each: context.home.weights_file(motif.weights_sha256) for each, motif in sources.items()}
    examinations = [
        Examination(
            request=_full(context, each),
            audit_seed=context.seed("audit", each),
            inherit=files.get(str(each)),
            left_out="" if taught is UNSET or not taught.left_out else taught.rows,
        )
        for each in chosen
    ]
    answers = examiner.examine(examinations, on_done=on_done)
    first, found = next_attempt(context.task), list[Facts]()
    for number, (each, answer) in enumerate(zip(chosen, answers, strict=True)):
        attempt = first + sum(bool(earlier.findings) for earlier in answers[:number])
        found += _examination(context, each, answer, sources.get(str(each)), attempt=attempt)
    return found


def _sources(context: TaskContext, chosen: Sequence[Architecture]) -> Mapping[str, Motif]:
    """By architecture the motif whose weights its training starts from."""
    if context.stream.inherit != "motif":
        return {}
    found = {str(each): source_of(context.state, context.task, str(each)) for each in chosen}
    return {architecture: motif for architecture, motif in found.items() if motif is not None}


def _examination(
    context: TaskContext, architecture: Architecture, answer: FullAnswer, source: Motif | None, *, attempt: int
) -> list[Facts]:
    """`trained`, `audited`, then `admitted` or `refused`; it is so many-eth network on the task's audit split."""
    text, digest, task = str(architecture), architecture.digest, context.task.name
    params = costs(architecture, context.own.shape).params
    trained = Trained(
        task=task,
        architecture=text,
        digest=digest,
        validation=answer.score if answer.score is not None else 0.0,
        reason=answer.reason,
        curve=answer.curve,
        test_correct=answer.test_correct,
        test_count=answer.test_count,
        test_hits=answer.test_hits or UNSET,
        params=params,
        refit=_refit(answer),
        plan=_plan(context),
        robust=_robust(answer),
        weights_sha256=answer.weights_sha256,
        metric=_metric(answer),
        inherited=UNSET if source is None else inherited_record(source, answer.inherited),
    )
    verdict = admission(answer, context.prepared.suite, kind=context.own.kind, attempt=attempt)
    failed, reasons = list(verdict.failed), list(verdict.reasons)
    audited = Audited(
        task=task,
        architecture=text,
        digest=digest,
        findings=recorded_findings(answer.findings),
        decision=verdict.decision,
        failed=failed,
        reasons=reasons,
        cross=UNSET if answer.cross is None else CrossRecord(**answer.cross.model_dump()),
    )
    if verdict.decision != "admit":
        refused = Refused(task=task, architecture=text, digest=digest, decision=verdict.decision, reasons=reasons)
        return [trained, audited, refused]
    admitted = Admitted(
        task=task,
        task_digest=context.own.digest,
        architecture=text,
        digest=digest,
        validation=trained.validation,
        test=trained.test,
        params=params,
        certificate=context.task.certificates[text],
        weights_sha256=answer.weights_sha256,
        metric=trained.metric,
    )
    return [trained, audited, admitted]
