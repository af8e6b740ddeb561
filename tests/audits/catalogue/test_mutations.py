"""The audits' own code, broken on purpose: each mutation must be noticed by a promise that the code as it is keeps."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from audits import AuditData
from audits.calibrating.matrix import Observation
from audits.contract.examinee import Examinee, evaluation_mode

SETTINGS = {"samples": 160.0, "train_samples": 400.0, "untrained": 6.0, "donors": 4.0, "steps": 32.0, "orders": 2.0}


def mutated(name: str, old: str, new: str) -> ModuleType:
    """A fresh copy of a module with one piece of its source replaced."""
    original = import_module(name)
    source = inspect.getsource(original)
    assert source.count(old) == 1, f"the mutation of {name} no longer applies"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.py"
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def measured(module: ModuleType, network: nn.Module, data: AuditData) -> dict[str, float]:
    """Estimates by statistic."""
    settings = SETTINGS | ({"samples": 24.0} if "relevance" in module.__name__ else {})
    with evaluation_mode(network):
        found = module.measure(Examinee(network, data, seed=0), settings)
    return {each.statistic: each.estimate for each in found}


def knows_good_from_bad_gap(module: ModuleType, nets: SimpleNamespace) -> None:
    """A memoriser's gap is large and positive."""
    assert measured(module, nets.memoriser, nets.noise)["gap"] > 0.4


def finds_faithful_order(module: ModuleType, nets: SimpleNamespace) -> None:
    """Occlusion beats random orders both ways on a sound network."""
    found = measured(module, nets.healthy, nets.fair)
    assert found["deletion"] > 0.02
    assert found["insertion"] > 0.02


def explains_from_the_mean_input(module: ModuleType, nets: SimpleNamespace) -> None:
    """The baseline is the mean training input, and attributions add up to the difference from there."""
    with evaluation_mode(nets.healthy):
        examinee = Examinee(nets.healthy, nets.shifted, seed=0)
        assert torch.allclose(module.baseline(examinee), nets.shifted.x_train.mean(0, keepdim=True))
        targets = examinee.predictions()[:20]
        found, difference = module.integrated_gradients(examinee, nets.shifted.x[:20], targets, steps=64)
    error = (found.flatten(1).sum(1) - difference).abs().mean() / difference.abs().mean()
    assert error < 0.05


def agrees_with_scipy(module: ModuleType, nets: SimpleNamespace) -> None:
    """Two-sided limits, as everybody computes them."""
    for k, n in ((3, 40), (37, 40), (0, 20)):
        theirs = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        assert module.binomial(k, n) == pytest.approx((theirs.low, theirs.high))
        wilson = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert module.wilson(k, n) == pytest.approx((wilson.low, wilson.high))


def scores_right_answers(module: ModuleType, nets: SimpleNamespace) -> None:
    """A trained network is far above chance."""
    assert measured(module, nets.healthy, nets.fair)["above_chance"] > 0.5


def follows_the_donor(module: ModuleType, nets: SimpleNamespace) -> None:
    """A shortcut network's answers go where the region came from, a sound network's do not."""
    assert measured(module, nets.shortcut, nets.biased)["follow"] > 0.82
    assert measured(module, nets.healthy, nets.fair)["follow"] < 0.1


def compares_with_strangers(module: ModuleType, nets: SimpleNamespace) -> None:
    """Relevance is set against networks that never learned: the shortcut shows, and so does honest evidence."""
    assert measured(module, nets.shortcut, nets.biased)["gain"] < -0.1
    assert measured(module, nets.healthy, nets.fair)["gain"] > 0.05


