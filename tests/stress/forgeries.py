"""Change a copy of a life in every way a forger would, and count what verification notices.

Two measurements: single bytes of the ledger file and of weights set to another random value, and purposeful edits.
Every purposeful edit is looked at in three ways: hashes left as they were; the chain made again over the edit; the
same, beside a signature of the true head that a reviewer checks with the public key. Edits are those of
`forgery_edits`, and those of `forgery_meaning`, which were written for stored lives: where a life has no room for one,
it is left out.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import main
from agent.ledger.home import Home
from agent.ledger.signature import check_signature, new_key, sign_head
from agent.ledger.store import GENESIS, Ledger, event_hash
from agent.verify.verification import verify
from selfnas.digests import canonical_json
from selfnas.errors import SelfnasError
from tests.stress.forgery_edits import FORGERIES, Edit, Events
from tests.stress.forgery_meaning import MEANINGS

__all__ = ["Detection", "change_bytes", "forge", "forge_once", "has_room", "recorded_events", "rewrite"]

app = typer.Typer(add_completion=False)

_HASH = re.compile(r"\b[0-9a-f]{64}\b")


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
    true = canonical_json(recorded_events(signed)[0])
    edits = FORGERIES | {name: meant.edit for name, meant in MEANINGS.items()}
    for number, (name, edit) in enumerate(edits.items()):
        events, old = recorded_events(signed)
        if not has_room(edit, events) or canonical_json(events) == true:
            continue
        files = MEANINGS[name].files or {} if name in MEANINGS else {}
        found = []
        for rebuilt in (False, True):
            copy = _copy(signed.root, scratch / f"forged{number}")
            _write(copy, events, old, rebuilt=rebuilt)
            for sha256, content in files.items():
                copy.weights_file(sha256).write_bytes(content)
            found.append(Detection(what=name, problems=_problems(copy)))
            if rebuilt:
                found.append(Detection(what=name, problems=found[-1].problems + _unsigned(copy, public)))
            shutil.rmtree(copy.root)
        yield name, found[0], found[1], found[2]


def has_room(edit: Edit, events: Events) -> bool:
    """Whether a life has what an edit changes; it is made where it has."""
    try:
        edit(events)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError):
        return False
    return True


def forge_once(home: Path, scratch: Path, name: str) -> Detection:
    """One forgery of `FORGERIES` on a copy, hashes left as they were; the same content where it changes nothing."""
    copy = _copy(home, scratch)
    events, old = recorded_events(copy)
    true = canonical_json(events)
    FORGERIES[name](events)
    same = canonical_json(events) == true
    if not same:
        _write(copy, events, old, rebuilt=False)
    return Detection(what=name, problems=_problems(copy), same_content=same)


def rewrite(home: Path, place: Path, edit: Edit) -> Home:
    """A copy of a life with its events edited and the chain made again over them."""
    copy = _copy(home, place)
    events, old = recorded_events(copy)
    edit(events)
    _write(copy, events, old, rebuilt=True)
    return copy


def _copy(home: Path, place: Path) -> Home:
    copy = Home(place)
    with Ledger(home / "ledger.db", clock=time.time, read_only=True):
        pass  # what is no life is refused in words
    place.mkdir(parents=True)
    with sqlite3.connect(f"{(home / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True) as db:
        db.execute("VACUUM INTO ?", (str(copy.ledger),))
    db.close()
    copy.weights.mkdir()
    if (home / "weights").is_dir():  # a life of tables has none
        shutil.copytree(home / "weights", copy.weights, dirs_exist_ok=True)
    if Home(home).signature.is_file():
        shutil.copy(Home(home).signature, copy.signature)
    return copy


def _problems(home: Home) -> tuple[str, ...]:
    try:
        with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
            return tuple(verify(ledger, home).problems)
    except SelfnasError as error:
        return (str(error),)


def _unsigned(home: Home, public: Path) -> tuple[str, ...]:
    """What is wrong with the signature of the head."""
    try:
        with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
            return tuple(check_signature(ledger, home, public)[1])
    except SelfnasError as error:
        return (str(error),)


def _content(home: Home) -> list[object]:
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        return [(event.seq, event.kind, event.facts, event.hash) for event in ledger.events()]


def recorded_events(home: Home) -> tuple[Events, dict[int, str]]:
    """What is recorded, to be edited; and the hash of each event by the identity of its payload, which edits keep."""
    with closing(sqlite3.connect(home.ledger)) as db:
        rows = db.execute("SELECT kind, payload, hash FROM events ORDER BY seq")
        found = [(kind, json.loads(payload), digest) for kind, payload, digest in rows]
    return [(kind, payload) for kind, payload, _ in found], {id(payload): digest for _, payload, digest in found}


def _write(home: Home, events: Events, old: Mapping[int, str], *, rebuilt: bool) -> None:
    """Put other events into a ledger behind its back.

    Where the chain is made again, whatever names an event by its hash, as certificates do, is made to name the new one;
    else old hashes stay.
    """
    with sqlite3.connect(home.ledger) as db:
        db.execute("DROP TRIGGER events_are_final")
        db.execute("DROP TRIGGER events_stay")
        stored = db.execute("SELECT previous, hash FROM events ORDER BY seq").fetchall()
        db.execute("DELETE FROM events")
        previous, renamed = GENESIS, dict[str, str]()
        for seq, (kind, payload) in enumerate(events):
            text = canonical_json(payload)
            if rebuilt:
                text = _HASH.sub(lambda found: renamed.get(found[0], found[0]), text)
                row = (previous, event_hash(seq, kind, text, previous))
                renamed.setdefault(old.get(id(payload), ""), row[1])
            else:
                row = stored[min(seq, len(stored) - 1)]
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, kind, text, *row))
            previous = row[1]
    db.close()


@app.command()
def forgeries(
    home: Annotated[Path, typer.Option("--home", help="A life to copy; it is left as it is.")] = Path(".selfnas"),
    changes: Annotated[int, typer.Option(min=0, help="Random single-byte changes.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the changed bytes.")] = 0,
) -> None:
    """Forge copies of a life and count what `selfnas verify` notices, and name what it does not."""
    with tempfile.TemporaryDirectory() as place:
        bytes_ = list(change_bytes(home, Path(place), changes=changes, seed=seed))
        forged = list(forge(home, Path(place)))
    noticed = sum(bool(change.problems) for change in bytes_)
    harmless = sum(change.same_content for change in bytes_)
    typer.echo(
        f"{len(bytes_)} single-byte changes: {noticed} detected, {harmless} left every event as it was, "
        f"{len(bytes_) - noticed - harmless} neither"
    )
    for change in bytes_:
        if not change.problems and not change.same_content:
            typer.echo(f"  not detected: {change.what}")
    for title, found in (
        ("old hashes", [row[1] for row in forged]),
        ("chain recomputed", [row[2] for row in forged]),
        ("chain recomputed, true head signed", [row[3] for row in forged]),
    ):
        missed = [change.what for change in found if not change.problems]
        typer.echo(f"{len(forged)} forgeries, {title}: {len(forged) - len(missed)} detected")
        for name in missed:
            typer.echo(f"  not detected: {name}")


if __name__ == "__main__":
    main(commands=app)
