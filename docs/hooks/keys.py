"""Files that people write, key by key: JSON Schemas for editors and tables for the reference, both from the models.

A key is described by its model: a field's description, or its line under `Attributes:`. What a model leaves out is in
`keys.yaml`, by path; a line there that the model has caught up with is a mistake, which `tests/docs` finds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from griffe import Docstring
from pydantic import BaseModel
from ruamel.yaml import YAML
from sources import MODELS, load

__all__ = ["described_twice", "schema_of", "tables", "undescribed"]

Schema = dict[str, Any]

# Where a file may say something shorter than its model: the key, and what it, or its items, may be besides.
_SHORTHAND: Mapping[tuple[str, str], Schema] = {
    ("set", "rules.examples.admit"): {"type": "string"},
    ("set", "rules.examples.reject"): {"type": "string"},
    ("stream", "tasks.target"): {"enum": ["classification", "multilabel", "regression", "ordinal"]},
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def schema_of(kind: str) -> Schema:
    """The JSON Schema of one kind of file, every key with a description.

    Args:
        kind: a key of `MODELS`.
    """
    schema, _ = _described(kind)
    return schema


def undescribed(kind: str) -> list[str]:
    """Paths of keys that nothing describes."""
    schema, _ = _described(kind)
    return [path for path, key, _ in _keys(schema) if not key.get("description")]


def described_twice(kind: str) -> list[str]:
    """Paths in `keys.yaml` that name no key, or one that its model describes."""
    _, used = _described(kind)
    return sorted(set(_written(kind)) - used)


def tables(kind: str, *, only: str | None = None, without: str | None = None) -> str:
    """Markdown: a table of keys for the file itself and for each section.

    Args:
        kind: a key of `MODELS`.
        only: path of the one section to show.
        without: path of a section to leave out.
    """
    schema = schema_of(kind)
    parts = []
    for path, section in _sections(schema):
        if path == without or (only is not None and path != only):
            continue
        if path and only is None:
            parts.append(f"### `{path}` {{ #{kind}-{path.replace('.', '-')} }}")
            others = [where for where in _places(schema)[section] if where != path]
            if others:
                parts.append("The same keys are known under " + ", ".join(f"`{where}`" for where in others) + ".")
        model = _definition(schema, section)
        rows = ["| key | value | default | what it is |", "|---|---|---|---|"]
        required = model.get("required", [])
        for name, key in model["properties"].items():
            default = "required" if name in required else _default(key.get("default"))
            rows.append(f"| `{name}` | {_value(schema, key)} | {default} | {_cell(key.get('description', ''))} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


@cache
def _described(kind: str) -> tuple[Schema, frozenset[str]]:
    """The schema with its descriptions, and the paths of `keys.yaml` that were needed."""
    model = load(MODELS[kind])
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{MODELS[kind]} is no model")
    schema = json.loads(json.dumps(model.model_json_schema()))
    schema["$schema"] = _DIALECT
    written, used = _written(kind), set()
    attributes = {name: _attributes(each) for name, each in [("", schema), *schema.get("$defs", {}).items()]}
    for path, key, section in _keys(schema):
        name = path.rpartition(".")[2]
        known = key.get("description") or attributes[section].get(name)
        if not known and path in written:
            used.add(path)
            known = written[path]
        if not known:  # a section that says of itself what it is
            known = next((_summary(schema["$defs"][inner].get("description", "")) for inner in _inside(key)), "")
            known = known[:1].lower() + known[1:]
        if known:
            key["description"] = known.removesuffix(".")
    for (file, path), shorter in _SHORTHAND.items():
        if file == kind:
            key = _at(schema, path)
            if "items" in key:
                key["items"] = {"anyOf": [key["items"], shorter]}
            else:
                key["anyOf"] = [shorter, *key["anyOf"]]
    for each in (schema, *schema.get("$defs", {}).values()):
        each["description"] = _summary(each.get("description", ""))
        for key in each.get("properties", {}).values():
            key.pop("title", None)
    return schema, frozenset(used)


def _at(schema: Schema, path: str) -> Schema:
    return next(key for where, key, _ in _all_keys(schema) if where == path)


def _written(kind: str) -> Mapping[str, str]:
    text = (Path(__file__).parent / "keys.yaml").read_text(encoding="utf-8")
    found: Mapping[str, str] = YAML(typ="safe", pure=True).load(text).get(kind, {})
    return found


def _attributes(model: Schema) -> dict[str, str]:
    """What the docstring of a model says of its fields."""
    sections = Docstring(model.get("description", "")).parse("google", warnings=False)
    return {
        item.name: " ".join(item.description.split())
        for section in sections
        if section.kind.value == "attributes"
        for item in section.value
    }


def _summary(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _sections(schema: Schema) -> Iterator[tuple[str, str]]:
    """The file itself and its sections, each once: path of first use, name of its definition."""
    yield "", ""
    seen = {""}
    for path, _, _ in _keys(schema):
        for name in _inside(_at(schema, path)):
            if name not in seen:
                seen.add(name)
                yield path, name


def _places(schema: Schema) -> dict[str, list[str]]:
    """By definition: the paths at which it is used."""
    places: dict[str, list[str]] = {}
    for path, key, _ in _all_keys(schema):
        for name in _inside(key):
            places.setdefault(name, []).append(path)
    return places


def _keys(schema: Schema) -> Iterator[tuple[str, Schema, str]]:
    """Every key of every section once, in the order of the file: path, schema, name of the section's definition."""
    seen: set[str] = set()

    def is_new(name: str) -> bool:
        new = name not in seen
        seen.add(name)
        return new

    yield from _walk(schema, "", "", is_new)


