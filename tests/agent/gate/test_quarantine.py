"""Another constraint set: every remembered architecture is judged again, for the task and stacking it was made for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.gate.quarantine import recheck
from agent.ledger.events import MotifQuarantined, MotifRestored
from agent.state.state import Motif
from constraints import ConstraintSet, load_set, parse_set
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)
CONV = "nb201/c8n1r16:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|"
PLAIN = "nb201/c8n1r16:|conv1x1~0|+|none~0|conv1x1~1|+|skip~0|none~1|conv1x1~2|"
NO_LARGE = """\
set: small-kernels
language: 1
spaces: [{space}]
rules:
  - id: no-large
    scope: cell
    forbid: "edge(op: conv3x3)"
    why: small kernels are asked for
    message: a 3x3 convolution
    examples: {{admit: [{admit}], reject: [{reject}]}}
"""


def motif(architecture: str, *, seq: int, shape: TaskShape = SHAPE) -> Motif:
    """Remembered."""
    return Motif(
        architecture=architecture, digest=parse_architecture(architecture).digest, task="t", task_digest="d",
        description="{}", shape=shape, validation=0.9, test=0.9, params=10, run=1, seq=seq, weights_sha256="w",
        review="", metric="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def strict() -> ConstraintSet:
    """Forbids what `CONV` is made of."""
    cells = {name: f'"{text.split(":")[1]}"' for name, text in (("reject", CONV), ("admit", PLAIN))}
    return parse_set(NO_LARGE.format(space="nb201", **cells), name="strict")


def test_what_the_new_set_forbids_is_quarantined_with_the_rule_and_nothing_else_changes(strict: ConstraintSet) -> None:
    """In the order in which they were admitted; each certificate names the event before."""
    library = [motif(CONV, seq=9), motif(PLAIN, seq=5), motif(CONV, seq=3)]
    found = list(recheck(library, [], strict, previous="p" * 64))
    assert [type(one) for one in found] == [MotifQuarantined, MotifQuarantined]
    assert [one.admitted_seq for one in found] == [3, 9]
    first = found[0]
    assert isinstance(first, MotifQuarantined)
    assert (first.failed, first.messages) == (["no-large"], ["no-large: a 3x3 convolution"])
    assert (first.task, first.architecture, first.digest) == ("t", CONV, parse_architecture(CONV).digest)
    assert first.certificate is not None
    assert '"verdict":"reject"' in first.certificate
    assert "p" * 64 in first.certificate


def test_what_the_new_set_allows_comes_back_and_what_it_still_forbids_stays(strict: ConstraintSet) -> None:
    """A motif in quarantine is no motif of the library: it is restored, never quarantined twice."""
    assert list(recheck([], [motif(CONV, seq=3)], strict, previous="")) == []
    (back,) = recheck([], [motif(PLAIN, seq=4)], strict, previous="")
    assert isinstance(back, MotifRestored)
    assert back.admitted_seq == 4
    assert list(recheck([motif(PLAIN, seq=4)], [], strict, previous="")) == []


def test_a_set_that_is_not_for_a_motif_s_space_quarantines_it_and_says_so(strict: ConstraintSet) -> None:
    """Without a certificate, for nothing was judged; and it is not restored by such a set."""
    elsewhere = replace(strict, spaces=("darts",))
    (held,) = recheck([motif(PLAIN, seq=4)], [], elsewhere, previous="")
    assert isinstance(held, MotifQuarantined)
    assert held.certificate is None
    assert held.failed == []
    assert "is for darts, not for space 'nb201'" in held.messages[0]
    assert list(recheck([], [motif(PLAIN, seq=4)], elsewhere, previous="")) == []


def test_each_motif_is_judged_for_its_own_task() -> None:
    """One set, one cell, two tasks: a limit on the network's size forbids it where the images are larger alone."""
    small = motif(CONV, seq=1)
    wide = CONV.replace("c8n1r16", "c64n5r16")
    large = motif(wide, seq=2, shape=TaskShape(channels=3, size=(32, 32), classes=10))
    assert [one.admitted_seq for one in recheck([small, large], [], load_set("edge-device"), previous="")] == [2]
