"""How much of a table's true front a search for several objectives has found.

Hypervolumes by moocore (Fonseca, Paquete, Lopez-Ibanez 2006). Objectives are scaled so that the true front spans 0 to
1, with the reference point at 1.1, a tenth beyond its worst values (Ishibuchi et al. 2018, Evolutionary Computation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ShapeError
from selfnas.search.domain import SpelledDomain
from selfnas.search.history import Trial
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro
from selfnas.strategies import Strategy
from selfnas.strategies.nsga2 import front_numbers
from selfnas.tables.tabular import TabularBenchmark

__all__ = ["best_first", "hypervolume_share", "search_front"]

_REFERENCE = 1.1


def hypervolume_share(found: NDArray[np.float64], everything: NDArray[np.float64]) -> float:
    """The hypervolume of what was found as a share, in [0, 1], of that of the front of everything there is.

    Args:
        found: `(n, objectives)`, all to be maximised.
        everything: `(m, objectives)` all points, of which `found` are some.

    Raises:
        ShapeError: the two do not have the same objectives, or there is nothing to compare with.

    Example:
        >>> everything = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
        >>> hypervolume_share(everything[:1], everything)  # 0.11 of 0.21
        0.523...
    """
    import moocore

    if found.ndim != 2 or everything.ndim != 2 or found.shape[1] != everything.shape[1] or not len(everything):
        raise ShapeError(f"need (n, k) and (m, k) points, m > 0, not {found.shape} and {everything.shape}")
    front = everything[moocore.is_nondominated(-everything)]
    best, worst = front.max(axis=0), front.min(axis=0)
    span = np.where(best > worst, best - worst, 1.0)
    volume = moocore.Hypervolume(ref=[_REFERENCE] * everything.shape[1])
    if not len(found):
        return 0.0
    return float(volume((best - found) / span) / volume((best - front) / span))


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Scored trials in the order in which they are worth training: by score, or along the front where there is one.

    With objectives the first is the knee of the front: the point nearest to the best values of all objectives, each
    scaled to what the front spans (Branke et al. 2004 discuss alternatives). The rest of the front follows by distance
    from what was taken, the farthest first, then everything else by its front.
    """
    if not trials or not all(trial.objectives for trial in trials):
        return sorted(trials, key=lambda trial: -trial.value)
    points = np.array([trial.objectives for trial in trials], dtype=np.float64).reshape(len(trials), -1)
    order: list[int] = []
    fronts = front_numbers(points)
    for number in np.unique(fronts):
        left = np.flatnonzero(fronts == number).tolist()
        best, worst = points[left].max(axis=0), points[left].min(axis=0)
        scaled = (points - worst) / np.where(best > worst, best - worst, 1.0)
        taken = [min(left, key=lambda row: float(np.linalg.norm(1 - scaled[row])))]
        left.remove(taken[0])
        while left:
            apart = [min(float(np.linalg.norm(scaled[row] - scaled[other])) for other in taken) for row in left]
            taken.append(left.pop(int(np.argmax(apart))))
        order += taken
    return [trials[row] for row in order]


def search_front(
    benchmark: TabularBenchmark,
    task: str,
    strategy: Strategy,
    *,
    cost: str,
    seed: int,
    evaluations: int,
    column: str = "test",
) -> float:
    """Search for high scores at low cost; the share of the true front's hypervolume after so many evaluations.

    Args:
        strategy: one that reads `Trial.objectives`; others see the score alone.
        cost: the column to be minimised.
        evaluations: how many are made, one at a time.
        column: the column to be maximised.

    Raises:
        InputError: no such task or column.
    """
    points = np.stack([benchmark.column(task, column), -benchmark.column(task, cost)], axis=1)
    domain = SpelledDomain(benchmark.space, Macro())
    trials: list[Trial] = []
    while len(trials) < evaluations:
        proposed = strategy(trials, domain, 1, generator(seed, "front", len(trials)))
        if not proposed:
            break
        row = int(benchmark.rows(benchmark.space.encode(proposed[0])[None])[0])
        score, price = (float(value) for value in points[row])
        trials.append(Trial(architecture=proposed[0], score=score, objectives=(score, price), fidelity=column))
    rows = benchmark.rows(np.stack([benchmark.space.encode(trial.architecture) for trial in trials]))
    return hypervolume_share(points[rows], points)
