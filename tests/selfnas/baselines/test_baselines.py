"""Baselines: each beats knowing nothing, sees only its rows, keeps to its bound, and comes out the same again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selfnas.baselines import BASELINES, BaselineResult, baselines_for, compare, fit_baseline
from selfnas.baselines.baseline import Baseline, Setting, form_of
from selfnas.baselines.catalogue import baseline_named
from selfnas.data.preparation import Preparation
from selfnas.data.targets import InputKind, Target, Targets
from selfnas.data.tasks import Split, Task, TaskSpec, load_task
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape
from selfnas.training.metrics import METRICS, default_metric

LINE = Target(kind="regression", names=("a", "b"), center=(0.0, 0.0), scale=(1.0, 1.0))
SPREAD = Target(kind="regression", names=("a",), center=(0.0,), scale=(1.0,), quantiles=(0.1, 0.5, 0.9))
TAGS = Target(kind="multilabel", names=("first", "second", "never"))
STEPS = Target(kind="ordinal", names=("low", "middle", "high"))
SHAPES: dict[InputKind, tuple[int, ...]] = {"image": (1, 6, 6), "series": (2, 24), "table": (5,)}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are trained for a moment."""
    monkeypatch.setattr("selfnas.baselines.reference._FEWEST_STEPS", 60)
    monkeypatch.setattr("selfnas.baselines.reference._MOST_STEPS", 60)


@pytest.fixture(scope="module")
def digits() -> Task:
    """Small images."""
    return load_task(TaskSpec(name="digits", source="digits", limit=700), base=Path())


@pytest.fixture(scope="module")
def series() -> Task:
    """Short series."""
    return load_task(TaskSpec(name="series", source="mnist1d", limit=1500), base=Path())


def made(inputs: InputKind, target: Target, count: int) -> tuple[NDArray[np.float32], Targets]:
    """Examples whose first part has a level that tells what is asked."""
    rng = np.random.default_rng(0)
    level = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    x = rng.normal(0, 0.3, (count, *SHAPES[inputs])).astype(np.float32)
    flat = x.reshape(count, -1)
    half = flat.shape[1] // 2
    flat[:, :half] += level[:, :1]
    flat[:, half:] += level[:, 1:]
    told: dict[str, Targets] = {
        "classification": (level[:, 0] > 0).astype(np.int64),
        "ordinal": np.digitize(level[:, 0], (-0.3, 0.3)).astype(np.int64),
        "multilabel": np.column_stack([level > 0, np.zeros(count)]).astype(np.float32),
        "regression": level[:, : len(target.names)],
    }
    return x, told[target.kind]


def loss(scores: NDArray[np.float64], y: Targets, target: Target) -> float:
    """Share of wrong classes, mean distance, or mean pinball loss."""
    if target.counted:
        return float((scores.argmax(axis=1) != y).mean())
    if target.quantiles:
        above, at = y - scores, np.array(target.quantiles)
        return float(np.maximum(at * above, (at - 1) * above).mean())
    return float(np.abs(scores - y).mean())


def estimate(result: BaselineResult) -> float:
    """What was measured."""
    assert result.measured is not None
    return result.measured.estimate


@pytest.mark.parametrize("target", [Target.of_classes(2), STEPS, TAGS, LINE, SPREAD], ids=form_of)
@pytest.mark.parametrize("inputs", SHAPES)
def test_each_beats_the_constant_on_every_kind(inputs: InputKind, target: Target) -> None:
    """By less than half of its loss or nearly so, whatever is asked of whatever there is."""
    x, y = made(inputs, target, 260)
    setting = Setting(inputs=inputs, target=target, rows=200, asked=60, size=x.shape[1:], seed=0)
    found: dict[str, float] = {}
    for name in baselines_for(inputs, target):
        scores = baseline_named(name).fit(x[:200], y[:200], setting)(x[200:])
        assert scores.shape == (60, setting.columns)
        assert np.isfinite(scores).all()
        found[name] = loss(scores, y[200:], target)
    nothing = found.pop("constant")
    assert len(found) >= 1
    assert max(found.values()) < 0.75 * nothing, found


def test_images_and_series_have_the_rivals_that_a_person_would_try(digits: Task, series: Task) -> None:
    """In the order of the catalogue, and the network of wide kernels only where it is named."""
    assert baselines_for(digits.inputs, digits.target) == ("constant", "nearest", "linear", "forest", "resnet")
    assert baselines_for(series.inputs, series.target) == ("constant", "nearest", "nearest_dtw", "rocket", "resnet")
    assert baselines_for("table", LINE) == ("constant", "nearest", "linear", "forest", "boosting")
    assert baselines_for("tokens", Target.of_classes(2)) == ("constant", "nearest", "linear", "bag", "forest")
    assert baselines_for(series.inputs, series.target, ["inception"]) == ("constant", "inception")
    assert len({baseline.name for baseline in BASELINES}) == len(BASELINES)


def test_digits_are_told_as_well_as_is_known(digits: Task) -> None:
    """Nearest neighbours and forests are near 96 % with 480 rows, and the interval holds the estimate."""
    found = {one.name: one for one in compare(digits)}
    for name in ("nearest", "forest", "resnet"):
        assert estimate(found[name]) > 0.9, name
    assert estimate(found["constant"]) < 0.12
    for one in found.values():
        assert one.measured is not None
        assert one.measured.name == "accuracy"
        assert (one.measured.low or 1) <= one.measured.estimate == one.hits.mean() <= (one.measured.high or 0)
        assert (one.rows, one.measured.n, one.note) == (one.at_hand, len(digits.test), "")
        assert one.at_hand == len(digits.train) + len(digits.validation)


