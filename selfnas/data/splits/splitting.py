"""Which examples fall into which of the four splits: disjoint, stratified, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import SPLITS, RawData, Rows
from selfnas.data.spec import TaskSpec
from selfnas.data.targets import RawTargets
from selfnas.errors import InputError
from selfnas.seeding import generator

__all__ = ["split_rows"]

Numbers = NDArray[np.int64]

_TEST_SHARE = 0.20  # of all examples, where the source has no test part of its own
_HELD_OUT_SHARE = 0.15  # of the rest, for validation and again for audit
_FEWEST_AUDITED = 100  # with fewer, the intervals of the gate audits leave a network of 95 % accuracy undecided
_TEST_SHARE_AUDITED = 0.30  # of a source's own test part, where its training part has too few to audit with
_STRATUM = 20  # examples of a stratum of numbers, at least, up to so many strata:
_MOST_STRATA = 10


def split_rows(raw: RawData, spec: TaskSpec) -> dict[str, Rows]:
    """Disjoint splits in which every stratum has its share.

    The strata of a classification are its classes, those of numbers their quantiles, those of labels the rarest label
    of each example. Where examples come in groups, whole groups are dealt out instead.

    Raises:
        InputError: too few examples, or none of a class where one is needed; or a limit that cannot be kept.
    """
    parts = {name: part[1] for name, part in raw.parts.items()}
    for y in parts.values():
        if not len(y):
            raise InputError("there are no examples; need at least 2 classes")
    needed = 4 - len(parts) + 1
    if raw.target in ("classification", "ordinal"):
        _check_classes(raw, parts, needed)
    else:
        _check_enough(raw, parts, needed)
    strata = _strata(raw, parts, needed)
    if raw.groups is not None:
        return _grouped(raw.groups, strata, parts, spec)
    return _dealt(raw, strata, parts, spec, needed)


def _dealt(
    raw: RawData, strata: Mapping[str, Numbers], parts: Mapping[str, RawTargets], spec: TaskSpec, needed: int
) -> dict[str, Rows]:
    total, y = sum(map(len, parts.values())), strata["x"]
    keep = min(1.0, spec.limit / total) if spec.limit else 1.0
    kinds = 1 + max(int(each.max()) for each in strata.values())
    from_test = (
        spec.audit_from == "test" and "test" in parts and _audits_from_test(len(y) * keep, strata["test"], kinds)
    )
    if spec.audit_from == "test" and "test" not in parts:
        raise InputError("audit_from: test needs a test part in the source; leave it out")
    floors = {"x": needed - from_test, "validation": 1, "test": 1 + from_test}
    if spec.limit and spec.limit < total:
        _check_limit(spec.limit, total, strata, floors, raw)
    rows: dict[str, list[Numbers]] = {name: [] for name in SPLITS}
    for label in range(kinds):
        rng = generator(spec.split_seed, "split", label)
        mine = rng.permutation(np.flatnonzero(y == label))
        mine = mine[: max(int(len(mine) * keep), floors["x"])]
        test = 0 if "test" in parts else max(1, round(len(mine) * _TEST_SHARE))
        held = max(1, round((len(mine) - test) * _HELD_OUT_SHARE))
        stops = np.cumsum([test, 0 if "validation" in parts else held, 0 if from_test else held])
        for name, part in zip(("test", "validation", "audit", "train"), np.split(mine, stops), strict=True):
            if not (name in parts or (name == "audit" and from_test)):
                rows[name].append(part)
        if "test" in parts:
            theirs = rng.permutation(np.flatnonzero(strata["test"] == label))
            theirs = theirs[: max(int(len(theirs) * keep), floors["test"])]
            audited = max(1, round(len(theirs) * _TEST_SHARE_AUDITED)) if from_test else 0
            if from_test:
                rows["audit"].append(theirs[:audited])
            rows["test"].append(theirs[audited:])
        if "validation" in parts:
            theirs = rng.permutation(np.flatnonzero(strata["validation"] == label))
            rows["validation"].append(theirs[: max(int(len(theirs) * keep), floors["validation"])])
    origin = {name: name if name in parts else "x" for name in SPLITS} | ({"audit": "test"} if from_test else {})
    return {name: Rows(part=origin[name], rows=np.sort(np.concatenate(found))) for name, found in rows.items()}


def _audits_from_test(training: float, test: Numbers, strata: int) -> bool:
    """Whether the audit split is cut from the source's test part: training is small, and every class has two there."""
    enough = int(np.bincount(test, minlength=strata).min()) >= 2
    return training * _HELD_OUT_SHARE < _FEWEST_AUDITED and enough


