"""The generated reference: everything is described, nothing is described that is not there, schemas fit the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import commands, options
from events import events, undescribed_events
from jsonschema import Draft202012Validator
from keys import described_twice, schema_of, tables, undescribed
from msgspec import UNSET, Struct, UnsetType
from ruamel.yaml import YAML
from sources import MODELS

_ROOT = Path(__file__).parents[2]


def _read(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        json.dumps(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    )
    return found


# Every file of a known kind, by the key that all of its kind begin with.
_FILES = [
    (kind, path)
    for folder in ("experiments", "constraints", "audits", "selfnas")
    for path in sorted((_ROOT / folder).rglob("*.yaml"))
    for kind in MODELS
    if kind in _read(path)
]


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_is_described_once(kind: str) -> None:
    """By its model, or else in `keys.yaml`; what a model describes by now is gone from there."""
    assert undescribed(kind) == []
    assert described_twice(kind) == []


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_is_in_a_table(kind: str) -> None:
    """A row for each key of the file and of each section."""
    text = tables(kind)
    schema = schema_of(kind)
    for model in (schema, *schema["$defs"].values()):
        for name in model["properties"]:
            assert f"| `{name}` |" in text


def test_there_are_files_of_every_kind() -> None:
    """So that the next test leaves no schema out."""
    assert {kind for kind, _ in _FILES} == set(MODELS)


@pytest.mark.parametrize(("kind", "path"), _FILES, ids=[f"{path.parent.name}/{path.name}" for _, path in _FILES])
def test_schemas_admit_the_files_that_we_ship(kind: str, path: Path) -> None:
    """An editor marks nothing in them."""
    problems = Draft202012Validator(schema_of(kind)).iter_errors(_read(path))
    assert [(list(each.path), each.message) for each in problems] == []


def test_schemas_admit_short_forms() -> None:
    """A target may be its kind alone, and of no other kind."""
    task = {"name": "t", "source": "npz", "path": "t.npz"}
    for target, known in (("regression", True), ({"kind": "regression", "units": ["kg"]}, True), ("clusters", False)):
        document = {"stream": "s", "format": 1, "tasks": [{**task, "target": target}]}
        assert Draft202012Validator(schema_of("stream")).is_valid(document) is known


@pytest.mark.parametrize("kind", ["stream", "device"])
def test_schemas_mark_a_misspelt_key(kind: str) -> None:
    """One letter too many is found."""
    document = _read(next(path for other, path in _FILES if other == kind))
    document["formatt"] = document.pop("format")
    messages = [each.message for each in Draft202012Validator(schema_of(kind)).iter_errors(document)]
    assert any("formatt" in message for message in messages)
    assert any("'format' is a required property" in message for message in messages)


def test_every_kind_of_event_and_every_field_is_described() -> None:
    """By the docstrings of the models."""
    assert undescribed_events() == []


class Place(Struct, frozen=True, kw_only=True):
    """Where it was.

    Attributes:
        room: by name.
    """

    room: str


class Woken(Struct, frozen=True, kw_only=True):
    """Somebody woke.

    Attributes:
        hour: on the clock.
        places: seen first.
    """

    hour: int | None
    places: list[Place] | UnsetType = UNSET
    why: dict[str, float] | UnsetType = UNSET


def test_events_are_described_by_their_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docstring, types, what may be left out, and parts with a section of their own; what lacks words is found."""
    monkeypatch.setattr("events._kinds", lambda: {"woken": Woken})
    text = events()
    assert "### `woken`\n\nSomebody woke." in text
    assert "| `hour` | whole number or nothing | on the clock. |" in text
    assert "| `places` | list of [Place](#place), may be left out | seen first. |" in text
    assert "### Place\n\nWhere it was." in text
    assert undescribed_events() == ["woken: why"]


def test_every_command_and_option_is_listed() -> None:
    """As a person would type it."""
    text = commands()
    for name, known in options().items():
        if name == "selfnas":
            continue
        section = text.partition(f"# `{name}`\n")[2].partition("\n## `")[0]
        assert section, name
        for option in known:
            assert option in section or not option.startswith("--") or option == "--help", f"{name} {option}"
