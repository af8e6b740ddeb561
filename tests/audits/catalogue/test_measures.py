"""The numbers behind the audits, each against an answer known from elsewhere."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from audits import AuditData
from audits.catalogue import membership
from audits.catalogue.attack import attacked
from audits.catalogue.certified import certified_radii
from audits.catalogue.confidence import calibration_error, expected_error, temperature
from audits.catalogue.membership import area_under_curve
from audits.catalogue.randomisation import rank_correlations
from audits.catalogue.swap import draw_donors, swapped
from audits.contract.examinee import Examinee, evaluation_mode
from audits.external.exported import load_exported
from audits.methods.attribution import ablation_effects, baseline, integrated_gradients, tile
from audits.methods.skills import centroid_classes
from audits.methods.untrained import untrained
from selfnas.networks.network import build_network
from selfnas.robust.bounds import Bounds, UnboundedOperationError, logit_bounds
from selfnas.spaces.architecture import Space, TaskShape
from selfnas.spaces.named import SPACES, in_force, parse_architecture
from selfnas.spaces.operations import OPERATIONS

CELL = "nb201/c4n1r16:|conv3x3~0|+|conv1x1~0|skip~1|+|avg3~0|none~1|conv3x3~2|"


def test_integrated_gradients_of_a_linear_network(data: AuditData) -> None:
    """For a linear map they are weight times distance from the baseline, exactly."""
    inputs = data.x[0].numel()
    network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, data.classes)).eval()
    examinee = Examinee(network, data, seed=0)
    x, targets = data.x[:5], torch.tensor([0, 1, 2, 3, 0])
    found, difference = integrated_gradients(examinee, x, targets, steps=8)
    weight = network[1].weight[targets].detach().reshape(x.shape)
    assert torch.allclose(found.float(), weight * (x - data.x_train.mean(0)), atol=1e-4)
    assert torch.allclose(found.flatten(1).sum(1), difference, atol=1e-3)


def test_occlusion_of_a_linear_network(data: AuditData, case: SimpleNamespace) -> None:
    """The effect of a tile is the sum of weight times distance over its positions; the mean input has none."""
    inputs = data.x[0].numel()
    network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, data.classes)).eval()
    examinee = Examinee(network, data, seed=0)
    tiles = tile(data.size, region=case.nuisance.region)
    x, targets = data.x[:4], torch.tensor([0, 1, 2, 3])
    effects = ablation_effects(examinee, network, x, targets, tiles)
    parts = (network[1].weight[targets].detach().reshape(x.shape) * (x - data.x_train.mean(0))).sum(1).double()
    expected = torch.stack([(parts * (tiles.index == number)).flatten(1).sum(1) for number in range(tiles.count)], 1)
    assert torch.allclose(effects, expected, atol=1e-4)
    nothing = ablation_effects(examinee, network, baseline(examinee), targets[:1], tiles)
    assert torch.allclose(nothing, torch.zeros_like(nothing), atol=1e-5)


def test_tiles_follow_the_region() -> None:
    """Every position is in one tile, and the marked tiles are exactly the region, wherever its border runs."""
    for size, region in (((9, 13), ((1, 4), (2, 9))), ((33,), ((5, 12),)), ((8, 8), ())):
        tiles = tile(size, region=region)
        assert sorted(set(tiles.index.flatten().tolist())) == list(range(tiles.count))
        inside = torch.zeros(size, dtype=torch.bool)
        if region:
            inside[tuple(slice(*pair) for pair in region)] = True
        assert torch.equal(tiles.marked[tiles.index], inside)


def test_donors_are_of_another_class() -> None:
    """Uniform over all of another class, each at most once, -1 where none is left."""
    labels, pool = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 1])
    seen = set()
    for seed in range(60):
        donors = draw_donors(labels[:, None] != pool, 2, torch.Generator().manual_seed(seed))
        assert donors[0].tolist() == donors[3].tolist() == [2, -1]
        assert sorted(donors[1].tolist()) == [0, 1]
        assert len(set(donors[2].tolist())) == 2
        seen.add(int(donors[2, 0]))
    assert seen == {0, 1, 2}
    assert draw_donors(torch.tensor([[False, False]]), 1, torch.Generator()).tolist() == [[-1]]


def test_swapping_touches_the_region_only(data: AuditData) -> None:
    """Inside it is the donor's, outside the target's."""
    (nuisance,) = data.nuisances
    x, donors = data.x[:3], data.x[3:6]
    mixed = swapped(x, donors, nuisance)
    inside = torch.zeros(data.size, dtype=torch.bool)
    inside[tuple(slice(*pair) for pair in nuisance.region)] = True
    assert torch.equal(mixed[..., inside], donors[..., inside])
    assert torch.equal(mixed[..., ~inside], x[..., ~inside])


def test_untrained_copies_are_fresh(healthy: nn.Module) -> None:
    """Other weights of the same shapes, moments reset, the original untouched; equal generators, equal copies."""
    before = {name: value.clone() for name, value in healthy.state_dict().items()}
    first, second = (untrained(healthy, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    again = untrained(healthy, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, before[name]) for name, value in healthy.state_dict().items())
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        if value.ndim >= 2:
            assert not torch.equal(value, before[name])
            assert not torch.equal(value, second.state_dict()[name])
            assert value.std() == pytest.approx(math.sqrt(2 / value[0].numel()), rel=0.3)
        if name.endswith("running_var"):
            assert torch.equal(value, torch.ones_like(value))


def test_temperature_finds_a_known_one() -> None:
    """Labels drawn from softmax(z): logits 3 z want a temperature of 3, and the interval holds it."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2000, 5, generator=draw, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    best, low, high = temperature(3 * logits, labels)
    assert best == pytest.approx(3.0, rel=0.08)
    assert low < 3.0 < high
    assert temperature(torch.eye(5, dtype=torch.float64), torch.arange(5))[0] < 0.02


