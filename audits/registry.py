"""Every audit by the name that suites use; to add one, write its module and name it here."""

from __future__ import annotations

from audits import completeness, generalisation, skill, swap
from audits.audit import Audit

__all__ = ["AUDITS"]

AUDITS: dict[str, Audit] = {
    "skill": skill.AUDIT,
    "generalisation": generalisation.AUDIT,
    "swap": swap.AUDIT,
    "completeness": completeness.AUDIT,
}