def _check_limit(
    limit: int, total: int, strata: Mapping[str, Numbers], floors: Mapping[str, int], raw: RawData
) -> None:
    """Refuse a limit under which some stratum would be left with fewer than it needs in some part."""
    least, told = 0, ""
    for name, found in strata.items():
        counts = np.bincount(found)
        present = counts[counts > 0]
        wanted = math.ceil(floors[name] * total / int(present.min()))
        if wanted > least:
            label = int(np.flatnonzero(counts == present.min())[0])
            called = f"class {raw.labels[label]!r}" if raw.target in ("classification", "ordinal") else "one stratum"
            kept = int(present.min()) * limit // total
            told = f"{called} would keep {kept} of its {present.min()} examples, and needs {floors[name]}"
            least = wanted
    if limit < least:
        raise InputError(f"limit {limit} is too small: {told}; need at least {min(least, total)}")


def _check_classes(raw: RawData, parts: Mapping[str, RawTargets], needed: int) -> None:
    """Refuse data from which four splits with every class in each cannot be made."""
    classes = len(raw.labels)
    if classes < 2:
        raise InputError(f"there {'is one class' if classes else 'are no examples'}; need at least 2 classes")
    counts = {name: np.bincount(y.astype(np.int64), minlength=classes) for name, y in parts.items()}
    for name, found in counts.items():
        missing = [raw.labels[k] for k in np.flatnonzero(found == 0)]
        if missing and len(parts) > 1:
            own = {"x": "train"}.get(name, name)
            other = next({"x": "train"}.get(each, each) for each in counts if each != name)
            raise InputError(
                f"class {_listed(missing)} is in the {other} part but missing from the {own} part: leave out its "
                "examples, or give them to each part"
            )
    few = np.flatnonzero(counts["x"] < needed)
    if len(few):
        many = classes > _MOST_STRATA and len(parts["x"]) < _MOST_STRATA * classes
        hint = "; `target: regression` if these are numbers to be told, not classes" if many else ""
        if "test" not in parts and counts["x"].min() == needed - 1:
            hint = f"; with a test part of your own {needed - 1} are enough"
        raise InputError(
            f"class {_listed([raw.labels[k] for k in few])} has {counts['x'][few[0]]} examples: every class needs at "
            f"least {needed}, one for each split; leave out such classes, or get more examples{hint}"
        )


def _check_enough(raw: RawData, parts: Mapping[str, RawTargets], needed: int) -> None:
    """Refuse numbers that are too few or all the same, and labels too rare for four splits."""
    y = parts["x"]
    if len(y) < 2 * needed:
        raise InputError(f"there are {len(y)} examples; need at least {2 * needed} for four splits")
    if raw.target == "regression":
        same = np.flatnonzero((y == y[0]).all(axis=0))
        if len(same):
            raise InputError(f"{raw.labels[same[0]]!r} is {y[0, same[0]]} in every example: nothing to tell apart")
        return
    for name, held in parts.items():
        least = needed if name == "x" else 1
        for index, label in enumerate(raw.labels):
            count = int(held[:, index].sum())
            if not least <= count <= len(held) - least:
                raise InputError(
                    f"label {label!r} is set in {count} of {len(held)} examples: every label needs to be set in at "
                    f"least {least} and unset in at least {least}; leave it out"
                )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _strata(raw: RawData, parts: Mapping[str, RawTargets], needed: int) -> dict[str, Numbers]:
    """By part, the number of each example's stratum."""
    if raw.target == "regression":
        return _bins({name: y[:, 0] for name, y in parts.items()}, needed)
    if raw.target == "multilabel":
        return _rarest(parts, needed)
    return {name: y.astype(np.int64, copy=False) for name, y in parts.items()}


