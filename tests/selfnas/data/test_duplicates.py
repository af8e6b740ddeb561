"""Examples that a source holds more than once: found before training, in one split, allowed or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from selfnas.data.spec import TaskSpec
from selfnas.data.splits.duplicates import joined_groups
from selfnas.data.tasks import SPLITS, Task, load_task
from selfnas.errors import InputError
from selfnas.training.cross_validation import held_out

DISTINCT, COPIES = 100, 4
HOW: tuple[Literal["refuse"] | None, ...] = (None, "refuse")


def images(count: int, *, seed: int = 0) -> NDArray[np.float64]:
    """`(count, 8, 8)` images, all different."""
    return np.random.default_rng(seed).random((count, 8, 8))


def repeated() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each image four times, in random order, with one coin toss each for a label."""
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(DISTINCT), COPIES))
    return images(DISTINCT)[order], (np.random.default_rng(2).permutation(DISTINCT) % 2)[order]


def shared(task: Task) -> dict[str, int]:
    """By split, how many of its examples are in another one too."""
    rows = {name: [row.tobytes() for row in task.split(name).x] for name in SPLITS}
    others = {name: {row for other in SPLITS if other != name for row in rows[other]} for name in SPLITS}
    return {name: sum(row in others[name] for row in mine) for name, mine in rows.items()}


def test_copies_of_an_example_stay_in_one_split() -> None:
    """By default; nothing is lost, the shares are nearly kept, and a line says how many there are."""
    task = Task.from_arrays(*repeated(), name="t")
    assert set(shared(task).values()) == {0}
    sizes = [len(task.split(name)) for name in SPLITS]
    assert sum(sizes) == DISTINCT * COPIES
    assert all(abs(size - wanted) <= 0.5 * wanted for size, wanted in zip(sizes, (224, 48, 48, 80), strict=True))
    assert "300 examples equal an earlier one and stay with it in one split" in task.reading


def test_copies_are_one_group_in_folds_too() -> None:
    """Folds of small tasks are made of the groups that a task names."""
    task = Task.from_arrays(*repeated(), name="t")
    for name in SPLITS:
        rows = [row.tobytes() for row in task.split(name).x]
        assert len(set(zip(rows, task.groups[name], strict=True))) == len(set(rows)) == len(set(task.groups[name]))


