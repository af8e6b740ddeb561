"""Audits that a trained network must pass: what is measured, the findings, the one verdict, cards and pictures.

Names load on first use, so that `import audits` (and with it the command line's help) stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audits.cards import card
    from audits.coverage import uncovered
    from audits.data import AuditData, NuisanceRegion, Trigger
    from audits.figures import attribution_figure, confusion_figure
    from audits.finding import Finding, Role
    from audits.page import card_page
    from audits.proof import Calibration, calibration_of, read_calibration, unproven_gates
    from audits.registry import AUDITS
    from audits.run import run_suite
    from audits.suite import Suite, load_suite
    from audits.verdict import AuditVerdict, absent, judge

__all__ = [
    "AUDITS",
    "AuditData",
    "AuditVerdict",
    "Calibration",
    "Finding",
    "NuisanceRegion",
    "Role",
    "Suite",
    "Trigger",
    "absent",
    "attribution_figure",
    "calibration_of",
    "card",
    "card_page",
    "confusion_figure",
    "judge",
    "load_suite",
    "read_calibration",
    "run_suite",
    "uncovered",
    "unproven_gates",
]

_HOME = {
    "AUDITS": "registry",
    "AuditData": "data",
    "AuditVerdict": "verdict",
    "Calibration": "proof",
    "Finding": "finding",
    "NuisanceRegion": "data",
    "Role": "finding",
    "Suite": "suite",
    "Trigger": "data",
    "absent": "verdict",
    "attribution_figure": "figures",
    "calibration_of": "proof",
    "card": "cards",
    "card_page": "page",
    "confusion_figure": "figures",
    "judge": "verdict",
    "load_suite": "suite",
    "read_calibration": "proof",
    "run_suite": "run",
    "uncovered": "coverage",
    "unproven_gates": "proof",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'audits' has no attribute {name!r}")
    return getattr(import_module(f"audits.{_HOME[name]}"), name)
