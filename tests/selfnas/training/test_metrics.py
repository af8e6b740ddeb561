"""Metrics agree with scikit-learn, intervals cover, and scores rise with what is better."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor

from selfnas.data.targets import Target
from selfnas.training import intervals
from selfnas.training.metrics import METRICS, default_metric, measure, metrics_for, score
from selfnas.training.outputs import predicted, probabilities

CLASSES = Target.of_classes(4)
ORDERED = Target(kind="ordinal", names=("low", "mid", "high", "top"))
LABELS = Target(kind="multilabel", names=("a", "b", "c"))
NUMBER = Target(kind="regression", names=("price",), center=(50.0,), scale=(10.0,))
NUMBERS = Target(kind="regression", names=("x", "y"), center=(1.0, -2.0), scale=(3.0, 0.5))
SPREAD = Target(kind="regression", names=("price",), quantiles=(0.1, 0.5, 0.9), center=(50.0,), scale=(10.0,))
TARGETS = (CLASSES, ORDERED, LABELS, NUMBER, NUMBERS, SPREAD)


def examples(target: Target, n: int = 60, *, noise: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Outputs that know the truth up to noise, and the truth as a split holds it."""
    draw = torch.Generator().manual_seed(seed)
    shape = (n, target.outputs)
    wrong = noise * torch.randn(shape, generator=draw)
    if target.kind == "multilabel":
        y = (torch.rand(shape, generator=draw) < 0.3).float()
        return 4 * y - 2 + wrong, y
    if target.kind == "regression":
        y = torch.randn((n, len(target.names)), generator=draw)
        return y + wrong, y
    y = torch.arange(n) % len(target.names)
    if target.kind == "ordinal":
        return 2 * (y[:, None] > torch.arange(target.outputs)).float() - 1 + wrong, y
    return 2 * torch.nn.functional.one_hot(y, target.outputs).float() + wrong, y


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.kind}-{target.outputs}")
def test_every_metric_has_an_estimate_within_its_interval(target: Target) -> None:
    """Whatever the kind of task; one of its metrics is the default."""
    outputs, y = examples(target)
    assert default_metric(target) in metrics_for(target)
    for name in metrics_for(target):
        found = measure(name, outputs, y, target)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.estimate < found.high
        assert found.n == 60
        assert METRICS[name].shown(found.estimate) in str(found)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.kind}-{target.outputs}")
def test_scores_fall_as_noise_grows(target: Target) -> None:
    """So more is better for every metric, and no score leaves its range."""
    for name in metrics_for(target):
        scores = [score(*examples(target, 400, noise=noise), target, name) for noise in (0.1, 1.0, 5.0, 1e6)]
        assert scores == sorted(scores, reverse=True)
        assert all(-8 <= each <= 1 for each in scores)


def test_estimates_agree_with_scikit_learn() -> None:
    """On the definitions that both have."""
    outputs, y = examples(CLASSES)
    answered, sure = predicted(outputs, CLASSES), probabilities(outputs.double(), CLASSES)
    expected = {
        "accuracy": sklearn.accuracy_score(y, answered),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, answered),
        "auroc": sklearn.roc_auc_score(y, sure, multi_class="ovr"),
        "f1": sklearn.f1_score(y, answered, average="macro"),
        "log_loss": sklearn.log_loss(y, sure),
    }
    assert {name: measure(name, outputs, y, CLASSES).estimate for name in expected} == pytest.approx(expected, rel=1e-6)
    outputs, y = examples(LABELS)
    assert measure("auroc", outputs, y, LABELS).estimate == pytest.approx(sklearn.roc_auc_score(y, outputs))
    assert measure("f1", outputs, y, LABELS).estimate == pytest.approx(
        sklearn.f1_score(y, predicted(outputs, LABELS), average="macro")
    )


@pytest.mark.parametrize("target", [NUMBER, NUMBERS], ids=["one", "two"])
def test_numbers_are_measured_in_their_own_units(target: Target) -> None:
    """Standardised for the network, not for people."""
    outputs, y = examples(target)
    scale, center = np.array(target.scale), np.array(target.center)
    given, truth = outputs.numpy() * scale + center, y.numpy() * scale + center
    found = {name: measure(name, outputs, y, target).estimate for name in ("mae", "r2")}
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(truth, given), rel=1e-6)
    assert found["r2"] == pytest.approx(sklearn.r2_score(truth, given), rel=1e-6)
    assert measure("rmse", outputs, y, target).estimate == pytest.approx(
        float(np.sqrt(((truth - given) ** 2).mean())), rel=1e-6
    )


