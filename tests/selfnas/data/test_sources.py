"""Files of every form become tasks, or one sentence says where they do not fit and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from selfnas.data.preparation import Preparation
from selfnas.data.sources.collections import parts_of
from selfnas.data.tasks import SPLITS, Task, TaskSpec, load_task
from selfnas.errors import InputError

RNG = np.random.default_rng(0)
N = 90
KIND = np.arange(N) % 3
SPECIES = np.array(["ant", "bee", "fly"])[KIND]
SIZE = RNG.normal(KIND, 0.3)
SITE = np.array(["north", "south"])[RNG.integers(0, 2, N)]


def load(base: Path, **keys: Any) -> Task:
    """A task from the keys of a stream file."""
    return load_task(TaskSpec.model_validate({"name": "t", **keys}), base=base)


def table(**further: Any) -> dict[str, list[Any]]:
    """Columns of insects."""
    columns = {"size": SIZE.round(4).tolist(), "site": SITE.tolist(), "species": SPECIES.tolist()}
    return columns | {name: list(values) for name, values in further.items()}


def as_csv(path: Path, columns: dict[str, list[Any]], mark: str = ",") -> Path:
    """A folder with `t.csv`."""
    rows = [mark.join(columns), *(mark.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (path / "t.csv").write_text("\n".join(rows) + "\n")
    return path


CLASSES = {"source": "csv", "path": "t.csv", "target": {"kind": "classification", "column": "species"}}


def test_csv_and_parquet_of_one_table_are_one_task(tmp_path: Path) -> None:
    """Columns by name and type; classes by the names in the file."""
    as_csv(tmp_path, table())
    parquet.write_table(pa.table(table()), tmp_path / "t.parquet")
    task = load(tmp_path, **CLASSES)
    assert task.target.names == ("ant", "bee", "fly")
    assert (task.inputs, task.shape.size, task.shape.channels) == ("table", (), 4)
    assert "90 rows of 1 numeric columns (size) and 1 categorical (site of 2), 4 features, 3 classes" in task.reading
    assert load(tmp_path, **CLASSES | {"source": "parquet", "path": "t.parquet"}).digest == task.digest
    raw = task.preparation.encode({"size": table()["size"], "site": table()["site"]})
    rows = {row.tobytes() for row in Preparation.from_json(task.preparation.to_json()).apply(raw)}
    assert all(row.tobytes() in rows for name in SPLITS for row in task.split(name).x)


def test_zero_padded_codes_stay_what_they_are(tmp_path: Path) -> None:
    """`007` is a category, and a class is called as it is written."""
    codes = [f"{k:03d}" for k in KIND]
    task = load(as_csv(tmp_path, table(code=codes) | {"species": codes}), **CLASSES)
    assert task.target.names == ("000", "001", "002")
    assert [column.categorical for column in task.preparation.columns] == [False, True, True]


def test_numbers_labels_and_series_of_columns(tmp_path: Path) -> None:
    """The target's columns are what its keys say, and are no features."""
    as_csv(tmp_path, table(sea=KIND == 0, sky=KIND > 0, weight=(SIZE * 3 + 9).round(3)))
    task = load(tmp_path, source="csv", path="t.csv", target={"kind": "regression", "column": "weight"})
    assert (task.target.names, task.target.outputs) == (("weight",), 1)
    assert abs(task.target.center[0] - 12) < 1
    tags = load(tmp_path, source="csv", path="t.csv", target={"kind": "multilabel", "columns": ["sea", "sky"]})
    assert tags.target.names == ("sea", "sky")
    wide = {f"t{k}": (np.sin(k / 3 * (1 + KIND)) + SIZE).round(3).tolist() for k in range(12)}
    as_csv(tmp_path, wide | {"species": SPECIES.tolist()})
    series = load(tmp_path, **CLASSES, kind="series")
    assert (series.inputs, series.shape.size) == ("series", (12,))


