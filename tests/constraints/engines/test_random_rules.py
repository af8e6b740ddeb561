"""Random rules on random cells: all engines agree, and expressions survive formatting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constraints import Context, Rule
from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram
from constraints.engines.encoding import encode
from constraints.engines.referee import Referee
from constraints.engines.solver import Solver
from constraints.engines.vectorised import evaluate
from constraints.language.lexicon import Vocabulary
from constraints.language.resolve import read_condition
from constraints.loading.formatting import format_expression
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

_OPS = st.sampled_from(["skip", "conv1x1", "conv3x3", "avg3"])
_SETS = st.one_of(
    st.sampled_from(["plain", "learned"]),
    st.lists(_OPS, min_size=1, max_size=3).map(lambda names: "{" + ", ".join(names) + "}"),
)
_OP_TEXT = st.one_of(_OPS.map("op: {}".format), _SETS.map("op in {}".format), _SETS.map("op not in {}".format))
_COMPARISON = st.sampled_from(["<=", "<", ">=", ">", "==", "!="])
_NODE = st.integers(0, 3).map("node({})".format)
_END = st.one_of(st.sampled_from(["input", "output"]), _NODE)
_SMALL = st.integers(0, 7)


@st.composite
def _edge(draw: st.DrawFn) -> str:
    parts = []
    if draw(st.booleans()):
        parts.append(draw(_OP_TEXT))
    if draw(st.booleans()):
        parts.append("from: " + draw(st.one_of(_END, st.integers(0, 3).map(str))))
    if draw(st.booleans()):
        parts.append("to: " + draw(_END))
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["live", "dead"])))
    return f"edge({', '.join(parts)})"


@st.composite
def _paths(draw: st.DrawFn) -> str:
    avoided = draw(st.lists(st.integers(0, 3), max_size=2, unique=True))
    avoiding = f" avoiding node({', '.join(map(str, avoided))})" if avoided else ""
    return f"path({draw(_END)}, {draw(_END)}){avoiding}"


_MEASURE = st.one_of(
    st.just("length"),
    _OP_TEXT.map("count({})".format),
    st.just("sum(effort)"),
    st.just("product(lipschitz)"),
)
_ON_PATH = st.one_of(
    _OP_TEXT.map("all {}".format),
    _OP_TEXT.map("any {}".format),
    st.builds("{} {} {}".format, _MEASURE, _COMPARISON, _SMALL),
)
_WHERE = st.recursive(
    _ON_PATH,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} implies {})".format, inner, inner),
    ),
    max_leaves=3,
).map("where ({})".format)
_QUANTITY = st.one_of(
    _edge().map("count({})".format),
    st.just("total(effort)"),
    st.builds("{}({})".format, st.sampled_from(["fan_in", "fan_out"]), _END),
)
_TERM = st.one_of(_QUANTITY, st.builds("{} * {}".format, st.integers(0, 4), _QUANTITY), _SMALL.map(str))
_SUM = st.lists(_TERM, min_size=1, max_size=3).flatmap(
    lambda terms: st.lists(st.sampled_from([" + ", " - "]), min_size=len(terms) - 1, max_size=len(terms) - 1).map(
        lambda signs: "".join(part for pair in zip(terms, [*signs, ""], strict=True) for part in pair)
    )
)
_VARIABLE = st.sampled_from(["a", "b", "c", "input", "output"])


@st.composite
def _motif(draw: st.DrawFn) -> str:
    arrows = []
    for _ in range(draw(st.integers(1, 3))):
        label = draw(st.one_of(st.just(""), _OPS.map(": {}".format), _SETS.map(": {}".format)))
        arrows.append(f"{draw(_VARIABLE)} -> {draw(_VARIABLE)}{label}")
    return "motif {" + ", ".join(arrows) + "}"


_ATOM = st.one_of(
    st.builds("exists {} {}".format, _paths(), _WHERE),
    _paths().map("exists {}".format),
    st.builds("every {} {}".format, _paths(), _WHERE),
    st.builds(
        "{} over {} of {} {} {}".format, st.sampled_from(["max", "min"]), _paths(), _MEASURE, _COMPARISON, _SMALL
    ),
    st.builds(
        "{} over {} {} of {} {} {}".format,
        st.sampled_from(["max", "min"]),
        _paths(),
        _WHERE,
        _MEASURE,
        _COMPARISON,
        _SMALL,
    ),
    st.builds("depth {} {}".format, _COMPARISON, _SMALL),
    st.builds(
        "{} over node of {} {} {}".format,
        st.sampled_from(["max", "min"]),
        st.sampled_from(["fan_in", "fan_out"]),
        _COMPARISON,
        _SMALL,
    ),
    st.builds("{} {} {}".format, _edge(), st.sampled_from(["then", "before"]), _edge()),
    st.builds("{} before {} then {}".format, _edge(), _edge(), _edge()),
    st.builds("every {} is live".format, _edge()),
    _motif(),
    st.builds("{} dominates {}".format, _NODE, _END),
    st.builds("{} {} {}".format, _SUM, _COMPARISON, _SUM),
)
_CELL_RULE = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("({}) implies ({})".format, inner, inner),
    ),
    max_leaves=4,
)
_NETWORK_ATOM = st.one_of(
    st.builds("params {} {}".format, _COMPARISON, st.integers(18_000, 80_000)),
    st.builds("macs - 2 * params {} {}".format, _COMPARISON, st.integers(0, 700_000)),
    st.builds("activation_bytes {} {} @KiB".format, _COMPARISON, st.integers(5, 160)),
    st.builds("max over path(input, output) of receptive_field {} {}".format, _COMPARISON, st.integers(0, 120)),
    st.builds("count({}) + total(effort) {} {}".format, _edge(), _COMPARISON, _SMALL),
)
_NETWORK_RULE = st.one_of(
    _NETWORK_ATOM,
    _NETWORK_ATOM.map("not ({})".format),
    st.builds("({}) or ({})".format, _NETWORK_ATOM, _NETWORK_ATOM),
)
_ANY_RULE = st.one_of(
    st.tuples(st.just("cell"), _CELL_RULE),
    st.tuples(st.just("network"), _NETWORK_RULE),
    st.tuples(st.just("cell"), _ATOM),
)
_SHAPES = st.sampled_from(
    [TaskShape(channels=1, size=(8, 8), classes=10), TaskShape(channels=2, size=(70,), classes=3)]
)
_RELAXED = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


def _rule(kind: tuple[str, str], words: Vocabulary, forbids: bool) -> Rule:
    scope, text = kind
    condition, faults = read_condition(text, scope, words)  # type: ignore[arg-type]
    assert not faults, (text, faults)
    again, faults = read_condition(format_expression(text), scope, words)  # type: ignore[arg-type]
    assert (again, faults) == (condition, [])
    return Rule(
        id="r",
        scope=scope,
        condition=condition,
        forbids=forbids,
        text=text,
        why="",
        message="",  # type: ignore[arg-type]
    )


@_RELAXED
@given(kind=_ANY_RULE, forbids=st.booleans(), shape=_SHAPES, seed=st.integers(0, 2**32 - 1))
def test_engines_agree_on_random_rules_on_nb201(
    vocabulary: Callable[[str], Vocabulary], kind: tuple[str, str], forbids: bool, shape: TaskShape, seed: int
) -> None:
    """A random rule: NumPy and referee on 40 random cells, Z3 on three, the diagram's count on all of nb201."""
    space = space_named("nb201")
    context = Context(space=space_named("nb201"), macro=Macro(channels=8, depth=1, resolution=16), shape=shape)
    rule = _rule(kind, vocabulary("nb201"), forbids)
    encoding = encode([rule], context)
    (root,) = encoding.roots
    assert root is not None
    everything = space.enumerate()
    answers = evaluate(encoding.circuit, [root], everything)[:, 0]
    diagram = Diagram(encoding.circuit, space)
    assert SlotTable(diagram, diagram.function(root) & diagram.domain).count == answers.sum()
    chosen = np.random.default_rng(seed).choice(len(everything), 40, replace=False)
    referee = Referee([rule], context)
    solver = Solver(encoding)
    for index in chosen:
        architecture = space.decode(everything[index], macro=context.macro)
        assert referee.verdicts(architecture) == [answers[index]], architecture
    for index in chosen[:3]:
        assert solver.verdicts(everything[index]) == [answers[index]]


@settings(_RELAXED, max_examples=40)
@given(kind=_ANY_RULE, forbids=st.booleans(), shape=_SHAPES, seed=st.integers(0, 2**32 - 1))
def test_engines_agree_on_random_rules_on_darts(
    vocabulary: Callable[[str], Vocabulary], kind: tuple[str, str], forbids: bool, shape: TaskShape, seed: int
) -> None:
    """The same on darts, by NumPy, referee and Z3."""
    space = space_named("darts")
    context = Context(space=space_named("darts"), macro=Macro(channels=8, depth=1, resolution=16), shape=shape)
    rule = _rule(kind, vocabulary("darts"), forbids)
    encoding = encode([rule], context)
    (root,) = encoding.roots
    assert root is not None
    vectors = space.draw(np.random.default_rng(seed), 15)
    answers = evaluate(encoding.circuit, [root], vectors)[:, 0]
    referee = Referee([rule], context)
    for row, answer in zip(vectors, answers, strict=True):
        assert referee.verdicts(space.decode(row, macro=context.macro)) == [answer]
    solver = Solver(encoding)
    for row, answer in zip(vectors[:2], answers[:2], strict=True):
        assert solver.verdicts(row) == [answer]
