"""`selfnas constraints …`: each command parses, calls one function, prints. Heavy imports wait until one is run.

Every command takes `--json`. Exit codes: 0 done, 1 a check failed, 2 misuse or bad input.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfnas.figures import picture_file
from selfnas.plugins import in_force

if TYPE_CHECKING:
    from constraints.language.rules import ConstraintSet, Context
    from constraints.reports.report import Report

__all__ = ["app"]

app = typer.Typer(
    help="Constraint sets: check, test, compare, count and explain what a network may be.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Set = Annotated[str, typer.Argument(metavar="SET", help="Name of a shipped set, or a YAML file.")]
_Architecture = Annotated[
    str, typer.Argument(metavar="ARCHITECTURE", help="`space/c8n1r16:|op~0|+…`, or cells alone with --space.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
_Space = Annotated[str, typer.Option(help="One space; default: every space of the set.")]
_Macro = Annotated[
    str, typer.Option(help="Macro settings as `c8n1r16`: channels, cells per stage, resolution; default: small ones.")
]
_Shape = Annotated[
    str, typer.Option(help="Task shape: channels [x size [x size]] / classes; default: a small one for each space.")
]
_Force = Annotated[bool, typer.Option("--force", help="Replace a file of that name.")]
_Seed = Annotated[int, typer.Option(help="Seed of what is drawn.")]


@app.command()
def check(
    set_: _Set,
    architecture: _Architecture,
    space: _Space = "",
    shape: _Shape = "",
    picture: Annotated[Path | None, typer.Option(help="Also draw the cells here, blamed edges in red (PNG).")] = None,
    force: _Force = False,
    json: _Json = False,
) -> None:
    """Verdict per rule on one architecture; blamed edges and nearest admitted architectures if it is turned away.

    `acquisition: PROGRAM`, or a change of policy in JSON, is judged in its place; a witness tells why it is refused.
    """
    from constraints.reports.architectures import report_check
    from constraints.reports.policies import is_policy, report_policy

    picture_file(picture, force=force)
    if is_policy(architecture):
        with _loaded(set_) as loaded:
            _finish(report_policy(loaded, architecture), json)
        return
    with _loaded(set_) as loaded:
        _finish(report_check(loaded, architecture, space=space, shape=shape, picture=picture), json)


@app.command("test")
def try_out(
    set_: _Set,
    mutate: Annotated[bool, typer.Option(help="Also try mutants of every rule.")] = True,
    json: _Json = False,
) -> None:
    """Judge the set's examples: the rules expected to fire fire, each is exercised, no mutant goes unnoticed."""
    from constraints.reports.sets import report_examples

    with _loaded(set_) as loaded:
        _finish(report_examples(loaded, mutate=mutate), json)


@app.command()
def lint(set_: _Set, space: _Space = "", macro: _Macro = "", shape: _Shape = "", json: _Json = False) -> None:
    """What is suspicious: rules that do nothing, say nothing new, cannot be met or clash; words nobody uses."""
    from constraints.reports.sets import report_lint

    with _loaded(set_) as loaded:
        _finish(report_lint(loaded, _contexts(loaded, space, macro, shape) if macro or space or shape else []), json)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The set in force.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The set that would replace it.")],
    space: _Space = "",
    macro: _Macro = "",
    shape: _Shape = "",
    samples: Annotated[int, typer.Option(min=1, max=1000, help="Witnesses drawn from each side.")] = 3,
    seed: _Seed = 0,
    fail_on: Annotated[str, typer.Option(help="Exit 1 if the edit is this: looser, stricter or any.")] = "",
    allow: Annotated[Path | None, typer.Option(help="YAML file of loosenings that are wanted.")] = None,
    json: _Json = False,
) -> None:
    """What replacing one set by another lets in and keeps out, counted exactly, with witnesses."""
    from constraints.reports.sets import report_difference

    with _loaded(old) as before, _loaded(new) as after:
        contexts = _contexts(before, space, macro, shape, also=after)
        report = report_difference(before, after, contexts, samples=samples, seed=seed, fail_on=fail_on, allow=allow)
        _finish(report, json)


