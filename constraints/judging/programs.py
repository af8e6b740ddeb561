"""What two engines say of an acquisition program: the proof that a certificate holds, read again, and put in words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from constraints.language.rules import Rule
from constraints.language.sentences import say
from constraints.language.syntax import Band, Condition, Constant, Near, Node, Statement, Trend, walk
from constraints.programs.statements import Finding, Witness, breaks, decide, values_at
from selfnas.acquisition.expression import ATOMS, Expression
from selfnas.acquisition.parser import parse_program
from selfnas.errors import InputError

__all__ = [
    "FIELD",
    "Proof",
    "Values",
    "again",
    "completions",
    "fractions",
    "in_words",
    "program_of",
    "prove",
    "read_proofs",
    "speaks_of_programs",
    "statements_in",
    "written",
]

FIELD = "acquisition"
Values = Mapping[str, int | str]  # fields of a policy that rules can name: whole numbers, and the text of a program

_ANSWERS = {"proved": True, "refuted": False}


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one statement.

    Attributes:
        solver: what Z3 says; its boxes are 0.
        referee: what enclosures and samples say.
    """

    statement: Statement
    solver: Finding
    referee: Finding

    @property
    def witness(self) -> Witness | None:
        """Where it fails; the referee's own before one that Z3 found."""
        return self.referee.witness or self.solver.witness


def program_of(values: Values) -> Expression | None:
    """The program of a policy; None for expected improvement.

    Raises:
        InputError: not a program.
    """
    text = values.get(FIELD)
    return None if text is None else parse_program(str(text))


def statements_in(rule: Rule) -> tuple[Statement, ...]:
    """Those that a rule makes about the program."""
    return tuple(dict.fromkeys(part for part in walk(rule.condition) if isinstance(part, Trend | Band | Near)))


def speaks_of_programs(rules: Sequence[Rule]) -> bool:
    """Whether any rule says something of the program."""
    return any(statements_in(rule) for rule in rules)


def prove(statement: Statement, old: Expression | None, new: Expression | None) -> Proof:
    """What both engines find, each by itself; the second also checks what the first found against the statement."""
    from constraints.programs.solving import solve

    solver = solve(statement, old, new)
    return Proof(statement, solver, checked(decide(statement, old, new), statement, old, new, solver.witness))


def checked(
    found: Finding, statement: Statement, old: Expression | None, new: Expression | None, witness: Witness | None
) -> Finding:
    """The referee's own finding, or, where it has none, that somebody's witness breaks the statement."""
    if found.answer == "unknown" and witness is not None and breaks(statement, old, new, witness):
        return replace(found, answer="refuted", witness=witness)
    return found


def completions(rule: Rule, found: Sequence[tuple[Statement, Finding]]) -> Iterator[Rule]:
    """The rule with statements answered, in every way that those that are open may turn out."""
    answers = [(_ANSWERS[finding.answer],) if finding.answer != "unknown" else (True, False) for _, finding in found]
    for values in itertools.product(*answers):
        said = dict(zip((statement for statement, _ in found), values, strict=True))
        yield replace(rule, condition=_with(rule.condition, said))


def _with(condition: Condition, answers: Mapping[Statement, bool]) -> Condition:
    """The condition with a constant in the place of each statement."""
    if isinstance(condition, Trend | Band | Near):
        return Constant(answers[condition])
    if isinstance(condition, Node):
        return Node(condition.operator, tuple(_with(item, answers) for item in condition.items))
    return condition


# --- as certificates hold it ---


def written(proofs: Mapping[str, Sequence[Proof]]) -> str:
    """Canonical JSON of the proofs of each rule; empty without any."""
    records = [_record(rule, proof) for rule, found in proofs.items() for proof in found]
    return json.dumps(records, sort_keys=True, separators=(",", ":")) if records else ""


def _record(rule: str, proof: Proof) -> dict[str, object]:
    record: dict[str, object] = {
        "rule": rule,
        "claim": say(proof.statement),
        "z3": proof.solver.answer,
        "intervals": proof.referee.answer,
        "boxes": proof.referee.boxes,
    }
    if proof.witness is not None:
        record["witness"] = {name: str(number) for name, number in proof.witness.point}
        if proof.witness.other is not None:
            record["raised_to"] = str(proof.witness.other)
    return record


