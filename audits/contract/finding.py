"""What one audit found: an estimate, its interval, and the decision that follows from them and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import UnionType
from typing import Any, Literal, get_args

from selfnas.errors import InputError

__all__ = ["Bound", "Decision", "Finding", "Role", "decide"]

Decision = Literal["pass", "fail", "inconclusive", "void"]
Role = Literal["gate", "validity", "advisory"]
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
        decision: what `decide` says; void also where evidence was voided by an instrument found invalid.
        role: what the suite uses the audit for; only gates decide about admission.
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

    def to_record(self) -> dict[str, str | int | float | None]:
        """A JSON object; `from_record` reads it back."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, object]) -> Finding:
        """Read what `to_record` wrote.

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
        return Finding(**values)


def decide(bound: Bound, estimate: float | None, low: float | None, high: float | None, threshold: float) -> Decision:
    """Pass or fail only when the whole interval lies on one side of the threshold.

    Void: there is no interval, or the numbers cannot belong together. An estimate may be absent from an interval that
    says nothing (no observation), which is inconclusive.

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
