"""`selfnas motifs …`: the library, mined sub-cells and the operators composed of them, for people."""

from __future__ import annotations

import getpass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.commands.inspect import held_life, opened_life
from agent.gate.admission import findings_of
from agent.gate.counting import counted, terms_in_force
from agent.ledger.events import OperatorRefused
from agent.ledger.home import Home
from agent.memory.operators import find_operator, operator_revocation
from agent.memory.subcells import find_sub_cell, mined_in_force, revocation, sentence
from agent.report.deployments import deployment
from agent.report.summary import told_figures
from agent.report.uses import uses_of
from agent.state.spending import spent_at
from agent.state.state import LifeState, Motif, TaskState, replay
from agent.state.taught import taught_sentence
from audits import Finding
from audits.contract.reviewing import USUAL_TERMS
from selfnas.errors import InputError
from selfnas.files import write_whole
from selfnas.plugins import MissingPluginError
from selfnas.search.subcells import picture_cell
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["export", "list_sub_cells", "remembered", "revoke", "show_motif", "show_motifs", "show_sub_cell"]


def show_motifs(home: Path, *, task: str | None) -> None:
    """Print the library, newest first."""
    console = Console()
    with opened_life(home) as ledger:
        state = replay(ledger)
    library = state.library
    for motif, reason in state.quarantined.values():
        if task in (None, motif.task):
            rules = ", ".join(reason.failed) or "not decided"
            console.print(f"[red]{motif.digest[:12]}[/]  {escape(motif.task)}, run {motif.run}: quarantined by {rules}")
    chosen = [motif for motif in reversed(library) if task in (None, motif.task)]
    if not chosen:
        console.print("the library is empty" if not library else f"nothing was admitted on task {escape(str(task))}")
        return
    for motif in chosen:
        console.print(
            f"[bold]{motif.digest[:12]}[/]  {escape(motif.task)}, run {motif.run}: "
            f"{told_figures(motif.metric, motif.validation, motif.test)}, {motif.params:,} parameters",
            soft_wrap=True,
        )
        console.print(f"  {escape(motif.architecture)}", soft_wrap=True, highlight=False)


def remembered(home: Path) -> list[tuple[Architecture, TaskShape]]:
    """The library, each architecture with the shape of the task it won on; the quarantined are left out."""
    with opened_life(home) as ledger:
        library = replay(ledger).library
        return [(parse_architecture(motif.architecture), motif.shape) for motif in library]


