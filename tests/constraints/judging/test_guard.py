"""The guard: what it admits, decides, certifies, explains and draws."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import chisquare

import constraints.judging.guard
from constraints import Certificate, ConstraintSet, Guard, Rule, load_set, verify_certificate
from constraints.language.lexicon import Vocabulary
from constraints.language.resolve import read_condition
from selfnas.errors import InputError, SelfnasError
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture, space_named

SMALL = Macro(channels=8, depth=1, resolution=16)
DIGITS = TaskShape(channels=1, size=(8, 8), classes=10)
SHAPES = [
    DIGITS,
    TaskShape(channels=1, size=(28, 28), classes=10),
    TaskShape(channels=1, size=(40,), classes=10),
    TaskShape(channels=12, size=(29,), classes=9),
]
TABLE = TaskShape(channels=13, size=(), classes=3)
LARGE = TaskShape(channels=3, size=(32, 32), classes=10)
SETTINGS = [
    (space.name, macro, shape)
    for space in SPACES.values()
    for macro, shapes in ((SMALL, [*SHAPES, TABLE]), (Macro(), [LARGE, TABLE]))
    for shape in shapes
    if shape.dimensions in space.dimensions and not (space.name == "series" and shape.dimensions == 2)
]


@functools.cache
def _baseline() -> ConstraintSet:
    return load_set("baseline")


def _guard(space: str = "nb201", **options: int) -> Guard:
    shape = TABLE if space == "tabular" else DIGITS
    return Guard(_baseline(), space=space_named(space), macro=SMALL, shape=shape, **options)


@functools.cache
def _shared(space: str) -> Guard:
    """One guard per space for tests that change nothing about it: its diagram takes seconds on darts."""
    return _guard(space)


def _set(*texts: str, space: str = "nb201") -> ConstraintSet:
    words = Vocabulary(operations=frozenset(space_named(space).operations), opsets={}, tables={})
    rules = []
    for index, text in enumerate(texts):
        condition, faults = read_condition(text, "cell", words)
        assert not faults
        rules.append(Rule(id=f"r{index}", scope="cell", condition=condition, text=text, why="w", message=f"m{index}"))
    return ConstraintSet(name="test", spaces=(space,), rules=tuple(rules))


@pytest.fixture(scope="module")
def nb201() -> Guard:
    """The baseline on nb201."""
    return _guard()


@pytest.mark.parametrize(
    ("space", "shape", "admitted"),
    [
        ("nb201", SHAPES[0], 7896),
        ("nb201", SHAPES[1], 8129),
        ("transnas-micro", SHAPES[0], 1306),
        ("transnas-micro", SHAPES[2], 1342),
        ("darts", SHAPES[0], 677_696_321_641_551_047),
    ],
)
def test_golden_counts_of_the_baseline(space: str, shape: TaskShape, admitted: int) -> None:
    """How much the shipped baseline admits only changes on purpose."""
    guard = (
        _shared(space) if shape == DIGITS else Guard(_baseline(), space=space_named(space), macro=SMALL, shape=shape)
    )
    count = guard.count()
    assert (count.value, count.exact) == (admitted, True)


@pytest.mark.parametrize(("space", "macro", "shape"), SETTINGS)
def test_baseline_admits_a_healthy_share_everywhere(space: str, macro: Macro, shape: TaskShape) -> None:
    """At every setting that tasks use, the baseline admits at least a quarter of the space."""
    guard = Guard(_baseline(), space=space_named(space), macro=macro, shape=shape)
    assert guard.admits(guard.space.draw(np.random.default_rng(6), 4000)).mean() > 0.25


def test_each_baseline_rule_turns_something_away() -> None:
    """No rule of the baseline admits everything in every space."""
    stopped = set()
    for space, macro, shape in SETTINGS:
        if shape in (DIGITS, LARGE, TABLE):
            guard = Guard(_baseline(), space=space_named(space), macro=macro, shape=shape)
            fired = guard.violations(space_named(space).draw(np.random.default_rng(0), 5000)).any(axis=0)
            stopped |= {rule.id for rule, hit in zip(guard.rules, fired, strict=True) if hit}
    assert stopped == {rule.id for rule in _baseline().rules}


def test_draws_are_admitted_and_uniform(nb201: Guard) -> None:
    """Every admitted nb201 cell is drawn equally often (chi-square) and nothing else is drawn."""
    everything = nb201.space.enumerate()
    admitted = {row.tobytes(): index for index, row in enumerate(everything[nb201.admits(everything)])}
    assert len(admitted) == nb201.count().value
    drawn = nb201.draw(np.random.default_rng(1), 50 * len(admitted))
    frequency = np.bincount([admitted[row.tobytes()] for row in drawn], minlength=len(admitted))
    assert chisquare(frequency).pvalue > 1e-3


def test_draws_depend_only_on_the_generator(nb201: Guard) -> None:
    """Equal seeds draw equal rows."""
    first, second = (nb201.draw(np.random.default_rng(7), 100) for _ in range(2))
    assert np.array_equal(first, second)


def test_rejection_is_uniform_and_counts_with_an_interval_when_the_diagram_does_not_fit() -> None:
    """With a diagram limit that the rules exceed, draws stay uniform over the admitted part and the count is marked."""
    exact, small = _guard(), _guard(max_nodes=40)
    count = small.count()
    assert not count.exact
    assert count.low <= exact.count().value <= count.high
    everything = small.space.enumerate()
    admitted = {row.tobytes(): index for index, row in enumerate(everything[small.admits(everything)])}
    drawn = small.draw(np.random.default_rng(2), 20 * len(admitted))
    frequency = np.bincount([admitted[row.tobytes()] for row in drawn], minlength=len(admitted))
    assert chisquare(frequency).pvalue > 1e-3


@pytest.mark.parametrize("space", sorted(SPACES))
def test_decisions_agree_with_the_filter_and_their_certificates_verify(space: str) -> None:
    """Two engines agree on every rule, match the NumPy filter, and each certificate stands on its own."""
    guard = _shared(space)
    vectors = guard.space.draw(np.random.default_rng(4), 40)
    broken = guard.violations(vectors)
    for row, rules in zip(vectors, broken, strict=True):
        decision = guard.decide(guard.space.decode(row, macro=SMALL), previous="f" * 64)
        assert decision.failed == tuple(rule.id for rule, bad in zip(guard.rules, rules, strict=True) if bad)
        assert decision.verdict == ("reject" if rules.any() else "admit")
        assert not decision.quarantined
        text = decision.certificate.to_json()
        assert len(text) < 1024
        assert Certificate.from_json(text) == decision.certificate
        assert verify_certificate(Certificate.from_json(text), _baseline()) == ()


def test_a_rejection_quotes_every_author(nb201: Guard) -> None:
    """Messages name each violated rule in its author's words."""
    text = "nb201/c8n1r16:|conv3x3~0|+|none~0|conv1x1~1|+|none~0|none~1|none~2|"
    decision = nb201.decide(parse_architecture(text))
    assert decision.failed == ("connected", "no-dead-branch", "wide-field", "traceable-path")
    assert decision.messages[0] == "connected: no path leads from the cell's input to its output"


