"""Constraint sets: what architectures and policies may be, checked by two engines, certified, explained, analysed.

Names load on first use, so that `import constraints` (and with it the command line's help) stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constraints.admitted import Count
    from constraints.certificate import Certificate
    from constraints.decision import Decision
    from constraints.difference import Difference, compare_sets
    from constraints.explanation import Blame, Explanation
    from constraints.guard import Guard
    from constraints.impact import price_on_table, revoked, sole_stops
    from constraints.lint import LintFinding, lint_set
    from constraints.loading import load_set
    from constraints.policy import decide_policy, policy_digest
    from constraints.rules import ConstraintSet, Context, Example, PolicyChange, Rule
    from constraints.setfile import shipped_sets
    from constraints.trials import Trial, try_examples
    from constraints.verification import refused_by, verify_certificate

__all__ = [
    "Blame",
    "Certificate",
    "ConstraintSet",
    "Context",
    "Count",
    "Decision",
    "Difference",
    "Example",
    "Explanation",
    "Guard",
    "LintFinding",
    "PolicyChange",
    "Rule",
    "Trial",
    "compare_sets",
    "decide_policy",
    "lint_set",
    "load_set",
    "policy_digest",
    "price_on_table",
    "refused_by",
    "revoked",
    "shipped_sets",
    "sole_stops",
    "try_examples",
    "verify_certificate",
]

_HOME = {
    "Blame": "explanation",
    "Certificate": "certificate",
    "ConstraintSet": "rules",
    "Context": "rules",
    "Count": "admitted",
    "Decision": "decision",
    "Difference": "difference",
    "Example": "rules",
    "Explanation": "explanation",
    "Guard": "guard",
    "LintFinding": "lint",
    "PolicyChange": "rules",
    "Rule": "rules",
    "Trial": "trials",
    "compare_sets": "difference",
    "decide_policy": "policy",
    "policy_digest": "policy",
    "lint_set": "lint",
    "load_set": "loading",
    "price_on_table": "impact",
    "refused_by": "verification",
    "revoked": "impact",
    "shipped_sets": "setfile",
    "sole_stops": "impact",
    "try_examples": "trials",
    "verify_certificate": "verification",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'constraints' has no attribute {name!r}")
    return getattr(import_module(f"constraints.{_HOME[name]}"), name)
