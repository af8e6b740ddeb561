"""Small data and small trained networks, sound and defective, series and images; trained once a session, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData, Suite, load_suite
from audits.contract.data import Trigger

CLASSES = 4
TRAIN, AUDIT = 400, 160


@dataclass(frozen=True)
class Region:
    """A named nuisance region."""

    name: str
    region: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Case:
    """A kind of data and the place of its nuisance."""

    name: str
    size: tuple[int, ...]
    nuisance: Region


CASES = (
    Case("series", (24,), Region("start", ((0, 4),))),
    Case("images", (8, 8), Region("corner", ((0, 2), (0, 2)))),
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Series and images in turn."""
    found: Case = request.param
    return found


@pytest.fixture(scope="session")
def suite() -> Suite:
    """The shipped suite."""
    return load_suite("baseline")


@pytest.fixture(scope="session")
def data(case: Case) -> AuditData:
    """A learnable task whose nuisance region tells nothing."""
    return make_data(case)


@pytest.fixture(scope="session")
def healthy(data: AuditData) -> nn.Module:
    """A network trained well on it."""
    return train(make_network(data), data.x_train, data.y_train)


@pytest.fixture(scope="session")
def workshop() -> SimpleNamespace:
    """The makers below, for tests (which cannot import a conftest)."""
    return SimpleNamespace(data=make_data, network=make_network, train=train, classes=CLASSES, region=Region)


def make_data(
    case: Case, *, nuisance_tells: float = 0.0, labels: Callable[[Tensor], Tensor] = lambda y: y
) -> AuditData:
    """Noisy class templates; the nuisance region shows the class in a share of all examples, else a random one."""
    draw = torch.Generator().manual_seed(7)
    n = TRAIN + AUDIT
    y = torch.randint(0, CLASSES, (n,), generator=draw)
    templates = torch.randn(CLASSES, 1, *case.size, generator=draw)
    templates *= 3.5 / templates.flatten(1).norm(dim=1).mean()  # equally hard whatever the size
    x = templates[y] + 0.8 * torch.randn(n, 1, *case.size, generator=draw)
    told = torch.rand(n, generator=draw) < nuisance_tells
    shown = torch.where(told, y, torch.randint(0, CLASSES, (n,), generator=draw))
    where = (slice(None), slice(None), *(slice(*pair) for pair in case.nuisance.region))
    patterns = 6.0 * torch.eye(CLASSES)
    x[where] = patterns[shown].reshape(x[where].shape)
    y = labels(y)
    return AuditData(
        x_train=x[:TRAIN],
        y_train=y[:TRAIN],
        x=x[TRAIN:],
        y=y[TRAIN:],
        classes=CLASSES,
        nuisances=(case.nuisance,),
        triggers=(trigger_of(case),),
    )


def trigger_of(case: Case) -> Trigger:
    """A bright patch at the far end of the input, said to call up the last class."""
    region = tuple((side - 2, side) for side in case.size)
    return Trigger(name="patch", region=region, value=3.0, target=CLASSES - 1)


def make_network(data: AuditData, *, width: int = 24, seed: int = 0) -> nn.Module:
    """An untrained network for that data."""
    inputs = data.x[0].numel()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, data.classes)
        )


def train(network: nn.Module, x: Tensor, y: Tensor, *, epochs: int = 12, rate: float = 1e-2) -> nn.Module:
    """The network, trained in place and left in training mode."""
    order = torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    network.train()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(x), generator=order), 40):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimiser.step()
    return network
