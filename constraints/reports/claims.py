"""A claim that a person types about a set: read in the set's own words, proved or refuted, written as SMT-LIB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from constraints.engines.encoding import encode
from constraints.engines.referee import Referee
from constraints.judging.proofs import Proof, prove, to_smtlib
from constraints.judging.verification import refused_by
from constraints.language.applicability import misfits
from constraints.language.examples import format_shape
from constraints.language.lexicon import Vocabulary
from constraints.language.resolve import read_condition
from constraints.language.rules import ConstraintSet, Context, Rule
from constraints.reports.report import Report
from selfnas.errors import InputError
from selfnas.files import write_whole
from selfnas.spaces.architecture import Space

__all__ = ["read_claim", "report_proofs"]


def read_claim(set_: ConstraintSet, text: str, space: Space) -> Rule:
    """An expression as a rule, about each cell or, where it needs that, about the whole network.

    Raises:
        InputError: it is no condition in the words of the set and the space, with the place of each fault.

    Example:
        >>> from constraints import load_set
        >>> from selfnas.spaces.named import space_named
        >>> read_claim(load_set("baseline"), "params <= 9000", space_named("nb201")).scope
        'network'
    """
    operations = frozenset(space.operations)
    words = Vocabulary(
        operations=operations,
        opsets={name: members & operations for name, members in set_.opsets.items()},
        tables=set_.tables,
        quantities=set_.quantities,
    )
    readings = []
    for scope in ("cell", "network"):
        condition, faults = read_condition(text, scope, words)
        faults = faults or list(misfits(condition, scope, None, (space,)))
        if not faults:
            return Rule(id="claim", scope=scope, condition=condition, text=text, why="", message="")
        readings.append(faults)
    told = min(readings, key=len)
    raise InputError("\n".join(f"claim, character {fault.offset + 1}: {fault.message}" for fault in told))


def report_proofs(set_: ConstraintSet, text: str, contexts: Sequence[Context], *, smtlib: Path | None) -> Report:
    """Whether everything that a set admits satisfies a claim, in each context.

    Args:
        smtlib: where to write the first context's problem for another solver: unsatisfiable where the claim holds.

    Raises:
        InputError: the claim cannot be read, or the file cannot be written.
    """
    lines, records = [], []
    if smtlib is not None and not smtlib.absolute().parent.is_dir():
        raise InputError(f"{smtlib}: cannot be written: there is no such folder")
    claims = [read_claim(set_, text, context.space) for context in contexts]
    for claim, context in zip(claims, contexts, strict=True):
        proof = _confirmed(prove(set_, claim, context), set_, claim, context)
        lines.append(f"{context.space} at {context.macro} on {format_shape(context.shape)}: {_said(proof)}")
        against = proof.counterexample
        records.append(
            {
                "space": context.space.name,
                "answer": proof.answer,
                "solver": proof.solver,
                "counterexample": None if against is None else str(against),
            }
        )
    if smtlib is not None:
        rules = set_.of_scope("cell", "network")
        write_whole(smtlib, to_smtlib(encode([*rules, claims[0]], contexts[0]), claim=len(rules)))
        lines.append(f"{smtlib}: the same question for {contexts[0].space} in SMT-LIB 2.6; unsat means that it holds")
    failed = any(record["answer"] != "holds" for record in records)
    return Report(text="\n".join(lines), record={"claim": text, "proofs": records}, failed=failed)


def _confirmed(proof: Proof, set_: ConstraintSet, claim: Rule, context: Context) -> Proof:
    """A counterexample counts where the referee, too, admits it and finds that it violates the claim."""
    against = proof.counterexample
    if against is None:
        return proof
    admitted = not refused_by(against, set_, shape=context.shape)
    if admitted and Referee([claim], context).verdicts(against) == [False]:
        return proof
    return Proof(answer="unknown")


def _said(proof: Proof) -> str:
    if proof.answer == "holds":
        return f"holds for everything that is admitted (proved by Z3, {proof.solver} solver)"
    if proof.answer == "fails":
        return f"fails: admitted, and violating it, is {proof.counterexample}"
    return "unknown: no solver decides it within its limit of steps, or the engines do not agree on an example"
