"""The exceptions that cross package borders; each also inherits the builtin a caller would expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ArchitectureError", "InputError", "Problem", "SelfnasError", "ShapeError", "cause", "suggestion"]


class SelfnasError(Exception):
    """Every deliberate error of this project."""


class ArchitectureError(SelfnasError, ValueError):
    """A cell, an architecture or its text form is not well formed, or does not fit its space."""


class ShapeError(SelfnasError, ValueError):
    """An array does not have the shape that was asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in something a person wrote.

    Attributes:
        message: what is wrong, which value, and what would be right.
        file: the file as the person named it; empty when there is none.
        line: 1-based; 0 when unknown.
        column: 1-based; 0 when unknown.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class InputError(SelfnasError, ValueError):
    """Something a person edited cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def suggestion(word: str, known: Sequence[str]) -> str:
    """The tail of a message about an unknown word: the nearest known one, or the whole list.

    Example:
        >>> suggestion("convv3x3", ["conv3x3", "skip"])
        "; did you mean 'conv3x3'?"
        >>> suggestion("zzz", ["conv3x3", "skip"])
        '; known: conv3x3, skip'
    """
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else "; known: " + ", ".join(known)


def cause(error: Exception) -> str:
    """Why something could not be read or written, without what the system says besides: for the end of a message.

    Example:
        >>> cause(FileNotFoundError(2, "No such file or directory", "x.yaml"))
        'no such file or directory'
    """
    return (getattr(error, "strerror", None) or str(error)).lower()
