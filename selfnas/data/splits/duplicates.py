"""Examples that a source holds more than once: found by content, and kept from standing in two splits.

What a network has seen in training tells nothing about it in a test. So equal examples of one part are dealt to one
split, and examples of training that the source's own test or validation part holds too are left out of training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import SPLITS, RawData, Rows
from selfnas.data.spec import TaskSpec
from selfnas.errors import InputError
from selfnas.seeding import generator

__all__ = [
    "Duplicates",
    "Prints",
    "duplicates_of",
    "groups_of",
    "joined_groups",
    "kept_apart",
    "near_copies",
    "of_splits",
    "prints",
]

Numbers = NDArray[np.int64]
Prints = NDArray[np.uint64]

_DRAWS = 32  # ways to deal out repeated examples that are tried; the one nearest to the shares is taken
_LEAST_SHARE = 0.5  # of its examples, that a split must still have then
_PARTS = ("x", "validation", "test")  # of an example in two of them, the later one keeps it
_CALLED: Mapping[str, str] = {"x": "training", "validation": "validation", "test": "test"}
_NEAR = 0.002  # of the mean squared distance between two examples, below which they are nearly the same
_NEAR_NUMBERS = 32  # that an example has at least: where it has few, strangers come near each other
_COMPARED = 1000  # test examples that are looked up, among
_AMONG = 10_000  # training examples
_DIRECTIONS = 64  # of a random projection
_LOOKED_AT = 4  # of the nearest there


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """How often a source repeats itself.

    Attributes:
        within: by part, examples that equal an earlier one of the part.
        across: by part, examples that a later one of `x`, `validation`, `test` holds too.
        contradicting: examples of `x` that equal an earlier one and have another answer.
    """

    within: Mapping[str, int]
    across: Mapping[str, int]
    contradicting: int

    def __bool__(self) -> bool:
        return any(self.within.values()) or any(self.across.values())

    def sentences(self, *, allowed: bool) -> list[str]:
        """What a person should know of them.

        Args:
            allowed: whether the stream lets them be.
        """
        told = []
        if count := self.within.get("x", 0):
            other = f" ({self.contradicting:,} with another answer)" if self.contradicting else ""
            done = "are left where they fell" if allowed else "stay with it in one split"
            told.append(f"{count:,} examples equal an earlier one{other} and {done}")
        for part, count in self.across.items():
            if count:
                done = "are used all the same" if allowed else "are left out"
                told.append(f"{count:,} {_CALLED[part]} examples that a later part holds too {done}")
        return told


def prints(raw: RawData) -> dict[str, Prints]:
    """By part `(n,)`, a number for each example's content: equal examples have equal ones."""
    return {name: _printed(raw, name) for name in raw.parts}


def _printed(raw: RawData, part: str) -> Prints:
    x = raw.parts[part][0]
    blocks = [x] if raw.fetch is None else raw.fetch(part, np.arange(len(x), dtype=np.int64))
    return np.array(
        [
            int.from_bytes(hashlib.blake2b(np.ascontiguousarray(row).data.cast("B"), digest_size=8).digest(), "little")
            for block in blocks
            for row in block
        ],
        dtype=np.uint64,
    )


def duplicates_of(raw: RawData, found: Mapping[str, Prints]) -> Duplicates:
    """How often a source repeats itself; `found` are its prints."""
    _, first, index = np.unique(found["x"], return_index=True, return_inverse=True)
    y = raw.y if raw.y.ndim > 1 else raw.y[:, None]
    return Duplicates(
        within={name: len(each) - len(np.unique(each)) for name, each in found.items()},
        across={name: int(_held_later(name, found).sum()) for name in found if name != "test"},
        contradicting=int((y != y[first[index]]).any(axis=1).sum()),
    )


def _held_later(part: str, found: Mapping[str, Prints]) -> NDArray[np.bool_]:
    """`(n,)` whether a later part holds the example too."""
    later = [found[name] for name in _PARTS[_PARTS.index(part) + 1 :] if name in found]
    return np.isin(found[part], np.concatenate(later)) if later else np.zeros(len(found[part]), dtype=bool)


