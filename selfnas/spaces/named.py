"""Our own spaces in one table, spaces derived from them, and architectures read by their space's name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace

from selfnas.errors import ArchitectureError, suggestion
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.composed import is_composed, written_out
from selfnas.spaces.space import Space
from selfnas.spaces.template import CellTemplate

__all__ = [
    "MOST_COMPOSED",
    "SPACES",
    "base_name",
    "composed_space",
    "operations_of",
    "parse_architecture",
    "respelled",
    "space_named",
]

_MACRO = re.compile(r"c(\d{1,4})n(\d{1,2})r(\d{1,4})")
MOST_COMPOSED = 8  # composed operators of a space; rules are judged on two more nodes for each possible edge
_MAX_TEXT = 4096  # longest architecture text that is read; the longest that is written is under 600 characters

_NB201 = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=("skip", "conv1x1", "conv3x3", "avg3")
)  # Dong & Yang 2020 (ICLR), NAS-Bench-201
_TRANSNAS = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=("skip", "conv1x1", "conv3x3")
)  # Duan et al. 2021 (CVPR), TransNAS-Bench-101, micro space
_DARTS_OPERATIONS = ("skip", "max3", "avg3", "sep3x3", "sep5x5", "dil3x3", "dil5x5")
_DARTS = tuple(
    CellTemplate(
        name=name,
        inputs=2,
        nodes=6,
        outputs=(2, 3, 4, 5),
        operations=_DARTS_OPERATIONS,
        in_degree=2,
        reduces=name == "reduce",
    )
    for name in ("normal", "reduce")
)  # Liu, Simonyan, Yang 2019 (ICLR), DARTS

SPACES: Mapping[str, Space] = {
    "nb201": Space(name="nb201", templates=(_NB201,)),
    "transnas-micro": Space(name="transnas-micro", templates=(_TRANSNAS,)),
    "darts": Space(name="darts", templates=_DARTS),
}


def space_named(name: str) -> Space:
    """The space of that name, or the derived one that `base{operator,…}` spells out.

    Raises:
        ArchitectureError: there is none; the message suggests the nearest.

    Example:
        >>> space_named("nb201{conv3x3>avg3}").count()
        46656
    """
    if name in SPACES:
        return SPACES[name]
    base, brace, operators = name.partition("{")
    if base not in SPACES:
        raise ArchitectureError(f"unknown space {name!r}{suggestion(name, sorted(SPACES))}")
    if not brace or not operators.endswith("}"):
        raise ArchitectureError(f"a space with composed operators reads 'nb201{{a>b,a>b&c}}', not {name[:60]!r}")
    return composed_space(base, tuple(operators[:-1].split(",")))


def base_name(name: str) -> str:
    """The name of the space that a derived one comes from; of another space its own.

    Example:
        >>> base_name("nb201{conv3x3>avg3}"), base_name("nb201")
        ('nb201', 'nb201')
    """
    return name.partition("{")[0]


@functools.lru_cache(maxsize=256)
def composed_space(base: str, operators: tuple[str, ...]) -> Space:
    """A space whose edges may also carry composed operators; its name spells them out, their order is their number.

    Raises:
        ArchitectureError: not an operator of that space's operations, one named twice, too many of them, or a space
            whose nodes have a fixed number of edges, in which no operator can stand alone to be judged.
    """
    space = space_named(base)
    if not operators:
        return space
    if len(operators) > MOST_COMPOSED or len(set(operators)) < len(operators):
        raise ArchitectureError(f"a space has at most {MOST_COMPOSED} composed operators, each once")
    for template in space.templates:
        if template.in_degree is not None:
            raise ArchitectureError(f"space {base} fixes the number of edges of a node: it takes no composed operators")
        for operator in operators:
            unknown = [step for _, _, step in written_out(operator).edges if step not in template.operations]
            if not is_composed(operator) or unknown:
                raise ArchitectureError(f"{operator!r} is not composed of operations of space {base}")
    return Space(
        name=f"{base}{{{','.join(operators)}}}",
        templates=tuple(replace(one, operations=(*one.operations, *operators)) for one in space.templates),
    )


def respelled(architecture: Architecture, space: Space) -> Architecture | None:
    """The same cells as architectures of a space of the same base; None where one carries an operator it has not."""
    if architecture.space == space.name:
        return architecture
    if base_name(architecture.space) != base_name(space.name):
        return None
    same = replace(architecture, space=space.name)
    return same if space.contains(same) else None


def parse_architecture(text: str) -> Architecture:
    """Read the one-line form `space/macro:cell[;cell]`.

    Raises:
        ArchitectureError: not such a text; the message names the part that is wrong.

    Example:
        >>> text = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|"
        >>> str(parse_architecture(text)) == text
        True
    """
    if len(text) > _MAX_TEXT:
        raise ArchitectureError(f"an architecture text has at most {_MAX_TEXT} characters, not {len(text)}")
    head, colon, cells = text.partition(":")
    name, slash, macro = head.partition("/")
    match = _MACRO.fullmatch(macro)
    if not colon or not slash or not match:
        raise ArchitectureError(f"an architecture reads 'space/c16n5r32:cells', not {text[:60]!r}")
    return space_named(name).parse_cells(cells, macro=Macro(*map(int, match.groups())))


@functools.cache
def operations_of(space: str) -> tuple[str, ...]:
    """Every operation that some template of the space allows, in a fixed order, without `none`."""
    seen = dict.fromkeys(op for template in space_named(space).templates for op in template.operations)
    return tuple(seen)
