"""From gathered files to a checked constraint set: words known, scopes and units right, nodes and tables fitting.

`load_set` and `parse_set` are the two ways in. They raise every problem at once, each with file, line and column.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from constraints.language.applicability import When, misfits, read_when
from constraints.language.examples import read_example
from constraints.language.lexicon import Scope, Table, Vocabulary
from constraints.language.parser import Fault, excess
from constraints.language.resolve import read_condition
from constraints.language.rules import LANGUAGE, ConstraintSet, Example, Rule
from constraints.language.syntax import Condition, Node
from constraints.loading.setfile import Entry, Gathered, RuleModel, Source, TightenModel, flattened, gather, gather_text
from constraints.loading.tightening import loosening
from selfnas import plugins
from selfnas.errors import InputError, Problem, suggestion
from selfnas.plugins import Plugin
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import space_named, spaces_by_name

__all__ = ["load_set", "parse_set"]

_MAX_SCALE = 10**6  # entries stay whole numbers of fifteen digits

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


def parse_set(text: str, *, name: str = "text") -> ConstraintSet:
    """Read a constraint set from YAML text; it may import shipped sets, but no file. `name` stands for it in messages.

    Raises:
        InputError: as `load_set`.

    Example:
        >>> shipped = load_set("baseline")
        >>> parse_set(shipped.text).digest == shipped.digest
        True
    """
    return _Loader(gather_text(text, name=name)).load()


@dataclass(frozen=True, slots=True)
class _Statement:
    """An expression that a rule requires or forbids, and where it stands."""

    condition: Condition
    text: str
    forbids: bool
    source: Source
    place: Place

    def required(self) -> tuple[Condition, str]:
        """The same as something to require."""
        if self.forbids:
            return Node("not", (self.condition,)), f"not ({self.text})"
        return self.condition, f"({self.text})"


def _both(old: _Statement, new: _Statement) -> _Statement:
    """What holds where both hold; the text is for people and for the set's own text."""
    (before, was), (after, now) = old.required(), new.required()
    return _Statement(Node("and", (before, after)), f"{was} and {now}", False, new.source, new.place)


def _merged(entry: Entry, whole: _Statement) -> RuleModel:
    """The rule as it would be written with everything that tightens it."""
    model = entry.model
    for tighten, _, _ in entry.tightened:
        update = {
            "require": whole.text,
            "forbid": None,
            "why": tighten.why or model.why,
            "message": tighten.message or model.message,
            "examples": tighten.examples or model.examples,
        }
        model = model.model_copy(update=update)
    return model


# What a set can use of a plug-in.
_GROUPS = ("operations", "spaces", "quantities")


def _plugins(gathered: Gathered) -> tuple[Plugin, ...]:
    """Those that any of the files names, each once.

    Raises:
        InputError: one cannot be used; with every problem found, in whichever file.
    """
    named: dict[str, tuple[Source, int]] = {}
    for source in gathered.sources:
        for position, name in enumerate(source.document.value.plugins):
            if source.document.value.plugins.index(name) < position:
                raise InputError([source.problem(("plugins", position), f"plug-in {name!r} is named twice")])
            named.setdefault(name, (source, position))
    places = list(named.values())

    def problem(index: int, message: str) -> Problem:
        source, position = places[index]
        return source.problem(("plugins", position), message)

    return plugins.load(tuple(named), _GROUPS, user="constraint set", problem=problem)