def joined_groups(groups: Numbers, found: Prints) -> Numbers:
    """Groups of which those that share an example are one; each is called by its smallest number."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names, index = np.unique(groups, return_inverse=True)
    _, first, copy = np.unique(found, return_index=True, return_inverse=True)
    links = coo_matrix((np.ones(len(index)), (index, index[first[copy]])), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    smallest = np.full(component.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component, names)
    return np.asarray(smallest[component[index]], dtype=np.int64)


def kept_apart(rows: Mapping[str, Rows], raw: RawData, found: Mapping[str, Prints], *, seed: int) -> dict[str, Rows]:
    """Splits of which no two share an example.

    Args:
        rows: which examples each split has.
        raw: the source.
        found: its prints.
        seed: of which copy the others follow.

    Raises:
        InputError: too few distinct examples for that.
    """
    counted = raw.target in ("classification", "ordinal")
    strata = {part: y.astype(np.int64) if counted else np.zeros(len(y), np.int64) for part, (_, y) in raw.parts.items()}
    left, kept = {}, {}
    for name, each in rows.items():
        mine = each.rows[~_held_later(each.part, found)[each.rows]]
        left[name], kept[name] = Rows(part=each.part, rows=mine), len(mine)
    for part in raw.parts:
        names = [name for name in SPLITS if left[name].part == part]
        if len(names) > 1:
            dealt = _together([left[name].rows for name in names], found[part], strata[part], seed)
            left |= {name: Rows(part=part, rows=mine) for name, mine in zip(names, dealt, strict=True)}
    for name, each in left.items():
        before, after = (np.unique(strata[each.part][here]) for here in (rows[name].rows, each.rows))
        if len(after) < len(before) or len(each.rows) < _LEAST_SHARE * kept[name]:
            distinct = len(np.unique(found[each.part]))
            raise InputError(
                f"duplicates: of {len(found[each.part]):,} {_CALLED[each.part]} examples {distinct:,} are distinct; "
                f"too few are left for {name} where equal ones are kept in one split: `duplicates: allow` takes them "
                "as they are, for data in which unlike things may look the same"
            )
    return left


def _together(splits: Sequence[Numbers], found: Prints, strata: Numbers, seed: int) -> list[Numbers]:
    """Each repeated example goes whole to the split of one of its copies, drawn at random."""
    every, place = np.concatenate(splits), np.repeat(np.arange(len(splits)), [len(each) for each in splits])
    _, copy, count = np.unique(found[every], return_inverse=True, return_counts=True)
    low, high = np.full(len(count), len(splits)), np.full(len(count), -1)
    np.minimum.at(low, copy, place)
    np.maximum.at(high, copy, place)
    if (low == high).all():
        return list(splits)
    kinds = int(strata.max()) + 1
    wanted = np.bincount(place * kinds + strata[every], minlength=len(splits) * kinds)
    best, least = place, np.inf
    for number in range(_DRAWS):
        order = generator(seed, "duplicates", number).permutation(len(every))
        chosen = np.empty(len(count), dtype=np.int64)
        chosen[copy[order]] = place[order]  # of several copies the last in a random order
        now = chosen[copy]
        held = np.bincount(now * kinds + strata[every], minlength=len(splits) * kinds)
        error = float((((held - wanted) / np.maximum(wanted, 1)) ** 2).sum())
        if error < least:
            best, least = now, error
    return [np.sort(every[best == number]) for number in range(len(splits))]


def of_splits(rows: Mapping[str, Rows], found: Mapping[str, Prints]) -> dict[str, Prints]:
    """By split, the prints of its examples."""
    return {name: found[each.part][each.rows] for name, each in rows.items()}


def near_copies(held: Sequence[NDArray[np.float32]], test: NDArray[np.float32]) -> tuple[int, int]:
    """How many test examples are nearly, but not exactly, one of those held; of how many looked up.

    Nearly: their squared distance is a five-hundredth of that of two examples drawn at random, or less. At most a
    thousand test examples among ten thousand; none of fewer than 32 numbers.

    Args:
        held: `(n, channels, *size)` images or series that a network is taught, in one part or several.
        test: `(m, channels, *size)`.
    """
    numbers = int(np.prod(test.shape[1:]))
    if numbers < _NEAR_NUMBERS:
        return 0, 0
    rng = generator(0, "near copies")
    flat, known = _some([test], _COMPARED, rng), _some(held, _AMONG, rng)
    typical = 2 * float(known.var(axis=0, dtype=np.float64).sum())
    if not typical:
        return 0, len(flat)
    # Nearest in a random shadow, which keeps distances nearly; then measured in full.
    shadow = rng.standard_normal((numbers, min(_DIRECTIONS, numbers))).astype(np.float32)
    ours, theirs = flat @ shadow, known @ shadow
    apart = (theirs**2).sum(axis=1) - 2 * ours @ theirs.T  # less a number that is the same along each row
    closest = np.argpartition(apart, min(_LOOKED_AT, len(known)) - 1, axis=1)[:, :_LOOKED_AT]
    distances = ((known[closest] - flat[:, None]) ** 2).sum(axis=2, dtype=np.float64).min(axis=1)
    return int(((distances > 0) & (distances <= _NEAR * typical)).sum()), len(flat)


def _some(parts: Sequence[NDArray[np.float32]], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """`(k, numbers)` at most so many examples of all parts, drawn, in their order; NaN is 0."""
    count = sum(map(len, parts))
    chosen = np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))
    begins = np.cumsum([0, *map(len, parts)])
    found = [
        part[chosen[(chosen >= begin) & (chosen < end)] - begin]
        for part, begin, end in zip(parts, begins, begins[1:], strict=False)
    ]
    flat: NDArray[np.float32] = np.concatenate(found).reshape(len(chosen), -1).astype(np.float32, copy=False)
    return np.nan_to_num(flat, copy=False)


def groups_of(
    raw: RawData, rows: Mapping[str, Rows], spec: TaskSpec, repeated: Mapping[str, Prints] | None
) -> dict[str, tuple[str, ...]]:
    """By split the group of each example; examples of a part without groups are one each, repeated ones together.

    Args:
        raw: the source.
        rows: which examples each split has.
        spec: for its transformations.
        repeated: prints of the examples where some are repeated; None where copies need not stay together.
    """
    fewer = any(step.classes is not None for step in spec.transforms)
    if raw.groups is not None and fewer:
        raise InputError("groups do not go with the transformation classes: leave those examples out of the source")
    if raw.groups is None and (repeated is None or fewer):
        return {}
    known = raw.groups

    def name(part: str, row: int) -> str:
        if part == "x" and known is not None:
            return f"group {known[row]}"
        return f"{part} {row}" if repeated is None else f"example {repeated[part][row]:016x}"

    return {split: tuple(name(each.part, row) for row in each.rows) for split, each in rows.items()}
