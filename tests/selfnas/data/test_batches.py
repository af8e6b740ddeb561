"""Examples kept for a search: read back as they were written, or not at all; files of people named in every message."""

from pathlib import Path

import numpy as np
import pytest

from selfnas.data.batches import load_batches, read_examples, write_examples
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError

X = np.random.default_rng(0).integers(0, 17, size=(12, 1, 8, 8), dtype=np.uint8)
LABELS = np.array([str(number % 3) for number in range(12)], dtype=np.str_)


@pytest.mark.parametrize("kind", ["image", "series"])
def test_examples_come_back_as_they_were(kind: str, tmp_path: Path) -> None:
    """Values and labels, for images and series."""
    x = X if kind == "image" else X.reshape(12, 2, 32)
    name = write_examples(tmp_path, x, LABELS, kind=kind)
    again, labels = read_examples(tmp_path / name, kind=kind)  # type: ignore[arg-type]
    assert np.array_equal(again, x)
    assert np.array_equal(labels, LABELS)


def test_examples_that_are_not_what_their_name_says_are_refused(tmp_path: Path) -> None:
    """Others under the same name, a file cut short, and none."""
    name = write_examples(tmp_path, X, LABELS, kind="image")
    np.savez(tmp_path / "other.npz", x=X[:, 0, ::-1], y=LABELS.astype(np.int64))
    (tmp_path / "other.npz").replace(tmp_path / name)
    with pytest.raises(InputError, match="its examples were changed"):
        read_examples(tmp_path / name, kind="image")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:300])
    with pytest.raises(InputError, match=name):
        read_examples(tmp_path / name, kind="image")
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=name):
        read_examples(tmp_path / name, kind="image")


BROKEN = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "text": lambda path: path.write_text("x, y"),
    "no labels": lambda path: np.savez(path, x=X[:, 0]),
    "fewer labels": lambda path: np.savez(path, x=X[:, 0], y=np.arange(3)),
    "not finite": lambda path: np.savez(path, x=np.full((3, 8, 8), np.nan), y=np.arange(3)),
    "objects": lambda path: np.savez(path, x=np.array([{}] * 3), y=np.arange(3), allow_pickle=True),
    "another shape": lambda path: np.savez(path, x=np.zeros((3, 9, 9), np.uint8), y=np.arange(3)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_named(how: str, tmp_path: Path) -> None:
    """By its path, whatever is wrong with it."""
    path = tmp_path / "new.npz"
    np.savez(path, x=X[:, 0], y=np.arange(12))
    BROKEN[how](path)
    with pytest.raises(InputError) as caught:
        load_batches(TaskSpec(name="digits", source="digits"), [path], base=tmp_path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1", "2"],
        ["01", "02", "03"],
        ["-0", "1", "2"],
        ["٣", "٤", "٥"],
        ["--1", "2", "3"],
        ["99999999999999999999", "1", "2"],
        ["1_0", "2", "3"],
        [" 1", "2", "3"],
    ],
)
def test_names_of_classes_come_back_as_they_were_written(names: list[str], tmp_path: Path) -> None:
    """Numbers are stored as numbers only where that loses nothing; any number of channels, in any place."""
    rng = np.random.default_rng(0)
    for kind, shape in (
        ("image", (3, 1, 8, 8)),
        ("image", (3, 5, 8, 6)),
        ("image", (3, 3, 8, 8)),
        ("series", (3, 9, 4)),
    ):
        x = rng.random(shape)
        file = tmp_path / write_examples(tmp_path, x, np.array(names, dtype=np.str_), kind=kind)
        back, labels = read_examples(file, kind=kind)  # type: ignore[arg-type]
        assert labels.tolist() == names
        assert np.array_equal(back, x)


def test_other_than_classes_are_not_watched(tmp_path: Path) -> None:
    """New data are compared by their classes."""
    np.savez(tmp_path / "n.npz", x=np.random.default_rng(0).random((40, 8, 8)), y=np.arange(40.0) / 3)
    spec = TaskSpec.model_validate({"name": "n", "source": "npz", "path": "n.npz", "target": "regression"})
    with pytest.raises(InputError, match="new data are compared by classes of images or series alone"):
        load_batches(spec, [tmp_path / "n.npz"], base=tmp_path)
