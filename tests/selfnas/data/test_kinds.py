"""Every kind of input and target: read rightly and said, or one sentence with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from selfnas.data.preparation import Preparation
from selfnas.data.tasks import SPLITS, Task, TaskSpec, load_task
from selfnas.errors import InputError

RNG = np.random.default_rng(0)
N = 120
CLASSES = np.arange(N) % 3
IMAGES = RNG.integers(0, 255, (N, 8, 8), dtype=np.uint8)
WAVES = np.sin(np.arange(32) / 5 * (1 + CLASSES[:, None])) + 0.1 * RNG.standard_normal((N, 32))
ROWS = RNG.standard_normal((N, 5)) * (1, 10, 100, 1, 1) + (0, 5, 50, 7, 1)
TOKENS = RNG.integers(0, 7, (N, 12))


def made(x: Any, y: Any = CLASSES, **options: Any) -> Task:
    """A task of arrays, whose written file gives the same task again."""
    return Task.from_arrays(x, y, name="t", **options)


def again(task: Task, folder: Path) -> Task:
    """The task read from the file that it writes."""
    assert task.own is not None
    task.own.arrays.write(folder / str(task.own.spec.path))
    return load_task(task.own.spec, base=folder)


@pytest.mark.parametrize(
    ("x", "options", "shape", "said"),
    [
        (IMAGES, {}, (1, 8, 8), "120 grey images 8×8 (uint8), 3 classes '0', '1', '2'; split 66/15/15/24"),
        (RNG.random((N, 8, 8)), {}, (1, 8, 8), "read as images, for 8×8 is square; `kind: series` if not"),
        (RNG.random((N, 8, 8)), {"kind": "series"}, (8, 8), "series of 8 channels and 8 steps"),
        (RNG.random((N, 8, 8, 5)), {}, (5, 8, 8), "the 5 channels were read as last; `channels: first` if not"),
        (RNG.random((N, 5, 8, 8)), {}, (5, 8, 8), "the 5 channels were read as first; `channels: last` if not"),
        (RNG.random((N, 8, 9, 6)), {"channels": "last"}, (6, 8, 9), "images of 6 channels 8×9"),
        (RNG.random((N, 64, 9)), {"channels": "last"}, (9, 64), "series of 9 channels and 64 steps"),
        (RNG.random((N, 64, 9)), {"channels": "first"}, (64, 9), "series of 64 channels and 9 steps"),
        (WAVES, {}, (1, 32), "rows of 32 were read as series, since neighbouring numbers are alike; `kind: table`"),
        (WAVES, {"kind": "table"}, (32,), "rows of 32 numeric columns (x0, x1, x2, …), 32 features"),
        (ROWS, {"inputs": "table"}, (5,), "rows of 5 numeric columns (x0, x1, x2, …), 5 features"),
        (TOKENS, {"kind": "tokens"}, (7, 12), "sequences of 12 tokens, vocabulary 7"),
        (TOKENS, {"kind": "tokens", "vocabulary": 9}, (9, 12), "vocabulary 9"),
    ],
)
def test_each_form_is_read_and_said(
    x: NDArray[Any], options: dict[str, Any], shape: tuple[int, ...], said: str, tmp_path: Path
) -> None:
    """Shape, one line that says so, the same from a file, and the same of raw examples."""
    task = made(x, **options)
    assert (task.shape.channels, *task.shape.size) == shape
    assert said in task.reading
    assert again(task, tmp_path).digest == task.digest
    prepared = {row.tobytes() for row in Preparation.from_json(task.preparation.to_json()).apply(x)}
    assert all(row.tobytes() in prepared for name in SPLITS for row in task.split(name).x)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (ROWS, CLASSES, {}, "does not tell what a row is: `kind: table` reads it as 5 columns, `kind: series`"),
        (TOKENS, CLASSES, {}, "`kind: series` as a series, `kind: tokens` as sequences of tokens"),
        (RNG.random((N, 64, 9)), CLASSES, {}, "64 channels of 9 steps or 64 steps of 9 channels: `channels: first`"),
        (RNG.random((N, 8, 9, 6)), CLASSES, {}, "does not tell where the channels are: `channels: first` or"),
        (RNG.integers(-5, 5, (N, 8, 64)), CLASSES, {}, "may be images or series: `kind: image` or `kind: series`"),
        (WAVES, CLASSES, {"channels": "last"}, "without an axis of channels: leave out channels"),
        (WAVES, CLASSES, {"kind": "image"}, "image data are"),
        (IMAGES, np.eye(3)[CLASSES], {}, "`target: classification` reads the rows as one-hot classes"),
        (IMAGES, CLASSES + 0.5, {}, "y holds 0.5: .* `target: regression` asks for numbers"),
        (IMAGES, np.arange(N), {}, "every class needs at least 4, .*; `target: regression` if these are numbers"),
        (IMAGES, np.arange(N) // 9 * (np.arange(N) % 5), {}, "`target: regression` if these are numbers"),
        (IMAGES, np.array(["a", "b", "c"])[CLASSES], {"target": "regression"}, "y holds text, the first .*'a'"),
        (IMAGES, np.where(CLASSES, 1.0, np.nan), {"target": "regression"}, r"y holds \[nan\] in example 0"),
        (IMAGES, np.ones(N), {"target": "regression"}, "'number' is 1.0 in every example"),
        (IMAGES[:6], np.arange(6.0), {"target": "regression"}, "there are 6 examples; need at least 8"),
        (IMAGES, CLASSES, {"target": "multilabel"}, "labels of a multilabel task are .* of 0 and 1"),
        (IMAGES, np.eye(N)[:, :3], {"target": "multilabel"}, "label 'label 0' is set in 1 of 120 examples"),
        (IMAGES, np.array(["lo", "hi", "mid"])[CLASSES], {"target": "ordinal"}, "need `order`, from the lowest"),
        (
            IMAGES,
            np.array(["lo", "hi", "mid"])[CLASSES],
            {"target": {"kind": "ordinal", "order": ["lo", "hi"]}},
            "order does not have class 'mid'; the data hold hi, lo, mid",
        ),
        (IMAGES, CLASSES, {"target": {"kind": "regression", "order": ["a", "b"]}}, "order goes with ordinal"),
        (TOKENS, CLASSES, {"kind": "tokens", "vocabulary": 5}, r"tokens are whole numbers 0\.\.4, not 6"),
        (TOKENS - 1, CLASSES, {"kind": "tokens"}, r"not -1"),
        (TOKENS * 1000, CLASSES, {"kind": "tokens"}, "a vocabulary of 6,001 tokens: at most 512"),
        (TOKENS / 2, CLASSES, {"kind": "tokens"}, "with fractions: tokens are whole numbers"),
        (np.where(IMAGES > 250, np.nan, 1.0), CLASSES, {}, "only series and tables may have gaps"),
        (IMAGES, CLASSES, {"kind": "image", "inputs": "table"}, "two names of one thing"),
        (ROWS, CLASSES, {"kind": "table", "resize": 4}, "resize: a table has no sides"),
        (ROWS, CLASSES, {"kind": "table", "transforms": [{"rotate": 90}]}, "rotate goes with image and series data"),
        (
            ROWS,
            ROWS[:, 0],
            {"kind": "table", "target": "regression", "transforms": [{"classes": [0, 1]}]},
            "classes goe",
        ),
        (IMAGES[:30], np.arange(30) % 10, {}, "class 0, .* 5 more has 3 examples: .* test part of your own 3 are"),
        (IMAGES, CLASSES, {"memory": "1 MB", "kind": "image", "resize": 8}, None),
        (
            IMAGES,
            CLASSES,
            {"memory": "0.01 MB"},
            "would need 30,720 bytes of memory: at most 10,000 .* `memory: 4 GiB`",
        ),
    ],
)
def test_what_may_be_meant_otherwise_is_asked(x: Any, y: Any, options: dict[str, Any], message: str | None) -> None:
    """One sentence that names the key, or the right reading; never a silent guess."""
    if message is None:
        assert made(x, y, **options).shape.channels == 1
        return
    with pytest.raises(InputError, match=message):
        made(x, y, **options)


def test_regression_is_standardised_and_comes_back(tmp_path: Path) -> None:
    """By the training split; centers and scales give the numbers of the source."""
    y = 3 * WAVES[:, :2].cumsum(axis=1) + 100
    task = made(WAVES, y, kind="series", target={"kind": "regression", "names": ["a", "b"], "units": ["kg", "m"]})
    assert (task.target.kind, task.target.names, task.preparation.units) == ("regression", ("a", "b"), ("kg", "m"))
    assert task.shape.classes == 2
    assert np.allclose(task.train.y.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(task.train.y.std(axis=0), 1, atol=1e-6)
    original = {tuple(row.round(4)) for row in y}
    assert all(tuple(row.round(4)) in original for row in task.target.original(task.test.y))
    assert "regression of a (" in task.reading
    assert again(task, tmp_path).digest == task.digest
    assert made(WAVES, y + 1, kind="series", target="regression").digest != task.digest


def test_numbers_are_split_by_their_quantiles() -> None:
    """Each split has low and high numbers in proportion; quantile outputs are one each."""
    y = RNG.lognormal(size=N)
    task = made(IMAGES, y, target={"kind": "regression", "quantiles": [0.1, 0.5, 0.9]})
    assert (task.shape.classes, task.target.outputs) == (3, 3)
    shares = [float((task.target.original(task.split(name).y) > np.median(y)).mean()) for name in SPLITS]
    assert all(0.35 < share < 0.65 for share in shares)


def test_labels_and_orders(tmp_path: Path) -> None:
    """Several labels at once, each in each split; classes in the order that a person states."""
    labels = np.stack([CLASSES == 0, RNG.random(N) < 0.3, RNG.random(N) < 0.15], axis=1)
    task = made(IMAGES, labels, target={"kind": "multilabel", "names": ["x", "y", "z"]})
    assert (task.shape.classes, task.train.y.dtype, task.target.names) == (3, np.float32, ("x", "y", "z"))
    assert all(task.split(name).y.mean(axis=0).min() > 0 for name in SPLITS)
    assert again(task, tmp_path).digest == task.digest
    words = np.array(["mid", "low", "high"])[CLASSES]
    ordinal = made(IMAGES, words, target={"kind": "ordinal", "order": ["low", "mid", "high"]})
    assert (ordinal.shape.classes, ordinal.target.names) == (2, ("low", "mid", "high"))
    assert ordinal.train.y.dtype == np.int64
    assert again(ordinal, tmp_path).target == ordinal.target
    assert made(IMAGES, CLASSES, target="ordinal").target.names == ("0", "1", "2")


def test_one_hot_rows_are_classes_where_a_person_says_so() -> None:
    """The same task as of numbers."""
    assert made(IMAGES, np.eye(3)[CLASSES], target="classification").digest == made(IMAGES, CLASSES).digest


def test_bytes_are_text() -> None:
    """HDF5 and MATLAB files give names of classes as bytes."""
    assert made(IMAGES, np.array([b"cat", b"dog"])[CLASSES % 2]).target.names == ("cat", "dog")


def test_series_of_unequal_lengths_and_gaps(tmp_path: Path) -> None:
    """Lists and NaN padding are one task: padded, filled with the mean, and marked in a channel of their own."""
    ragged = [row[: 20 + number % 13] for number, row in enumerate(WAVES)]
    task = made(ragged, kind="series")
    assert (task.shape.channels, task.shape.size) == (2, (32,))
    assert "unequal lengths and gaps marked in a channel" in task.reading
    assert np.isfinite(task.train.x).all()
    assert len(np.unique(task.train.x[:, 1])) == 2
    assert again(task, tmp_path).digest == task.digest
    prepare = Preparation.from_json(task.preparation.to_json()).apply
    rows = {row.tobytes() for row in task.test.x}
    assert sum(prepare(each[None]).tobytes() in rows for each in ragged) == len(task.test)
    holes = WAVES.copy()
    holes[::7, 5:9] = np.nan
    gappy = made(np.stack([holes, WAVES], axis=1), kind="series")
    assert gappy.shape.channels == 3
    assert "(gaps marked in a channel)" in gappy.reading
    smaller = made(ragged, kind="series", resize=16)
    assert (smaller.shape.channels, smaller.shape.size) == (2, (16,))
    with pytest.raises(InputError, match="unlike shapes"):
        made([np.zeros((2, 9)), np.zeros((3, 9))])


def test_parts_of_unlike_axes_are_told() -> None:
    """Grey training images and colour test images."""
    with pytest.raises(InputError, match=r"x_train has shape \(120, 8, 8\), x_test \(9, 8, 8, 3\): need equally many"):
        made(IMAGES, test=(np.zeros((9, 8, 8, 3)), CLASSES[:9]))


def test_a_longer_test_part_is_padded_alike() -> None:
    """Training series of 20 steps and test series of 32 are one task of 32."""
    task = made(WAVES[:, :20], test=(WAVES[:40], CLASSES[:40]), kind="series")
    assert (task.shape.size, len(task.test)) == ((32,), 40)


FRAME = pd.DataFrame(
    {
        "age": np.where(np.arange(N) % 9 == 0, np.nan, RNG.normal(40, 9, N)),
        "city": np.array(["Bern", "Oslo", "Rome", "Lima"])[RNG.integers(0, 4, N)],
        "member": RNG.random(N) < 0.5,
        "empty": np.full(N, np.nan),
    }
)


def test_a_data_frame_is_a_table(tmp_path: Path) -> None:
    """Its columns' types tell; missing values and unseen categories have features of their own."""
    task = made(FRAME, np.array(["no", "yes", "so"])[CLASSES])
    assert task.inputs == "table"
    assert task.shape.size == ()
    names = [column.name for column in task.preparation.columns]
    assert names == ["age", "city", "member"]
    assert "2 numeric columns (age, member) and 1 categorical (city of 4), 8 features" in task.reading
    assert "column 'empty' has no value and was left out" in task.reading or task.own is not None
    assert again(task, tmp_path).digest == task.digest
    raw = task.preparation.encode({"age": [40, None], "city": ["Bern", "Cairo"], "member": [1, 0]})
    prepared = task.preparation.apply(raw)
    assert prepared[1, 1] == 1  # age is missing
    assert prepared[1, 6] == 1  # the city is another
    numeric = made(FRAME, CLASSES, columns={"city": "ignore"})
    assert numeric.shape.channels == 3


