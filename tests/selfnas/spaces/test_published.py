"""Cells that searches start from: members of their spaces, distinct, and the residual one first where it exists."""

from dataclasses import replace

import pytest

from constraints import Guard, load_set
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, composed_space
from selfnas.spaces.published import PUBLISHED, RESIDUAL_CELL, published

IMAGES = TaskShape(channels=1, size=(28, 28), classes=10)
SHAPES = {
    "series": TaskShape(channels=1, size=(96,), classes=5),
    "tabular": TaskShape(channels=13, size=(), classes=3),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_each_is_a_network_of_its_own_that_the_shipped_set_admits(name: str) -> None:
    """No two share a digest, and a search under the baseline set can start from each."""
    space, macro = SPACES[name], Macro(channels=8, depth=1, resolution=16)
    found = published(space, macro)
    assert len({architecture.digest for architecture in found}) == len(found) >= 2
    guard = Guard(load_set("baseline"), space=space, macro=macro, shape=SHAPES.get(name, IMAGES))
    assert not any(guard.violations(space.encode(architecture)[None]).any() for architecture in found)


def test_a_derived_space_has_those_of_its_base() -> None:
    """The operators it adds change nothing of what was published."""
    base = SPACES["nb201"]
    derived = composed_space(base, ("conv3x3>avg3",))
    assert [one.digest for one in published(derived, Macro())] == [one.digest for one in published(base, Macro())]


def test_a_space_that_nobody_published_for_starts_from_nothing() -> None:
    """Spaces of plug-ins are among them."""
    assert published(replace(SPACES["nb201"], name="mine"), Macro()) == ()
    assert str(published(SPACES["nb201"], Macro())[0]).endswith(RESIDUAL_CELL)
