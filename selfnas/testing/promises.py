"""How a check says that a promise is broken."""

from __future__ import annotations

from selfnas.errors import SelfnasError

__all__ = ["ConformanceError", "promise"]


class ConformanceError(SelfnasError, AssertionError):
    """A part does not do what every part of its kind must; test runners report it like a failed assertion."""


def promise(kept: object, message: str) -> None:
    """Raise `ConformanceError` with a message unless a promise is kept; unlike `assert` it is never left out."""
    if not kept:
        raise ConformanceError(message)
