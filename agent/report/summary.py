"""What one task of a run came to, in plain numbers; the console table, the report and the MLflow mirror read this."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from agent.ledger.events import UNSET, LedgerError, MetricRecord, Standing, Tested
from agent.state.rivals import Rival, best_rival
from agent.state.state import TaskState
from selfnas.training.metrics import METRICS, Measured

__all__ = ["Accuracy", "Estimate", "TaskSummary", "TestScore", "score_of", "shown_score", "summarise", "told_figures"]

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

    @property
    def title(self) -> str:
        """What people call the metric."""
        return "accuracy"

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.estimate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a metric other than accuracy says of a test, in its own unit; reads like an `Accuracy`."""

    record: MetricRecord

    def __post_init__(self) -> None:
        found = self.record
        if found.name not in METRICS or not all(map(math.isfinite, (found.estimate, *self.interval))):
            raise LedgerError(f"{found.name} of {found.estimate} is nothing that is measured")

    @property
    def count(self) -> int:
        """Number of test examples."""
        return self.record.n

    @property
    def estimate(self) -> float:
        """The estimate."""
        return float(self.record.estimate)

    @property
    def interval(self) -> tuple[float, float]:
        """Limits of the 95 % interval; the estimate itself where there are too few examples for one."""
        low, high, alone = self.record.low, self.record.high, float(self.record.estimate)
        return (alone if low is None else float(low)), (alone if high is None else float(high))

    @property
    def title(self) -> str:
        """What people call the metric."""
        return METRICS[self.record.name].title

    def __str__(self) -> str:
        found = self.record
        measured = Measured(name=found.name, estimate=found.estimate, low=found.low, high=found.high, n=found.n)
        return f"{self.title} {measured}"


TestScore = Accuracy | Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """One task of a run.

    Attributes:
        evaluations: trainings at low fidelity.
        evaluations_to_best: how many of them it took to see the best low-fidelity score.
        full_trainings: finalists trained fully and audited.
        admitted: how many of those the gate let in.
        metric: name of what scores and tests are measured by.
        validation: score of the winner after full training, its accuracy in [0, 1] where that is the metric; None when
            nothing was admitted.
        winner: one-line architecture.
        reference_test: of the hand-designed network of the winner's size; without a winner, of the best finalist's.
        by_rule: considered architectures that each rule kept out.
        by_audit: finalists that each audit (or another reason) kept out.
        recalled: `task (run)` of each remembered architecture tried.
        winner_was_recalled: whether memory gave the winner.
        rival: the best baseline; None where none was fitted.
        tabulated: the best validation score of the finalists, where the task is a table.
    """

    task: str
    metric: str
    evaluations: int
    evaluations_to_best: int
    failed: int
    full_trainings: int
    admitted: int
    validation: float | None
    test: TestScore | None
    params: int | None
    winner: str
    reference_test: TestScore | None
    reference_params: int | None
    by_rule: dict[str, int]
    by_audit: dict[str, int]
    recalled: tuple[str, ...]
    winner_was_recalled: bool
    tabulated: float | None
    rival: Rival | None


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
        metric=task.metric,
        evaluations=len(scores),
        evaluations_to_best=scores.index(max(known)) + 1 if known else 0,
        failed=len(scores) - len(known),
        full_trainings=len(task.finalists),
        admitted=len(admitted),
        validation=best.trained.validation if best else None,
        test=score_of(best.trained) if best else None,
        params=best.trained.params if best else None,
        winner=best.architecture if best else "",
        reference_test=score_of(compared) if compared else None,
        reference_params=compared.params if compared else None,
        by_rule=dict(by_rule.most_common()),
        by_audit=dict(by_audit.most_common()),
        recalled=tuple(f"{one.from_task} (run {one.from_run})" for one in recalled),
        winner_was_recalled=bool(best) and any(best and one.digest == best.digest for one in recalled),
        rival=best_rival(task),
        tabulated=max((found.validation for found in task.tabulated), default=None),
    )


def shown_score(metric: str, value: float) -> str:
    """A validation score for people: a share in per cent, without its sign; else the number that the search maximised.

    Example:
        >>> shown_score("accuracy", 0.951), shown_score("mae", -0.2534)
        ('95.1', '-0.253')
    """
    known = METRICS.get(metric)
    return f"{100 * value:.1f}" if known is not None and known.unit == "share" else f"{value:.3f}"


def told_figures(metric: str, validation: float, test: float) -> str:
    """Validation score and test of a network, in words.

    Example:
        >>> told_figures("", 0.951, 0.93)
        'validation 95.1 %, test 93.0 %'
        >>> told_figures("mae", -0.2534, 12.5)
        'validation score -0.253, test mean absolute error 12.5'
    """
    name = metric or "accuracy"
    if name == "accuracy":
        return f"validation {100 * validation:.1f} %, test {100 * test:.1f} %"
    known = METRICS.get(name)
    shown = f"{known.title} {known.shown(test)}{known.suffix}" if known is not None else f"{name} {test:.3f}"
    return f"validation score {shown_score(name, validation)}, test {shown}"


def score_of(tested: Tested) -> TestScore | None:
    """By the task's metric on the test split; None where nothing was tested."""
    if tested.metric is not UNSET:
        return Estimate(tested.metric)
    return Accuracy(tested.test_correct, tested.test_count) if tested.test_count else None
