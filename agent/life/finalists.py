"""What the ledger says of a finalist: how it trained, what its audits found, and whether it is admitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.gate.admission import admission
from agent.ledger.store import Entry
from agent.memory.weights import inherited_record
from agent.state.library import Motif
from agent.state.state import TaskState
from agent.workers.jobs import FullAnswer
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture

if TYPE_CHECKING:
    from agent.life.preparation import PreparedTask
    from audits import Suite

__all__ = ["examination_entries"]


def examination_entries(
    task: TaskState,
    prepared: PreparedTask,
    suite: Suite,
    chosen: Sequence[Architecture],
    answers: Sequence[FullAnswer],
    *,
    sources: Mapping[str, Motif],
) -> list[Entry]:
    """`trained`, `audited`, then `admitted` or `refused`, for each finalist in order.

    Args:
        sources: by architecture the motif whose weights its training started from.
    """
    entries: list[Entry] = []
    for architecture, answer in zip(chosen, answers, strict=True):
        common = {"task": task.name, "architecture": str(architecture), "digest": architecture.digest}
        test = answer.test_correct / answer.test_count if answer.test_count else 0.0
        params = costs(architecture, prepared.shape).params
        entries.append(
            (
                "trained",
                {
                    **common,
                    "validation": answer.score if answer.score is not None else 0.0,
                    "reason": answer.reason,
                    "curve": answer.curve,
                    "test_correct": answer.test_correct,
                    "test_count": answer.test_count,
                    "params": params,
                    "weights_sha256": answer.weights_sha256,
                    **_inherited(sources.get(str(architecture)), answer),
                },
            )
        )
        verdict = admission(answer, suite)
        entries.append(("audited", {**common, "findings": answer.findings, **verdict.to_record()}))
        if verdict.admits:
            certificate = task.certificates[str(architecture)]
            entries.append(
                (
                    "admitted",
                    {
                        **common,
                        "task_digest": prepared.digest,
                        "validation": answer.score,
                        "test": test,
                        "params": params,
                        "certificate": certificate,
                        "weights_sha256": answer.weights_sha256,
                    },
                )
            )
        else:
            entries.append(("refused", {**common, "decision": verdict.decision, "reasons": list(verdict.reasons)}))
    return entries


def _inherited(source: Motif | None, answer: FullAnswer) -> dict[str, object]:
    """Where a finalist's weights come from; nothing where they are its own from the start."""
    return {} if source is None else {"inherited": inherited_record(source, answer.inherited)}
