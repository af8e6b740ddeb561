"""Tables answer like training does, and a damaged table is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.tables.tabular import TabularBenchmark, TabularEvaluator, read_benchmark, synthetic_benchmark
from selfnas.training.evaluation import Fidelity, Request

DATA = Path(os.environ.get("SELFNAS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "nas"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real data")
FULL, LOW = Fidelity(name="full", epochs=200), Fidelity(name="low", epochs=12)
TRANSNAS = ("class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder")


def transnas_like() -> pd.DataFrame:
    """A table in the documented columns of TransNAS-Bench-101 micro, with made-up numbers in mixed order."""
    vectors = SPACES["transnas-micro"].enumerate()[np.random.default_rng(0).permutation(4096)]
    table = pd.DataFrame(vectors, columns=["e01", "e02", "e12", "e03", "e13", "e23"])
    for task in TRANSNAS:
        table[f"{task}_val"] = (vectors * [1, 2, 3, 4, 5, 6]).sum(axis=1).astype(float)
        table[f"{task}_ms"] = 1.0
    return table


@pytest.fixture(scope="module")
def nb201() -> TabularBenchmark:
    """The real NAS-Bench-201 table."""
    return read_benchmark(DATA / "nb201_accuracy.csv.gz")


@needs_data
def test_nb201_gives_the_published_numbers(nb201: TabularBenchmark) -> None:
    """Best test accuracies of NAS-Bench-201: 94.37, 73.51 and 47.31 per cent."""
    best = {task: round(100 * nb201.column(task, "test").max(), 2) for task in nb201.tasks}
    assert best == {"cifar10": 94.37, "cifar100": 73.51, "imagenet16": 47.31}


@needs_data
def test_nb201_rows_are_those_of_the_official_strings(nb201: TabularBenchmark) -> None:
    """Reading the string and looking the cell up gives the number beside the string."""
    table = pd.read_csv(DATA / "nb201_accuracy.csv.gz").sample(200, random_state=0)
    evaluator = TabularEvaluator(benchmark=nb201, task="cifar100")
    for _, row in table.iterrows():
        architecture = SPACES["nb201"].parse_cells(row["arch"], macro=Macro())
        requests = [Request(architecture=architecture, fidelity=fidelity) for fidelity in (FULL, LOW)]
        found, low = evaluator.evaluate(requests)
        assert found.score == pytest.approx(row["c100_valid200_naslib"] / 100)
        assert found.metrics["test"] == pytest.approx(row["c100_test200_mean"] / 100)
        assert low.score == pytest.approx(row["c100_valid12"] / 100)


@needs_data
def test_nb201_has_measured_hardware(nb201: TabularBenchmark) -> None:
    """Latencies in milliseconds stand in the same order as the accuracies: the slowest cells have most convolutions."""
    slowest = nb201.space.enumerate()[np.argsort(nb201.column("cifar10", "help_raspi4_ms"))[-50:]]
    assert (slowest == 3).sum(axis=1).mean() > 4
    assert "hw360_pi5_onnx_cifar100_energy_mJ" in nb201.columns["cifar10"]


@needs_data
def test_transnas_is_read() -> None:
    """Seven tasks; the empty cell is the worst of class_scene."""
    table = read_benchmark(DATA / "transnas101_micro.csv.gz")
    assert table.tasks == TRANSNAS
    assert table.column("class_scene", "test").argmin() == 0
    assert table.column("class_scene", "test").max() == pytest.approx(0.5493631)


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    """A shuffled file is put into the order of the space."""
    transnas_like().to_csv(tmp_path / "t.csv.gz", index=False)
    table = read_benchmark(tmp_path / "t.csv.gz")
    assert np.array_equal(table.rows(table.space.enumerate()), np.arange(4096))
    expected = (table.space.enumerate() * [1, 2, 3, 4, 5, 6]).sum(axis=1)
    assert np.array_equal(table.column("normal", "test"), expected)
    assert np.allclose(table.column("jigsaw", "test"), expected / 100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.drop(index=[5, 6]), r"2 of 4,096 cells are missing, the first is transnas-micro/"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "1 of 4,096 cells are twice"),
        (lambda t: t.drop(columns="normal_val"), "missing column 'normal_val'"),
        (lambda t: t.assign(jigsaw_val=np.nan), "jigsaw validation needs 4,096 finite numbers"),
        (lambda t: t.assign(jigsaw_val="much"), "column 'jigsaw_val' holds something that is not a number"),
        (lambda t: t.assign(e01=9), "row 0 is not a cell of space transnas-micro"),
        (lambda t: t.drop(columns="e13"), "not a known table: needs the columns e12, e13, e23"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, damage: object, message: str) -> None:
    """The message says which and how many."""
    damage(transnas_like()).to_csv(tmp_path / "t.csv.gz", index=False)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        read_benchmark(tmp_path / "t.csv.gz")


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    """Absent, and not compressed."""
    with pytest.raises(InputError, match="cannot be read: no such file"):
        read_benchmark(tmp_path / "none.csv.gz")
    (tmp_path / "t.csv.gz").write_text("e01,e02\n")
    with pytest.raises(InputError, match=r"cannot be read|not a table"):
        read_benchmark(tmp_path / "t.csv.gz")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="not a table of comma-separated values"):
        read_benchmark(tmp_path / "empty.csv")


@needs_data
def test_hardware_of_another_table_is_refused(tmp_path: Path) -> None:
    """The index must be the same."""
    shutil.copy(DATA / "nb201_accuracy.csv.gz", tmp_path / "nb201_accuracy.csv.gz")
    np.savez(tmp_path / "nb201_hardware.npz", idx=np.arange(3), x_lat_ms=np.zeros(3))
    with pytest.raises(InputError, match="its idx is not that of"):
        read_benchmark(tmp_path / "nb201_accuracy.csv.gz")


def test_synthetic_table_says_so_and_behaves_like_a_table() -> None:
    """Reproducible, related tasks, low fidelity correlated, dead edges without systematic effect."""
    table = synthetic_benchmark()
    assert table.synthetic
    assert table.name == "synthetic-nb201"
    assert np.array_equal(table.column("a", "test"), synthetic_benchmark().column("a", "test"))
    ranks = {
        key: table.column(*key).argsort().argsort() for key in (("a", "test"), ("b", "test"), ("a", "validation_low"))
    }
    between = np.corrcoef(ranks["a", "test"], ranks["b", "test"])[0, 1]
    assert 0.3 < between < 0.98
    assert 0.6 < np.corrcoef(ranks["a", "test"], ranks["a", "validation_low"])[0, 1] < 0.99
    disconnected = table.rows(np.zeros((1, 6), np.int8))[0]
    assert table.column("a", "test")[disconnected] == pytest.approx(0.1)


def test_evaluator_answers_and_refuses() -> None:
    """Low fidelity reads its own column; a foreign architecture fails with a reason instead of an exception."""
    table = synthetic_benchmark()
    evaluator = TabularEvaluator(benchmark=table, task="b")
    architecture = table.space.decode(table.space.enumerate()[1234], macro=Macro())
    foreign = SPACES["darts"].decode(SPACES["darts"].draw(np.random.default_rng(0), 1)[0], macro=Macro())
    asked = ((architecture, FULL), (architecture, LOW), (foreign, FULL))
    full, low, failed = evaluator.evaluate([Request(architecture=a, fidelity=fidelity) for a, fidelity in asked])
    assert full.score == table.column("b", "validation")[1234]
    assert low.score == table.column("b", "validation_low")[1234]
    assert failed.score is None
    assert "not in table synthetic-nb201" in failed.reason
    with pytest.raises(InputError, match="unknown task 'cifar'"):
        TabularEvaluator(benchmark=table, task="cifar")
    with pytest.raises(InputError, match="unknown column 'tset'; did you mean 'test'"):
        table.column("a", "tset")