def draws_strangers_apart(module: ModuleType, nets: SimpleNamespace) -> None:
    """Two copies from one generator are two networks, neither of them the original."""
    draw = torch.Generator().manual_seed(0)
    copies = [module.untrained(nets.healthy, draw) for _ in range(2)]
    weights = [next(each.parameters()) for each in (nets.healthy, *copies)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


def reports_on_held_out_seeds(module: ModuleType, nets: SimpleNamespace) -> None:
    """Separations come from the seeds for choosing, the matrix from the others."""
    import audits

    suite = audits.load_suite("baseline")
    findings = audits.run_suite(nets.healthy, nets.fair, suite, seed=0)
    observations = [
        Observation(task="toy", control="healthy", seed=seed, held_out=seed > 1, findings=findings) for seed in range(5)
    ]
    counted = module.summary(suite, observations)
    assert counted["skill"]["healthy"].n == 3


MUTATIONS: list[tuple[str, str, str, str, Callable[[ModuleType, SimpleNamespace], None]]] = [
    (
        "sign flipped: gap",
        "audits.catalogue.generalisation",
        "right_seen / len(y) - right_new / n",
        "right_new / n - right_seen / len(y)",
        knows_good_from_bad_gap,
    ),
    (
        "sign flipped: deletion",
        "audits.catalogue.faithfulness",
        '("deletion", -1.0), ("insertion", 1.0)',
        '("deletion", 1.0), ("insertion", -1.0)',
        finds_faithful_order,
    ),
    (
        "baseline wrong: zeros",
        "audits.methods.attribution",
        "return examinee.data.x_train.mean(0, keepdim=True)",
        "return torch.zeros_like(examinee.data.x_train[:1])",
        explains_from_the_mean_input,
    ),
    (
        "baseline wrong: not the one attributed from",
        "audits.methods.attribution",
        "baselines=start.to(examinee.device)",
        "baselines=torch.zeros_like(start).to(examinee.device)",
        explains_from_the_mean_input,
    ),
    (
        "interval one-sided",
        "selfnas.training.intervals",
        "tail = (1 - level) / 2\n    low = 0.0",
        "tail = 1 - level\n    low = 0.0",
        agrees_with_scipy,
    ),
    (
        "interval one-sided: normal quantile",
        "selfnas.training.intervals",
        "NormalDist().inv_cdf((1 + level) / 2)",
        "NormalDist().inv_cdf(level)",
        agrees_with_scipy,
    ),
    (
        "labels shuffled: skill",
        "audits.catalogue.skill",
        "truth, n = found.y, len(found.y)",
        "truth, n = found.y[torch.randperm(len(found.y), generator=torch.Generator().manual_seed(1))], len(found.y)",
        scores_right_answers,
    ),
    (
        "labels shuffled: donors",
        "audits.catalogue.swap",
        "label = pool_labels[column]",
        "label = pool_labels[column.roll(1)]",
        follows_the_donor,
    ),
    (
        "control reused: the network itself as stranger",
        "audits.catalogue.relevance",
        "redraw(stranger, draw)",
        "pass",
        compares_with_strangers,
    ),
    (
        "control reused: one stranger for all",
        "audits.methods.untrained",
        "generator=generator)",
        "generator=torch.Generator().manual_seed(0))",
        draws_strangers_apart,
    ),
    (
        "control reused: choosing and reporting on the same",
        "audits.calibrating.calibration",
        "held_out = [observation for observation in observations if observation.held_out]",
        "held_out = list(observations)",
        reports_on_held_out_seeds,
    ),
]


@pytest.fixture(scope="module")
def nets(case: object, workshop: SimpleNamespace) -> SimpleNamespace:
    """Sound and defective networks with their data."""

    def shuffled(y: Tensor) -> Tensor:
        return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(3))]

    fair, biased = workshop.data(case), workshop.data(case, nuisance_tells=1.0)
    noise = workshop.data(case, labels=shuffled)
    shifted = AuditData(
        x_train=fair.x_train + 1.0, y_train=fair.y_train, x=fair.x + 1.0, y=fair.y, classes=fair.classes
    )
    return SimpleNamespace(
        fair=fair,
        biased=biased,
        noise=noise,
        shifted=shifted,
        healthy=workshop.train(workshop.network(fair), fair.x_train, fair.y_train),
        shortcut=workshop.train(workshop.network(biased), biased.x_train, biased.y_train),
        memoriser=workshop.train(workshop.network(noise, width=256), noise.x_train, noise.y_train, epochs=40),
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "promise"), [mutation[1:] for mutation in MUTATIONS], ids=[each[0] for each in MUTATIONS]
)
def test_mutation_is_noticed(
    name: str,
    old: str,
    new: str,
    promise: Callable[[ModuleType, SimpleNamespace], None],
    nets: SimpleNamespace,
) -> None:
    """The code as it is keeps the promise; with the mutation it does not."""
    promise(import_module(name), nets)
    with pytest.raises(AssertionError):
        promise(mutated(name, old, new), nets)
