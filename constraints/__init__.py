"""Constraint sets: what architectures and policies may be, checked by two engines, certified, explained, analysed."""

from constraints.admitted import Count
from constraints.certificate import Certificate
from constraints.decision import Decision
from constraints.explanation import Blame, Explanation
from constraints.guard import Guard
from constraints.loading import load_set
from constraints.policy import decide_policy
from constraints.rules import ConstraintSet, Context, Example, PolicyChange, Rule
from constraints.setfile import shipped_sets
from constraints.verification import verify_certificate

__all__ = [
    "Blame",
    "Certificate",
    "ConstraintSet",
    "Context",
    "Count",
    "Decision",
    "Example",
    "Explanation",
    "Guard",
    "PolicyChange",
    "Rule",
    "decide_policy",
    "load_set",
    "shipped_sets",
    "verify_certificate",
]
