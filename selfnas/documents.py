"""YAML files that people edit: read safely, check against a strict model, report every problem with its place.

Streams, constraint sets, audit suites and device files all come through here, so that each error reads
`file.yaml:12:7: what is wrong`, all of them at once, before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, ScalarEvent

from selfnas.errors import InputError, Problem, cause, suggestion

__all__ = [
    "ONE",
    "SEVERAL",
    "Document",
    "PluginName",
    "StrictModel",
    "check_model",
    "checked_text",
    "load_yaml",
    "one_or_several",
    "parse_document",
    "read_document",
    "read_text",
    "salvage_document",
]

ONE, SEVERAL = "<one>", "<several>"  # tags of a union, which no person needs to hear of
_MAX_BYTES = 250_000  # no file that a person edits comes near; bounds time and memory on hostile input
_MAX_DEPTH = 32
# Characters that steer a terminal or turn the order of text around: what a person sees would not be what is read. Tabs
# and ends of lines are no harm. Source of the second kind: Boucher, Anderson 2023 (USENIX Security), "Trojan Source".
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

PluginName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
Place = tuple[str | int, ...]
Model = TypeVar("Model", bound="StrictModel")
# By kind of error as Pydantic names it.
_WANTED = {
    "model_type": "need a mapping of keys to values",
    "model_attributes_type": "need a mapping of keys to values",
    "dict_type": "need a mapping of keys to values",
    "list_type": "need a list",
    "tuple_type": "need a list",
    "string_type": "need a text",
    "int_type": "need a whole number",
    "int_parsing": "need a whole number",
    "int_from_float": "need a whole number",
    "float_type": "need a number",
    "float_parsing": "need a number",
    "bool_type": "need true or false",
    "bool_parsing": "need true or false",
    "finite_number": "need a finite number",
    "greater_than_equal": "need at least {ge}",
    "greater_than": "need more than {gt}",
    "less_than_equal": "need at most {le}",
    "less_than": "need less than {lt}",
    "too_short": "need at least {min_length} of them",
    "too_long": "need at most {max_length} of them",
    "string_too_short": "need at least {min_length} characters",
    "string_too_long": "need at most {max_length} characters",
    "literal_error": "need {expected}",
}


class StrictModel(BaseModel):
    """Base of every file model: unknown keys are errors, no coercion, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Document(Generic[Model]):
    """A checked file.

    Attributes:
        path: as the person named it.
        places: 1-based (line, column) of every key and item, by its path of keys and indexes.
        text: of the file, as it was when it was checked.
    """

    value: Model
    path: str
    places: Mapping[Place, tuple[int, int]]
    text: str = ""

    def problem(self, place: Place, message: str) -> Problem:
        """A problem at the nearest known place on the way to `place`."""
        return _located(self.path, self.places, place, message)


def one_or_several(value: object) -> str:
    """Which side of `Annotated[Annotated[x, Tag(ONE)] | Annotated[list[x], Tag(SEVERAL)], Discriminator(…)]` is meant.

    A value that is wrong is then told of one side alone.
    """
    return SEVERAL if isinstance(value, list | tuple) else ONE


def read_document(path: Path, model: type[Model], *, overrides: Sequence[str] = ()) -> Document[Model]:
    """Read and check one YAML file.

    Args:
        path: as the person named it.
        overrides: `key.key.0.key=value` as given on a command line; the value is YAML.

    Raises:
        InputError: missing, unreadable, too large, not YAML 1.2, anchors or tags in it, or not of the model; carries
            every problem found.
    """
    return parse_document(read_text(path), model, name=str(path), overrides=overrides)


