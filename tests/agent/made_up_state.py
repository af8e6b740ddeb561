"""Events of every kind with as little in them as an event may have, for lives that are written by hand."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect, structs

from agent.ledger.events import Event, Facts, RunStarted, StreamRecord
from agent.ledger.store import Ledger, event_hash
from selfnas.digests import canonical_json

Kind = TypeVar("Kind", bound=Facts)

_LEAST = {inspect.IntType: 0, inspect.FloatType: 0.0, inspect.StrType: "", inspect.BoolType: False}


def blank(kind: type[Kind], **facts: Any) -> Kind:
    """An event of a kind that says these facts, and nothing of note where it must say more."""
    lacking = {
        field.name: _least(inspect.type_info(field.type))
        for field in structs.fields(kind)
        if field.required and field.name not in facts
    }
    if kind is RunStarted and "stream" in lacking:
        lacking["stream"] = blank_stream()
    return kind(**lacking, **facts)


def blank_stream(**settings: Any) -> dict[str, Any]:
    """What a run must record of its stream, with some of it said."""
    lacking = {
        field.name: _least(inspect.type_info(field.type)) for field in structs.fields(StreamRecord) if field.required
    }
    return {**msgspec.to_builtins(lacking), "policy": {"strategy": "random"}, **settings}


def as_event(seq: int, facts: Kind) -> Event[Kind]:
    """An event that stands in no chain."""
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
