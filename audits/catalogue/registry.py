"""Every audit by the name that suites use; to add one, write its module and name it here."""

from __future__ import annotations

from audits.catalogue import (
    attack,
    certified,
    completeness,
    confidence,
    faithfulness,
    generalisation,
    membership,
    randomisation,
    relevance,
    sensitivity,
    skill,
    stability,
    swap,
    trigger,
)
from audits.contract.audit import Audit

__all__ = ["AUDITS"]

AUDITS: dict[str, Audit] = {
    "skill": skill.AUDIT,
    "generalisation": generalisation.AUDIT,
    "swap": swap.AUDIT,
    "trigger": trigger.AUDIT,
    "relevance": relevance.AUDIT,
    "completeness": completeness.AUDIT,
    "faithfulness": faithfulness.AUDIT,
    "randomisation": randomisation.AUDIT,
    "sensitivity": sensitivity.AUDIT,
    "confidence": confidence.AUDIT,
    "membership": membership.AUDIT,
    "attack": attack.AUDIT,
    "certified": certified.AUDIT,
    "stability": stability.AUDIT,
}