@app.command()
def impact(
    context: typer.Context,
    set_: _Set,
    space: _Space = "",
    macro: _Macro = "",
    shape: _Shape = "",
    library: Annotated[Path | None, typer.Option(help="Text file, one architecture a line: which are revoked?")] = None,
    home: Annotated[Path | None, typer.Option(help="An agent's home: which of its motifs are revoked?")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV of scored cells: what does each rule cost?")] = None,
    column: Annotated[str, typer.Option(help="Column of the scores, higher is better.")] = "",
    cells: Annotated[str, typer.Option(help="Column of the cells.")] = "arch",
    json: _Json = False,
) -> None:
    """What each rule alone turns away, what of a library would be revoked, what the set costs on a table."""
    from constraints.reports.sets import report_impact

    with _loaded(set_) as loaded:
        contexts = _contexts(loaded, space, macro, shape)
        remembered = context.find_root().obj(home) if home is not None else None  # this package knows no homes
        report = report_impact(
            loaded, contexts, library=library, table=table, column=column, cells=cells, remembered=remembered
        )
        _finish(report, json)


@app.command()
def count(set_: _Set, space: _Space = "", macro: _Macro = "", shape: _Shape = "", json: _Json = False) -> None:
    """How many architectures are admitted, as spelled: exact, or an estimate with its interval."""
    from constraints.reports.architectures import report_count

    with _loaded(set_) as loaded:
        _finish(report_count(loaded, _contexts(loaded, space, macro, shape)), json)


@app.command()
def prove(
    set_: _Set,
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help='A condition as rules state it: "depth <= 3".')],
    space: _Space = "",
    macro: _Macro = "",
    shape: _Shape = "",
    smtlib: Annotated[
        Path | None, typer.Option(help="Write the question here too, a .smt2 for another solver.")
    ] = None,
    force: _Force = False,
    json: _Json = False,
) -> None:
    """Does everything that is admitted satisfy a claim? Proved, or refuted by an example; exit 1 unless it holds."""
    from constraints.reports.claims import report_proofs
    from selfnas.files import check_output

    if smtlib is not None:
        check_output(smtlib, (".smt2", ".smt"), force=force)
    with _loaded(set_) as loaded:
        _finish(report_proofs(loaded, claim, _contexts(loaded, space, macro, shape), smtlib=smtlib), json)


@app.command()
def sample(
    set_: _Set,
    number: Annotated[int, typer.Option("-n", min=1, max=1_000_000, help="How many.")] = 10,
    space: _Space = "",
    macro: _Macro = "",
    shape: _Shape = "",
    seed: _Seed = 0,
    json: _Json = False,
) -> None:
    """Admitted architectures, independent and exactly uniform."""
    from constraints.reports.architectures import report_sample

    with _loaded(set_) as loaded:
        _finish(report_sample(loaded, _contexts(loaded, space, macro, shape)[:1], number=number, seed=seed), json)


@app.command()
def repair(
    set_: _Set,
    architecture: _Architecture,
    space: _Space = "",
    shape: _Shape = "",
    number: Annotated[int, typer.Option("-n", min=1, max=100, help="At most so many.")] = 3,
    json: _Json = False,
) -> None:
    """The admitted architectures nearest to one that is turned away."""
    from constraints.reports.architectures import report_repair

    with _loaded(set_) as loaded:
        _finish(report_repair(loaded, architecture, space=space, shape=shape, number=number), json)


@app.command()
def explain(
    set_: _Set,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule; default: every rule.")] = "",
    json: _Json = False,
) -> None:
    """A rule in a sentence, its formula, why it is there, its examples."""
    from constraints.reports.sets import report_explanation

    with _loaded(set_) as loaded:
        _finish(report_explanation(loaded, rule), json)


@app.command()
def fmt(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Set files.")],
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if something would change.")
    ] = False,
    json: _Json = False,
) -> None:
    """Write set files in their canonical form; comments stay."""
    from constraints.reports.sets import report_format

    _finish(report_format(files, check_only=check_only), json)


@contextlib.contextmanager
def _loaded(name: str) -> Iterator[ConstraintSet]:
    """A set, with the plug-ins that it names in force."""
    from constraints.loading.loading import load_set

    loaded = load_set(name)
    with in_force(*loaded.plugins):
        yield loaded


def _contexts(
    set_: ConstraintSet, space: str, macro: str, shape: str, *, also: ConstraintSet | None = None
) -> list[Context]:
    from constraints.reports.report import chosen_contexts

    return chosen_contexts(set_, space=space, macro=macro, shape=shape, also=also)


def _finish(report: Report, json: bool) -> None:
    typer.echo(report.to_json() if json else report.text)
    if report.failed:
        raise typer.Exit(1)
