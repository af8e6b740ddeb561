"""The official directory form of NATS-Bench, read as data; what could run code is refused."""

import bz2
import collections
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfnas.errors import InputError
from selfnas.spaces.named import SPACES
from selfnas.tables.nats import COLUMNS, convert_nats
from selfnas.tables.plain_pickle import read_plain
from selfnas.tables.tabular import read_benchmark

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test"),
    "ImageNet16-120": ("x-valid", "x-test"),
}


def _spelled(vector: np.ndarray) -> str:
    a, b, c, d, e, f = (OPERATIONS[value] for value in vector)
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def _record(vector: np.ndarray, seeds: tuple[int, ...] = (777, 888)) -> dict:  # type: ignore[type-arg]
    """One cell as the authors' package writes it; accuracies encode the cell, the set and the seed."""
    code = float(vector @ (5 ** np.arange(6))) / 300

    def run(data: str, seed: int, epochs: int) -> dict:  # type: ignore[type-arg]
        accuracies = {
            f"{name}@{epoch}": np.float64(code + len(data) / 10 + len(name) + epoch / 100 + (seed - 777) / 1000)
            for name in SETS[data]
            for epoch in range(epochs)
        }
        return {"name": "x", "net_state_dict": None, "epochs": epochs, "seed": seed, "eval_acc1es": accuracies}

    return {
        hp: {
            "arch_index": 0,
            "arch_str": _spelled(vector),
            "all_results": collections.OrderedDict(((d, s), run(d, s, n)) for d in SETS for s in seeds),
            "clear_net_done": True,
        }
        for hp, n in (("12", 2), ("200", 3))
    }


def _write(directory: Path, index: int, record: object, *, protocol: int = 4) -> Path:
    path = directory / f"{index:06d}.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(record, protocol=protocol)))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_directory_becomes_a_table(protocol: int, tmp_path: Path) -> None:
    """Every column is the mean over seeds after the last epoch; other files in the directory are passed over."""
    vectors = SPACES["nb201"].draw(np.random.default_rng(0), 3)
    for index, vector in enumerate(vectors):
        _write(tmp_path, index, _record(vector), protocol=protocol)
    (tmp_path / "meta.pickle.pbz2").write_bytes(b"not looked at")
    assert convert_nats(tmp_path, tmp_path / "table.csv.gz") == 3
    table = pd.read_csv(tmp_path / "table.csv.gz", keep_default_na=False)
    for row, vector in zip(table.to_dict("records"), vectors, strict=True):
        assert row["arch"] == _spelled(vector)
        assert [row[edge] for edge in ("e12", "e13", "e23", "e14", "e24", "e34")] == [OPERATIONS[v] for v in vector]
        for column, (epochs, data, subset) in COLUMNS.items():
            runs = _record(vector)[epochs]["all_results"]
            last = {"12": 1, "200": 2}[epochs]
            mean = np.mean(
                [run["eval_acc1es"][f"{subset}@{last}"] for (where, _), run in runs.items() if where == data]
            )
            assert float(row[column]) == pytest.approx(float(mean), rel=1e-5)
    with pytest.raises(InputError, match="15,622 of 15,625 cells are missing"):
        read_benchmark(tmp_path / "table.csv.gz")


class _Harmful:
    def __reduce__(self) -> tuple:  # type: ignore[type-arg]
        return (Path.touch, (Path("touched"),))


def test_what_could_run_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call, a class, a truncated file and a size space each have their message; nothing was executed."""
    monkeypatch.chdir(tmp_path)
    vector = SPACES["nb201"].draw(np.random.default_rng(0), 1)[0]
    for record, message in (
        (_Harmful(), r"the pickle names pathlib\.Path|builtins\.getattr"),
        ({"12": Path("x")}, r"the pickle names pathlib"),
        ({1, 2}, "instruction EMPTY_SET is refused"),
        ({"12": {}}, "has no x-valid of cifar10-valid after 200 epochs"),
        (
            {**_record(vector), "200": {**_record(vector)["200"], "arch_str": "8:8:16"}},
            "is not one cell of the topology space",
        ),
        (_record(vector, seeds=()), r"is \[\], not accuracies"),
    ):
        _write(tmp_path, 0, record)
        with pytest.raises(InputError, match=message):
            convert_nats(tmp_path, tmp_path / "out.csv.gz")
        assert not (tmp_path / "out.csv.gz").exists()
    assert not (tmp_path / "touched").exists()
    whole = pickle.dumps(_record(vector))
    for content in (whole[:-1], whole[: len(whole) // 2], b"", b"\x80\x04\x8c\x03os.", b"garbage"):
        with pytest.raises(InputError, match="x: "):
            read_plain(content, name="x")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_is_read_as_it_was(protocol: int) -> None:
    """Containers within containers, shared ones, numbers of every size."""
    shared = ["a", 1, -2, 2**40, 2**70, 1.5, None, True, False]
    data = {"list": shared, "again": shared, "tuple": (1, (2, 3, 4, 5)), ("k", 777): {"deep": {"er": []}}, 3: "é"}
    assert read_plain(pickle.dumps(data, protocol=protocol), name="x") == data


def test_directories_that_are_none(tmp_path: Path) -> None:
    """Missing, or without such files."""
    with pytest.raises(InputError, match="cannot be read: no such file"):
        convert_nats(tmp_path / "none", tmp_path / "out.csv.gz")
    with pytest.raises(InputError, match=r"has no files such as 000000\.pickle\.pbz2"):
        convert_nats(tmp_path, tmp_path / "out.csv.gz")
    (tmp_path / "000000.pickle.pbz2").write_bytes(b"BZh9 no")
    with pytest.raises(InputError, match="cannot be expanded"):
        convert_nats(tmp_path, tmp_path / "out.csv.gz")
