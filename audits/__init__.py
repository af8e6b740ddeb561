"""Audits that a trained network must pass: what is measured, the findings, the one verdict, cards and pictures.

Names load on first use, so that `import audits` (and with it the command line's help) stays quick.
"""

from typing import TYPE_CHECKING

from selfnas.lazy import loading

if TYPE_CHECKING:
    from audits.calibrating.proof import Calibration, calibration_of, read_calibration, unproven_gates
    from audits.cards.cards import card, card_page
    from audits.cards.figures import attribution_figure, confusion_figure, pictures
    from audits.catalogue.registry import AUDITS
    from audits.contract.data import AuditData, Trigger
    from audits.contract.finding import Finding, Role
    from audits.verdicts.power import undecidable, wants_cross_fitting
    from audits.verdicts.run import run_suite
    from audits.verdicts.suite import Suite, load_suite, parse_suite
    from audits.verdicts.verdict import AuditVerdict, absent, judge, uncovered

__all__ = [
    "AUDITS",
    "AuditData",
    "AuditVerdict",
    "Calibration",
    "Finding",
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
    "parse_suite",
    "pictures",
    "read_calibration",
    "run_suite",
    "uncovered",
    "undecidable",
    "unproven_gates",
    "wants_cross_fitting",
]

__getattr__, __dir__ = loading(
    __name__,
    {
        "calibrating.proof": ("Calibration", "calibration_of", "read_calibration", "unproven_gates"),
        "cards.cards": ("card", "card_page"),
        "cards.figures": ("attribution_figure", "confusion_figure", "pictures"),
        "catalogue.registry": ("AUDITS",),
        "contract.data": ("AuditData", "Trigger"),
        "contract.finding": ("Finding", "Role"),
        "verdicts.power": ("undecidable", "wants_cross_fitting"),
        "verdicts.run": ("run_suite",),
        "verdicts.suite": ("Suite", "load_suite", "parse_suite"),
        "verdicts.verdict": ("AuditVerdict", "absent", "judge", "uncovered"),
    },
)
