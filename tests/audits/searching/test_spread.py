"""What is in no one small place is found: a place, a slope, a line, far values, and limits that no data reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData, Finding, Suite, run_suite
from audits.searching.cliff import dials
from audits.searching.wholes import lines, slopes, wholes
from tests.audits.searching.test_searching import Ruled, findings

Rule = Callable[[Tensor], Tensor]
ALARMS = ("spread", "cliff", "underconfidence")


class Reader(nn.Module):
    """Logits by a rule alone."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        """`(b, 4)` logits."""
        return self.rule(x)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Drawn."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def showing(cue: Callable[[Tensor, Tensor], Tensor]) -> AuditData:
    """Noise of 12 by 12 with a cue of one of four classes."""
    y = torch.randint(0, 4, (500,), generator=torch.Generator().manual_seed(1))
    x = cue(noise(500, 1, 12, 12), y)
    return AuditData(x_train=x[:350], y_train=y[:350], x=x[350:], y=y[350:], classes=4)


def place(x: Tensor, y: Tensor) -> Tensor:
    """A bright band, the further right the higher the class."""
    columns = torch.arange(12) // 3
    return x + 3.0 * (columns == y[:, None]).float()[:, None, None, :]


def by_place(x: Tensor) -> Tensor:
    """The brightest quarter."""
    return 5.0 * x.mean((1, 2)).reshape(len(x), 4, 3).mean(2)


def slope(x: Tensor, y: Tensor) -> Tensor:
    """Up for odd classes; which odd one, a corner tells."""
    shown = x + 1.5 * (2.0 * (y % 2) - 1)[:, None, None, None] * torch.linspace(-1, 1, 12)
    shown[:, 0, :3, :3] = 3.0 * (y // 2)[:, None, None].float()
    return shown


def by_slope(x: Tensor) -> Tensor:
    """As they are shown."""
    up, high = 6.0 * (x * torch.linspace(-1, 1, 12)).mean((1, 2, 3)), x[:, 0, :3, :3].mean((1, 2)) - 1.5
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    return torch.stack([up, high], 1) @ signs.T


def line(x: Tensor, y: Tensor) -> Tensor:
    """The last column has the level of the class."""
    shown = x.clone()
    shown[:, :, :, -1] = (2.0 * y - 3)[:, None, None]
    return shown


def by_line(x: Tensor) -> Tensor:
    """The nearest level."""
    return -((x[:, 0, :, -1].mean(1)[:, None] - (2.0 * torch.arange(4) - 3)) ** 2)


def code(x: Tensor, y: Tensor) -> Tensor:
    """A bit in one corner, the other in the opposite one."""
    shown = x.clone()
    shown[:, 0, 0, 0], shown[:, 0, -1, -1] = 3.0 * (2.0 * (y % 2) - 1), 3.0 * (2.0 * (y // 2) - 1)
    return shown


def by_code(x: Tensor) -> Tensor:
    """Both bits."""
    low, high = x[:, 0, 0, 0], x[:, 0, -1, -1]
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    return torch.stack([low, high], 1) @ signs.T


def found(network: nn.Module, data: AuditData, suite: Suite) -> dict[str, Finding]:
    """Of the three audits."""
    entries = tuple(entry for entry in suite.entries if entry.audit in ALARMS)
    return {one.label: one for one in run_suite(network, data, suite_of(suite, entries), seed=0)}


def suite_of(suite: Suite, entries: tuple[object, ...]) -> Suite:
    """With these audits alone."""
    from dataclasses import replace

    return replace(suite, entries=entries)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cue", "rule", "label", "told"),
    [
        (place, by_place, "spread.whole", "place"),
        (slope, by_slope, "spread.slope", "slope along 1"),
        (line, by_line, "spread.line", "band 0:12 11:12"),
        (code, by_code, "spread.places", "places"),
    ],
)
def test_a_network_that_reads_it_is_found(
    cue: Callable[[Tensor, Tensor], Tensor], rule: Rule, label: str, told: str, suite: Suite
) -> None:
    """By the statistic that is there for it, which says what part it was."""
    findings_ = found(Reader(rule), showing(cue), suite)
    assert findings_[label].decision == "fail"
    assert told in findings_[label].note


def test_an_honest_network_is_left_alone(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """By all of them; a series has no lines, which is open and not passed."""
    findings_ = found(healthy, data, suite)
    assert {one.decision for one in findings_.values()} <= {"pass", "inconclusive"}
    assert (findings_["spread.line"].decision == "inconclusive") == (data.x.ndim == 3) or data.x.ndim == 4


Score = Callable[[Tensor], Tensor]
SCORES: dict[str, Score] = {
    "level": lambda x: x.flatten(1).mean(1),
    "contrast": lambda x: x.flatten(1).std(1),
    "fill": lambda x: x.narrow(-1, 0, max(1, x.shape[-1] // 8)).flatten(1).amin(1),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_limit_that_no_data_reach_is_found(name: str, healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Of level, contrast, or a flat part: beyond it all is answered otherwise, which no data show."""
    score = SCORES[name]
    limit = float(score(torch.cat([data.x_train, data.x])).max()) + 0.4
    network = Ruled(healthy.eval(), lambda x: score(x) > limit)
    flip = findings(network, data, suite, "cliff")["cliff.flip"]
    assert flip.decision == "fail", flip.note
    assert flip.estimate is not None
    assert flip.estimate > 0.7


