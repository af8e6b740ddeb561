"""NATS-Bench's official topology directory to the compact table that `selfnas.tables.tabular` reads.

The directory (`NATS-tss-v1_0-…-simple`) has one bzip2-compressed pickle for each cell, `000000.pickle.pbz2` to
`015624.pickle.pbz2`. Each holds, by number of epochs (`12`, `200`), `arch_str` and `all_results`: by (data set, seed),
`epochs` and `eval_acc1es`, accuracies in per cent by `set@epoch`. Pickles are read as data
(`selfnas.tables.plain_pickle`) and never unpickled. Directories of the size space (`NATS-sss`) are refused: their cells
are no topologies.

Source: Dong, Liu, Musial, Gabrys 2021 (TPAMI), and the authors' `nats_bench` package.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np

from selfnas.errors import InputError, cause
from selfnas.files import write_whole
from selfnas.tables.plain_pickle import read_plain

__all__ = ["COLUMNS", "cell_row", "convert_nats"]

_EDGES = ("e12", "e13", "e23", "e14", "e24", "e34")
# Column: epochs, data set, evaluation set. CIFAR-10's test accuracy is of training on training and validation images.
COLUMNS = {
    "c10_valid200_mean": ("200", "cifar10-valid", "x-valid"),
    "c10_test200_mean": ("200", "cifar10", "ori-test"),
    "c100_valid200_naslib": ("200", "cifar100", "x-valid"),
    "c100_test200_mean": ("200", "cifar100", "x-test"),
    "in16_valid200_naslib": ("200", "ImageNet16-120", "x-valid"),
    "in16_test200_mean": ("200", "ImageNet16-120", "x-test"),
    "c10_valid12": ("12", "cifar10-valid", "x-valid"),
    "c10_test12": ("12", "cifar10", "ori-test"),
    "c100_valid12": ("12", "cifar100", "x-valid"),
    "c100_test12": ("12", "cifar100", "x-test"),
    "in16_valid12": ("12", "ImageNet16-120", "x-valid"),
    "in16_test12": ("12", "ImageNet16-120", "x-test"),
}
_FILE = re.compile(r"(\d{6})\.pickle\.pbz2")
_CELL = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")
_MOST_BYTES = 64_000_000  # of one file, expanded; official ones hold well under a million numbers


def convert_nats(directory: Path, out: Path, *, on_cell: Callable[[int], None] = lambda done: None) -> int:
    """Write the table of a directory; the number of cells.

    Args:
        directory: official or in its form.
        out: a `.csv.gz`, written whole or not at all.
        on_cell: told how many are done.

    Raises:
        InputError: no such directory, none of its files, or a file that is not of this form.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["idx", "arch", *_EDGES, *COLUMNS])
    count = 0
    for index, path in _files(directory):
        cell, values = cell_row(read_plain(_expanded(path), name=str(path)), name=str(path))
        edges = cast("re.Match[str]", _CELL.fullmatch(cell)).groups()
        writer.writerow([index, cell, *edges, *(f"{values[column]:.6g}" for column in COLUMNS)])
        count += 1
        on_cell(count)
    write_whole(out, gzip.compress(text.getvalue().encode(), mtime=0))
    return count


def cell_row(record: object, *, name: str) -> tuple[str, dict[str, float]]:
    """The official string of one cell and its accuracies in per cent by column, means over seeds after the last epoch.

    Raises:
        InputError: the record is not of the documented form, or lacks a column.
    """
    cells: set[str] = set()
    values = {}
    for column, (epochs, data, subset) in COLUMNS.items():
        try:
            results = cast(Mapping[str, Mapping[str, object]], record)[epochs]
            cells.add(str(results["arch_str"]))
            runs = cast(Mapping[tuple[str, int], Mapping[str, object]], results["all_results"])
            found = [
                float(cast(Mapping[str, float], run["eval_acc1es"])[f"{subset}@{int(cast(int, run['epochs'])) - 1}"])
                for (where, _), run in runs.items()
                if where == data
            ]
        except (KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise InputError(f"{name}: has no {subset} of {data} after {epochs} epochs: {what}") from error
        if not found or not all(np.isfinite(value) and 0 <= value <= 100 for value in found):
            raise InputError(f"{name}: {subset} of {data} after {epochs} epochs is {found}, not accuracies in per cent")
        values[column] = float(np.mean(found))
    if len(cells) > 1 or not all(map(_CELL.fullmatch, cells)):
        raise InputError(f"{name}: {', '.join(sorted(cells))[:160]!r} is not one cell of the topology space")
    return cells.pop(), values


def _files(directory: Path) -> Iterator[tuple[int, Path]]:
    try:
        every = sorted(directory.iterdir())
    except OSError as error:
        raise InputError(f"{directory}: cannot be read: {cause(error)}") from error
    found = [(int(match[1]), path) for path in every if (match := _FILE.fullmatch(path.name))]
    if not found:
        raise InputError(f"{directory}: has no files such as 000000.pickle.pbz2")
    yield from found


def _expanded(path: Path) -> bytes:
    try:
        expander = bz2.BZ2Decompressor()
        content = expander.decompress(path.read_bytes(), max_length=_MOST_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be expanded: {error}") from error
    if not expander.eof:
        raise InputError(f"{path}: cut off, or larger than {_MOST_BYTES:,} bytes")
    return content
