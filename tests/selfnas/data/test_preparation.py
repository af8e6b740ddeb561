"""A preparation does to raw examples exactly what was done to a task's splits, and survives as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from selfnas.data.preparation import (
    AmplitudeStep,
    Column,
    ColumnStep,
    FillStep,
    LayoutStep,
    OneHotStep,
    PadStep,
    Preparation,
    ReorderStep,
    ResizeStep,
    ScaleStep,
    TurnStep,
)
from selfnas.data.targets import Target
from selfnas.data.tasks import SPLITS, Task, TaskSpec, load_task
from selfnas.errors import InputError, ShapeError

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
TARGET = Target.of_classes(3)
FORMS: dict[str, NDArray[Any]] = {
    "grey": RNG.integers(0, 255, (60, 6, 8), dtype=np.uint8),
    "colours last": RNG.random((60, 6, 8, 3)),
    "colours first": RNG.random((60, 3, 6, 8)).astype(np.float32),
    "series": RNG.random((60, 12)).cumsum(axis=1),
    "series of channels": RNG.random((60, 2, 12)).cumsum(axis=2),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "resize": {"resize": 5},
    "turned": {"transforms": [{"rotate": 180}, {"invert": True}, {"permute_pixels": 3}]},
    "fewer classes": {"transforms": [{"classes": [2, 0]}, {"permute_labels": 1}]},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("form", FORMS)
def test_raw_examples_become_the_splits(form: str, option: str, tmp_path: Path) -> None:
    """Every row of every split is the prepared form of one raw example, to the last bit, also after a trip to JSON."""
    raw = FORMS[form]
    kind = "series" if form.startswith("series") else "image"
    np.savez(tmp_path / "own.npz", x=raw, y=LABELS)
    task = load_task(TaskSpec(name="own", source="npz", path="own.npz", kind=kind, **OPTIONS[option]), base=tmp_path)
    kept = Preparation.from_json(task.preparation.to_json())
    assert kept == task.preparation
    assert (kept.raw, kept.dtype) == (raw.shape[1:], raw.dtype.name)
    prepared = {row.tobytes(): label for row, label in zip(kept.apply(raw), LABELS, strict=True)}
    for name in SPLITS:
        for row, number in zip(task.split(name).x, task.split(name).labels, strict=True):
            assert str(prepared[row.tobytes()]) == task.target.names[number]


def test_packaged_sources_are_prepared_from_their_own_form() -> None:
    """The digits of scikit-learn are `(n, 8, 8)`."""
    from sklearn.datasets import load_digits

    task = load_task(TaskSpec(name="d", source="digits"), base=Path())
    rows = {row.tobytes() for row in task.preparation.apply(load_digits().images)}
    assert all(row.tobytes() in rows for row in task.test.x)


def test_another_form_is_refused() -> None:
    """By its shape; a side of 0 may be any."""
    images = Preparation(inputs="image", raw=(0, 8), dtype="uint8", steps=(LayoutStep(axes="hw"),), target=TARGET)
    assert images.apply(np.zeros((2, 5, 8))).shape == (2, 1, 5, 8)
    for shape in ((2, 5, 7), (2, 8), (2, 1, 5, 8)):
        with pytest.raises(ShapeError, match="a raw example has shape"):
            images.apply(np.zeros(shape))


def test_steps_by_hand() -> None:
    """Each step on numbers that a reader can check."""
    x = np.array([[[1.0, 2.0, np.nan, 4.0], [5.0, np.nan, np.nan, 8.0]]], np.float32)
    assert ResizeStep(size=(2,)).apply(x).tolist() == [[[1.5, 4.0], [5.0, 8.0]]]
    filled = FillStep().apply(x)
    assert filled.tolist() == [[[1.0, 2.0, 0.0, 4.0], [5.0, 0.0, 0.0, 8.0], [1.0, 0.5, 0.0, 1.0]]]
    padded = PadStep(length=6).apply(x)
    assert padded.shape == (1, 2, 6)
    assert np.isnan(padded[..., 4:]).all()
    assert PadStep(length=2).apply(x).shape == (1, 2, 2)
    own = AmplitudeStep(channels=(0,), floor=(0.5,), unit=(2.0,)).apply(
        np.array([[[1, 3, np.nan, 5, 7]], [[2] * 5]], "f4")
    )
    root = np.sqrt(5.0)
    assert np.allclose(own[0, 0], [-3 / root, -1 / root, np.nan, 1 / root, 3 / root], equal_nan=True)
    assert np.allclose(own[0, 1:, 0], [np.arcsinh(2), np.log(root / 2)])
    assert np.isnan(own[0, :, 2]).all()
    assert np.allclose(own[1, :, 0], [0, np.arcsinh(1), np.log(0.25)])
    scaled = ScaleStep(center=(1.0, 0.0), scale=(2.0, -1.0)).apply(np.ones((1, 2, 4), np.float32))
    assert scaled[0, :, 0].tolist() == [0.0, -1.0]
    assert TurnStep(turns=1).apply(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)).tolist() == [[[[1, 3], [0, 2]]]]
    assert ReorderStep(order=(2, 0, 1)).apply(np.arange(3, dtype=np.float32).reshape(1, 1, 3)).tolist() == [[[2, 0, 1]]]
    tokens = OneHotStep(size=2).apply(np.array([[[1.0, 0.0, np.nan, 7.0]]], np.float32))
    assert tokens.tolist() == [[[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]]


AGE = Column(name="age", center=30.0, factor=0.1, missing=True)
CITY = Column(name="city", categories=("Bern", "Oslo", "Rome"), kept=(0, 2), missing=False)
TABLE = Preparation(
    inputs="table", raw=(2,), dtype="float64", steps=(ColumnStep(columns=(AGE, CITY)),), target=TARGET, units=("kg",)
)


def test_columns_by_hand() -> None:
    """Numbers are scaled and bent at their ends; categories, others and missing values have features of their own."""
    rows = TABLE.encode({"age": [60, None, "30"], "city": ["Rome", "Oslo", "Lima"]})
    assert rows[:, 1].tolist() == [2.0, 1.0, 3.0]
    found = TABLE.apply(rows)
    assert ColumnStep(columns=TABLE.columns).features == ("age", "age missing", "city=Bern", "city=Rome", "city=other")
    assert found.tolist() == [
        [pytest.approx(3 / 2**0.5), 0, 0, 1, 0],
        [0, 1, 0, 0, 1],
        [0, 0, 0, 0, 1],
    ]
    told = ColumnStep(columns=(replace(CITY, missing=True),))
    assert told.apply(np.array([[np.nan], [0.0]])).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert Preparation.from_json(TABLE.to_json()) == TABLE


def test_rows_that_are_none_of_the_table() -> None:
    """A missing column, and text where a number belongs."""
    with pytest.raises(InputError, match="need the columns age, city"):
        TABLE.encode({"age": [1]})
    with pytest.raises(InputError, match="column 'age' holds 'old' in row 0: need a number"):
        TABLE.encode({"age": ["old"], "city": ["Bern"]})


def test_json_of_something_else() -> None:
    """Told, not raised as whatever it broke."""
    good = TABLE.to_json()
    bad = [good.replace('"columns"', '"unknown"'), good.replace('"center": 30.0', '"center": "x"')]
    for text in ("", "[]", "{}", *bad):
        with pytest.raises(InputError, match="not a preparation"):
            Preparation.from_json(text)
    with pytest.raises(InputError, match="format 2: this release reads 1"):
        Preparation.from_json(good.replace('"format": 1', '"format": 2'))


def test_the_unit_of_the_numbers_does_not_matter(tmp_path: Path) -> None:
    """Waves in tesla, as magnetometers store them, are scaled like the same waves in any unit."""
    wave = np.sin(np.arange(32) / 5 * (1 + LABELS[:, None])) + 0.1 * RNG.standard_normal((60, 32))
    for name, unit in (("plain", 1.0), ("tesla", 1e-13), ("tiny", 1e-21), ("huge", 1e21)):
        np.savez(tmp_path / f"{name}.npz", x=wave * unit, y=LABELS)
        spec = TaskSpec(name=name, source="npz", path=f"{name}.npz", kind="series")
        assert load_task(spec, base=tmp_path).train.x.std() == pytest.approx(1, abs=1e-4)


def waves(tmp_path: Path, loudness: NDArray[np.float64], **keys: Any) -> Task:
    """Series of two frequencies, the class, each as loud as is said."""
    time = np.linspace(0, 1, 50)
    y = np.arange(len(loudness)) % 2
    x = loudness[:, None] * np.sin(2 * np.pi * np.where(y, 3, 7)[:, None] * time) + 5 * loudness[:, None]
    with (tmp_path / "waves.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, x=x[:, None], y=y)
    spec = TaskSpec(name="w", source="npz", path="waves.npz", kind="series", **keys)
    return load_task(spec, base=tmp_path)


def test_series_of_very_different_amplitudes_are_brought_to_their_own(tmp_path: Path) -> None:
    """Loud and quiet ones then look alike, and their amplitude is given beside; the line on the data tells it."""
    loudness = 10 ** np.random.default_rng(0).uniform(-3, 3, 80)
    task = waves(tmp_path, loudness)
    assert "by its own amplitude" in task.reading
    assert task.shape.channels == 3
    assert np.allclose(task.train.x[:, 0].std(axis=1), 1, atol=0.05)
    assert task.train.x[:, 2].std() > 0.9
    assert np.ptp(task.train.x[:, 1:], axis=2).max() == 0
    common = waves(tmp_path, loudness, amplitude="common")
    assert (common.shape.channels, common.train.x.shape[1]) == (1, 1)


def test_series_about_as_loud_as_each_other_stay_as_they_are(tmp_path: Path) -> None:
    """Unless the stream says otherwise."""
    alike = np.random.default_rng(0).uniform(1, 3, 80)
    assert waves(tmp_path, alike).shape.channels == 1
    assert waves(tmp_path, alike, amplitude="own").shape.channels == 3
