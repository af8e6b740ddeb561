"""The contract of a search strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from selfnas.search.domain import Domain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture

__all__ = ["Strategy"]


class Strategy(Protocol):
    """Proposes what to try next; knows nothing but what it is handed, hence resumable at any point.

    The conformance suite (`tests/conformance/test_strategies.py`) holds every strategy to this: equal arguments and
    equally seeded generators give equal proposals; nothing that is not admitted, nothing of a digest in the history,
    and no digest twice; `warm` comes first, in its order; fewer than `count` only when nothing else is left.
    """

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """At most `count` architectures.

        Args:
            history: trials with comparable scores, in the order in which they were proposed; failed ones included.
            domain: what may be proposed.
            count: how many are wanted.
            rng: the only source of randomness.
            warm: architectures to try first, best first, such as winners of like tasks.
        """
        ...