def test_columns_of_pandas_that_may_lack_values() -> None:
    """Nullable numbers and strings, categories and answers of such types."""
    frame = pd.DataFrame(
        {
            "count": pd.array([None if k % 8 == 0 else k for k in range(N)], dtype="Int64"),
            "town": pd.Categorical(FRAME["city"]),
            "name": pd.array([None if k % 9 == 0 else "x" for k in range(N)], dtype="string"),
        }
    )
    task = made(frame, pd.Series(CLASSES, dtype="Int64"))
    assert [(column.categorical, column.missing) for column in task.preparation.columns] == [
        (False, True),
        (True, False),
        (True, True),
    ]
    assert made(frame, pd.Series(["a", "b", "c"], dtype="category").iloc[CLASSES]).target.names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("frame", "columns", "message"),
    [
        (FRAME.assign(when=pd.Timestamp("2026-01-01")), {}, "column 'when' holds dates"),
        (
            FRAME.assign(deep=[[1, 2]] * N),
            {},
            "column 'deep' holds lists: need numbers or text; `columns: {deep: ignor",
        ),
        (
            FRAME.assign(key=[f"id {k} {j}" for k in range(N) for j in range(1)]),
            {"city": "numeric"},
            "column 'city' hol",
        ),
        (FRAME, {"town": "ignore"}, "columns: there is no column 'town', only 'age'"),
        (FRAME[["age"]], {"age": "ignore"}, "columns: none is left"),
    ],
)
def test_frames_that_are_no_table(frame: pd.DataFrame, columns: dict[str, Any], message: str) -> None:
    """Dates, nested cells, text for numbers, unknown columns."""
    with pytest.raises(InputError, match=message):
        made(frame, columns=columns)