def test_an_index_without_a_name_numbers_the_rows(tmp_path: Path) -> None:
    """It is left out and told, as data frames are written to CSV and Parquet; a stated column is not."""
    as_csv(tmp_path, table())
    plain = load(tmp_path, **CLASSES)
    frame = pd.read_csv(tmp_path / "t.csv")
    frame.index += 100
    frame.to_csv(tmp_path / "t.csv")
    numbered = load(tmp_path, **CLASSES)
    assert numbered.shape == plain.shape
    assert "the first column has no name and another value in each line" in numbered.reading
    shuffled = frame.sample(frac=1, random_state=0)
    shuffled.to_parquet(tmp_path / "t.parquet")
    assert "__index_level_0__" in parquet.read_schema(tmp_path / "t.parquet").names
    stored = load(tmp_path, source="parquet", path="t.parquet", target=CLASSES["target"])
    assert stored.shape == plain.shape
    assert "'__index_level_0__' numbers the rows" in stored.reading
    columns = {"__index_level_0__": "numeric"}
    kept = load(tmp_path, source="parquet", path="t.parquet", target=CLASSES["target"], columns=columns)
    assert kept.shape.channels == plain.shape.channels + 1


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_rows_without_an_answer_are_left_out(tmp_path: Path, source: str) -> None:
    """They are counted, and all others are there; of numbers, classes and a split's parts alike."""
    said = np.where(np.arange(N) < 70, "train", "test")
    frame = pd.DataFrame(table(weight=SIZE * 2, part=said))
    frame.loc[[3, 4, 80], "weight"] = np.nan
    frame.loc[[5, 81], "species"] = None
    getattr(frame, f"to_{source}")(tmp_path / f"t.{source}", index=False)
    common = {"source": source, "path": f"t.{source}", "split": "part"}
    numbers = load(tmp_path, **common, target={"kind": "regression", "column": "weight"}, columns={"species": "ignore"})
    assert "3 of 90 rows have no answer and are left out" in numbers.reading
    assert sum(len(numbers.split(name)) for name in SPLITS) == N - 3
    assert len(numbers.test) == 19
    classes = load(tmp_path, **common, target={"kind": "classification", "column": "species"})
    assert "2 of 90 rows have no answer" in classes.reading
    assert len(classes.target.names) == 3


def test_groups_and_split_by_columns(tmp_path: Path) -> None:
    """No farm is cut in two; the file's own split is kept."""
    farms = np.repeat(np.arange(30), 3)
    farms[:] = RNG.permutation(farms)
    task = load(as_csv(tmp_path, table(farm=farms)), **CLASSES, groups="farm")
    assert "30 groups kept together" in task.reading
    said = np.where(np.arange(N) < 60, "train", np.where(np.arange(N) < 75, "validation", "test"))
    task = load(as_csv(tmp_path, table(part=said)), **CLASSES, split="part")
    assert (len(task.validation), len(task.test)) == (15, 15)
    with pytest.raises(InputError, match=r"groups: farm '.*' is in the train part and in the (test|validation) part"):
        load(as_csv(tmp_path, table(part=said, farm=farms)), **CLASSES, split="part", groups="farm")
    with pytest.raises(InputError, match="split: column 'part' says 'dev' in row 2: need train, validation or test"):
        load(as_csv(tmp_path, table(part=["dev"] * N)), **CLASSES, split="part")


def test_missing_cells_and_delimiters(tmp_path: Path) -> None:
    """Empty, NA and ? are missing, with a feature that says so; a semicolon is stated."""
    holes = [("", "NA", "?", value)[min(k, 3)] for k, value in enumerate(table()["size"])]
    task = load(as_csv(tmp_path, table() | {"size": holes}, ";"), **CLASSES, delimiter=";")
    assert task.preparation.columns[0].missing
    with pytest.raises(InputError, match="one column called 'size;site;species': `delimiter: ';'` splits it"):
        load(tmp_path, **CLASSES)


