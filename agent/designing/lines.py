"""Lines of a specification, judged of the file that was chosen: met, missed or undecided, each by an interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.designing.spec import DesignSpec, Target, read_target
from agent.ledger.events import DesignLineRecord
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.training import intervals

__all__ = [
    "Line",
    "Verdict",
    "accuracy_line",
    "binding",
    "counted_lines",
    "exact_line",
    "judged_line",
    "read_line",
    "recorded_line",
    "unknown_line",
]

Verdict = Literal["met", "missed", "undecided"]
_VERDICTS: tuple[Verdict, ...] = ("missed", "undecided", "met")  # what stands in the way first, first
_COSTS = {"parameters": "params", "macs": "macs", "activations": "activation_bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target, judged.

    Attributes:
        target: that was asked for.
        verdict: `met` where the whole interval keeps the limit, `missed` where none of it does, else `undecided`.
        estimate: what was measured; None where there is nothing to measure.
        low: lower end of its interval; the estimate itself where it is exact.
        high: upper end.
        n: observations; 0 where it is exact.
    """

    target: Target
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        name, asked = self.target.name, str(self.target)
        if self.estimate is None or self.low is None or self.high is None:
            return f"{self.verdict:9}  {asked}: there is nothing to judge it by"
        if not self.n:
            return f"{self.verdict:9}  {asked}: {self.estimate:,.0f} exactly"
        unit, what = (" ms", "calls") if name == "latency_p95" else ("", "audit examples")
        limits = f"[{self.low:.4g}, {self.high:.4g}]{unit}"
        return f"{self.verdict:9}  {asked}: {self.estimate:.4g}{unit}, 95 % interval {limits} of {self.n:,} {what}"


def judged_line(target: Target, estimate: float, low: float, high: float, n: int) -> Line:
    """By the ends of an interval."""
    kept = target.kept_by(low), target.kept_by(high)
    verdict: Verdict = "met" if all(kept) else "undecided" if any(kept) else "missed"
    return Line(target=target, verdict=verdict, estimate=estimate, low=low, high=high, n=n)


def exact_line(target: Target, value: int) -> Line:
    """Of a number that is known.

    Example:
        >>> from agent.designing.spec import read_target
        >>> exact_line(read_target("file", "<= 1 kB"), 1001).verdict
        'missed'
    """
    return judged_line(target, value, value, value, 0)


def accuracy_line(target: Target, correct: int, n: int) -> Line:
    """Of examples that a file was asked about; undecided where there are none.

    Source of the interval: Clopper and Pearson 1934 (Biometrika 26).
    """
    return judged_line(target, correct / n, *intervals.binomial(correct, n), n) if n else unknown_line(target)


def unknown_line(target: Target) -> Line:
    """Of a target that there is nothing to judge by."""
    return Line(target=target, verdict="undecided", estimate=None, low=None, high=None, n=0)


def binding(lines: Sequence[Line]) -> Line | None:
    """The line that stands in the way: the first that is missed, else the first undecided; None where all are met."""
    for verdict in _VERDICTS[:2]:
        for line in lines:
            if line.verdict == verdict:
                return line
    return None


def counted_lines(spec: DesignSpec, architecture: Architecture, shape: TaskShape) -> Iterator[tuple[str, Line]]:
    """Lines on what follows from an architecture, by name."""
    spent = costs(architecture, shape)
    for target in spec.read_targets:
        if target.name in _COSTS:
            yield target.name, exact_line(target, getattr(spent, _COSTS[target.name]))


def recorded_line(line: Line) -> DesignLineRecord:
    """A line as it is recorded."""
    return DesignLineRecord(
        name=line.target.name, text=line.target.text, verdict=line.verdict, estimate=line.estimate, low=line.low,
        high=line.high, n=line.n,
    )  # fmt: skip


def read_line(record: DesignLineRecord) -> Line:
    """What `recorded_line` gave.

    Raises:
        ValueError: it is none.
    """
    if record.verdict not in _VERDICTS:
        raise ValueError(f"there is no verdict {record.verdict!r}")
    return Line(
        target=read_target(record.name, record.text), verdict=_VERDICTS[_VERDICTS.index(record.verdict)],
        estimate=record.estimate, low=record.low, high=record.high, n=record.n,
    )  # fmt: skip
