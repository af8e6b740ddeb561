"""Mining sub-cells from the winners of earlier tasks, and scoring each by what it adds within tasks.

*Winners* of a task are the best tenth of its trials, at least three. A sub-cell is *frequent* when winners of at least
two tasks and at least a quarter of all winners contain it. Its *gain* is the difference of the mean percentile
rank, within a task, of trials with it and trials without, pooled over tasks; the interval is the normal 95 % one.
A search does not draw fairly, and the trials that score a sub-cell also proposed it: the gain says where to look, it
does not prove that the sub-cell is the cause. `experiments/sub-cells` measures it on tasks that took no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.search.history import vectors_of
from selfnas.search.subcells import SubCell, contains, parts
from selfnas.spaces.template import Vector
from selfnas.strategies.transfer import PastTask

__all__ = ["MinedSubCell", "mine", "rank_gain"]

LEAST_TASKS = 2
LEAST_SHARE = 0.25  # of all winners
MOST = 8  # sub-cells kept
_WINNERS = 0.10
_LEAST_WINNERS = 3
_LEAST_EACH = 2  # trials with and without that a task needs to say anything
_Z = 1.959964  # two-sided 95 %

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedSubCell:
    """A frequent sub-cell whose gain is above 0 with its whole interval.

    Attributes:
        support: winners that contain it.
        winners: of all tasks.
        tasks: names of those whose winners contain it.
        trials: evaluated with it, winners or not.
        gain, low, high: in points of percentile rank, -100 to 100.
    """

    sub_cell: SubCell
    support: int
    winners: int
    tasks: tuple[str, ...]
    trials: int
    gain: float
    low: float
    high: float


def mine(past: Sequence[PastTask], *, revoked: frozenset[str] = frozenset()) -> tuple[MinedSubCell, ...]:
    """At most `MOST` sub-cells, the surest gain first; equal arguments give equal results.

    Args:
        past: tasks of one space.
        revoked: digests of sub-cells that must not come back.
    """
    if len(past) < LEAST_TASKS:
        return ()
    space = past[0].space
    tables = [_table(task) for task in past]
    support: Counter[SubCell] = Counter()
    where: dict[SubCell, list[str]] = {}
    winners = 0
    for task, (vectors, ranks) in zip(past, tables, strict=True):
        order = np.argsort(-ranks, kind="stable")
        best = order[: max(_LEAST_WINNERS, int(_WINNERS * len(order)))]
        winners += len(best)
        here: Counter[SubCell] = Counter(found for row in best for found in parts(space, vectors[row]))
        support.update(here)
        for found in here:
            where.setdefault(found, []).append(task.name)
    frequent = sorted(
        found
        for found, count in support.items()
        if len(where[found]) >= LEAST_TASKS and count >= LEAST_SHARE * winners and found.digest not in revoked
    )
    mined, extents = [], {}
    for found in frequent:
        held = [contains(found, vectors) for vectors, _ in tables]
        gain = rank_gain(held, [ranks for _, ranks in tables])
        if gain is not None and gain[1] > 0:
            extents[found] = b"".join(part.tobytes() for part in held)
            mined.append(
                MinedSubCell(
                    sub_cell=found,
                    support=support[found],
                    winners=winners,
                    tasks=tuple(where[found]),
                    trials=int(sum(part.sum() for part in held)),
                    gain=round(gain[0], 3),
                    low=round(gain[1], 3),
                    high=round(gain[2], 3),
                )
            )
    return _distinct(mined, extents)


def rank_gain(held: Sequence[NDArray[np.bool_]], ranks: Sequence[Floats]) -> tuple[float, float, float] | None:
    """Pooled within-task difference of mean ranks, with and without, and its 95 % interval; None where nothing says.

    Tasks are weighted by n1 n0 / (n1 + n0), which is best for equal variances.

    Args:
        held: per task `(n,)`.
        ranks: per task `(n,)`.
    """
    differences, variances, weights = [], [], []
    for has, values in zip(held, ranks, strict=True):
        inside, outside = values[has], values[~has]
        if min(len(inside), len(outside)) < _LEAST_EACH:
            continue
        differences.append(float(inside.mean() - outside.mean()))
        variance = max(float(values.var(ddof=1)), 1e-12)  # of all: a handful of trials with it may be alike by chance
        variances.append(variance * (1 / len(inside) + 1 / len(outside)))
        weights.append(len(inside) * len(outside) / len(values))
    if not weights:
        return None
    share = np.array(weights) / sum(weights)
    gain = float(share @ np.array(differences))
    margin = _Z * float(np.sqrt(share**2 @ np.array(variances)))
    return gain, gain - margin, gain + margin


def percentile_ranks(values: Floats) -> Floats:
    """`(n,)` 0 for the worst to 100 for the best, ties sharing the mean of their places."""
    from scipy.stats import rankdata

    count = len(values)
    return np.asarray(100 * (rankdata(values) - 1) / max(count - 1, 1), dtype=np.float64)


def _table(task: PastTask) -> tuple[Vector, Floats]:
    """`(n, slots)` live edges of a task's trials and their `(n,)` percentile ranks."""
    vectors = vectors_of(task.trials, task.space)
    return task.space.effective(vectors), percentile_ranks(np.array([trial.value for trial in task.trials]))


def _distinct(mined: Sequence[MinedSubCell], extents: dict[SubCell, bytes]) -> tuple[MinedSubCell, ...]:
    """The surest first; of those that the very same trials contain, the one with more edges."""
    order = sorted(mined, key=lambda one: (-one.low, -len(one.sub_cell.edges), one.sub_cell))
    kept: dict[bytes, MinedSubCell] = {}
    for one in order:
        known = kept.get(extents[one.sub_cell])
        if known is None or len(one.sub_cell.edges) > len(known.sub_cell.edges):
            kept[extents[one.sub_cell]] = one
    return tuple(sorted(kept.values(), key=lambda one: (-one.low, one.sub_cell)))[:MOST]
