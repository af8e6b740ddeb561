"""What is claimed of a program on the whole box: two engines without common code, and exact points against both."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraints.language.syntax import Band, Near, Trend
from constraints.programs import enclosures
from constraints.programs.enclosures import Enclosure
from constraints.programs.solving import solve
from constraints.programs.statements import Witness, breaks, decide, simplest, values_at
from selfnas.acquisition.breeding import STARTS, bred, random_program, starts
from selfnas.acquisition.evaluation import exactly
from selfnas.acquisition.expression import ATOMS
from selfnas.acquisition.parser import parse_program
from selfnas.models.gaussian_process import expected_improvement
from selfnas.seeding import generator

CLAIMS = [Trend("mean", True), Trend("spread", True), Trend("distance", False), Band(-9000, 9000), Near(3000)]


def drawn_boxes(rng: np.random.Generator, count: int) -> dict[str, Enclosure]:
    """Boxes within the box, some of them points, some touching zero."""
    boxes = {}
    for name, kind in ATOMS.items():
        ends = np.sort(rng.uniform(kind.low, kind.high, size=(2, count)), axis=0)
        ends[:, : count // 4] = np.round(ends[:, : count // 4])
        boxes[name] = Enclosure(ends[0], ends[1])
    return boxes


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_enclosures_hold_every_value_exactly(seed: int) -> None:
    """Whatever was rounded: no value at a point of a box lies outside, and at one point the ends nearly meet."""
    rng = generator(seed, "enclosed")
    program, boxes = random_program(rng), drawn_boxes(rng, 8)
    found = enclosures.value(program, boxes)
    for index in range(8):
        for share in (0.0, 1.0, *rng.uniform(size=3)):
            point = {
                name: min(
                    Fraction(box.low[index] + share * (box.high[index] - box.low[index])), Fraction(box.high[index])
                )
                for name, box in boxes.items()
            }
            point = {name: max(value, Fraction(boxes[name].low[index])) for name, value in point.items()}
            value = exactly(program, point)
            assert Fraction(found.low[index]) <= value <= Fraction(found.high[index])
    points = {name: Enclosure(box.low, box.low) for name, box in boxes.items()}
    at = enclosures.value(program, points)
    assert (at.high - at.low <= 1e-9 * (1 + np.abs(at.low))).all()


@given(st.integers(0, 10**6), st.sampled_from(sorted(ATOMS)))
@settings(max_examples=150, deadline=None)
def test_slopes_hold_every_difference_quotient(seed: int, atom: str) -> None:
    """Between any two points of a box that differ in one atom, by the mean value theorem."""
    rng = generator(seed, "sloped")
    program, boxes = random_program(rng), drawn_boxes(rng, 6)
    found = enclosures.slope(program, boxes, atom)
    for index in range(6):
        low, high = Fraction(boxes[atom].low[index]), Fraction(boxes[atom].high[index])
        if low == high:
            continue
        other = {name: Fraction((box.low[index] + box.high[index]) / 2) for name, box in boxes.items()}
        for start, end in ((low, high), (low, (low + high) / 2), ((2 * low + high) / 3, high)):
            rise = exactly(program, {**other, atom: end}) - exactly(program, {**other, atom: start})
            assert Fraction(found.low[index]) <= rise / (end - start) <= Fraction(found.high[index])


def test_numbers_that_are_no_doubles_are_enclosed_and_others_are_kept() -> None:
    """A tenth is none, a half is one; zero times anything stays zero, so that touching it can be proved."""
    like = Enclosure(np.zeros(1), np.zeros(1))
    tenth, half = (enclosures.constant(number, like) for number in (Fraction(1, 10), Fraction(1, 2)))
    assert Fraction(tenth.low[0]) < Fraction(1, 10) < Fraction(tenth.high[0])
    assert half.low[0] == half.high[0] == 0.5
    assert (tenth * like).low[0] == (tenth * like).high[0] == 0.0
    third = enclosures.constant(Fraction(1, 3), like)
    assert Fraction((third * third).low[0]) < Fraction(1, 9) < Fraction((third * third).high[0])
    tiny = Enclosure(np.full(1, 1e-300), np.full(1, 1e-300))
    assert (tiny * tiny).low[0] <= 0.0 < (tiny * tiny).high[0]


def test_expected_improvement_lies_in_its_enclosure() -> None:
    """And is computed as the strategies compute it."""
    rng = np.random.default_rng(0)
    points = {name: rng.uniform(kind.low, kind.high, size=400) for name, kind in ATOMS.items()}
    found = enclosures.improvement({name: Enclosure(x, x) for name, x in points.items()})
    for index in range(400):
        mean, spread, best = (points[name][index] for name in ("mean", "spread", "incumbent"))
        value = expected_improvement(np.array([mean]), np.array([spread]), float(best))[0]
        assert found.low[index] - 1e-12 <= value <= found.high[index] + 1e-12
        at = {name: Fraction(x[index]) for name, x in points.items()}
        assert float(values_at(None, at)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_two_engines_agree_on_programs_drawn_and_bred(claim) -> None:
    """Neither proves what the other refutes, and most programs are decided by both."""
    rng = generator(1, "agreement", str(claim))
    programs = [*(random_program(rng) for _ in range(60)), *bred(starts(), rng, 40)]
    both = 0
    for old in (None, parse_program(STARTS[1])):
        for program in programs:
            ours, theirs = solve(claim, old, program), decide(claim, old, program)
            assert {ours.answer, theirs.answer} != {"proved", "refuted"}
            for found in (ours, theirs):
                assert (found.witness is not None) == (found.answer == "refuted")
                assert found.witness is None or breaks(claim, old, program, found.witness)
            both += ours.answer == theirs.answer != "unknown"
    assert both >= 0.9 * 2 * len(programs)


def test_what_is_proved_holds_at_points_drawn_by_themselves() -> None:
    """A dense sample that no engine has seen breaks nothing that is proved."""
    rng = generator(2, "dense")
    points = {name: rng.uniform(kind.low, kind.high, size=4000) for name, kind in ATOMS.items()}
    from selfnas.acquisition.evaluation import evaluate

    proved = 0
    for _ in range(150):
        program = random_program(rng)
        value = evaluate(program, points)
        if decide(Band(-9000, 9000), None, program).answer == "proved":
            assert np.abs(value).max() <= 9 + 1e-9
        for atom in ("mean", "spread"):
            if decide(Trend(atom, True), None, program).answer == "proved":
                proved += 1
                higher = {**points, atom: np.maximum(points[atom], points[atom][::-1])}
                assert (evaluate(program, higher) >= value - 1e-9).all()
    assert proved > 100


@pytest.mark.parametrize(
    ("claim", "old", "new", "answer"),
    [
        (Trend("mean", True), None, None, "proved"),
        (Trend("mean", False), None, None, "refuted"),
        (Trend("incumbent", False), None, None, "proved"),
        (Trend("incumbent", True), None, None, "refuted"),
        (Trend("spread", False), None, None, "refuted"),
        (Trend("share", True), None, None, "proved"),
        (Band(0, 4401), None, None, "proved"),
        (Band(0, 3900), None, None, "refuted"),
        (Near(0), None, None, "proved"),
        (Near(0), "mean", "mean", "proved"),
        (Near(1000), "mean", "mean + 1", "proved"),
        (Near(999), "mean", "mean + 1", "refuted"),
        (Near(500), None, "max(mean - incumbent, 0) + 0.4 * spread", "proved"),
        (Near(210), "mean * spread + share", "mean * spread + 1.2 * share", "proved"),
        (Near(190), "mean * spread + share", "mean * spread + 1.2 * share", "refuted"),
        (Near(500), "max(mean - incumbent, 0)", None, "proved"),
        (Trend("mean", True), None, "mean * spread", "proved"),
        (Trend("mean", True), None, "mean * (spread - 0.001)", "refuted"),
        (Trend("mean", True), None, "abs(mean + 4)", "proved"),
        (Trend("distance", True), None, "mean", "proved"),
        (Trend("distance", False), None, "mean", "proved"),
    ],
)
def test_answers_known_beforehand(claim, old, new, answer: str) -> None:
    """Worked out by hand, both engines alike."""
    programs = [None if text is None else parse_program(text) for text in (old, new)]
    assert decide(claim, *programs).answer == answer
    assert solve(claim, *programs).answer == answer


def test_what_neither_can_tell_is_left_open() -> None:
    """A square that touches zero has no enclosure that does; Z3 out of steps has no answer."""
    square = parse_program("mean * mean * mean - 3 * mean * mean + 3 * mean")  # slope 3 (mean - 1) squared
    assert decide(Trend("mean", True), None, square).answer == "unknown"
    assert solve(Trend("mean", True), None, square).answer == "proved"
    assert solve(Trend("mean", True), None, square, rlimit=1).answer == "unknown"


def test_a_witness_is_taken_only_where_arithmetic_breaks_the_claim() -> None:
    """Points off the box, pairs the wrong way round and points that break nothing are none."""
    program = parse_program("0 - mean")
    claim = Trend("mean", True)
    origin = {name: Fraction(0) for name in ATOMS}

    def witness(other: int | None, **changed: int) -> Witness:
        at = {**origin, **{name: Fraction(x) for name, x in changed.items()}}
        return Witness(tuple(at.items()), None if other is None else Fraction(other))

    assert breaks(claim, None, program, witness(1))
    assert not breaks(claim, None, program, witness(0))
    assert not breaks(claim, None, program, witness(None))
    assert not breaks(claim, None, program, witness(5))
    assert not breaks(claim, None, program, witness(1, spread=2))
    assert not breaks(claim, None, program, Witness((("mean", Fraction(0)),), Fraction(1)))
    assert not breaks(claim, None, parse_program("mean"), witness(1))
    assert simplest(claim, None, parse_program("mean"), witness(1)) is None
    fine = Witness(tuple({**origin, "mean": Fraction(1, 3)}.items()), Fraction(10**6 + 1, 3 * 10**6))
    found = simplest(claim, None, program, fine)
    assert found is not None
    assert (found.at["mean"], found.other) == (Fraction(333333, 10**6), Fraction(333334, 10**6))
