"""Decisions of people, written into a life: what the command line and the desk in the browser both call."""

from __future__ import annotations

import getpass
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.gate.counting import counted, terms_in_force
from agent.gate.review import Decision, review
from agent.ledger.events import SEND_BACK, Event, Facts, LedgerError, Reviewed, Standing
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger, reading
from agent.state.plugins import of_life
from agent.state.state import LifeState, replay
from selfnas.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Wish", "decide", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants to decide about one finalist.

    Attributes:
        decision: `approve`, `overrule` or `send back`.
        digest: the beginning of the finalist's; may be empty where `event` says which it is.
        event: number of the event by which gate and audits, or a person, decided about it; None for whatever there is.
        seen: number of the latest event about it that the person knew; None for whatever there is.
        task: only finalists of this task; None for all.
        run: only finalists of the run with this number; None for all.
        author: who decides; empty for the reviewer of whom the suite in force says that the key is, else for the user
            of this session.
        reason: why.
    """

    decision: Decision
    digest: str = ""
    event: int | None = None
    seen: int | None = None
    task: str | None = None
    run: int | None = None
    author: str = ""
    reason: str = ""


def decide(
    home: str | Path, wishes: Sequence[Wish], *, key: Ed25519PrivateKey | None = None
) -> tuple[Event[Reviewed], ...]:
    """Write decisions into a life, all of them or none, and give their events.

    Args:
        home: directory of the life.
        wishes: what is decided.
        key: of the person who decides; None signs nothing.

    Raises:
        InputError: there is no life, another agent holds the home, weights are missing or changed, or what
            `agent.gate.review.review` refuses.
    """
    root = Path(home)
    with reading(root):
        pass  # a home without a life is refused, not made
    with hold(root) as held, Ledger(held.ledger, clock=time.time) as ledger, of_life(ledger):
        state, public = replay(ledger), "" if key is None else _public(key)
        said = [
            review(
                state, wish.digest, wish.decision, author=wish.author or _usual_author(state, public),
                reason=wish.reason, task=wish.task, run=wish.run, event=wish.event, seen=wish.seen, key=public,
            )
            for wish in wishes
        ]  # fmt: skip
        if len({one.where for one in said}) < len(said):
            raise InputError("one finalist can be decided about once at a time")
        for one in said:
            if one.standing == Standing.ADMITTED and one.decision != SEND_BACK:
                _check_weights(held, one.weights_sha256)
        if key is not None:
            said = [_signed(ledger, state, one, key) for one in said]
        return tuple(map(_reviewed, ledger.append(said)))


def told(event: Event[Reviewed], state: LifeState) -> str:
    """What became of a decision, for the person who took it; with the count where several persons are wanted.

    Args:
        event: of the decision.
        state: of the life, after it.
    """
    said = event.facts
    place = f"event {event.seq}: {said.digest[:12]} (task {said.task}, run {said.run})"
    if said.decision == SEND_BACK:
        return f"{place} was sent back by {said.author}; it still stands {said.standing}"
    run = state.runs[said.run - 1]
    finalist = run.tasks.named(said.task).finalist(said.digest)
    count = counted(terms_in_force(state), run, finalist)
    so_far = f"; {count}" if count.wanted > 1 and count.by else ""
    pending = said.decision == "overrule" and said.standing == Standing.REFUSED and not count.revoked
    return f"{place} {'still' if pending else 'now'} stands {said.standing}, by {said.author}{so_far}"


def _public(key: Ed25519PrivateKey) -> str:
    from agent.ledger.review_signature import key_text

    return key_text(key.public_key())


def _usual_author(state: LifeState, public: str) -> str:
    named = terms_in_force(state).reviewer(public)
    return getpass.getuser() if named is None else named.name


def _signed(ledger: Ledger, state: LifeState, said: Reviewed, key: Ed25519PrivateKey) -> Reviewed:
    """The decision, signed after the latest event about its finalist."""
    from agent.ledger.review_signature import signed

    latest = state.runs[said.run - 1].tasks.named(said.task).finalist(said.digest).latest
    if latest is None:
        raise LedgerError(f"nobody knows which event decided about {said.digest[:12]}: `selfnas verify` says more")
    return signed(said, key, after=ledger.event(latest).hash)


def _reviewed(event: Event[Facts]) -> Event[Reviewed]:
    if not isinstance(event.facts, Reviewed):
        raise LedgerError(f"event {event.seq} is no decision of a person")
    return Event(event.seq, event.kind, event.facts, event.previous, event.hash)


def _check_weights(home: Home, sha256: str) -> None:
    path = home.weights_file(sha256)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        raise InputError(f"{path}: the weights are missing or were changed: there is nothing to admit")
