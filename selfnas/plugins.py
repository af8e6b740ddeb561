"""Parts that other people's distributions bring: entry points, loaded only where a file names the distribution.

A plug-in is an installed distribution that declares entry points in groups such as `selfnas.strategies`. Each names one
record or callable of the kind that our own table of that group holds. A stream, a constraint set or an audit suite
names the distribution under `plugins`; what no file names is not even imported.

Our own parts stay in their literal tables and are not declared as entry points. To read entry points, every installed
distribution is looked at, which takes longer than many commands; and a table in a file is where a reader finds what
there is. A test holds both kinds to the same extension point: each of our own parts is accepted by the function that
accepts those of a plug-in.

What a plug-in is, is its version and a SHA-256 over its files. Both are in the ledger, and in the digest of every guard
whose space or rules use one of its parts.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import importlib.util
import json
import pkgutil
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from selfnas.errors import InputError, Problem, SelfnasError, suggestion

if TYPE_CHECKING:
    from importlib import metadata

__all__ = [
    "ExtensionPoint",
    "Identity",
    "MissingPluginError",
    "Plugin",
    "accept_callable",
    "extension_point",
    "find",
    "groups",
    "identify",
    "in_force",
    "load",
    "names",
    "origin_of",
    "present",
    "state",
]

# Where the extension point of each group stands; by name, since it is imported only for a plug-in that declares such
# parts. A group comes after those that its parts are made of.
_EXTENSION_POINTS: Mapping[str, str] = MappingProxyType(
    {
        "operations": "selfnas.spaces.named:OPERATION_EXTENSION_POINT",
        "spaces": "selfnas.spaces.named:SPACE_EXTENSION_POINT",
        "strategies": "selfnas.strategies.table:EXTENSION_POINT",
        "sources": "selfnas.data.sources.packaged:EXTENSION_POINT",
        "proxies": "selfnas.training.proxies:EXTENSION_POINT",
        "objectives": "selfnas.devices.roofline:EXTENSION_POINT",
        "quantities": "selfnas.networks.costs:EXTENSION_POINT",
        "audits": "audits.catalogue.registry:EXTENSION_POINT",
    }
)
_PREFIX = "selfnas."
_PART = re.compile(r"[A-Za-z][\w-]{0,63}")
_COMPILED = ("__pycache__",)


class MissingPluginError(SelfnasError, RuntimeError):
    """Something is of a plug-in that is not installed here, or only with other content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPoint:
    """What a group takes.

    Attributes:
        wanted: what an entry must be, for messages.
        own: our own parts by name, which no plug-in may replace.
        accept: `(name, part, origin)` to the part as it is used; raises `ValueError` with the reason where it is none.
        reserved: further names that mean something already.
    """

    wanted: str
    own: Mapping[str, object]
    accept: Callable[[str, object, str], object]
    reserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What tells a plug-in from every other, known without importing it.

    Attributes:
        name: of the distribution.
        version: of the distribution.
        sha256: over its files and its entry points.
        parts: `group:name` of every part that it declares, sorted.
    """

    name: str
    version: str
    sha256: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version} (SHA-256 {self.sha256[:12]}…)"

    @property
    def origin(self) -> str:
        """As digests hold it."""
        return f"{self.name} {self.version} {self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plug-in with the parts that were asked for.

    Attributes:
        identity: of the distribution.
        parts: by group, then by name; groups that were not asked for are left out.
    """

    identity: Identity
    parts: Mapping[str, Mapping[str, object]] = field(hash=False, repr=False)


# --- what is in force in this process ---

_active: tuple[Plugin, ...] = ()
_missing: tuple[Identity, ...] = ()


@contextlib.contextmanager
def in_force(*plugins: Plugin, missing: Sequence[Identity] = ()) -> Iterator[None]:
    """Let files and texts name these plug-ins' parts too, in this process, until the block ends.

    Args:
        plugins: whose parts can be found.
        missing: those that are not here: to look for a part of theirs raises `MissingPluginError`.

    Raises:
        InputError: two of them have a part of one name.
    """
    global _active, _missing
    before = _active, _missing
    for plugin in plugins:
        for group, parts in plugin.parts.items():
            for name in parts:
                if clash := _taken(group, name, beside=plugin.identity.name):
                    raise InputError(f"plug-in {plugin.identity.name}: {clash}")
        _active = (*_active, plugin)
    _missing = (*_missing, *missing)
    try:
        yield
    finally:
        _active, _missing = before


def find(group: str, name: str) -> Any:
    """The part of that name, of a plug-in in force; None where there is none.

    Raises:
        MissingPluginError: it is of a plug-in that is not here.
    """
    for plugin in reversed(_active):
        if name in plugin.parts.get(group, {}):
            return plugin.parts[group][name]
    for absent in _missing:
        if f"{group}:{name}" in absent.parts:
            raise _not_here(absent)
    return None


