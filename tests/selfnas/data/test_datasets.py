"""What may come out of a data file, and how each bad file is refused."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from selfnas.data.datasets import Split, read_npz
from selfnas.data.sources.packaged import read_packaged
from selfnas.errors import InputError, ShapeError

DATA = Path(os.environ.get("SELFNAS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "tasks"
IMAGES = np.arange(12 * 5 * 6, dtype=np.uint8).reshape(12, 5, 6)
SQUARES = np.arange(12 * 6 * 6).reshape(12, 6, 6)
LABELS = np.arange(12) % 3


def saved(path: Path, **arrays: object) -> Path:
    """An `.npz` file of those arrays."""
    np.savez(path / "data.npz", allow_pickle=True, **{key: np.asarray(value) for key, value in arrays.items()})
    return path / "data.npz"


@pytest.mark.parametrize(
    ("x", "kind", "shape"),
    [
        (np.zeros((12, 5, 6), np.uint8), "image", (12, 1, 5, 6)),
        (np.zeros((12, 6, 6), np.float32), "image", (12, 1, 6, 6)),
        (np.zeros((12, 3, 25), np.float32), "series", (12, 3, 25)),
        (np.zeros((12, 25), np.float64), "series", (12, 1, 25)),
        (np.zeros((12, 5, 6, 3), np.uint8), "image", (12, 3, 5, 6)),
        (np.zeros((12, 3, 5, 6), np.float32), "image", (12, 3, 5, 6)),
    ],
)
def test_arrays_become_channels_first(tmp_path: Path, x: np.ndarray, kind: str, shape: tuple[int, ...]) -> None:
    """Each documented layout is recognised."""
    raw = read_npz(saved(tmp_path, x=x, y=LABELS))
    assert (raw.kind, raw.x.shape) == (kind, shape)


def test_kind_overrides_the_guess(tmp_path: Path) -> None:
    """Square float arrays are series when the person says so."""
    raw = read_npz(saved(tmp_path, x=np.zeros((12, 6, 6), np.float32), y=LABELS), kind="series")
    assert (raw.kind, raw.x.shape) == ("series", (12, 6, 6))


def test_channels_last_keeps_pixels(tmp_path: Path) -> None:
    """The red value of a pixel stays the red value of that pixel."""
    x = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 3), dtype=np.uint8)
    raw = read_npz(saved(tmp_path, x=x, y=LABELS))
    assert raw.x[3, 0, 2, 4] == x[3, 2, 4, 0]


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (np.where(LABELS == 0, 7, np.where(LABELS == 1, -2, 40)), ("-2", "7", "40")),
        (np.where(LABELS == 0, "cat", np.where(LABELS == 1, "ant", "dog")), ("ant", "cat", "dog")),
        (LABELS.astype(float), ("0", "1", "2")),
        (LABELS[:, None], ("0", "1", "2")),
        (LABELS == 1, ("False", "True")),
    ],
)
def test_labels_are_numbered_in_sorted_order(tmp_path: Path, y: np.ndarray, names: tuple[str, ...]) -> None:
    """Numbers with gaps, strings, whole floats and booleans become 0..k-1."""
    raw = read_npz(saved(tmp_path, x=IMAGES, y=y))
    assert raw.labels == names
    assert [names[k] for k in raw.y] == [str(v) if y.dtype.kind != "f" else str(int(v)) for v in y.reshape(-1)]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": IMAGES}, "needs the keys x, y or x_train, y_train, x_test, y_test; it has x"),
        ({"x_train": IMAGES, "y_train": LABELS}, "it has x_train, y_train"),
        ({"x": IMAGES, "y": LABELS[:5]}, r"x has 12 examples, so y must have shape \(12,\), not \(5,\)"),
        ({"x": IMAGES, "y": np.eye(12)}, r"one-hot classes, `target: multilabel` as labels"),
        ({"x": IMAGES, "y": LABELS + 0.5}, "y holds 0.5: labels are whole numbers or strings"),
        ({"x": IMAGES, "y": LABELS.astype(complex)}, "labels are whole numbers or strings"),
        ({"x": IMAGES, "y": np.full(12, np.nan)}, "y holds nan: labels"),
        ({"x": IMAGES.astype("U3"), "y": LABELS}, "x holds <U3: need integers or floats"),
        ({"x": IMAGES[:, :2], "y": LABELS}, r"x has shape \(12, 2, 6\): image data are .* sides of at least 4"),
        ({"x": np.zeros((12, 5, 6, 2)), "y": LABELS}, r"x has shape \(12, 5, 6, 2\)"),
        ({"x": np.zeros(12), "y": LABELS}, r"x has shape \(12,\): series data are"),
        (
            {"x": np.where(SQUARES == 220, np.nan, 1.0), "y": LABELS},
            "1 values that are not finite, .* in example 6; only",
        ),
        ({"x": np.full((12, 5, 6), 1e300), "y": LABELS}, "not finite"),
        ({"x": np.array([None] * 12), "y": LABELS}, "x holds pickled Python objects, which are never read"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
            r"examples of shape \(1, 5, 6\), x_test of \(1, 4, 6\)",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS.astype(str)},
            "both hold numbers or both hold strings",
        ),
    ],
)
def test_bad_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    """The message says what is wrong and what would be right."""
    with pytest.raises(InputError, match=message):
        read_npz(saved(tmp_path, **arrays))


def test_missing_directory_and_damaged_files_are_refused(tmp_path: Path) -> None:
    """Nothing, a directory, text and a cut-off archive each get their own sentence."""
    with pytest.raises(InputError, match=r"no such file: .*none.npz"):
        read_npz(tmp_path / "none.npz")
    with pytest.raises(InputError, match="not a file"):
        read_npz(tmp_path)
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(InputError, match=r"is not an \.npz file or is damaged"):
        read_npz(tmp_path / "text.npz")
    whole = saved(tmp_path, x=IMAGES, y=LABELS).read_bytes()
    (tmp_path / "flipped.npz").write_bytes(whole.replace(IMAGES.tobytes()[:40], bytes(40)))
    with pytest.raises(InputError, match="damaged"):
        read_npz(tmp_path / "flipped.npz")


def header(shape: str, descr: str = "|u1") -> bytes:
    """The start of a `.npy` member that declares any shape."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (header("(1000000000000, 8, 8)"), "x declares shape .1000000000000, 8, 8. of uint8, but holds"),
        (header("(-12, 5, 6)") + bytes(360), "x declares shape"),
        (header("(2, 5, 6)") + bytes(360), "x declares shape"),
        (header("(12, 5, 6)", "|O") + bytes(360), "pickled"),
        (b"garbage", "cannot be read"),
        (header("(__import__('os').getpid(),)"), "cannot be read"),
    ],
)
def test_headers_are_judged_before_memory_is_given(tmp_path: Path, member: bytes, message: str) -> None:
    """A header cannot make the reader allocate what the file does not hold."""
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("x.npy", member)
        archive.writestr("y.npy", labels.getvalue())
    with pytest.raises(InputError, match=message):
        read_npz(tmp_path / "bad.npz")


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    """Two gigabytes of zeros in two megabytes are not unpacked."""
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as stream:
            stream.write(header("(25165824, 8, 8)"))
            for _ in range(1536):
                stream.write(bytes(2**20))
        archive.writestr("y.npy", header("(0,)"))
    with pytest.raises(InputError, match="would need 6,442,450,944 bytes of memory: at most 1,073,741,824"):
        read_npz(tmp_path / "bomb.npz")


