"""A whole network does with raw tensors what preparation and network do with arrays, and its file says the same."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from selfnas.data.originals import originals
from selfnas.data.preparation import (
    AmplitudeStep,
    Column,
    ColumnStep,
    FillStep,
    LayoutStep,
    OneHotStep,
    PadStep,
    Preparation,
    ReorderStep,
    ResizeStep,
    ScaleStep,
    Step,
    TurnStep,
)
from selfnas.data.targets import Axes, Target
from selfnas.data.tasks import Task, TaskSpec, load_task, read_source
from selfnas.training.exported import FACTS, check, described, whole_program
from selfnas.training.metrics import default_metric, measure
from selfnas.training.outputs import predicted
from selfnas.training.whole import OUTPUTS, PreparedInputs, WholeNetwork, in_tensors

RNG = np.random.default_rng(0)
CLASSES = Target.of_classes(3)
NUMBER = Target(kind="regression", names=("price", "size"), center=(10.0, -2.0), scale=(3.0, 0.5))
GAPS = RNG.random((7, 2, 12))
GAPS[RNG.random(GAPS.shape) < 0.2] = np.nan
ROWS = np.stack([RNG.random(7) * 90, RNG.integers(0, 4, 7), RNG.random(7), RNG.integers(0, 2, 7)], axis=1)
ROWS[1], ROWS[2, 1], ROWS[3, 3], ROWS[4, 3] = np.nan, np.nan, 5, -1
SCALE = ScaleStep(center=(0.3, 0.1), scale=(0.7, 0.2))
AMPLITUDE = AmplitudeStep(channels=(1,), floor=(0.05,), unit=(0.3,))
LOUD = AmplitudeStep(channels=(0,), floor=(0.1,), unit=(1.0,))
COLUMNS = ColumnStep(
    columns=(
        Column(name="age", center=30.0, factor=0.1, missing=True),
        Column(name="city", categories=("Bern", "Oslo", "Rome"), kept=(0, 2)),
        Column(name="mass", center=0.5, factor=4.0),
        Column(name="wet", categories=("no", "yes"), kept=(1,), missing=True),
    )
)
# By name: axes of a raw example, steps after the layout, raw examples.
PREPARED: dict[str, tuple[Axes, tuple[Step, ...], NDArray[Any]]] = {
    "grey image": ("hw", (ScaleStep(center=(99.0,), scale=(50.0,)),), RNG.integers(0, 255, (7, 6, 8), dtype=np.uint8)),
    "colours last": ("hwc", (ResizeStep(size=(4, 5)), TurnStep(turns=3)), RNG.random((7, 6, 8, 3))),
    "colours first": ("chw", (ReorderStep(order=tuple(range(48))[::-1]),), RNG.random((7, 3, 6, 8)).astype("f4")),
    "series far from 0": ("cl", (SCALE,), RNG.random((7, 2, 12)) * 1e-3 + 1e6),
    "series": ("l", (PadStep(length=9), TurnStep(turns=2)), RNG.integers(-9, 9, (7, 12))),
    "series with gaps": ("cl", (PadStep(length=15), SCALE, FillStep()), GAPS),
    "series of their own amplitude": ("cl", (AMPLITUDE, FillStep()), GAPS),
    "series made shorter": ("lc", (ResizeStep(size=(5,)), SCALE, FillStep()), GAPS.transpose(0, 2, 1)),
    "tokens": ("l", (OneHotStep(size=5),), RNG.integers(0, 7, (7, 12))),
    "table": ("f", (COLUMNS,), ROWS),
    "table of numbers": ("f", (ColumnStep(columns=COLUMNS.columns[2:3]),), ROWS[:, 2:3]),
    "table of codes": ("f", (ColumnStep(columns=COLUMNS.columns[1:2]),), ROWS[:, 1:2]),
}


def preparation(name: str, target: Target = CLASSES) -> Preparation:
    """One of them."""
    axes, steps, raw = PREPARED[name]
    offset = (1e6, 1e6) if "far" in name else ()
    first = () if axes == "f" else (LayoutStep(axes=axes, offset=offset),)
    return Preparation(inputs="image", raw=raw.shape[1:], dtype=raw.dtype.name, steps=(*first, *steps), target=target)


def whole_of(prepared: Preparation, raw: NDArray[Any]) -> WholeNetwork:
    """A small network behind a preparation."""
    features = prepared.apply(raw)[0].size
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(features, prepared.target.outputs))
    return WholeNetwork(network, prepared).eval()


@pytest.mark.parametrize("name", PREPARED)
def test_tensors_are_prepared_as_arrays_are(name: str) -> None:
    """To the last bits of float32; and the file takes a batch of any size and numbers of any type."""
    prepared, raw = preparation(name), PREPARED[name][2]
    found = PreparedInputs(prepared)(torch.from_numpy(raw)).numpy()
    np.testing.assert_allclose(found, prepared.apply(raw), rtol=3e-7, atol=3e-7)
    whole = whole_of(prepared, raw)
    content = whole_program(whole, prepared, {"a": 1})
    held = {FACTS: ""}
    module = torch.export.load(io.BytesIO(content), extra_files=held).module()
    assert json.loads(held[FACTS]) == {"a": 1}
    wanted = whole(torch.from_numpy(raw))
    for count in (1, 7):
        for dtype in (raw.dtype, np.float64):
            answers = module(torch.from_numpy(raw[:count].astype(dtype)))
            torch.testing.assert_close(answers["logits"], wanted["logits"][:count])
    assert list(module(torch.from_numpy(raw))) == list(OUTPUTS["classification"]) == list(whole.described)


def test_every_step_has_its_tensors() -> None:
    """One that has not is refused, rather than left out."""
    used = {type(step) for name in PREPARED for step in preparation(name).steps}
    assert used == set(Step.__args__)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="str is no step"):
        in_tensors("scale")


TARGETS = {
    "classification": CLASSES,
    "ordinal": Target(kind="ordinal", names=("low", "mid", "high")),
    "multilabel": Target(kind="multilabel", names=("cat", "dog")),
    "regression": NUMBER,
    "quantiles": Target(kind="regression", names=("kg",), center=(70.0,), scale=(9.0,), quantiles=(0.1, 0.5, 0.9)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_outputs_are_those_of_the_kind(name: str) -> None:
    """Named, in units, and the same in the file; what is described is what is given."""
    target = TARGETS[name]
    prepared, raw = preparation("series with gaps", target), PREPARED["series with gaps"][2]
    whole = whole_of(prepared, raw)
    with torch.no_grad():
        outputs = whole.network(torch.from_numpy(prepared.apply(raw)))
    module = torch.export.load(io.BytesIO(whole_program(whole, prepared, {}))).module()
    answers = module(torch.from_numpy(raw))
    assert set(answers) == set(whole.described)
    torch.testing.assert_close(answers["predicted"], predicted(outputs, target))
    if target.kind == "regression" and not target.quantiles:
        expected = target.original(outputs.numpy())
        np.testing.assert_allclose(answers["predicted"].numpy(), expected, rtol=1e-6)
    if target.quantiles:
        assert (answers["quantiles"].diff(dim=1) >= 0).all()
        torch.testing.assert_close(answers["quantiles"][:, 1:2], answers["predicted"])


@pytest.mark.parametrize(("axes", "steps", "sizes"), [
    ("l", (PadStep(length=9), FillStep()), [(5,), (9,), (14,)]),
    ("l", (LOUD, PadStep(length=9), FillStep()), [(5,), (9,), (14,)]),
    ("hw", (ResizeStep(size=(4, 5)),), [(5, 5), (6, 12), (30, 8)]),
])  # fmt: skip
def test_sides_that_differ_may_differ(axes: Axes, steps: tuple[Step, ...], sizes: list[tuple[int, ...]]) -> None:
    """A series of any length and an image of any size go through one file."""
    prepared = Preparation(
        inputs="series", raw=(0,) * len(axes), dtype="float64", steps=(LayoutStep(axes=axes), *steps), target=CLASSES
    )
    whole = whole_of(prepared, RNG.random((2, *sizes[0])))
    module = torch.export.load(io.BytesIO(whole_program(whole, prepared, {}))).module()
    for size in sizes:
        raw = RNG.random((3, *size))
        wanted = whole.network(torch.from_numpy(prepared.apply(raw)))
        torch.testing.assert_close(module(torch.from_numpy(raw))["logits"], wanted)


def test_a_file_is_checked_on_raw_test_examples(tmp_path: Path) -> None:
    """All of them are found again in the source; an answer that is another is counted."""
    labels = np.arange(60) % 3
    colours = RNG.integers(0, 255, (60, 6, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x=colours, y=np.array(["red", "green", "blue"])[labels])
    spec = TaskSpec(name="own", source="npz", path="own.npz", resize=4)
    task, raw = load_task(spec, base=tmp_path), read_source(spec, base=tmp_path)
    found = originals(task, raw)
    assert found.places == tuple(range(len(task.test)))
    assert found.x[0].shape == (6, 6, 3)
    assert (found.low.item(), found.high.item()) == pytest.approx((0, 254), abs=3)
    whole = whole_of(task.preparation, colours)
    told = described(whole, task, found)
    assert isinstance(told["input"], dict)
    assert told["input"]["shape"] == ["b", 6, 6, 3]
    assert isinstance(told["target"], dict)
    assert told["target"]["names"] == ["blue", "green", "red"]
    content = whole_program(whole, task.preparation, told)
    done = check(content, whole, task, found, metric="accuracy")
    assert done.whole
    assert done.otherwise == 0
    guessed = whole.network(torch.from_numpy(task.test.x)).argmax(dim=1).numpy()
    assert done.estimate == float((guessed == task.test.y).mean())
    other = WholeNetwork(whole.network, replace(task.preparation, steps=task.preparation.steps[:2])).eval()
    assert check(whole_program(other, task.preparation, {}), whole, task, found, metric="accuracy").otherwise > 0


KINDS: dict[str, dict[str, Any]] = {
    "table of numbers and names": {
        "x": pd.DataFrame({"age": RNG.random(90) * 50, "city": ["Bern", "Oslo", None] * 30, "fee": RNG.random(90)}),
        "y": RNG.random(90) * 1000 + 500,
        "target": {"kind": "regression", "units": ["kEUR"]},
    },
    "series of unequal lengths": {
        "x": [RNG.random(length) + 1e6 for length in RNG.integers(8, 14, 90)],
        "y": np.arange(90) % 3,
        "kind": "series",
    },
    "several labels": {"x": RNG.random((90, 6, 6)), "y": RNG.integers(0, 2, (90, 3)), "target": "multilabel"},
    "ordered classes": {
        "x": RNG.random((90, 6, 6, 5)),
        "y": np.arange(90) % 4,
        "target": "ordinal",
        "channels": "last",
    },
    "tokens": {"x": RNG.integers(0, 7, (90, 10)), "y": np.arange(90) % 2, "kind": "tokens", "vocabulary": 7},
}


@pytest.mark.parametrize("name", KINDS)
def test_tasks_of_every_kind_are_whole(name: str, tmp_path: Path) -> None:
    """All raw test examples are found, and the file answers each as the network does, by the kind's own metric."""
    given = dict(KINDS[name])
    task = Task.from_arrays(given.pop("x"), given.pop("y"), name="own", **given)
    assert task.own is not None
    task.own.arrays.write(tmp_path / str(task.own.spec.path))
    found = originals(task, read_source(task.own.spec, base=tmp_path))
    assert found.places == tuple(range(len(task.test)))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(task.test.x[0].size, task.target.outputs))
    whole, metric = WholeNetwork(network, task.preparation).eval(), default_metric(task.target)
    content = whole_program(whole, task.preparation, described(whole, task, found))
    done = check(content, whole, task, found, metric=metric)
    with torch.no_grad():
        outputs = network(torch.from_numpy(task.test.x))
    assert done.otherwise == 0
    wanted = measure(metric, outputs, torch.from_numpy(task.test.y), task.target).estimate
    assert done.estimate == pytest.approx(wanted, rel=1e-4)


def test_what_a_task_draws_is_no_raw_example(tmp_path: Path) -> None:
    """Noise is in no source: no test example is found, which is said; other raw examples are answered alike."""
    np.savez(tmp_path / "own.npz", x=RNG.random((60, 6, 6)), y=np.arange(60) % 3)
    spec = TaskSpec(name="own", source="npz", path="own.npz", transforms=[{"noise": 0.5}])
    task = load_task(spec, base=tmp_path)
    found = originals(task, read_source(spec, base=tmp_path))
    whole = whole_of(task.preparation, RNG.random((2, 6, 6)))
    done = check(whole_program(whole, task.preparation, {}), whole, task, found, metric="accuracy")
    assert (done.whole, done.estimate, done.otherwise) == (False, None, 0)
    assert "for the task draws noise" in str(done)