class _Loader:
    """Turns gathered files into a set, collecting problems on the way."""

    def __init__(self, gathered: Gathered) -> None:
        self.gathered, self.problems = gathered, gathered.problems
        self.ids = {entry.model.id for entry in gathered.entries}.union(*(source.lost for source in gathered.sources))
        self.model = gathered.source.document.value
        self.plugins = _plugins(gathered)
        with plugins.in_force(*self.plugins):
            self.known = spaces_by_name()

    def load(self) -> ConstraintSet:
        with plugins.in_force(*self.plugins):
            return self._load()

    def _load(self) -> ConstraintSet:
        for source in self.gathered.sources:
            if (language := source.document.value.language) != LANGUAGE:
                self.wrong(source, ("language",), f"language {language} is not known; this version reads {LANGUAGE}")
        spaces = tuple(name for position, name in enumerate(self.model.spaces) if self.knows_space(name, position))
        misspelt = len(spaces) < len(self.model.spaces)  # its operations may be meant: no more noise than the cause
        operations = frozenset().union(
            *(space.operations for name, space in self.known.items() if misspelt or name in spaces)
        )
        words = self.vocabulary(operations)
        statements = [list(self.statements(entry, words)) for entry in self.gathered.entries]
        wholes = [functools.reduce(_both, parts) for parts in statements]
        models = [_merged(entry, whole) for entry, whole in zip(self.gathered.entries, wholes, strict=True)]
        rules = tuple(
            self.rule(*parts, spaces, words)
            for parts in zip(self.gathered.entries, models, statements, wholes, strict=True)
        )
        if not self.problems:
            for parts in zip(self.gathered.entries, rules, statements, strict=True):
                self.problems += self.loosened(*parts, spaces)
        if self.problems:
            raise InputError(sorted(set(self.problems), key=lambda p: (p.file, p.line, p.column, p.message)))
        own = not self.model.imports
        return ConstraintSet(
            name=self.model.set,
            spaces=spaces,
            rules=rules,
            opsets=words.opsets,
            tables=words.tables,
            plugins=self.plugins,
            path=self.gathered.source.document.path,
            text=self.gathered.source.text if own else flattened(self.gathered, models, operations),
        )

    def wrong(self, source: Source, place: Place, message: str) -> None:
        """Keep a problem at a key or item."""
        self.problems.append(source.problem(place, message))

    def knows_space(self, name: str, position: int) -> bool:
        if name in self.known and name not in self.model.spaces[:position]:
            return True
        unknown = f"unknown space {name!r}{suggestion(name, sorted(self.known))}"
        fault = Fault(0, f"space {name!r} is listed twice" if name in self.known else unknown)
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
                    self.wrong(source, ("opsets", name), f"{name!r} is another set in another file")
            for name, numbers in self.tables(source, known):
                unit = str(own.tables[name].get("unit", ""))
                table = Table.of({key: value for key, value in numbers.items() if key in operations}, unit=unit)
                if tables.setdefault(name, table) != table:
                    self.wrong(source, ("tables", name), f"{name!r} is another table elsewhere")
            for name in sorted(set(own.opsets) & set(own.tables)):
                self.wrong(source, ("tables", name), f"{name!r} is also the name of a set of operations")
        quantities = {name: plugins.find("quantities", name) for name in plugins.names("quantities")}
        return Vocabulary(operations=operations, opsets=opsets, tables=tables, quantities=quantities)

    def opsets(self, source: Source, operations: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        for name, members in source.document.value.opsets.items():
            if name in operations:
                message = f"{name!r} is the name of an operation; call the set something else"
                self.wrong(source, ("opsets", name), message)
            for position, member in enumerate(members):
                if member not in operations:
                    message = f"unknown operation {member!r}{suggestion(member, sorted(operations))}"
                    self.problems.append(source.fault(("opsets", name, position), Fault(0, message)))
            yield name, frozenset(members)

    def tables(self, source: Source, operations: frozenset[str]) -> Iterator[tuple[str, dict[str, Fraction]]]:
        for name, entries in source.document.value.tables.items():
            numbers: dict[str, Fraction] = {}
            for operation, value in entries.items():
                place = ("tables", name, operation)
                if operation == "unit" and isinstance(value, str):
                    continue
                if operation not in operations:
                    known = suggestion(operation, sorted(operations))
                    self.wrong(source, place, f"unknown operation {operation!r}{known}")
                elif isinstance(value, str) or not math.isfinite(value) or not 0 <= value <= 10**9:
                    self.wrong(source, place, f"an entry is a number from 0 to 1,000,000,000, not {value!r}")
                elif (_MAX_SCALE * (number := Fraction(str(value)))).denominator > 1:
                    self.wrong(source, place, f"an entry has at most six decimals, not {value!r}")
                else:
                    numbers[operation] = number
            yield name, numbers

    def statements(self, entry: Entry, words: Vocabulary) -> Iterator[_Statement]:
        """What the rule says and, in order, what tightens it; each expression is read by itself."""
        own: tuple[RuleModel | TightenModel, Source, Place] = (entry.model, entry.source, entry.place)
        for part, source, place in (own, *entry.tightened):
            pairs = (("require", part.require), ("forbid", part.forbid))
            given = [(key, text) for key, text in pairs if text is not None]
            if len(given) != 1:
                what = f"rule {part.id!r}" if part is entry.model else f"'tighten' of {part.id!r}"
                both = ", not both" if given else ""
                self.wrong(source, place, f"{what} needs either 'require' or 'forbid'{both}")
                given = [("require", "true")]
            [(key, text)] = given
            condition, faults = read_condition(text, entry.model.scope, words)
            self.problems += [source.fault((*place, key), fault) for fault in faults]
            yield _Statement(condition, text, key == "forbid", source, (*place, key))

    def loosened(
        self, entry: Entry, rule: Rule, statements: Sequence[_Statement], spaces: tuple[str, ...]
    ) -> Iterator[Problem]:
        """A problem for each 'tighten' that would admit, on its own, what the imported rule forbids."""
        old = (statements[0].condition, statements[0].forbids)
        for (_, source, place), new in zip(entry.tightened, statements[1:], strict=True):
            witness = loosening(old, (new.condition, new.forbids), rule.scope, rule.when, spaces)
            if witness:
                yield source.problem(
                    (*place, "id"),
                    f"this would loosen the imported rule {rule.id!r}, which forbids {witness}; "
                    f"'tighten' may only forbid more",
                )

    def rule(
        self,
        entry: Entry,
        model: RuleModel,
        statements: Sequence[_Statement],
        whole: _Statement,
        spaces: tuple[str, ...],
        words: Vocabulary,
    ) -> Rule:
        when = self.when(entry)
        if not self.problems:
            for part in statements:
                faults = misfits(part.condition, model.scope, when, map(space_named, spaces))
                self.problems += [part.source.fault(part.place, fault) for fault in faults]
        if not self.problems and (fault := excess(whole.text)):  # the set's text could not be read again
            self.problems.append(whole.source.problem(whole.place, f"with this, {fault.message}"))
        for name in model.implied_by:
            if name not in self.ids - {model.id}:
                others = sorted(self.ids - {model.id})
                message = f"unknown rule {name!r} in 'implied_by'{suggestion(name, others or ['none'])}"
                self.wrong(entry.source, (*entry.place, "implied_by"), message)
        return Rule(
            id=model.id,
            scope=model.scope,
            when=when,
            forbids=whole.forbids,
            condition=whole.condition,
            text=whole.text,
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
            self.wrong(entry.source, place, "a rule of scope policy applies to every change: leave 'when' out")
        when, faults = read_when(entry.model.when)
        self.problems += [entry.source.fault(place, fault) for fault in faults]
        return when

    def message(self, entry: Entry, model: RuleModel, opsets: Mapping[str, frozenset[str]]) -> str:
        """The message with each `{opset}` spelled out."""
        text = model.message
        for name, members in opsets.items():
            text = text.replace("{" + name + "}", "{" + ", ".join(sorted(members)) + "}")
        start = text.find("{")
        word = text[start + 1 :].partition("}")[0]
        if start >= 0 and "," not in word and word not in {item for members in opsets.values() for item in members}:
            known = suggestion(word, sorted(opsets) or ["none"])
            self.wrong(entry.source, (*entry.place, "message"), f"unknown set {{{word}}} in a message{known}")
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
                    self.wrong(source, here, read)
                elif not isinstance(read.subject, Architecture) or read.subject.space.base in spaces:
                    at = source.problem(here, "")
                    yield dataclasses.replace(read, line=at.line, column=at.column)
