"""Targets: how many outputs, what a `y` must be, and the way back to the source's units."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.data.targets import Target
from selfnas.errors import InputError, ShapeError

PRICE = Target(kind="regression", names=("price",), center=(10.0,), scale=(2.0,))
SPREAD = Target(kind="regression", names=("price",), center=(10.0,), scale=(2.0,), quantiles=(0.1, 0.5, 0.9))
TAGS = Target(kind="multilabel", names=("sea", "sky"))
STARS = Target(kind="ordinal", names=("1", "2", "3", "4"))


@pytest.mark.parametrize(
    ("target", "outputs"), [(Target.of_classes(5), 5), (PRICE, 1), (SPREAD, 3), (TAGS, 2), (STARS, 3)]
)
def test_outputs(target: Target, outputs: int) -> None:
    """A logit for each class or label, a threshold fewer than ordered classes, a number for each quantile."""
    assert target.outputs == outputs
    assert Target.from_json(target.to_json()) == target


@pytest.mark.parametrize(
    ("target", "y"),
    [
        (STARS, np.array([0, 4])),
        (STARS, np.array([[0.0], [1.0]], np.float32)),
        (TAGS, np.array([[0, 1], [1, 2]], np.float32)),
        (TAGS, np.array([[0, 1]], np.int64)),
        (PRICE, np.array([0.5], np.float32)),
        (PRICE, np.array([[np.nan]], np.float32)),
        (PRICE, np.zeros((0, 1), np.float32)),
    ],
)
def test_y_of_another_form_is_refused(target: Target, y: np.ndarray) -> None:
    """By type, shape and range of the kind, never by a guess."""
    with pytest.raises(ShapeError):
        target.check(y, "train")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "classification", "names": ("a",)},
        {"kind": "ordinal", "names": ("a", "a")},
        {"kind": "regression", "names": ("a",)},
        {"kind": "regression", "names": ("a",), "center": (0.0,), "scale": (0.0,)},
        {"kind": "classification", "names": ("a", "b"), "quantiles": (0.5,)},
        {"kind": "regression", "names": ("a",), "center": (0.0,), "scale": (1.0,), "quantiles": (0.9, 0.1)},
        {"kind": "regression", "names": ("a",), "center": (0.0,), "scale": (1.0,), "quantiles": (0.0,)},
    ],
)
def test_fields_that_do_not_belong_together(fields: dict[str, object]) -> None:
    """One class, a name twice, a regression without its scale, quantiles of classes."""
    with pytest.raises(ShapeError):
        Target(**fields)  # type: ignore[arg-type]


def test_numbers_in_the_units_of_the_source() -> None:
    """Standardised numbers back, exactly."""
    assert PRICE.original(np.array([[-1.0], [0.0], [2.5]], np.float32)).tolist() == [[8.0], [10.0], [15.0]]
    assert SPREAD.original(np.array([[-1.0, 0.0, 1.0]], np.float32)).tolist() == [[8.0, 10.0, 12.0]]


def test_json_of_something_else() -> None:
    """Told, not raised as whatever it broke."""
    for text in ("", "[]", "{}", '{"kind": "regression", "names": ["a"], "quantiles": [], "center": [], "scale": []}'):
        with pytest.raises(InputError, match="not a target"):
            Target.from_json(text)
