"""Task descriptions recognise a task in another guise, and tell unlike tasks apart."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path

import numpy as np
import pytest

from selfnas.data.datasets import Split
from selfnas.data.preparation import Preparation
from selfnas.data.probes import FEATURES, TaskDescription, describe, distance
from selfnas.data.targets import InputKind, Target
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape

INPUTS: dict[int, InputKind] = {1: "series", 2: "image"}


@functools.cache
def described(source: str, transform: str = "") -> TaskDescription:
    """A task of that source, with one transformation given as JSON."""
    steps = [json.loads(transform)] if transform else []
    spec = TaskSpec.model_validate({"name": "t", "source": source, "limit": 1500, "transforms": steps})
    return describe(load_task(spec, base=Path()), seed=0)


@pytest.mark.parametrize("transform", ['{"rotate": 90}', '{"permute_labels": 3}', '{"invert": true}'])
def test_guises_of_one_task_are_recognised(transform: str) -> None:
    """Turning, renaming and inverting change nothing but rounding."""
    assert distance(described("digits"), described("digits", transform)) < 0.01


def test_nearer_tasks_come_out_nearer() -> None:
    """Variant < other digits < series, from the point of view of the digits."""
    order = [
        distance(described("digits"), other)
        for other in (
            described("digits", '{"rotate": 180}'),
            described("digits", '{"noise": 0.5}'),
            described("digits", '{"classes": [0, 1, 2, 3, 4]}'),
            described("mnist5k"),
            described("mnist1d"),
        )
    ]
    assert order == sorted(order)
    assert order[-1] > 2 * order[-2]


def test_shuffled_pixels_are_not_the_same_task() -> None:
    """A convolution cannot use what it learned there, so the distance is that to another data set."""
    assert distance(described("digits"), described("digits", '{"permute_pixels": 1}')) > 0.1


def test_distance_is_symmetric_and_bounded() -> None:
    """Between 0 and 1, 0 for equal descriptions, the same both ways."""
    one, other = described("digits"), described("mnist1d")
    assert distance(one, one) == 0
    assert 0 < distance(one, other) == distance(other, one) <= 1


def test_same_seed_same_description_and_json_round_trip() -> None:
    """The description survives JSON exactly."""
    one = described("digits")
    task = load_task(TaskSpec(name="x", source="digits", limit=1500), base=Path())
    assert describe(task, seed=0) == one == TaskDescription.from_json(one.to_json())
    assert set(one.named()) == set(FEATURES)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"dimensions": 2}'])
def test_malformed_json_is_refused(text: str) -> None:
    """Anything else is refused, not guessed at."""
    with pytest.raises(InputError, match="task description"):
        TaskDescription.from_json(text)


def test_non_finite_values_are_refused() -> None:
    """A description with NaN cannot exist."""
    with pytest.raises(InputError, match="finite numbers"):
        TaskDescription(values=(float("nan"),) * len(FEATURES))


@pytest.mark.parametrize("size", [(96, 96), (20_000,)])
def test_large_and_degenerate_inputs_take_under_a_second(size: tuple[int, ...]) -> None:
    """Constant inputs give finite numbers; large inputs are seen through fewer examples (room for a loaded machine)."""
    part = Split(x=np.zeros((1000, 3, *size), np.float32), y=np.arange(1000) % 2)
    few = Split(x=part.x[:4], y=part.y[:4])
    target, inputs = Target.of_classes(2), INPUTS[len(size)]
    task = Task(
        name="t",
        shape=TaskShape(channels=3, size=size, classes=2),
        train=part,
        validation=few,
        audit=few,
        test=few,
        target=target,
        inputs=inputs,
        preparation=Preparation(inputs=inputs, raw=(3, *size), dtype="float32", steps=(), target=target),
        digest="none",
    )
    start = time.process_time()
    describe(task, seed=0)
    assert time.process_time() - start < 5


def test_every_kind_of_task_is_described() -> None:
    """Tables, numbers, labels, orders and tokens; a task of numbers is near the same task of their classes."""
    rng = np.random.default_rng(0)
    n = 160
    rows = rng.standard_normal((n, 6))
    price = rows[:, :2].sum(axis=1) + 0.1 * rng.standard_normal(n)
    classes = np.digitize(price, np.quantile(price, np.arange(1, 8) / 8))
    made = {
        "numbers": Task.from_arrays(rows, price, name="t", kind="table", target="regression"),
        "classes": Task.from_arrays(rows, classes, name="t", kind="table"),
        "orders": Task.from_arrays(rows, classes, name="t", kind="table", target="ordinal"),
        "labels": Task.from_arrays(rows, rows[:, :3] > 0, name="t", kind="table", target="multilabel"),
        "tokens": Task.from_arrays(rng.integers(0, 4, (n, 12)), classes, name="t", kind="tokens"),
        "series": Task.from_arrays(rng.standard_normal((n, 1, 40)).cumsum(axis=2), classes, name="t", kind="series"),
        "images": Task.from_arrays(rng.integers(0, 99, (n, 8, 8)), classes, name="t", kind="image"),
    }
    found = {name: describe(task, seed=0) for name, task in made.items()}
    assert found["classes"] == found["orders"]
    assert distance(found["numbers"], found["classes"]) < 0.1
    assert distance(found["numbers"], found["series"]) > 0.2
    assert distance(found["numbers"], found["images"]) > 0.2