def test_many_members_are_refused(tmp_path: Path) -> None:
    """An archive of a thousand members is not a data set."""
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(1000):
            archive.writestr(f"k{number}.npy", b"")
    with pytest.raises(InputError, match="1000 members: at most 64"):
        read_npz(tmp_path / "many.npz")


@pytest.mark.parametrize(
    ("source", "shape", "test"), [("digits", (1797, 1, 8, 8), 0), ("mnist5k", (5000, 1, 28, 28), 0)]
)
def test_packaged_images(source: str, shape: tuple[int, ...], test: int) -> None:
    """The packaged sources have their published sizes and ten classes."""
    raw = read_packaged(source)
    assert raw.x.shape == shape
    assert set(raw.y.tolist()) == set(range(10))
    assert raw.test is None


def test_mnist1d_leaves_global_randomness_alone() -> None:
    """The generator of MNIST-1D seeds global states; they are given back."""
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = (random.random(), np.random.random())  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    raw = read_packaged("mnist1d")
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    assert raw.x.shape == (4000, 1, 40)
    assert raw.test is not None
    assert len(raw.test[1]) == 1000


def test_digits_equal_scikit_learn() -> None:
    """Reading the file directly gives what the package's own loader gives."""
    from sklearn.datasets import load_digits

    raw, theirs = read_packaged("digits"), load_digits()
    assert (raw.x[:, 0] == theirs.images).all()
    assert (raw.y == theirs.target).all()


def test_split_checks_its_arrays() -> None:
    """Labels that do not belong to the inputs, and other types, are refused."""
    with pytest.raises(ShapeError, match="need x"):
        Split(x=np.zeros((3, 1, 8), np.float32), y=np.zeros(2, np.int64))
    with pytest.raises(ShapeError, match="not float64"):
        Split(x=np.zeros((3, 1, 8)), y=np.zeros(3, np.int64))  # type: ignore[arg-type]


@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real data")
def test_real_files_are_read() -> None:
    """Every file of the data folder has ten or fewer classes and a known kind."""
    for path in sorted(DATA.glob("*.npz")):
        raw = read_npz(path)
        assert raw.kind == ("series" if path.name.startswith("ts_") else "image")
        assert len(raw.x) == len(raw.y)
