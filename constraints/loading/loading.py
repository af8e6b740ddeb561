"""From gathered files to a checked constraint set: words known, scopes and units right, nodes and tables fitting.

`load_set` is the one door. It raises every problem at once, each with file, line and column.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from constraints.language.applicability import When, read_when
from constraints.language.examples import read_example
from constraints.language.fitting import misfits
from constraints.language.lexicon import Scope, Table, Vocabulary
from constraints.language.parser import Fault
from constraints.language.resolve import read_condition
from constraints.language.rules import LANGUAGE, ConstraintSet, Example, Rule
from constraints.language.syntax import Condition, Constant
from constraints.loading.setfile import Entry, Gathered, RuleModel, Source, TightenModel, flattened, gather
from constraints.loading.tightening import loosening
from selfnas.errors import InputError, Problem, suggestion
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import space_named, spaces_by_name

__all__ = ["load_set"]

Place = tuple[str | int, ...]


def load_set(path_or_name: str | Path) -> ConstraintSet:
    """Read a constraint set: a shipped one by name, or any by path, with everything it imports.

    Raises:
        InputError: a file is unreadable or wrong; carries every problem with its line and column.

    Example:
        >>> load_set("baseline").name
        'baseline'
    """
    return _Loader(gather(path_or_name)).load()


class _Loader:
    """Turns gathered files into a set, collecting problems on the way."""

    def __init__(self, gathered: Gathered) -> None:
        self.gathered, self.problems = gathered, gathered.problems
        self.ids = {entry.model.id for entry in gathered.entries}.union(*(source.lost for source in gathered.sources))
        self.model = gathered.source.document.value
        self.known = spaces_by_name()

    def load(self) -> ConstraintSet:
        for source in self.gathered.sources:
            if source.document.value.language != LANGUAGE:
                message = f"language {source.document.value.language} is not known; this version reads {LANGUAGE}"
                self.problems.append(source.problem(("language",), message))
        spaces = tuple(name for position, name in enumerate(self.model.spaces) if self.knows_space(name, position))
        misspelt = len(spaces) < len(self.model.spaces)  # its operations may be meant: no more noise than the cause
        operations = frozenset().union(
            *(space.operations for name, space in self.known.items() if misspelt or name in spaces)
        )
        words = self.vocabulary(operations)
        models = [self.merged(entry) for entry in self.gathered.entries]
        rules = tuple(
            self.rule(entry, model, spaces, words) for entry, model in zip(self.gathered.entries, models, strict=True)
        )
        if not self.problems:
            self.problems += [p for entry in self.gathered.entries for p in self.loosened(entry, spaces, words)]
        if self.problems:
            raise InputError(
                sorted(set(self.problems), key=lambda p: (p.file, p.line, p.column, p.message)),
            )
        own = not self.model.imports
        return ConstraintSet(
            name=self.model.set,
            spaces=spaces,
            rules=rules,
            opsets=words.opsets,
            tables=words.tables,
            path=self.gathered.source.document.path,
            text=self.gathered.source.text if own else flattened(self.gathered, models),
        )

    def knows_space(self, name: str, position: int) -> bool:
        if name in self.known and name not in self.model.spaces[:position]:
            return True
        what = f"space {name!r} is listed twice" if name in self.known else f"unknown space {name!r}"
        fault = Fault(0, what + ("" if name in self.known else suggestion(name, sorted(self.known))))
        self.problems.append(self.gathered.source.fault(("spaces", position), fault))
        return False

    def vocabulary(self, operations: frozenset[str]) -> Vocabulary:
        """The words of all files; one that means two things is a problem."""
        everywhere = frozenset().union(*(space.operations for space in self.known.values()))
        opsets: dict[str, frozenset[str]] = {}
        tables: dict[str, Table] = {}
        for source in self.gathered.sources:
            own = source.document.value
            known = operations if source is self.gathered.source else everywhere
            for name, members in self.opsets(source, known):
                if opsets.setdefault(name, members & operations) != members & operations:
                    self.problems.append(source.problem(("opsets", name), f"{name!r} is another set in another file"))
            for name, table in self.tables(source, known):
                if tables.setdefault(name, table) != table:
                    self.problems.append(source.problem(("tables", name), f"{name!r} is another table elsewhere"))
            for name in sorted(set(own.opsets) & set(own.tables)):
                self.problems.append(
                    source.problem(("tables", name), f"{name!r} is also the name of a set of operations")
                )
        return Vocabulary(operations=operations, opsets=opsets, tables=tables)

    def opsets(self, source: Source, operations: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        for name, members in source.document.value.opsets.items():
            if name in operations:
                message = f"{name!r} is the name of an operation; call the set something else"
                self.problems.append(source.problem(("opsets", name), message))
            for position, member in enumerate(members):
                if member not in operations:
                    message = f"unknown operation {member!r}{suggestion(member, sorted(operations))}"
                    self.problems.append(source.fault(("opsets", name, position), Fault(0, message)))
            yield name, frozenset(members)

    def tables(self, source: Source, operations: frozenset[str]) -> Iterator[tuple[str, Table]]:
        for name, entries in source.document.value.tables.items():
            numbers: dict[str, int] = {}
            for operation, value in entries.items():
                message = ""
                if operation == "unit" and isinstance(value, str):
                    continue
                if operation not in operations:
                    message = f"unknown operation {operation!r}{suggestion(operation, sorted(operations))}"
                elif isinstance(value, str) or not math.isfinite(value) or not 0 <= value <= 10**9:
                    message = f"an entry is a number from 0 to 1,000,000,000, not {value!r}"
                else:
                    numbers[operation] = math.ceil(value)  # entries are costs: rounding up never admits too much
                if message:
                    self.problems.append(source.problem(("tables", name, operation), message))
            yield name, Table(entries=numbers, unit=str(entries.get("unit", "")))

    def merged(self, entry: Entry) -> RuleModel:
        """The rule with everything that tightens it: both must pass."""
        model = entry.model
        for tighten, source, place in entry.tightened:
            if (tighten.require is None) == (tighten.forbid is None):
                message = f"'tighten' of {model.id!r} needs either 'require' or 'forbid'"
                self.problems.append(source.problem(place, message))
                continue
            old = f"({model.require})" if model.require is not None else f"not ({model.forbid})"
            new = f"({tighten.require})" if tighten.require is not None else f"not ({tighten.forbid})"
            update = {
                "require": f"{old} and {new}",
                "forbid": None,
                "why": tighten.why or model.why,
                "message": tighten.message or model.message,
                "examples": tighten.examples or model.examples,
            }
            model = model.model_copy(update=update)
        return model

    def loosened(self, entry: Entry, spaces: tuple[str, ...], words: Vocabulary) -> Iterator[Problem]:
        """A problem for each 'tighten' that would admit, on its own, what the imported rule forbids."""
        scope = entry.model.scope
        before, _ = read_condition(entry.model.require or entry.model.forbid or "", scope, words)
        old = (before, entry.model.require is None)
        for tighten, source, place in entry.tightened:
            after, _ = read_condition(tighten.require or tighten.forbid or "", scope, words)
            when = read_when(entry.model.when)[0] if entry.model.when else None
            witness = loosening(old, (after, tighten.require is None), scope, when, spaces)
            if witness:
                yield source.problem(
                    (*place, "id"),
                    f"this would loosen the imported rule {tighten.id!r}, which forbids {witness}; "
                    f"'tighten' may only forbid more",
                )

    def rule(self, entry: Entry, model: RuleModel, spaces: tuple[str, ...], words: Vocabulary) -> Rule:
        when = self.when(entry)
        condition, text = self.condition(entry, model, words)
        if not self.problems:
            for fault in misfits(condition, model.scope, when, map(space_named, spaces)):
                self.problems.append(self.inside(entry, model, fault))
        for name in model.implied_by:
            if name not in self.ids - {model.id}:
                others = sorted(self.ids - {model.id})
                message = f"unknown rule {name!r} in 'implied_by'{suggestion(name, others or ['none'])}"
                self.problems.append(entry.source.problem((*entry.place, "implied_by"), message))
        return Rule(
            id=model.id,
            scope=model.scope,
            when=when,
            forbids=model.require is None,
            condition=condition,
            text=text,
            why=model.why,
            message=self.message(entry, model, words.opsets),
            examples=tuple(self.examples(entry, model, spaces)),
            implied_by=tuple(model.implied_by),
            origin=entry.source.document.path,
            line=entry.source.problem((*entry.place, "id"), "").line,
        )

    def when(self, entry: Entry) -> When | None:
        place: Place = (*entry.place, "when")
        if entry.model.when is None:
            return None
        if entry.model.scope == "policy":
            message = "a rule of scope policy applies to every change: leave 'when' out"
            self.problems.append(entry.source.problem(place, message))
        when, faults = read_when(entry.model.when)
        self.problems += [entry.source.fault(place, fault) for fault in faults]
        return when

    def condition(self, entry: Entry, model: RuleModel, words: Vocabulary) -> tuple[Condition, str]:
        parts: list[tuple[RuleModel | TightenModel, Source, Place]] = [(entry.model, entry.source, entry.place)]
        parts += entry.tightened
        before = len(self.problems)
        for part, source, place in parts:
            given = [(key, text) for key, text in (("require", part.require), ("forbid", part.forbid)) if text]
            if len(given) != 1 and part is entry.model:
                message = f"rule {part.id!r} needs either 'require' or 'forbid'" + (", not both" if given else "")
                self.problems.append(source.problem(place, message))
            for key, text in given:
                _, faults = read_condition(text, model.scope, words)
                self.problems += [source.fault((*place, key), fault) for fault in faults]
        if len(self.problems) > before:
            return Constant(True), ""
        text = model.require or model.forbid or ""
        condition, faults = read_condition(text, model.scope, words)
        self.problems += [self.inside(entry, model, fault) for fault in faults]
        return condition, text

    def inside(self, entry: Entry, model: RuleModel, fault: Fault) -> Problem:
        """A problem in a rule's expression; in a tightened rule offsets are not the file's, so at its start."""
        key = "forbid" if entry.model.require is None else "require"
        if model is not entry.model:
            return entry.source.problem((*entry.place, key), fault.message)
        return entry.source.fault((*entry.place, key), fault)

    def message(self, entry: Entry, model: RuleModel, opsets: Mapping[str, frozenset[str]]) -> str:
        """The message with each `{opset}` spelled out."""
        text = model.message
        for name, members in opsets.items():
            text = text.replace("{" + name + "}", "{" + ", ".join(sorted(members)) + "}")
        start = text.find("{")
        word = text[start + 1 :].partition("}")[0]
        if start >= 0 and "," not in word and word not in {item for members in opsets.values() for item in members}:
            known = suggestion(word, sorted(opsets) or ["none"])
            message = f"unknown set {{{word}}} in a message{known}"
            self.problems.append(entry.source.problem((*entry.place, "message"), message))
        return text

    def examples(self, entry: Entry, model: RuleModel, spaces: tuple[str, ...]) -> Iterator[Example]:
        scopes: dict[str, Scope] = dict.fromkeys(self.ids, "cell")
        scopes |= {other.model.id: other.model.scope for other in self.gathered.entries}
        source, place = entry.source, entry.place
        for tighten, own, there in entry.tightened:
            if tighten.examples is not None:
                source, place = own, there
        for side, items in (("admit", model.examples.admit), ("reject", model.examples.reject)):
            for position, item in enumerate(items):
                here = (*place, "examples", side, position)
                spelt = set(source.document.value.spaces) <= set(self.known)  # else any known space may be meant
                theirs = tuple(source.document.value.spaces if spelt else self.known)
                read = read_example(item, model.id, side == "admit", scopes, theirs)
                if isinstance(read, str):
                    self.problems.append(source.problem(here, read))
                elif not isinstance(read.subject, Architecture) or read.subject.space.base in spaces:
                    at = source.problem(here, "")
                    yield dataclasses.replace(read, line=at.line, column=at.column)
