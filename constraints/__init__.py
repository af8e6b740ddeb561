"""Constraint sets: what architectures and policies may be, checked by two engines, certified, explained, analysed.

Names load on first use, so that `import constraints` (and with it the command line's help) stays quick.
"""

from typing import TYPE_CHECKING

from selfnas.lazy import loading

if TYPE_CHECKING:
    from constraints.analysis.difference import Difference, compare_sets
    from constraints.analysis.example_tests import ExamplesOutcome, try_examples
    from constraints.analysis.impact import price_on_table, revoked, sole_stops
    from constraints.analysis.lint import LintFinding, lint_set
    from constraints.judging.admitted import CountInterval
    from constraints.judging.certificate import Certificate, Decision
    from constraints.judging.explanation import Blame, Explanation
    from constraints.judging.guard import Guard
    from constraints.judging.policy import decide_policy, policy_digest
    from constraints.judging.programs import read_proofs, speaks_of_programs
    from constraints.judging.verification import refused_by, verify_certificate
    from constraints.language.rules import ConstraintSet, Context, Example, PolicyChange, Rule
    from constraints.loading.loading import load_set, parse_set
    from constraints.loading.setfile import shipped_sets

__all__ = [
    "Blame",
    "Certificate",
    "ConstraintSet",
    "Context",
    "CountInterval",
    "Decision",
    "Difference",
    "Example",
    "ExamplesOutcome",
    "Explanation",
    "Guard",
    "LintFinding",
    "PolicyChange",
    "Rule",
    "compare_sets",
    "decide_policy",
    "lint_set",
    "load_set",
    "parse_set",
    "policy_digest",
    "price_on_table",
    "read_proofs",
    "refused_by",
    "revoked",
    "shipped_sets",
    "sole_stops",
    "speaks_of_programs",
    "try_examples",
    "verify_certificate",
]

__getattr__, __dir__ = loading(
    __name__,
    {
        "analysis.difference": ("Difference", "compare_sets"),
        "analysis.impact": ("price_on_table", "revoked", "sole_stops"),
        "analysis.lint": ("LintFinding", "lint_set"),
        "analysis.example_tests": ("ExamplesOutcome", "try_examples"),
        "judging.admitted": ("CountInterval",),
        "judging.certificate": ("Certificate", "Decision"),
        "judging.explanation": ("Blame", "Explanation"),
        "judging.guard": ("Guard",),
        "judging.policy": ("decide_policy", "policy_digest"),
        "judging.programs": ("read_proofs", "speaks_of_programs"),
        "judging.verification": ("refused_by", "verify_certificate"),
        "language.rules": ("ConstraintSet", "Context", "Example", "PolicyChange", "Rule"),
        "loading.loading": ("load_set", "parse_set"),
        "loading.setfile": ("shipped_sets",),
    },
)
