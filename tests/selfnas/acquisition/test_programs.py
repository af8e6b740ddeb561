"""Programs that order candidates: one text for each, the same number from every reader, and no way out of the box."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfnas.acquisition.breeding import STARTS, bred, random_program, starts
from selfnas.acquisition.evaluation import evaluate, exactly
from selfnas.acquisition.expression import ATOMS, MOST_NODES, Constant, atoms_of, canonical, notation, size, spelled
from selfnas.acquisition.parser import MOST_CHARACTERS, parse_program
from selfnas.acquisition.ranking import orders, ranking
from selfnas.errors import InputError
from selfnas.seeding import generator


def programs() -> st.SearchStrategy[object]:
    """Random programs by their seed."""
    return st.integers(0, 10**6).map(lambda seed: random_program(generator(seed, "program")))


@given(programs())
@settings(max_examples=300, deadline=None)
def test_the_text_of_a_program_reads_as_the_program(program) -> None:
    """One spelling: what is recorded is what was meant, within the limits of the language."""
    assert parse_program(spelled(program)) == program == canonical(program)
    assert size(program) <= MOST_NODES
    assert len(spelled(program)) <= MOST_CHARACTERS


@given(programs(), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_arrays_and_fractions_give_one_value(program, seed: int) -> None:
    """What a search computes is what a proof speaks of, but for rounding."""
    rng = np.random.default_rng(seed)
    point = {name: float(rng.uniform(kind.low, kind.high)) for name, kind in ATOMS.items()}
    found = evaluate(program, {name: np.array([value]) for name, value in point.items()})
    exact = exactly(program, {name: Fraction(value) for name, value in point.items()})
    assert found.shape == (1,)
    assert float(found[0]) == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


def test_inputs_outside_the_box_count_as_its_border() -> None:
    """So a proof over the box is one over everything a search can ask."""
    program = parse_program("mean * spread - incumbent + share + distance")
    far = {"mean": 99.0, "spread": 7.0, "incumbent": -1.0, "share": 3.0, "distance": 50.0}
    border = {"mean": 4.0, "spread": 1.0, "incumbent": 0.0, "share": 1.0, "distance": 2.0}
    assert evaluate(program, far) == evaluate(program, border)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends where"),
        ("mean +", "ends where"),
        ("mean / spread", "cannot go on with '/' (character 6)"),
        ("mean ** 2", "cannot go on with '*'"),
        ("__import__('os').system('x')", "cannot go on"),
        ("exp(mean)", "cannot go on with '('"),
        ("maen", "did you mean 'mean'?"),
        ("10.5 * mean", "between -10 and 10"),
        ("0.0001 * mean", "three decimals"),
        (" + ".join(["mean"] * 14), "at most 25"),
        ("(" * 300 + "mean" + ")" * 300, "at most 500 characters"),
    ],
)
def test_what_is_no_program_is_refused_in_words(text: str, said: str) -> None:
    """Nothing else is read, and nothing is ever run."""
    with pytest.raises(InputError) as refused:
        parse_program(text)
    assert said in str(refused.value)


def test_one_program_has_one_spelling_and_its_notation() -> None:
    """Order, brackets and blanks that say nothing are left out; numbers alone are put together."""
    assert {spelled(parse_program(text)) for text in ("spread*(mean)", " mean * spread ", "((mean))*spread")} == {
        "mean * spread"
    }
    assert spelled(parse_program("2 * 0.25 * mean + -1")) == "0.5 * mean - 1"
    assert notation(parse_program("max(mean - incumbent, 0) * 0.5 - abs(distance)")) == "0.5·max(0, μ − η) − |δ|"
    assert atoms_of(parse_program("share * mean")) == ("mean", "share")


def test_increasing_functions_of_a_program_are_that_program() -> None:
    """Even where they hang on what all candidates share."""
    same = ["mean + spread", "2 * mean + 2 * spread", "mean - incumbent + spread", "(mean + spread) * (1 + share)"]
    assert len({ranking(parse_program(text)) for text in same}) == 1
    other = ["mean + spread", "0 - mean - spread", "mean + 0.9 * spread", "mean", "spread", "mean * spread"]
    assert len({ranking(parse_program(text)) for text in other}) == len(other)
    assert not orders(parse_program("incumbent * share"))
    assert orders(parse_program("distance"))


def test_children_are_new_ordering_and_drawn_by_the_seed() -> None:
    """None orders as a parent or a sibling does, and equal seeds breed equal children."""
    parents = starts()
    children = list(bred(parents, generator(3, "bred"), 40))
    assert len(children) == 40
    assert children == list(bred(parents, generator(3, "bred"), 40))
    assert children != list(bred(parents, generator(4, "bred"), 40))
    assert len({ranking(tree) for tree in (*parents, *children)}) == 40 + len({ranking(tree) for tree in parents})
    assert all(size(child) <= MOST_NODES and parse_program(spelled(child)) == child for child in children)
    assert len({ranking(tree) for tree in parents}) == len(STARTS)


def test_from_a_program_without_parts_children_are_bred_all_the_same() -> None:
    """Parents may be of one node."""
    assert len(list(bred([Constant(0)], generator(0, "bred"), 5))) == 5
