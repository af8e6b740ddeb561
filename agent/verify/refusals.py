"""What verification holds the words of a refusal by the gate to: which rules, what is blamed, what is near."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agent.ledger.events import OperatorDecided, Quarantined, Rejected
from constraints import Certificate, ConstraintSet, refused_by
from constraints.judging.certificate import decision_from
from constraints.judging.explanation import describe_slots
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["wrong_refusal"]


def wrong_refusal(
    refused: Rejected | Quarantined | OperatorDecided, certificate: Certificate, set_: ConstraintSet, shape: TaskShape
) -> Iterator[str]:
    """Problems of what the gate's event says beside its certificate.

    The rules must be those that the certificate fails, with the set's own words. Edges blamed must be the
    architecture's own, and what is near must be admitted. That they are the fewest, or the nearest, is not shown.
    """
    rules = set_.of_scope("cell", "network")
    if len(certificate.rules) != len(rules):
        return  # the certificate itself is wrong, and said to be
    decision = decision_from(certificate, rules)
    # A message is no meaning: a person may have edited it before the run went on.
    begin = [message.partition(":")[0] for message in decision.messages]
    found = [message.partition(":")[0] for message in refused.messages]
    if (list(decision.failed), begin) != (refused.failed, found):
        yield "the rules that it breaks, or whose messages it gives, are not those of the certificate"
    if not isinstance(refused, Rejected):
        return
    architecture = parse_architecture(refused.architecture)
    space = architecture.space
    vector = space.encode(architecture)
    own = describe_slots(space, vector, range(len(space.slots)))
    if foreign := [edge for edge in refused.blamed if edge not in own]:
        yield f"it blames what the architecture does not have: {', '.join(foreign)}"
    plain = all(template.in_degree is None for template in space.templates)  # else an edge moved counts once
    for text in refused.nearest:
        near = parse_architecture(text)
        if (near.space, near.macro) != (architecture.space, architecture.macro) or refused_by(near, set_, shape=shape):
            yield f"it calls {text} near and admitted, which it is not"
        elif plain and refused.distance != int(np.count_nonzero(space.encode(near) != vector)):
            yield f"it calls {text} {refused.distance} edges away, which it is not"
