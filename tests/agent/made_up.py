"""Events of which a test says only what matters to it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from agent.ledger.events import Facts

__all__ = ["made_up"]

F = TypeVar("F", bound=Facts)


def made_up(model: type[F], **facts: Any) -> F:
    """An event of a kind, with nothing of note where it must say something and is not told what."""
    told = {field.name for field in msgspec.structs.fields(model) if field.required} - facts.keys()
    types = {field.name: field.type for field in msgspec.inspect.type_info(model).fields}  # type: ignore[attr-defined]
    return model(**{**{name: _least(types[name]) for name in told}, **facts})


def _least(kind: msgspec.inspect.Type) -> Any:
    """The least value of a type."""
    if isinstance(kind, msgspec.inspect.StructType):
        return kind.cls(**{field.name: _least(field.type) for field in kind.fields if field.required})
    if isinstance(kind, msgspec.inspect.UnionType):
        return None if kind.includes_none else _least(kind.types[0])
    least = {"StrType": "", "IntType": 0, "FloatType": 0.0, "BoolType": False, "ListType": [], "DictType": {}}
    return least[type(kind).__name__]
