"""`selfnas deploy bundle|check`: a network as a folder that runs with ONNX Runtime and NumPy alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command("bundle")
def make(
    digest: Annotated[str, typer.Argument(help="The beginning of a digest, as `motifs list` prints it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    home: Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")] = Path(".selfnas"),
    precision: Annotated[
        str, typer.Option(help="float32, or int8 with ranges measured on training examples.")
    ] = "float32",
    task: Annotated[str, typer.Option(help="Only of this task.")] = "",
    refused: Annotated[
        bool, typer.Option("--refused", help="A network that the audits refused; card and facts say so.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that lies there.")] = False,
    base: Annotated[Path, typer.Option(help="Directory of the stream file, if its data paths are relative.")] = Path(),
) -> None:
    """Write a bundle: model, facts, runner, examples with answers, certificate, model card, checksums."""
    from agent.api.deploying import bundle
    from agent.api.exporting import read_form
    from agent.commands.inspect import opened_life

    with opened_life(home):
        pass  # says which plug-ins are not here
    held = read_form("onnx", precision)[1]
    made = bundle(home, digest, output, task=task, base=base, refused=refused, precision=held, force=force)
    if refused:
        print("this network was refused by the audits; the bundle says so", file=sys.stderr)
    for sentence in made.sentences:
        print(sentence)
    print(f"{made.folder}: `python run.py` there runs its examples; `selfnas deploy check {made.folder}` checks it")


@app.command("check")
def look(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle.")],
) -> None:
    """Recompute a bundle's checksums, run its examples and compare; exit code 1 where something differs."""
    from agent.api.deploying import check

    found = check(folder)
    for problem in found.problems:
        print(f"{folder}/{problem}", file=sys.stderr)
    told = f"checked {found.files} files and {found.examples} examples"
    if found.problems:
        print(f"{told}: {len(found.problems)} problem(s)")
        raise typer.Exit(1)
    print(f"{told}: all hold; no answer is further off than {found.furthest:.1g}")
