"""`selfnas design SPEC`: a network for a specification, or why there is none, as a person sees it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from agent.api.designing import design as answered
from agent.designing.telling import told_lines

if TYPE_CHECKING:
    from agent.commands.run import Terminal

__all__ = ["design"]


def design(path: Path, folder: str, *, workers: int | None, device: str, anyway: bool) -> bool:
    """Print what is known of a specification and what it came to; False where it is not met.

    Raises:
        InputError: as `agent.api.designing.design`.
    """
    with ExitStack() as shown:

        def observer(home: Path) -> Terminal:
            from agent.commands.run import Terminal

            return shown.enter_context(Terminal(home, mirror=False))

        found = answered(
            path, folder, workers=workers, device=device, anyway=anyway, say=lambda line: print(line, flush=True),
            observer=observer,
        )  # fmt: skip
    if not found.lines:
        return found.possible
    for sentence in told_lines(found.spec, found.lines, found.files, digest=found.digest, precision=found.precision):
        print(sentence)
    if found.folder is not None:
        print(f"{found.folder}: the file with all that is needed to run it; `selfnas deploy check` checks it")
    return found.binding is None
