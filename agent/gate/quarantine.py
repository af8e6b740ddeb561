"""When the constraint set changes, every remembered architecture is judged again; what is forbidden is quarantined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agent.gate.admission import decide
from agent.ledger.events import Certified, MotifQuarantined, MotifRestored, MotifRevised, Quarantined, Rejected
from agent.state.state import Motif
from constraints import ConstraintSet, Guard
from selfnas.errors import InputError
from selfnas.plugins import MissingPluginError
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["recheck"]


def recheck(
    library: Sequence[Motif], quarantined: Sequence[Motif], set_: ConstraintSet, *, previous: str
) -> Iterator[MotifRevised]:
    """`MotifQuarantined` or `MotifRestored` where a motif's standing changes, and nothing else.

    Each motif is judged for the task it won on, under the macro settings it was trained with. A space that the set is
    not for, or a verdict that stays open, quarantines.
    """
    guards: dict[tuple[Space, Macro, TaskShape], Guard] = {}
    inside = {motif.seq for motif in library}
    for motif in sorted([*library, *quarantined], key=lambda motif: motif.seq):
        certificate: str | None = None
        failed, messages, admitted = [], [], False
        try:
            architecture = parse_architecture(motif.architecture)
            key = (architecture.space, architecture.macro, motif.shape)
            if key not in guards:
                guards[key] = Guard(set_, space=key[0], macro=key[1], shape=key[2])
            decision = decide(guards[key], architecture, previous=previous)
            certificate, admitted = decision.certificate, isinstance(decision, Certified)
            if isinstance(decision, Rejected | Quarantined):
                failed, messages = decision.failed, decision.messages
        except (InputError, MissingPluginError) as error:  # the set is not for this space
            messages = [str(error)]
        named: dict[str, Any] = {
            "admitted_seq": motif.seq,
            "task": motif.task,
            "architecture": motif.architecture,
            "digest": motif.digest,
            "certificate": certificate,
        }
        if admitted and motif.seq not in inside:
            yield MotifRestored(**named)
        elif not admitted and motif.seq in inside:
            yield MotifQuarantined(**named, failed=failed, messages=messages)
