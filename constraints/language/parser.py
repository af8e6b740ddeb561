"""From the text of an expression to a parse tree, or to problems with their offset, by Lark.

What the words mean is settled in `resolve.py`. Length and nesting are bounded here, so that no text a person (or a
fuzzer) writes costs more than a few milliseconds or runs into Python's recursion limit.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Literal

from selfnas.errors import suggestion

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

__all__ = ["MAX_LENGTH", "MAX_NESTING", "Fault", "excess", "parse"]

MAX_LENGTH = 4_000  # characters of one expression; the longest that ships has under 200
MAX_NESTING = 32  # open brackets and `not` in one expression; each costs a few Python frames later on

_OPENERS = re.compile(r"[({]|\bnot\b|\bimplies\b")

# The words that a terminal of the grammar stands for, where it lists them.
_CHOICES = {
    "EQUALITY": ("==", "!="),
    "SIGN": ("+", "-"),
    "TREND": ("rises", "falls"),
    "SIDE": ("max", "min"),
    "FAN": ("fan_in", "fan_out"),
    "LINK": ("then", "before"),
    "COST": ("params", "macs", "activation_bytes"),
    "TEXT_FIELD": ("space", "cell"),
    "NUMBER_FIELD": ("dimensions", "task_channels", "classes", "size", "width", "cells_per_stage"),
}
# What a reader of an error message calls the others.
_READABLE = {
    "INT": "a whole number",
    "DECIMAL": "a number",
    "NAME": "a name",
    "WORD": "a name",
    "UNIT": "a unit",
    "FIELD": "old.<field> or new.<field>",
    "COMPARISON": "a comparison",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in an expression, at which character (0-based)."""

    offset: int
    message: str


def parse(text: str, start: Literal["condition", "when"]) -> Tree[Token] | Fault:
    """Parse a condition or a `when`.

    Example:
        >>> parse("depth <= ", "condition")
        Fault(offset=9, message='the expression ends where a number was expected')
    """
    if fault := excess(text):
        return fault
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    try:
        return _grammar().parse(text, start=start)
    except UnexpectedToken as error:
        at_end, place = error.token.type == "$END", error.pos_in_stream
        offset = len(text) if at_end or place is None else place
        return _unexpected(str(error.token), at_end, offset, error.accepts)
    except UnexpectedCharacters as error:
        word = re.match(r"[\w.\-]+|.", text[error.pos_in_stream :], re.S)
        return _unexpected(word[0] if word else "", False, error.pos_in_stream or 0, error.allowed)


def excess(text: str) -> Fault | None:
    """What makes an expression too long or too deep to be parsed; None where nothing does."""
    if len(text) > MAX_LENGTH:
        return Fault(MAX_LENGTH, f"an expression has at most {MAX_LENGTH:,} characters, not {len(text):,}")
    openers = list(_OPENERS.finditer(text))
    if len(openers) > MAX_NESTING and _nesting(text) > MAX_NESTING:
        return Fault(openers[MAX_NESTING].start(), f"brackets, 'not' and 'implies' nest at most {MAX_NESTING} deep")
    return None


@functools.cache
def _grammar() -> Lark:
    from lark import Lark

    text = resources.files("constraints").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start=["condition", "when"], propagate_positions=True, maybe_placeholders=True)


def _nesting(text: str) -> int:
    """An upper bound of how deep the tree gets: brackets open at once, plus every `not` and `implies`."""
    deepest = depth = words = 0
    for match in re.finditer(r"[({})]|\bnot\b|\bimplies\b", text):
        if match[0] in "({":
            depth += 1
        elif match[0] in "})":
            depth -= 1
        else:
            words += 1
        deepest = max(deepest, depth + words)
    return deepest


def _unexpected(word: str, at_end: bool, offset: int, accepts: set[str] | None) -> Fault:
    wanted = accepts or set()
    known = sorted(_literals(wanted))
    called = {_READABLE[name] for name in wanted & _READABLE.keys()}
    called |= {_either(_CHOICES[name]) for name in wanted & _CHOICES.keys()}
    if "a number" in called:
        called -= {"a whole number"}
    listed = _either([*sorted(called), *map(repr, known)])
    if at_end:
        return Fault(offset, f"the expression ends where {listed} was expected")
    choices = [*known, *(choice for name in wanted & _CHOICES.keys() for choice in _CHOICES[name])]
    words = [item for item in choices if item.isidentifier()]
    near = suggestion(word, words) if words else ""
    if near.startswith("; did you mean"):
        return Fault(offset, f"unknown word {word!r}{near}")
    return Fault(offset, f"unexpected {word!r}: expected {listed}")


def _either(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + (words[-1] if words else "nothing")


def _literals(names: set[str]) -> set[str]:
    """The fixed spellings behind terminal names such as WHERE or LPAR."""
    from lark.lexer import PatternStr

    fixed = [terminal for terminal in _grammar().terminals if isinstance(terminal.pattern, PatternStr)]
    return {terminal.pattern.value for terminal in fixed if terminal.name in names - _READABLE.keys() - _CHOICES.keys()}
