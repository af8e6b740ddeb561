"""Plug-ins of a life: what a run records of them, and which of the recorded ones are at hand now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from msgspec import UnsetType

from agent.ledger.events import UNSET, PluginRecord, RunStarted
from agent.ledger.store import Ledger
from agent.stream.file import STREAM_GROUPS
from selfnas import plugins
from selfnas.errors import InputError
from selfnas.plugins import Identity

__all__ = ["changed", "of_life", "of_run", "recorded"]


def recorded(identities: Sequence[Identity]) -> list[PluginRecord] | UnsetType:
    """As the start of a run has them; nothing where there is none."""
    found = [
        PluginRecord(name=one.name, version=one.version, sha256=one.sha256, parts=list(one.parts)) for one in identities
    ]
    return found or UNSET


def changed(started: RunStarted, now: Sequence[Identity]) -> str:
    """How the first plug-in that is another than a run began with differs, for people; empty where none does."""
    then, here = {one.name: one for one in _identities(started)}, {one.name: one for one in now}
    for name in sorted(then.keys() | here.keys()):
        if name not in here:
            return f"plug-in {name} was in use"
        if name not in then:
            return f"plug-in {name} was not in use"
        old, new = then[name], here[name]
        if old.version != new.version:
            return f"plug-in {name} was another ({old.version} → {new.version})"
        if old != new:
            return f"plug-in {name} {old.version} was another (SHA-256 {old.sha256[:12]}… → {new.sha256[:12]}…)"
    return ""


@contextlib.contextmanager
def of_run(started: RunStarted) -> Iterator[tuple[Identity, ...]]:
    """Have what a run's stream used in force, as far as it is installed as it was then; gives those that are not.

    To look for a part of those raises `MissingPluginError`.

    Raises:
        InputError: one that is installed as it was cannot be loaded.
    """
    with _in_force(_identities(started), started.record.plugins or ()) as missing:
        yield missing


@contextlib.contextmanager
def of_life(ledger: Ledger) -> Iterator[tuple[Identity, ...]]:
    """The same for all runs of a life; of a plug-in that changed between them, what the latest run used."""
    latest: dict[str, Identity] = {}
    named: dict[str, None] = {}
    for started in _runs(ledger):
        latest |= {one.name: one for one in _identities(started)}
        named |= dict.fromkeys(started.record.plugins or ())
    with _in_force(tuple(latest.values()), tuple(named)) as missing:
        yield missing


def _runs(ledger: Ledger) -> Iterator[RunStarted]:
    """The starts of all runs, the latest first while they are looked up, then in order."""
    found: list[RunStarted] = []
    seq = ledger.head()[0]
    while (event := ledger.latest_before(seq, RunStarted)) is not None:
        assert isinstance(event.facts, RunStarted)  # noqa: S101 - it was asked for
        found.append(event.facts)
        seq = event.seq
    yield from reversed(found)


@contextlib.contextmanager
def _in_force(known: Sequence[Identity], named: Sequence[str]) -> Iterator[tuple[Identity, ...]]:
    missing = tuple(one for one in known if _installed(one.name) != one)
    absent = {one.name for one in missing}
    with plugins.in_force(missing=missing):
        loaded = plugins.load([name for name in named if name not in absent], STREAM_GROUPS, user="stream")
        with plugins.in_force(*loaded):
            yield missing


def _installed(name: str) -> Identity | None:
    try:
        return plugins.identify(name)
    except InputError:
        return None


def _identities(started: RunStarted) -> tuple[Identity, ...]:
    told = () if started.plugins is UNSET else started.plugins
    return tuple(
        Identity(name=one.name, version=one.version, sha256=one.sha256, parts=tuple(one.parts)) for one in told
    )
