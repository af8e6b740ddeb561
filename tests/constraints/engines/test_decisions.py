"""What the engines decide of one sum, one motif, one field, one change of policy: held to arithmetic and to the eye."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from constraints import Context, Rule
from constraints.engines.circuit import FALSE, TRUE, AtMost, Circuit
from constraints.engines.encoding import encode
from constraints.engines.referee import Referee, judge_policy
from constraints.engines.vectorised import evaluate
from constraints.loading.loading import parse_set
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)


def rules_of(*texts: str, scope: str = "cell") -> list[Rule]:
    """Rules that require, or with `forbid ` before the text forbid, in the space nb201."""
    lines = [
        f"  - {{id: r{place}, scope: {scope}, {'forbid' if text.startswith('forbid ') else 'require'}: "
        f'"{text.removeprefix("forbid ")}", why: w, message: m}}\n'
        for place, text in enumerate(texts)
    ]
    return list(parse_set("set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n" + "".join(lines)).rules)


@pytest.mark.parametrize("seed", range(12))
def test_a_weighted_sum_is_compared_as_numbers_are(seed: int) -> None:
    """Weights of either sign, an item twice, truths among the terms: every assignment of four items."""
    rng = np.random.default_rng(seed)
    vectors = np.array(list(itertools.product((0, 1), repeat=4)), dtype=np.int8)
    for _ in range(12):
        circuit = Circuit([2] * 4)
        items = [circuit.literal(slot, [1]) for slot in range(4)]
        chosen = [*items, items[int(rng.integers(4))], TRUE, FALSE]
        weights, bound = rng.integers(-4, 5, len(chosen)).tolist(), int(rng.integers(-6, 7))
        root = circuit.at_most(zip(chosen, weights, strict=True), bound)
        truths = np.stack([*vectors.T, vectors[:, items.index(chosen[4])], np.ones(16), np.zeros(16)], axis=1)
        found = evaluate(circuit, [root], vectors)[:, 0]
        assert np.array_equal(found, truths @ np.array(weights) <= bound), (weights, bound)


def test_sums_that_z3_s_atoms_cannot_hold_are_known() -> None:
    """From 2**31 on."""
    assert not AtMost(items=(2, 3), weights=(2**30, 2**30 - 1), bound=1).wide
    assert AtMost(items=(2, 3), weights=(2**30, 2**30), bound=1).wide


def test_negation_and_connectives_of_constants() -> None:
    """Not true is false, all of nothing is true, any of nothing is false."""
    circuit = Circuit([2])
    assert (circuit.negation(TRUE), circuit.negation(FALSE)) == (FALSE, TRUE)
    assert (circuit.conjunction([]), circuit.disjunction([])) == (TRUE, FALSE)


@pytest.mark.parametrize(
    ("text", "old", "new", "passes"),
    [
        ("new.population <= 2 * old.population", 4, 8, True),
        ("new.population <= 2 * old.population", 4, 9, False),
        ("forbid new.population > 2 * old.population", 4, 8, True),
        ("forbid new.population > 2 * old.population", 4, 9, False),
        ("3 * new.population - old.population >= 5", 4, 3, True),
        ("3 * new.population - old.population >= 5", 5, 3, False),
        ("not new.population == old.population", 3, 3, False),
        ("not new.population == old.population", 3, 4, True),
    ],
)
def test_a_change_of_policy_is_judged_by_its_numbers(text: str, old: int, new: int, passes: bool) -> None:
    """Weights multiply, `forbid` turns the answer, on either side of each limit."""
    assert judge_policy(rules_of(text, scope="policy"), {"population": old}, {"population": new}) == [passes]


@pytest.mark.parametrize(
    ("cell", "text", "found"),
    [
        # One skip is not two: distinct names stand for distinct nodes.
        ("|skip~0|+|none~0|conv3x3~1|+|none~0|none~1|conv3x3~2|", "motif {a -> b: skip, c -> d: skip}", False),
        ("|skip~0|+|none~0|conv3x3~1|+|none~0|none~1|skip~2|", "motif {a -> b: skip, c -> d: skip}", True),
        # Two skips that share a node are not two apart.
        ("|skip~0|+|none~0|skip~1|+|none~0|none~1|conv3x3~2|", "motif {a -> b: skip, c -> d: skip}", False),
        ("|skip~0|+|none~0|skip~1|+|none~0|none~1|conv3x3~2|", "motif {a -> b: skip, b -> c: skip}", True),
        ("|skip~0|+|none~0|conv3x3~1|+|none~0|none~1|skip~2|", "motif {a -> b: skip, b -> c: skip}", False),
    ],
)
def test_names_of_a_motif_stand_for_nodes_that_differ(cell: str, text: str, found: bool) -> None:
    """By the referee and by NumPy."""
    space, macro = space_named("nb201"), Macro(channels=8, depth=1, resolution=16)
    rules = rules_of(text)
    context = Context(space=space, macro=macro, shape=SHAPE)
    from selfnas.spaces.named import parse_architecture

    architecture = parse_architecture(f"nb201/c8n1r16:{cell}")
    assert Referee(rules, context).verdicts(architecture) == [found]
    encoding = encode(rules, context)
    (root,) = encoding.roots
    assert root is not None
    assert evaluate(encoding.circuit, [root], space.encode(architecture)[None])[0, 0] == found


@pytest.mark.parametrize(
    ("macro", "size"),
    [
        (Macro(channels=8, depth=1, resolution=16), (8, 8)),
        (Macro(channels=8, depth=2, resolution=32), (32, 32)),
        (Macro(channels=8, depth=1, resolution=32, stem=2), (32, 32)),
        (Macro(channels=8, depth=2, resolution=64, stem=4), (64, 64)),
    ],
)
def test_a_receptive_field_grows_by_the_steps_between_positions(macro: Macro, size: tuple[int, int]) -> None:
    """The limit at which a rule turns is the same for the referee and for NumPy, whatever the strides."""
    space = space_named("nb201")
    limits = (1, 3, 7, 9, 15, 21, 31, 33, 45, 61, 63, 90, 120, 180, 240)
    texts = [f"max over path(input, output) of receptive_field >= {limit} @px" for limit in limits]
    context = Context(space=space, macro=macro, shape=TaskShape(channels=1, size=size, classes=10))
    rules = rules_of(*texts, scope="network")
    encoding, referee = encode(rules, context), Referee(rules, context)
    roots = [root for root in encoding.roots if root is not None]
    vectors = space.enumerate()[7::611]
    by_numpy = evaluate(encoding.circuit, roots, vectors)
    assert by_numpy.any()
    assert not by_numpy.all()
    for vector, answers in zip(vectors, by_numpy, strict=True):
        assert referee.verdicts(space.decode(vector, macro=macro)) == answers.tolist()


def test_numbers_of_a_path_are_added_or_multiplied_as_its_measure_says() -> None:
    """Sums, products, counts and lengths of the longest and shortest path: NumPy and the referee turn at one limit."""
    space, macro = space_named("nb201"), Macro(channels=8, depth=1, resolution=16)
    entries = ", ".join(f"{name}: {weight}" for weight, name in enumerate(space.operations, start=2))
    texts = [
        f"{bound} over path(input, output) of {measure} {sign} {limit}"
        for bound, sign in (("max", "<="), ("min", ">="))
        for measure in ("sum(t)", "product(t)", "count(op: skip)", "length")
        for limit in (1, 2, 3, 5, 7, 9, 12, 20, 40)
    ]
    lines = [
        f'  - {{id: r{place}, scope: cell, require: "{text}", why: w, message: m}}\n'
        for place, text in enumerate(texts)
    ]
    head = f"set: s\nlanguage: 1\nspaces: [nb201]\ntables:\n  t: {{{entries}}}\nrules:\n"
    rules = list(parse_set(head + "".join(lines)).rules)
    context = Context(space=space, macro=macro, shape=SHAPE)
    encoding, referee = encode(rules, context), Referee(rules, context)
    vectors = space.enumerate()[5::997]
    roots = [root for root in encoding.roots if root is not None]
    assert len(roots) == len(rules)
    by_numpy = evaluate(encoding.circuit, roots, vectors)
    for vector, answers in zip(vectors, by_numpy, strict=True):
        assert referee.verdicts(space.decode(vector, macro=macro)) == answers.tolist()
    assert 0 < by_numpy.sum() < by_numpy.size