def test_tampered_certificates_are_found_out(nb201: Guard) -> None:
    """A changed verdict, rule letter, architecture, digest, shape or guard does not verify."""
    good = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|"
    bad = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|"
    set_, real = _baseline(), nb201.decide(parse_architecture(good)).certificate
    refused = nb201.decide(parse_architecture(bad)).certificate
    forged = [
        dataclasses.replace(refused, verdict="admit"),
        dataclasses.replace(refused, rules="p" * len(refused.rules), verdict="admit"),
        dataclasses.replace(real, subject=bad),
        dataclasses.replace(real, digest="0" * 64),
        dataclasses.replace(real, guard="0" * 64),
        dataclasses.replace(real, shape="1x9x9/10"),
        dataclasses.replace(real, rules=real.rules[:-1]),
    ]
    assert all(verify_certificate(certificate, set_) for certificate in forged)
    assert verify_certificate(real, set_) == verify_certificate(refused, set_) == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"guard": 1}', "nonsense", '{"rules": "pp"}'])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    """Reading anything else raises a located kind of error, not a traceback from inside."""
    with pytest.raises(InputError):
        Certificate.from_json(text)


def test_running_out_of_steps_is_undecided() -> None:
    """A tiny limit of Z3 steps leaves rules undecided, and undecided does not admit."""
    guard = _guard("darts", rlimit=1)
    decision = guard.decide(guard.space.decode(guard.space.draw(np.random.default_rng(0), 1)[0], macro=SMALL))
    assert decision.verdict == "undecided"
    assert "limit of steps" in decision.messages[0]
    assert set(decision.rules.values()) == {"undecided"}


