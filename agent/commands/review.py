"""`selfnas review list|approve|overrule|send-back|take-in`: what waits for a person, and what people decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from agent.gate.review import Decision
    from agent.ledger.events import Event, Reviewed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

_Home = Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")]
_Digest = Annotated[
    str, typer.Argument(help="The beginning of a finalist's digest, as `list` prints it; not needed with --event.")
]
_Event = Annotated[
    int | None, typer.Option("--event", min=0, help="Number of the event that decided about it, as `list` prints it.")
]
_Task = Annotated[str | None, typer.Option(help="Only finalists of this task.")]
_Run = Annotated[int | None, typer.Option(min=1, help="Only finalists of the run with this number.")]
_Author = Annotated[str, typer.Option(help="Who decides; default: the user of this session.")]
_Sign = Annotated[Path | None, typer.Option(help="Private key of the person who decides; signs the decision.")]
_Mirror = Annotated[bool, typer.Option(help="Write the decision to MLflow too.")]
_DEFAULT_HOME = Path(".selfnas")


@app.command("list")
def list_finalists(
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    awaiting: Annotated[
        bool, typer.Option("--awaiting", help="Only finalists that people must still decide about.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Every finalist: how it stands, why, and what people decided about it."""
    import json

    from rich.console import Console
    from rich.markup import escape

    from agent.commands.inspect import opened_life
    from agent.desk.inbox import Inbox
    from agent.gate.counting import counted, terms_in_force
    from agent.gate.review import finalists, moment, stage
    from agent.report.desk import desk
    from agent.state.state import replay

    console = Console()
    with opened_life(home) as ledger:
        state, times = replay(ledger), ledger.times()
        terms = terms_in_force(state)
        if as_json:
            print(json.dumps(list(desk(state, task=task, run=run, awaiting=awaiting)), indent=1, ensure_ascii=False))
            return
    for held_by, held, finalist in finalists(state):
        reached = stage(terms, held_by, finalist)
        if task in (None, held.name) and run in (None, held_by.number) and (not awaiting or reached == "awaiting"):
            waits = {"awaiting": ", awaiting review", "sent back": ", sent back"}.get(reached, "")
            if (count := counted(terms, held_by, finalist)).wanted > 1:
                waits += f", {count}"
            console.print(
                f"[bold]{finalist.digest[:12]}[/]  {escape(held.name)}, run {held_by.number}: "
                f"{finalist.standing}{escape(waits)} (event {finalist.event})"
            )
            for reason in finalist.audited.reasons if finalist.audited else ():
                console.print(f"  {escape(reason)}", soft_wrap=True, highlight=False)
            for review in finalist.reviews:
                said = review.facts
                text = f"  {moment(times, review.seq)} {said.author}: {said.decision} {said.reason}"
                console.print(escape(text.rstrip()), soft_wrap=True, highlight=False)
    if waiting := len(list(Inbox(home).letters())):
        told = f"{waiting} decision(s) of the desk are not in the ledger yet: `selfnas review take-in` says more"
        console.print(told, style="yellow", highlight=False, soft_wrap=True)


@app.command()
def approve(
    digest: _Digest = "",
    event: _Event = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    author: _Author = "",
    sign: _Sign = None,
    mirror: _Mirror = True,
) -> None:
    """Say that a person looked at an admitted finalist and agrees; a suite can ask for this before it is reused."""
    _decide(
        home, digest, "approve", event=event, author=author, reason=reason, task=task, run=run, sign=sign,
        mirror=mirror,
    )  # fmt: skip


@app.command()
def overrule(
    reason: Annotated[str, typer.Option(help="Why; written to the ledger.")],
    digest: _Digest = "",
    event: _Event = None,
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    author: _Author = "",
    sign: _Sign = None,
    mirror: _Mirror = True,
) -> None:
    """Reverse what stands: let in what the audits refused, marked so, or revoke what was admitted."""
    _decide(
        home, digest, "overrule", event=event, author=author, reason=reason, task=task, run=run, sign=sign,
        mirror=mirror,
    )  # fmt: skip


@app.command("send-back")
def send_back(
    reason: Annotated[str, typer.Option(help="Which audit is missing, and why; written to the ledger.")],
    digest: _Digest = "",
    event: _Event = None,
    home: _Home = _DEFAULT_HOME,
    task: _Task = None,
    run: _Run = None,
    author: _Author = "",
    sign: _Sign = None,
    mirror: _Mirror = True,
) -> None:
    """Ask for another audit of a finalist that nobody decided about; what stands goes on to stand."""
    _decide(
        home, digest, "send back", event=event, author=author, reason=reason, task=task, run=run, sign=sign,
        mirror=mirror,
    )  # fmt: skip


@app.command("take-in")
def take_in(home: _Home = _DEFAULT_HOME, sign: _Sign = None, mirror: _Mirror = True) -> None:
    """Record decisions of the desk that wait since a life was being lived; `selfnas ui` does so by itself."""
    from agent.commands.inspect import mirror_life
    from agent.desk.inbox import Inbox
    from agent.ledger.store import reading

    with reading(home):
        pass  # says so where there is no life
    inbox = Inbox(home, key=_key(sign))
    done = inbox.take_in()
    _tell(home, done)
    left = list(inbox.letters())
    for letter in left:
        names = ", ".join(f"{wish.decision} {wish.digest[:12]} by {wish.author}" for wish in letter.wishes)
        why = "still waits: another agent holds the home"
        if letter.signer != inbox.signer:
            why = f"waits for the key that it is to be signed with ({letter.signer[:12] or 'none'})"
        if letter.refused:
            why = f"refused: {letter.refused}"
        print(f"{names}: {why}")
    if not done and not left:
        print("no decision waits")
    if done and mirror:
        mirror_life(home)


def _decide(
    home: Path,
    digest: str,
    decision: Decision,
    *,
    event: int | None,
    author: str,
    reason: str,
    task: str | None,
    run: int | None,
    sign: Path | None,
    mirror: bool,
) -> None:
    from agent.api.reviewing import Wish, decide
    from agent.commands.inspect import mirror_life

    if not digest and event is None:
        raise typer.BadParameter("say which finalist: the beginning of its digest, or --event")
    wish = Wish(decision=decision, digest=digest, event=event, task=task, run=run, author=author, reason=reason)
    _tell(home, decide(home, [wish], key=_key(sign)))
    if mirror:
        mirror_life(home)


def _tell(home: Path, done: Sequence[Event[Reviewed]]) -> None:
    from agent.api.reviewing import told
    from agent.commands.inspect import opened_life
    from agent.state.state import replay

    if done:
        with opened_life(home) as ledger:
            state = replay(ledger)
            for event in done:
                print(told(event, state))


def _key(path: Path | None) -> Ed25519PrivateKey | None:
    from agent.ledger.signature import private_key

    return None if path is None else private_key(path)
