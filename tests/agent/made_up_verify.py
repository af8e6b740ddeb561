"""Made-up events of a ledger, valid like those of a life: what a test does not name has a default."""

from typing import Any, TypeVar

import msgspec

from agent.ledger.events import Event, Facts

Model = TypeVar("Model", bound=msgspec.Struct)
F = TypeVar("F", bound=Facts)

_DEFAULTS: dict[str, Any] = {
    "admitted_count": {"low": "1", "high": "1", "exact": True},
    "admitted_seq": 0,
    "architecture": "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|",
    "audit_suite": {"name": "s", "text": ""},
    "audit_suite_digest": "s",
    "author": "ann",
    "certificate": "{}",
    "constraint_set": {"name": "c", "text": ""},
    "constraint_set_digest": "c",
    "curve": [],
    "decision": "admit",
    "description": None,
    "digest": "d",
    "errors": "0010",
    "evaluations": 0,
    "evaluations_to_best": 0,
    "examples": 0,
    "failed": [],
    "fidelity": "low",
    "file": "",
    "findings": [],
    "from_run": 1,
    "from_task": "first",
    "gain": 1.0,
    "guard": "g",
    "high": 2.0,
    "in_service": "first",
    "least_share": 0.25,
    "least_tasks": 2,
    "low": 0.5,
    "messages": [],
    "origin": "searched",
    "params": 1,
    "proxy": None,
    "reason": "",
    "reasons": [],
    "recalled": [],
    "residuals": [0.1] * 4,
    "run": 1,
    "score": None,
    "shape": {"channels": 1, "size": [8, 8], "classes": 10},
    "space": "nb201",
    "space_count": "1",
    "standing": "refused",
    "stream": {
        "stream": "s",
        "space": "nb201",
        "seed": 0,
        "macro": {"channels": 8, "depth": 1, "resolution": 16},
        "policy": {"strategy": "random"},
        "budget": {"evaluations": 20, "full_trainings": 4},
        "tasks": [{"name": "first", "source": "digits"}],
    },
    "stream_digest": "",
    "subcells": [],
    "successor": None,
    "successor_task": "first-drift1",
    "support": 2,
    "tabular": False,
    "task": "first",
    "task_digest": "t",
    "tasks": [],
    "template": 0,
    "test": 0.9,
    "test_correct": 3,
    "test_count": 4,
    "text": "",
    "trials": 1,
    "validation": 0.9,
    "weights_sha256": "w",
    "winners": 2,
}


def made_up(model: type[Model], **told: Any) -> Model:
    """What an event says, or a part of that, with a default for each key that it needs and that is not given.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    needed = {field.name for field in msgspec.structs.fields(model) if field.required} - told.keys()
    return _read({**{name: _DEFAULTS[name] for name in needed}, **told}, model)


def changed(facts: F, **told: Any) -> F:
    """The same with other values.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    return retold(facts, type(facts), **told)


def retold(facts: Facts, kind: type[F], **told: Any) -> F:
    """What one event says, said by one of another kind, with other values.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    return _read({**msgspec.to_builtins(facts, enc_hook=float), **told}, kind)


def event(facts: F, seq: int = 1) -> Event[F]:
    """As it would stand in a ledger."""
    return Event(seq, facts.kind, facts, "", "")


def _read(told: dict[str, Any], model: type[Model]) -> Model:
    return msgspec.convert(msgspec.to_builtins(told, enc_hook=float), model)
