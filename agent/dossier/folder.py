"""The files of a dossier, as functions of a ledger up to one event."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dossier.annex import SECTIONS, annex
from agent.dossier.bom import bill
from agent.dossier.evidence import Evidence
from agent.dossier.files import ANNEX, BILL, MANIFEST, PAGE, PROVENANCE
from agent.dossier.provenance import provenance
from agent.dossier.statement import Statement, basis, plain

__all__ = ["Dossier", "made"]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What is handed over.

    Attributes:
        documents: JSON documents by name of their file.
        page: the technical documentation for people.
        statements: its sentences.
    """

    documents: Mapping[str, dict[str, Any]]
    page: str
    statements: Sequence[Statement]

    @property
    def files(self) -> dict[str, str]:
        """Content of each file by name."""
        return {
            **{name: json.dumps(one, indent=1, ensure_ascii=False) + "\n" for name, one in self.documents.items()},
            PAGE: self.page,
        }

    @property
    def counts(self) -> Counter[str]:
        """How many sentences are `derived`, `stated` by the provider and `open`."""
        return Counter("derived" if one.derived else "open" if one.is_open else "stated" for one in self.statements)


def made(found: Evidence, *, names: bool = False, stated: Mapping[str, str] | None = None) -> Dossier:
    """The dossier of a network as of the head of its evidence.

    Args:
        found: what the ledger holds about it.
        names: whether reviewers are named.
        stated: the provider's sentences, by key.
    """
    statements = annex(found, stated or {}, names=names)
    manifest = {
        "format": FORMAT, "run": found.run, "task": found.task, "digest": found.digest, "names": names,
        "head": {"event": found.head.seq, "hash": found.head.hash},
    }  # fmt: skip
    documents = {
        MANIFEST: manifest,
        BILL: bill(found, names=names),
        ANNEX: {"sections": _by_section(statements)},
        PROVENANCE: provenance(found, names=names),
    }
    page = "\n".join(_page(found, statements)) + "\n"
    return Dossier(documents=documents, page=page, statements=statements)


def _by_section(statements: Sequence[Statement]) -> list[dict[str, Any]]:
    return [
        {
            "section": number,
            "title": title,
            "statements": [one.to_record() for one in statements if one.point.split(".")[0] == str(number)],
        }
        for number, title in SECTIONS.items()
    ]


def _page(found: Evidence, statements: Sequence[Statement]) -> Iterator[str]:
    yield f"# Technical documentation of network {found.digest[:12]}\n"
    yield (
        "In the order of Annex IV of Regulation (EU) 2024/1689. Each sentence is either derived from the ledger of "
        "the life "
        "that made the network, with the number and hash of its events, or it is the provider's.\n"
    )
    for number, title in SECTIONS.items():
        yield f"## {number}. {title}\n"
        for one in statements:
            if one.point.split(".")[0] == str(number):
                yield f"- {plain(one.text)} {basis(one)}".rstrip()
        yield ""
