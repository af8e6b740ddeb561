"""Constraint sets: what architectures and policies may be, checked by two engines, certified, explained, analysed.

Names load on first use, so that `import constraints` (and with it the command line's help) stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constraints.analysis.difference import Difference, compare_sets
    from constraints.analysis.impact import price_on_table, revoked, sole_stops
    from constraints.analysis.lint import LintFinding, lint_set
    from constraints.analysis.trials import Trial, try_examples
    from constraints.judging.admitted import Count
    from constraints.judging.certificate import Certificate
    from constraints.judging.decision import Decision
    from constraints.judging.explanation import Blame, Explanation
    from constraints.judging.guard import Guard
    from constraints.judging.policy import decide_policy, policy_digest
    from constraints.judging.verification import refused_by, verify_certificate
    from constraints.language.rules import ConstraintSet, Context, Example, PolicyChange, Rule
    from constraints.loading.loading import load_set, parse_set
    from constraints.loading.setfile import shipped_sets

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
    "parse_set",
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
    "Blame": "judging.explanation",
    "Certificate": "judging.certificate",
    "ConstraintSet": "language.rules",
    "Context": "language.rules",
    "Count": "judging.admitted",
    "Decision": "judging.decision",
    "Difference": "analysis.difference",
    "Example": "language.rules",
    "Explanation": "judging.explanation",
    "Guard": "judging.guard",
    "LintFinding": "analysis.lint",
    "PolicyChange": "language.rules",
    "Rule": "language.rules",
    "Trial": "analysis.trials",
    "compare_sets": "analysis.difference",
    "decide_policy": "judging.policy",
    "policy_digest": "judging.policy",
    "lint_set": "analysis.lint",
    "load_set": "loading.loading",
    "parse_set": "loading.loading",
    "price_on_table": "analysis.impact",
    "refused_by": "judging.verification",
    "revoked": "analysis.impact",
    "shipped_sets": "loading.setfile",
    "sole_stops": "analysis.impact",
    "try_examples": "analysis.trials",
    "verify_certificate": "judging.verification",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'constraints' has no attribute {name!r}")
    return getattr(import_module(f"constraints.{_HOME[name]}"), name)
