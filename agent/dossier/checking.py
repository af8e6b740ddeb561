"""Whether a dossier says what the ledger says: every derived field made again, and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from agent.dossier.evidence import Evidence, later_events, read_evidence
from agent.dossier.folder import ANNEX, BILL, MANIFEST, PAGE, PROVENANCE, made
from agent.dossier.statement import OPEN
from agent.ledger.events import LedgerError
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from selfnas.errors import InputError, cause

__all__ = ["check_dossier"]

_SHOWN = 20  # differences of one file that are told
_MAX_BYTES = 2**26
_FILES = (MANIFEST, BILL, ANNEX, PROVENANCE, PAGE)


def check_dossier(folder: Path, ledger: Ledger, home: Home) -> list[str]:
    """Everything in a dossier that its life does not bear out, one sentence each; empty where there is nothing.

    What the provider states is taken as it is, wherever only the provider can state it.

    Raises:
        InputError: it is no dossier.
    """
    texts = {name: _read(folder / name) for name in _FILES}
    given = {name: _json(texts[name], folder / name) for name in _FILES if name != PAGE}
    problems = [f"{name}: is no part of a dossier" for name in sorted(_present(folder) - set(_FILES))]
    found = _evidence(given[MANIFEST], ledger)
    if isinstance(found, str):
        return [*problems, found]
    again = made(found, names=given[MANIFEST].get("names") is True, stated=_stated(given[ANNEX]))
    for name, document in again.documents.items():
        differences = list(_differences(_keyed(given[name]), _keyed(json.loads(json.dumps(document))), ""))
        problems += [f"{name}: {told}" for told in differences[:_SHOWN]]
        if len(differences) > _SHOWN:
            problems.append(f"{name}: {len(differences) - _SHOWN} further differences")
        elif not differences and texts[name] != again.files[name]:
            problems.append(f"{name}: is written in another way, such as a key that is there twice")
    problems += islice(_lines(texts[PAGE], again.page), _SHOWN)
    problems += _weights(found, home)
    for event in later_events(found, ledger):
        problems.append(
            f"event {event.seq} ({event.kind}) is about this network and came after the dossier: make it anew"
        )
    return problems


def _present(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _read(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path}: no such file: a dossier has {', '.join(_FILES)}")
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: is larger than {_MAX_BYTES:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {cause(error)}") from error


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no JSON object")
    return found


def _evidence(manifest: Mapping[str, Any], ledger: Ledger) -> Evidence | str:
    """What the ledger holds about the network up to the event that the dossier was made at; or why there is nothing."""
    match manifest:
        case {
            "format": 1, "run": int(run), "task": str(task), "digest": str(digest),
            "head": {"event": int(seq), "hash": str(head)},
        } if len(digest) == 64:  # fmt: skip
            pass
        case _:
            return f"{MANIFEST}: does not name format 1, run, task, digest and head"
    try:
        if ledger.event(seq).hash != head:
            return f"{MANIFEST}: event {seq} of this life has the hash {ledger.event(seq).hash[:16]}…, not {head[:16]}…"
        return read_evidence(ledger, digest, task=task, run=run, until=seq)
    except (InputError, LedgerError) as error:
        return f"{MANIFEST}: {error}"


def _stated(document: Mapping[str, Any]) -> dict[str, str]:
    """The provider's sentences; those that are still open state nothing."""
    found = {}
    for section in document.get("sections", []) if isinstance(document.get("sections"), list) else ():
        records = section.get("statements") if isinstance(section, dict) else None
        for record in records if isinstance(records, list) else ():
            match record:
                case {"basis": "provider", "key": str(key), "text": str(text)} if not text.startswith(OPEN):
                    found[key] = text
    return found


def _keyed(value: Any) -> Any:
    """The same with lists of what has names as mappings by them, so that a difference is told where it is."""
    if isinstance(value, dict):
        return {key: _keyed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        for name in ("key", "bom-ref", "name", "section"):
            names = [str(one[name]) for one in value if isinstance(one, dict) and name in one]
            if value and len(set(names)) == len(value):
                return {
                    f"{place} {told}": _keyed(one) for place, (told, one) in enumerate(zip(names, value, strict=True))
                }
        return {f"{place}": _keyed(one) for place, one in enumerate(value)}
    return value


def _differences(given: Any, right: Any, place: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(right, dict):
        for key in [*right, *(key for key in given if key not in right)]:
            inner = f"{place}/{key}"
            if key not in given:
                yield f"{inner} is missing: the ledger gives {_short(right[key])}"
            elif key not in right:
                yield f"{inner} says {_short(given[key])}, which nothing in the ledger gives"
            else:
                yield from _differences(given[key], right[key], inner)
    elif type(given) is not type(right) or given != right:
        yield f"{place} says {_short(given)}, the ledger gives {_short(right)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _lines(given: str, right: str) -> Iterator[str]:
    for number, (one, other) in enumerate(zip_longest(given.split("\n"), right.split("\n")), 1):
        if one != other:
            yield f"{PAGE}: line {number} says {_short(one)}, it should be {_short(other)}"


def _weights(found: Evidence, home: Home) -> Iterator[str]:
    """The file that the dossier is about is the one that the ledger names."""
    sha256 = found.trained.facts.weights_sha256
    try:
        content = home.weights_file(sha256).read_bytes()
    except (OSError, InputError):
        yield f"weights {sha256[:12]}… are not in this home"
        return
    if hashlib.sha256(content).hexdigest() != sha256:
        yield f"weights {sha256[:12]}… of this home were changed"
