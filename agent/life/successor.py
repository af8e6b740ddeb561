"""The search for a successor to the network of a task whose data drifted: its stream, and what it came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.ledger.events import NamedText, WatchSearch
from agent.ledger.home import Home
from agent.life.context import Prepared
from agent.life.preparation import prepare
from agent.state.drift import Drift
from agent.state.recorded import recorded_set, recorded_spec, recorded_stream, recorded_suite
from agent.state.state import LifeState, RunState
from agent.stream.file import Stream
from selfnas.data.batches import read_examples
from selfnas.data.datasets import Kind
from selfnas.documents import Document
from selfnas.errors import InputError

__all__ = ["Outcome", "outcome_of", "prepared_search"]

_SHARE = 3  # the search for a successor may cost one in so many of the stream's evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a search for a successor came to.

    Attributes:
        successor: digest; empty when nothing was admitted.
        evaluations: of the search.
        to_best: evaluations until its best low-fidelity score.
        examples: new ones that it was given.
        test: accuracy of the successor on its test split, in [0, 1].
    """

    successor: str
    evaluations: int
    to_best: int
    examples: int
    test: float


def outcome_of(run: RunState, search: WatchSearch) -> Outcome:
    """What a finished search came to.

    Args:
        run: of the one task.
        search: what was decided on.
    """
    task = run.tasks[0]
    admitted = task.admitted()
    scores = [trial.value for trial in task.trials]
    return Outcome(
        successor=admitted[0].digest if admitted else "",
        evaluations=len(scores),
        to_best=int(np.argmax(scores)) + 1 if scores else 0,
        examples=search.examples,
        test=admitted[0].trained.test if admitted else 0.0,
    )


def prepared_search(
    state: LifeState,
    home: Home,
    task: str,
    search: WatchSearch,
    *,
    kind: Kind,
    drifts: Sequence[Drift],
) -> Prepared:
    """The stream of one task: the new examples, under what is in force, warm-started from what is in service.

    Args:
        state: of the life.
        home: where the new examples lie.
        task: name of the watched task.
        search: what was decided on.
        kind: of the examples.
        drifts: found in the task so far.

    Raises:
        InputError: the network in service was revoked, or the new examples cannot make a task.
    """
    service = next((motif for motif in state.library if motif.seq == search.in_service), None)
    if service is None:
        raise InputError(f"task {task!r}: the network in service was revoked while its successor was searched")
    read_examples(home.root / "watch" / search.file, kind=kind)  # still as decided on
    lived = state.runs[service.run - 1]
    latest = state.runs[search.run - 2].started  # as it stood when the search was decided on
    stream = recorded_stream(lived)
    spec = recorded_spec(lived, lived.tasks.named(service.task)).model_copy(
        update={
            "name": search.successor_task,
            "succeeds": task,  # so that what the suite plants for it is tested here too
            "source": "npz",
            "path": f"watch/{search.file}",
            "kind": kind,
            "limit": None,
        }
    )
    evaluations = _evaluations(stream, lived, drifts)
    successor = stream.model_copy(
        update={
            "constraints": _reference("constraints", latest.record.constraints, latest.constraint_set),
            "audits": _reference("audits", latest.record.audits, latest.audit_suite),
            "tasks": [spec],
            "tuning": None,
            "budget": stream.budget.model_copy(update={"evaluations": evaluations}),
        }
    )
    known = {name for run in state.runs for name in run.tasks.names}
    recorded = recorded_set(latest.constraint_set.text), recorded_suite(latest.audit_suite.text)
    prepared = prepare(Document(successor, str(home.root / "watch.yaml"), {}), lived=known, recorded=recorded)
    return replace(prepared, tasks=tuple(replace(one, service=service) for one in prepared.tasks))


def _evaluations(stream: Stream, run: RunState, drifts: Sequence[Drift]) -> int:
    """A third of the watched stream's budget; a successor's own run has that already."""
    own = stream.budget.evaluations
    return own if run.number in {drift.search.run for drift in drifts} else math.ceil(own / _SHARE)


def _reference(role: str, name: str, recorded: NamedText) -> str:
    """What a stream calls the set or suite that is in force: a shipped name as it is, a file by role and name.

    No such file is read: what is in force is what the ledger holds.
    """
    own = "/" in name or name.endswith((".yaml", ".yml"))
    return f"watch/{role}-{recorded.name}.yaml" if own else name
