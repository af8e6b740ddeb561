"""Reports on changes of the search policy: one judged, with the numbers that speak against a program."""

from __future__ import annotations

import json
from dataclasses import replace

from constraints.judging.policy import decide_policy
from constraints.judging.programs import FIELD, Values, read_proofs, speaks_of_programs
from constraints.language.rules import ConstraintSet
from constraints.reports.report import Report
from selfnas.acquisition.expression import notation, spelled
from selfnas.acquisition.parser import parse_program
from selfnas.errors import InputError

__all__ = ["is_policy", "report_policy"]

_BARE = f"{FIELD}:"
_FORM = 'a change of policy reads \'{"old": {"batch": 4}, "new": {"batch": 8}}\', or \'acquisition: mean + spread\''


def is_policy(text: str) -> bool:
    """Whether a subject is a change of policy, or a program alone, rather than an architecture.

    Example:
        >>> is_policy("acquisition: mean"), is_policy('{"old": {}, "new": {}}'), is_policy("nb201/c8n1r16:|skip~0|")
        (True, True, False)
    """
    return text.lstrip().startswith(("{", _BARE))


def report_policy(set_: ConstraintSet, text: str) -> Report:
    """Verdict per rule of scope `policy`; of a program alone, which would replace expected improvement, per rule on it.

    Raises:
        InputError: neither a change of policy nor a program.
    """
    bare = text.lstrip().startswith(_BARE)
    old, new = ({}, _with_program({FIELD: text.strip().removeprefix(_BARE).strip()})) if bare else _change(text)
    rules = [rule for rule in set_.of_scope("policy") if not bare or speaks_of_programs([rule])]
    if not rules:
        raise InputError(f"set {set_.name!r} has no rule of scope policy" + (" on programs" if bare else ""))
    decision = decide_policy(replace(set_, rules=tuple(rules)), old, new)
    program = new.get(FIELD)
    shown = "expected improvement" if program is None else f"{program}, that is {notation(parse_program(str(program)))}"
    lines = [f"{decision.verdict}: acquisition {shown} under {set_.name}"]
    for rule, verdict in decision.rules.items():
        lines.append(f"  {verdict:9} {rule}")
        lines += [
            f"            {proof['claim']}: {proof['z3']} by Z3, {proof['intervals']} by intervals"
            for proof in read_proofs(decision.certificate.proof)
            if proof["rule"] == rule
        ]
    lines += ["", *decision.messages] if decision.messages else []
    record: dict[str, object] = {
        "old": dict(old),
        "new": dict(new),
        "verdict": decision.verdict,
        "rules": dict(decision.rules),
        "messages": decision.messages,
        "quarantined": decision.quarantined,
        "certificate": json.loads(decision.certificate.to_json()),
    }
    return Report(text="\n".join(lines), record=record, failed=decision.verdict != "admit")


def _change(text: str) -> tuple[Values, Values]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise InputError(_FORM) from error
    if not isinstance(record, dict) or set(record) != {"old", "new"}:
        raise InputError(_FORM)
    sides = []
    for values in (record["old"], record["new"]):
        if not isinstance(values, dict):
            raise InputError(_FORM)
        for name, value in values.items():
            if name != FIELD and (isinstance(value, bool) or not isinstance(value, int)):
                raise InputError(f"{name} is a whole number, not {value!r}")
        sides.append(_with_program({name: value for name, value in values.items() if value is not None}))
    return sides[0], sides[1]


def _with_program(values: Values) -> Values:
    """The values with their program in its one spelling."""
    text = values.get(FIELD)
    return values if text is None else {**values, FIELD: spelled(parse_program(str(text)))}
