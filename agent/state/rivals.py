"""What a person would have tried instead, beside the network that a task came to.

A network counts as better, or worse, only where the interval of the difference says so. The difference is taken on the
same test examples, one by one, from the bits that the ledger holds; so anybody can take it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agent.ledger.events import UNSET, BaselineRecord, LedgerError, Tested
from agent.state.state import Finalist, RunState, TaskState
from selfnas.baselines.catalogue import BASELINES
from selfnas.baselines.paired import Paired, hits_from_text, paired
from selfnas.training.metrics import COUNTED, METRICS

__all__ = ["Rival", "best_rival", "rival_sentences", "rivals"]

Verdict = Literal["gain", "loss", "open"]
_TITLES = {baseline.name: baseline.title for baseline in BASELINES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A baseline, and how the network of the task compares with it.

    Attributes:
        record: what the ledger says of it.
        against: the network, then the baseline, on the same test examples; None without a network, or where no such
            comparison is recorded.
    """

    record: BaselineRecord
    against: Paired | None

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
        """`gain` where the whole interval says that the network is better, `loss` where it says that it is worse."""
        if self.against is None:
            return "open"
        low, high = self.against.interval
        return "gain" if low > 0 else "loss" if high < 0 else "open"

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
        """Network minus baseline in points, with its interval; a dash where it is not known."""
        if self.against is None:
            return "–"
        low, high = self.against.interval
        return f"{_signed(self.against.difference)} [{_plain(low)}, {_plain(high)}]"

    @property
    def figures(self) -> dict[str, str | float | None]:
        """Its name and estimate, and the gain over it as a share of examples, by the names that tables use."""
        found: dict[str, str | float | None] = {"baseline": self.record.name, "baseline_test": self.record.estimate}
        if self.against is not None:
            low, high = self.against.interval
            found |= {"gain": self.against.difference, "gain_low": low, "gain_high": high}
        return found

    @property
    def note(self) -> str:
        """Why it failed, or what it was fitted on where that is not all; empty otherwise."""
        record = self.record
        cut = f"fitted on {record.rows:,} of {record.at_hand:,} rows" if record.rows < record.at_hand else ""
        return record.reason or cut


def rivals(task: TaskState, finalist: Finalist | None = None) -> tuple[Rival, ...]:
    """All baselines of a task in the order of the ledger; none of old lives and of tables.

    Args:
        finalist: beside which each stands; None takes the winner, where there is one.
    """
    if task.baselined is None:
        return ()
    beside = finalist or next(iter(task.admitted()), None)
    tested = beside.trained if beside else None
    return tuple(Rival(record=record, against=_against(tested, record)) for record in task.baselined.results)


def best_rival(task: TaskState) -> Rival | None:
    """The one with the best estimate; of equals the first."""
    return max(
        (rival for rival in rivals(task) if rival.record.estimate is not None), key=lambda one: one.worth, default=None
    )


def rival_sentences(run: RunState) -> Iterator[str]:
    """How the winner of each task of a run compares with the best baseline, and which baselines failed or were cut."""
    for task in run.tasks:
        best = best_rival(task)
        if best is not None and best.against is not None:
            yield f"{task.name}: {_SAID[best.verdict].format(title=best.title, points=_points(best.against))}"
        elif best is not None:
            yield f"{task.name}: nothing admitted; the {best.title} has {best.shown}"
        yield from (f"{task.name}: {rival.title}: {rival.note}" for rival in rivals(task) if rival.note)


def _against(tested: Tested | None, record: BaselineRecord) -> Paired | None:
    """The two on the same examples, where both say which classes they answered."""
    if tested is None or tested.test_hits is UNSET or record.hits is UNSET or record.metric != COUNTED:
        return None
    try:
        return paired(hits_from_text(tested.test_hits, tested.test_count), hits_from_text(record.hits, record.n))
    except ValueError as error:
        raise LedgerError(f"baseline {record.name} of task {tested.task} cannot be compared: {error}") from error


def _points(against: Paired) -> str:
    """The size of a difference, with its interval the way round that makes it positive."""
    low, high = against.interval
    if against.difference < 0:
        low, high = -high, -low
    return f"{100 * abs(against.difference):.1f} points [{_plain(low)}, {_plain(high)}]"


def _plain(share: float) -> str:
    return _signed(share).removeprefix("+")


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


_SAID = {
    "gain": "better than the best baseline ({title}) by {points}",
    "loss": "the {title} is better, by {points}",
    "open": "not told apart from the best baseline ({title}): they differ by {points}",
}