@pytest.mark.parametrize(
    ("columns", "keys", "message"),
    [
        (table(), {"target": None}, "target: which column is asked for.*column: species"),
        (table(), {"target": "classification"}, "target: which column is asked for"),
        (
            table(),
            {"target": {"kind": "classification", "column": "specie"}},
            "target: .*'specie'; did you mean 'species'",
        ),
        (table(), {"columns": {"sizes": "numeric"}}, "columns: there is no column 'sizes'; did you mean 'size'"),
        (table(), {"columns": {"size": "ignore", "site": "ignore"}}, "columns: none is left"),
        (table(), {"columns": {"site": "numeric"}}, "column 'site' holds '(north|south)' in line 2, where a number"),
        (table(size=["x", *SIZE[1:]]), {}, "column 'size' holds 'x' in line 2, .*`columns: {size: categorical}`"),
        (
            table(species=[""] * 60 + SPECIES[60:].tolist()),
            {},
            "column 'species' has no value in 60 of 90 rows: is it the one",
        ),
        (
            table(),
            {"target": {"kind": "regression", "column": "species"}},
            "holds 'ant' in line 2, where a number belon",
        ),
        (table(size=[1e200, *SIZE[1:]]), {}, r"column 'size' holds 1e\+200 in line 2: need numbers up to 1e\+30"),
        (table(), {"memory": "0.01 MB"}, "more than 52 lines do not fit into memory: `memory: 4 GiB` gives more"),
        (table(), {"groups": "farm"}, "groups: there is no column 'farm'"),
        ({"1": [1], "2": [2]}, {}, "the first line holds numbers alone: it must name the columns"),
        ({"a": [1], " a": [2]}, {}, "two columns are called 'a'"),
        (table(name=[f"id {k} {j}" for k in range(N) for j in range(1)]), {"limit": 8}, "limit 8 is too small"),
    ],
)
def test_tables_that_do_not_fit(
    tmp_path: Path, columns: dict[str, list[Any]], keys: dict[str, Any], message: str
) -> None:
    """The column, the line and what to write."""
    stated = {key: value for key, value in (CLASSES | keys).items() if value is not None}
    with pytest.raises(InputError, match=message):
        load(as_csv(tmp_path, columns), **stated)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header: the first line names the columns"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the header has 2"),
        ('a,b\n"1,2\n', "cannot be read: unexpected end of data"),
        ("a,b\n", "there are no examples"),
        ("a,\n1,2\n", "column 2 has no name"),
        (",a\n1,2\n1,3\n", "column 1 has no name, and equal values in several lines"),
    ],
)
def test_texts_that_are_no_table(tmp_path: Path, text: str, message: str) -> None:
    """Nothing, ragged lines, quotes left open."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load(tmp_path, source="csv", path="t.csv", target={"kind": "classification", "column": "b"})
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path, **CLASSES)


def test_parquet_that_does_not_fit(tmp_path: Path) -> None:
    """Nested columns are named, and may be left out; damaged files are told."""
    nested = pa.table(table() | {"deep": [[1, 2]] * N})
    parquet.write_table(nested, tmp_path / "t.parquet")
    keys = CLASSES | {"source": "parquet", "path": "t.parquet"}
    with pytest.raises(InputError, match=r"column 'deep' holds list<.*`columns: {deep: ignore}` leaves it out"):
        load(tmp_path, **keys)
    assert load(tmp_path, **keys, columns={"deep": "ignore"}).shape.channels == 4
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(InputError, match=r"t\.parquet: cannot be read"):
        load(tmp_path, **keys)
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path, **keys | {"path": "none.parquet"})


def picture(path: Path, pixels: NDArray[Any]) -> None:
    """An image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_a_folder_of_images_is_a_task(tmp_path: Path) -> None:
    """A class for each folder; the same as its pixels in an array."""
    x = RNG.integers(0, 255, (24, 9, 7, 3))
    for number, pixels in enumerate(x):
        picture(tmp_path / "pets" / ("cat", "dog")[number // 12] / f"{number:02d}.png", pixels)
    task = load(tmp_path, source="folder", path="pets")
    assert (task.target.names, task.shape.channels, task.shape.size) == (("cat", "dog"), 3, (9, 7))
    arrays = Task.from_arrays(x.astype(np.uint8), np.arange(24) // 12, name="t")
    assert arrays.digest == task.digest
    assert task.preparation.raw == (9, 7, 3)
    assert load(tmp_path, source="folder", path="pets", limit=16, resize=4).shape.size == (4, 4)


def test_images_of_unequal_sizes_are_averaged_to_one(tmp_path: Path) -> None:
    """With `resize`; the preparation takes images of any size."""
    sizes = [(8 + k % 5, 6 + k % 3) for k in range(20)]
    for number, size in enumerate(sizes):
        picture(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", RNG.integers(0, 255, size))
        picture(tmp_path / "test" / "ab"[number % 2] / f"{number}.jpg", RNG.integers(0, 255, size))
    with pytest.raises(InputError, match=r"images of unequal sizes, from .*: `resize` makes them equal"):
        load(tmp_path, source="folder", path=".")
    task = load(tmp_path, source="folder", path=".", resize=5)
    assert (task.shape.size, len(task.test), task.preparation.raw) == ((5, 5), 20, (0, 0))
    assert "averaged to one square" in task.reading
    rows = {row.tobytes() for row in task.test.x}
    file = np.asarray(Image.open(tmp_path / "test" / "a" / "0.jpg"))
    assert task.preparation.apply(file[None])[0].tobytes() in rows
    with pytest.raises(InputError, match="resize: cannot make 7 out of a side of 6"):
        load(tmp_path, source="folder", path=".", resize=7)


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    """None, empty, a file that is no image, a part of an unknown name, another target."""
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path, source="folder", path="none")
    with pytest.raises(InputError, match="no images; one folder for each class holds them"):
        load(tmp_path, source="folder", path=".")
    for number in range(8):
        picture(tmp_path / "pets" / "ab"[number % 2] / f"{number}.png", RNG.integers(0, 255, (6, 6)))
    with pytest.raises(InputError, match="folders are classes, and regression asks for something else"):
        load(tmp_path, source="folder", path="pets", target="regression")
    (tmp_path / "pets" / "a" / "broken.png").write_text("no image")
    with pytest.raises(InputError, match=r"broken\.png is no image that can be read"):
        load(tmp_path, source="folder", path="pets")
    picture(tmp_path / "parts" / "train" / "a" / "1.png", np.zeros((6, 6)))
    (tmp_path / "parts" / "val").mkdir()
    with pytest.raises(InputError, match="train and val: beside train there may be validation and test"):
        load(tmp_path, source="folder", path="parts")


def test_archives_of_series(tmp_path: Path) -> None:
    """UCR's `.tsv` and UEA's `.ts` with a test part beside them; unequal lengths and gaps."""
    waves = np.sin(np.arange(10) * (1 + KIND[:, None])) + 0.1 * RNG.standard_normal((N, 10))
    for part, rows in (("TRAIN", range(60)), ("TEST", range(60, N))):
        lines = [f"{KIND[k] + 1}\t" + "\t".join(f"{v:.5f}" for v in waves[k]) for k in rows]
        (tmp_path / f"Bugs_{part}.tsv").write_text("\n".join(lines))
        lines = [f"{','.join(f'{v:.5f}' for v in waves[k][: 7 + k % 4])}:?,{k % 3},3,4:{SPECIES[k]}" for k in rows]
        (tmp_path / f"Bugs_{part}.ts").write_text("\n".join(["# bugs", "@problemName Bugs", "@data", *lines]))
    flat = load(tmp_path, source="ts", path="Bugs_TRAIN.tsv")
    assert (flat.shape.channels, flat.shape.size, flat.target.names, len(flat.test)) == (1, (10,), ("1", "2", "3"), 30)
    deep = load(tmp_path, source="ts", path="Bugs_TRAIN.ts")
    assert (deep.shape.channels, deep.shape.size, deep.target.names) == (3, (10,), ("ant", "bee", "fly"))
    (tmp_path / "bad.ts").write_text("@timeStamps true\n@data\n1,2:a\n")
    with pytest.raises(InputError, match=r"bad\.ts:1: series with timestamps"):
        load(tmp_path, source="ts", path="bad.ts")
    (tmp_path / "bad.tsv").write_text("1\t2\tx\t4\t5\n")
    with pytest.raises(InputError, match=r"bad\.tsv:1: .*'x'.*: need numbers"):
        load(tmp_path, source="ts", path="bad.tsv")


def test_a_pair_of_arrays(tmp_path: Path) -> None:
    """`.npy` files of examples and labels are the `.npz` of both."""
    x = RNG.integers(0, 255, (N, 6, 6), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", SPECIES)
    task = load(tmp_path, source="npy", path="x.npy", labels="y.npy")
    assert task.digest == Task.from_arrays(x, SPECIES, name="t").digest
    np.save(tmp_path / "o.npy", np.array([None] * N), allow_pickle=True)
    with pytest.raises(InputError, match="pickled Python objects"):
        load(tmp_path, source="npy", path="x.npy", labels="o.npy")
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path, source="npy", path="none.npy", labels="y.npy")


class Pairs:
    """A data set as PyTorch has them."""

    def __init__(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        import torch

        return torch.from_numpy(self.x[index]), int(self.y[index])


def test_data_sets_and_data_modules() -> None:
    """Samples one by one are the task of their arrays; a module's sets are its parts."""
    x = RNG.random((N, 1, 6, 6)).astype(np.float32)
    arrays = Task.from_arrays(x, KIND, name="t", kind="image", channels="first")
    assert Task.from_dataset(Pairs(x, KIND), name="t", kind="image", channels="first").digest == arrays.digest

    class Loader:
        def __init__(self, dataset: Pairs) -> None:
            self.dataset = dataset

    class Module:
        def setup(self, stage: str) -> None:
            self.ready = stage

        def train_dataloader(self) -> Loader:
            return Loader(Pairs(x[:60], KIND[:60]))

        def val_dataloader(self) -> list[Loader]:
            return [Loader(Pairs(x[60:75], KIND[60:75]))]

        def test_dataloader(self) -> Loader:
            return Loader(Pairs(x[75:], KIND[75:]))

    task = Task.from_dataset(Module(), name="t", kind="image")
    assert [len(task.split(name)) for name in SPLITS] == [51, 15, 9, 15]
    with pytest.raises(InputError, match="is empty"):
        Task.from_dataset([], name="t")
    with pytest.raises(InputError, match="need pairs of input and answer"):
        Task.from_dataset([1, 2, 3], name="t")
    with pytest.raises(InputError, match="no length"):
        Task.from_dataset(iter([]), name="t")


def test_keys_that_do_not_go_with_a_source() -> None:
    """Told when the stream is read."""
    for keys, message in (
        ({"source": "csv"}, "source csv needs a path"),
        ({"source": "npy", "path": "x.npy"}, "source npy needs labels"),
        ({"source": "npz", "path": "x.npz", "columns": {"a": "numeric"}}, "columns goes with source csv or parquet"),
        ({"source": "digits", "channels": "last"}, "channels goes with source npz or npy"),
        ({"source": "table", "dataset": "a", "target": "regression"}, "a table has no examples: leave out target"),
        ({"source": "npz", "path": "x.npz", "vocabulary": 9}, "say `kind: tokens`"),
        ({"source": "npz", "path": "x.npz", "memory": "lots"}, "memory"),
    ):
        with pytest.raises(ValueError, match=message):
            TaskSpec.model_validate({"name": "t", **keys})


def test_names_from_files_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """Escape sequences and marks that turn text around are written out."""
    task = load(
        as_csv(tmp_path, {"a\x1b[31m": SIZE.tolist(), "b\u202e": SITE.tolist(), "species": SPECIES.tolist()}), **CLASSES
    )
    assert task.reading.isprintable()
    assert "(a\\x1b[31m) and 1 categorical (b\\u202e of 2)" in task.reading


def test_hooks_that_nobody_overrides_are_none_and_errors_of_ones_own_are_heard() -> None:
    """Lightning's own class raises in every hook; a hook of the module's own that raises is no missing part."""
    import pytorch_lightning as pl

    class Module(pl.LightningDataModule):
        def train_dataloader(self) -> list[int]:
            return [1]

    class Broken(Module):
        def val_dataloader(self) -> list[int]:
            raise NotImplementedError("mine")  # the very error by which Lightning's own hooks say that they are missing

    assert list(parts_of(Module())) == ["train"]
    with pytest.raises(InputError, match="gives no data set for training"):
        parts_of(pl.LightningDataModule())
    with pytest.raises(NotImplementedError, match="mine"):
        parts_of(Broken())
