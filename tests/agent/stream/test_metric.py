"""What a task is measured by is named by kind or by task, and held to the data before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.life.preparation import prepare
from agent.stream.file import Stream, read_stream
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError

STREAM = """\
stream: one
format: 1
metric: {regression: mae}
tasks:
  - {name: prices, source: npz, path: prices.npz, kind: table, target: regression}
  - {name: other, source: npz, path: prices.npz, kind: table, target: regression, metric: rmse}
  - {name: digits, source: digits, limit: 200}
"""


def written(place: Path, text: str) -> Path:
    """A stream beside the data that it names."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5))
    np.savez(place / "prices.npz", x=x, y=x.sum(1))
    path = place / "stream.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_goes_before_its_stream_and_a_stream_before_the_kind(tmp_path: Path) -> None:
    """In this order, and what is prepared has the result."""
    prepared = prepare(read_stream(written(tmp_path, STREAM)))
    assert [task.metric for task in prepared.tasks] == ["mae", "rmse", "accuracy"]
    assert [task.kind for task in prepared.tasks] == ["regression", "regression", "classification"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mae}", "maee}", "stream.yaml:3:10: metric of regression: unknown 'maee'; did you mean 'mae'?"),
        ("rmse", "rsme", "stream.yaml:6:83: metric: unknown 'rsme'; did you mean 'rmse'?"),
        (
            "rmse",
            "f1",
            "stream.yaml:6:83: task 'other': metric 'f1' does not fit regression: it can have mae, rmse, r2",
        ),
        ("mae}", "pinball}", "stream.yaml:3:10: task 'prices': metric 'pinball' does not fit regression"),
    ],
)
def test_a_metric_that_there_is_not_is_refused_at_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Unknown, or of another kind of task."""
    with pytest.raises(InputError) as refused:
        prepare(read_stream(written(tmp_path, STREAM.replace(old, new, 1))))
    assert message in str(refused.value)


def test_metrics_of_a_task_are_of_every_kind() -> None:
    """Whatever its data turn out to be."""
    stream = Stream(stream="one", format=1, tasks=[TaskSpec(name="t", source="digits", metric="f1")])
    assert set(stream.metrics_of(stream.tasks[0]).values()) == {"f1"}
