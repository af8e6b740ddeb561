"""Constraint sets as YAML files: the file's form, reading it, and every problem with its place.

`load_set` is the one door. What it returns is checked: words known, scopes and units right, nodes and tables fitting
every space the set is for, examples parsed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from constraints.applicability import When, read_when
from constraints.examples import ExampleModel, read_example
from constraints.fitting import misfits
from constraints.lexicon import Scope, Table, Vocabulary
from constraints.parser import Fault
from constraints.positions import place_in_value
from constraints.resolve import read_condition
from constraints.rules import LANGUAGE, ConstraintSet, Example, Rule
from constraints.syntax import Condition, Constant
from selfnas.documents import Document, StrictModel, read_document
from selfnas.errors import InputError, Problem, suggestion
from selfnas.space import SPACES, operations_of

__all__ = ["load_set", "shipped_sets"]

_MAX_RULES = 200  # a set people can still read; bounds the work of every analysis
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
_Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
_Text = Annotated[str, Field(min_length=1, max_length=2000)]


class ExamplesModel(StrictModel):
    """Architectures or policy changes with what the author expects of them."""

    admit: list[ExampleModel] = Field(default_factory=list)
    reject: list[ExampleModel] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: object) -> object:
        """A bare string stands for a cell."""
        if not isinstance(value, dict):
            return value
        return {
            key: [{"cell": item} if isinstance(item, str) else item for item in items]
            if isinstance(items, list)
            else items
            for key, items in value.items()
        }


class RuleModel(StrictModel):
    """One entry under `rules`."""

    id: _Id
    scope: Literal["cell", "network", "policy"]
    when: str | None = None
    require: str | None = None
    forbid: str | None = None
    why: _Text
    message: _Text
    examples: ExamplesModel = ExamplesModel()


class SetModel(StrictModel):
    """A constraint set file."""

    set: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
    language: int
    spaces: Annotated[list[str], Field(min_length=1)]
    opsets: dict[_Name, list[str]] = Field(default_factory=dict)
    tables: dict[_Name, dict[str, int | float | str]] = Field(default_factory=dict)
    rules: Annotated[list[RuleModel], Field(min_length=1, max_length=_MAX_RULES)]


def shipped_sets() -> tuple[str, ...]:
    """Names of the sets that come with the project."""
    folder = resources.files("constraints") / "sets"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_set(path_or_name: str | Path) -> ConstraintSet:
    """Read a constraint set: a shipped one by name, or any by path.

    Raises:
        InputError: the file is unreadable or wrong; carries every problem with its line and column.

    Example:
        >>> load_set("baseline").name
        'baseline'
    """
    document, text = _read(path_or_name)
    return _Loader(document, text).load()


def _read(path_or_name: str | Path) -> tuple[Document[SetModel], str]:
    path = Path(path_or_name)
    if str(path_or_name) == path.name and not path.suffix and not path.exists():
        if path.name not in shipped_sets():
            raise InputError(f"unknown constraint set {path.name!r}{suggestion(path.name, shipped_sets())}")
        with resources.as_file(resources.files("constraints") / "sets" / f"{path.name}.yaml") as file:
            return read_document(file, SetModel), file.read_text(encoding="utf-8")
    document = read_document(path, SetModel)
    return document, path.read_text(encoding="utf-8")


class _Loader:
    """Turns one checked document into a set, gathering problems on the way."""

    def __init__(self, document: Document[SetModel], text: str) -> None:
        self.document, self.text = document, text
        self.model = document.value
        self.problems: list[Problem] = []

    def load(self) -> ConstraintSet:
        model = self.model
        if model.language != LANGUAGE:
            self.problem(("language",), f"language {model.language} is not known; this version reads {LANGUAGE}")
        spaces = tuple(name for position, name in enumerate(model.spaces) if self.knows_space(name, position))
        operations = frozenset().union(*(operations_of(name) for name in spaces or tuple(SPACES)))
        opsets = dict(self.opsets(operations))
        words = Vocabulary(operations=operations, opsets=opsets, tables=dict(self.tables(operations)))
        self.check_ids()
        rules = tuple(self.rule(index, spaces, words) for index in range(len(model.rules)))
        if self.problems:
            raise InputError(sorted(self.problems, key=lambda problem: (problem.line, problem.column)))
        return ConstraintSet(
            name=model.set,
            spaces=spaces,
            rules=rules,
            opsets=opsets,
            tables=words.tables,
            path=self.document.path,
            text=self.text,
        )

    def problem(self, place: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self.document.problem(place, message))

    def fault(self, place: tuple[str | int, ...], fault: Fault) -> None:
        """A problem inside the value at a place."""
        at = place_in_value(self.text, place, fault.offset)
        if at is None:
            self.problem(place, fault.message)
        else:
            self.problems.append(Problem(fault.message, self.document.path, *at))

    def knows_space(self, name: str, position: int) -> bool:
        if name in SPACES and name not in self.model.spaces[:position]:
            return True
        what = f"space {name!r} is listed twice" if name in SPACES else f"unknown space {name!r}"
        self.fault(("spaces", position), Fault(0, what + ("" if name in SPACES else suggestion(name, sorted(SPACES)))))
        return False

    def opsets(self, operations: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        for name, members in self.model.opsets.items():
            if name in operations:
                self.problem(("opsets", name), f"{name!r} is the name of an operation; call the set something else")
            for position, member in enumerate(members):
                if member not in operations:
                    message = f"unknown operation {member!r}{suggestion(member, sorted(operations))}"
                    self.fault(("opsets", name, position), Fault(0, message))
            yield name, frozenset(members)

    def tables(self, operations: frozenset[str]) -> Iterator[tuple[str, Table]]:
        for name, entries in self.model.tables.items():
            numbers: dict[str, int] = Field(default_factory=dict)
            for operation, value in entries.items():
                place = ("tables", name, operation)
                if operation == "unit" and isinstance(value, str):
                    continue
                if operation not in operations:
                    self.problem(place, f"unknown operation {operation!r}{suggestion(operation, sorted(operations))}")
                elif isinstance(value, str) or not math.isfinite(value) or not 0 <= value <= 10**9:
                    self.problem(place, f"an entry is a number from 0 to 1,000,000,000, not {value!r}")
                else:
                    numbers[operation] = math.ceil(value)  # entries are costs: rounding up never admits too much
            yield name, Table(entries=numbers, unit=str(entries.get("unit", "")))

    def check_ids(self) -> None:
        ids = [rule.id for rule in self.model.rules]
        for position, name in enumerate(ids):
            if name in ids[:position]:
                self.problem(("rules", position, "id"), f"rule {name!r} is defined twice")

    def rule(self, index: int, spaces: tuple[str, ...], words: Vocabulary) -> Rule:
        model = self.model.rules[index]
        place: tuple[str | int, ...] = ("rules", index)
        when = self.when(model, place)
        condition, text = self.condition(model, place, words)
        if not self.problems:
            for fault in misfits(condition, model.scope, when, spaces):
                self.fault((*place, "forbid" if model.require is None else "require"), fault)
        return Rule(
            id=model.id,
            scope=model.scope,
            when=when,
            forbids=model.require is None,
            condition=condition,
            text=text,
            why=model.why,
            message=self.message(model, place, words.opsets),
            examples=tuple(self.examples(model, place, spaces)),
            origin=self.document.path,
        )

    def when(self, model: RuleModel, place: tuple[str | int, ...]) -> When | None:
        if model.when is None:
            return None
        if model.scope == "policy":
            self.problem((*place, "when"), "a rule of scope policy applies to every change: leave 'when' out")
        when, faults = read_when(model.when)
        for fault in faults:
            self.fault((*place, "when"), fault)
        return when

    def condition(self, model: RuleModel, place: tuple[str | int, ...], words: Vocabulary) -> tuple[Condition, str]:
        given = [
            (key, text) for key, text in (("require", model.require), ("forbid", model.forbid)) if text is not None
        ]
        if len(given) != 1:
            self.problem(
                place, f"rule {model.id!r} needs either 'require' or 'forbid'" + (", not both" if given else "")
            )
            return Constant(True), ""
        key, text = given[0]
        condition, faults = read_condition(text, model.scope, words)
        for fault in faults:
            self.fault((*place, key), fault)
        return condition, text

    def message(self, model: RuleModel, place: tuple[str | int, ...], opsets: Mapping[str, frozenset[str]]) -> str:
        """The message with each `{opset}` spelled out."""
        text = model.message
        for name, members in opsets.items():
            text = text.replace("{" + name + "}", "{" + ", ".join(sorted(members)) + "}")
        start = text.find("{")
        word = text[start + 1 :].partition("}")[0]
        if start >= 0 and "," not in word and word not in {item for members in opsets.values() for item in members}:
            self.problem((*place, "message"), f"unknown set {{{word}}} in a message{suggestion(word, sorted(opsets))}")
        return text

    def examples(self, model: RuleModel, place: tuple[str | int, ...], spaces: tuple[str, ...]) -> Iterator[Example]:
        scopes: dict[str, Scope] = {rule.id: rule.scope for rule in self.model.rules}
        for side, items in (("admit", model.examples.admit), ("reject", model.examples.reject)):
            for position, item in enumerate(items):
                here = (*place, "examples", side, position)
                read = read_example(item, model.id, side == "admit", scopes, spaces)
                if isinstance(read, str):
                    self.problem(here, read)
                else:
                    yield read
