"""The files of a life's dossier: what is of the life, and a folder for each network that stands admitted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.dossier.evidence import Evidence
from agent.dossier.files import MANIFEST, PROVENANCE
from agent.dossier.frameworks import OF_LIFE, OF_POINT
from agent.dossier.life_evidence import LifeEvidence
from agent.dossier.life_sentences import life_sentences
from agent.dossier.statement import Statement, basis, plain

__all__ = ["FRAMEWORKS", "LIFE", "LIFE_PAGE", "NETWORKS", "LifeDossier", "NetworkDossier", "folder_of", "made_of_life"]

FORMAT = 1
LIFE, LIFE_PAGE, FRAMEWORKS, NETWORKS = "life.json", "life.md", "frameworks.json", "networks"
_TITLES: Mapping[str, str] = {
    "ledger": "The record", "run": "Runs", "data": "Data", "gate": "Constraint gate", "audits": "Audits",
    "people": "People", "network": "Networks that stand admitted", "ended": "Networks whose admission ended",
    "policy": "Search policy", "memory": "Memory", "afterwards": "Afterwards", "files": "Files",
}  # fmt: skip


class NetworkDossier(Protocol):
    """The dossier of one network (`agent.dossier.folder`)."""

    @property
    def files(self) -> Mapping[str, str]:
        """Content of each file by name."""
        ...

    @property
    def statements(self) -> Sequence[Statement]:
        """Its sentences."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeDossier:
    """What is handed over about a life.

    Attributes:
        documents: JSON documents of the life itself by name of their file.
        page: the same for people.
        networks: dossiers of networks by the name of their folder.
        statements: sentences about the life.
    """

    documents: Mapping[str, dict[str, Any]]
    page: str
    networks: Mapping[str, NetworkDossier]
    statements: Sequence[Statement]

    @property
    def files(self) -> dict[str, str]:
        """Content of each file by its path in the folder."""
        own = {name: json.dumps(one, indent=1, ensure_ascii=False) + "\n" for name, one in self.documents.items()}
        theirs = {
            f"{NETWORKS}/{folder}/{name}": content
            for folder, dossier in self.networks.items()
            for name, content in dossier.files.items()
        }
        return {**own, LIFE_PAGE: self.page, **theirs}


def folder_of(found: Evidence) -> str:
    """Where a network's dossier lies: by the event of its full training, which no other has."""
    return f"{found.trained.seq}-{found.digest[:12]}"


def made_of_life(
    found: LifeEvidence, make: Callable[[Evidence], NetworkDossier], *, names: bool = False
) -> LifeDossier:
    """The dossier of a life as of the head of its evidence.

    Args:
        found: the life.
        make: gives the dossier of one of its networks.
        names: whether reviewers are named; the same as in those.
    """
    networks = {folder_of(one): make(one) for one in found.standing}
    statements = life_sentences(found, names=names)
    documents: dict[str, dict[str, Any]] = {
        MANIFEST: {
            "format": FORMAT, "of": "life", "names": names,
            "head": {"event": found.head.seq, "hash": found.head.hash}, "networks": list(networks),
        },
        LIFE: {"statements": [one.to_record() for one in statements]},
        FRAMEWORKS: {
            "life": _mapped(statements, life=True),
            "networks": {folder: _mapped(one.statements, life=False) for folder, one in networks.items()},
        },
        PROVENANCE: _provenance(found),
    }  # fmt: skip
    page = "\n".join(_page(found, statements, networks)) + "\n"
    return LifeDossier(documents=documents, page=page, networks=networks, statements=statements)


def _mapped(statements: Sequence[Statement], *, life: bool) -> dict[str, dict[str, list[str]]]:
    """Parts of the frameworks by key of each derived sentence that has any."""
    table = OF_LIFE if life else OF_POINT
    return {one.key: table[one.point].to_record() for one in statements if one.derived and one.point in table}


def _provenance(found: LifeEvidence) -> dict[str, Any]:
    """An in-toto statement about all weights that stand.

    Source: in-toto Attestation Framework, Statement v1.
    """
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f"{sha256}.safetensors", "digest": {"sha256": sha256}}
            for sha256 in dict.fromkeys(one.trained.facts.weights_sha256 for one in found.standing)
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:selfnas:life:1",
                "externalParameters": {
                    "runs": [
                        {
                            "run": number, "stream": one.facts.record.stream, "seed": one.facts.record.seed,
                            "stream_digest": one.facts.stream_digest, "event": one.seq, "hash": one.hash,
                        }
                        for number, one in enumerate(found.runs, 1)
                    ]
                },
                "resolvedDependencies": list(_materials(found)),
            },
            "runDetails": {
                "builder": {"id": "urn:selfnas:agent"},
                "metadata": {"invocationId": found.events[0].hash},
                "byproducts": [
                    {"name": "head", "digest": {"sha256": found.head.hash}, "annotations": {"event": found.head.seq}}
                ],
            },
        },
    }  # fmt: skip


def _materials(found: LifeEvidence) -> Iterator[dict[str, Any]]:
    """Rules, suites and plug-ins that runs were lived under, and data of the networks that stand; each once."""
    known = set[tuple[str, str]]()
    pairs = [
        pair
        for one in found.runs
        for pair in (
            (f"constraint set {one.facts.constraint_set.name}", one.facts.constraint_set_digest),
            (f"audit suite {one.facts.audit_suite.name}", one.facts.audit_suite_digest),
        )
    ]
    for one in found.runs:
        plugins = [] if not one.facts.plugins else one.facts.plugins
        pairs += [(f"{each.name} {each.version}", each.sha256) for each in plugins]
    pairs += [(f"data of task {one.task}", one.started.facts.task_digest) for one in found.standing]
    for name, digest in pairs:
        if (name, digest) not in known:
            known.add((name, digest))
            yield {"name": name, "digest": {"sha256": digest}}


def _page(
    found: LifeEvidence, statements: Sequence[Statement], networks: Mapping[str, NetworkDossier]
) -> Iterator[str]:
    yield f"# A life up to event {found.head.seq}\n"
    yield (
        "Each sentence is derived from the ledger of the life, with the number and hash of its events. Behind it stand "
        "the parts of the NIST AI RMF 1.0 and of ISO/IEC 42001:2023 that ask for such information. Whether a part is "
        "met is not said here.\n"
    )
    for topic, title in _TITLES.items():
        own = [one for one in statements if one.point == topic]
        if not own:
            continue
        parts = OF_LIFE[topic]
        yield f"## {title}\n"
        yield f"NIST AI RMF: {', '.join(parts.nist)}. ISO/IEC 42001: {', '.join(parts.iso)}.\n"
        yield from (f"- {plain(one.text)} {basis(one)}" for one in own)
        yield ""
    yield "## Dossiers of the networks\n"
    yield from (f"- `{NETWORKS}/{folder}`" for folder in networks)
