"""From the text of a program to its tree, by Lark: nothing that is written is ever run as Python."""

from __future__ import annotations

import functools
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, Any

from selfnas.acquisition.expression import (
    ATOMS,
    MOST_NODES,
    UNIT,
    Apply,
    Atom,
    Constant,
    Expression,
    Operator,
    canonical,
    size,
)
from selfnas.errors import InputError, suggestion

if TYPE_CHECKING:
    from lark import Lark

__all__ = ["MOST_CHARACTERS", "parse_program"]

MOST_CHARACTERS = 500  # the longest program of 25 nodes takes fewer

_OPERATORS: dict[str, Operator] = {
    "add": "+", "subtract": "-", "multiply": "*", "least": "min", "greatest": "max", "magnitude": "abs",
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def parse_program(text: str) -> Expression:
    """The program of a text, in canonical form.

    Raises:
        InputError: not a program; what is wrong, and at which character.

    Example:
        >>> parse_program("mean + 0.5 * spred")
        Traceback (most recent call last):
        selfnas.errors.InputError: a program has no 'spred' (character 14); did you mean 'spread'?
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"a program has at most {MOST_CHARACTERS} characters, not {len(text):,}")
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    try:
        tree = _grammar().parse(text)
    except (UnexpectedCharacters, UnexpectedToken, UnexpectedEOF) as error:
        place = getattr(error, "pos_in_stream", None)
        if place is None or place >= len(text) or getattr(getattr(error, "token", None), "type", "") == "$END":
            raise InputError("the program ends where a number, a name or a bracket was expected") from error
        raise InputError(f"a program cannot go on with {text[place]!r} (character {place + 1})") from error
    read = canonical(_read(tree))
    if size(read) > MOST_NODES:
        raise InputError(f"a program has at most {MOST_NODES} numbers, names and operators, not {size(read)}")
    return read


@functools.cache
def _grammar() -> Lark:
    from lark import Lark

    text = resources.files("selfnas.acquisition").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True)


def _read(tree: Any) -> Expression:
    kind, items = str(tree.data), tree.children
    if kind == "constant":
        return _constant(items[0])
    if kind == "atom":
        name = str(items[0])
        if name not in ATOMS:
            place = f"(character {items[0].start_pos + 1})"
            raise InputError(f"a program has no {name!r} {place}{suggestion(name, list(ATOMS))}")
        return Atom(name)
    if kind == "minus":
        inner = _read(items[0])
        return Constant(-inner.thousandths) if isinstance(inner, Constant) else Apply("-", (Constant(0), inner))
    return Apply(_OPERATORS[kind], tuple(map(_read, items)))


def _constant(token: Any) -> Constant:
    thousandths = Fraction(str(token)) * UNIT
    if thousandths.denominator != 1:
        raise InputError(f"numbers of a program have at most three decimals, not {token}")
    try:
        return Constant(int(thousandths))
    except ValueError as error:
        raise InputError(str(error)) from error