def test_calibration_error_by_hand() -> None:
    """Two bins: confidence .95 at accuracy .5 and .55 at 1, half of the inputs each."""
    sure, right = np.array([[0.95, 0.95, 0.55, 0.55]]), np.array([[1.0, 0.0, 1.0, 1.0]])
    assert calibration_error(sure, right)[0] == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)


@pytest.mark.parametrize(("debiased", "share"), [(True, 0.06), (False, 1.0)])
def test_a_calibrated_network_is_not_called_uncalibrated(debiased: bool, share: float) -> None:
    """Debiased, the interval leaves out the true error of 0 in about one of 40; the plain one nearly always."""
    draw, missed, rounds = np.random.default_rng(0), 0, 200
    for _ in range(rounds):
        sure = draw.uniform(0.5, 1.0, 150)
        right = (draw.random(150) < sure).astype(float)
        estimate, low, high = expected_error(sure, right, draw, debiased=debiased)
        assert low <= estimate <= high
        missed += low > 0
    assert missed <= share * rounds
    assert debiased or missed >= 0.7 * rounds


def test_debiasing_keeps_what_is_there() -> None:
    """A network that is always sure, and right in three of four, errs by a quarter."""
    sure, right = np.full(400, 0.999), np.tile([1.0, 1.0, 1.0, 0.0], 100)
    estimate, low, high = expected_error(sure, right, np.random.default_rng(0), debiased=True)
    assert estimate == pytest.approx(0.249, abs=0.01)
    assert 0.15 < low < 0.25 < high < 0.35


def test_perfect_separation_has_an_interval() -> None:
    """No input that was told wrongly is no proof that none would be; suites of earlier releases have no width there."""
    known = 5 * torch.eye(2)[torch.arange(40) % 2] + 0.1 * torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    y = torch.arange(40) % 2
    apart = AuditData(x_train=known, y_train=y, x=-known[:30], y=y[:30], classes=2)
    network = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.eye(2))

    def limits(**settings: float) -> tuple[float | None, float, float]:
        found = membership.measure(Examinee(network, apart, seed=0), {"samples": 40, **settings})[0]
        return found.estimate, found.low, found.high

    assert limits(exact_ends=0) == (1.0, 1.0, 1.0)
    assert limits(exact_ends=1) == (1.0, pytest.approx(0.025 ** (1 / 30)), 1.0)


def test_area_under_curve_agrees_with_scikit_learn() -> None:
    """Ties included."""
    draw = np.random.default_rng(0)
    positive, negative = draw.integers(0, 9, 40) / 8, draw.integers(0, 7, 60) / 8
    area, low, high = area_under_curve(positive, negative)
    truth = np.r_[np.ones(40), np.zeros(60)]
    assert area == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]))
    assert low < area < high


def test_rank_correlations_by_hand() -> None:
    """Same order 1, reversed -1, constant not a number."""
    maps = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    other = torch.tensor([[0.0, 5.0, 9.0], [9.0, 5.0, 0.0], [1.0, 2.0, 3.0]])
    found = rank_correlations(maps, other)
    assert found[:2] == pytest.approx([1.0, -1.0])
    assert math.isnan(found[2])


def test_nearest_centroid_by_hand(data: AuditData) -> None:
    """The same rule written plainly."""
    centroids = [data.x_train[data.y_train == label].mean(0) for label in range(data.classes)]
    for x, predicted in zip(data.x[:10], centroid_classes(data, data.x[:10]), strict=True):
        distances = [float((x - centroid).norm()) for centroid in centroids]
        assert distances.index(min(distances)) == int(predicted)


