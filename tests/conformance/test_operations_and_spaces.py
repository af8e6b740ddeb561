"""What every operation and every space must do, those of our own and one of each that somebody else might bring."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from constraints import Guard, load_set
from constraints.judging.verification import verify_certificate
from constraints.language.rules import Context
from selfnas.devices.work import parts
from selfnas.errors import ArchitectureError
from selfnas.networks.costs import costs
from selfnas.networks.network import build_network, parameter_count
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import SPACES, composed_space, in_force, operation_named, parse_architecture, space_named
from selfnas.spaces.operation import Kernel, Operation, convolution, halved, pooling
from selfnas.spaces.operations import OPERATIONS, Convolution
from selfnas.spaces.stacked import parse_choices, stacked
from selfnas.strategies import make_strategy
from selfnas.testing import check_operation, check_space
from selfnas.testing.promises import ConformanceError

MACRO = Macro(channels=4, depth=1, resolution=8)
SHAPE = TaskShape(channels=1, size=(9, 8), classes=3)


@dataclass(frozen=True)
class Squeeze:
    """Pooling over three pixels, then a 1x1 convolution."""

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        return (
            pooling(channels, before=before, after=after),
            convolution(channels, channels, 1, before=after, after=after),
        )

    def reach(self, stride: int) -> int:
        """The pooling's."""
        return 2


def squeeze(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Its module."""
    pool, convolve, norm = (
        (nn.AvgPool1d, nn.Conv1d, nn.BatchNorm1d) if dimensions == 1 else (nn.AvgPool2d, nn.Conv2d, nn.BatchNorm2d)
    )
    return nn.Sequential(pool(3, stride, padding=1), convolve(channels, channels, 1, bias=False), norm(channels))


SQUEEZE = Operation(name="squeeze3", form=Squeeze(), builder=squeeze, aliases=("squeeze_3",))
WIDER = Space(
    name="nb201-squeeze",
    templates=tuple(replace(t, operations=(*t.operations, SQUEEZE)) for t in SPACES["nb201"].templates),
)


@pytest.mark.parametrize("operation", [*OPERATIONS.values(), SQUEEZE], ids=lambda operation: operation.name)
def test_every_operation_keeps_the_promises_of_operations(operation: Operation) -> None:
    """Formulas, reach and shape are those of the module that is built."""
    check_operation(operation)


@pytest.mark.parametrize(
    "space",
    [
        *SPACES.values(),
        space_named("nb201{conv3x3>avg3,skip>conv1x1&avg3}"),
        WIDER,
        stacked(SPACES["transnas-micro"], parse_choices("c8,16n1r16s0haverage,peaks")),
        stacked(SPACES["darts"], parse_choices("c8n1,2,3r16s0haverage")),
    ],
    ids=str,
)
def test_every_space_keeps_the_promises_of_spaces(space: Space) -> None:
    """Counts, draws, vectors, texts, neighbours and digests agree."""
    check_space(space)


def test_the_reference_names_every_space_and_operation() -> None:
    """Once, in its tables."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "spaces.md").read_text(encoding="utf-8")
    spaces, operations = page.split("## Operations")
    for space in SPACES.values():
        row = next(line for line in spaces.splitlines() if line.startswith(f"| `{space}` |"))
        assert row.endswith(f"| {space.count():,} |")
        assert all(f"`{name}`" in row for name in space.operations)
    assert all(f"`{name}`" in operations.split("What no space")[0] for name in OPERATIONS)


class Scaled(nn.Module):
    """Its input, times three."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape and size kept."""
        return 3 * x


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (replace(SQUEEZE, form=Convolution(1)), "looks 0 beyond a point, the module looks 2"),
        (replace(SQUEEZE, form=Convolution(3)), "parameters, the module has"),
        (replace(SQUEEZE, builder="selfnas.networks.operations:avg3"), "parameters, the module has"),
        (
            replace(SQUEEZE, builder=lambda c, s, d: squeeze(c, 1, d)),
            "gives shape",
        ),
        (replace(OPERATIONS["skip"], builder=lambda c, s, d: Scaled() if s == 1 else squeeze(c, s, d)), "identity"),
    ],
)
def test_a_record_that_does_not_fit_its_module_is_found_out(changed: Operation, message: str) -> None:
    """Each kind of slip is named."""
    with pytest.raises(ConformanceError, match=message):
        check_operation(changed)