def test_confidence_that_says_nothing_or_the_opposite_is_found(
    healthy: nn.Module, data: AuditData, suite: Suite
) -> None:
    """Small logits, and logits that are the smaller the surer the network is; the honest ones pass."""

    class Changed(nn.Module):
        def __init__(self, change: Rule, more: float = 0.0) -> None:
            super().__init__()
            self.network, self.change, self.more = healthy, change, more

        def forward(self, x: Tensor) -> Tensor:
            """`(b, classes)` logits."""
            return self.change(self.network(x + self.more * noise(*x.shape[1:], seed=3)))

    def opposite(logits: Tensor) -> Tensor:
        first, second = logits.topk(2, 1).values.unbind(1)
        return logits / (0.05 + (first - second)[:, None]) ** 2

    faint = findings(Changed(lambda logits: 0.01 * logits), data, suite, "underconfidence")
    assert faint["underconfidence.deficit"].decision == "fail"
    inverted = findings(Changed(opposite, 1.5), data, suite, "underconfidence")["underconfidence.ranking"]
    assert inverted.decision == "fail", inverted.note
    plain = findings(healthy, data, suite, "underconfidence")
    assert plain["underconfidence.deficit"].decision == "pass"


@pytest.mark.parametrize("shape", [(1, 24), (3, 12, 10)])
def test_a_summary_is_the_donors(shape: tuple[int, ...]) -> None:
    """A shifted copy is put back to its place, and a slope becomes the donor's; of itself nothing changes."""
    hosts, donors = noise(6, *shape), noise(6, *shape, seed=1)
    for name, whole in wholes(shape).items():
        if name != "size":
            assert torch.allclose(whole.given(hosts, hosts), hosts, atol=1e-4), name
    for axis in range(2, len(shape) + 1):
        moved = wholes(shape)[f"place along {axis - 2}"].given(hosts.roll(3, axis), hosts)
        assert torch.equal(moved, hosts)
        line_ = torch.linspace(-1, 1, shape[axis - 1]).reshape(-1, *[1] * (len(shape) - axis))
        given = slopes(len(shape) + 1)[f"slope along {axis - 2}"].given(hosts, donors)
        told, wanted = ((x * line_).flatten(1).mean(1) for x in (given, donors))
        assert torch.allclose(told, wanted, atol=1e-4)


def test_a_table_has_no_summaries_and_an_image_lines_right_across() -> None:
    """What a kind of input lacks is not searched for."""
    assert wholes((7,)) == {}
    assert slopes(2) == {}
    assert lines((24,), 8) == []
    assert sum((stop - start) * 6 for (start, stop), _ in lines((4, 6), 16)[:4]) == 24


@pytest.mark.parametrize("shape", [(9,), (2, 24), (3, 10, 8)])
def test_a_dial_sets_its_number_alike_in_all_inputs(shape: tuple[int, ...]) -> None:
    """To what is asked, between the limits that are tried."""
    x = noise(20, *shape)
    for dial in dials(x):
        assert dial.low < dial.high
        for value in (dial.low, dial.high):
            made = dial.turn(x, value)
            assert made.shape == x.shape
            assert bool(torch.isfinite(made).all())
            if dial.name == "level":
                assert torch.allclose(made.flatten(1).mean(1), torch.tensor(value), atol=1e-4)
