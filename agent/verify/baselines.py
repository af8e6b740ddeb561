"""That the baselines of a task are those it began with, and that what is recorded of each can be.

Estimates and intervals of an accuracy follow from the counts, and counts from the bits; so an edit of one shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import UnsetType

from agent.ledger import events
from agent.verify.metrics import possible
from selfnas.baselines.paired import MOST_COMPARED, hits_from_text
from selfnas.training import intervals
from selfnas.training.metrics import COUNTED, METRICS

__all__ = ["BaselineChecker"]

_ROUNDING = 1e-9


class BaselineChecker:
    """Follows tasks through a life.

    Args:
        checked: how many of each kind of thing were looked at; counted up here.
    """

    def __init__(self, checked: Counter[str]) -> None:
        self._checked = checked
        self._names: list[str] = []
        self._recorded = 0
        self._tested = 0  # test examples of the present task, as its finalists say
        self._metric = COUNTED
        self._trained: set[str] = set()  # digests

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event of a task, in sentences."""
        match facts:
            case events.TaskStarted():
                self._names = [] if facts.baselines is events.UNSET else facts.baselines
                self._recorded, self._tested, self._trained = 0, 0, set()
                self._metric = COUNTED if facts.metric is events.UNSET else facts.metric
                if self._names and facts.table is not events.UNSET:
                    yield "baselines are announced of a task that is only a table"
            case events.Tested():
                if isinstance(facts, events.Trained):
                    self._trained.add(facts.digest)
                measured = 0 if facts.metric is events.UNSET else facts.metric.n
                self._tested = max(self._tested, facts.test_count, measured)
                yield from _hits(facts.test_hits, facts.test_correct, facts.test_count)
            case events.Baselined():
                yield from self._baselined(facts)
            case events.TaskFinished():
                if self._names and not self._recorded:
                    yield f"it ended without the baselines that it began with: {', '.join(self._names)}"

    def _baselined(self, facts: events.Baselined) -> Iterator[str]:
        self._recorded += 1
        if self._recorded > 1:
            yield "baselines are recorded a second time on this task"
        if (found := [one.name for one in facts.results]) != self._names:
            yield f"baselines {', '.join(found)}, but the task began with {', '.join(self._names) or 'none'}"
        for one in facts.results:
            self._checked["baselines"] += 1
            yield from (f"baseline {one.name}: {problem}" for problem in self._result(one))

    def _result(self, one: events.BaselineRecord) -> Iterator[str]:
        if (one.estimate is None) != bool(one.reason):
            yield "it must have either an estimate or a reason for having none"
        if not 0 <= one.rows <= one.at_hand:
            yield f"it cannot be fitted on {one.rows} of {one.at_hand} rows"
        if one.estimate is None:
            if one.hits is not events.UNSET:
                yield "it failed, and yet answered classes"
            return
        metric = METRICS.get(one.metric)
        if one.metric != self._metric:
            yield f"measured by {one.metric}, but the task is measured by {self._metric}"
        elif metric is not None and not possible(metric, one.estimate):
            yield f"{one.metric} cannot be {one.estimate:g}"
        if self._tested and one.n != self._tested:
            yield f"it was tested on {one.n} examples, the finalists on {self._tested}"
        if (one.low is not None and one.low > one.estimate) or (one.high is not None and one.high < one.estimate):
            yield "its interval does not hold its estimate"
        yield from self._gain(one)
        if one.metric == COUNTED:
            yield from _counted(one, one.estimate)

    def _gain(self, one: events.BaselineRecord) -> Iterator[str]:
        """A gain that was measured is of a network that was trained here; how it came to be is not repeated."""
        gain = one.gain
        if gain is events.UNSET:
            return
        if one.metric == COUNTED:
            yield "a gain in accuracy follows from the bits, and is not recorded"
        if gain.digest not in self._trained:
            yield f"it is compared with {gain.digest[:12]}, which was not trained on this task"
        if (gain.low is not None and gain.low > gain.estimate) or (gain.high is not None and gain.high < gain.estimate):
            yield "the interval of the gain over it does not hold the estimate"


def _counted(one: events.BaselineRecord, estimate: float) -> Iterator[str]:
    """An accuracy must be a count over the examples, with the interval that follows, and the bits must say so."""
    correct = round(estimate * one.n)
    if not 0 <= correct <= one.n or not one.n or abs(correct / one.n - estimate) > _ROUNDING:
        yield f"its accuracy {estimate} is that of no number of {one.n} examples"
        return
    for limit, expected in zip((one.low, one.high), intervals.binomial(correct, one.n), strict=True):
        if limit is None or abs(limit - expected) > _ROUNDING:
            yield f"its interval is not that of {correct} of {one.n} examples"
            break
    if one.hits is events.UNSET:
        yield "it does not say which examples it was right about"
    else:
        yield from _hits(one.hits, correct, one.n)


def _hits(text: str | UnsetType, correct: int, count: int) -> Iterator[str]:
    """Bits that were recorded must be of so many examples, and as many as are right where all are compared."""
    if isinstance(text, UnsetType):
        return
    try:
        found = int(hits_from_text(text, count).sum())
    except ValueError as error:
        yield f"its answers cannot be read: {error}"
        return
    if found != correct if count <= MOST_COMPARED else found > correct:
        yield f"{correct} of {count} examples are right, and its bits say {found}"
