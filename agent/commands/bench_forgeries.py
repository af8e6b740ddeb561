"""Change a copy of a life in every way a forger would, and count what verification notices.

Two measurements: single bytes of the ledger file and of weights set to another random value, and purposeful edits.
Every purposeful edit is made thrice: hashes left as they were; the chain made again over the edit; the same, beside a
signature of the true head that a reviewer checks with the public key.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agent.home import Home
from agent.ledger import GENESIS, Ledger, canonical_json, event_hash
from agent.signing import check_signature, new_key, sign_head
from agent.verify import verify
from selfnas.errors import SelfnasError

__all__ = ["FORGERIES", "Detection", "change_bytes", "forge", "forge_once", "rewrite"]

Events: TypeAlias = "list[tuple[str, dict[str, Any]]]"
Edit: TypeAlias = Callable[[Events], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What verification said of one change.

    Attributes:
        what: the change, in words.
        problems: sentences of `verify` or the refusal to read; empty when nothing was noticed.
        same_content: whether every event and every set of weights that is needed is still what it was.
    """

    what: str
    problems: tuple[str, ...]
    same_content: bool = False


def change_bytes(home: Path, scratch: Path, *, changes: int, seed: int) -> Iterator[Detection]:
    """One random byte of one file set to another value, `changes` times, each on a life that was whole before.

    Files (ledger, weights) are drawn evenly, bytes uniformly within the file.
    """
    chance = random.Random(seed)
    copy = _copy(home, scratch / "bytes")
    true = _content(copy)
    files = [copy.ledger, *sorted(copy.weights.iterdir())]
    for _ in range(changes):
        path = chance.choice(files)
        whole = path.read_bytes()
        place, value = chance.randrange(len(whole)), chance.randrange(1, 256)
        changed = bytearray(whole)
        changed[place] ^= value
        path.write_bytes(changed)
        problems = _problems(copy)
        same = path == copy.ledger and not problems and _content(copy) == true
        yield Detection(what=f"byte {place} of {path.name}", problems=problems, same_content=same)
        path.write_bytes(whole)


def forge(home: Path, scratch: Path) -> Iterator[tuple[str, Detection, Detection, Detection]]:
    """Every forgery that this life has room for: name; with old hashes; with a new chain; signed beforehand."""
    signed = _copy(home, scratch / "signed")
    public = new_key(scratch / "key")
    with Ledger(signed.ledger, clock=time.time) as ledger:
        sign_head(ledger, signed, scratch / "key")
        true: Events = [(event.kind, dict(event.payload)) for event in ledger.events()]
    for number, (name, edit) in enumerate(FORGERIES.items()):
        events: Events = json.loads(json.dumps(true))
        events = [(kind, payload) for kind, payload in events]
        edit(events)
        if canonical_json(events) == canonical_json(true):
            continue
        found = []
        for rebuilt, key in ((False, None), (True, None), (True, public)):
            copy = _copy(signed.root, scratch / f"forged{number}")
            _write(copy, events, rebuilt=rebuilt)
            found.append(Detection(what=name, problems=_problems(copy, public=key)))
            shutil.rmtree(copy.root)
        yield name, found[0], found[1], found[2]


def forge_once(home: Path, scratch: Path, name: str) -> Detection:
    """One forgery of `FORGERIES` on a copy, hashes left as they were; the same content where it changes nothing."""
    copy = _copy(home, scratch)
    events: Events = [(kind, payload) for _, kind, payload, _ in json.loads(json.dumps(_content(copy)))]
    true = canonical_json(events)
    FORGERIES[name](events)
    same = canonical_json(events) == true
    if not same:
        _write(copy, events, rebuilt=False)
    return Detection(what=name, problems=_problems(copy), same_content=same)


def rewrite(home: Path, place: Path, edit: Edit) -> Home:
    """A copy of a life with its events edited and the chain made again over them."""
    copy = _copy(home, place)
    with Ledger(copy.ledger, clock=time.time) as ledger:
        events: Events = [(event.kind, json.loads(json.dumps(event.payload))) for event in ledger.events()]
    edit(events)
    _write(copy, events, rebuilt=True)
    return copy