def test_numbers_of_a_table_keep_their_places_whatever_their_unit() -> None:
    """Scaled by quartiles of training, bent at the ends; a wild value does not squeeze the others."""
    wild = ROWS.copy()
    wild[0, 0] = 1e9
    for scale in (1.0, 1e-12, 1e12):
        task = made(wild * scale, kind="table")
        assert float(np.abs(task.train.x).max()) <= 3
        assert float(np.median(task.train.x[:, 0].std())) > 0.3


def test_groups_stay_together(tmp_path: Path) -> None:
    """No patient is in two splits, and every class is in each."""
    patients = np.repeat(np.arange(40), 3)
    task = made(np.broadcast_to(patients[:, None, None], (N, 4, 4)).astype(np.uint8), CLASSES, groups=patients)
    held = [set(np.unique(task.split(name).x).tolist()) for name in SPLITS]
    assert sum(map(len, held)) == len(set().union(*held)) == 40
    assert "40 groups kept together" in task.reading
    for name in SPLITS:
        values = [row[0, 0, 0] for row in task.split(name).x]
        assert len(values) == len(task.groups[name])
        assert len(set(zip(values, task.groups[name], strict=True))) == len(set(values)) == len(set(task.groups[name]))
    assert made(IMAGES).groups == {}
    with pytest.raises(InputError, match="groups do not go with the transformation classes"):
        made(IMAGES, CLASSES, groups=patients, transforms=[{"classes": [0, 1]}])
    assert again(task, tmp_path).digest == task.digest
    with pytest.raises(InputError, match="3 groups cannot be dealt out"):
        made(IMAGES, CLASSES, groups=np.arange(N) % 3)
    with pytest.raises(InputError, match="groups has shape"):
        made(IMAGES, CLASSES, groups=np.arange(7))


