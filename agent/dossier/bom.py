"""A bill of materials of one network: CycloneDX with a model card, and rule by rule what is claimed and what shows it.

Source: CycloneDX 1.7 (ECMA-424), `machine-learning-model`, `modelCard`, `declarations`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Literal

from agent.dossier.annex_measured import decided
from agent.dossier.evidence import Evidence
from agent.dossier.people import decisions
from agent.dossier.rules import Judged, verdicts
from agent.gate.admission import findings_of
from agent.ledger.events import UNSET
from agent.report.summary import TestScore, score_of

__all__ = ["Version", "bill"]

Version = Literal["1.6", "1.7"]
_TASKS = {
    "classification": "classification",
    "multilabel": "multi-label classification",
    "ordinal": "ordinal regression",
}
_HOLDS = {"p": 1.0, "f": 0.0}  # how far a rule is met; of other letters nothing is said


def bill(found: Evidence, *, names: bool, version: Version = "1.7") -> dict[str, Any]:
    """The document, of what the ledger says alone: it has no clock and no machine.

    Args:
        found: what the ledger holds about the network.
        names: whether reviewers are named.
        version: of the specification.
    """
    began = found.began.facts
    judged = None if found.certified is None else verdicts(found.began, found.certified)
    place = f"{found.head.hash}/{found.run}/{found.task}/{found.digest}"
    document: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, place)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "selfnas"}]},
            "component": _model(found, names=names),
        },
        "components": [
            _file("data", "data", found.task, found.started.facts.task_digest, "data and splits of the task"),
            _file(
                "constraint-set", "data", began.constraint_set.name, began.constraint_set_digest, "meaning of its rules"
            ),
            _file("audit-suite", "data", began.audit_suite.name, began.audit_suite_digest, "meaning of the suite"),
            *_plugins(found),
        ],
        "dependencies": [{"ref": "model", "dependsOn": ["data", "constraint-set", "audit-suite"]}],
    }
    if judged is not None and found.certified is not None:
        document["declarations"] = _declarations(judged, seq=found.certified.seq, digest=found.certified.hash)
        document["definitions"] = {
            "standards": [_standard(judged, began.constraint_set.name, began.constraint_set_digest)]
        }
    return document


def _model(found: Evidence, *, names: bool) -> dict[str, Any]:
    trained, record = found.trained.facts, found.began.facts.record
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": f"{record.stream}.{found.task}",
        "version": found.digest[:12],
        "hashes": [{"alg": "SHA-256", "content": trained.weights_sha256}],
        "modelCard": _card(found),
        "properties": list(_properties(found, names=names)),
    }


def _properties(found: Evidence, *, names: bool) -> Iterator[dict[str, str]]:
    """Facts that the specification has no place for."""
    outcome = found.outcome
    told = {
        "architecture": found.trained.facts.architecture,
        "architecture-sha256": found.digest,
        "standing": found.standing,
        "quarantined": str(found.quarantined).lower(),
        "run": str(found.run),
        "task": found.task,
        "ledger-head-event": str(found.head.seq),
        "ledger-head-sha256": found.head.hash,
        "trained-event": f"{found.trained.seq} {found.trained.hash}",
        "outcome-event": f"{outcome.seq} {outcome.hash}" if outcome else "none",
    }
    for name, value in told.items():
        yield {"name": f"selfnas:{name}", "value": value}
    for one in decisions(found.reviews, names=names):
        yield {"name": f"selfnas:decision:{one.source.seq}", "value": one.sentence}


def _card(found: Evidence) -> dict[str, Any]:
    started, trained = found.started.facts, found.trained.facts
    kind = "classification" if started.target is UNSET else started.target
    space = found.began.facts.record.space_of(started)
    card: dict[str, Any] = {
        "bom-ref": "model-card",
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": _TASKS.get(kind, kind),
            "architectureFamily": f"cells of space {space}",
            "modelArchitecture": trained.architecture,
            "datasets": [{"ref": "data"}],
            "inputs": [{"format": _shape([started.shape.channels, *started.shape.size])}],
            "outputs": [{"format": _shape([started.shape.classes])}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(found))},
    }
    limits = list(_limits(found))
    if limits:
        card["considerations"] = {"technicalLimitations": limits}
    return card


def _shape(sides: list[int]) -> str:
    return f"float32 ({', '.join(map(str, ('n', *sides)))})"


def _metrics(found: Evidence) -> Iterator[dict[str, Any]]:
    if (score := score_of(found.trained.facts)) is not None:
        yield _metric(score, "test")
    yield {"type": "score", "value": repr(found.trained.facts.validation), "slice": "validation"}
    if found.compared is not None and (score := score_of(found.compared.facts)) is not None:
        yield _metric(score, "test, hand-designed network")
    for one in findings_of(found.audited.facts) if found.audited else ():
        if one.estimate is not None and decided(one) != "not tested":
            named = ".".join(part for part in (one.audit, one.subject, one.statistic) if part)
            told: dict[str, Any] = {
                "type": f"audit {named}: {one.decision}",
                "value": repr(one.estimate),
                "slice": "audit",
            }
            if one.low is not None and one.high is not None:
                told["confidenceInterval"] = {"lowerBound": repr(one.low), "upperBound": repr(one.high)}
            yield told


def _metric(score: TestScore, part: str) -> dict[str, Any]:
    low, high = score.interval
    return {
        "type": score.title, "value": repr(score.estimate), "slice": f"{part}, n = {score.count}",
        "confidenceInterval": {"lowerBound": repr(low), "upperBound": repr(high)},
    }  # fmt: skip


def _limits(found: Evidence) -> Iterator[str]:
    if found.audited is None:
        return
    for one in findings_of(found.audited.facts):
        if decided(one) != "pass":
            named = ".".join(part for part in (one.audit, one.subject, one.statistic) if part)
            yield f"audit {named}: {decided(one)}{'; ' + one.note if one.note else ''}"
    yield from (f"the audits' reason: {reason}" for reason in found.audited.facts.reasons)


def _file(ref: str, kind: str, name: str, sha256: str, what: str) -> dict[str, Any]:
    part: dict[str, Any] = {
        "type": kind, "bom-ref": ref, "name": name,
        "properties": [{"name": "selfnas:digest", "value": sha256}, {"name": "selfnas:digest-of", "value": what}],
    }  # fmt: skip
    return part


def _plugins(found: Evidence) -> Iterator[dict[str, Any]]:
    plugins = found.began.facts.plugins
    for one in () if plugins is UNSET else plugins:
        yield _file(f"plugin-{one.name}", "library", one.name, one.sha256, "files and entry points") | {
            "version": one.version
        }


def _standard(judged: Judged, name: str, digest: str) -> dict[str, Any]:
    """The constraint set as the document that is attested to."""
    return {
        "bom-ref": "rules", "name": f"constraint set {name}", "version": digest[:12],
        "requirements": [
            {"bom-ref": f"rule-{rule.id}", "identifier": rule.id, "title": rule.message, "text": rule.text}
            for rule, _ in judged.rules
        ],
    }  # fmt: skip


def _declarations(judged: Judged, *, seq: int, digest: str) -> dict[str, Any]:
    """One claim for each rule that the certificate says holds, a counter-claim for each that is broken."""
    stated = [(rule, letter) for rule, letter in judged.rules if letter in _HOLDS]
    return {
        "assessors": [{"bom-ref": "gate", "thirdParty": False}],
        "claims": [
            {
                "bom-ref": f"claim-{rule.id}", "target": "model",
                "predicate": f"rule {rule.id} {'holds' if letter == 'p' else 'is broken'}",
                "reasoning": f"two engines agree: {', '.join(f'{k} {v}' for k, v in judged.engines.items())}",
                "evidence": ["certificate"],
            }
            for rule, letter in stated
        ],
        "evidence": [
            {
                "bom-ref": "certificate", "propertyName": "selfnas:certificate",
                "description": f"certificate of event {seq}, whose hash is {digest}",
                "data": [
                    {
                        "name": "certificate.json",
                        "contents": {
                            "attachment": {"contentType": "application/json", "content": judged.certificate.to_json()}
                        },
                    }
                ],
            }
        ],
        "attestations": [
            {
                "summary": f"verdict of the constraint gate: {judged.certificate.verdict}", "assessor": "gate",
                "map": [
                    {
                        "requirement": f"rule-{rule.id}",
                        ("claims" if letter == "p" else "counterClaims"): [f"claim-{rule.id}"],
                        "conformance": {"score": _HOLDS[letter], "rationale": "certificate"},
                    }
                    for rule, letter in stated
                ],
            }
        ],
    }  # fmt: skip