def test_kernels_read_series_that_distances_do_not(series: Task) -> None:
    """On MNIST-1D, where digits lie anywhere, neighbours fail and kernels do not."""
    found = {one.name: estimate(one) for one in compare(series, ["nearest", "nearest_dtw", "rocket"])}
    assert found["rocket"] > 0.78
    assert found["constant"] < found["nearest"] < found["nearest_dtw"] < found["rocket"] - 0.15


def test_the_same_seed_gives_the_same_answers(digits: Task, series: Task) -> None:
    """Example by example."""
    for task, names in ((digits, ["linear", "forest", "resnet"]), (series, ["rocket"])):
        first, again = compare(task, names, seed=3), compare(task, names, seed=3)
        for one, other in zip(first, again, strict=True):
            assert np.array_equal(one.hits, other.hits), one.name


def test_neither_audit_split_nor_test_labels_are_seen(digits: Task) -> None:
    """With other ones, the same test examples are answered alike."""
    rng = np.random.default_rng(0)
    noise = Split(x=rng.normal(size=digits.audit.x.shape).astype(np.float32), y=digits.audit.y[::-1].copy())
    turned = Split(x=digits.test.x, y=(digits.test.y + 1) % 10)
    own = fit_baseline("nearest", digits)
    assert np.array_equal(own.hits, fit_baseline("nearest", replace(digits, audit=noise, digest="")).hits)
    assert not (own.hits & fit_baseline("nearest", replace(digits, test=turned, digest="")).hits).any()


def test_a_large_task_is_cut_and_says_so(digits: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rows drawn by seed."""
    cut = replace(baseline_named("nearest"), limit=lambda setting: 100)
    monkeypatch.setattr("selfnas.baselines.catalogue.BASELINES", [cut])
    found, again, other = (fit_baseline("nearest", digits, seed=seed) for seed in (0, 0, 1))
    assert found.note == f"fitted on 100 of {len(digits.train) + len(digits.validation)} rows"
    assert np.array_equal(found.hits, again.hits)
    assert not np.array_equal(found.hits, other.hits)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda one: one.name)
def test_bounds_shrink_with_the_size_of_a_task(baseline: Baseline) -> None:
    """And leave small ones whole."""
    for inputs, small, large in (
        ("image", (1, 8, 8), (3, 96, 96)),
        ("series", (1, 100), (9, 5000)),
        ("table", (9,), (999,)),
        ("tokens", (50, 20), (5000, 99)),
    ):
        if inputs in baseline.inputs:
            told = {"inputs": inputs, "target": Target.of_classes(10), "seed": 0}
            assert baseline.limit(Setting(rows=500, asked=100, size=small, **told)) >= 500
            few, many = (Setting(rows=10**6, asked=10**5, size=size, **told) for size in (small, large))
            assert baseline.limit(many) <= baseline.limit(few)
    assert baseline.name == "constant" or baseline.limit(few) < 10**6


def test_what_is_too_large_fails_with_a_reason(digits: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no error."""
    monkeypatch.setattr(
        "selfnas.baselines.catalogue.BASELINES", [replace(baseline_named("forest"), limit=lambda setting: 3)]
    )
    found = fit_baseline("forest", digits)
    assert (found.measured, found.note) == (None, "the task is too large for it")


@pytest.mark.parametrize("target", [STEPS, TAGS, LINE, SPREAD], ids=form_of)
@pytest.mark.parametrize("inputs", ["table", "series"])
def test_every_kind_is_measured_by_its_own_metric(inputs: InputKind, target: Target) -> None:
    """Better than by the constant, and by another metric where it is named."""
    x, y = made(inputs, target, 400)
    parts = [Split(x=x[i:j], y=y[i:j]) for i, j in ((0, 200), (200, 250), (250, 300), (300, 400))]
    shape = TaskShape(channels=x.shape[1], size=x.shape[2:], classes=target.outputs)
    train, validation, audit, test = parts
    task = Task(
        name="own", shape=shape, target=target, inputs=inputs,
        train=train, validation=validation, audit=audit, test=test,
        preparation=Preparation(inputs=inputs, raw=x.shape[1:], dtype="float32", steps=(), target=target),
    )  # fmt: skip
    nothing, *others = compare(task)
    better = 1 if METRICS[default_metric(target)].higher else -1
    assert min(better * estimate(one) for one in others) > better * estimate(nothing)
    assert {one.measured.name for one in others if one.measured} == {default_metric(target)}
    if target is LINE:
        (_, other) = compare(task, ["nearest"], metric="mae")
        assert (other.measured.name if other.measured else "") == "mae"
    with pytest.raises(InputError, match=f"metric 'nothing' is not for {target.kind}"):
        compare(task, metric="nothing")


def test_tokens_are_counted_wherever_they_stand() -> None:
    """Which of two tokens is there more often, no model of places tells."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 30, (600, 24))
    task = Task.from_arrays(x, (x == 3).sum(axis=1) > (x == 5).sum(axis=1), name="t", kind="tokens", vocabulary=30)
    found = {one.name: estimate(one) for one in compare(task)}
    assert found["bag"] > 0.97
    assert max(value for name, value in found.items() if name != "bag") < 0.85


def test_names_that_are_none_are_told(digits: Task) -> None:
    """With what was meant."""
    with pytest.raises(InputError, match="unknown baseline 'forrest'; did you mean 'forest'"):
        compare(digits, ["forrest"])
    with pytest.raises(InputError, match="'rocket' is not for image data of which classification is asked"):
        fit_baseline("rocket", digits)