def test_a_score_does_not_depend_on_the_unit() -> None:
    """The same network on the same prices in cents."""
    outputs, y = examples(NUMBER)
    cents = Target(kind="regression", names=("price",), center=(5000.0,), scale=(1000.0,))
    for name in metrics_for(NUMBER):
        assert score(outputs, y, NUMBER, name) == pytest.approx(score(outputs, y, cents, name))
    assert measure("mae", outputs, y, cents).estimate == pytest.approx(
        100 * measure("mae", outputs, y, NUMBER).estimate
    )


def test_quantiles_are_put_in_order_and_the_midmost_answers() -> None:
    """Pinball loss agrees with scikit-learn's."""
    outputs, y = examples(SPREAD)
    ordered, truth = outputs.sort(dim=1).values.numpy() * 10 + 50, y.numpy()[:, 0] * 10 + 50
    expected = [sklearn.mean_pinball_loss(truth, ordered[:, k], alpha=q) for k, q in enumerate(SPREAD.quantiles)]
    assert measure("pinball", outputs, y, SPREAD).estimate == pytest.approx(float(np.mean(expected)), rel=1e-6)
    assert predicted(outputs, SPREAD)[:, 0].numpy() == pytest.approx(ordered[:, 1], rel=1e-6)


def test_ordered_classes_are_read_from_thresholds() -> None:
    """Thresholds that contradict each other still give probabilities."""
    outputs = torch.tensor([[9.0, 9.0, 9.0], [-9.0, -9.0, -9.0], [9.0, -9.0, -9.0], [-1.0, 1.0, 2.0]])
    assert predicted(outputs, ORDERED).tolist() == [3, 0, 1, 0]
    sure = probabilities(outputs, ORDERED)
    assert bool((sure >= 0).all())
    assert sure.sum(1).tolist() == pytest.approx([1.0] * 4)
    y = torch.tensor([3, 1, 1, 2])
    assert measure("mae", outputs, y, ORDERED).estimate == pytest.approx(0.75)


def test_a_faultless_small_sample_proves_little() -> None:
    """No interval closes up because nothing went wrong on ten examples."""
    y = torch.arange(10) % 2
    outputs = 20 * torch.nn.functional.one_hot(y, 2).float()
    for name in ("accuracy", "balanced_accuracy", "auroc", "f1"):
        found = measure(name, outputs, y, Target.of_classes(2))
        assert found.estimate == 1.0
        assert found.low is not None
        assert 0.5 < found.low < 0.85


def test_what_cannot_be_measured_is_refused() -> None:
    """A metric of another kind, an unknown one, and outputs that are not finite."""
    outputs, y = examples(CLASSES)
    with pytest.raises(ValueError, match="metric r2 is not for classification: it can have accuracy, "):
        measure("r2", outputs, y, CLASSES)
    with pytest.raises(ValueError, match="pinball is not for regression"):
        measure("pinball", *examples(NUMBER), NUMBER)
    with pytest.raises(KeyError):
        score(outputs, y, CLASSES, "precision")
    with pytest.raises(ValueError, match="not finite"):
        score(outputs * torch.nan, y, CLASSES)
    with pytest.raises(ValueError, match="no probabilities"):
        probabilities(outputs, NUMBER)


def test_labels_and_classes_without_examples_are_left_out() -> None:
    """And where none is left, nothing is known."""
    y = torch.zeros((6, 3))
    y[:3, 0] = 1
    outputs = y * 2 - 1
    assert measure("auroc", outputs, y, LABELS).estimate == 1.0
    assert measure("auroc", outputs, torch.zeros((6, 3)), LABELS).estimate == 0.5
    one = measure("r2", torch.zeros((3, 1)), torch.zeros((3, 1)), NUMBER)
    assert (one.estimate, one.low, one.high) == (0.0, None, None)


def test_intervals_cover() -> None:
    """At least nine in ten intervals of areas and explained shares hold the truth, at sizes that people have."""
    rng = np.random.default_rng(0)
    areas, shares = [], []
    for _ in range(400):
        above, below = rng.normal(1.2, 1, 12), rng.normal(0, 1, 18)
        area = float((above[:, None] > below).mean())
        low, high = intervals.area(area, 12, 18)
        areas.append(low <= 0.8019 <= high)  # of two normal distributions 1.2 apart
        truth = rng.normal(size=(40, 1))
        _, low, high = intervals.explained(truth + rng.normal(scale=0.5, size=(40, 1)), truth)
        shares.append(low <= 0.75 <= high)
    assert np.mean(areas) > 0.92
    assert np.mean(shares) > 0.9
