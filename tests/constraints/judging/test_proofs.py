"""Universal claims: proved, refuted with a witness, and confirmed by a second solver."""

from __future__ import annotations

from collections.abc import Callable

import cvc5
import pytest

from constraints import Context, Guard, Rule, load_set, parse_set
from constraints.engines.encoding import encode
from constraints.engines.solver import bounded
from constraints.judging import proofs
from constraints.judging.proofs import prove, to_smtlib
from constraints.language.lexicon import Vocabulary
from constraints.language.resolve import read_condition
from constraints.reports.claims import read_claim
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

CLAIMS = [
    ("nb201", "exists path(input, output)", "cell", True),
    ("nb201", "count(edge(op: skip)) <= 5", "cell", True),
    ("nb201", "params <= 1_100_000", "network", True),
    ("nb201", "edge(op in plain)", "cell", True),
    ("nb201", "node(2) dominates output", "cell", False),
    ("nb201", "params <= 50_000", "network", False),
    ("darts", "depth <= 3", "cell", True),
    ("darts", "params <= 70_000", "network", True),
    ("darts", "count(edge(op: skip)) <= 3", "cell", False),
]


def _context(space: str) -> Context:
    return Context(
        space=space_named(space),
        macro=Macro(channels=8, depth=1, resolution=16),
        shape=TaskShape(channels=1, size=(8, 8), classes=10),
    )


def _claim(text: str, scope: str, words: Vocabulary) -> Rule:
    condition, faults = read_condition(text, scope, words)  # type: ignore[arg-type]
    assert not faults
    return Rule(id="claim", scope=scope, condition=condition, text=text, why="", message="")  # type: ignore[arg-type]


def _ask_cvc5(text: str) -> str:
    solver = cvc5.Solver()
    solver.setOption("tlimit-per", "120000")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "claim")
    answer = ""
    while not (command := parser.nextCommand()).isNull():
        answer = command.invoke(solver, parser.getSymbolManager()) or answer
    return answer.strip()


@pytest.mark.parametrize(("space", "text", "scope", "holds"), CLAIMS)
def test_a_claim_about_all_admitted_is_decided(
    space: str, text: str, scope: str, holds: bool, vocabulary: Callable[[str], Vocabulary]
) -> None:
    """What holds is proved; what fails comes with an admitted architecture that violates it."""
    context, claim = _context(space), _claim(text, scope, vocabulary(space))
    proof = prove(load_set("baseline"), claim, context)
    assert proof.answer == ("holds" if holds else "fails")
    if proof.counterexample is not None:
        guard = Guard(load_set("baseline"), space=space_named(space), macro=context.macro, shape=context.shape)
        assert guard.decide(proof.counterexample).verdict == "admit"
        assert guard.referee.__class__([claim], context).verdicts(proof.counterexample) == [False]


@pytest.mark.parametrize(("space", "text", "scope", "holds"), [claim for claim in CLAIMS if claim[0] == "nb201"])
def test_a_second_solver_confirms_the_export(
    space: str, text: str, scope: str, holds: bool, vocabulary: Callable[[str], Vocabulary]
) -> None:
    """cvc5 reads the SMT-LIB and comes to the same answer."""
    context, claim = _context(space), _claim(text, scope, vocabulary(space))
    rules = load_set("baseline").of_scope("cell", "network")
    exported = to_smtlib(encode([*rules, claim], context), claim=len(rules))
    assert _ask_cvc5(exported) == ("unsat" if holds else "sat")


def test_cvc5_confirms_a_claim_about_darts(vocabulary: Callable[[str], Vocabulary]) -> None:
    """On darts too, for a claim on cells."""
    claim = _claim("depth <= 3", "cell", vocabulary("darts"))
    rules = load_set("baseline").of_scope("cell")
    exported = to_smtlib(encode([*rules, claim], _context("darts")), claim=len(rules))
    assert _ask_cvc5(exported) == "unsat"


def test_a_smaller_budget_implies_a_larger_one(vocabulary: Callable[[str], Vocabulary]) -> None:
    """The question on which a plain solver gives up is answered by the portfolio."""
    words = vocabulary("darts")
    small, large = (_claim(f"params <= {limit}", "network", words) for limit in (45_000, 46_000))
    set_ = load_set("baseline")
    only = type(set_)(name="budget", spaces=("darts",), rules=(small,))
    assert prove(only, large, _context("darts")).answer == "holds"
    only = type(set_)(name="budget", spaces=("darts",), rules=(large,))
    assert prove(only, small, _context("darts")).answer == "fails"


def test_a_claim_about_numbers_beyond_32_bits_is_not_proved_by_a_solver_that_cuts_them_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the first of the portfolio gives up, the pseudo-Boolean one is left out: it would say that this holds."""
    limits = iter([1, 50_000_000])
    monkeypatch.setattr(proofs, "bounded", lambda solver, *, rlimit: bounded(solver, rlimit=next(limits)))
    set_ = parse_set(
        "set: wide\nlanguage: 1\nspaces: [nb201]\n"
        "tables: {t: {skip: 1, avg3: 3, conv1x1: 900000001, conv3x3: 1000000000}}\n"
        "rules: [{id: a, scope: cell, require: 7 * total(t) <= 10000000000, why: x, message: x}]\n"
    )
    proof = prove(set_, read_claim(set_, "total(t) <= 1000000003", space_named("nb201")), _context("nb201"))
    assert (proof.answer, proof.solver) == ("fails", "default")


def test_claims_of_another_scope_are_errors(vocabulary: Callable[[str], Vocabulary]) -> None:
    """A claim on policies cannot be asked of architectures."""
    words = vocabulary("nb201")
    _, faults = read_condition("new.x >= old.x", "cell", words)
    assert faults
    with pytest.raises(InputError):
        load_set("no-such-set")
