"""Benchmarks as tables: every architecture of a space with what training it gave, so that a search costs milliseconds.

Reads the compact files of NAS-Bench-201 and TransNAS-Bench-101 micro; none of them is part of this project. Where none
is at hand, `synthetic_benchmark` makes a table that has a table's shape and claims nothing about real networks.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfnas.data.datasets import read_arrays
from selfnas.errors import ArchitectureError, InputError, cause, suggestion
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro, Space
from selfnas.spaces.named import SPACES
from selfnas.spaces.template import Vector
from selfnas.training.evaluation import Evaluation, OnDone, Request, unheard

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MADE_UP",
    "TabularBenchmark",
    "TabularEvaluator",
    "benchmark_of",
    "read_benchmark",
    "synthetic_benchmark",
    "table_digest",
]

Column = NDArray[np.float64]

# Tasks that a stream can name without a table.
MADE_UP = ("a", "b", "c", *(f"checkered-{letter}" for letter in "abcdef"))
_MAX_BYTES = 100_000_000
_CHECKERED = "checkered"
_NB201_TASKS = {"cifar10": "c10", "cifar100": "c100", "imagenet16": "in16"}
_NB201_EDGES = ("e12", "e13", "e23", "e14", "e24", "e34")  # in the order of the space's slots
_NB201_CODES = {"none": 0, "skip_connect": 1, "nor_conv_1x1": 2, "nor_conv_3x3": 3, "avg_pool_3x3": 4}
_TRANSNAS_EDGES = ("e01", "e02", "e12", "e03", "e13", "e23")
# Task: what its values are divided by; percentages become shares, losses and similarities stay.
_TRANSNAS_TASKS = {
    "class_scene": 100.0,
    "class_object": 100.0,
    "room_layout": 1.0,
    "jigsaw": 100.0,
    "segmentsemantic": 100.0,
    "normal": 1.0,
    "autoencoder": 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TabularBenchmark:
    """A table over all architectures of a space.

    Attributes:
        name: which table; names beginning with `synthetic` are not measurements.
        columns: by task and column name, `(count,)` values in the order of `space.enumerate()`. Every task has
            `validation` and `test` (full training, higher is better); some have `validation_low` and `test_low` (12
            epochs), `params`, `macs`, and latencies and energies with the device and unit in their names.

    Raises:
        InputError: a column that does not have a finite number for every architecture.
    """

    name: str
    space: Space
    columns: Mapping[str, Mapping[str, Column]]

    def __post_init__(self) -> None:
        for task, columns in self.columns.items():
            for required in ("validation", "test"):
                if required not in columns:
                    raise InputError(f"table {self.name}: task {task} has no column {required}")
            for column, values in columns.items():
                if values.shape != (self.space.count(),) or not np.isfinite(values).all():
                    bad = int((~np.isfinite(values)).sum())
                    raise InputError(
                        f"table {self.name}: {task} {column} needs {self.space.count():,} finite numbers, "
                        f"not {len(values):,} of which {bad} are not finite"
                    )

    @property
    def synthetic(self) -> bool:
        """Whether the table is synthetic."""
        return self.name.startswith("synthetic")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it covers."""
        return tuple(self.columns)

    def column(self, task: str, column: str) -> Column:
        """`(count,)` one column.

        Raises:
            InputError: no such task or column.
        """
        for what, word, known in (("task", task, self.columns), ("column", column, self.columns.get(task, {}))):
            if word not in known:
                raise InputError(f"table {self.name}: unknown {what} {word!r}{suggestion(word, sorted(known))}")
        return self.columns[task][column]

    def rows(self, vectors: Vector) -> NDArray[np.int64]:
        """`(n,)` where the architectures of `(n, slots)` vectors stand in every column."""
        return self.space.place(vectors)


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularEvaluator:
    """Looks scores up in this process; an `Evaluator` without proxies, networks or supernets.

    Attributes:
        low: fidelities of this name read the 12-epoch column where there is one.
        score: the column searched at full fidelity, `validation` or (as the literature often does) `test`.
    """

    benchmark: TabularBenchmark
    task: str
    low: str = "low"
    score: str = "validation"

    def __post_init__(self) -> None:
        self.benchmark.column(self.task, self.score)

    def evaluate(self, requests: Sequence[Request], *, on_done: OnDone = unheard) -> list[Evaluation]:
        """Tabulated scores; every other column of the task comes along as a metric. Seeds change nothing."""
        answers = [self._looked_up(request) for request in requests]
        for _ in answers:
            on_done()
        return answers

    def _looked_up(self, request: Request) -> Evaluation:
        try:
            row = int(self.benchmark.rows(self.benchmark.space.encode(request.architecture)[None])[0])
        except ArchitectureError as error:
            return Evaluation(score=None, reason=f"not in table {self.benchmark.name}: {error}")
        columns, low = self.benchmark.columns[self.task], f"{self.score}_low"
        column = low if request.fidelity.name == self.low and low in columns else self.score
        metrics = {name: float(values[row]) for name, values in columns.items()}
        metrics["epochs"] = float(request.fidelity.epochs)
        return Evaluation(score=float(columns[column][row]), metrics=metrics)