def test_a_broken_engine_fails_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside an engine is undecided, with its reason, never an admission."""

    def broken(*_: object) -> list[bool | None]:
        raise RuntimeError("engine on fire")

    guard = _guard()
    architecture = guard.space.decode(guard.draw(np.random.default_rng(0), 1)[0], macro=SMALL)
    monkeypatch.setattr(constraints.judging.guard.Referee, "verdicts", broken)
    decision = guard.decide(architecture)
    assert decision.verdict == "undecided"
    assert decision.messages == ("not decided: RuntimeError: engine on fire",)
    monkeypatch.undo()
    assert verify_certificate(decision.certificate, _baseline()) == ()


def test_engines_that_disagree_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One flipped answer of one engine quarantines the candidate and names the rule."""
    guard = _guard()
    architecture = guard.space.decode(guard.draw(np.random.default_rng(0), 1)[0], macro=SMALL)
    honest = constraints.judging.guard.Solver.verdicts

    def flipped(self: object, vector: object) -> list[bool | None]:
        answers = honest(self, vector)  # type: ignore[arg-type]
        return [not answers[0], *answers[1:]]

    monkeypatch.setattr(constraints.judging.guard.Solver, "verdicts", flipped)
    decision = guard.decide(architecture)
    assert decision.quarantined
    assert decision.verdict == "undecided"
    assert decision.messages == ("connected: the engines disagree",)


def test_a_foreign_architecture_is_undecided(nb201: Guard) -> None:
    """Other macro settings or another space never pass."""
    other = parse_architecture("nb201/c16n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|")
    assert nb201.decide(other).verdict == "undecided"
    darts = SPACES["darts"].decode(SPACES["darts"].draw(np.random.default_rng(0), 1)[0], macro=SMALL)
    assert nb201.decide(darts).verdict == "undecided"


def test_verdicts_belong_to_spellings_not_to_networks() -> None:
    """Two spellings of one network may differ: rules that name nodes see the numbering."""
    guard = Guard(
        _set("exists path(input, output) avoiding node(2)"), space=space_named("nb201"), macro=SMALL, shape=DIGITS
    )
    one, two = (
        parse_architecture(f"nb201/c8n1r16:{cell}")
        for cell in (
            "|conv3x3~0|+|none~0|none~1|+|none~0|conv1x1~1|none~2|",
            "|none~0|+|conv3x3~0|none~1|+|none~0|none~1|conv1x1~2|",
        )
    )
    assert one.digest == two.digest
    assert (guard.decide(one).verdict, guard.decide(two).verdict) == ("admit", "reject")


def test_a_clash_is_named_by_a_minimal_set_of_rules() -> None:
    """Of five rules, exactly the two that cannot both hold are named."""
    set_ = _set("depth <= 3", "depth >= 3", "count(edge()) <= 2", "edge(op: skip)", "depth >= 1")
    guard = Guard(set_, space=space_named("nb201"), macro=SMALL, shape=DIGITS)
    assert guard.count().value == 0
    assert guard.clash() == ("r1", "r2")
    with pytest.raises(SelfnasError, match="admit nothing"):
        guard.draw(np.random.default_rng(0), 1)


