"""What verification holds the words of a refusal by the gate to: which rules, what is blamed, what is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from agent.ledger.store import Json
from agent.state.state import items
from constraints import Certificate, ConstraintSet, refused_by
from constraints.judging.decision import decision_from
from constraints.judging.explanation import describe_slots
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["wrong_refusal"]


def wrong_refusal(
    payload: Mapping[str, Json], certificate: Certificate, set_: ConstraintSet, shape: TaskShape
) -> Iterator[str]:
    """Problems of what a `rejected` or `quarantined` event says beside its certificate.

    The rules must be those that the certificate fails, with the set's own words. Edges blamed must be the
    architecture's own, and what is near must be admitted. That they are the fewest, or the nearest, is not shown.
    """
    rules = set_.of_scope("cell", "network")
    if len(certificate.rules) != len(rules):
        return  # the certificate itself is wrong, and said to be
    decision = decision_from(certificate, rules)
    if (list(decision.failed), list(decision.messages)) != (items(payload["failed"]), items(payload["messages"])):
        yield "the rules that it breaks, or their messages, are not those of the certificate"
    if "blamed" not in payload:
        return
    architecture = parse_architecture(str(payload["architecture"]))
    space = architecture.space
    vector = space.encode(architecture)
    own = describe_slots(space, vector, range(len(space.slots)))
    if foreign := [str(edge) for edge in items(payload["blamed"]) if edge not in own]:
        yield f"it blames what the architecture does not have: {', '.join(foreign)}"
    plain = all(template.in_degree is None for template in space.templates)  # else an edge moved counts once
    for text in items(payload["nearest"]):
        near = parse_architecture(str(text))
        if (near.space, near.macro) != (architecture.space, architecture.macro) or refused_by(near, set_, shape=shape):
            yield f"it calls {text} near and admitted, which it is not"
        elif plain and payload["distance"] != int(np.count_nonzero(space.encode(near) != vector)):
            yield f"it calls {text} {payload['distance']} edges away, which it is not"
