"""A life as it stands now, for pages: only what was appended since the last look is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.ledger.events import Facts, LedgerError
from agent.ledger.home import Home
from agent.ledger.store import GENESIS, Ledger, reading
from agent.state.plugins import of_life
from agent.state.state import LifeState

__all__ = ["Seen", "View"]

Made = TypeVar("Made")
_LOCK = threading.RLock()  # a state is read by one thread at a time, and plug-ins in force are of the process


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A life at one moment.

    Attributes:
        home: where it lies.
        ledger: open for reading.
        state: what its events amount to; nobody may change it.
        events: how many there are.
        head: hash of the last one.
        kinds: of each event, by its number.
    """

    home: Home
    ledger: Ledger
    state: LifeState
    events: int
    head: str
    kinds: Sequence[type[Facts]]

    def times(self) -> Mapping[int, float]:
        """Unix seconds at which each event was written."""
        return self.ledger.times()


class View:
    """Reads one home; what is asked of it in several threads is answered in turn.

    Args:
        home: directory of a life; it is only read.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._state, self._kinds, self._head = LifeState(), list[type[Facts]](), GENESIS
        self._made: dict[str, tuple[str, object]] = {}  # by name: hash of the last event, and what was made then

    @contextmanager
    def opened(self) -> Iterator[Seen]:
        """The life as it stands now; not to be kept beyond the block.

        Raises:
            InputError: there is no life in this home any more.
            LedgerError: its ledger is damaged.
        """
        with _LOCK, reading(self.home) as ledger, of_life(ledger):
            self._follow(ledger)
            yield Seen(
                home=Home(self.home), ledger=ledger, state=self._state, events=len(self._kinds), head=self._head,
                kinds=self._kinds,
            )  # fmt: skip

    def made(self, name: str, make: Callable[[Seen], Made]) -> Made:
        """What is made of the life under a name, made again only where the life went on."""
        with self.opened() as seen:
            known = self._made.get(name)
            if known is None or known[0] != seen.head:
                known = self._made[name] = seen.head, make(seen)
            return known[1]  # type: ignore[return-value]  # made under this name by the same caller

    def looked(self, look: Callable[[Seen], Made]) -> Made:
        """What a look at the life as it stands now gives."""
        with self.opened() as seen:
            return look(seen)

    def head(self) -> tuple[int, str]:
        """Number of events and hash of the last one; reads nothing else."""
        with reading(self.home) as ledger:
            return ledger.head()

    def _follow(self, ledger: Ledger) -> None:
        if ledger.hash_before(len(self._kinds)) != self._head:
            self._state, self._kinds, self._head = LifeState(), [], GENESIS
        state, kinds, head = self._state, self._kinds, self._head
        self._state, self._kinds, self._head = LifeState(), [], GENESIS  # should an event not be readable
        for event in ledger.events(since=len(kinds)):
            if event.seq != len(kinds):
                raise LedgerError(f"event {len(kinds)} is missing: `selfnas verify` says what else is damaged")
            state.apply(event)
            kinds.append(type(event.facts))
            head = event.hash
        self._state, self._kinds, self._head = state, kinds, head
