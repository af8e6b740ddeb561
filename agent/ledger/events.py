"""What an event of each kind must say, so that whoever reads a life later finds it, or is told where it is not.

Hashes show that an event was not changed since; they do not show that it was an event of ours. Facts that a kind may
lack, and those that nobody reads without looking whether they are there, are not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from agent.ledger.store import Event, Json, LedgerError

__all__ = ["FACTS", "Shape", "misplaced", "told"]

# A type or several; an object with at least these keys, or a list of such, is written as one.
Shape: TypeAlias = "type | tuple[type, ...] | dict[str, Shape] | list[Shape]"

_BEYOND = 2**63  # no count or score comes near; what is larger breaks those who compute with it
_ANY: dict[str, Shape] = {}

_NUMBER, _SCORE, _TEXT = (int, float), (int, float, type(None)), (str, type(None))
_WHAT: dict[str, Shape] = {"architecture": str, "digest": str}
_REFUSED: dict[str, Shape] = {**_WHAT, "certificate": str, "failed": [str], "messages": [str]}
_COUNTED: dict[str, Shape] = {"test_correct": int, "test_count": int}
_NAMED: dict[str, Shape] = {"name": str, "text": str}
_FINDING: dict[str, Shape] = {"audit": str, "subject": str, "statistic": str, "decision": str, "role": str}
_JUDGED_AGAIN: dict[str, Shape] = {**_WHAT, "admitted_seq": int, "task": str, "certificate": _TEXT}
_POLICY: dict[str, Shape] = {
    "run": int, "after_task": int, "base": dict, "old": dict, "new": dict, "evidence": (dict, type(None)),
    "certificate": _TEXT, "failed": [str], "reason": str,
}  # fmt: skip
_SUB_CELL: dict[str, Shape] = {
    "digest": str, "space": str, "template": int, "text": str, "support": int, "winners": int, "tasks": [str],
    "trials": int, "gain": _NUMBER, "low": _NUMBER, "high": _NUMBER,
}  # fmt: skip
_COMPOSED: dict[str, Shape] = {
    "space": str, "operator": str, "digest": str, "sub_cell": str, "constraint_set_digest": str, "architecture": str,
    "certificate": str, "failed": [str], "messages": [str],
}  # fmt: skip
FACTS: Mapping[str, dict[str, Shape]] = {
    "run.started": {
        "stream": {
            "stream": str, "space": str, "seed": int, "macro": dict, "policy": {"strategy": str},
            "budget": {"evaluations": int, "full_trainings": int}, "tasks": [{"name": str}],
        },
        "stream_digest": str, "constraint_set": _NAMED, "constraint_set_digest": str, "audit_suite": _NAMED,
        "audit_suite_digest": str,
    },
    "run.finished": {},
    "task.started": {
        "task": str, "task_digest": str, "shape": {"channels": int, "size": [int], "classes": int},
        "description": (dict, type(None)), "guard": str,
        "recalled": [{**_WHAT, "from_task": str, "from_run": int}],
    },
    "task.finished": {"task": str, "evaluations": int, "winner": _TEXT},
    "supernet.trained": {"task": str, "strategy": str, "logits": (list, type(None)), "reason": str},
    "certified": {**_WHAT, "certificate": str},
    "rejected": {**_REFUSED, "blamed": list},
    "quarantined": _REFUSED,
    "filtered": {"rules": dict, "exhausted": bool},
    "evaluated": {**_WHAT, "task": str, "origin": str, "fidelity": str, "score": _SCORE, "reason": str, "curve": list},
    "trained": {
        **_WHAT, **_COUNTED, "task": str, "validation": _NUMBER, "reason": str, "curve": [_NUMBER], "params": int,
        "weights_sha256": str,
    },
    "audited": {**_WHAT, "task": str, "findings": [_FINDING], "decision": str, "failed": [str], "reasons": [str]},
    "admitted": {
        **_WHAT, "task": str, "task_digest": str, "validation": _NUMBER, "test": _NUMBER, "params": int,
        "certificate": str, "weights_sha256": str,
    },
    "refused": {**_WHAT, "task": str, "decision": str, "reasons": [str]},
    "tabulated": {
        **_WHAT, "task": str, "validation": _NUMBER, "test": _NUMBER, "certificate": str,
    },
    "compared": {**_COUNTED, "architecture": str, "params": int, "validation": _SCORE, "reason": str},
    "motif.quarantined": {**_JUDGED_AGAIN, "failed": [str], "messages": [str]},
    "motif.restored": _JUDGED_AGAIN,
    "policy.refused": _POLICY,
    "policy.kept": _POLICY,
    "policy.proposed": {**_POLICY, "rolls_back": bool},
    "policy.tried": {**_POLICY, "confirmation": {"won": int, "lost": int}},
    "policy.adopted": _POLICY,
    "policy.rolled_back": _POLICY,
    "watch.started": {
        **_WHAT, "task": str, "run": int, "in_service": str, "weights_sha256": str, "errors": str,
        "residuals": [_NUMBER],
    },
    "watch.batch": {
        "task": str, "batch": str, "examples": int, "file": str, "errors": str, "residuals": [_NUMBER],
        "verdict": str, "change": (int, type(None)),
    },
    "watch.search": {
        "task": str, "run": int, "successor_task": str, "file": str, "examples": int, "in_service": int,
    },
    "watch.ended": {
        "task": str, "run": int, "successor": _TEXT, "evaluations": int, "evaluations_to_best": int,
    },
    "subcells.mined": {"space": str, "tabular": bool, "subcells": [_SUB_CELL]},
    "subcell.revoked": {"digest": str, "space": str, "text": str, "author": str, "reason": str},
    "operator.admitted": _COMPOSED,
    "operator.refused": _COMPOSED,
    "operator.undecided": _COMPOSED,
    "operator.revoked": {"digest": str, "space": str, "operator": str, "author": str, "reason": str},
    "reviewed": {
        **_WHAT, "run": int, "task": str, "weights_sha256": str, "decision": str, "standing": str, "author": str,
        "reason": str,
    },
}  # fmt: skip


def told(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, each with the facts of its kind; kinds that are not known pass.

    Raises:
        LedgerError: one lacks a fact, or has something else in its place, with the event's number.
    """
    for event in events:
        shape = FACTS.get(event.kind, _ANY)
        if not _fits(event.payload, shape):
            fault = _fault(event.payload, shape, "")
            raise LedgerError(f"event {event.seq} ({event.kind}) is no event of ours: {fault}")
        yield event


