"""The ledger's events, kind by kind: from their models where there are some, else from the table of what each must say.

Sentences about kinds and fields are in `events.yaml`; a model's docstring and field descriptions go before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from sources import EVENTS, load

__all__ = ["events", "undescribed_events", "unknown_events"]

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "mapping", list: "list"}


def events() -> str:
    """Markdown: a section for each kind of event."""
    parts = []
    for kind, shape in _kinds().items():
        parts.append(f"### `{kind}`")
        parts.append(_kind_words(kind, shape))
        rows = [f"| `{name}` | {value} | {words} |" for name, value, words in _fields(kind, shape)]
        if rows:
            parts.append("\n".join(["| field | value | what it is |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def undescribed_events() -> list[str]:
    """Kinds and fields about which nothing is said."""
    missing = [kind for kind, shape in _kinds().items() if not _kind_words(kind, shape)]
    return missing + [
        f"{kind}: {name}" for kind, shape in _kinds().items() for name, _, words in _fields(kind, shape) if not words
    ]


def unknown_events() -> list[str]:
    """What `events.yaml` speaks of and no event has."""
    kinds = _kinds()
    fields = {name for kind, shape in kinds.items() for name, _, _ in _fields(kind, shape)}
    own = {f"{kind}.{name}" for kind, shape in kinds.items() for name, _, _ in _fields(kind, shape)}
    written = _written()
    return [kind for kind in written["kinds"] if kind not in kinds] + [
        name for name in written["fields"] if name not in fields | own
    ]


def _kinds() -> Mapping[str, object]:
    kinds = load(EVENTS)
    if not isinstance(kinds, Mapping):
        raise TypeError(f"{EVENTS} is no mapping")
    return kinds


def _kind_words(kind: str, shape: object) -> str:
    if isinstance(shape, type) and issubclass(shape, BaseModel) and shape.__doc__:
        return " ".join(shape.__doc__.split("\n\n")[0].split())
    return str(_written()["kinds"].get(kind, ""))


def _fields(kind: str, shape: object) -> Iterator[tuple[str, str, str]]:
    """Name, value and sentence of each field."""
    said = _written()["fields"]
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        for name, field in shape.model_fields.items():
            words = field.description or said.get(f"{kind}.{name}") or said.get(name, "")
            yield field.alias or name, _value(field.annotation), words
    elif isinstance(shape, Mapping):
        for name, value in shape.items():
            yield name, _value(value), str(said.get(f"{kind}.{name}") or said.get(name, ""))


def _value(shape: object) -> str:
    if isinstance(shape, tuple):
        words = [_value(each) for each in shape if each is not type(None)]
        words = ["number"] if words == ["whole number", "number"] else words
        return " or ".join([*words, *(["nothing"] if type(None) in shape else [])])
    if isinstance(shape, list):
        return f"list of {_value(shape[0])}s"
    if isinstance(shape, Mapping):
        return "mapping with " + ", ".join(f"`{name}`" for name in shape)
    return _WORDS.get(shape, str(shape)) if isinstance(shape, type) else str(shape)


@cache
def _written() -> dict[str, dict[str, str]]:
    text = (Path(__file__).parent / "events.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = YAML(typ="safe", pure=True).load(text)
    return found