def read_text(path: Path, *, most: int = _MAX_BYTES) -> str:
    """The text of a file of at most so many bytes.

    Raises:
        InputError: missing, unreadable, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)  # whatever size a device or a growing file says it has
    except OSError as error:
        raise InputError([Problem(f"cannot be read: {cause(error)}", str(path))]) from error
    return _decoded(content, str(path), most)


def checked_text(text: str, *, name: str, most: int = _MAX_BYTES) -> str:
    """A text that is at hand, held to the limits of `read_text`; `name` stands for the file in messages.

    Raises:
        InputError: too large, or with characters that UTF-8 cannot write.

    Example:
        >>> checked_text("seed: 1", name="mine.yaml", most=5)
        Traceback (most recent call last):
        selfnas.errors.InputError: mine.yaml: larger than 5 bytes
    """
    return _decoded(text.encode("utf-8", "surrogatepass"), name, most)


def _decoded(content: bytes, name: str, most: int) -> str:
    if len(content) > most:
        raise InputError([Problem(f"larger than {most:,} bytes", name)])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError([Problem(f"not UTF-8 text: {error.reason} at byte {error.start}", name)]) from error


def parse_document(text: str, model: type[Model], *, name: str = "", overrides: Sequence[str] = ()) -> Document[Model]:
    """Check YAML text; `name` stands for the file in messages. Raises as `read_document`."""
    tree = load_yaml(text, name)
    places: dict[Place, tuple[int, int]] = {}
    plain = _plain(tree, (), places)
    if not isinstance(plain, dict):
        raise InputError([Problem("expected a mapping of keys to values at the top", name, 1, 1)])
    given = {_override(plain, text): text for text in overrides}
    try:
        return Document(model.model_validate(plain), name, places, text)
    except ValidationError as error:
        raise InputError(
            [
                _blame_override(problem, place, given) or problem
                for problem, place in _explain(error, model, name, places)
            ]
        ) from error


def check_model(values: Mapping[str, object], model: type[Model]) -> Model:
    """A model of values that a program gives.

    Raises:
        InputError: every value that cannot be used.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [Problem(problem.message) for problem, _ in _explain(error, model, "", {})]
        raise InputError(problems) from error


def salvage_document(
    text: str, model: type[Model], *, name: str, key: str, item: type[StrictModel]
) -> tuple[Document[Model], tuple[int, ...], list[object]] | None:
    """What is left of a file that `parse_document` refused, for finding more problems in it.

    Args:
        name: stands for the file in messages.
        key: of a list at the top.
        item: what its items should be; those that are not are left out.

    Returns:
        The document, the indexes of the items that stayed, and the items that did not; None where more is wrong.
    """
    places: dict[Place, tuple[int, int]] = {}
    plain = _plain(load_yaml(text, name), (), places)
    items = plain.get(key) if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(items, list):
        return None
    kept = [index for index, value in enumerate(items) if _is_of(item, value)]
    try:
        whole = model.model_validate({**plain, key: [items[index] for index in kept]})
    except ValidationError:
        return None
    return Document(whole, name, places), tuple(kept), [value for at, value in enumerate(items) if at not in kept]


def _is_of(model: type[StrictModel], value: object) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def _override(plain: dict[Any, Any], text: str) -> Place:
    """Put one `key=value` in its place; returns the place."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set reads key=value, not {text!r}")
    steps: list[str | int] = [int(step) if step.isdecimal() else step for step in key.strip().split(".")]
    here: Any = plain
    for depth, step in enumerate(steps):
        if isinstance(here, list) and not (isinstance(step, int) and step < len(here)):
            raise InputError(f"--set {text}: a list of {len(here)} items has no item {step!r}")
        if not isinstance(here, (dict, list)):
            raise InputError(f"--set {text}: {steps[depth - 1]!r} holds a single value, nothing inside it can be set")
        place: Any = step
        if depth == len(steps) - 1:
            here[place] = _plain(load_yaml(value, f"--set {text}"), (), {})
        else:
            here = here.setdefault(place, {}) if isinstance(here, dict) else here[place]
    return tuple(steps)


def _blame_override(problem: Problem, place: Place, given: Mapping[Place, str]) -> Problem | None:
    for steps, text in given.items():
        if place[: len(steps)] == steps or steps[: len(place)] == place:
            return Problem(problem.message, f"--set {text}")
    return None


def load_yaml(text: str, name: str, *, preserve_quotes: bool = False) -> object:
    """The round-trip tree of a YAML text: maps, lists and scalars with their places and comments.

    The one place where YAML is loaded. Tags are refused before anything is constructed, and the round-trip constructor
    makes no objects of Python's even for tagged nodes.

    Args:
        name: stands for the file in messages.
        preserve_quotes: keep how strings were quoted, for writing them back.

    Raises:
        InputError: not YAML, a key twice, anchors, aliases, tags, merge keys, directives or control
            characters, or nested too deeply.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.preserve_quotes = preserve_quotes
    try:
        # All this is checked before composing: aliases could multiply, and deep nesting takes quadratic time.
        depth = 0
        for event in yaml.parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if what := _unwanted(event, depth):
                mark = event.start_mark
                raise InputError([Problem(what, name, mark.line + 1, mark.column + 1)])
        for row, shown in enumerate(text.splitlines(), start=1):
            if found := _STEERING.search(shown):  # written as it is, in a comment too
                raise InputError([Problem(_steering(found[0]), name, row, found.start() + 1)])
        # Safe: this constructor makes maps, lists and scalars alone, and has found no tag to look up.
        return yaml.load(text)
    except InputError:
        raise
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line, column = (at.line + 1, at.column + 1) if at else (0, 0)
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise InputError([Problem(f"not valid YAML: {' '.join(what.split())}", name, line, column)]) from error
    except (YAMLError, ValueError, RecursionError, AssertionError) as error:  # ruamel asserts what %YAML may say
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError([Problem(f"not valid YAML: {first}", name)]) from error


