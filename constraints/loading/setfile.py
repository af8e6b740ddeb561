"""The form of a constraint set file, and gathering a set from its file and the files it imports.

What the words in the rules mean is settled in `loading.py`, over all files at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from ruamel.yaml import YAML

from constraints.language.examples import ExampleModel
from constraints.language.parser import Fault
from constraints.language.positions import place_in_value
from selfnas.documents import (
    Document,
    PluginName,
    StrictModel,
    checked_text,
    parse_document,
    read_text,
    salvage_document,
)
from selfnas.errors import InputError, Problem, suggestion

__all__ = [
    "Entry",
    "Gathered",
    "RuleModel",
    "SetModel",
    "Source",
    "TightenModel",
    "flattened",
    "gather",
    "gather_text",
    "shipped_sets",
]

_MAX_RULES = 200  # a set people can still read; bounds the work of every analysis
_MAX_IMPORTS = 8  # files one on top of another
_MAX_BYTES = 1_000_000
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
    implied_by: Annotated[list[_Id], Field(default_factory=list)]
    examples: ExamplesModel = ExamplesModel()


class TightenModel(StrictModel):
    """One entry under `tighten`: what an imported rule demands on top."""

    id: _Id
    require: str | None = None
    forbid: str | None = None
    why: _Text | None = None
    message: _Text | None = None
    examples: ExamplesModel | None = None


class SetModel(StrictModel):
    """A constraint set file."""

    set: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
    language: int
    imports: Annotated[list[str], Field(alias="import", default_factory=list, max_length=_MAX_IMPORTS)]
    plugins: Annotated[list[PluginName], Field(default_factory=list, max_length=32)]
    spaces: Annotated[list[str], Field(min_length=1)]
    opsets: Annotated[dict[_Name, list[str]], Field(default_factory=dict)]
    tables: Annotated[dict[_Name, dict[str, int | float | str]], Field(default_factory=dict)]
    rules: Annotated[list[RuleModel], Field(default_factory=list, max_length=_MAX_RULES)]
    tighten: Annotated[list[TightenModel], Field(default_factory=list, max_length=_MAX_RULES)]


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a set."""

    document: Document[SetModel]
    text: str
    kept: tuple[int, ...] | None = None  # indexes of the rules that could be read; None where all could
    lost: frozenset[str] = frozenset()  # ids of the others, as far as they have any

    @property
    def rules(self) -> list[tuple[int, RuleModel]]:
        """The rules with their places in the file's list."""
        rules = self.document.value.rules
        return list(zip(range(len(rules)) if self.kept is None else self.kept, rules, strict=True))

    def problem(self, place: tuple[str | int, ...], message: str) -> Problem:
        """A problem at a key or item."""
        return self.document.problem(place, message)

    def fault(self, place: tuple[str | int, ...], fault: Fault) -> Problem:
        """A problem inside the value at a place."""
        at = place_in_value(self.text, place, fault.offset)
        return Problem(fault.message, self.document.path, *at) if at else self.problem(place, fault.message)