def test_a_validation_part_of_their_own(tmp_path: Path) -> None:
    """It is the validation split, whole; audits come from training."""
    task = made(
        IMAGES[:80], CLASSES[:80], validation=(IMAGES[80:100], CLASSES[80:100]), test=(IMAGES[100:], CLASSES[100:])
    )
    assert [len(task.split(name)) for name in SPLITS] == [68, 20, 12, 20]
    assert "validation and test as the source has them" in task.reading
    assert again(task, tmp_path).digest == task.digest


def test_examples_that_training_and_test_share_are_told() -> None:
    """A leak between parts is said, with its size."""
    x = RNG.random((N, 8, 8))
    task = made(x, CLASSES, test=(x[:60], CLASSES[:60]), duplicates="allow")
    assert "of 60 test examples are training or validation examples as well" in task.reading
    assert "as well" not in made(x[:60], CLASSES[:60], test=(x[60:], CLASSES[60:])).reading


def test_large_offsets_keep_their_digits() -> None:
    """Pressures in pascal and times in seconds since 1970 are moved before float32 would round them."""
    task = made(1.7e9 + WAVES, kind="series")
    plain = made(WAVES, kind="series")
    assert np.allclose(task.train.x, plain.train.x, atol=1e-4)
    rows = {row.tobytes() for row in Preparation.from_json(task.preparation.to_json()).apply(1.7e9 + WAVES)}
    assert all(row.tobytes() in rows for row in task.test.x)


