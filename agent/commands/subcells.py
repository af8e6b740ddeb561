"""`selfnas motifs list|show|revoke` for mined sub-cells and the operators composed of them."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.commands.inspect import open_life
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.memory.operators import find_operator, operator_revocation
from agent.memory.subcells import find_sub_cell, mined_in_force, revocation, sentence
from agent.report.subcell_uses import uses_of
from agent.state.state import items, number, replay
from selfnas.errors import InputError, cause
from selfnas.search.subcells import picture_cell

__all__ = ["list_sub_cells", "revoke", "show_sub_cell"]


def list_sub_cells(home: Path) -> None:
    """Print the sub-cells in force, the surest gain first, operators, and what was revoked; nothing where none is."""
    console = Console()
    with open_life(home) as ledger:
        state = replay(ledger)
    for space, tabular in state.mined:
        mined = mined_in_force(state, space=space, tabular=tabular)
        if mined:
            source = "tables" if tabular else "trained networks"
            console.print(f"sub-cells mined from winners of space {escape(space)} ({source}):")
        for one in mined:
            console.print(f"[bold]{one.sub_cell.digest[:12]}[/]  {escape(sentence(one))}", soft_wrap=True)
            console.print(f"  {escape(one.sub_cell.text)}", soft_wrap=True, highlight=False)
    for kind, operator in state.operators:
        outcome = kind.removeprefix("operator.")
        told = f"{outcome} after {operator['task']}, run {int(number(operator['run']))}"
        if outcome == "refused":
            told += f" by {', '.join(map(str, items(operator['failed'])))}"
        name = f"{operator['space']}: {operator['operator']}"
        console.print(f"[bold]{str(operator['digest'])[:12]}[/]  operator {escape(told)}", soft_wrap=True)
        console.print(f"  {escape(name)}", soft_wrap=True, highlight=False)
    for digest, revoked in state.revoked.items():
        text = f"[red]{digest[:12]}[/]  revoked by {escape(str(revoked['author']))}: {escape(str(revoked['reason']))}"
        console.print(text, soft_wrap=True)


def show_sub_cell(home: Path, digest: str) -> bool:
    """Print what is known of one mined sub-cell and draw it; False where none has such a digest.

    Raises:
        InputError: several do.
    """
    from agent.report.page_pictures import cells_picture

    console = Console()
    with open_life(home) as ledger:
        state = replay(ledger)
    found = find_sub_cell(state, digest)
    if found is None:
        return False
    one, tabular = found
    console.print(f"[bold]{one.sub_cell.digest}[/]\nmined sub-cell of space {escape(one.sub_cell.space.name)}")
    console.print(escape(one.sub_cell.text), highlight=False, soft_wrap=True)
    console.print(escape(sentence(one)), soft_wrap=True)
    console.print(f"winners of: {escape(', '.join(one.tasks))}", soft_wrap=True)
    for use in uses_of(state, one.sub_cell, tabular=tabular):
        console.print(escape(str(use)), soft_wrap=True)
    path = Home(home).report / "subcells" / f"{one.sub_cell.digest[:12]}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cells_picture(one.sub_cell.digest[:12], [("", picture_cell(one.sub_cell))], part=True))
        console.print(f"picture: {path}", soft_wrap=True)
    except OSError as error:
        console.print(escape(f"no picture: {path} cannot be written: {cause(error)}"), soft_wrap=True)
    return True


def revoke(home: Path, digest: str, *, author: str, reason: str) -> None:
    """Write the revocation of a sub-cell, and of all operators made of it, or of one operator to the ledger.

    Raises:
        InputError: no life, no such sub-cell or operator, or another agent holds the home.
    """
    open_life(home).__exit__(None, None, None)  # a home without a life is refused, not made
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger:
        state, author = replay(ledger), author or getpass.getuser()
        if find_operator(state, digest) and find_sub_cell(state, digest):
            raise InputError(f"an operator and a sub-cell begin with {digest!r}: say more of the digest")
        entry = operator_revocation(state, digest, author=author, reason=reason)
        event = ledger.append([entry or revocation(state, digest, author=author, reason=reason)])[0]
    gone, what = str(event.payload["digest"])[:12], "operator" if entry else "sub-cell"
    print(f"event {event.seq}: {what} {gone} is out of use, by {event.payload['author']}")