def table_digest(evaluator: TabularEvaluator) -> str:
    """SHA-256 over the space, the task's name and its columns: two tables of equal content are the same task."""
    content = hashlib.sha256(f"{evaluator.benchmark.space.name} {evaluator.task}".encode())
    for name, values in sorted(evaluator.benchmark.columns[evaluator.task].items()):
        content.update(name.encode())
        content.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return content.hexdigest()


@functools.lru_cache(maxsize=2)
def benchmark_of(path: Path | None, *, tasks: tuple[str, ...] = ("a", "b", "c")) -> TabularBenchmark:
    """The table of a file, read once; the synthetic one, of these tasks, where there is no file.

    Raises:
        InputError: as `read_benchmark`.
    """
    return synthetic_benchmark(tasks=tasks) if path is None else read_benchmark(path)


def read_benchmark(path: Path) -> TabularBenchmark:
    """Read `nb201_accuracy.csv.gz` or `transnas101_micro.csv.gz`, told apart by their columns.

    `nb201_hardware.npz` beside the former adds latencies and energies.

    Raises:
        InputError: missing, unreadable, lacking columns or rows, or with rows twice.
    """
    import pandas as pd

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: larger than {_MAX_BYTES:,} bytes")
        table = pd.read_csv(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {cause(error)}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a table of comma-separated values: {str(error).splitlines()[0]}") from error
    if set(_NB201_EDGES) <= set(table.columns):
        return _read_nb201(table, path)
    if set(_TRANSNAS_EDGES) <= set(table.columns):
        return _read_transnas(table, path)
    raise InputError(
        f"{path}: not a known table: needs the columns {', '.join(_NB201_EDGES)} (NAS-Bench-201) or "
        f"{', '.join(_TRANSNAS_EDGES)} (TransNAS-Bench-101 micro)"
    )


def _read_nb201(table: pd.DataFrame, path: Path) -> TabularBenchmark:
    space = SPACES["nb201"]
    known = table[list(_NB201_EDGES)].isin(list(_NB201_CODES)).all(axis=1)
    if not known.all():
        raise InputError(f"{path}: row {int(np.argmin(known))}: operations are {', '.join(_NB201_CODES)}")
    vectors = np.stack([table[edge].map(_NB201_CODES).to_numpy() for edge in _NB201_EDGES], axis=1).astype(np.int8)
    order = _order(space, vectors, path)
    taken = vectors[order]
    convolutions3, convolutions1 = (taken == 3).sum(axis=1), (taken == 2).sum(axis=1)
    pools = (taken == 4).sum(axis=1)
    # The file's own column is off in 204 rows; these are exact for the cell as spelled (dead operations included).
    params = 73_306.0 + 243_040.0 * convolutions3 + 28_000.0 * convolutions1
    columns: dict[str, dict[str, Column]] = {}
    for task, short in _NB201_TASKS.items():
        validation = "c10_valid200_mean" if short == "c10" else f"{short}_valid200_naslib"
        named = {
            "validation": validation,
            "test": f"{short}_test200_mean",
            "validation_low": f"{short}_valid12",
            "test_low": f"{short}_test12",
        }
        flops = {
            "c10": (7_943_872.0, 35_819_520.0, 4_362_240.0, 1_290_240.0),
            "c100": (7_949_632.0, 35_819_520.0, 4_362_240.0, 1_290_240.0),
            "in16": (1_993_792.0, 8_954_880.0, 1_090_560.0, 322_560.0),
        }[short]
        columns[task] = {name: _numbers(table, column, path)[order] / 100 for name, column in named.items()}
        columns[task]["params"] = params
        columns[task]["macs"] = flops[0] + flops[1] * convolutions3 + flops[2] * convolutions1 + flops[3] * pools
    hardware = _read_hardware(path.with_name("nb201_hardware.npz"), table, path)
    for task in columns:
        columns[task].update({name: values[order] for name, values in hardware.items()})
    return TabularBenchmark(name="nb201", space=space, columns=columns)


def _read_hardware(path: Path, table: pd.DataFrame, accuracies: Path) -> dict[str, Column]:
    """Latencies and energies in the row order of the accuracy table; none where the file is absent."""
    if not path.is_file():
        return {}
    arrays = dict(read_arrays(path))
    index = arrays.pop("idx", np.empty(0))
    if not np.array_equal(index, _numbers(table, "idx", accuracies)):
        raise InputError(f"{path}: its idx is not that of {accuracies}")
    for name, values in arrays.items():
        if values.shape != (len(table),) or values.dtype.kind not in "iuf":
            raise InputError(f"{path}: {name} is {values.dtype} of shape {values.shape}: need {len(table)} numbers")
    return {
        name.removesuffix("_lat_ms") + ("_ms" if name.endswith("_lat_ms") else ""): values.astype(np.float64)
        for name, values in arrays.items()
    }


def _read_transnas(table: pd.DataFrame, path: Path) -> TabularBenchmark:
    space = SPACES["transnas-micro"]
    vectors = np.stack([_numbers(table, edge, path) for edge in _TRANSNAS_EDGES], axis=1).astype(np.int8)
    order = _order(space, vectors, path)
    columns = {}
    for task, scale in _TRANSNAS_TASKS.items():
        # The benchmark publishes one score a task; it serves as validation and as test.
        score = _numbers(table, f"{task}_val", path)[order] / scale
        columns[task] = {"validation": score, "test": score, "gpu_ms": _numbers(table, f"{task}_ms", path)[order]}
    return TabularBenchmark(name="transnas-micro", space=space, columns=columns)


def _numbers(table: pd.DataFrame, column: str, path: Path) -> Column:
    if column not in table.columns:
        raise InputError(f"{path}: missing column {column!r}{suggestion(column, list(table.columns))}")
    try:
        return table[column].to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: column {column!r} holds something that is not a number: {error}") from error


def _order(space: Space, vectors: Vector, path: Path) -> NDArray[np.int64]:
    """Which row of the file holds each architecture, in the order of `space.enumerate()`."""
    if not space.fits(vectors).all():
        raise InputError(f"{path}: row {int(np.argmin(space.fits(vectors)))} is not a cell of space {space.name}")
    rows = space.place(vectors)
    counts = np.bincount(rows, minlength=space.count())
    for problem, wrong in (("twice", counts > 1), ("missing", counts == 0)):
        if wrong.any():
            example = space.decode(space.enumerate()[int(np.argmax(wrong))], macro=Macro())
            raise InputError(
                f"{path}: {int(wrong.sum()):,} of {space.count():,} cells are {problem}, the first is {example}"
            )
    order = np.empty(len(rows), dtype=np.int64)
    order[rows] = np.arange(len(rows))
    return order


def synthetic_benchmark(*, tasks: Sequence[str] = ("a", "b", "c"), seed: int = 0) -> TabularBenchmark:
    """A synthetic table over the `nb201` space: tasks that agree in part, dead edges without effect, some noise.

    It has low-fidelity columns and a synthetic latency. Good for trying strategies and for tests; it says nothing about
    real networks, and its name says so. Tasks whose name begins with `checkered` are of another kind: one cell in five
    is good, and no two good ones are one edit apart, so that searching near the best finds nothing.
    """
    space = SPACES["nb201"]
    vectors = space.enumerate()
    live = space.effective(vectors) > 0
    shared = generator(seed, "synthetic").normal(size=(len(space.slots), 5)) * 0.3 + np.array([0, 0.6, 1.0, 1.6, 0.4])
    columns = {}
    for task in tasks:
        rng = generator(seed, "synthetic", task)
        worth = shared + 0.4 * rng.normal(size=shared.shape)
        pairs = 0.15 * rng.normal(size=(len(space.slots), len(space.slots), 5, 5))
        quality = np.zeros(len(vectors))
        for i in range(len(space.slots)):
            quality += np.where(live[:, i], worth[i, vectors[:, i]], 0.0)
            for j in range(i):
                both = live[:, i] & live[:, j]
                quality += np.where(both, pairs[i, j, vectors[:, i], vectors[:, j]], 0.0)
        reached = live.any(axis=1)
        if task.startswith(_CHECKERED):
            codes = np.stack([rng.permutation(5)[vectors[:, slot]] for slot in range(len(space.slots))], axis=1)
            good = codes.sum(axis=1) % 5 == 0
            quality = np.where(good, 3.0, -1.0) + 0.2 * quality
        validation, test, low = (
            np.where(reached, 0.95 / (1 + np.exp(-quality / 2)) + deviation * rng.normal(size=len(vectors)), 0.1)
            for deviation in (0.004, 0.004, 0.03)
        )
        latency = 1.0 + (live * np.array([0.0, 0.1, 0.4, 1.5, 0.3])[vectors]).sum(axis=1)
        columns[task] = {"validation": validation, "test": test, "validation_low": low, "made_up_ms": latency}
    return TabularBenchmark(name="synthetic-nb201", space=space, columns=columns)
