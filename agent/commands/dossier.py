"""`selfnas dossier DIGEST -o DIR`, `selfnas dossier verify DIR`: what a regulator may be handed about one network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context

__all__ = ["app"]


class _Group(TyperGroup):
    """A digest where a command could stand asks for its dossier."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As if `make` had been written."""
        known = {*self.commands, "-h", "--help"}
        return super().parse_args(ctx, ["make", *args] if args and args[0] not in known else args)


app = typer.Typer(cls=_Group, no_args_is_help=True)

_Home = Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")]
_DEFAULT_HOME = Path(".selfnas")


@app.command("make")
def make(
    digest: Annotated[str, typer.Argument(help="The beginning of a network's digest.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is made.")],
    home: _Home = _DEFAULT_HOME,
    task: Annotated[str | None, typer.Option(help="Only networks of this task.")] = None,
    run: Annotated[int | None, typer.Option(min=1, help="Only networks of the run with this number.")] = None,
    stated: Annotated[
        Path | None,
        typer.Option("--stated", metavar="FILE", help="JSON: what the provider states, by the keys of annex-iv.json."),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Name the people who decided; else they are numbered.")
    ] = False,
) -> None:
    """Write bill of materials, technical documentation and provenance; `selfnas dossier DIGEST -o DIR` is the same."""
    from agent.commands.inspect import opened_life
    from agent.dossier.evidence import read_evidence
    from agent.dossier.folder import PAGE, made
    from agent.dossier.writing import read_stated, write_dossier

    with opened_life(home) as ledger:
        found = read_evidence(ledger, digest, task=task, run=run)
        dossier = made(found, names=names, stated=read_stated(stated) if stated else {})
    write_dossier(output, dossier)
    counts = dossier.counts
    print(
        f"{output / PAGE}: {counts['derived']} sentences are derived, {counts['stated']} stated by the provider, "
        f"{counts['open']} to be stated by the provider; as of event {found.head.seq}"
    )


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `selfnas dossier` wrote.")],
    home: _Home = _DEFAULT_HOME,
    life: Annotated[bool, typer.Option(help="Verify the life as well, without which its records prove little.")] = True,
) -> None:
    """Make every derived sentence, number and digest again, and name each that the ledger does not give."""
    from agent.commands.inspect import opened_life, print_verification
    from agent.dossier.checking import check_dossier
    from agent.ledger.home import Home
    from agent.verify.verification import Verification
    from agent.verify.verification import verify as verify_life

    with opened_life(home) as ledger:
        result = verify_life(ledger, Home(home)) if life else Verification()
        problems = check_dossier(folder, ledger, Home(home))
    result.checked["dossier"] += 1
    result.problems += problems
    raise typer.Exit(0 if print_verification(result) else 1)