def misplaced(event: Event, error: Exception) -> LedgerError:
    """The error to raise where an event cannot follow those before it."""
    what = error.args[0] if error.args else type(error).__name__
    return LedgerError(f"event {event.seq} ({event.kind}) cannot have happened here: {what}")


def _fits(value: object, shape: Shape) -> bool:
    """Whether a value has a shape, without saying why not; a life's every event comes through here."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in value and _fits(value[key], one) for key, one in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(each, shape[0]) for each in value)
    if value is True or value is False:
        return shape is bool
    if not isinstance(value, shape):
        return False
    return not isinstance(value, (int, float)) or abs(value) < _BEYOND


def _fault(value: Json | Mapping[str, Json], shape: Shape, place: str) -> str:
    """What is wrong with a value, in words; empty where nothing is."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _words(value, "a list", place)
        faults = (_fault(each, shape[0], f"{place}[{at}]") for at, each in enumerate(value))
        return next(filter(None, faults), "")
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return _words(value, "an object", place)
        for key, inner in shape.items():
            if key not in value:
                return f"{_in(place, key)} is missing"
            if fault := _fault(value[key], inner, _in(place, key)):
                return fault
        return ""
    if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        names = [kind.__name__ for kind in (shape if isinstance(shape, tuple) else (shape,))]
        return _words(value, " or ".join("null" if name == "NoneType" else name for name in names), place)
    if isinstance(value, (int, float)) and not abs(value) < _BEYOND:  # what is no number at all is not either
        return f"{place} is beyond all numbers that are recorded"
    return ""


def _in(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _words(value: object, wanted: str, place: str) -> str:
    text = repr(value)
    return f"{place} must be {wanted}, not {text[:40]}{'…' * (len(text) > 40)}"