def names(group: str) -> tuple[str, ...]:
    """Names of the parts of a group, of all plug-ins in force."""
    return tuple(dict.fromkeys(name for plugin in _active for name in plugin.parts.get(group, {})))


def origin_of(group: str, name: str) -> str:
    """Which plug-in in force has the part of that name; empty where none has."""
    return next((one.identity.origin for one in reversed(_active) if name in one.parts.get(group, {})), "")


def present() -> tuple[Identity, ...]:
    """Plug-ins in force, each once, by name."""
    return tuple(sorted({plugin.identity for plugin in _active}, key=lambda one: one.name))


def state() -> tuple[object, ...]:
    """Everything that lookups depend on, as a key for caches."""
    return present(), _missing


def _not_here(absent: Identity) -> MissingPluginError:
    return MissingPluginError(f"not checkable without plug-in {absent}")


def _taken(group: str, name: str, *, beside: str) -> str:
    """Why a plug-in may not have a part of that name; empty where it may."""
    other = next((one for one in _active if one.identity.name != beside and name in one.parts.get(group, {})), None)
    if other is not None:
        return f"{name!r} of {_PREFIX}{group} is a part of plug-in {other.identity.name}, which it may not replace"
    return ""


# --- loading ---


def load(
    names: Sequence[str],
    groups: Collection[str],
    *,
    user: str,
    problem: Callable[[int, str], Problem] = lambda _, message: Problem(message),
) -> tuple[Plugin, ...]:
    """The parts of some groups of some plug-ins; their modules are imported here.

    Args:
        names: of distributions, as a file names them.
        groups: what such a file can use.
        user: what such a file is, for messages.
        problem: turns the place in the list and a message into a problem.

    Raises:
        InputError: with every problem: one that is not installed, declares nothing that such a file uses, or declares
            what is not of its kind, cannot be imported or has a name that is taken.
        MissingPluginError: one of them is marked as not here.
    """
    found: list[Plugin] = []
    problems: list[Problem] = []
    with contextlib.ExitStack() as stack:
        for index, name in enumerate(names):
            try:
                if _normal(name) in map(_normal, names[:index]):
                    raise InputError(f"plug-in {name!r} is named twice")
                plugin = _load_one(name, groups, user)
                stack.enter_context(in_force(plugin))
                found.append(plugin)
            except InputError as error:
                problems += [problem(index, one.message) for one in error.problems]
    if problems:
        raise InputError(problems)
    return tuple(found)


def accept_callable(name: str, part: object, origin: str) -> object:
    """A part that is only called; what it gives is seen when it is used.

    Raises:
        ValueError: it cannot be called.
    """
    if not callable(part):
        raise ValueError(f"it is of type {type(part).__name__}")
    return part


def extension_point(group: str) -> ExtensionPoint:
    """The extension point of a group."""
    point: ExtensionPoint = pkgutil.resolve_name(_EXTENSION_POINTS[group])
    return point


def groups() -> tuple[str, ...]:
    """Every group, without its prefix."""
    return tuple(_EXTENSION_POINTS)


def _load_one(name: str, groups: Collection[str], user: str) -> Plugin:
    """Each group is in force while the next is loaded, for a space is made of operations."""
    from importlib import metadata

    for absent in _missing:
        if absent.name == name:
            raise _not_here(absent)
    identity = identify(name)
    mine = [entry for entry in _entries(metadata.distribution(name)) if entry.group.removeprefix(_PREFIX) in groups]
    if not mine:
        kinds = ", ".join(dict.fromkeys(part.partition(":")[0] for part in identity.parts))
        raise InputError(f"plug-in {name!r} declares nothing that a {user} uses, but {kinds}: name it where those are")
    parts: dict[str, Mapping[str, object]] = {}
    problems: list[Problem] = []
    for group in (one for one in _EXTENSION_POINTS if one in groups):
        loaded: dict[str, object] = {}
        with in_force(Plugin(identity=identity, parts=MappingProxyType(dict(parts)))):
            for entry in mine:
                if entry.group == _PREFIX + group:
                    try:
                        loaded[entry.name] = _part(entry, group, identity)
                    except InputError as error:
                        problems += error.problems
        if loaded:
            parts[group] = MappingProxyType(loaded)
    if problems:
        raise InputError(problems)
    return Plugin(identity=identity, parts=MappingProxyType(parts))


