"""Tasks: disjoint splits, the same on every run, and clear refusals."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from selfnas.data.tasks import SPLITS, Nuisance, Task, TaskSpec, load_task
from selfnas.documents import StrictModel, parse_document
from selfnas.errors import InputError, ShapeError

DATA = Path(os.environ.get("SELFNAS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "tasks"


def load(base: Path = Path(), **keys: object) -> Task:
    """A task from the keys of a stream file."""
    return load_task(TaskSpec.model_validate({"name": "t", **keys}), base=base)


def saved(path: Path, **arrays: np.ndarray) -> Path:
    """A folder with `data.npz`."""
    np.savez(path / "data.npz", **arrays)
    return path


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """200 images whose pixels all say which example they are; two classes, one of them rare."""
    x = np.broadcast_to(np.arange(200)[:, None, None], (200, 4, 4)).astype(np.uint8)
    return saved(tmp_path, x=x, y=(np.arange(200) % 10 == 0).astype(int))


def test_splits_are_disjoint_and_use_every_example_once(numbered: Path) -> None:
    """No example is in two splits, none is lost, and each class is in each split in proportion."""
    task = load(numbered, source="npz", path="data.npz")
    values = np.concatenate([task.split(name).x[:, 0, 0, 0] for name in SPLITS])
    assert len(np.unique(values)) == len(values) == 200
    assert {name: int(task.split(name).y.sum()) for name in SPLITS} == {
        "train": 12,
        "validation": 2,
        "audit": 2,
        "test": 4,
    }


def test_standardised_by_train(numbered: Path) -> None:
    """Train has mean 0 and deviation 1; the others are moved by the same numbers."""
    task = load(numbered, source="npz", path="data.npz", limit=100)
    assert abs(float(task.train.x.mean())) < 1e-6
    assert float(task.train.x.std()) == pytest.approx(1, abs=1e-5)
    assert task.validation.x.mean() != 0


def test_same_spec_same_task_other_seed_other_split() -> None:
    """The digest is reproducible, depends on the split seed and not on the name."""
    first = load(source="digits", limit=300)
    assert load(source="digits", limit=300, name="other").digest == first.digest
    assert load(source="digits", limit=300, split_seed=1).digest != first.digest
    assert len(first.digest) == 64


def test_own_test_part_is_kept(tmp_path: Path) -> None:
    """Examples of `x_test` are the test split, all of them and nothing else."""
    x = np.random.default_rng(0).integers(0, 255, (1100, 4, 4), dtype=np.uint8)
    y = np.arange(1100) % 2
    task = load(
        saved(tmp_path, x_train=x[:800], y_train=y[:800], x_test=x[800:], y_test=y[800:]), source="npz", path="data.npz"
    )
    assert [len(task.split(name)) for name in SPLITS] == [560, 120, 120, 300]
    assert np.array_equal(task.test.y, y[800:])


def test_limit_keeps_classes_in_proportion() -> None:
    """A hundred digits have ten of each class."""
    task = load(source="digits", limit=100)
    counts = np.bincount(np.concatenate([task.split(name).y for name in SPLITS]))
    assert 90 <= counts.sum() <= 100
    assert counts.max() - counts.min() <= 1


def test_resize_averages_areas(tmp_path: Path) -> None:
    """Halving a side is 2x2 average pooling; a fraction is weighted."""
    x = np.random.default_rng(0).standard_normal((40, 8, 8)).astype(np.float32)
    base = saved(tmp_path, x=x, y=np.arange(40) % 2)
    whole, half = (load(base, source="npz", path="data.npz", resize=side) for side in (8, 4))
    pooled = whole.train.x.reshape(-1, 1, 4, 2, 4, 2).mean(axis=(3, 5))
    assert np.allclose((pooled - pooled.mean()) / pooled.std(), half.train.x, atol=1e-4)
    assert load(base, source="npz", path="data.npz", resize=5).shape.size == (5, 5)
    with pytest.raises(InputError, match="resize: cannot make 9 out of a side of 8"):
        load(base, source="npz", path="data.npz", resize=9)


def test_transforms_and_named_regions_reach_the_task() -> None:
    """Planted and named nuisances are listed in the finished input's coordinates."""
    task = load(
        source="digits",
        limit=400,
        transforms=[{"nuisance": {"name": "tag", "region": [[0, 2], [0, 3]], "correlation": 1.0}}, {"rotate": 180}],
        nuisances=[{"name": "border", "region": [[0, 1], [0, 8]]}],
    )
    assert task.nuisances == (
        Nuisance(name="tag", region=((6, 8), (5, 8))),
        Nuisance(name="border", region=((0, 1), (0, 8))),
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(40, int), "there is one class; need at least 2"),
        (np.r_[np.zeros(38, int), 1, 1], "class 1 has 2 examples: every class needs at least 4, one for each split"),
    ],
)
def test_too_few_classes_or_examples(tmp_path: Path, y: np.ndarray, message: str) -> None:
    """Data that cannot fill four splits are refused with the class's own name."""
    base = saved(tmp_path, x=np.zeros((40, 4, 4), np.uint8), y=y)
    with pytest.raises(InputError, match=f"task 't': {message}"):
        load(base, source="npz", path="data.npz")


def test_empty_data_are_refused(tmp_path: Path) -> None:
    """No examples at all."""
    with pytest.raises(InputError, match="there are no examples"):
        load(saved(tmp_path, x=np.zeros((0, 4, 4), np.uint8), y=np.zeros(0, int)), source="npz", path="data.npz")


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("test", "train")])
def test_classes_missing_from_a_part(tmp_path: Path, train: str, test: str) -> None:
    """A class that only one of the two parts has is named."""
    parts = {train: np.arange(20) % 3, test: np.arange(20) % 2}
    x = np.zeros((20, 4, 4), np.uint8)
    base = saved(tmp_path, x_train=x, y_train=parts["train"], x_test=x, y_test=parts["test"])
    with pytest.raises(InputError, match=f"class 2 is in the {train} part but missing from the {test} part"):
        load(base, source="npz", path="data.npz")