def test_limit_and_resize_come_before_memory_is_counted(tmp_path: Path) -> None:
    """A file beyond the bound is read block by block; the same numbers as in memory."""
    x = RNG.integers(0, 255, (600, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "large.npz", x=x, y=np.arange(600) % 3)

    def load(**keys: Any) -> Task:
        return load_task(TaskSpec(**{"name": "t", "source": "npz", "path": "large.npz", **keys}), base=tmp_path)

    with pytest.raises(InputError, match=r"would need .* bytes of memory: at most 1,000,000 .* `limit`"):
        load(memory="1 MB")
    np.savez_compressed(tmp_path / "rows.npz", x=x[:, 0], y=np.arange(600) % 3)
    with pytest.raises(InputError, match="would need"):
        load(path="rows.npz", memory="0.05 MB", kind="table", limit=90)
    for keys in ({"limit": 90}, {"resize": 16}, {"limit": 300, "resize": 8}):
        assert load(memory="1 MB", **keys).digest == load(**keys).digest
    with pytest.raises(InputError, match="would need"):
        load(memory="0.1 MB", limit=300)


def test_many_images_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the task of the same arrays in memory, whichever part a split comes from."""
    x = RNG.integers(0, 255, (300, 9, 8, 3), dtype=np.uint8)
    y = np.arange(300) % 3
    np.savez(tmp_path / "many.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    spec = TaskSpec(name="t", source="npz", path="many.npz", audit_from="test")
    whole = load_task(spec, base=tmp_path)
    monkeypatch.setattr("selfnas.data.datasets._MANY_BYTES", 1)
    monkeypatch.setattr("selfnas.data.sources.members._BLOCK_BYTES", 7 * 9 * 8 * 3)
    assert load_task(spec, base=tmp_path).digest == whole.digest