def test_attack_stays_in_its_ball_and_hurts(healthy: nn.Module, data: AuditData) -> None:
    """No value moves farther than the radius or leaves the data's range, and the loss rises."""
    with evaluation_mode(healthy):
        examinee = Examinee(healthy, data, seed=0)
        moved = attacked(examinee, data.x, data.y, radius=0.2, steps=8)
        losses = [float(nn.functional.cross_entropy(examinee.logits(x), data.y)) for x in (data.x, moved)]
    assert float((moved - data.x).abs().max()) <= 0.2 + 1e-6
    assert float(moved.max()) <= float(data.x_train.max()) + 1e-6
    assert losses[1] > 2 * losses[0]


ALL = Space(name="all", templates=(replace(SPACES["nb201"].templates[0], operations=tuple(OPERATIONS.values())[:19]),))
BOUNDED = [
    *((CELL, SPACES["nb201"], size) for size in ((24,), (8, 8))),
    *(
        (f"all/c4n1r16h{head}:|{one}~0|+|none~0|{other}~1|+|skip~0|none~1|none~2|", ALL, size)
        for size in ((24,), (8, 8))
        for one, other, head in (("residual", "se", "a"), ("groupnorm3", "wide9", "g4"))
    ),
    *(
        (f"all/c4n1r16:|none~0|+|none~0|none~1|+|{one}~0|none~1|none~2|", ALL, size)
        for size in ((80,), (9, 8))
        for one in ("attention", "mixer", "se", "groupnorm3")
    ),
    ("tabular/c4n1r16:|mlp~0|+|none~0|gated~1|+|linear~0|none~1|linear~2|", SPACES["tabular"], ()),
]


@pytest.mark.parametrize(("cell", "space", "size"), BOUNDED, ids=str)
def test_interval_bounds_hold_what_sampling_finds(cell: str, space: Space, size: tuple[int, ...]) -> None:
    """For networks with every kind of operation: no perturbed input leaves the bounds, and radius 0 is exact."""
    with contextlib.nullcontext() if space != ALL else in_force(ALL):
        network = build_network(parse_architecture(cell), TaskShape(channels=1, size=size, classes=3), seed=0)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, 1, *size, generator=draw)
    network(torch.randn(32, 1, *size, generator=draw))  # moves the running moments
    network = network.eval().double()
    x = x.double()
    radius = torch.tensor([0.01, 0.03], dtype=torch.float64)
    bounds = logit_bounds(network, x, radius)
    for _ in range(100):
        noise = 2 * torch.rand(x.shape, generator=draw, dtype=torch.float64) - 1
        found = network(x + noise.sign() * radius.reshape(-1, *[1] * (x.ndim - 1)))
        assert bool((found >= bounds.low - 1e-9).all())
        assert bool((found <= bounds.high + 1e-9).all())
    exact = logit_bounds(network, x, torch.zeros(2, dtype=torch.float64))
    assert torch.allclose(exact.low, network(x))
    assert torch.allclose(exact.high, network(x))


def test_bounds_of_an_exported_network_are_the_same(tmp_path: Path) -> None:
    """torch.export turns modules into operators; the rules agree."""
    network = build_network(parse_architecture(CELL), TaskShape(channels=1, size=(8, 8), classes=3), seed=0).eval()
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    shapes = {"x": {0: torch.export.Dim("batch")}}
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes=shapes), tmp_path / "network.pt2")
    exported = load_exported(tmp_path / "network.pt2")
    radius = torch.tensor([0.01, 0.02])
    first, second = (logit_bounds(each, x, radius) for each in (network, exported))
    assert torch.allclose(first.low, second.low, atol=1e-5)
    assert torch.allclose(first.high, second.high, atol=1e-5)


def test_certified_radius_of_a_linear_network() -> None:
    """For the identity the margin over two, which interval bounds reach because no row shares an input."""
    network = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    radius = certified_radii(network, torch.tensor([[3.0, 1.0]], dtype=torch.float64), torch.tensor([0]), limit=10.0)
    assert float(radius) == pytest.approx(1.0, rel=0.01)


def test_bounds_refuse_unknown_operations() -> None:
    """An operation without a rule raises; it never passes unbounded."""
    bounds = Bounds(torch.zeros(2, 3), torch.ones(2, 3))
    with pytest.raises(UnboundedOperationError, match="cumsum"):
        torch.cumsum(bounds, 1)  # type: ignore[call-overload]
    with pytest.raises(UnboundedOperationError, match="training"):
        nn.BatchNorm1d(3).train()(bounds)