def test_problems_are_reported_at_their_place() -> None:
    """A caller with the file turns the place inside the spec into line and column."""

    class Stream(StrictModel):
        tasks: list[TaskSpec]

    text = "tasks:\n  - name: t\n    source: digits\n    transforms:\n      - classes: [0, 99]\n"
    document = parse_document(text, Stream, name="s.yaml")
    with pytest.raises(InputError, match=r"^s.yaml:5:9: task 't': classes: there is no class 99, only 0..9$"):
        load_task(
            document.value.tasks[0],
            base=Path(),
            report=lambda place, message: document.problem(("tasks", 0, *place), message),
        )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "../up", "source": "digits"}, "letters, digits"),
        ({"name": "a\n", "source": "digits"}, "letters, digits"),
        ({"name": "a", "source": "npz"}, "source npz needs a path"),
        ({"name": "a", "source": "digits", "path": "x.npz"}, "path goes with source npz"),
        ({"name": "a", "source": "npz", "path": "a\0b"}, "name of a file or folder"),
        ({"name": "a", "source": "digits", "limit": 0}, "greater than or equal to 8"),
    ],
)
def test_malformed_specs_are_refused(keys: dict[str, object], message: str) -> None:
    """Impossible values never become a spec."""
    with pytest.raises(ValidationError, match=message):
        TaskSpec.model_validate(keys)


def test_an_unknown_source_is_refused_with_what_is_known() -> None:
    """It may be of a plug-in, so that it is looked up when a task is loaded."""
    known = "digits, mnist5k, mnist1d, npz, npy, csv, parquet, folder, ts, table"
    with pytest.raises(InputError, match=f"unknown source 'cifar10'; known: {known}"):
        load(source="cifar10")


def test_limit_too_small_for_the_classes() -> None:
    """Ten classes in four splits need forty examples, and more where a class is rarer than the others."""
    with pytest.raises(InputError, match=r"limit 30 is too small: class '8' .* 2 of its 174 .*, and needs 4; .* 42"):
        load(source="digits", limit=30)
    assert sum(len(load(source="digits", limit=42).split(name)) for name in SPLITS) <= 42


def test_a_limit_is_kept_with_rare_classes(tmp_path: Path) -> None:
    """Never more examples than the limit, and classes in their proportion, or a sentence."""
    y = np.concatenate([np.zeros(1000, int), np.repeat(np.arange(1, 10), 10)])
    base = saved(tmp_path, x=np.random.default_rng(0).random((len(y), 8, 8)), y=y)
    with pytest.raises(InputError, match="class '1' would keep 0 of its 10 examples, and needs 4; need at least 436"):
        load(base, source="npz", path="data.npz", limit=100)
    task = load(base, source="npz", path="data.npz", limit=440)
    assert sum(len(task.split(name)) for name in SPLITS) <= 440
    every = np.concatenate([task.split(name).y for name in SPLITS])
    assert float((every == 0).mean()) == pytest.approx(1000 / 1090, abs=0.01)


def test_named_region_must_fit() -> None:
    """A region outside the input is refused with the bounds."""
    with pytest.raises(InputError, match=r"\[0, 9\] does not fit a side of 8"):
        load(source="digits", nuisances=[{"name": "n", "region": [[0, 9], [0, 1]]}])


def test_task_checks_itself() -> None:
    """A split or label that does not fit the shape cannot be part of a task."""
    task = load(source="digits", limit=100)
    with pytest.raises(ShapeError, match="examples of shape"):
        replace(task, shape=replace(task.shape, size=(8, 9)))
    with pytest.raises(ShapeError, match="10 outputs do not fit"):
        replace(task, shape=replace(task.shape, classes=5))
    with pytest.raises(ShapeError, match="not 'tests'"):
        task.split("tests")


@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real data")
@pytest.mark.parametrize(
    ("name", "shape"),
    [("usps", (1, 16, 16, 10)), ("cifar10_16px_12k", (3, 16, 16, 10)), ("ts_JapaneseVowels", (12, 25, 9))],
)
def test_real_data_load(name: str, shape: tuple[int, ...]) -> None:
    """A person's own files become tasks of the right shape."""
    task = load(DATA, source="npz", path=f"{name}.npz")
    assert (task.shape.channels, *task.shape.size, task.shape.classes) == shape


def test_a_test_part_is_left_whole_unless_a_person_says_otherwise(tmp_path: Path) -> None:
    """The audit split comes from training; on request, where that is too small, from the test part."""
    rng = np.random.default_rng(0)
    x = rng.random((600, 2, 12)).astype(np.float32)
    y = np.arange(600) % 3
    np.savez(tmp_path / "small.npz", x_train=x[:240], y_train=y[:240], x_test=x[240:], y_test=y[240:])
    spec = TaskSpec(name="small", source="npz", path="small.npz", kind="series")
    whole = load_task(spec, base=tmp_path)
    assert (len(whole.train), len(whole.validation), len(whole.audit), len(whole.test)) == (168, 36, 36, 360)
    assert whole.reading.endswith("split 168/36/36/360 (train/validation/audit/test), test as the source has it")
    task = load_task(spec.model_copy(update={"audit_from": "test"}), base=tmp_path)
    assert (len(task.train), len(task.validation), len(task.audit), len(task.test)) == (204, 36, 108, 252)
    rows = np.concatenate([task.split(name).x for name in ("train", "validation", "audit", "test")])
    assert len(np.unique(rows.reshape(600, -1), axis=0)) == 600
