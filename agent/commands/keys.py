"""`selfnas keys …`: make a key, sign the head of a life's chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="Sign a life's history, so that a rewritten one is detected.", no_args_is_help=True)


@app.command()
def new(
    private: Annotated[Path, typer.Argument(metavar="FILE", help="Private key to write; FILE.pub is public.")],
) -> None:
    """Make an Ed25519 key pair; keep the private key away from the home."""
    from agent.ledger.signature import new_key

    typer.echo(f"private key: {private}\npublic key, for reviewers: {new_key(private)}")


@app.command()
def show(
    public: Annotated[Path, typer.Argument(metavar="FILE.pub", help="Public key file.")],
) -> None:
    """Print a public key in hexadecimal, as `reviewers` of an audit suite names it."""
    from agent.ledger.review_signature import key_text
    from agent.ledger.signature import public_key

    typer.echo(key_text(public_key(public)))


@app.command()
def sign(
    key: Annotated[Path, typer.Option("--key", help="Private key file.")],
    home: Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")] = Path(".selfnas"),
) -> None:
    """Sign the present head of the chain; `selfnas verify --key FILE.pub` checks it."""
    from agent.ledger.home import Home
    from agent.ledger.signature import sign_head
    from agent.ledger.store import reading

    with reading(home) as ledger:
        typer.echo(f"signed {sign_head(ledger, Home(home), key)} events")