def _unwanted(event: Any, depth: int) -> str:
    """What is wrong with a part of a YAML file that is well formed; empty where nothing is."""
    if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
        return "anchors, aliases and tags are not used here"
    if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
        return "directives such as %YAML are not used here"
    if isinstance(event, ScalarEvent) and event.value == "<<" and not event.style:
        return "merge keys (<<) are not used here: write the keys out, or quote the text"
    escapes = isinstance(event, ScalarEvent) and event.style == '"'  # no other style has any
    if escapes and (found := _STEERING.search(event.value)):
        return _steering(found[0])
    return f"nested deeper than {_MAX_DEPTH} levels" if depth > _MAX_DEPTH else ""


def _steering(character: str) -> str:
    return f"control characters are not used here, such as U+{ord(character):04X}"


def _plain(node: Any, place: Place, places: dict[Place, tuple[int, int]]) -> object:
    """Plain dicts, lists and scalars, filling in where each stood."""
    if isinstance(node, CommentedMap):
        result: dict[object, object] = {}
        for key, value in node.items():
            at = node.lc.key(key)
            here = (*place, key if isinstance(key, (str, int)) else str(key))
            places[here] = (at[0] + 1, at[1] + 1)
            result[str(key)] = _plain(value, here, places)
        return result
    if isinstance(node, CommentedSeq):
        items: list[object] = []
        for index, value in enumerate(node):
            at = node.lc.item(index)
            places[(*place, index)] = (at[0] + 1, at[1] + 1)
            items.append(_plain(value, (*place, index), places))
        return items
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _explain(
    error: ValidationError, model: type[StrictModel], name: str, places: Mapping[Place, tuple[int, int]]
) -> Iterator[tuple[Problem, Place]]:
    seen = set()
    for detail in error.errors(include_url=False):
        place = tuple(step for step in detail["loc"] if step not in (ONE, SEVERAL))
        if detail["type"] == "extra_forbidden":
            message = f"unknown key {place[-1]!r}{suggestion(str(place[-1]), _siblings(model, place))}"
        elif detail["type"] == "missing":
            message = f"missing key {place[-1]!r}"
            place = place[:-1]
        elif detail["type"] == "literal_error" and isinstance(detail["input"], str):
            known = re.findall(r"'([^']*)'", str(detail["ctx"]["expected"]))
            message = f"{_named(place)}unknown {detail['input']!r}{suggestion(detail['input'], known)}"
        else:
            message = f"{_named(place)}{_wanted(detail)}{_got(detail['input'])}"
        problem = _located(name, places, place, message)
        if problem not in seen:
            seen.add(problem)
            yield problem, tuple(place)


def _named(place: Sequence[str | int]) -> str:
    """The key that a place belongs to, for the beginning of a message; nothing at the top."""
    return next((f"{step}: " for step in reversed(place) if isinstance(step, str)), "")


def _wanted(detail: Mapping[str, Any]) -> str:
    """What would have been right, in the words of those who write YAML."""
    if words := _WANTED.get(detail["type"]):
        return words.format(**detail.get("ctx", {}))
    return str(detail["msg"]).removeprefix("Value error, ")


def _got(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a number too long to be shown"
    return "" if isinstance(value, (dict, list)) else f", not {text if len(text) <= 60 else text[:57] + '...'}"


def _siblings(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that would have been known at `place`."""
    current: Any = model
    for step in place[:-1]:
        if isinstance(step, int):
            continue
        field = current.model_fields.get(step) if isinstance(current, type) and issubclass(current, BaseModel) else None
        current = _model_inside(field.annotation) if field else current
    fields = getattr(current, "model_fields", {})
    return sorted(field.alias or key for key, field in fields.items())


def _model_inside(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_inside(part)
        if found is not None:
            return found
    return None


def _located(name: str, places: Mapping[Place, tuple[int, int]], place: Sequence[str | int], message: str) -> Problem:
    steps: Place = tuple(place)
    while steps and steps not in places:
        steps = steps[:-1]
    line, column = places.get(steps, (1, 1))
    return Problem(message, name, line, column)
