"""The guard of a space in which macro settings are searched: as exact as the guards that it is made of."""

from __future__ import annotations

import numpy as np
import pytest

from constraints import load_set, verify_certificate
from constraints.judging.guard import Guard
from constraints.judging.stacked import StackedGuard, guard_digest, guard_for
from constraints.language.rules import Context
from constraints.loading.loading import parse_set
from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.spaces.stacked import Choices, parse_choices, stacked

SHAPE = TaskShape(channels=1, size=(8, 8), classes=3)
CHOICES = parse_choices("c4,8n1,2r16s0haverage,grid4")
SPACE = stacked(SPACES["transnas-micro"], CHOICES)
SET = """\
set: stacks
language: 1
spaces: [transnas-micro]
rules:
  - {id: connected, scope: cell, require: "exists path(input, output)", why: w, message: m}
  - {id: narrow, scope: network, when: width <= 4, require: params <= 14 @kparam, why: w, message: m}
  - {id: wide, scope: network, when: width > 4, require: params <= 60 @kparam, why: w, message: m}
  - {id: deep, scope: cell, when: cells_per_stage >= 2, require: "count(edge(op: conv3x3)) <= 2", why: w, message: m}
  - {id: macs, scope: network, require: macs <= 2 @Mmac, why: w, message: m}
"""


@pytest.fixture(scope="module")
def guard() -> StackedGuard:
    """Rules that differ from one way to stack cells to the next."""
    found = guard_for(parse_set(SET), space=SPACE, macro=CHOICES.first, shape=SHAPE)
    assert isinstance(found, StackedGuard)
    return found


def test_every_engine_says_the_same_of_every_architecture(guard: StackedGuard) -> None:
    """NumPy of all; Z3, referee and certificate of some; the count is of what is admitted."""
    everything = SPACE.enumerate()
    admitted = guard.admits(everything)
    assert np.array_equal(admitted, ~guard.violations(everything).any(axis=1))
    count = guard.count()
    assert (count.exact, count.value) == (True, int(admitted.sum()))
    assert 0 < count.value < len(everything)
    broken = guard.violations(everything)
    for index in np.random.default_rng(0).permutation(len(everything))[:150]:
        architecture = SPACE.decode(everything[index], macro=CHOICES.first)
        decision = guard.decide(architecture)
        wanted = {rule.id for rule, bad in zip(guard.rules, broken[index], strict=True) if bad}
        assert set(decision.failed) == wanted
        assert (decision.verdict == "admit") == bool(admitted[index])
        context = Context(space=architecture.space, macro=architecture.macro, shape=SHAPE)
        assert decision.certificate.guard == context.digest(guard.set.digest)
        assert verify_certificate(decision.certificate, guard.set) == ()


def test_draws_are_uniform_over_what_is_admitted(guard: StackedGuard) -> None:
    """Each way to stack cells as often as it admits cells, and nothing that is not admitted."""
    drawn = guard.draw(np.random.default_rng(0), 4000)
    assert guard.admits(drawn).all()
    everything = SPACE.enumerate()
    numbers = SPACE.stacks(everything[guard.admits(everything)])  # type: ignore[attr-defined]
    wanted = np.bincount(numbers, minlength=len(CHOICES)) / len(numbers)
    found = np.bincount(SPACE.stacks(drawn), minlength=len(CHOICES)) / len(drawn)  # type: ignore[attr-defined]
    assert np.abs(wanted - found).max() < 0.03


def test_what_is_nearest_may_be_stacked_otherwise(guard: StackedGuard) -> None:
    """Nothing admitted is nearer than it says, counting a macro setting as one change."""
    everything = SPACE.enumerate()
    good = everything[guard.admits(everything)]
    refused = everything[~guard.admits(everything)]
    for vector in refused[np.random.default_rng(1).permutation(len(refused))[:25]]:
        distance, near = guard.nearest(vector)
        assert distance == (good != vector).sum(axis=1).min()
        assert guard.admits(near).all()
        assert ((near != vector).sum(axis=1) == distance).all()


def test_its_digest_is_of_all_its_guards(guard: StackedGuard) -> None:
    """And of one alone where there is one way to stack cells."""
    set_ = guard.set
    assert guard.digest == guard_digest(set_.digest, SPACES["transnas-micro"], CHOICES, SHAPE)
    one = Choices.of(CHOICES.first)
    alone = guard_for(set_, space=stacked(SPACES["transnas-micro"], one), macro=one.first, shape=SHAPE)
    assert type(alone) is Guard
    assert alone.digest == guard_digest(set_.digest, SPACES["transnas-micro"], one, SHAPE) != guard.digest


def test_what_is_stacked_in_another_way_is_left_undecided(guard: StackedGuard) -> None:
    """The gate stays closed."""
    other = SPACES["transnas-micro"].decode(np.ones(6, dtype=np.int8), macro=Macro(channels=16, depth=1, resolution=16))
    assert guard.decide(other).verdict == "undecided"


def test_rules_that_admit_nothing_are_named() -> None:
    """Also where they do so in every way to stack cells."""
    impossible = SET + '  - {id: never, scope: cell, forbid: "exists path(input, output)", why: w, message: m}\n'
    guard = guard_for(parse_set(impossible), space=SPACE, macro=CHOICES.first, shape=SHAPE)
    assert guard.count().high == 0
    assert set(guard.clash()) == {"connected", "never"}
    with pytest.raises(SelfnasError, match="admit nothing"):
        guard.draw(np.random.default_rng(0), 1)


def test_the_baseline_judges_new_spaces_in_all_their_ways() -> None:
    """Quickly enough to be compiled at the start of a task."""
    for name, shape in (("image", SHAPE), ("series", TaskShape(channels=1, size=(64,), classes=3))):
        space = stacked(SPACES[name], parse_choices("c8,16n1,2r16s0hpeaks,attention"))
        guard = guard_for(load_set("baseline"), space=space, macro=Macro(8, 1, 16), shape=shape)
        vectors = guard.draw(np.random.default_rng(0), 64)
        assert guard.count().exact
        assert guard.admits(vectors).all()
        assert len(np.unique(vectors[:, 6:], axis=0)) == 8


def test_where_nothing_is_admitted_nothing_is_near() -> None:
    """Neither a distance nor a neighbour is made up."""
    nothing = SET.replace("macs <= 2 @Mmac", "params <= 1")
    found = guard_for(parse_set(nothing), space=SPACE, macro=CHOICES.first, shape=SHAPE)
    assert found.count().high == 0
    distance, near = found.nearest(SPACE.enumerate()[0])
    assert (distance, near.shape) == (-1, (0, len(SPACE.slots)))