def _copy(home: Path, place: Path) -> Home:
    copy = Home(place)
    place.mkdir(parents=True)
    with sqlite3.connect(f"{(home / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True) as db:
        db.execute("VACUUM INTO ?", (str(copy.ledger),))
    db.close()
    shutil.copytree(home / "weights", copy.weights)
    if Home(home).signature.is_file():
        shutil.copy(Home(home).signature, copy.signature)
    return copy


def _problems(home: Home, *, public: Path | None = None) -> tuple[str, ...]:
    try:
        with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
            found = verify(ledger, home).problems
            return tuple(found + (check_signature(ledger, home, public)[1] if public else []))
    except SelfnasError as error:
        return (str(error),)


def _content(home: Home) -> list[object]:
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        return [(event.seq, event.kind, event.payload, event.hash) for event in ledger.events()]


def _write(home: Home, events: Events, *, rebuilt: bool) -> None:
    """Put other events into a ledger behind its back; old hashes stay where the chain is not made again."""
    with sqlite3.connect(home.ledger) as db:
        db.execute("DROP TRIGGER events_are_final")
        db.execute("DROP TRIGGER events_stay")
        old = db.execute("SELECT previous, hash FROM events ORDER BY seq").fetchall()
        db.execute("DELETE FROM events")
        previous = GENESIS
        for seq, (kind, payload) in enumerate(events):
            text = canonical_json(payload)
            row = (previous, event_hash(seq, kind, text, previous)) if rebuilt else old[min(seq, len(old) - 1)]
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, kind, text, *row))
            previous = row[1]
    db.close()


def _field(kind: str, name: str, change: Callable[[Any], Any]) -> Edit:
    """Edit one field of every event of a kind."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind and name in payload:
                payload[name] = change(payload[name])

    return edit


def _inner(kind: str, name: str, key: str, change: Callable[[Any], Any]) -> Edit:
    """Edit one field of the JSON text, or of the records, that a field of every event of a kind holds."""

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return canonical_json(inside(json.loads(value)))
        for record in value if isinstance(value, list) else [value]:
            if record.get(key) is not None:
                record[key] = change(record[key])
        return value

    return _field(kind, name, inside)


def _kind(old: str, new: str) -> Edit:
    def edit(events: Events) -> None:
        events[:] = [(new if kind == old else kind, payload) for kind, payload in events]

    return edit


def _drop(kind: str, *, last: bool = False) -> Edit:
    def edit(events: Events) -> None:
        places = [place for place, event in enumerate(events) if event[0] == kind]
        for place in reversed(places[-1:] if last else places):
            del events[place]

    return edit


def _double(kind: str) -> Edit:
    def edit(events: Events) -> None:
        events[:] = [event for event in events for _ in range(2 if event[0] == kind else 1)]

    return edit


def _cut(count: int) -> Edit:
    def edit(events: Events) -> None:
        del events[-count:]

    return edit


def _swap(name: str) -> Edit:
    """Another text for the set or the suite of every run, its digest made to fit where a digest of text would."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                payload[name]["text"] = payload[name]["text"].replace("\n", "\n# edited\n", 1)

    return edit


