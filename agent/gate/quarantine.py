"""When the constraint set changes, every remembered architecture is judged again; what is forbidden is quarantined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.gate.admission import gate_entry
from agent.ledger.store import Entry
from agent.state.state import Motif
from constraints import ConstraintSet, Guard
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import parse_architecture
from selfnas.spaces.space import Space

__all__ = ["recheck"]


def recheck(
    library: Sequence[Motif], quarantined: Sequence[Motif], set_: ConstraintSet, *, previous: str
) -> Iterator[Entry]:
    """Ledger entries: `motif.quarantined` or `motif.restored` where a motif's standing changes, and nothing else.

    Each motif is judged for the task it won on, under the macro settings it was trained with. A space that the set is
    not for, or a verdict that stays open, quarantines.
    """
    guards: dict[tuple[Space, Macro, TaskShape], Guard] = {}
    inside = {motif.seq for motif in library}
    for motif in sorted([*library, *quarantined], key=lambda motif: motif.seq):
        architecture = parse_architecture(motif.architecture)
        key = (architecture.space, architecture.macro, motif.shape)
        common: dict[str, object] = {
            "admitted_seq": motif.seq,
            "task": motif.task,
            "architecture": motif.architecture,
            "digest": motif.digest,
        }
        try:
            if key not in guards:
                guards[key] = Guard(set_, space=key[0], macro=key[1], shape=key[2])
            kind, payload = gate_entry(guards[key], architecture, previous=previous)
        except InputError as error:  # the set is not for this space
            kind, payload = "quarantined", {"failed": [], "messages": [str(error)], "certificate": None}
        admitted = kind == "certified"
        if admitted and motif.seq not in inside:
            yield "motif.restored", common | {"certificate": payload["certificate"]}
        elif not admitted and motif.seq in inside:
            yield "motif.quarantined", common | {key: payload[key] for key in ("failed", "messages", "certificate")}
