"""Events written by hand: `blank` says nothing of note, `made_up` what an event of a life could say."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect, structs

from agent.ledger.events import Event, Facts, NamedText, RunStarted, StreamRecord
from agent.ledger.store import Ledger, event_hash
from selfnas.digests import canonical_json

Kind = TypeVar("Kind", bound=Facts)
Model = TypeVar("Model", bound=msgspec.Struct)

_LEAST = {inspect.IntType: 0, inspect.FloatType: 0.0, inspect.StrType: "", inspect.BoolType: False}


_DEFAULTS: dict[str, Any] = {
    "admitted_count": {"low": "1", "high": "1", "exact": True},
    "admitted_seq": 0,
    "architecture": "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|",
    "audit_suite": {"name": "s", "text": "suite: s\n"},
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


def blank(kind: type[Kind], **facts: Any) -> Kind:
    """An event of a kind that says these facts, and nothing of note where it must say more."""
    lacking = {
        field.name: _least(inspect.type_info(field.type))
        for field in structs.fields(kind)
        if field.required and field.name not in facts
    }
    if kind is RunStarted and "audit_suite" in lacking:
        lacking["audit_suite"] = NamedText(name="s", text="suite: s\n")
    if kind is RunStarted and "stream" in lacking:
        lacking["stream"] = blank_stream()
    return kind(**lacking, **facts)


def blank_stream(**settings: Any) -> dict[str, Any]:
    """What a run must record of its stream, with some of it said."""
    lacking = {
        field.name: _least(inspect.type_info(field.type)) for field in structs.fields(StreamRecord) if field.required
    }
    return {**msgspec.to_builtins(lacking), "policy": {"strategy": "random"}, **settings}


def made_up(model: type[Model], **told: Any) -> Model:
    """What an event says, or a part of that, with a default for each key that it needs and that is not given.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    needed = {field.name for field in msgspec.structs.fields(model) if field.required} - told.keys()
    return _read({**{name: _DEFAULTS[name] for name in needed}, **told}, model)


def changed(facts: Kind, **told: Any) -> Kind:
    """The same with other values.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    return retold(facts, type(facts), **told)


def retold(facts: Facts, kind: type[Kind], **told: Any) -> Kind:
    """What one event says, said by one of another kind, with other values.

    Raises:
        msgspec.ValidationError: no such event could be read.
    """
    return _read({**msgspec.to_builtins(facts, enc_hook=float), **told}, kind)


def as_event(facts: Kind, seq: int = 1) -> Event[Kind]:
    """As it would stand in a ledger."""
    return Event(seq, facts.kind, facts, "", "")


def payload_of(facts: Facts) -> dict[str, Any]:
    """What is recorded of an event, to be edited."""
    found: dict[str, Any] = json.loads(facts.to_json())
    return found


def put_in(ledger: Ledger, kind: str, payload: Mapping[str, Any] | str) -> None:
    """One more row of a ledger, whatever it says; the chain fits."""
    seq, previous = ledger.head()
    text = payload if isinstance(payload, str) else canonical_json(payload)
    row = (seq, kind, text, previous, event_hash(seq, kind, text, previous))
    ledger._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)


def _least(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.StructType):
        return kind.cls(**{field.name: _least(field.type) for field in kind.fields if field.required})
    if isinstance(kind, inspect.UnionType):
        return None if kind.includes_none else _least(kind.types[0])
    if isinstance(kind, inspect.ListType):
        return []
    return {} if isinstance(kind, inspect.DictType) else _LEAST[type(kind)]


def _read(told: dict[str, Any], model: type[Model]) -> Model:
    return msgspec.convert(msgspec.to_builtins(told, enc_hook=float), model)
