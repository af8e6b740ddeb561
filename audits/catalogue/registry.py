"""Every audit by the name that suites use; to add one, write its module and name it here.

Those of plug-ins are found beside them while a suite that names the plug-in is in use.
"""

from __future__ import annotations

from audits.catalogue import (
    attack,
    certified,
    classes,
    completeness,
    confidence,
    copies,
    faithfulness,
    fills,
    generalisation,
    membership,
    overconfidence,
    randomisation,
    relevance,
    sensitivity,
    skill,
    stability,
    swap,
    trigger,
)
from audits.contract.audit import Audit
from audits.robustness import assault, corruption, proof
from audits.searching import cliff, focus, slices, spread, transplant, underconfidence
from selfnas import plugins
from selfnas.plugins import ExtensionPoint

__all__ = ["AUDITS", "EXTENSION_POINT", "audit_named", "audit_names", "find_audit"]

AUDITS: dict[str, Audit] = {
    "skill": skill.AUDIT,
    "generalisation": generalisation.AUDIT,
    "swap": swap.AUDIT,
    "trigger": trigger.AUDIT,
    "relevance": relevance.AUDIT,
    "classes": classes.AUDIT,
    "slices": slices.AUDIT,
    "transplant": transplant.AUDIT,
    "spread": spread.AUDIT,
    "cliff": cliff.AUDIT,
    "focus": focus.AUDIT,
    "copies": copies.AUDIT,
    "fills": fills.AUDIT,
    "overconfidence": overconfidence.AUDIT,
    "underconfidence": underconfidence.AUDIT,
    "completeness": completeness.AUDIT,
    "faithfulness": faithfulness.AUDIT,
    "randomisation": randomisation.AUDIT,
    "sensitivity": sensitivity.AUDIT,
    "confidence": confidence.AUDIT,
    "membership": membership.AUDIT,
    "attack": attack.AUDIT,
    "certified": certified.AUDIT,
    "stability": stability.AUDIT,
    "proof": proof.AUDIT,
    "assault": assault.AUDIT,
    "corruption": corruption.AUDIT,
}


def find_audit(name: str) -> Audit | None:
    """One of our own audits, or of a plug-in in force; None where there is none of that name.

    Raises:
        MissingPluginError: it is of a plug-in that is not here.
    """
    return AUDITS.get(name) or plugins.find("audits", name)


def audit_named(name: str) -> Audit:
    """The same.

    Raises:
        KeyError: there is none of that name.
    """
    found = find_audit(name)
    if found is None:
        raise KeyError(name)
    return found


def audit_names() -> tuple[str, ...]:
    """Our own audits, and those of plug-ins in force."""
    return (*AUDITS, *plugins.names("audits"))


def _accept(name: str, part: object, origin: str) -> object:
    if not isinstance(part, Audit):
        raise ValueError(f"it is of type {type(part).__name__}")
    if part.name != name:
        raise ValueError(f"it calls itself {part.name!r}")
    return part


EXTENSION_POINT = ExtensionPoint(wanted="an Audit (audits.contract.audit) of that name", own=AUDITS, accept=_accept)
