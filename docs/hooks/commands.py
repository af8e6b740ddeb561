"""The command line, as Typer documents it."""

from __future__ import annotations

import re

import typer
from sources import COMMANDS, load
from typer.cli import get_docs_for_click

__all__ = ["commands", "options"]

_PROGRAM = "selfnas"


def commands() -> str:
    """Markdown: every command with its arguments and options."""
    command = _command()
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name=_PROGRAM)
    text = text[text.index("\n## ") :]
    text = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n?", "", text)  # each follows as a section of its own
    text = re.sub(r"\*\*Options\*\*:\n\n\* `--help`.*\n", "", text)
    return re.sub(r"\* `--help`.*\n", "", text).replace("\n```console", "\n```text").strip()


def options() -> dict[str, set[str]]:
    """By command, such as `selfnas audits run`: the options that it takes."""
    found: dict[str, set[str]] = {}

    def visit(command: typer.core.TyperGroup | typer.core.TyperCommand, name: str) -> None:
        found[name] = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        for inner, each in getattr(command, "commands", {}).items():
            visit(each, f"{name} {inner}")

    visit(_command(), _PROGRAM)
    return found


def _command() -> typer.core.TyperGroup:
    return typer.main.get_command(load(COMMANDS))  # type: ignore[arg-type,return-value]