def _bins(numbers: Mapping[str, NDArray[np.float64 | np.int64]], needed: int) -> dict[str, Numbers]:
    """Quantiles of the first number in the training part; fewer where ties make one too small."""
    own = numbers["x"]
    for count in range(min(_MOST_STRATA, max(1, len(own) // _STRATUM)), 0, -1):
        edges = np.unique(np.quantile(own, np.arange(1, count) / count))
        found = {name: np.searchsorted(edges, each, side="right").astype(np.int64) for name, each in numbers.items()}
        if np.bincount(found["x"], minlength=len(edges) + 1).min() >= max(needed, 2):
            return found
    return {name: np.zeros(len(each), dtype=np.int64) for name, each in numbers.items()}


def _rarest(parts: Mapping[str, RawTargets], needed: int) -> dict[str, Numbers]:
    """The rarest label of each example, 0 for none; strata that are too small join that of none."""
    counts = parts["x"].sum(axis=0)
    order = np.argsort(counts, kind="stable")
    found = {}
    for name, y in parts.items():
        held = y[:, order] > 0
        found[name] = np.where(held.any(axis=1), held.argmax(axis=1) + 1, 0).astype(np.int64)
    sizes = np.bincount(found["x"], minlength=len(order) + 1)
    kept = sizes >= needed
    renamed = np.where(kept, np.cumsum(kept) - 1 + (not kept[0]), 0).astype(np.int64)
    moved = {name: renamed[each] for name, each in found.items()}
    if 0 < np.bincount(moved["x"])[0] < needed:
        return {name: np.maximum(each - 1, 0) for name, each in moved.items()}
    return moved


def _grouped(
    groups: Numbers, strata: Mapping[str, Numbers], parts: Mapping[str, RawTargets], spec: TaskSpec
) -> dict[str, Rows]:
    """Whole groups, dealt out one by one to the split that is then nearest to its share of every stratum."""
    if spec.audit_from == "test":
        raise InputError("audit_from: test does not go with groups; leave it out")
    total, y = sum(map(len, parts.values())), strata["x"]
    keep = min(1.0, spec.limit / total) if spec.limit else 1.0
    names, index = np.unique(groups, return_inverse=True)
    order = generator(spec.split_seed, "groups").permutation(len(names))
    counts = np.zeros((len(names), int(y.max()) + 1))
    np.add.at(counts, (index, y), 1)
    sizes = counts.sum(axis=1)
    order = order[np.cumsum(sizes[order]) <= len(y) * keep] if keep < 1 else order
    order = order[np.argsort(-sizes[order], kind="stable")]
    open_ = [name for name in SPLITS if name not in parts]
    shares = _shares(open_)
    wanted = np.outer([shares[name] for name in open_], counts[order].sum(axis=0))
    held, chosen = np.zeros_like(wanted), np.full(len(names), -1)
    for group in order:
        after = held + np.eye(len(open_))[:, :, None] * counts[group]  # (split that gets it, split, stratum)
        error = (((after - wanted) / np.maximum(wanted, 1)) ** 2).sum(axis=(1, 2))
        best = int(error.argmin())
        held[best] += counts[group]
        chosen[group] = best
    short = np.argwhere((held < 1) & (counts.sum(axis=0) > 0))
    if len(short):
        raise InputError(
            f"{len(order)} groups cannot be dealt out so that every class, label or quantile is in each split: "
            f"{open_[int(short[0][0])]} lacks one; need more groups, or groups that are less alike"
        )
    found = {name: Rows(part="x", rows=np.flatnonzero(chosen[index] == place)) for place, name in enumerate(open_)}
    for name in parts:
        if name != "x":
            rng = generator(spec.split_seed, "split", name)
            rows = rng.permutation(len(parts[name]))[: max(1, int(len(parts[name]) * keep))]
            found[name] = Rows(part=name, rows=np.sort(rows))
    return {name: found[name] for name in SPLITS}


def _shares(names: Sequence[str]) -> dict[str, float]:
    """Of the training part, what each of these splits gets."""
    test = _TEST_SHARE if "test" in names else 0.0
    held = {name: (1 - test) * _HELD_OUT_SHARE for name in ("validation", "audit") if name in names}
    shares = {"test": test, **held}
    return {name: shares.get(name, 1 - sum(shares.values())) for name in names}
