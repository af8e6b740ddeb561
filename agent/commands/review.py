"""`selfnas review list|approve|overrule`: what waits for a person, and what people decided."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

_Home = Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")]
_Digest = Annotated[str, typer.Argument(help="The beginning of a finalist's digest, as `list` prints it.")]
_Task = Annotated[str | None, typer.Option(help="Only finalists of this task.")]
_Run = Annotated[int | None, typer.Option(min=1, help="Only finalists of the run with this number.")]
_Author = Annotated[str, typer.Option(help="Who decides; default: the user of this session.")]
_Mirror = Annotated[bool, typer.Option(help="Write the decision to MLflow too.")]
_DEFAULT_HOME = Path(".selfnas")


@app.command("list")
def list_finalists(
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    awaiting: Annotated[bool, typer.Option("--awaiting", help="Only finalists that no person decided about.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Every finalist: how it stands, why, and what people decided about it."""
    import json

    from rich.console import Console
    from rich.markup import escape

    from agent.commands.inspect import opened_life
    from agent.gate.review import finalists, moment
    from agent.report.desk import desk
    from agent.state.state import replay

    console = Console()
    with opened_life(home) as ledger:
        state, times = replay(ledger), ledger.times()
        if as_json:
            print(json.dumps(list(desk(state, task=task, run=run, awaiting=awaiting)), indent=1, ensure_ascii=False))
            return
    for held_by, held, finalist in finalists(state):
        if task in (None, held.name) and run in (None, held_by.number) and not (awaiting and finalist.reviews):
            waits = "" if finalist.reviews else ", awaiting review"
            console.print(
                f"[bold]{finalist.digest[:12]}[/]  {escape(held.name)}, run {held_by.number}: "
                f"{finalist.standing}{waits}"
            )
            for reason in finalist.audited.reasons if finalist.audited else ():
                console.print(f"  {escape(reason)}", soft_wrap=True, highlight=False)
            for review in finalist.reviews:
                said = review.facts
                text = f"  {moment(times, review.seq)} {said.author}: {said.decision} {said.reason}"
                console.print(escape(text.rstrip()), soft_wrap=True, highlight=False)


@app.command()
def approve(
    digest: _Digest,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    author: _Author = "",
    mirror: _Mirror = True,
) -> None:
    """Say that a person looked at an admitted finalist and agrees; a suite can ask for this before it is reused."""
    _decide(home, digest, "approve", author=author, reason=reason, task=task, run=run, mirror=mirror)


@app.command()
def overrule(
    digest: _Digest,
    reason: Annotated[str, typer.Option(help="Why; written to the ledger.")],
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    author: _Author = "",
    mirror: _Mirror = True,
) -> None:
    """Reverse what stands: let in what the audits refused, marked so, or revoke what was admitted."""
    _decide(home, digest, "overrule", author=author, reason=reason, task=task, run=run, mirror=mirror)


def _decide(
    home: Path,
    digest: str,
    decision: Literal["approve", "overrule"],
    *,
    author: str,
    reason: str,
    task: str | None,
    run: int | None,
    mirror: bool,
) -> None:
    from agent.commands.inspect import held_life, mirror_life
    from agent.gate.review import review
    from agent.ledger.events import Standing
    from agent.state.state import replay

    with held_life(home) as (held, ledger):
        author = author or getpass.getuser()
        said = review(replay(ledger), digest, decision, author=author, reason=reason, task=task, run=run)
        weights = held.weights_file(said.weights_sha256)
        if said.standing == Standing.ADMITTED:
            _check_weights(weights)
        event = ledger.append([said])[0]
    place = f"{said.digest[:12]} (task {said.task}, run {said.run})"
    print(f"event {event.seq}: {place} now stands {said.standing}, by {said.author}")
    if mirror:
        mirror_life(home)


def _check_weights(path: Path) -> None:
    import hashlib

    from selfnas.errors import InputError

    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        raise InputError(f"{path}: the weights are missing or were changed: there is nothing to admit")
