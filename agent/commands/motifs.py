"""`selfnas motifs list|show|export`: the library, for people."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.commands.inspect import open_life
from agent.ledger.home import Home
from agent.state.state import LifeState, Motif, TaskState, items, mapping, replay
from audits import Finding
from selfnas.errors import InputError, cause
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["export", "remembered", "show_motif", "show_motifs"]


def show_motifs(home: Path, *, task: str | None) -> None:
    """Print the library, newest first."""
    console = Console()
    with open_life(home) as ledger:
        state = replay(ledger)
    library = state.library
    for motif, reason in state.quarantined.values():
        if task in (None, motif.task):
            rules = ", ".join(str(rule) for rule in items(reason["failed"])) or "not decided"
            console.print(f"[red]{motif.digest[:12]}[/]  {escape(motif.task)}, run {motif.run}: quarantined by {rules}")
    chosen = [motif for motif in reversed(library) if task in (None, motif.task)]
    if not chosen:
        console.print("the library is empty" if not library else f"nothing was admitted on task {escape(str(task))}")
        return
    for motif in chosen:
        console.print(
            f"[bold]{motif.digest[:12]}[/]  {escape(motif.task)}, run {motif.run}: "
            f"validation {100 * motif.validation:.1f} %, test {100 * motif.test:.1f} %, {motif.params:,} parameters",
            soft_wrap=True,
        )
        console.print(f"  {escape(motif.architecture)}", soft_wrap=True, highlight=False)


def remembered(home: Path) -> list[tuple[Architecture, TaskShape]]:
    """The library, each architecture with the shape of the task it won on; the quarantined are left out."""
    with open_life(home) as ledger:
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
    with open_life(home) as ledger:
        state = replay(ledger)
    if optional and not any(motif.digest.startswith(digest) for motif in state.library):
        return
    for motif in _find(state, digest):
        task = _task_of(state, motif)
        console.print(f"[bold]{motif.digest}[/]\n{escape(motif.architecture)}")
        console.print(f"admitted on task {escape(motif.task)} in run {motif.run}, event {motif.seq}")
        console.print(
            f"validation {100 * motif.validation:.1f} %, test {100 * motif.test:.1f} %, {motif.params:,} parameters"
        )
        console.print(f"weights: {Home(home).weights / (motif.weights_sha256 + '.safetensors')}", soft_wrap=True)
        console.print(f"pictures: {Home(home).pictures(motif.run, motif.task) / motif.digest[:12]}", soft_wrap=True)
        audited = task.finalist(motif.digest).audited or {}
        table = Table(title="audits", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("finding", "estimate [95 %]", "n", "limit", "decision", "role"):
            table.add_column(name, overflow="fold")
        for record in items(audited.get("findings", [])):
            finding = Finding.from_record(mapping(record))
            table.add_row(escape(finding.label), _interval(finding), str(finding.n), f"{finding.threshold:g}",
                          finding.decision, finding.role)  # fmt: skip
        console.print(table)
        console.print(f"certificate: {escape(task.certificates[motif.architecture])}", soft_wrap=True)


def export(home: Path, digest: str, output: Path) -> None:
    """Write the trained network as a `torch.export` program with a free batch size.

    Raises:
        InputError: no motif, or several, with such a digest; its weights are missing; the file cannot be written.
    """
    import torch

    from agent.state.networks import restore_network
    from agent.state.state import task_shape

    with open_life(home) as ledger:
        state = replay(ledger)
    motif = _find(state, digest)[-1]
    task = _task_of(state, motif)
    shape = task_shape(task.started)
    network = restore_network(task, motif.architecture, Home(home).weights_file(motif.weights_sha256))
    example = torch.zeros((2, shape.channels, *shape.size))
    program = torch.export.export(network, (example,), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    try:
        with output.open("wb") as file:
            torch.export.save(program, file)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {cause(error)}") from error
    sizes = ", ".join(map(str, ("b", shape.channels, *shape.size)))
    print(f"{output}: ({sizes}) float32 -> (b, {shape.classes}) logits; torch.export.load reads it")


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
