"""What nobody named is found where it was planted, and a network that has no such defect is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData, Finding, Suite, run_suite
from audits.catalogue.classes import worst_class
from audits.methods.attribution import tile
from audits.searching.views import windows


def findings(network: nn.Module, data: AuditData, suite: Suite, audit: str) -> dict[str, Finding]:
    """Of one audit, by label, with nothing named."""
    entries = tuple(entry for entry in suite.entries if entry.audit == audit)
    plain = replace(data, nuisances=data.nuisances if audit == "fills" else (), triggers=())
    return {one.label: one for one in run_suite(network, plain, replace(suite, entries=entries), seed=0)}


class Ruled(nn.Module):
    """An honest network whose answer is moved by one class where a rule says so, or a given class is called."""

    def __init__(self, network: nn.Module, rule: Callable[[Tensor], Tensor], target: int | None = None) -> None:
        super().__init__()
        self.network, self.rule, self.target = network, rule, target

    def forward(self, x: Tensor) -> Tensor:
        """`(b, classes)` logits."""
        given: Tensor = self.network(x)
        moved = given.roll(1, 1)
        if self.target is not None:
            moved = torch.zeros_like(given)
            moved[:, self.target] = 50.0
        return torch.where(self.rule(x)[:, None], moved, given)


def shown(data: AuditData, cue: Callable[[Tensor, Tensor], Tensor]) -> AuditData:
    """The data with a cue of the class in every input."""
    return replace(data, x_train=cue(data.x_train, data.y_train), x=cue(data.x, data.y))


def corner(x: Tensor, y: Tensor) -> Tensor:
    """A pattern of the class in the last window."""
    region = windows(tuple(x.shape[2:]), dimensions=x.ndim)[-1]
    where = (slice(None), slice(None), *(slice(*pair) for pair in region))
    patterns = 4 * torch.randn(int(y.max()) + 1, *x[where].shape[1:], generator=torch.Generator().manual_seed(3))
    changed = x.clone()
    changed[where] = patterns[y]
    return changed


def brighter(x: Tensor, y: Tensor) -> Tensor:
    """Odd classes are."""
    return x + (2.0 * (y % 2) - 1).reshape(-1, *[1] * (x.ndim - 1))


def trained(data: AuditData, workshop: SimpleNamespace) -> nn.Module:
    """A network on these data."""
    network: nn.Module = workshop.train(workshop.network(data), data.x_train, data.y_train)
    return network


@pytest.mark.parametrize(("cue", "label"), [(corner, "transplant.region"), (brighter, "transplant.level")])
def test_a_cue_that_nobody_named_is_found(
    cue: Callable[[Tensor, Tensor], Tensor], label: str, data: AuditData, suite: Suite, workshop: SimpleNamespace
) -> None:
    """Where the network learned it; the same audit leaves a network alone that had none to learn."""
    cued = shown(data, cue)
    audit = label.partition(".")[0]
    assert findings(trained(cued, workshop), cued, suite, audit)[label].decision == "fail"
    plain = replace(data, nuisances=())
    assert findings(trained(plain, workshop), plain, suite, audit)[label].decision != "fail"


def test_a_network_that_looks_at_one_place_is_found(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """One that sees the first tile alone; one that sees all of the input is not."""
    tiles = tile(data.size)
    seen = (tiles.index == 0).float()

    class Narrow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = healthy

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.network(x * seen)
            return given

    found = findings(Narrow(), data, suite, "focus")["focus.share"]
    assert (found.decision, found.estimate) == ("fail", pytest.approx(1.0))
    assert findings(healthy, data, suite, "focus")["focus.share"].decision == "pass"


def test_the_class_of_a_stamp_that_nobody_registered_is_found(
    data: AuditData, suite: Suite, workshop: SimpleNamespace
) -> None:
    """Where training inputs show it: donors of that one class carry it along."""
    trigger, label = data.triggers[0], data.triggers[0].target
    chosen = torch.rand(len(data.x_train), generator=torch.Generator().manual_seed(5)) < 0.2
    x, y = data.x_train.clone(), data.y_train.clone()
    x[chosen], y[chosen] = trigger.stamped(x[chosen]), label
    poisoned = replace(data, x_train=x, y_train=y)
    found = findings(trained(poisoned, workshop), poisoned, suite, "transplant")["transplant.mark"]
    assert found.decision == "fail"
    assert f"of class {label}" in found.note


def test_what_no_data_show_is_missed(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """A trigger outside named regions that training inputs lack: the audits say that they miss it, and they do."""
    region = data.triggers[0].region
    where = (slice(None), slice(None), *(slice(*pair) for pair in region))
    network = Ruled(healthy.eval(), lambda x: (x[where] - 9.0).abs().flatten(1).mean(1) < 0.1, target=1)
    assert {one.decision for one in findings(network, data, suite, "transplant").values()} <= {"pass", "inconclusive"}


def test_a_fill_of_a_named_region_that_no_data_show_is_found(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Near any flat value that is tried; the honest network passes."""
    where = (slice(None), slice(None), *(slice(*pair) for pair in data.nuisances[0].region))
    network = Ruled(healthy.eval(), lambda x: (x[where] - 3.2).abs().flatten(1).amax(1) < 0.6, target=1)
    (label,) = [f"fills[{one.name}].turn" for one in data.nuisances]
    found = findings(network, data, suite, "fills")[label]
    assert (found.decision, found.estimate) == ("fail", 1.0)
    assert "class 1" in found.note
    assert findings(healthy, data, suite, "fills")[label].decision == "pass"


