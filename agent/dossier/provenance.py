"""Where one network comes from, as an in-toto statement with a provenance predicate.

Source: in-toto Attestation Framework, Statement v1; SLSA provenance v1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.dossier.evidence import Evidence
from agent.dossier.people import decisions
from agent.ledger.events import UNSET

__all__ = ["provenance"]

_BUILD = "https://slsa.dev/provenance/v1"


def provenance(found: Evidence, *, names: bool) -> dict[str, Any]:
    """The statement, of what the ledger says alone.

    Args:
        found: what the ledger holds about the network.
        names: whether reviewers are named.
    """
    began, trained, record = found.began.facts, found.trained.facts, found.began.facts.record
    started = {"event": found.started.seq, "hash": found.started.hash}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"{trained.weights_sha256}.safetensors", "digest": {"sha256": trained.weights_sha256}}],
        "predicateType": _BUILD,
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:selfnas:search-and-full-training:1",
                "externalParameters": {
                    "stream": record.stream, "stream_digest": began.stream_digest, "seed": record.seed,
                    "run": found.run, "task": found.task,
                },
                "internalParameters": {
                    "policy": record.policy, "architecture": trained.architecture, "architecture_sha256": found.digest,
                    "design": list(_design(found, names=names)),
                },
                "resolvedDependencies": list(_materials(found)),
            },
            "runDetails": {
                "builder": {"id": "urn:selfnas:agent", "builderDependencies": list(_plugins(found))},
                "metadata": {"invocationId": found.began.hash},
                "byproducts": [
                    {"name": "head", "digest": {"sha256": found.head.hash}, "annotations": {"event": found.head.seq}},
                    {"name": "task", "annotations": started},
                ],
            },
        },
    }  # fmt: skip


def _design(found: Evidence, *, names: bool) -> Iterator[dict[str, Any]]:
    """Who made what: the agent, memory, people; each with its event."""
    for one in found.evaluated[:1]:
        yield {"by": "agent", "what": f"architecture {one.facts.origin}", "event": one.seq, "hash": one.hash}
    for recalled in found.started.facts.recalled:
        if recalled.digest == found.digest:
            yield {
                "by": "memory", "what": f"architecture of task {recalled.from_task}, run {recalled.from_run}",
                "event": found.started.seq, "hash": found.started.hash,
            }  # fmt: skip
    inherited = found.trained.facts.inherited
    if inherited is not UNSET:
        yield {
            "by": "memory", "what": f"first weights of task {inherited.task}, run {inherited.run}",
            "event": found.trained.seq, "hash": found.trained.hash,
        }  # fmt: skip
    yield {"by": "agent", "what": "weights", "event": found.trained.seq, "hash": found.trained.hash}
    for said in decisions(found.reviews, names=names):
        yield {"by": said.by, "what": said.sentence, "event": said.source.seq, "hash": said.source.hash}


def _materials(found: Evidence) -> Iterator[dict[str, Any]]:
    began = found.began.facts
    yield {"name": f"data of task {found.task}", "digest": {"sha256": found.started.facts.task_digest}}
    yield {"name": f"constraint set {began.constraint_set.name}", "digest": {"sha256": began.constraint_set_digest}}
    yield {"name": f"audit suite {began.audit_suite.name}", "digest": {"sha256": began.audit_suite_digest}}
    inherited = found.trained.facts.inherited
    if inherited is not UNSET:
        yield {"name": "inherited weights", "digest": {"sha256": inherited.weights_sha256}}


def _plugins(found: Evidence) -> Iterator[dict[str, Any]]:
    plugins = found.began.facts.plugins
    for one in () if plugins is UNSET else plugins:
        yield {"name": f"{one.name} {one.version}", "digest": {"sha256": one.sha256}}