def show_motif(home: Path, digest: str, *, optional: bool = False) -> None:
    """Print everything that is known of one admitted architecture.

    Args:
        optional: there may be none with such a digest; nothing is printed then.

    Raises:
        InputError: no motif, or several, with such a digest.
    """
    console = Console()
    with opened_life(home) as ledger:
        state = replay(ledger)
        if optional and not any(motif.digest.startswith(digest) for motif in state.library):
            return
        for motif in _find(state, digest):
            task = _task_of(state, motif)
            console.print(f"[bold]{motif.digest}[/]\n{escape(motif.architecture)}")
            console.print(f"admitted on task {escape(motif.task)} in run {motif.run}, event {motif.seq}")
            console.print(f"{told_figures(motif.metric, motif.validation, motif.test)}, {motif.params:,} parameters")
            console.print(f"weights: {Home(home).weights / (motif.weights_sha256 + '.safetensors')}", soft_wrap=True)
            console.print(f"pictures: {Home(home).pictures(motif.run, motif.task) / motif.digest[:12]}", soft_wrap=True)
            if (terms := terms_in_force(state)) != USUAL_TERMS:
                where = state.runs[motif.run - 1]
                people = counted(terms, where, where.tasks.named(motif.task).finalist(motif.digest))
                console.print(escape(f"people: {people}; the suite: {terms}"), soft_wrap=True, highlight=False)
            if (used := spent_at(state.runs[motif.run - 1], task, motif.digest)) is not None:
                console.print(f"audit split: {used}", soft_wrap=True, highlight=False)
            if taught := taught_sentence(task.started):
                console.print(escape(f"audit split: {taught}"), soft_wrap=True, highlight=False)
            audited = task.finalist(motif.digest).audited
            table = Table(title="audits", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
            for name in ("finding", "estimate [95 %]", "n", "limit", "decision", "role"):
                table.add_column(name, overflow="fold")
            for finding in findings_of(audited) if audited else ():
                said = "[dim]not tested[/]" if finding.decision == "untested" else finding.decision
                table.add_row(escape(finding.label), _interval(finding), str(finding.n), f"{finding.threshold:g}",
                              said, finding.role)  # fmt: skip
            console.print(table)
            console.print(f"certificate: {escape(task.certificates[motif.architecture])}", soft_wrap=True)
            for one in state.deployed:
                if one.facts.where == motif.where:
                    console.print(f"event {one.seq}: deployed as {escape(deployment(one.facts))}", soft_wrap=True)


def export(
    home: Path,
    digest: str,
    output: Path,
    *,
    task: str,
    base: Path,
    refused: bool,
    bare: bool,
    force: bool,
    form: str,
    precision: str,
) -> None:
    """Write a trained network to a file, and say what it takes and gives; see `agent.api.exporting`.

    Raises:
        InputError: as `agent.api.exporting.export`.
        ExportError: likewise.
    """
    from agent.api.exporting import export as written
    from agent.api.exporting import read_form

    with opened_life(home):
        pass  # says which plug-ins are not here
    told = read_form(form, precision)
    made = written(
        home, digest, output, task=task, base=base, refused=refused, bare=bare, force=force, form=told[0],
        precision=told[1],
    )  # fmt: skip
    if refused:
        Console(stderr=True).print("this network was refused by the audits; the file says so", style="yellow")
    reader = "torch.export.load" if form == "pt2" else "onnxruntime.InferenceSession"
    print(f"{made.path}: {made.signature}; {reader} reads it\n{made.beside}: the same in words")


def list_sub_cells(home: Path) -> None:
    """Print the sub-cells in force, the surest gain first, operators, and what was revoked; nothing where none is."""
    console = Console()
    with opened_life(home) as ledger:
        state = replay(ledger)
        for space, tabular in state.mined:
            try:
                mined = mined_in_force(state, space=space, tabular=tabular)
            except MissingPluginError:
                continue  # said when the life was opened
            if mined:
                source = "tables" if tabular else "trained networks"
                console.print(f"sub-cells mined from winners of space {escape(space)} ({source}):")
            for one in mined:
                console.print(f"[bold]{one.sub_cell.digest[:12]}[/]  {escape(sentence(one))}", soft_wrap=True)
                console.print(f"  {escape(one.sub_cell.text)}", soft_wrap=True, highlight=False)
        for decided in state.operators:
            told = f"{decided.kind.removeprefix('operator.')} after {decided.task}, run {decided.run}"
            if isinstance(decided, OperatorRefused):
                told += f" by {', '.join(decided.failed)}"
            name = f"{decided.space}: {decided.operator}"
            console.print(f"[bold]{decided.digest[:12]}[/]  operator {escape(told)}", soft_wrap=True)
            console.print(f"  {escape(name)}", soft_wrap=True, highlight=False)
        for digest, revoked in state.revoked.items():
            text = f"[red]{digest[:12]}[/]  revoked by {escape(revoked.author)}: {escape(revoked.reason)}"
            console.print(text, soft_wrap=True)


def show_sub_cell(home: Path, digest: str) -> bool:
    """Print what is known of one mined sub-cell and draw it; False where none has such a digest.

    Raises:
        InputError: several do.
    """
    from agent.report.page_pictures import cells_picture

    console = Console()
    with opened_life(home) as ledger:
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
            write_whole(path, cells_picture(one.sub_cell.digest[:12], [("", picture_cell(one.sub_cell))], part=True))
            console.print(f"picture: {path}", soft_wrap=True)
        except InputError as error:
            console.print(escape(f"no picture: {error}"), soft_wrap=True)
        return True


def revoke(home: Path, digest: str, *, author: str, reason: str) -> None:
    """Write the revocation of a sub-cell, and of all operators made of it, or of one operator to the ledger.

    Raises:
        InputError: no life, no such sub-cell or operator, or another agent holds the home.
    """
    with held_life(home) as (_, ledger):
        state, author = replay(ledger), author or getpass.getuser()
        if find_operator(state, digest) and find_sub_cell(state, digest):
            raise InputError(f"an operator and a sub-cell begin with {digest!r}: say more of the digest")
        operator = operator_revocation(state, digest, author=author, reason=reason)
        revoked = operator or revocation(state, digest, author=author, reason=reason)
        event = ledger.append([revoked])[0]
    what = "operator" if operator else "sub-cell"
    print(f"event {event.seq}: {what} {revoked.digest[:12]} is out of use, by {revoked.author}")


def _interval(finding: Finding) -> str:
    if finding.estimate is None or finding.low is None or finding.high is None:
        return "–"
    return f"{finding.estimate:.3f} [{finding.low:.3f}, {finding.high:.3f}]"


def _find(state: LifeState, digest: str) -> list[Motif]:
    found = [motif for motif in state.library if motif.digest.startswith(digest)]
    if not digest or not found:
        raise InputError(f"no admitted architecture has a digest that begins with {digest!r}")
    if len({motif.digest for motif in found}) > 1:
        raise InputError(f"several digests begin with {digest!r}: {', '.join(sorted({m.digest[:16] for m in found}))}")
    return found


def _task_of(state: LifeState, motif: Motif) -> TaskState:
    return state.runs[motif.run - 1].tasks.named(motif.task)
