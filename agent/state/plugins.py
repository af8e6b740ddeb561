"""Plug-ins of a life: what a run records of them, and which of the recorded ones are at hand now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from msgspec import UnsetType

from agent.ledger.events import UNSET, LedgerError, PluginRecord, RunStarted
from agent.ledger.store import Ledger
from selfnas import plugins
from selfnas.errors import InputError
from selfnas.plugins import Identity

__all__ = ["changed", "of_life", "of_runs", "recorded", "unused"]


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
def of_runs(*runs: RunStarted) -> Iterator[tuple[Identity, ...]]:
    """Have what some runs used in force, as far as it is installed as it was then; gives those that are not.

    To look for a part of those raises `MissingPluginError`. Of a plug-in that changed, what the latest run used counts.

    Args:
        runs: in their order.

    Raises:
        InputError: one that is installed as it was cannot be loaded.
    """
    known = _used(*runs)
    missing = tuple(one for one in known if _installed(one.name) != one)
    here = [one.name for one in known if one not in missing]
    with plugins.in_force(*plugins.load(here, plugins.groups(), user="life"), missing=missing):
        yield missing


@contextlib.contextmanager
def of_life(ledger: Ledger) -> Iterator[tuple[Identity, ...]]:
    """The same for all runs of a life."""
    with of_runs(*reversed([*_runs(ledger)])) as missing:
        yield missing


def unused(runs: Sequence[RunStarted], now: Sequence[Identity]) -> tuple[Identity, ...]:
    """What earlier runs used and the present one does not."""
    here = {one.name for one in now}
    return tuple(one for one in _used(*runs) if one.name not in here)


def _used(*runs: RunStarted) -> tuple[Identity, ...]:
    latest = {one.name: one for started in runs for one in _identities(started)}
    return tuple(latest[name] for name in sorted(latest))


def _runs(ledger: Ledger) -> Iterator[RunStarted]:
    """The starts of all runs, the latest first; none from one on that cannot be read, for others say so."""
    seq = ledger.head()[0]
    with contextlib.suppress(LedgerError):
        while (event := ledger.latest_before(seq, RunStarted)) is not None and isinstance(event.facts, RunStarted):
            yield event.facts
            seq = event.seq


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