def _blames_hold(guard: Guard, architecture: Architecture) -> None:
    explanation = guard.explain(architecture)
    vector = guard.space.encode(architecture)
    assert explanation.reasons
    for near in explanation.nearest:
        assert guard.decide(near).verdict == "admit"
    for reason in explanation.reasons:
        index = [rule.id for rule in guard.rules].index(reason.rule)
        slots = _slots(guard, reason.edges)
        assert guard.solver.ask([(slot, int(vector[slot])) for slot in slots], passing=[index])[0] == "unsat"
        for left_out in slots:
            rest = [(slot, int(vector[slot])) for slot in slots if slot != left_out]
            assert guard.solver.ask(rest, passing=[index])[0] == "sat"


def _slots(guard: Guard, edges: tuple[str, ...]) -> list[int]:
    names = {
        f"{guard.space.templates[template].name}: {source}->{target}": slot
        for slot, (template, source, target) in enumerate(guard.space.slots)
    }
    return [names[f"{edge.split(':')[0]}: {edge.rsplit(' ', 1)[1]}"] for edge in edges]


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_blamed_edges_are_enough_and_none_is_superfluous(space: str) -> None:
    """Keeping the blamed edges breaks the rule whatever the rest is; leaving one out does not; neighbours admit."""
    guard = _shared(space)
    vectors = guard.space.draw(np.random.default_rng(8), 200)
    for row in vectors[~guard.admits(vectors)][:5]:
        _blames_hold(guard, guard.space.decode(row, macro=SMALL))


def test_nearest_is_as_near_as_brute_force_finds(nb201: Guard) -> None:
    """The distance equals the least number of differing edges over all admitted nb201 cells."""
    everything = nb201.space.enumerate()
    good, bad = everything[nb201.admits(everything)], everything[~nb201.admits(everything)]
    for row in bad[::200]:
        explanation = nb201.explain(nb201.space.decode(row, macro=SMALL))
        assert explanation.distance == (good != row).sum(axis=1).min()
        for near in explanation.nearest:
            assert (nb201.space.encode(near) != row).sum() == explanation.distance


def test_digest_covers_meaning_and_context_only() -> None:
    """Words may change freely; a bound, a macro setting, a shape or a space may not."""
    base = _baseline()
    reworded = dataclasses.replace(
        base,
        name="other",
        rules=tuple(dataclasses.replace(rule, why="x", message="y", examples=()) for rule in base.rules),
    )
    assert reworded.digest == base.digest
    dropped = dataclasses.replace(base, rules=base.rules[1:])
    digests = {
        Guard(set_, space=space_named(space), macro=macro, shape=shape).digest
        for set_ in (base, dropped)
        for space, macro, shape in SETTINGS
    }
    assert len(digests) == 2 * len(SETTINGS)


def test_the_same_decision_gives_the_same_bytes() -> None:
    """Certificates of two guards are equal byte for byte, in canonical JSON."""
    architecture = parse_architecture("nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|")
    first, second = (_guard().decide(architecture, previous="ab").certificate.to_json() for _ in range(2))
    assert first == second == json.dumps(json.loads(first), sort_keys=True, separators=(",", ":"))


def test_a_set_is_only_for_its_spaces() -> None:
    """Compiling for a space the set does not name is an error that says which it names."""
    with pytest.raises(InputError, match="'test' is for nb201, not for space 'darts'"):
        Guard(_set("true"), space=space_named("darts"), macro=SMALL, shape=DIGITS)


def test_certificates_are_verified_without_any_solver(nb201: Guard) -> None:
    """Neither Z3 nor dd needs to be installed to re-check a certificate, or to find a forged one."""
    text = nb201.decide(
        parse_architecture("nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|")
    ).certificate.to_json()
    code = (
        "import sys; sys.modules['z3'] = sys.modules['dd'] = None\n"
        "from constraints import Certificate, load_set, verify_certificate\n"
        "text = sys.argv[1]\n"
        "good = verify_certificate(Certificate.from_json(text), load_set('baseline'))\n"
        "bad = verify_certificate(Certificate.from_json(text.replace('reject', 'admit')), load_set('baseline'))\n"
        "print(len(good), len(bad))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]
