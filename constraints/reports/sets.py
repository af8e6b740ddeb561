"""Reports on sets: tried, linted, compared, priced, explained, formatted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from constraints.analysis.difference import Side, SpaceDifference, allowance_covers, compare_sets
from constraints.analysis.example_tests import try_examples
from constraints.analysis.impact import Revoked, price_on_table, read_library, read_scores, revoked, sole_stops
from constraints.analysis.lint import lint_set
from constraints.judging.guard import Guard
from constraints.language.examples import format_shape
from constraints.language.rules import ConstraintSet, Context, PolicyChange, Rule
from constraints.language.sentences import say
from constraints.loading.formatting import format_expression, format_set
from constraints.reports.report import Report, say_count
from selfnas.documents import StrictModel, read_document
from selfnas.errors import InputError, Problem, cause, suggestion
from selfnas.spaces.architecture import Architecture, TaskShape

__all__ = [
    "report_difference",
    "report_examples",
    "report_explanation",
    "report_format",
    "report_impact",
    "report_lint",
]


class AllowanceEntry(StrictModel):
    """One loosening that is wanted: so many more in a space, one of them this."""

    space: str
    witness: str
    count: int


class AllowanceModel(StrictModel):
    """An allowance file for `diff`."""

    allow: list[AllowanceEntry]


def report_examples(set_: ConstraintSet, *, mutate: bool) -> Report:
    """Examples, coverage, mutation score."""
    outcome = try_examples(set_, mutate=mutate)
    lines = [f"{outcome.examples} examples, {len(outcome.failures)} failed", *map("  {}".format, outcome.failures)]
    lines += [f"  no example passes rule {rule}" for rule in outcome.never_passed]
    lines += [f"  no example makes rule {rule} fire" for rule in outcome.never_fired]
    if not outcome.never_passed and not outcome.never_fired:
        lines.append("every rule passes and fires in some example")
    if mutate:
        total = outcome.killed + len(outcome.survivors)
        lines.append(f"mutation score {outcome.score:.2f}: {outcome.killed} of {total} mutants noticed")
        lines += [f"  unnoticed: {mutant.rule}, {mutant.change}" for mutant in outcome.survivors]
    failed = bool(outcome.failures or outcome.never_passed or outcome.never_fired)
    return Report(text="\n".join(lines), record=asdict(outcome) | {"score": outcome.score}, failed=failed)


def report_lint(set_: ConstraintSet, contexts: Sequence[Context]) -> Report:
    """Everything suspicious."""
    found = lint_set(set_, contexts=contexts)
    place = set_.path or set_.name
    lines = [
        f"{place}{f':{finding.line}' if finding.line else ''}: {finding.kind}: "
        f"{finding.rule}{': ' if finding.rule else ''}{finding.message}"
        for finding in found
    ]
    record = {"findings": [asdict(finding) for finding in found]}
    return Report(text="\n".join(lines) or "nothing to complain about", record=record, failed=bool(found))


def report_difference(
    old: ConstraintSet,
    new: ConstraintSet,
    contexts: Sequence[Context],
    *,
    samples: int,
    seed: int,
    fail_on: str,
    allow: Path | None,
) -> Report:
    """Relation, counts and witnesses per space."""
    if fail_on not in ("", "looser", "stricter", "any"):
        raise InputError(
            f"--fail-on takes looser, stricter or any, not {fail_on!r}{suggestion(fail_on, ['looser', 'stricter'])}"
        )
    entries = None if allow is None else read_document(allow, AllowanceModel).value.allow
    difference = compare_sets(old, new, contexts, samples=samples, seed=seed)
    named = [s.name if old.name != new.name else s.path or s.name for s in (old, new)]
    lines = [f"{named[1]} is {_relative(difference.relation)} {named[0]}", *_changed_rules(old, new)]
    for space in difference.spaces:
        lines.append(
            f"{space.context.space} at {space.context.macro} on {format_shape(space.context.shape)}: {space.relation}"
        )
        lines += [*_side("lets in", "until now", space.gained), *_side("keeps out", "now", space.lost)]
    effect = "keeps out" if difference.policy == "stricter" else "lets in"
    witness = f": {effect}, e.g., {difference.policy_witness}" if difference.policy_witness else ""
    lines.append(f"changes of policy: {difference.policy}{witness}")
    every = ("looser", "stricter", "incomparable")
    failed = difference.relation in {"": (), "any": every}.get(fail_on, (fail_on, "incomparable"))
    if failed and fail_on == "looser" and entries is not None:
        problems = allowance_covers(difference, [(entry.space, entry.witness, entry.count) for entry in entries])
        lines += problems
        failed = bool(problems)
    record = {
        "relation": difference.relation,
        "spaces": [_side_record(space) for space in difference.spaces],
        "policy": {"relation": difference.policy, "witness": difference.policy_witness},
    }
    return Report(text="\n".join(lines), record=record, failed=failed)


def report_impact(
    set_: ConstraintSet,
    contexts: Sequence[Context],
    *,
    library: Path | None,
    table: Path | None,
    column: str,
    cells: str,
    remembered: Sequence[tuple[Architecture, TaskShape]] | None = None,
) -> Report:
    """Sole stops, revoked motifs, price on a table.

    Args:
        contexts: where its rules are weighed; the shape of the first stands for the tasks of the library file.
        library: text file of architectures.
        table: CSV of scored cells, with a `column` of scores and one of `cells`.
        remembered: an agent's library, each architecture with the shape of the task it won on.
    """
    lines: list[str] = []
    record: dict[str, object] = {}
    for context in contexts:
        guard = Guard.of(set_, context)
        lines.append(f"{context.space} at {context.macro}: turned away by this rule alone")
        stops = sole_stops(guard)
        lines += [f"  {say_count(stop.alone):>26}  {stop.rule}" for stop in stops]
        record[context.space.name] = {stop.rule: asdict(stop.alone) for stop in stops}
    if library is not None or remembered is not None:
        known = [(architecture, contexts[0].shape) for architecture in read_library(library)] if library else []
        known += remembered or ()
        found = [item for architecture, shape in known for item in _revoked(set_, architecture, shape)]
        lines += [f"revokes {item.architecture}: {', '.join(item.rules) or item.verdict}" for item in found]
        lines.append(f"{len(found)} of the {len(known)} in the library would be revoked")
        record["library"] = len(known)
        record["revoked"] = [asdict(item) for item in found]
    if table is not None:
        prices = price_on_table(Guard.of(set_, contexts[0]), read_scores(table, column, cells, contexts[0].space))
        lines.append(f"{contexts[0].space}, {column}: best {prices[0].best:g}")
        for price in prices:
            best = "none" if price.best_admitted is None else f"{price.best_admitted:g}"
            lines.append(f"  {price.admitted:>8,} pass, best {best:>9}  {price.rule or 'all rules together'}")
        record["table"] = [asdict(price) for price in prices]
    return Report(text="\n".join(lines), record=record)


def report_explanation(set_: ConstraintSet, name: str) -> Report:
    """Rules in sentences."""
    rules = [rule for rule in set_.rules if name in ("", rule.id)]
    if not rules:
        raise InputError(f"set {set_.name!r} has no rule {name!r}{suggestion(name, [rule.id for rule in set_.rules])}")
    lines, record = [], []
    for rule in rules:
        sentence = f"{'Forbidden: ' if rule.forbids else 'Required: '}{say(rule.condition)}."
        formula = _formula(rule)
        lines += [f"{rule.id} ({rule.scope})", f"  {sentence}", f"  formula: {formula}", f"  why: {rule.why}"]
        lines.append(f"  message: {rule.message}")
        examples = [
            {"subject": _subject_text(example.subject), "fires": sorted(example.by)} for example in rule.examples
        ]
        lines += [f"  {'rejects' if example['fires'] else 'admits'} {example['subject']}" for example in examples]
        own = {name: getattr(rule, name) for name in ("id", "scope", "why", "message")}
        record.append(own | {"sentence": sentence, "formula": formula, "examples": examples})
    return Report(text="\n".join(lines), record={"rules": record})


def report_format(files: Sequence[Path], *, check_only: bool) -> Report:
    """Format files, or say which would change."""
    changed = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError([Problem(f"cannot be read: {cause(error)}", str(file))]) from error
        formatted = format_set(text, name=str(file))
        if formatted != text:
            changed.append(str(file))
            if not check_only:
                file.write_text(formatted, encoding="utf-8")
    verb = "would change" if check_only else "changed"
    lines = [f"{verb} {name}" for name in changed] or ["nothing to change"]
    return Report(text="\n".join(lines), record={"changed": changed}, failed=check_only and bool(changed))


def _revoked(set_: ConstraintSet, architecture: Architecture, shape: TaskShape) -> tuple[Revoked, ...]:
    if architecture.space.base not in set_.spaces:
        return (Revoked(architecture=str(architecture), verdict="space not in the set", rules=()),)
    guard = Guard.of(set_, Context(space=architecture.space, macro=architecture.macro, shape=shape))
    return revoked(guard, [architecture])


def _subject_text(subject: Architecture | PolicyChange) -> str:
    if isinstance(subject, PolicyChange):
        return f"{dict(subject.old)} -> {dict(subject.new)}"
    return str(subject)


def _formula(rule: Rule) -> str:
    return f"{'forbid' if rule.forbids else 'require'} {format_expression(rule.text)}"


def _relative(relation: str) -> str:
    return {"equivalent": "equivalent to", "incomparable": "incomparable with"}.get(relation, f"{relation} than")


def _changed_rules(old: ConstraintSet, new: ConstraintSet) -> list[str]:
    """One line on each rule that was added, dropped or given another meaning."""
    before, after = ({rule.id: rule for rule in set_.rules} for set_ in (old, new))
    lines = [f"  rule {name} is dropped" for name in before if name not in after]
    lines += [f"  rule {name} is new" for name in after if name not in before]
    for name, rule in after.items():
        if name in before and rule.meaning != before[name].meaning:
            was, now = _formula(before[name]), _formula(rule)
            lines.append(f"  rule {name}: {was} became {now}" if was != now else f"  rule {name} reads other words")
    return lines


def _side(what: str, when: str, side: Side) -> list[str]:
    if not side.count.high:
        return []
    pairs = zip(side.samples, side.stopped_by, strict=True)
    examples = [f"    e.g. {sample}, stopped {when} by {', '.join(rules)}" for sample, rules in pairs]
    return [f"  {what} {say_count(side.count)}", *examples]


def _side_record(space: SpaceDifference) -> dict[str, object]:
    return {
        "space": space.context.space.name,
        "macro": str(space.context.macro),
        "shape": format_shape(space.context.shape),
        "relation": space.relation,
        "gained": asdict(space.gained.count),
        "gained_samples": [str(sample) for sample in space.gained.samples],
        "gained_past": space.gained.stopped_by,
        "lost": asdict(space.lost.count),
        "lost_samples": [str(sample) for sample in space.lost.samples],
        "lost_to": space.lost.stopped_by,
    }
