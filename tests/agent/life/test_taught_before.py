"""What a stream is told before it is lived of tasks that test on what an earlier task is taught."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.life.preparation import prepare
from agent.stream.file import read_stream
from selfnas.data.tasks import Task, TaskSpec, load_task

STREAM = """\
stream: taught
format: 1
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
tasks:
"""
TASK = "  - {{name: {0}, source: npz, path: {0}.npz}}\n"


def notices(place: Path, *names: str) -> list[str]:
    """Of a stream of these tasks, what it is told about examples of tasks."""
    (place / "stream.yaml").write_text(STREAM + "".join(TASK.format(name) for name in names))
    told = prepare(read_stream(place / "stream.yaml")).notices
    return [notice for notice in told if "test examples are" in notice]


def write(place: Path, name: str, x: NDArray[np.float64], *, test: NDArray[np.float64]) -> None:
    """A task of two classes with a test part of its own."""
    y, y_test = np.arange(len(x)) % 2, np.arange(len(test)) % 2
    np.savez(place / f"{name}.npz", x_train=x, y_train=y, x_test=test, y_test=y_test)


def among(task: Task, x: NDArray[np.float64], *splits: str) -> NDArray[np.bool_]:
    """Which of some raw examples are in splits of a task, as it prepares them."""
    rows = np.concatenate([task.split(name).x for name in splits]).reshape(-1, 64)
    prepared = np.asarray(task.preparation.apply(x)).reshape(-1, 64)
    return np.array([bool(np.isclose(rows, one, atol=1e-5).all(axis=1).any()) for one in prepared])


def test_a_task_that_tests_on_what_an_earlier_task_is_taught_is_told(tmp_path: Path) -> None:
    """How many of its test examples, and of which task; not what that task is only audited or tested on."""
    first, second, fresh = np.random.default_rng(0).random((3, 200, 8, 8))
    write(tmp_path, "one", first, test=fresh[:60])
    write(tmp_path, "two", second, test=np.concatenate([first[:50], fresh[:40]]))
    write(tmp_path, "apart", fresh[60:], test=fresh[:60])
    one = load_task(TaskSpec(name="one", source="npz", path="one.npz"), base=tmp_path)
    two = load_task(TaskSpec(name="two", source="npz", path="two.npz"), base=tmp_path)
    taught = among(one, first[:50], "train", "validation")
    count = sum(among(two, first[:50], "test") & taught)
    assert 0 < count < len(two.test)
    told = f"task two: {count} of its {len(two.test)} test examples are training or validation examples of task one"
    assert notices(tmp_path, "one", "two") == [told]
    assert notices(tmp_path, "two", "one") == []
    assert notices(tmp_path, "one", "apart") == []


def test_each_earlier_task_is_named(tmp_path: Path) -> None:
    """One sentence for each task that taught them, not only for the one before."""
    first, second, third = np.random.default_rng(1).random((3, 200, 8, 8))
    write(tmp_path, "one", first, test=third[:40])
    write(tmp_path, "two", second, test=third[40:80])
    write(tmp_path, "three", third[80:], test=np.concatenate([first[:50], second[:50]]))
    told = notices(tmp_path, "one", "two", "three")
    assert [notice.rpartition("task ")[2] for notice in told] == ["one", "two"]
    assert all(notice.startswith("task three: ") for notice in told)
