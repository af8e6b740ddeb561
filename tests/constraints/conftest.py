"""What the constraint tests share: contexts, and rules that use every construct of the language with swept limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from constraints import Context, Rule
from constraints.language.lexicon import Table, Vocabulary
from constraints.language.resolve import read_condition
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

_POOL = {"avg3", "max3"}

CELL_EXPRESSIONS = [
    "true",
    "false",
    "exists path(input, output)",
    "not exists path(input, output) avoiding node(2)",
    "exists path(input, output) avoiding node(1, 2)",
    "exists path(input, node(2))",
    "exists path(node(1), output) avoiding node(1)",
    "exists path(node(1), output)",
    "exists path(node(2), node(2)) where length <= {0..1}",
    "exists path(input, output) where all op in plain",
    "exists path(input, output) where any op in learned",
    "exists path(input, output) where not all op in {{skip, avg3}}",
    "exists path(input, output) where (all op in plain or length <= 1) and true",
    "exists path(input, output) where (any op: conv3x3 and count(op in plain) >= {0..2})",
    "exists path(input, output) where (length == 2 implies any op: skip)",
    "exists path(input, output) where sum(effort) == {0..7}",
    "exists path(input, output) where product(lipschitz) != {1..6}",
    "every path(input, output) where length >= {1..3}",
    "every path(input, output) avoiding node(1) where any op in learned",
    "depth <= {0..3}",
    "depth == {1..3}",
    "max over path(input, output) of sum(effort) >= {1..9}",
    "max over path(input, output) of product(lipschitz) <= {1..12}",
    "max over path(input, output) where any op: skip of count(op in learned) < {0..3}",
    "min over path(input, output) of length > {0..2}",
    "min over path(input, output) of sum(effort) <= {0..5}",
    "min over path(input, output) of count(op: conv3x3) == {0..2}",
    "min over path(input, output) of product(lipschitz) != {1..4}",
    "max over node of fan_in <= {0..3}",
    "max over node of fan_out == {0..3}",
    "min over node of fan_in >= {0..2}",
    "min over node of fan_out != {0..2}",
    "fan_in(output) >= {0..3}",
    "fan_in(node(2)) + fan_out(node(1)) <= {0..4}",
    "count(edge()) <= {0..6}",
    "count(edge(op: conv3x3)) - 2 * count(edge(op: skip)) <= {0..3}",
    "count(edge(from: input, op in learned)) == {0..3}",
    "count(edge(to: output, live)) >= {0..3}",
    "count(edge(dead)) < {0..3}",
    "3 * count(edge(op in plain)) != {0..6}",
    "count(edge(op: conv3x3)) + count(edge(op: conv3x3, to: output)) <= {1..4}",
    "count(edge(op: skip)) >= 2 or not count(edge(op: skip)) >= 2",
    "total(effort) <= {0..9}",
    "every edge() is live",
    "every edge(op in learned) is (from: input, live)",
    "edge(op: conv3x3)",
    "edge(op: skip) then edge(op: conv3x3)",
    "edge(op: skip) before edge(op: conv3x3)",
    "edge(op in plain) before edge(op in learned)",
    "edge(op: skip) before edge() then edge(op: conv3x3)",
    "edge(op not in plain, to: 3)",
    "motif {{a -> b: skip, b -> c: conv3x3, a -> c: skip}}",
    "motif {{input -> b: learned, b -> output}}",
    "motif {{a -> c: plain, b -> c: plain}}",
    "node(2) dominates output",
    "node(1) dominates node(3)",
    "depth <= 2 implies count(edge(op: skip)) >= 1 or not edge(op in learned)",
]

NETWORK_EXPRESSIONS = [
    "params <= {20_000..60_000}",
    "params > {20_000..60_000}",
    "macs <= {0.1..3} @Mmac",
    "activation_bytes < {20..120} @KiB",
    "2 * params - activation_bytes <= 60_000",
    "max over path(input, output) of receptive_field >= {1..90} @px",
    "max over path(input, output) of receptive_field <= {20..80} @px",
    "max over path(input, output) of receptive_field == 35",
    "count(edge(op in learned)) <= {0..5}",
    "total(effort) == {0..8}",
    "params <= 40_000 or macs <= 1 @Mmac and not total(effort) > 7",
]


def _swept(text: str, steps: int) -> list[str]:
    """The text with each `{low..high}` replaced by so many values between them."""
    head, brace, rest = text.partition("{")
    if not brace or rest.startswith("{"):
        return [text.replace("{{", "{").replace("}}", "}")]
    bounds, _, tail = rest.partition("}")
    low, high = (float(part.replace("_", "")) for part in bounds.split(".."))
    whole = ".." in bounds and low == int(low) and high == int(high)
    values = [low + (high - low) * step / (steps - 1) for step in range(steps)] if steps > 1 else [(low + high) / 2]
    spelled = dict.fromkeys(str(round(value)) if whole else f"{value:.2f}" for value in values)
    return [(head + value + tail).replace("{{", "{").replace("}}", "}") for value in spelled]


@pytest.fixture(scope="session")
def vocabulary() -> Callable[[str], Vocabulary]:
    """The words of the test rules in a space."""

    def of(space: str) -> Vocabulary:
        # The operations of nb201 are words everywhere, so that one list of rules serves all spaces.
        known = frozenset({*space_named(space).operations, *space_named("nb201").operations})
        free = frozenset(_POOL | {"skip"}) & known
        effort = {op: 0 if op == "skip" else 1 if op in _POOL else 2 if op.endswith("1x1") else 3 for op in known}
        return Vocabulary(
            operations=known,
            opsets={"plain": free | (frozenset({"conv1x1"}) & known), "learned": known - free},
            tables={
                "effort": Table(entries=effort),
                "lipschitz": Table(entries={op: max(1, value) for op, value in effort.items()}),
            },
        )

    return of


@pytest.fixture(scope="session")
def construct_rules(vocabulary: Callable[[str], Vocabulary]) -> Callable[..., list[Rule]]:
    """Rules of every construct in a space, each limit swept in some steps."""

    def of(space: str, *, steps: int = 2) -> list[Rule]:
        rules = []
        for scope, texts in (("cell", CELL_EXPRESSIONS), ("network", NETWORK_EXPRESSIONS)):
            for text in (swept for raw in texts for swept in _swept(raw, steps)):
                condition, faults = read_condition(text, scope, vocabulary(space))
                assert not faults, (text, faults)
                rules.append(
                    Rule(id=f"r{len(rules)}", scope=scope, condition=condition, text=text, why="test", message="test")
                )
        return rules

    return of


@pytest.fixture(scope="session")
def contexts() -> Callable[[str], list[Context]]:
    """Small and large settings, images and series."""

    def of(space: str) -> list[Context]:
        small, large = Macro(channels=8, depth=1, resolution=16), Macro()
        return [
            Context(space=space_named(space), macro=small, shape=TaskShape(channels=1, size=(8, 8), classes=10)),
            Context(space=space_named(space), macro=small, shape=TaskShape(channels=12, size=(29,), classes=9)),
            Context(space=space_named(space), macro=small, shape=TaskShape(channels=1, size=(200,), classes=2)),
            Context(space=space_named(space), macro=large, shape=TaskShape(channels=3, size=(32, 32), classes=10)),
        ]

    return of
