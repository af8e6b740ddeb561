"""The ledger's events, kind by kind, from their models: docstrings say what a kind and each of its fields mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from griffe import Docstring, DocstringSectionAttributes
from msgspec import Struct, UnsetType, structs
from sources import EVENTS, load

__all__ = ["events", "undescribed_events"]

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "object", Any: "anything"}


def events() -> str:
    """Markdown: a section for each kind of event, then one for each part that several of them have."""
    kinds = _kinds()
    parts = [_section(f"`{kind}`", model) for kind, model in kinds.items()]
    shared = dict.fromkeys(part for model in kinds.values() for part in _parts(model))
    return "\n\n".join([*parts, "## Parts of events", *(_section(part.__name__, part) for part in shared)])


def undescribed_events() -> list[str]:
    """Kinds, parts and fields about which nothing is said."""
    kinds = _kinds()
    models = {**kinds, **{part.__name__: part for model in kinds.values() for part in _parts(model)}}
    return [name for name, model in models.items() if not _sentence(model)] + [
        f"{name}: {field.name}"
        for name, model in models.items()
        for field in structs.fields(model)
        if not _attributes(model).get(field.name)
    ]


def _kinds() -> Mapping[str, type[Struct]]:
    kinds = load(EVENTS)
    if not isinstance(kinds, Mapping):
        raise TypeError(f"{EVENTS} is no mapping")
    return kinds


def _section(title: str, model: type[Struct]) -> str:
    said = _attributes(model)
    rows = [
        f"| `{field.name}` | {_value(field.type)}{_optional(field)} | {said.get(field.name, '')} |"
        for field in sorted(structs.fields(model), key=lambda field: field.name)
    ]
    table = ["| field | value | what it is |", "|---|---|---|", *rows] if rows else []
    return "\n\n".join(filter(None, [f"### {title}", _sentence(model), "\n".join(table)]))


def _optional(field: structs.FieldInfo) -> str:
    return "" if field.required else ", may be left out"


def _parts(model: type[Struct]) -> Iterator[type[Struct]]:
    """Models that its fields hold, and theirs."""
    for field in structs.fields(model):
        for part in _structs(field.type):
            yield part
            yield from _parts(part)


def _structs(kind: Any) -> Iterator[type[Struct]]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for inner in get_args(kind):
        yield from _structs(inner)


def _sentence(model: type[Struct]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _attributes(model: type[Struct]) -> dict[str, str]:
    """What a model's docstring, and those of the models that it extends, say of its fields."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Struct) and one.__doc__:
            for section in Docstring(one.__doc__).parse("google", warnings=False):
                if isinstance(section, DocstringSectionAttributes):
                    found |= {said.name: " ".join(said.description.split()) for said in section.value}
    return found


def _value(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(inner[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        words = dict.fromkeys(_value(each) for each in inner if each not in (NoneType, UnsetType))
        if {"whole number", "number"} <= words.keys():
            del words["whole number"]
        return " or ".join([*words, *(["nothing"] if NoneType in inner else [])])
    if origin is list:
        return f"list of {_value(inner[0])}"
    if origin is tuple:
        return "list of " + " and ".join(map(_value, inner))
    if origin is dict:
        return "object" if inner[1] is Any else f"object of {_value(inner[1])}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{one.value}`" for one in kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return _WORDS.get(kind, str(kind))