@pytest.mark.parametrize("seed", range(3))
def test_copies_with_answers_of_their_own_cross_no_split_and_no_fold(seed: int, tmp_path: Path) -> None:
    """Noise, each image six times, each time with another coin toss: nobody is asked about what was taught."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(np.repeat(np.arange(250), 6))
    x, y = chance.random((250, 8, 8))[order], chance.integers(0, 2, 1500)
    np.savez(tmp_path / "noise.npz", x=x, y=y)
    task = load_task(TaskSpec(name="noise", source="npz", path="noise.npz"), base=tmp_path)
    assert set(shared(task).values()) == {0}
    assert sum(len(task.split(name)) for name in SPLITS) == 1500
    rows = [row.tobytes() for name in ("train", "validation") for row in task.split(name).x]
    groups = [*task.groups["train"], *task.groups["validation"]]
    answers = np.concatenate([task.train.y, task.validation.y])
    parts = held_out(answers, task.target, folds=3, seed=seed, groups=groups)
    asked = [{rows[row] for row in part} for part in parts]
    assert sum(map(len, asked)) == len(set(rows)) == len(set.union(*asked))


def test_a_stream_allows_or_refuses_copies() -> None:
    """`allow` leaves them where they fall and says what that means; `refuse` stops, and counts them."""
    task = Task.from_arrays(*repeated(), name="t", duplicates="allow")
    assert shared(task)["test"] > 0.5 * len(task.test)
    assert "test examples are training or validation examples as well" in task.reading
    with pytest.raises(InputError, match=r"300 examples equal an earlier one .*: the stream refuses that"):
        Task.from_arrays(*repeated(), name="t", duplicates="refuse")
    x, y = images(80), np.arange(80) % 2
    plain, refusing = (Task.from_arrays(x, y, name="t", duplicates=how) for how in HOW)
    assert plain.digest == refusing.digest


def test_what_the_test_part_holds_is_left_out_of_training() -> None:
    """The test part stays whole; of training, what stands there too goes."""
    x, y = images(200), np.arange(200) % 2
    task = Task.from_arrays(x, y, name="t", test=(x[:60], y[:60]))
    assert set(shared(task).values()) == {0}
    assert len(task.test) == 60
    assert sum(len(task.split(name)) for name in SPLITS) == 200
    assert "60 training examples that a later part holds too are left out" in task.reading


def test_validation_gives_way_to_test() -> None:
    """Of three parts, each example stays in the last that holds it."""
    x, y = images(200), np.arange(200) % 2
    task = Task.from_arrays(x[:140], y[:140], name="t", validation=(x[120:170], y[120:170]), test=(x[150:], y[150:]))
    assert set(shared(task).values()) == {0}
    assert (len(task.validation), len(task.test)) == (30, 50)
    assert "20 validation examples that a later part holds too are left out" in task.reading


def test_copies_with_another_answer_are_counted() -> None:
    """They are told apart from repetitions."""
    x = images(80)
    task = Task.from_arrays(np.concatenate([x, x[:10]]), np.r_[np.arange(80) % 2, (np.arange(10) + 1) % 2], name="t")
    assert "10 examples equal an earlier one (10 with another answer)" in task.reading
    assert set(shared(task).values()) == {0}


def test_groups_that_share_an_example_are_one() -> None:
    """Also by way of a third; all others keep their number."""
    groups = np.array([5, 5, 7, 7, 2, 2, 9], dtype=np.int64)
    found = np.array([1, 2, 2, 3, 3, 4, 8], dtype=np.uint64)
    assert joined_groups(groups, found).tolist() == [2, 2, 2, 2, 2, 2, 9]
    assert joined_groups(groups, np.arange(7, dtype=np.uint64)).tolist() == groups.tolist()
    x, y = repeated()
    task = Task.from_arrays(x, y, name="t", groups=np.arange(len(x)) % 390)
    assert set(shared(task).values()) == {0}


def test_too_few_distinct_examples_are_asked_about() -> None:
    """Rows that can only be told apart by repeating them: a person may say that they are examples of their own."""
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    x, y = np.tile(rows, (40, 1)), np.tile([0, 1, 1], 40)
    with pytest.raises(InputError, match=r"of 120 training examples 3 are distinct; .*`duplicates: allow`"):
        Task.from_arrays(x, y, name="t", kind="table")
    assert len(Task.from_arrays(x, y, name="t", kind="table", duplicates="allow").test) == 24


def test_a_limit_is_kept_with_copies() -> None:
    """Never more than were asked for."""
    for limit in (60, 150, 399):
        task = Task.from_arrays(*repeated(), name="t", limit=limit)
        assert sum(len(task.split(name)) for name in SPLITS) <= limit
        assert set(shared(task).values()) == {0}


def test_near_copies_are_told_and_can_be_refused() -> None:
    """A hundredth of noise does not make another example; examples that are merely alike are none."""
    x, y = images(200), np.arange(200) % 2
    noise = np.random.default_rng(3).standard_normal((60, 8, 8))
    near = (x[:60] + 0.005 * noise, y[:60])
    told = Task.from_arrays(x, y, name="t", test=near).reading
    assert "52 of 60 test examples are nearly the same as a training example" in told  # others were cut off for audits
    assert "nearly" not in Task.from_arrays(x, y, name="t", test=(x[:60] + 0.3 * noise, y[:60])).reading
    with pytest.raises(InputError, match="nearly the same as a training example: the stream refuses that"):
        Task.from_arrays(x, y, name="t", test=near, duplicates="refuse")


@pytest.mark.parametrize("source", ["digits", "mnist1d"])
def test_packaged_sources_repeat_nothing(source: str) -> None:
    """Their splits are those of earlier releases, and no line speaks of copies."""
    task = load_task(TaskSpec(name="t", source=source), base=Path())
    assert "equal" not in task.reading
    assert "nearly" not in task.reading
    assert task.groups == {}


def test_a_file_read_block_by_block_has_the_same_copies(tmp_path: Path) -> None:
    """Prints do not hang on whether the whole fits in memory."""
    x, y = repeated()
    large = np.repeat(np.repeat(x, 16, axis=1), 16, axis=2).astype(np.float32)
    np.savez(tmp_path / "large.npz", x=large, y=y)
    whole, streamed = (
        load_task(TaskSpec(name="t", source="npz", path="large.npz", resize=8, memory=memory), base=tmp_path)
        for memory in ("1 GiB", "2 MiB")
    )
    assert whole.digest == streamed.digest
    assert set(shared(streamed).values()) == {0}
