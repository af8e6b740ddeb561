"""What verification holds composed operators to: mining gives them, the gate judged them, tasks search with them.

Which sub-cell comes next is computed by the code that composed it; the certificate is judged by the referee.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from agent.ledger.events import OperatorDecided, TaskStarted
from agent.memory.operators import alone, next_operator, operator_digest, space_in_force
from agent.memory.subcells import mined_in_force
from agent.state.state import LifeState
from agent.verify.refusals import wrong_refusal
from constraints import Certificate, ConstraintSet, Context, verify_certificate
from selfnas.spaces.named import base_name, composed_space, space_named

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

    def task_begins(self, state: LifeState, started: TaskStarted) -> Iterator[str]:
        """Problems of the space that a task of trained networks is searched in; `state` is of the events before."""
        if not state.runs:
            return  # the order of events says so
        run, before = state.runs[-1].started, state.before(started)
        stream = run.record
        if before is not None:
            return  # what it goes on with says where it searches
        searched = stream.space_of(started)
        base = base_name(searched)
        if stream.space not in (None, base):
            yield f"it searched {searched}, but the stream says {stream.space}"
        wanted = space_in_force(state, space=base, most=stream.operators or 0, set_digest=run.constraint_set_digest)
        if searched != wanted.name:
            yield f"it searched {searched}, though the operators in force make it {wanted.name}"

    def decided(self, state: LifeState, decided: OperatorDecided) -> Iterator[str]:
        """Problems of a decision about an operator; `state` is of the events before."""
        if not state.runs or not state.runs[-1].tasks:
            yield "no task has begun that it could follow"
            return
        run = state.runs[-1]
        stream, set_digest = run.started.record, run.started.constraint_set_digest
        space, operator, task = decided.space, decided.operator, run.tasks.open
        if (decided.run, decided.task) != (run.number, task.name):
            yield "it names another task than the one that it follows"
        found = next_operator(
            state,
            mined_in_force(state, space=space, tabular=False),
            space=space,
            set_digest=set_digest,
            most=stream.operators or 0,
        )
        if found is None or found[0] != operator or found[1].digest != decided.sub_cell:
            yield "no sub-cell in force gives this operator, or another was first"
        if decided.digest != operator_digest(space, operator) or decided.constraint_set_digest != set_digest:
            yield "its digest or its constraint set is another"
        certificate = Certificate.from_json(decided.certificate)
        macro = stream.choices_of(task.started).first
        here = composed_space(space_named(space), (operator,))
        subject = str(alone(here, operator, macro))
        if certificate.verdict != decided.verdict:
            yield f"the certificate says {certificate.verdict}"
        if certificate.architecture != subject or decided.architecture != subject:
            yield "the certificate is not for the operator alone"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        if self._set is None:
            yield "there is no usable constraint set to check the certificate against"
            return
        if certificate.guard != Context(space=here, macro=macro, shape=task.shape).digest(self._set.digest):
            yield "the certificate was issued by another guard than the task's"
        yield from verify_certificate(certificate, self._set)
        yield from wrong_refusal(decided, certificate, self._set, task.shape)
