"""What a person would have tried instead, beside the network that a task came to.

A network counts as better, or worse, only where the interval of the difference says so. The difference is taken on the
same test examples: of accuracies from the bits that the ledger holds, so that anybody can take it again; of other
metrics it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agent.ledger.events import UNSET, BaselineRecord, LedgerError, Trained
from agent.state.state import Finalist, RunState, TaskState
from selfnas import seeding
from selfnas.baselines.catalogue import BASELINES
from selfnas.baselines.paired import hits_from_text, paired
from selfnas.training.metrics import COUNTED, METRICS, Metric

__all__ = ["Gain", "Rival", "baseline_seed", "best_rival", "rival_sentences", "rivals"]

Verdict = Literal["gain", "loss", "open"]
_TITLES = {baseline.name: baseline.title for baseline in BASELINES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how much the network is better, in the unit of the metric, with a 95 % interval.

    Attributes:
        metric: what the unit is of; None where the metric is not known here.
        limits: of the interval; None where there are too few examples.
    """

    metric: Metric | None
    estimate: float
    limits: tuple[float, float] | None

    @property
    def verdict(self) -> Verdict:
        """`gain` where the whole interval says that the network is better, `loss` where it says that it is worse."""
        if self.limits is None:
            return "open"
        return "gain" if self.limits[0] > 0 else "loss" if self.limits[1] < 0 else "open"

    @property
    def points(self) -> str:
        """What the numbers are: points of a share, or the metric."""
        if self.metric is None:
            return ""
        return "points" if self.metric.unit == "share" else f"in {self.metric.title}"

    def size(self) -> str:
        """How much, without a sign, and the interval the way round that makes it positive."""
        low, high = self.limits or (self.estimate, self.estimate)
        low, high = (-high, -low) if self.estimate < 0 else (low, high)
        shown = self._number(abs(self.estimate)).removeprefix("+")
        return f"{shown} {self.points}" + (f" [{self._plain(low)}, {self._plain(high)}]" if self.limits else "")

    def __str__(self) -> str:
        shown = self._number(self.estimate)
        return shown if self.limits is None else f"{shown} [{', '.join(map(self._plain, self.limits))}]"

    def _plain(self, value: float) -> str:
        return self._number(value).removeprefix("+")

    def _number(self, value: float) -> str:
        """Signed."""
        size = f"{abs(value):.3f}" if self.metric is None else self.metric.shown(abs(value))
        return f"{'−' if value < 0 else '+'}{size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A baseline, and how the network of the task compares with it.

    Attributes:
        record: what the ledger says of it.
        gain: of the network over it, on the same test examples; None without a network, or where no such comparison is
            recorded.
    """

    record: BaselineRecord
    gain: Gain | None

    @property
    def title(self) -> str:
        """For people."""
        return _TITLES.get(self.record.name, self.record.name)

    @property
    def worth(self) -> float:
        """What it came to, more is better; minus infinity where it failed."""
        if self.record.estimate is None:
            return float("-inf")
        metric = METRICS.get(self.record.metric)
        return self.record.estimate if metric is None or metric.higher else -self.record.estimate

    @property
    def verdict(self) -> Verdict:
        """`gain` or `loss` of the network where the interval says so; else `open`."""
        return "open" if self.gain is None else self.gain.verdict

    @property
    def shown(self) -> str:
        """Its estimate, as people read it."""
        if self.record.estimate is None:
            return "failed"
        metric = METRICS.get(self.record.metric)
        return f"{self.record.estimate:.3f}" if metric is None else metric.shown(self.record.estimate)

    @property
    def limits(self) -> str:
        """Its 95 % interval, as people read it; a dash where there is none."""
        record, metric = self.record, METRICS.get(self.record.metric)
        if metric is None or record.low is None or record.high is None:
            return "–"
        return f"[{metric.shown(record.low)}, {metric.shown(record.high)}]"

    @property
    def difference(self) -> str:
        """Network minus baseline, in points of a share, with its interval; a dash where it is not known."""
        return "–" if self.gain is None else str(self.gain)

    @property
    def figures(self) -> dict[str, str | float | None]:
        """Its name and estimate, and the gain over it in the unit of the metric, by the names that tables use."""
        found: dict[str, str | float | None] = {"baseline": self.record.name, "baseline_test": self.record.estimate}
        if self.gain is not None:
            found["gain"] = self.gain.estimate
            found |= dict(zip(("gain_low", "gain_high"), self.gain.limits or (None, None), strict=True))
        return found

    @property
    def note(self) -> str:
        """Why it failed, or what it was fitted on where that is not all; empty otherwise."""
        record = self.record
        cut = f"fitted on {record.rows:,} of {record.at_hand:,} rows" if record.rows < record.at_hand else ""
        return record.reason or cut


def baseline_seed(seed: int, task_digest: str) -> int:
    """What baselines of a task draw from, in every run with that seed."""
    return seeding.derive(seed, "baselines", task_digest)


def rivals(task: TaskState, finalist: Finalist | None = None) -> tuple[Rival, ...]:
    """All baselines of a task in the order of the ledger; none of old lives and of tables.

    Args:
        finalist: beside which each stands; None takes the winner, where there is one.
    """
    if task.baselined is None:
        return ()
    beside = finalist or next(iter(task.admitted()), None)
    tested = beside.trained if beside else None
    return tuple(Rival(record=record, gain=_gain(tested, record)) for record in task.baselined.results)


def best_rival(task: TaskState) -> Rival | None:
    """The one with the best estimate; of equals the first."""
    return max(
        (rival for rival in rivals(task) if rival.record.estimate is not None), key=lambda one: one.worth, default=None
    )


def rival_sentences(run: RunState) -> Iterator[str]:
    """How the winner of each task of a run compares with the best baseline, and which baselines failed or were cut."""
    for task in run.tasks:
        best = best_rival(task)
        if best is not None and best.gain is not None:
            yield f"{task.name}: {_SAID[best.verdict].format(title=best.title, points=best.gain.size())}"
        elif best is not None:
            winner = "" if task.admitted() else "nothing admitted; "
            yield f"{task.name}: {winner}the {best.title} has {best.shown}"
        yield from (f"{task.name}: {rival.title}: {rival.note}" for rival in rivals(task) if rival.note)


def _gain(tested: Trained | None, record: BaselineRecord) -> Gain | None:
    """From the bits of both where they say which classes were answered, else as it was recorded of this network."""
    if tested is None:
        return None
    metric, told = METRICS.get(record.metric), record.gain
    if told is not UNSET and told.digest == tested.digest:
        limits = None if told.low is None or told.high is None else (float(told.low), float(told.high))
        return Gain(metric=metric, estimate=float(told.estimate), limits=limits)
    if tested.test_hits is UNSET or record.hits is UNSET or record.metric != COUNTED:
        return None
    try:
        found = paired(hits_from_text(tested.test_hits, tested.test_count), hits_from_text(record.hits, record.n))
    except ValueError as error:
        raise LedgerError(f"baseline {record.name} of task {tested.task} cannot be compared: {error}") from error
    return Gain(metric=metric, estimate=found.difference, limits=found.interval)


_SAID = {
    "gain": "better than the best baseline ({title}) by {points}",
    "loss": "the {title} is better, by {points}",
    "open": "not told apart from the best baseline ({title}): they differ by {points}",
}
