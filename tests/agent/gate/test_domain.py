"""What a strategy is handed: admitted architectures alone, and an honest tally of what was kept out of its reach."""

from __future__ import annotations

import numpy as np
import pytest

from agent.gate.domain import GuardedDomain, SpelledGuardedDomain
from constraints import Guard, load_set
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named
from selfnas.spaces.template import Vector

MACRO = Macro(channels=8, depth=1, resolution=16)


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Of the baseline set, on small images."""
    shape = TaskShape(channels=1, size=(8, 8), classes=10)
    return Guard(load_set("baseline"), space=space_named("nb201"), macro=MACRO, shape=shape)


@pytest.fixture(scope="module")
def cells(guard: Guard) -> Vector:
    """Every cell of the space."""
    return np.asarray(guard.space.enumerate())


def domain_of(guard: Guard) -> GuardedDomain:
    """A fresh one."""
    return GuardedDomain(guard, space=guard.space, macro=MACRO)


def test_what_is_drawn_or_near_is_admitted(guard: Guard, cells: Vector) -> None:
    """Draws and neighbours are the guard's; a neighbour of a refused cell is as few edits away as the guard says."""
    domain = domain_of(guard)
    assert guard.admits(domain.draw(np.random.default_rng(0), 50)).all()
    refused = cells[~guard.admits(cells)][0]
    near, (distance, rows) = domain.nearest(refused), guard.nearest(refused)
    assert np.array_equal(near, rows)
    assert ((near != refused).sum(axis=1) == distance).all()
    assert guard.admits(near).all()


def test_each_kept_out_cell_counts_once_for_each_rule_it_breaks(guard: Guard, cells: Vector) -> None:
    """However often it is considered; the first one is the example, and admitted ones leave no trace."""
    domain, broken = domain_of(guard), guard.violations(cells)
    rows = np.flatnonzero(broken.any(axis=1))[:40]
    considered = np.concatenate([cells[rows], cells[rows], domain.draw(np.random.default_rng(1), 20)])
    for _ in range(2):
        assert domain.admits(considered).tolist() == [False] * 80 + [True] * 20
    ids = [rule.id for rule in guard.rules]
    counted = {ids[column]: int(count) for column, count in enumerate(broken[rows].sum(axis=0)) if count}
    assert len(counted) > 1
    assert max(counted.values()) > 1
    assert domain.filtered == counted
    for rule, example in domain.examples.items():
        first = next(row for row in rows if broken[row, ids.index(rule)])
        assert np.array_equal(example, cells[first])
    assert domain.examples.keys() == counted.keys()


@pytest.mark.parametrize(("count", "tallied"), [(4095, True), (4096, False), (4097, False)])
def test_a_sweep_over_the_space_is_not_a_look_at_proposals(
    count: int, tallied: bool, guard: Guard, cells: Vector
) -> None:
    """From so many rows on nothing is tallied; the answer is the same."""
    domain = domain_of(guard)
    assert np.array_equal(domain.admits(cells[:count]), guard.admits(cells[:count]))
    assert bool(domain.filtered) == tallied


def test_a_sweep_over_a_small_space_is_one_as_well() -> None:
    """As many rows as the space has are a sweep; one less is not."""
    shape = TaskShape(channels=1, size=(8, 8), classes=10)
    small = Guard(load_set("baseline"), space=space_named("transnas-micro"), macro=MACRO, shape=shape)
    cells = np.asarray(small.space.enumerate())
    assert len(cells) == 4096
    every = domain_of(small)
    assert np.array_equal(every.admits(cells), small.admits(cells))
    assert not every.filtered
    fewer = domain_of(small)
    fewer.admits(cells[:-1])
    assert fewer.filtered


def test_where_every_spelling_counts_answers_are_looked_up(guard: Guard, cells: Vector) -> None:
    """They are the guard's, cell by cell, and two spellings of a network have two identities."""
    spelled = SpelledGuardedDomain(guard, space=guard.space, broken=guard.violations(cells), macro=MACRO)
    mixed = np.random.default_rng(2).permutation(len(cells))[:300]
    assert np.array_equal(spelled.admits(cells[mixed]), guard.admits(cells[mixed]))
    assert spelled.filtered
    assert len({spelled.identity(cell) for cell in cells[:200]}) == 200
    assert spelled.identity(cells[7]) == cells[7].tobytes().hex()