def _all_keys(schema: Schema) -> Iterator[tuple[str, Schema, str]]:
    """The same, each key at every path at which it can stand."""
    yield from _walk(schema, "", "", lambda _: True)


def _walk(schema: Schema, section: str, prefix: str, enter: Callable[[str], bool]) -> Iterator[tuple[str, Schema, str]]:
    properties = _definition(schema, section)["properties"]
    for name, key in properties.items():
        yield f"{prefix}{name}", key, section
    for name, key in properties.items():
        for inner in _inside(key):
            if enter(inner):
                yield from _walk(schema, inner, f"{prefix}{name}.", enter)


def _inside(key: Schema) -> list[str]:
    """Definitions that the value of a key is made of."""
    if "$ref" in key:
        return [key["$ref"].rpartition("/")[2]]
    parts = [*key.get("anyOf", []), *key.get("allOf", [])]
    parts += [key["items"]] if isinstance(key.get("items"), dict) else []
    return [name for part in parts for name in _inside(part)]


def _definition(schema: Schema, name: str) -> Schema:
    return schema["$defs"][name] if name else schema


def _value(schema: Schema, key: Schema) -> str:
    """A value in words."""
    if "$ref" in key:
        return "mapping"
    if "const" in key:
        return f"`{_plain(key['const'])}`"
    if "enum" in key:
        return ", ".join(f"`{_plain(value)}`" for value in key["enum"])
    if "anyOf" in key:
        return " or ".join(dict.fromkeys(_value(schema, part) for part in key["anyOf"] if part.get("type") != "null"))
    if "oneOf" in key:
        return " or ".join(dict.fromkeys(_value(schema, part) for part in key["oneOf"]))
    if key.get("type") == "array":
        items = key.get("items", {})
        what = f"list of {_plural(_value(schema, items))}" if items else "list"
        return what + _bounds(key.get("minItems"), key.get("maxItems"), " items")
    if key.get("type") == "object":
        inner = key.get("additionalProperties")
        return f"mapping to {_plural(_value(schema, inner))}" if isinstance(inner, dict) else "mapping"
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    return words[key["type"]] + _range(key)


def _plural(words: str) -> str:
    return re.sub(r"\b(mapping|number|text)\b", r"\1s", words, count=1)


def _range(key: Schema) -> str:
    low, high = key.get("minimum"), key.get("maximum")
    over, under = key.get("exclusiveMinimum"), key.get("exclusiveMaximum")
    parts = [_bounds(low, high, "")] if low is not None or high is not None else []
    parts += [f", above {_number(over)}"] if over is not None else []
    parts += [f", below {_number(under)}"] if under is not None else []
    return "".join(parts)


def _bounds(low: float | None, high: float | None, unit: str) -> str:
    if low is not None and high is not None:
        return f", {_number(low)} to {_number(high)}{unit}"
    if low is not None:
        return f", at least {_number(low)}{unit}"
    return f", at most {_number(high)}{unit}" if high is not None else ""


def _number(value: float) -> str:
    if isinstance(value, int) and value & (value - 1) == 0 and value > 2**31:
        return f"2^{value.bit_length() - 1}"
    return f"{value:,}"


def _plain(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "see below" if value else "none"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`" if value else "none"
    return f"`{_plain(value)}`" if value != "" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