def _part(entry: metadata.EntryPoint, group: str, identity: Identity) -> object:
    """What an entry point names, if it is of its group's kind and its name is free."""
    point, named = extension_point(group), f"plug-in {identity.name}: {entry.name!r} of {entry.group}"
    if not _PART.fullmatch(entry.name):
        raise InputError(f"{named}: a name is letters, digits, '-' and '_', a letter first")
    if entry.name in point.own or entry.name in point.reserved:
        raise InputError(f"{named} is a name of our own, which it may not replace: choose another")
    if clash := _taken(group, entry.name, beside=identity.name):
        raise InputError(f"plug-in {identity.name}: {clash}: choose another name")
    try:
        part = entry.load()
    except Exception as error:  # code of others may raise anything while it is imported
        raise InputError(f"{named} cannot be loaded: {type(error).__name__}: {error}") from error
    try:
        return point.accept(entry.name, part, identity.origin)
    except ValueError as error:
        raise InputError(f"{named} must be {point.wanted}: {error}") from error


# --- identity ---


@functools.lru_cache(maxsize=64)
def identify(name: str) -> Identity:
    """Version and content of an installed plug-in, as they were when this process first asked.

    Raises:
        InputError: not installed, or it declares no parts; or its files cannot be read.
    """
    from importlib import metadata

    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise InputError(f"plug-in {name!r} is not installed{_near(name)}") from error
    spelled = distribution.metadata["Name"]
    if spelled != name:
        raise InputError(f"plug-in {name!r} is spelled {spelled!r}")
    entries = _entries(distribution)
    if not entries:
        raise InputError(f"{name!r} declares no parts for selfnas{_near(name)}")
    parts = sorted(f"{entry.group.removeprefix(_PREFIX)}:{entry.name}" for entry in entries)
    for part in parts:
        if parts.count(part) > 1:
            raise InputError(f"plug-in {name!r} declares {part} twice")
    content = hashlib.sha256()
    try:
        for path, place in sorted(_files(distribution, entries).items()):
            content.update(json.dumps([path, hashlib.sha256(place.read_bytes()).hexdigest()]).encode())
    except OSError as error:
        raise InputError(f"plug-in {name!r}: its files cannot be read, install it again: {error}") from error
    content.update(json.dumps(sorted([entry.group, entry.name, entry.value] for entry in entries)).encode())
    return Identity(name=name, version=distribution.version, sha256=content.hexdigest(), parts=tuple(parts))


def _entries(distribution: metadata.Distribution) -> list[metadata.EntryPoint]:
    """Its entry points in our groups, in a fixed order."""
    ours = [entry for entry in distribution.entry_points if entry.group.removeprefix(_PREFIX) in _EXTENSION_POINTS]
    ours = [entry for entry in ours if entry.group.startswith(_PREFIX)]
    return sorted(ours, key=lambda entry: (entry.group, entry.name))


def _files(distribution: metadata.Distribution, entries: Sequence[metadata.EntryPoint]) -> dict[str, Path]:
    """What is installed, by its path; of an editable install the source files of the packages that entries name.

    What installers write about themselves, compiled files and scripts differ from machine to machine: left out.
    """
    record = distribution.read_text("RECORD")
    if _is_editable(distribution) or record is None:
        return _sources({entry.module.partition(".")[0] for entry in entries})
    found = {}
    for row in csv.reader(record.splitlines()):  # `distribution.files` may leave out what is missing
        path = PurePosixPath(row[0])
        inside = path.parts[0] != ".." and not path.is_absolute()
        if inside and not path.parts[0].endswith(".dist-info") and not _is_compiled(path.parts):
            found[path.as_posix()] = Path(str(distribution.locate_file(path)))
    return found


def _is_editable(distribution: metadata.Distribution) -> bool:
    told = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(told.get("dir_info", {}).get("editable"))


def _sources(packages: Collection[str]) -> dict[str, Path]:
    """Files of top-level packages, found without importing them."""
    found = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise InputError(f"no package {package!r}, which an entry point names: install the plug-in again")
        folders = list(spec.submodule_search_locations or [])
        if not folders:
            found[f"{package}.py"] = Path(str(spec.origin))
        for folder in folders:
            for path in Path(folder).rglob("*"):
                inside = path.relative_to(folder)
                if path.is_file() and not _is_compiled(inside.parts):
                    found[f"{package}/{inside.as_posix()}"] = path
    return found


def _is_compiled(parts: Sequence[str]) -> bool:
    return any(part in _COMPILED for part in parts) or parts[-1].endswith((".pyc", ".pyo"))


def _near(name: str) -> str:
    """The nearest of the installed distributions that declare parts."""
    from importlib import metadata

    known = {one.metadata["Name"] for one in metadata.distributions() if _entries(one)}
    return suggestion(name, sorted(known)) if known else "; no installed distribution declares parts for selfnas"


def _normal(name: str) -> str:
    """One spelling for names that package indexes hold equal. Source: PyPA, name normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()