class LopsidedSpace(Space):
    """Draws its first half of operations only."""

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Not uniform."""
        return np.minimum(super().draw(rng, count), 2)


def test_a_space_that_does_not_draw_uniformly_is_found_out() -> None:
    """Although everything it draws is its own."""
    with pytest.raises(ConformanceError, match="not uniform"):
        check_space(LopsidedSpace(name="lopsided", templates=SPACES["nb201"].templates))


def test_formulas_and_rules_need_no_torch() -> None:
    """Costs and verdicts are computed in a process that never imports it."""
    code = (
        "import sys; from constraints import Guard, load_set; from selfnas.networks.costs import costs\n"
        "from selfnas.spaces.architecture import TaskShape; from selfnas.spaces.named import parse_architecture\n"
        "a = parse_architecture('nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|')\n"
        "shape = TaskShape(channels=1, size=(8, 8), classes=10); assert costs(a, shape).params\n"
        "assert Guard(load_set('baseline'), space=a.space, macro=a.macro, shape=shape).decide(a).verdict\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_space_of_ones_own_is_searched_costed_built_and_judged_by_value() -> None:
    """Without any name being looked up; its texts are read once it is in force, and no longer."""
    set_ = replace(load_set("baseline"), spaces=("nb201-squeeze",))
    guard = Guard(set_, space=WIDER, macro=MACRO, shape=SHAPE)
    trials = make_strategy("random")([], SpaceDomain(WIDER, MACRO), 8, np.random.default_rng(1))
    carrying = [a for a in trials if any(edge.operation == "squeeze3" for edge in a.cells[0].live_edges())]
    assert carrying
    for architecture in carrying:
        network = build_network(architecture, SHAPE, seed=0)
        assert parameter_count(network) == costs(architecture, SHAPE).params
        assert any(part.operation == SQUEEZE for part in parts(architecture, SHAPE))
        decision = guard.decide(architecture)
        assert decision.verdict in ("admit", "reject")
        with pytest.raises(ArchitectureError, match="unknown space 'nb201-squeeze'"):
            parse_architecture(str(architecture))
        with in_force(WIDER):
            assert parse_architecture(str(architecture)) == architecture
            assert operation_named("squeeze3") == SQUEEZE
            assert space_named("nb201-squeeze{squeeze3>conv3x3}") == composed_space(WIDER, ("squeeze3>conv3x3",))
            assert verify_certificate(decision.certificate, set_) == ()


def test_two_definitions_of_one_name_are_never_confused() -> None:
    """Caches, digests of guards and costs follow the value, not its name."""
    heavy = replace(SQUEEZE, form=Convolution(3))
    other = replace(WIDER, templates=tuple(replace(t, operations=(*t.operations[:-1], heavy)) for t in WIDER.templates))
    vector = np.full(6, 5, dtype=np.int8)
    one, two = (space.decode(vector, macro=MACRO) for space in (WIDER, other))
    assert one != two
    assert costs(one, SHAPE).params < costs(two, SHAPE).params
    digests = {Context(space=space, macro=MACRO, shape=SHAPE).digest("0" * 64) for space in (WIDER, other)}
    assert len(digests) == 2
    with in_force(WIDER):
        assert parse_architecture(str(one)) == one
        with pytest.raises(ArchitectureError, match="is a space already"), in_force(other):
            pass
    with in_force(other):
        assert parse_architecture(str(two)) == two


def _named(name: str, **changes: object) -> Mapping[str, object]:
    return {"name": name, "form": Squeeze(), "builder": squeeze, **changes}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (_named("conv3x3"), "'conv3x3' is an operation of our own"),
        (_named("mine", aliases=("nor_conv_3x3",)), "'nor_conv_3x3' is an operation of our own"),
        (_named("none"), "none of none"),
        (_named("stem"), "none of none, stem"),
        (_named("Mine"), "lower-case letters"),
        (_named("mine", colour="red"), "#rrggbb"),
        (_named("mine", aliases=("a b",)), "is no alias"),
    ],
)
def test_an_operation_that_would_be_taken_for_another_is_refused(record: dict[str, object], message: str) -> None:
    """Names and aliases of our own, words of the texts, and spellings that no text can carry."""
    with pytest.raises(ArchitectureError, match=message):
        replace(SPACES["nb201"].templates[0], operations=(Operation(**record),))  # type: ignore[arg-type]


def test_a_space_of_our_own_is_not_replaced() -> None:
    """Nor may two spaces in force give one name to two operations."""
    with pytest.raises(ArchitectureError, match="'nb201' is a space already"), in_force(replace(WIDER, name="nb201")):
        pass
    other = replace(SQUEEZE, form=Convolution(3))
    second = Space(name="second", templates=(replace(WIDER.templates[0], operations=(other,)),))
    with pytest.raises(ArchitectureError, match="'squeeze3' of space second"), in_force(WIDER, second):
        pass


def test_a_builder_that_is_not_there_is_named() -> None:
    """By the record's own text."""
    with pytest.raises(ArchitectureError, match=r"no builder at 'selfnas\.nowhere:thing'"):
        replace(SQUEEZE, builder="selfnas.nowhere:thing").build(2, stride=1, size=(8,))