@dataclass(slots=True)
class Entry:
    """One rule as written, where it stands, and what tightens it."""

    model: RuleModel
    source: Source
    place: tuple[str | int, ...]
    tightened: list[tuple[TightenModel, Source, tuple[str | int, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Gathered:
    """A set's own file and everything it imports, imported rules first; each file once."""

    source: Source
    entries: list[Entry]
    sources: list[Source]
    problems: list[Problem]
    height: int = 0  # files on the longest way down, this one not counted

    def copied(self) -> Gathered:
        """The same, to be tightened by another file."""
        entries = [replace(entry, tightened=[*entry.tightened]) for entry in self.entries]
        return replace(self, entries=entries)


def shipped_sets() -> tuple[str, ...]:
    """Names of the sets that come with the project."""
    folder = resources.files("constraints") / "sets"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def gather(path_or_name: str | Path) -> Gathered:
    """Read a set's file, a shipped one by name or any by path, and what it imports.

    Raises:
        InputError: a file cannot be read or is not a constraint set file.
    """
    return _Imports(files=True).gathered(_read(path_or_name, None), above={})


def gather_text(text: str, *, name: str) -> Gathered:
    """As `gather`, from YAML text that has no folder, so imports shipped sets only; `name` stands for it in messages.

    Raises:
        InputError: it is not a constraint set file, or imports a file.
    """
    read = _Read(name, checked_text(text, name=name, most=_MAX_BYTES), key=name)
    return _Imports(files=False).gathered(read, above={})


class _Imports:
    """One walk over a file and what it imports, each read once; `files`: may others than shipped sets be imported?"""

    def __init__(self, *, files: bool) -> None:
        self.files, self.known = files, dict[str, Gathered]()

    def gathered(self, read: _Read, *, above: Mapping[str, str]) -> Gathered:
        """One file and what it imports; `above` are the files that import it, outermost first: names by key."""
        source, problems = _parse(read.name, read.text)
        gathered = Gathered(source, [], [source], problems)
        for position, other in enumerate(source.document.value.imports):
            place = ("import", position)
            try:
                below = self.imported(other, Path(read.name).parent, above={**above, read.key: read.name})
            except InputError as error:
                if all(problem.file for problem in error.problems):
                    raise
                raise InputError([source.problem(place, problem.message) for problem in error.problems]) from error
            known = {entry.model.id: entry for entry in gathered.entries}
            gathered.entries += [entry for entry in below.entries if known.get(entry.model.id) != entry]
            gathered.sources += [one for one in below.sources if one not in gathered.sources]
            gathered.problems += [one for one in below.problems if one not in gathered.problems]
            gathered.height = max(gathered.height, below.height + 1)
            missing = set(source.document.value.spaces) - set(below.source.document.value.spaces)
            if missing:
                message = f"{other} is not for space {', '.join(sorted(missing))}"
                gathered.problems.append(source.problem(place, message))
        _add_own(gathered)
        return gathered

    def imported(self, other: str, beside: Path, *, above: Mapping[str, str]) -> Gathered:
        """What the last of the files `above` imports under a name."""
        if not self.files and other not in shipped_sets():
            raise InputError(f"{other!r} is not a shipped set, and a text has no folder in which to look for a file")
        read, names = _read(other, beside), list(above.values())
        if read.key in above:
            raise InputError([Problem(f"imports itself, by way of {' -> '.join([*names, read.name])}", read.name)])
        height = self.known[read.key].height if read.key in self.known else 0
        if len(above) + height >= _MAX_IMPORTS:
            raise InputError([Problem(f"imports go more than {_MAX_IMPORTS} files deep", names[0])])
        if read.key not in self.known:
            self.known[read.key] = self.gathered(read, above=above)
        return self.known[read.key].copied()


@dataclass(frozen=True, slots=True)
class _Read:
    """The name of a file for messages, its text, and what tells it from every other file however it is named."""

    name: str
    text: str
    key: str


def _parse(name: str, text: str) -> tuple[Source, list[Problem]]:
    """The file and its problems of form: where only some rules are ill-formed, the others are read on."""
    try:
        return Source(parse_document(text, SetModel, name=name), text), []
    except InputError as error:
        rest = salvage_document(text, SetModel, name=name, key="rules", item=RuleModel)
        if rest is None:
            raise
        document, kept, dropped = rest
        ids = (value.get("id") for value in dropped if isinstance(value, dict))
        return Source(document, text, kept, frozenset(map(str, ids))), list(error.problems)


def _add_own(gathered: Gathered) -> None:
    source, model = gathered.source, gathered.source.document.value
    imported = {entry.model.id: entry for entry in gathered.entries}
    for index, tighten in enumerate(model.tighten):
        place: tuple[str | int, ...] = ("tighten", index)
        if tighten.id in imported:
            imported[tighten.id].tightened.append((tighten, source, place))
        else:
            message = f"no imported rule is called {tighten.id!r}{suggestion(tighten.id, sorted(imported) or ['none'])}"
            gathered.problems.append(source.problem((*place, "id"), message))
    for index, rule in source.rules:
        gathered.entries.append(Entry(rule, source, ("rules", index)))
    seen: set[str] = set()
    for entry in gathered.entries:
        if entry.model.id in seen:
            what = "is imported already: to forbid more, put it under 'tighten'" if entry.model.id in imported else ""
            message = f"rule {entry.model.id!r} {what or 'is defined twice'}"
            gathered.problems.append(entry.source.problem((*entry.place, "id"), message))
        seen.add(entry.model.id)
    if len(gathered.entries) > _MAX_RULES:
        message = f"with what it imports the set has {len(gathered.entries)} rules: at most {_MAX_RULES} are read"
        gathered.problems.append(source.problem(("import",), message))
    if not gathered.entries and source.kept is None:
        gathered.problems.append(source.problem(("set",), "a set needs at least one rule, of its own or imported"))


def _read(path_or_name: str | Path, beside: Path | None) -> _Read:
    path = Path(path_or_name)
    bare = str(path_or_name) == path.name and not path.suffix
    if beside is not None and not path.is_absolute() and not bare:
        path = beside / path
    if bare and (path.name in shipped_sets() or not path.exists()):  # no file of that name takes a shipped set's place
        if path.name not in shipped_sets():
            raise InputError(f"unknown constraint set {path.name!r}{suggestion(path.name, shipped_sets())}")
        text = resources.files("constraints").joinpath("sets", f"{path.name}.yaml").read_text(encoding="utf-8")
        return _Read(f"{path.name}.yaml", text, key=path.name)
    return _Read(str(path), read_text(path, most=_MAX_BYTES), key=str(path.resolve()))


def flattened(gathered: Gathered, rules: Sequence[RuleModel], operations: frozenset[str]) -> str:
    """A file without imports that reads as the same set.

    Args:
        gathered: the files.
        rules: of all of them, tightened.
        operations: of the set's spaces; imported files may be for more spaces and name more.
    """
    model = gathered.source.document.value
    models = [source.document.value for source in gathered.sources]
    record: dict[str, object] = {"set": model.set, "language": model.language}
    if plugins := list(dict.fromkeys(name for one in models for name in one.plugins)):
        record["plugins"] = plugins
    record["spaces"] = list(model.spaces)
    opsets = {
        name: [member for member in members if member in operations]
        for model in models
        for name, members in model.opsets.items()
    }
    tables = {
        name: {key: value for key, value in entries.items() if key in operations or key == "unit"}
        for model in models
        for name, entries in model.tables.items()
    }
    record |= {key: merged for key, merged in (("opsets", opsets), ("tables", tables)) if merged}
    own = [entry.source is gathered.source for entry in gathered.entries]
    # Examples of imported rules are tested with their own file, and may be of spaces that this set is not for.
    record["rules"] = [
        rule.model_dump(exclude_defaults=True, exclude_none=True, exclude=None if mine else {"examples"})
        for rule, mine in zip(rules, own, strict=True)
    ]
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(record, stream)
    return stream.getvalue()
