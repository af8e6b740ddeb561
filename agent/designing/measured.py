"""What is known of files that may answer a specification, and which of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.designing.spec import DesignSpec

__all__ = ["Measured", "chosen_file", "excess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of a file before it is chosen.

    Attributes:
        digest: of its architecture.
        precision: of the file.
        bytes: its size.
        p95: 95th percentile of its calls, in milliseconds; the lower end of its interval, so that a file is not passed
            over for what else the machine did.
        validation: score of its network on validation examples, and how much more or less the file itself has.
    """

    digest: str
    precision: str
    bytes: int
    p95: float
    validation: float


def chosen_file(spec: DesignSpec, files: Sequence[Measured]) -> int:
    """Which file answers: of those within the limits the best on validation examples, else the least beyond them.

    Of equals the smaller one is chosen, then the first.

    Raises:
        ValueError: there are none.
    """
    return min(range(len(files)), key=lambda at: (excess(spec, files[at]), -files[at].validation, files[at].bytes, at))


def excess(spec: DesignSpec, file: Measured) -> float:
    """How far a file is beyond its limits on size and time, as a share of the limit; 0 where it keeps them."""
    found = {"file": file.bytes, "latency_p95": file.p95}
    limits = {target.name: float(target.limit) for target in spec.read_targets if target.name in found}
    beyond = [found[name] / limit - 1 if limit else float("inf") for name, limit in limits.items()]
    return max(0.0, *beyond) if beyond else 0.0
