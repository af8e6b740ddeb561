"""What an audit is: a measurement on one network, with what it can and cannot catch stated beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from audits.contract.finding import Bound
from selfnas.data.targets import TARGET_KINDS, TargetKind

__all__ = ["EVERY_KIND", "About", "Audit", "BestCase", "Instrument", "Measure", "Measurement", "Setting", "Statistic"]

Instrument = Literal["", "integrated gradients", "occlusion", "saliency"]
About = Literal["", "nuisance", "trigger"]
EVERY_KIND = TARGET_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What an audit returns for one statistic of one subject, before any threshold is applied.

    Attributes are those of `audits.contract.finding.Finding`; limits that do not exist are infinite.
    """

    subject: str = ""
    statistic: str
    estimate: float | None
    low: float
    high: float
    n: int
    note: str = ""


Measure = Callable[[Examinee, Mapping[str, float]], Sequence[Measurement]]
BestCase = Callable[[AuditData, Mapping[str, float], int, int], Sequence[Measurement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A number that an audit estimates.

    Attributes:
        name: as suites and findings call it.
        bound: whether the suite's threshold is the least (floor) or the most (ceiling) a sound network may show.
        low: least value a threshold can have.
        high: greatest.
        meaning: one line.
        counted: whether it is a share of the finding's `n` with the exact interval, so that its power is known.
    """

    name: str
    bound: Bound
    low: float = 0.0
    high: float = 1.0
    meaning: str
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number that a suite gives an audit, between `low` and `high`; whole if `integer`.

    One with a `default` may be left out: suites of earlier releases do not know it, and mean that.
    """

    name: str
    low: float
    high: float
    integer: bool = True
    default: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One audit.

    Attributes:
        name: as suites call it.
        measure: every statistic for every subject; it may raise, which counts as void.
        statistics: what it estimates.
        settings: what a suite must give it.
        best_case: what it would measure on a faultless network, of data, settings, a number of audit examples and one
            of cross-fitted answers; None where this does not follow from numbers alone.
        before: what it measures of every network alike, of data and settings, where it asks the data alone; nothing
            where that would take long.
        remedy: what a person can do about the data where `before` keeps every network out.
        counts_all: whether its `n` is the number of audit examples, or `samples` of them where a suite asks for fewer.
        pools: whether it counts cross-fitted answers where there are any (`audits.contract.data.CrossFitted`).
        kinds: of target that it can measure on; on others it does not apply, which is said and never counted as a pass.
        about: what it is repeated for, each that the data name; empty when it is about the network as a whole.
        validates: the attribution method whose validity it tests; only such an audit can have the role `validity`.
        relies_on: the attribution method it uses as evidence; void where a validity audit of it does not pass.
        aims: names of the controls (`audits.calibrating.controls.CONTROLS`) it is there to catch; thresholds are chosen
            on them.
        catches: what a failure is evidence of.
        misses: what a pass does not exclude.
        source: where the method comes from, and where this departs from it.
        cost: rough time on one core for 10x10 images.
    """

    name: str
    measure: Measure
    statistics: tuple[Statistic, ...]
    settings: tuple[Setting, ...] = ()
    kinds: tuple[TargetKind, ...] = ("classification",)
    best_case: BestCase | None = None
    before: Callable[[AuditData, Mapping[str, float]], Sequence[Measurement]] | None = None
    remedy: str = ""
    counts_all: bool = False
    pools: bool = False
    about: About = ""
    validates: Instrument = ""
    relies_on: Instrument = ""
    aims: tuple[str, ...] = ()
    catches: str
    misses: str
    source: str
    cost: str

    def subjects(self, data: AuditData) -> tuple[str, ...]:
        """Names of what it is about in these data; one that is empty where it is about the network as a whole."""
        if not self.about:
            return ("",)
        return tuple(one.name for one in (data.nuisances if self.about == "nuisance" else data.triggers))

    def filled(self, settings: Mapping[str, float]) -> dict[str, float]:
        """What a suite gives, with the defaults of what it leaves out."""
        return {each.name: each.default for each in self.settings if each.default is not None} | dict(settings)

    def statistic(self, name: str) -> Statistic | None:
        """The statistic of that name, None if there is none."""
        return next((statistic for statistic in self.statistics if statistic.name == name), None)
