"""Decisions that wait until no agent holds the home: each a file, written before the person is answered.

A life that is being lived has one writer. What a person decides meanwhile is kept in the home and becomes an event as
soon as the life lets go, unless the finalist was decided about otherwise in between.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.api.reviewing import Wish, decide
from agent.gate.review import finalists
from agent.ledger.events import Event, Reviewed
from agent.ledger.home import Home, HomeHeldError
from agent.ledger.review_signature import key_text
from agent.ledger.store import reading
from agent.state.plugins import of_life
from agent.state.state import replay
from selfnas.errors import SelfnasError
from selfnas.files import write_whole

__all__ = ["Inbox", "Letter"]

_PATIENCE = 2.0  # seconds that another command may take before a decision is left to wait
_PAUSE = 0.1  # seconds between two tries
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Decisions taken together that are no events yet.

    Attributes:
        name: of its file.
        wishes: what was decided; all of it becomes events, or nothing.
        filed: Unix seconds when.
        refused: why it cannot become an event; empty while it waits.
        signer: public key of the person who is to sign; empty for none. Nobody else takes it in.
    """

    name: str
    wishes: tuple[Wish, ...]
    filed: float
    refused: str = ""
    signer: str = ""


class Inbox:
    """The decisions of one home that wait.

    Args:
        home: directory of a life.
        key: of the one person who decides here; None signs nothing.
    """

    def __init__(self, home: Path, *, key: Ed25519PrivateKey | None = None) -> None:
        self._home, self._folder, self._key = home, Home(home).inbox, key
        self.signer = "" if key is None else key_text(key.public_key())
        self._writing = threading.Lock()  # of this process; the home's lock tells processes apart

    def decide(self, wishes: Sequence[Wish]) -> tuple[Event[Reviewed], ...] | Letter:
        """Write decisions into the life now, or leave them to wait where another agent holds the home.

        Raises:
            InputError: what `agent.api.reviewing.decide` refuses; nothing waits then.
        """
        with self._writing:
            try:
                return self._decided(wishes)
            except HomeHeldError:
                name = f"{time.time_ns()}-{secrets.token_hex(4)}"
                letter = Letter(name=name, wishes=tuple(wishes), filed=time.time(), signer=self.signer)
                self._write(letter)
                return letter

    def letters(self) -> Iterator[Letter]:
        """What waits or was refused, oldest first; files that are none are passed over."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                record = json.loads(path.read_bytes())
                yield msgspec.convert({**record, "name": path.stem}, Letter)
            except (OSError, ValueError, TypeError) as error:
                _log.warning("%s: not a decision that waits: %s", path, error)

    def take_in(self) -> list[Event[Reviewed]]:
        """Make events of what waits, as far as no other agent holds the home."""
        done: list[Event[Reviewed]] = []
        for letter in [one for one in self.letters() if not one.refused and one.signer == self.signer]:
            with self._writing:
                try:
                    done += decide(self._home, letter.wishes, key=self._key)
                    self.dismiss(letter.name)
                except HomeHeldError:
                    return done
                except SelfnasError as error:
                    self._refuse(letter, str(error))
        return done

    def dismiss(self, name: str) -> bool:
        """Throw a letter away; whether there was one."""
        found = [path for path in self._folder.glob("*.json") if path.stem == name]
        for path in found:
            path.unlink(missing_ok=True)
        return bool(found)

    def _decided(self, wishes: Sequence[Wish]) -> tuple[Event[Reviewed], ...]:
        """Commands that only write a decision hold the home for a moment; they are waited for."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return decide(self._home, wishes, key=self._key)
            except HomeHeldError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_PAUSE)

    def _refuse(self, letter: Letter, why: str) -> None:
        """Keep it, with the reason; but one whose events were written, before its file was removed, is done."""
        if self._is_written(letter):
            self.dismiss(letter.name)
        elif any(path.stem == letter.name for path in self._folder.glob("*.json")):  # else another desk was faster
            self._write(replace(letter, refused=why))

    def _is_written(self, letter: Letter) -> bool:
        with reading(self._home) as ledger, of_life(ledger):
            said = [review for _, _, finalist in finalists(replay(ledger)) for review in finalist.reviews]
        known = {(one.facts.digest, one.facts.decision, one.facts.author, one.facts.reason): one.seq for one in said}
        return all(
            known.get((wish.digest, wish.decision, wish.author, wish.reason), -1) > (wish.seen or 0)
            for wish in letter.wishes
        )

    def _write(self, letter: Letter) -> None:
        record = asdict(letter)
        del record["name"]
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._folder / f"{letter.name}.json", json.dumps(record, ensure_ascii=False, indent=1))
