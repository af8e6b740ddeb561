"""`Task.from_arrays` gives the task that the same arrays give as an `.npz` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from selfnas import InputError, Task, TaskSpec, load_task
from selfnas.data.tasks import SPLITS

RNG = np.random.default_rng(0)
IMAGES: NDArray[Any] = RNG.integers(0, 255, size=(120, 8, 8)).astype(np.uint8)
SERIES: NDArray[Any] = RNG.normal(size=(120, 2, 16))
LABELS: NDArray[Any] = np.arange(120) % 3

CASES: dict[str, tuple[dict[str, NDArray[Any]], dict[str, Any]]] = {
    "images": ({"x": IMAGES, "y": LABELS}, {}),
    "series": ({"x": SERIES, "y": LABELS}, {"kind": "series"}),
    "names of classes": ({"x": IMAGES, "y": np.array(["a", "b", "c"])[LABELS]}, {}),
    "colours last": ({"x": RNG.normal(size=(60, 6, 6, 3)), "y": LABELS[:60]}, {}),
    "a test part": ({"x_train": IMAGES[:80], "y_train": LABELS[:80], "x_test": IMAGES[80:], "y_test": LABELS[80:]}, {}),
    "options": ({"x": IMAGES, "y": LABELS}, {"limit": 90, "resize": 5, "split_seed": 3}),
}


def from_arrays(arrays: dict[str, NDArray[Any]], options: dict[str, Any]) -> Task:
    """By the keys of a file."""
    if "x" in arrays:
        return Task.from_arrays(arrays["x"], arrays["y"], name="own", **options)
    test = (arrays["x_test"], arrays["y_test"])
    return Task.from_arrays(arrays["x_train"], arrays["y_train"], name="own", test=test, **options)


@pytest.mark.parametrize("case", CASES)
def test_arrays_and_their_file_are_one_task(case: str, tmp_path: Path) -> None:
    """Splits, scaling, shape and digest are the same, number for number."""
    arrays, options = CASES[case]
    np.savez(tmp_path / "own.npz", **arrays)  # type: ignore[arg-type]
    read = load_task(TaskSpec(name="own", source="npz", path="own.npz", **options), base=tmp_path)
    made = from_arrays(arrays, options)
    assert (made.digest, made.shape, made.name) == (read.digest, read.shape, read.name)
    for name in SPLITS:
        np.testing.assert_array_equal(made.split(name).x, read.split(name).x)
        np.testing.assert_array_equal(made.split(name).y, read.split(name).y)


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_read_as_the_same_task(case: str, tmp_path: Path) -> None:
    """A task of arrays says how a stream states it, and writes the file that this names."""
    made = from_arrays(*CASES[case])
    assert made.own is not None
    made.own.arrays.write(tmp_path / str(made.own.spec.path))
    assert load_task(made.own.spec, base=tmp_path).digest == made.digest


def test_lists_are_arrays() -> None:
    """Nested lists are taken like arrays."""
    assert Task.from_arrays(IMAGES.tolist(), LABELS.tolist(), name="own", kind="image").shape.classes == 3


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (IMAGES, LABELS[:7], {}, r"x has 120 examples, so y must have shape \(120,\), not \(7,\)"),
        (IMAGES, np.zeros(120), {}, "task 'own': there is one class; need at least 2 classes"),
        (IMAGES[:, :2, :2], LABELS, {}, r"sides of at least 4"),
        (np.array([[None] * 8] * 120), LABELS, {}, "x holds Python objects: need an array of numbers or strings"),
        (np.full((120, 8, 8), np.nan), LABELS, {}, "x has 7680 values that are not finite"),
        (IMAGES, LABELS, {"limit": 3}, "limit: need at least 8, not 3"),
        (IMAGES, LABELS, {"resize": 9}, "resize: cannot make 9 out of a side of 8"),
        (IMAGES, LABELS, {"name": "my task"}, "a task's name has 1 to 64 letters, digits, - and _"),
    ],
)
def test_what_cannot_be_used_is_told(x: NDArray[Any], y: NDArray[Any], options: dict[str, Any], message: str) -> None:
    """By the errors that a file would give, which are input errors and value errors."""
    with pytest.raises(InputError, match=message) as told:
        Task.from_arrays(x, y, **{"name": "own", **options})
    assert isinstance(told.value, ValueError)


def test_the_digest_of_arrays_is_of_their_content() -> None:
    """Equal arrays give equal file names; another type, shape or number gives another."""

    def path(x: NDArray[Any]) -> str:
        own = Task.from_arrays(x, LABELS, name="own").own
        return str(own.spec.path) if own else ""

    assert path(IMAGES) == path(IMAGES.copy())
    changed = IMAGES.copy()
    changed[0, 0, 0] ^= 1
    assert len({path(IMAGES), path(changed), path(IMAGES.astype(np.float64)), path(IMAGES[:, ::-1])}) == 4
