"""One sentence of a dossier: derived from events, which it names with their hashes, or left to the provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from selfnas.errors import InputError

__all__ = ["OPEN", "Statement", "basis", "derived", "plain", "provided"]

OPEN = "To be stated by the provider"


class Source(Protocol):
    """An event: its number and its hash."""

    @property
    def seq(self) -> int:
        """Its number."""
        ...

    @property
    def hash(self) -> str:
        """Of its content and of all events before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence.

    Attributes:
        key: names it in its document: number of the point, then a word.
        text: the sentence.
        events: number and hash of each event that it is derived from; empty where it is the provider's.
        value: what the sentence says, for programs.
        asked: of a provider's sentence, what is asked for.
    """

    key: str
    text: str
    events: tuple[tuple[int, str], ...] = ()
    value: Mapping[str, object] = field(default_factory=dict)
    asked: str = ""

    @property
    def point(self) -> str:
        """Number of the point of Annex IV that it belongs to."""
        return self.key.split(":", 1)[0]

    @property
    def derived(self) -> bool:
        """Whether it follows from the ledger."""
        return bool(self.events)

    @property
    def is_open(self) -> bool:
        """Whether the provider has not stated it yet."""
        return not self.derived and self.text == f"{OPEN}: {self.asked}"

    def to_record(self) -> dict[str, object]:
        """A JSON object."""
        if not self.derived:
            return {"key": self.key, "basis": "provider", "asked": self.asked, "text": self.text}
        events = [{"event": seq, "hash": digest} for seq, digest in self.events]
        return {"key": self.key, "basis": "derived", "text": self.text, "value": dict(self.value), "events": events}


def derived(key: str, text: str, sources: Sequence[Source], **value: object) -> Statement:
    """A sentence that follows from events.

    Raises:
        InputError: it names no event.
    """
    if not sources:
        raise InputError(f"the sentence {key!r} names no event")
    return Statement(key=key, text=text, events=tuple((one.seq, one.hash) for one in sources), value=value)


def provided(key: str, asked: str, stated: Mapping[str, str]) -> Statement:
    """A sentence that only the provider can state; as it was stated, where it was."""
    text = " ".join(stated.get(key, "").split())
    return Statement(key=key, text=text or f"{OPEN}: {asked}", asked=asked)


def basis(one: Statement) -> str:
    """What a sentence rests on, for people."""
    if not one.derived:
        return "" if one.is_open else f"*({one.point}; stated by the provider)*"
    first, more = one.events[0], len(one.events) - 1
    last = f" and {more} more, the last {one.events[-1][0]} `{one.events[-1][1][:16]}`" if more else ""
    return f"*({one.point}; derived from event {first[0]} `{first[1][:16]}`{last})*"


def plain(text: str) -> str:
    """Text of a life that cannot make other text of the page."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("*", "\\*").replace("`", "\\`").replace("<", "&lt;")