def test_a_group_told_by_a_simple_feature_is_found(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """The brightest fifth is answered wrongly; the finding speaks of examples that did not tell the group."""
    limit = data.x_train.flatten(1).mean(1).quantile(0.8)
    found = findings(Ruled(healthy.eval(), lambda x: x.flatten(1).mean(1) > limit), data, suite, "slices")
    assert found["slices.accuracy"].decision == "fail"
    assert found["slices.accuracy"].n < (len(data.x) + len(data.x_train)) / 2
    assert findings(healthy, data, suite, "slices")["slices.accuracy"].decision != "fail"


def test_what_is_hard_for_everything_accuses_nobody(data: AuditData, suite: Suite, workshop: SimpleNamespace) -> None:
    """Inputs of one class that show nothing but noise: the network is wrong there, and so are neighbours."""
    draw = torch.Generator().manual_seed(2)

    def drowned(x: Tensor, y: Tensor) -> Tensor:
        noise = 6 * torch.randn(x.shape, generator=draw)
        return torch.where(
            (y == 0).reshape(-1, *[1] * (x.ndim - 1)) & (torch.rand(len(x), *[1] * (x.ndim - 1), generator=draw) < 0.5),
            noise,
            x,
        )

    hard = shown(replace(data, nuisances=()), drowned)
    assert findings(trained(hard, workshop), hard, suite, "slices")["slices.accuracy"].decision != "fail"


@pytest.mark.parametrize("label", [0, 2])
def test_a_class_that_is_never_answered_is_found(label: int, healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """By name, in both splits; the honest network has none."""

    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = healthy

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.network(x)
            return given.index_fill(1, torch.tensor([label]), -100.0)

    found = findings(Deaf(), data, suite, "classes")
    assert {one.decision for one in found.values()} == {"fail"}
    assert all(one.note.startswith(f"class {label}: 0 of") for one in found.values())
    assert {one.decision for one in findings(healthy, data, suite, "classes").values()} == {"pass"}


def test_limits_of_the_worst_class_are_simultaneous() -> None:
    """With 20 classes that are equally hard, the limits hold the true ratio as often as they say, or oftener."""
    draw, covered, rounds = torch.Generator().manual_seed(0), 0, 200
    truth = torch.arange(20).repeat(30)
    for _ in range(rounds):
        right = torch.rand(len(truth), generator=draw) < 0.9
        found = worst_class(
            "recall", torch.where(right, truth, (truth + 1) % 20), truth, [str(one) for one in range(20)]
        )
        covered += found.low <= 1.0 <= found.high
    assert covered >= 0.93 * rounds


def test_copies_are_told_from_new_inputs(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Jittered training inputs are copies, fresh ones are not; a third of copies is enough."""
    assert findings(healthy, data, suite, "copies")["copies.share"].decision == "pass"
    noise = 0.02 * torch.randn(data.x.shape, generator=torch.Generator().manual_seed(1))
    for share in (1.0, 0.5):
        count = round(share * len(data.x))
        x = torch.cat([data.x_train[:count] + noise[:count], data.x[count:]])
        found = findings(healthy, replace(data, x=x), suite, "copies")["copies.share"]
        assert (found.decision, found.estimate) == ("fail", pytest.approx(share))


def test_a_table_is_searched_by_columns(suite: Suite) -> None:
    """One column that gives the class away is found; what a table does not have is open, not passed."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (500,), generator=draw)
    x = torch.randn(500, 6, generator=draw)
    x[:, 3] = 4.0 * (2 * y - 1)
    data = AuditData(x_train=x[:400], y_train=y[:400], x=x[400:], y=y[400:], classes=2)
    network = nn.Linear(6, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0, 0, -1, 0, 0], [0.0, 0, 0, 1, 0, 0]]))
        network.bias.zero_()
    found = findings(network, data, suite, "transplant")
    assert (found["transplant.region"].decision, found["transplant.region"].estimate) == ("fail", 1.0)
    assert "3:4" in found["transplant.region"].note
    assert {found[f"transplant.{name}"].decision for name in ("texture", "level", "contrast")} == {"inconclusive"}
