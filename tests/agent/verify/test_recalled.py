"""What was recalled in a space with composed operators is the network that was admitted in another space."""

from dataclasses import replace

import pytest

from agent.ledger.events import Admitted, MotifQuarantined, Recalled, RunStarted, TaskStarted, Trained
from agent.verify.motifs import MotifChecker
from agent.verify.reviews import ReviewChecker
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import parse_architecture, respelled, space_named
from tests.agent.made_up import made_up

PLAIN = parse_architecture("nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|")
CARRYING = parse_architecture("nb201{avg3>avg3}/c8n1r16:|avg3>avg3~0|+|none~0|none~1|+|skip~0|none~1|none~2|")
FURTHER = "nb201{conv3x3>conv1x1,avg3>avg3}"


def moved(architecture: Architecture, space: str) -> Architecture:
    """As recall spells it in a space, under the macro settings of a later run."""
    found = respelled(replace(architecture, macro=Macro(16, 2, 32)), space_named(space))
    assert found is not None
    return found


def recalled(architecture: Architecture) -> TaskStarted:
    """The beginning of a task that recalls it from the first."""
    one = made_up(Recalled, architecture=str(architecture), digest=architecture.digest, from_task="first", from_run=1)
    return made_up(TaskStarted, task="second", recalled=[one])


SPELLINGS = pytest.mark.parametrize(
    ("admitted", "space"), [(PLAIN, "nb201"), (PLAIN, "nb201{avg3>avg3}"), (PLAIN, FURTHER), (CARRYING, FURTHER)]
)


@SPELLINGS
def test_a_network_recalled_in_another_space_stands_as_it_was_admitted(admitted: Architecture, space: str) -> None:
    """Once it is let in, in whatever space it is spelled; before that, and for another network, it is named."""
    checker = ReviewChecker()
    checker.run_begins(made_up(RunStarted), approval="none")
    list(checker.task_begins(made_up(TaskStarted, task="first")))
    own = {"architecture": str(admitted), "digest": admitted.digest}
    checker.trained(made_up(Trained, **own), certificate="{}")
    here = moved(admitted, space)
    refused = [f"recalled {here.digest[:12]}, which does not stand admitted"]
    assert list(checker.task_begins(recalled(here))) == refused
    list(checker.task_begins(made_up(TaskStarted, task="first")))
    checker.decided(made_up(Admitted, **own))
    assert list(checker.task_begins(recalled(here))) == []
    other = moved(CARRYING if admitted == PLAIN else PLAIN, FURTHER)
    assert list(checker.task_begins(recalled(other))) == [
        f"recalled {other.digest[:12]}, which does not stand admitted"
    ]


@SPELLINGS
def test_a_quarantined_motif_is_named_in_whatever_space_it_is_recalled(admitted: Architecture, space: str) -> None:
    """As long as it was in force it could be recalled."""
    checker, here = MotifChecker({""}), moved(admitted, space)
    own = {"architecture": str(admitted), "digest": admitted.digest}
    shape = TaskShape(channels=1, size=(8, 8), classes=10)
    checker.let_in(10, made_up(Admitted, **own), shape, run=1, task="first", trained=None)
    assert list(checker.task_begins(recalled(here))) == []
    assert list(checker.judged_again(made_up(MotifQuarantined, admitted_seq=10, certificate=None, **own))) == []
    assert list(checker.task_begins(recalled(here))) == [f"recalled {here.digest[:12]}, which is quarantined"]