def read_proofs(text: str) -> list[dict[str, object]]:
    """What `written` wrote.

    Raises:
        InputError: not such a text.
    """
    try:
        records = json.loads(text) if text else []
    except ValueError as error:
        raise InputError(f"not proofs in JSON: {text[:80]!r}") from error
    wanted = {"rule", "claim", "z3", "intervals", "boxes"}
    for record in records if isinstance(records, list) else [None]:
        if not isinstance(record, dict) or set(record) - {"witness", "raised_to"} != wanted:
            raise InputError(f"a proof has the keys {', '.join(sorted(wanted))}")
        if not {record["z3"], record["intervals"]} <= {*_ANSWERS, "unknown"}:
            raise InputError("a proof says proved, refuted or unknown")
        _recorded_witness(record)
    return list(records)


def _recorded_witness(record: Mapping[str, object]) -> Witness | None:
    found, other = record.get("witness"), record.get("raised_to")
    if found is None:
        return None
    try:
        assert isinstance(found, dict)  # noqa: S101 - caught below
        point = tuple((name, Fraction(str(found[name]))) for name in ATOMS)
        return Witness(point, None if other is None else Fraction(str(other)))
    except (AssertionError, KeyError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"a witness has a fraction for each of {', '.join(ATOMS)}") from error


def again(
    record: Mapping[str, object], statement: Statement, old: Expression | None, new: Expression | None
) -> tuple[Finding, list[str]]:
    """What is found of a statement without a solver, and what a recorded proof says otherwise.

    Where Z3 has no proof of its own the statement stays open, whatever is found again: two engines must agree.
    """
    claim = say(statement)
    found = checked(decide(statement, old, new), statement, old, new, _recorded_witness(record))
    problems = []
    if record["claim"] != claim:
        problems.append(f"it proves {record['claim']!r} where the rule claims {claim!r}")
    elif (found.answer, found.boxes) != (record["intervals"], record["boxes"]):
        problems.append(
            f"of the claim that {claim} it says {record['intervals']} with {record['boxes']} boxes, "
            f"which comes to {found.answer} with {found.boxes}"
        )
    return (found if record["z3"] == found.answer else Finding("unknown", 0)), problems


# --- in words ---


def in_words(proof: Proof, old: Expression | None, new: Expression | None) -> str:
    """What was found of one statement, with the numbers of its witness where it fails."""
    claim, witness = say(proof.statement), proof.witness
    if witness is None:
        return f"{claim}: {_said(proof.solver)} by Z3, {_said(proof.referee)} by intervals"
    named = set(ATOMS)
    if isinstance(proof.statement, Trend) and witness.other is not None:
        atom = proof.statement.atom
        ends = (witness.at[atom], witness.other)
        values = [values_at(new, at) for at in (witness.at, witness.raised(atom))]
        shown = [f"{fractions(value)} at {atom} {fractions(end)}" for value, end in zip(values, ends, strict=True)]
        found = f"the acquisition is {shown[0]} and {shown[1]}"
        named -= {atom}
    else:
        found = f"the acquisition is {fractions(values_at(new, witness.at))}"
        if isinstance(proof.statement, Near):
            found += f", and the one in force is {fractions(values_at(old, witness.at))}"
    where = ", ".join(f"{name} {fractions(x)}" for name, x in witness.point if name in named)
    return f"it is not so that {claim}: with {where}, {found}"


def fractions(number: Fraction) -> str:
    """A number to be read: exact where six digits are enough.

    Example:
        >>> fractions(Fraction(-3, 8)), fractions(Fraction(2, 3))
        ('-0.375', '0.666667')
    """
    return f"{float(number):.6g}"


def _said(finding: Finding) -> str:
    boxes = f" on {finding.boxes:,} boxes" if finding.boxes > 1 else ""
    return {"proved": f"proved{boxes}", "refuted": "refuted", "unknown": f"not decided{boxes}"}[finding.answer]