def _loosen(name: str) -> Edit:
    """Drop the last rule or audit of the recorded text."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                head, mark, _ = payload[name]["text"].rpartition("\n  - ")
                payload[name]["text"] = head + "\n" if mark else ""

    return edit


def _move(kind: str, place: int) -> Edit:
    def edit(events: Events) -> None:
        moved = [event for event in events if event[0] == kind]
        if moved:
            events.remove(moved[-1])
            events.insert(place, moved[-1])

    return edit


def _flip_hex(text: str) -> str:
    return ("0" if text[:1] != "0" else "1") + text[1:]


_OTHER: dict[str, str] = {"admit": "reject", "reject": "admit", "undecided": "admit"}
_ELSE: dict[str, str] = {"pass": "fail", "fail": "pass", "inconclusive": "pass", "void": "pass"}

FORGERIES: dict[str, Edit] = {
    # audits
    "verdict of the audits flipped": _field("audited", "decision", lambda old: _OTHER[old]),
    "findings removed": _field("audited", "findings", lambda _: []),
    "first finding removed": _field("audited", "findings", lambda old: old[1:]),
    "last finding removed": _field("audited", "findings", lambda old: old[:-1]),
    "decisions of findings flipped": _inner("audited", "findings", "decision", lambda old: _ELSE[old]),
    "thresholds of findings loosened": _inner("audited", "findings", "threshold", lambda old: old - 0.5),
    "estimates of findings moved": _inner("audited", "findings", "estimate", lambda old: 2.0),
    "intervals of findings moved": _inner("audited", "findings", "low", lambda old: -2.0),
    "gates of findings made advisory": _inner("audited", "findings", "role", lambda _: "advisory"),
    "findings named for another audit": _inner("audited", "findings", "audit", lambda _: "skill"),
    "notes of findings edited": _inner("audited", "findings", "note", lambda old: old + "!"),
    "observations behind findings inflated": _inner("audited", "findings", "n", lambda old: 10 * old),
    "audit given to another network": _field("audited", "digest", _flip_hex),
    "audits dropped": _drop("audited"),
    "audits doubled": _double("audited"),
    "audit moved after the admission": _move("audited", -2),
    # certificates
    "verdict of certificates flipped": _inner("certified", "certificate", "verdict", lambda old: _OTHER[old]),
    "rules of certificates edited": _inner("certified", "certificate", "rules", lambda old: "f" + old[1:]),
    "rules of certificates shortened": _inner("certified", "certificate", "rules", lambda old: old[:-1]),
    "certificates for another digest": _inner("certified", "certificate", "digest", _flip_hex),
    "certificates for another shape": _inner("certified", "certificate", "shape", lambda _: "3x8x8/10"),
    "certificates of another guard": _inner("certified", "certificate", "guard", _flip_hex),
    "certificates of another history": _inner("certified", "certificate", "previous", _flip_hex),
    "certificates for another subject": _inner(
        "certified", "certificate", "subject", lambda old: old.replace("conv", "avg")
    ),
    "engines of certificates edited": _inner("certified", "certificate", "engines", lambda _: {"z3": "0"}),
    "architecture beside certificates edited": _field("certified", "architecture", lambda old: old + "|"),
    "certified made rejected": _kind("certified", "rejected"),
    "certified made quarantined": _kind("certified", "quarantined"),
    "certificates dropped": _drop("certified"),
    "certificates doubled": _double("certified"),
    "last certificate moved to the end": _move("certified", 10**6),
    # set and suite
    "comment put into the constraint set": _swap("constraint_set"),
    "last rule of the constraint set removed": _loosen("constraint_set"),
    "digest of the constraint set edited": _field("run.started", "constraint_set_digest", _flip_hex),
    "comment put into the audit suite": _swap("audit_suite"),
    "last audit of the suite removed": _loosen("audit_suite"),
    "digest of the audit suite edited": _field("run.started", "audit_suite_digest", _flip_hex),
    "digest of the stream edited": _field("run.started", "stream_digest", _flip_hex),
    "guard of the task edited": _field("task.started", "guard", _flip_hex),
    "start of the run dropped": _drop("run.started"),
    "start of the task dropped": _drop("task.started"),
    # training, admission, end
    "score of what was trained raised": _field("trained", "validation", lambda old: 1.0),
    "weights of what was trained replaced": _field("trained", "weights_sha256", _flip_hex),
    "trained dropped": _drop("trained"),
    "score of what was admitted raised": _field("admitted", "validation", lambda old: 1.0),
    "test score of what was admitted raised": _field("admitted", "test", lambda old: 1.0),
    "weights of what was admitted replaced": _field("admitted", "weights_sha256", _flip_hex),
    "parameters of what was admitted lowered": _field("admitted", "params", lambda old: old - 1),
    "admitted another digest": _field("admitted", "digest", _flip_hex),
    "admitted another architecture": _field("admitted", "architecture", lambda old: old.replace("none", "skip", 1)),
    "admitted with another certificate": _inner("admitted", "certificate", "previous", _flip_hex),
    "admission dropped": _drop("admitted"),
    "admission moved before its audit": _move("admitted", 3),
    "refused made admitted": _kind("refused", "admitted"),
    "admitted made refused": _kind("admitted", "refused"),
    "winner replaced": _field("task.finished", "winner", lambda old: "0" * 64),
    "winner removed": _field("task.finished", "winner", lambda old: None),
    "score of one evaluation raised": _field("evaluated", "score", lambda old: 1.0),
    "last evaluation dropped": _drop("evaluated", last=True),
    "last event cut off": _cut(1),
    "last five events cut off": _cut(5),
}
