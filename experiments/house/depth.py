"""How deep our own calls go from a command to its work, counted on real commands.

A command is run in this process. At each call that leaves our packages, of a C function or of another library, our
functions on the stack are counted; one that calls itself counts once, and the reading of the command line does not
count. The median over those calls is the command's depth.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from agent import cli

__all__ = ["depth_of"]

_ROOT = Path(__file__).parents[2]
_OURS = tuple(f"{_ROOT / name}/" for name in ("selfnas", "constraints", "audits", "agent"))
_PARSING = str(_ROOT / "agent" / "cli.py")  # reads the command line


def depth_of(*words: str) -> float:
    """Median number of our functions on the stack at calls that leave our packages; NaN where none does."""
    found: Counter[int] = Counter()

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "c_call":
            caller: FrameType | None = frame
        elif event == "call" and not _is_ours(frame):
            caller = frame.f_back
        else:
            return
        if caller is None or not _is_ours(caller):
            return
        functions = set()
        while caller is not None:
            if _is_ours(caller) and caller.f_code.co_filename != _PARSING:
                functions.add(caller.f_code)
            caller = caller.f_back
        found[len(functions)] += 1

    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), contextlib.suppress(SystemExit):
        sys.argv = ["selfnas", *words]
        sys.setprofile(look)
        try:
            cli.main()
        finally:
            sys.setprofile(None)
    return _median(found)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _median(counts: Counter[int]) -> float:
    half, seen = counts.total() / 2, 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= half:
            return float(value)
    return float("nan")
