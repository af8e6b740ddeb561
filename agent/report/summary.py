"""What one task of a run came to, in plain numbers; the console table, the report and the MLflow mirror read this."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from agent.ledger.events import LedgerError, Standing, Tested
from agent.state.state import TaskState

__all__ = ["Accuracy", "TaskSummary", "accuracy_of", "summarise"]

_QUANTILE = 1.959963984540054  # 97.5 % of a normal distribution lie below


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of examples classified correctly, with a 95 % Wilson interval; all in [0, 1]."""

    correct: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.count or not self.count:
            raise LedgerError(f"{self.correct} of {self.count} examples right is no accuracy")

    @property
    def estimate(self) -> float:
        """The share itself."""
        return self.correct / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Written out, since loading scipy.stats takes most of the time of `selfnas status`.

        Source: Wilson 1927 (JASA 22), in the form of Newcombe 1998 (Statistics in Medicine 17), method 3.
        """
        count, share, z = self.count, self.estimate, _QUANTILE
        scale = 2 * (count + z**2)
        centre = (2 * count * share + z**2) / scale
        half = z / scale * math.sqrt(4 * count * share * (1 - share) + z**2)
        return (centre - half if self.correct else 0.0), (centre + half if self.correct < count else 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.estimate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """One task of a run.

    Attributes:
        evaluations: trainings at low fidelity.
        evaluations_to_best: how many of them it took to see the best low-fidelity score.
        full_trainings: finalists trained fully and audited.
        admitted: how many of those the gate let in.
        validation: of the winner after full training, in [0, 1]; None when nothing was admitted.
        winner: one-line architecture.
        reference_test: of the hand-designed network of the winner's size; without a winner, of the best finalist's.
        by_rule: considered architectures that each rule kept out.
        by_audit: finalists that each audit (or another reason) kept out.
        recalled: `task (run)` of each remembered architecture tried.
        winner_was_recalled: whether memory gave the winner.
        tabulated: the best validation score of the finalists, where the task is a table.
    """

    task: str
    evaluations: int
    evaluations_to_best: int
    failed: int
    full_trainings: int
    admitted: int
    validation: float | None
    test: Accuracy | None
    params: int | None
    winner: str
    reference_test: Accuracy | None
    reference_params: int | None
    by_rule: dict[str, int]
    by_audit: dict[str, int]
    recalled: tuple[str, ...]
    winner_was_recalled: bool
    tabulated: float | None

    @property
    def share_of_reference(self) -> float | None:
        """The winner's test accuracy over the hand-designed network's."""
        if self.test is None or self.reference_test is None or not self.reference_test.correct:
            return None
        return self.test.estimate / self.reference_test.estimate


def summarise(task: TaskState) -> TaskSummary:
    """Sum up one task, finished or not."""
    scores = task.accuracies
    known = [score for score in scores if score is not None]
    admitted = task.admitted()
    best = admitted[0] if admitted else None
    compared = task.compared if task.compared and task.compared.validation is not None else None
    by_audit: Counter[str] = Counter()
    for finalist in task.finalists:
        if finalist.outcome == Standing.REFUSED and finalist.audited:
            by_audit.update(finalist.audited.failed or [finalist.audited.decision])
    by_rule = Counter(task.filtered)
    recalled = task.started.recalled
    return TaskSummary(
        task=task.name,
        evaluations=len(scores),
        evaluations_to_best=scores.index(max(known)) + 1 if known else 0,
        failed=len(scores) - len(known),
        full_trainings=len(task.finalists),
        admitted=len(admitted),
        validation=best.trained.validation if best else None,
        test=accuracy_of(best.trained) if best else None,
        params=best.trained.params if best else None,
        winner=best.architecture if best else "",
        reference_test=accuracy_of(compared) if compared else None,
        reference_params=compared.params if compared else None,
        by_rule=dict(by_rule.most_common()),
        by_audit=dict(by_audit.most_common()),
        recalled=tuple(f"{one.from_task} (run {one.from_run})" for one in recalled),
        winner_was_recalled=bool(best) and any(best and one.digest == best.digest for one in recalled),
        tabulated=max((found.validation for found in task.tabulated), default=None),
    )


def accuracy_of(tested: Tested) -> Accuracy | None:
    """On the test split; None where nothing was tested."""
    return Accuracy(tested.test_correct, tested.test_count) if tested.test_count else None
