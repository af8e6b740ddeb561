"""What one audit found: an estimate, its interval, and the decision that follows from them and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import UnionType
from typing import Any, Final, Literal, get_args

from selfnas.errors import InputError

__all__ = ["INAPPLICABLE", "UNTESTED", "Bound", "Decision", "Finding", "Role", "decide"]

UNTESTED: Final = "untested"  # subjects that went untested, with n the number of subjects; may only be 0
INAPPLICABLE: Final = "inapplicable"  # the one finding of an audit that is not for the task's kind of target

Decision = Literal["pass", "fail", "inconclusive", "void", "untested"]
Role = Literal["gate", "alarm", "validity", "advisory"]
Bound = Literal["floor", "ceiling"]

DECISIONS: tuple[Decision, ...] = get_args(Decision)
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statistic of one audit on one network.

    Attributes:
        audit: name of the audit, a key of `audits.catalogue.registry.AUDITS`.
        subject: the nuisance, trigger or probe it is about; empty when it is about the network as a whole.
        statistic: what was estimated, in the audit's words.
        estimate: None when nothing could be measured.
        low: lower limit of the two-sided 95 % interval; None when there is none.
        high: upper limit.
        n: independent observations behind the estimate.
        threshold: the suite's limit for this statistic.
        decision: what `decide` says; void also where evidence was voided by an instrument found invalid, untested where
            there was nothing to measure.
        role: what the suite uses the audit for; only gates and alarms decide about admission.
        note: one line for people.
    """

    audit: str
    subject: str = ""
    statistic: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    threshold: float
    decision: Decision
    role: Role
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("estimate", "low", "high", "threshold"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise InputError(f"finding {self.label}: {name} must be finite or absent, not {value}")
        if self.decision not in DECISIONS or self.role not in ROLES or self.n < 0:
            raise InputError(
                f"finding {self.label}: need a decision of {', '.join(DECISIONS)}, a role of {', '.join(ROLES)} "
                f"and n >= 0, not {self.decision!r}, {self.role!r}, {self.n}"
            )

    @property
    def label(self) -> str:
        """Audit, subject and statistic in one word, unique within a run: `swap[corner].follow`."""
        return f"{self.audit}[{self.subject}].{self.statistic}" if self.subject else f"{self.audit}.{self.statistic}"

    @property
    def idle(self) -> bool:
        """Whether it says of a whole audit that there was nothing to measure: no subject, or no such kind of task."""
        return self.statistic == INAPPLICABLE or (self.statistic == UNTESTED and self.n == 0)

    def to_record(self) -> dict[str, str | int | float | None]:
        """A JSON object; `from_record` reads it back."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, object]) -> Finding:
        """Read what `to_record` wrote.

        Earlier releases wrote `pass` or `void` where nothing had been measured; it is read as untested.

        Raises:
            InputError: a key is missing, unknown or of the wrong type.
        """
        if set(record) != set(_TYPES):
            wrong = ", ".join(sorted(set(record) ^ set(_TYPES)))
            raise InputError(f"not a finding: keys missing or unknown: {wrong}")
        for key, types in _TYPES.items():
            if not isinstance(record[key], types) or isinstance(record[key], bool):
                raise InputError(f"not a finding: {key} is {record[key]!r}")
        values: dict[str, Any] = {
            key: float(value) if isinstance(value, int) and key != "n" else value for key, value in record.items()
        }
        found = Finding(**values)
        earlier = "void" if found.statistic == INAPPLICABLE else "pass"
        return replace(found, decision="untested") if found.idle and found.decision == earlier else found


def decide(bound: Bound, estimate: float | None, low: float | None, high: float | None, threshold: float) -> Decision:
    """Pass or fail only when the whole interval lies on one side of the threshold.

    What there was nothing to measure of is untested, which no numbers say. Void: there is no interval, or the numbers
    cannot belong together. An estimate may be absent from an interval that says nothing (no observation), which is
    inconclusive.

    Example:
        >>> decide("ceiling", 0.02, 0.0, 0.06, 0.1), decide("ceiling", 0.08, 0.03, 0.16, 0.1)
        ('pass', 'inconclusive')
    """
    if low is None or high is None or not low <= high or (estimate is not None and not low <= estimate <= high):
        return "void"
    if bound == "ceiling":
        good, bad = high <= threshold, low > threshold
    else:
        good, bad = low >= threshold, high < threshold
    if good and estimate is None:
        return "void"
    return "pass" if good else "fail" if bad else "inconclusive"


_TYPES: dict[str, type | UnionType] = {
    **dict.fromkeys(("audit", "subject", "statistic"), str),
    **dict.fromkeys(("estimate", "low", "high"), int | float | None),
    "n": int,
    "threshold": int | float,
    **dict.fromkeys(("decision", "role", "note"), str),
}
