"""What verification holds composed operators to: mining gives them, the gate judged them, tasks search with them.

Which sub-cell comes next is worked out by the code that composed it; the certificate is judged by the referee.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from agent.memory.operators import OUTCOMES, alone, next_operator, operator_digest, space_in_force
from agent.memory.subcells import mined_in_force
from agent.state.recorded import recorded_macro
from agent.state.state import LifeState, Payload, mapping, number, task_shape
from agent.verify.refusals import wrong_refusal
from constraints import Certificate, ConstraintSet, Context, verify_certificate
from selfnas.spaces.named import composed_space, space_named

__all__ = ["ComposingChecker"]


class ComposingChecker:
    """Follows composed operators and the spaces that tasks are searched in.

    Args:
        hashes: of the events so far; the caller adds to them.
    """

    def __init__(self, hashes: Container[str]) -> None:
        self._hashes = hashes
        self._set: ConstraintSet | None = None

    def run_begins(self, set_: ConstraintSet | None) -> None:
        """A run under a constraint set; None where what was recorded cannot be used."""
        self._set = set_

    def task_begins(self, state: LifeState, payload: Payload) -> Iterator[str]:
        """Problems of the space that a task of trained networks is searched in; `state` is of the events before."""
        run = state.runs[-1].started
        stream = mapping(run["stream"])
        wanted = space_in_force(
            state,
            space=str(stream["space"]),
            most=int(number(stream.get("operators", 0))),
            set_digest=str(run["constraint_set_digest"]),
        )
        searched = payload.get("space", stream["space"])
        if searched != wanted.name:
            yield f"it searched {searched}, though the operators in force make it {wanted.name}"

    def decided(self, state: LifeState, kind: str, payload: Payload) -> Iterator[str]:
        """Problems of an `operator.…` event; `state` is of the events before."""
        run = state.runs[-1]
        stream, set_digest = mapping(run.started["stream"]), str(run.started["constraint_set_digest"])
        space, operator = str(payload["space"]), str(payload["operator"])
        task = run.tasks[len(run.tasks) - 1]
        if (payload["run"], payload["task"]) != (run.number, task.name):
            yield "it names another task than the one that it follows"
        found = next_operator(
            state,
            mined_in_force(state, space=space, tabular=False),
            space=space,
            set_digest=set_digest,
            most=int(number(stream.get("operators", 0))),
        )
        if found is None or found[0] != operator or found[1].digest != payload["sub_cell"]:
            yield "no sub-cell in force gives this operator, or another was first"
        if payload["digest"] != operator_digest(space, operator) or payload["constraint_set_digest"] != set_digest:
            yield "its digest or its constraint set is another"
        certificate = Certificate.from_json(str(payload["certificate"]))
        macro = recorded_macro(stream)
        here = composed_space(space_named(space), (operator,))
        subject = str(alone(here, operator, macro))
        if certificate.verdict != OUTCOMES[kind]:
            yield f"the certificate says {certificate.verdict}"
        if certificate.architecture != subject or payload["architecture"] != subject:
            yield "the certificate is not for the operator alone"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        if self._set is None:
            yield "there is no usable constraint set to check the certificate against"
            return
        shape = task_shape(task.started)
        if certificate.guard != Context(space=here, macro=macro, shape=shape).digest(self._set.digest):
            yield "the certificate was issued by another guard than the task's"
        yield from verify_certificate(certificate, self._set)
        yield from wrong_refusal(payload, certificate, self._set, shape)
