"""`selfnas dossier DIGEST|life -o DIR`, `selfnas dossier verify DIR`: what a regulator may be handed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context

    from agent.dossier.folder import Dossier
    from agent.dossier.life_folder import LifeDossier

__all__ = ["app"]


class _Group(TyperGroup):
    """A digest where a command could stand asks for its dossier."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As if `make` had been written."""
        known = {*self.commands, "-h", "--help"}
        return super().parse_args(ctx, ["make", *args] if args and args[0] not in known else args)


app = typer.Typer(cls=_Group, no_args_is_help=True)

_Home = Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")]
_Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is made.")]
_Stated = Annotated[
    Path | None,
    typer.Option("--stated", metavar="FILE", help="JSON: what the provider states, by the keys of annex-iv.json."),
]
_Names = Annotated[bool, typer.Option("--names", help="Name the people who decided; else they are numbered.")]
_Sign = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Private key of whoever hands it over; signs all files.")
]
_DEFAULT_HOME = Path(".selfnas")


@app.command("make")
def make(
    digest: Annotated[str, typer.Argument(help="The beginning of a network's digest.")],
    output: _Output,
    home: _Home = _DEFAULT_HOME,
    task: Annotated[str | None, typer.Option(help="Only networks of this task.")] = None,
    run: Annotated[int | None, typer.Option(min=1, help="Only networks of the run with this number.")] = None,
    stated: _Stated = None,
    names: _Names = False,
    sign: _Sign = None,
) -> None:
    """Write bill of materials, technical documentation and provenance; `selfnas dossier DIGEST -o DIR` is the same."""
    from agent.commands.inspect import opened_life
    from agent.dossier.evidence import read_evidence
    from agent.dossier.files import PAGE
    from agent.dossier.folder import made
    from agent.dossier.writing import read_stated

    with opened_life(home) as ledger:
        found = read_evidence(ledger, digest, task=task, run=run)
        dossier = made(found, names=names, stated=read_stated(stated) if stated else {})
    _write(output, dossier, sign)
    counts = dossier.counts
    print(
        f"{output / PAGE}: {counts['derived']} sentences are derived, {counts['stated']} stated by the provider, "
        f"{counts['open']} to be stated by the provider; as of event {found.head.seq}"
    )


@app.command("life")
def life(
    output: _Output,
    home: _Home = _DEFAULT_HOME,
    stated: _Stated = None,
    names: _Names = False,
    sign: _Sign = None,
) -> None:
    """The same for all networks that a life admitted, with the life's own record, and where each sentence belongs."""
    from agent.commands.inspect import opened_life
    from agent.dossier.folder import made
    from agent.dossier.life_evidence import read_life
    from agent.dossier.life_folder import LIFE_PAGE, made_of_life
    from agent.dossier.writing import read_stated

    with opened_life(home) as ledger:
        found = read_life(ledger)
        texts = read_stated(stated) if stated else {}
        dossier = made_of_life(found, lambda one: made(one, names=names, stated=texts), names=names)
    _write(output, dossier, sign)
    print(
        f"{output / LIFE_PAGE}: {len(dossier.statements)} sentences about the life, all derived, and dossiers of "
        f"{len(dossier.networks)} networks; as of event {found.head.seq}"
    )


def _write(output: Path, dossier: Dossier | LifeDossier, sign: Path | None) -> None:
    from agent.dossier.signing import sign_dossier
    from agent.dossier.writing import write_dossier
    from agent.ledger.signature import private_key

    key = None if sign is None else private_key(sign)
    write_dossier(output, dossier)
    if key is not None:
        sign_dossier(output, key)


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `selfnas dossier` wrote.")],
    home: _Home = _DEFAULT_HOME,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE.pub", help="Public key that the dossier must be signed with.")
    ] = None,
    life: Annotated[bool, typer.Option(help="Verify the life as well, without which its records prove little.")] = True,
) -> None:
    """Make every derived sentence, number and digest again, and name each that the ledger does not give."""
    from agent.commands.inspect import opened_life, print_verification
    from agent.dossier.checking import check_dossier
    from agent.dossier.life_checking import check_life_dossier, is_of_life
    from agent.dossier.signing import check_dossier_signature
    from agent.ledger.home import Home
    from agent.ledger.signature import public_key
    from agent.verify.verification import Verification
    from agent.verify.verification import verify as verify_life

    with opened_life(home) as ledger:
        result = verify_life(ledger, Home(home)) if life else Verification()
        check = check_life_dossier if is_of_life(folder) else check_dossier
        problems = check(folder, ledger, Home(home))
        problems += check_dossier_signature(folder, None if key is None else public_key(key))
    result.checked["dossier"] += 1
    result.problems += problems
    raise typer.Exit(0 if print_verification(result) else 1)
