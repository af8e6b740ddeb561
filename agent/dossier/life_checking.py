"""Whether the dossier of a life says what the ledger says: every file made again, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.dossier.evidence import Evidence, weights_problems
from agent.dossier.files import ANNEX, MANIFEST, PAGE, compared_document, compared_page, read_json, read_text, stated_in
from agent.dossier.folder import Dossier, made
from agent.dossier.life_evidence import LifeEvidence, read_life
from agent.dossier.life_folder import LIFE_PAGE, NETWORKS, LifeDossier, folder_of, made_of_life
from agent.dossier.signing import SIGNATURE
from agent.ledger import events
from agent.ledger.events import LedgerError
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from selfnas.errors import InputError

__all__ = ["check_life_dossier", "is_of_life"]

_SHOWN = 20  # later events that are told
_LATER = (
    events.RunStarted, events.Admitted, events.Reviewed, events.MotifRevised, events.WatchEvent, events.Deployed,
)  # fmt: skip


def is_of_life(folder: Path) -> bool:
    """Whether a folder says that it is a dossier of a life.

    Raises:
        InputError: it is no dossier.
    """
    return read_json(folder / MANIFEST).get("of") == "life"


def check_life_dossier(folder: Path, ledger: Ledger, home: Home) -> list[str]:
    """Everything in it that its life does not bear out, one sentence each; empty where there is nothing.

    Raises:
        InputError: a file of it is missing, or none of ours.
    """
    manifest = read_json(folder / MANIFEST)
    found = _evidence(manifest, ledger)
    if isinstance(found, str):
        return [found]
    names = manifest.get("names") is True

    def remade(one: Evidence) -> Dossier:
        stated = stated_in(read_json(folder / NETWORKS / folder_of(one) / ANNEX))
        return made(one, names=names, stated=stated)

    networks = {folder_of(one): remade(one) for one in found.standing}
    again = made_of_life(found, lambda one: networks[folder_of(one)], names=names)
    problems = [f"{name}: is no part of a dossier" for name in sorted(_present(folder) - {*again.files, SIGNATURE})]
    problems += _compared(folder, again, networks)
    for one in found.standing:
        problems += weights_problems(one, home)
    return [*problems, *_later(found, ledger)]


def _compared(folder: Path, again: LifeDossier, networks: Mapping[str, Dossier]) -> Iterator[str]:
    for name, document in again.documents.items():
        yield from compared_document(name, read_text(folder / name), document, again.files[name])
    yield from compared_page(LIFE_PAGE, read_text(folder / LIFE_PAGE), again.page)
    for one, dossier in networks.items():
        for name, document in dossier.documents.items():
            path = f"{NETWORKS}/{one}/{name}"
            yield from compared_document(path, read_text(folder / path), document, dossier.files[name])
        path = f"{NETWORKS}/{one}/{PAGE}"
        yield from compared_page(path, read_text(folder / path), dossier.page)


def _present(folder: Path) -> set[str]:
    """Everything that is there and no folder, by its path; links are not followed."""
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }  # fmt: skip


def _evidence(manifest: Mapping[str, Any], ledger: Ledger) -> LifeEvidence | str:
    match manifest:
        case {"format": 1, "of": "life", "head": {"event": int(seq), "hash": str(head)}}:
            pass
        case _:
            return f"{MANIFEST}: does not name format 1, what it is of, and head"
    try:
        if ledger.event(seq).hash != head:
            return f"{MANIFEST}: event {seq} of this life has the hash {ledger.event(seq).hash[:16]}…, not {head[:16]}…"
        return read_life(ledger, until=seq)
    except (InputError, LedgerError) as error:
        return f"{MANIFEST}: {error}"


def _later(found: LifeEvidence, ledger: Ledger) -> Iterator[str]:
    told = 0
    for event in ledger.events(since=found.head.seq + 1, checked=True):
        if isinstance(event.facts, _LATER) and (told := told + 1) <= _SHOWN:
            yield f"event {event.seq} ({event.kind}) came after the dossier: make it anew"
