"""Each transformation does what its name says, to all splits alike."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from selfnas.data.datasets import Split
from selfnas.data.transforms import Nuisance, Splits, TransformSpec, transform
from selfnas.errors import InputError


def splits(size: tuple[int, ...] = (5, 6), *, classes: int = 4, count: int = 400) -> Splits:
    """Random inputs with balanced labels."""
    rng = np.random.default_rng(0)
    return Splits(
        parts={
            name: Split(x=rng.standard_normal((count, 2, *size)).astype(np.float32), y=np.arange(count) % classes)
            for name in ("train", "validation", "audit", "test")
        },
        classes=classes,
    )


def spec(**keys: object) -> TransformSpec:
    """A checked transformation."""
    return TransformSpec.model_validate(keys)


def test_four_quarter_turns_change_nothing() -> None:
    """90 + 270 and 180 + 180 are the identity, also for regions."""
    data = splits()
    marked = Splits(parts=data.parts, classes=4, nuisances=(Nuisance(name="n", region=((0, 2), (3, 6))),))
    for first, second in ((90, 270), (180, 180)):
        back = transform(transform(marked, spec(rotate=first), seed=0), spec(rotate=second), seed=0)
        assert np.array_equal(back.parts["audit"].x, data.parts["audit"].x)
        assert back.nuisances == marked.nuisances


@pytest.mark.parametrize("angle", [90, 180, 270])
@pytest.mark.parametrize("size", [(5, 6), (7,)])
def test_regions_turn_with_the_image(angle: int, size: tuple[int, ...]) -> None:
    """What stood in the region before stands in the turned region after."""
    if len(size) == 1 and angle != 180:
        with pytest.raises(InputError, match="can only be rotated by 180"):
            transform(splits(size), spec(rotate=angle), seed=0)
        return
    data = splits(size)
    nuisance = Nuisance(name="n", region=((0, 2), (3, 6))[: len(size)])
    before = data.parts["train"].x[(slice(None), slice(None), *nuisance.index())]
    turned = transform(Splits(parts=data.parts, classes=4, nuisances=(nuisance,)), spec(rotate=angle), seed=0)
    after = turned.parts["train"].x[(slice(None), slice(None), *turned.nuisances[0].index())]
    assert np.array_equal(np.sort(before.reshape(400, -1)), np.sort(after.reshape(400, -1)))


def test_permuted_labels_are_a_renaming() -> None:
    """The same permutation in every split; the inputs stay."""
    data = splits()
    renamed = transform(data, spec(permute_labels=5), seed=0)
    pairs = {(a, b) for n in data.parts for a, b in zip(data.parts[n].y, renamed.parts[n].y, strict=True)}
    assert len(pairs) == 4
    assert len({b for _, b in pairs}) == 4
    assert np.array_equal(renamed.parts["test"].x, data.parts["test"].x)


def test_class_subset_is_renumbered_in_the_given_order() -> None:
    """Class 3 becomes 0 and class 1 becomes 1; the rest is gone."""
    data = splits()
    kept = transform(data, spec(classes=[3, 1]), seed=0)
    assert kept.classes == 2
    assert np.array_equal(kept.parts["train"].x[kept.parts["train"].y == 0], data.parts["train"].x[3::4])


@pytest.mark.parametrize(("classes", "message"), [([0, 4], "no class 4, only 0..3"), ([1, 1], "each class once")])
def test_impossible_class_subsets_are_refused(classes: list[int], message: str) -> None:
    """Unknown and repeated classes are named."""
    with pytest.raises(InputError, match=message):
        transform(splits(), spec(classes=classes), seed=0)


def test_noise_has_the_stated_size_and_differs_between_splits() -> None:
    """Its standard deviation is sigma; the same seed gives the same noise."""
    data = splits()
    noisy = transform(data, spec(noise=0.5), seed=1)
    added = {name: noisy.parts[name].x - data.parts[name].x for name in data.parts}
    assert abs(added["train"].std() - 0.5) < 0.02
    assert abs(np.corrcoef(added["train"].ravel(), added["test"].ravel())[0, 1]) < 0.05
    assert np.array_equal(noisy.parts["train"].x, transform(data, spec(noise=0.5), seed=1).parts["train"].x)


def test_inverting_twice_changes_nothing() -> None:
    """Dark becomes bright and back."""
    data = splits()
    once = transform(data, spec(invert=True), seed=0)
    assert np.array_equal(once.parts["train"].x, -data.parts["train"].x)


def test_permuted_pixels_move_alike_in_every_example() -> None:
    """A constant image of one marked pixel keeps one marked pixel, at one place."""
    data = splits()
    for part in data.parts.values():
        part.x[:] = 0
        part.x[:, :, 2, 3] = 1
    moved = transform(data, spec(permute_pixels=3), seed=0).parts["train"].x
    assert (moved == moved[0, 0]).all()
    assert moved[0, 0].sum() == 1


def test_planted_patch_agrees_with_the_label_as_often_as_stated() -> None:
    """Share p shows the own class's pattern, the rest a random one; other splits are unrelated unless stated."""
    data = splits(count=4000)
    planted = transform(
        data, spec(nuisance={"name": "tag", "region": [[0, 2], [1, 4]], "correlation": 0.9, "audit": 0.5}), seed=0
    )
    (nuisance,) = planted.nuisances
    agreement = {}
    patches = planted.parts["train"].x[(slice(None), slice(None), *nuisance.index())]
    assert set(np.abs(patches).ravel()) == {3.0}
    # The commonest patch of each class in train is its own.
    code = [tuple(p.ravel()) for p in patches]
    own = {
        k: max(set(ones := [c for c, y in zip(code, np.arange(4000) % 4, strict=True) if y == k]), key=ones.count)
        for k in range(4)
    }
    for name, part in planted.parts.items():
        shown = part.x[(slice(None), slice(None), *nuisance.index())]
        agreement[name] = np.mean([tuple(p.ravel()) == own[int(y)] for p, y in zip(shown, part.y, strict=True)])
    assert agreement["train"] == pytest.approx(0.9 + 0.1 / 4, abs=0.02)
    assert agreement["audit"] == pytest.approx(0.5 + 0.5 / 4, abs=0.03)
    assert agreement["test"] == pytest.approx(0.25, abs=0.03)
    outside = np.ones((5, 6), bool)
    outside[nuisance.index()] = False
    assert np.array_equal(planted.parts["train"].x[..., outside], data.parts["train"].x[..., outside])


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ([[0, 2]], "a region of 1 dimensions, the input has 2"),
        ([[0, 2], [3, 7]], r"\[3, 7\] does not fit a side of 6: need 0 <= start < stop <= 6"),
        ([[2, 2], [3, 4]], r"\[2, 2\] does not fit a side of 5"),
        ([[0, 1], [0, 1]], "a region of 1 cells cannot tell 4 classes apart: need at least 2"),
    ],
)
def test_impossible_regions_are_refused(region: list[list[int]], message: str) -> None:
    """The message gives the bounds."""
    with pytest.raises(InputError, match=message):
        transform(splits(), spec(nuisance={"name": "tag", "region": region, "correlation": 1}), seed=0)


def test_a_region_is_not_torn_apart_or_planted_twice() -> None:
    """Permuting pixels after planting, and a second patch of one name, are refused."""
    tag = spec(nuisance={"name": "tag", "region": [[0, 2], [0, 2]], "correlation": 1})
    planted = transform(splits(), tag, seed=0)
    with pytest.raises(InputError, match="put it before the nuisance"):
        transform(planted, spec(permute_pixels=0), seed=0)
    with pytest.raises(InputError, match="planted twice"):
        transform(planted, tag, seed=0)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"rotate": 90, "invert": True},
        {"rotate": 45},
        {"noise": -1},
        {"noise": float("inf")},
        {"invert": False},
        {"classes": [1]},
        {"rotate": None},
        {"nuisance": {"name": "n", "region": [[0, 1, 2]], "correlation": 0.5}},
        {"nuisance": {"name": "n", "region": [[0, 1]], "correlation": 1.5}},
        {"shear": 3},
    ],
)
def test_malformed_transformations_are_refused(keys: dict[str, object]) -> None:
    """One known key with a possible value."""
    with pytest.raises(ValidationError):
        spec(**keys)
