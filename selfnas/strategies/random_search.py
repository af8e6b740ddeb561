"""Uniform random search: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selfnas.search.domain import Domain, Proposals
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture

__all__ = ["random_search"]


def random_search(
    history: Sequence[Trial],
    domain: Domain,
    count: int,
    rng: np.random.Generator,
    *,
    warm: Sequence[Architecture] = (),
) -> tuple[Architecture, ...]:
    """Uniform over spelled cells, without repeating a network; see `Strategy`."""
    batch = Proposals(history, domain, count, warm=warm)
    batch.fill(rng)
    return batch.chosen
