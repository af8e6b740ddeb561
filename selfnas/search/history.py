"""The trials of a search so far: all that a strategy knows, and all that it needs to resume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector

__all__ = ["Trial", "best_trial", "vectors_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One architecture that was scored, or failed to be.

    The trials handed to a strategy must have comparable scores, hence one fidelity; what was only scored otherwise can
    be passed with score None, so that it is not proposed again.

    Attributes:
        score: higher is better; None when it failed. NaN and infinities count as failed.
        digest: the architecture's, filled in when left empty.
        objectives: for strategies that seek a front, all to be maximised; empty means the score alone.
        code: the bytes of the architecture's slot vector, filled in; strategies read them at every step.
    """

    architecture: Architecture
    score: float | None
    fidelity: str = "full"
    digest: str = ""
    objectives: tuple[float, ...] = ()
    code: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        vector = self.architecture.space.encode(self.architecture)
        object.__setattr__(self, "code", vector.tobytes())
        if not self.digest:
            object.__setattr__(self, "digest", self.architecture.digest)

    @property
    def failed(self) -> bool:
        """Whether there is no usable score."""
        return self.score is None or not math.isfinite(self.score)

    @property
    def value(self) -> float:
        """The score, or minus infinity for a failed trial: any success ranks above it."""
        return -math.inf if self.score is None or not math.isfinite(self.score) else self.score


def vectors_of(trials: Sequence[Trial], space: Space) -> Vector:
    """`(n, slots)` the architectures of trials that a space spells."""
    if trials and trials[0].architecture.space != space:  # its vectors say more than those of the cells
        return np.stack([space.encode(trial.architecture) for trial in trials])
    codes = b"".join(trial.code for trial in trials)
    return np.frombuffer(codes, dtype=np.int8).reshape(len(trials), len(space.slots))


def best_trial(history: Sequence[Trial]) -> Trial | None:
    """The earliest trial with the highest score; None when all failed."""
    best = max(history, key=lambda trial: trial.value, default=None)
    return None if best is None or best.failed else best
