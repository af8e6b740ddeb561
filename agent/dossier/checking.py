"""Whether a dossier says what the ledger says: every derived field made again, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.dossier.evidence import Evidence, later_events, read_evidence, weights_problems
from agent.dossier.files import (
    ANNEX,
    BILL,
    MANIFEST,
    PAGE,
    PROVENANCE,
    compared_document,
    compared_page,
    json_of,
    read_text,
    stated_in,
)
from agent.dossier.folder import made
from agent.dossier.signing import SIGNATURE
from agent.ledger.events import LedgerError
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from selfnas.errors import InputError

__all__ = ["check_dossier"]

_FILES = (MANIFEST, BILL, ANNEX, PROVENANCE, PAGE)


def check_dossier(folder: Path, ledger: Ledger, home: Home) -> list[str]:
    """Everything in a dossier that its life does not bear out, one sentence each; empty where there is nothing.

    What the provider states is taken as it is, wherever only the provider can state it.

    Raises:
        InputError: it is no dossier.
    """
    texts = {name: read_text(folder / name) for name in _FILES}
    given = {name: json_of(texts[name], folder / name) for name in _FILES if name != PAGE}
    problems = [f"{name}: is no part of a dossier" for name in sorted(_present(folder) - {*_FILES, SIGNATURE})]
    found = _evidence(given[MANIFEST], ledger)
    if isinstance(found, str):
        return [*problems, found]
    again = made(found, names=given[MANIFEST].get("names") is True, stated=stated_in(given[ANNEX]))
    for name, document in again.documents.items():
        problems += compared_document(name, texts[name], document, again.files[name])
    problems += compared_page(PAGE, texts[PAGE], again.page)
    problems += weights_problems(found, home)
    for event in later_events(found, ledger):
        problems.append(
            f"event {event.seq} ({event.kind}) is about this network and came after the dossier: make it anew"
        )
    return problems


def _present(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


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
