"""Audits that a trained network must pass: what is measured, the findings, the one verdict, cards and pictures.

Names load on first use, so that `import audits` (and with it the command line's help) stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audits.cards import card
    from audits.data import AuditData, NuisanceRegion
    from audits.figures import attribution_figure, confusion_figure
    from audits.finding import Finding, Role
    from audits.registry import AUDITS
    from audits.run import run_suite
    from audits.suite import Suite, load_suite
    from audits.verdict import AuditVerdict, judge

__all__ = [
    "AUDITS",
    "AuditData",
    "AuditVerdict",
    "Finding",
    "NuisanceRegion",
    "Role",
    "Suite",
    "attribution_figure",
    "card",
    "confusion_figure",
    "judge",
    "load_suite",
    "run_suite",
]

_HOME = {
    "AUDITS": "registry",
    "AuditData": "data",
    "AuditVerdict": "verdict",
    "Finding": "finding",
    "NuisanceRegion": "data",
    "Role": "finding",
    "Suite": "suite",
    "attribution_figure": "figures",
    "card": "cards",
    "confusion_figure": "figures",
    "judge": "verdict",
    "load_suite": "suite",
    "run_suite": "run",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'audits' has no attribute {name!r}")
    return getattr(import_module(f"audits.{_HOME[name]}"), name)
