"""Our own spaces in one table, spaces derived from them, and architectures read by their space's name."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from selfnas import plugins
from selfnas.errors import ArchitectureError, suggestion
from selfnas.plugins import ExtensionPoint
from selfnas.spaces.architecture import Architecture, Macro, Space, base_name
from selfnas.spaces.composed import compose, is_composed
from selfnas.spaces.macro import parse_macro
from selfnas.spaces.operation import Operation
from selfnas.spaces.operations import OPERATIONS
from selfnas.spaces.template import CellTemplate

__all__ = [
    "MOST_COMPOSED",
    "OPERATION_EXTENSION_POINT",
    "SPACES",
    "SPACE_EXTENSION_POINT",
    "adapted",
    "architecture_from_json",
    "base_name",
    "composed_space",
    "in_force",
    "operation_named",
    "parse_architecture",
    "respelled",
    "space_named",
    "spaces_by_name",
]

MOST_COMPOSED = 8  # composed operators of a space; rules are judged on two more nodes for each possible edge
_MAX_TEXT = 4096  # longest architecture text that is read; the longest that is written is under 600 characters


def _own(*names: str) -> tuple[Operation, ...]:
    return tuple(OPERATIONS[name] for name in names)


_NB201 = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=_own("skip", "conv1x1", "conv3x3", "avg3")
)  # Dong & Yang 2020 (ICLR), NAS-Bench-201
_TRANSNAS = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=_own("skip", "conv1x1", "conv3x3")
)  # Duan et al. 2021 (CVPR), TransNAS-Bench-101, micro space
_DARTS = tuple(
    CellTemplate(
        name=name,
        inputs=2,
        nodes=6,
        outputs=(2, 3, 4, 5),
        operations=_own("skip", "max3", "avg3", "sep3x3", "sep5x5", "dil3x3", "dil5x5"),
        in_degree=2,
        reduces=name == "reduce",
    )
    for name in ("normal", "reduce")
)  # Liu, Simonyan, Yang 2019 (ICLR), DARTS


def _cells_of(*names: str) -> tuple[CellTemplate, ...]:
    """Cells of the shape of NAS-Bench-201's."""
    return (CellTemplate(name="cell", inputs=1, nodes=4, outputs=(3,), operations=_own(*names)),)


SPACES: Mapping[str, Space] = MappingProxyType(
    {
        "nb201": Space(name="nb201", templates=(_NB201,)),
        "transnas-micro": Space(name="transnas-micro", templates=(_TRANSNAS,)),
        "darts": Space(name="darts", templates=_DARTS),
        "image": Space(
            name="image",
            templates=_cells_of(
                "skip", "conv1x1", "conv3x3", "avg3", "max3", "sep3x3", "dil3x3", "residual", "se", "attention"
            ),
        ),
        "series": Space(
            name="series",
            templates=_cells_of(
                "skip", "conv1x1", "conv3x3", "max3", "wide9", "wide19", "wide39", "dilated4", "residual", "attention"
            ),
        ),
        "tabular": Space(name="tabular", templates=_cells_of("skip", "linear", "mlp", "gated")),
    }
)
_added: Mapping[str, Space] = {}  # beside them, as long as `in_force` holds


def _accept_operation(name: str, part: object, origin: str) -> object:
    if not isinstance(part, Operation):
        raise ValueError(f"it is of type {type(part).__name__}")
    if part.name != name:
        raise ValueError(f"it calls itself {part.name!r}")
    CellTemplate(name="cell", inputs=1, nodes=2, outputs=(1,), operations=(part,))  # takes no name or alias of ours
    return part


def _accept_space(name: str, part: object, origin: str) -> object:
    """A space of our own operations and of those that plug-ins declare, so that no name stands for two."""
    if not isinstance(part, Space):
        raise ValueError(f"it is of type {type(part).__name__}")
    if part.name != name:
        raise ValueError(f"it calls itself {part.name!r}")
    origins = {origin}
    for operation in part.operations.values():
        if OPERATIONS.get(operation.name) == operation:
            continue
        if plugins.find("operations", operation.name) != operation:
            raise ValueError(f"no plug-in at hand declares its operation {operation.name!r} in selfnas.operations")
        origins.add(plugins.origin_of("operations", operation.name))
    return replace(part, origin="; ".join(sorted(origins))) if origin else part


OPERATION_EXTENSION_POINT = ExtensionPoint(
    wanted="an Operation (selfnas.spaces.operation) of that name", own=OPERATIONS, accept=_accept_operation
)
SPACE_EXTENSION_POINT = ExtensionPoint(
    wanted="a Space (selfnas.spaces.architecture) of that name", own=SPACES, accept=_accept_space
)


@contextlib.contextmanager
def in_force(*spaces: Space) -> Iterator[None]:
    """Let texts name these spaces too, in this process, until the block ends; a run opens it once for what it names.

    Raises:
        ArchitectureError: a name of our own, a derived one, or one that stands for something else already.
    """
    global _added
    before, known = _added, dict(spaces_by_name())
    operations = {name: one for space in known.values() for name, one in space.operations.items()}
    for space in spaces:
        if space.name != base_name(space.name) or known.setdefault(space.name, space) != space or space.name in SPACES:
            raise ArchitectureError(f"{space.name!r} is a space already: choose another name for yours")
        for name, operation in space.operations.items():
            if operations.setdefault(name, operation) != operation:
                raise ArchitectureError(f"{name!r} of space {space.name} is an operation already: choose another name")
    _added = {name: space for name, space in known.items() if name not in SPACES}
    _parsed.cache_clear()
    try:
        yield
    finally:
        _added = before
        _parsed.cache_clear()


def spaces_by_name() -> Mapping[str, Space]:
    """Our own spaces, and those in force beside them."""
    return {**SPACES, **{name: plugins.find("spaces", name) for name in plugins.names("spaces")}, **_added}


def space_named(name: str) -> Space:
    """The space of that name, or the derived one that `base{operator,…}` spells out.

    Raises:
        ArchitectureError: there is none; the message suggests the nearest.

    Example:
        >>> space_named("nb201{conv3x3>avg3}").count()
        46656
    """
    known = _known(name)
    if known is not None:
        return known
    base, brace, operators = name.partition("{")
    space = _known(base)
    if space is None:
        raise ArchitectureError(f"unknown space {name!r}{suggestion(name, sorted(spaces_by_name()))}")
    if not brace or not operators.endswith("}"):
        raise ArchitectureError(f"a space with composed operators reads 'nb201{{a>b,a>b&c}}', not {name[:60]!r}")
    return composed_space(space, tuple(operators[:-1].split(",")))


def _known(name: str) -> Space | None:
    return SPACES.get(name) or _added.get(name) or plugins.find("spaces", name)


def operation_named(name: str) -> Operation:
    """One of our own operations, or of the spaces in force, or an operator composed of them.

    Raises:
        ArchitectureError: there is none; the message suggests the nearest.

    Example:
        >>> operation_named("conv3x3").reach()
        2
    """
    known = dict(OPERATIONS)
    for space in spaces_by_name().values():
        known.update(space.operations)
    known |= {one: plugins.find("operations", one) for one in plugins.names("operations")}
    if is_composed(name):
        return compose(name, known)
    if name not in known and plugins.find("operations", name) is None:
        raise ArchitectureError(f"unknown operation {name!r}{suggestion(name, sorted(known))}")
    return known[name]


@functools.lru_cache(maxsize=256)
def composed_space(base: Space, operators: tuple[str, ...]) -> Space:
    """A space whose edges may also carry composed operators; its name spells them out, their order is their number.

    Raises:
        ArchitectureError: not an operator of that space's operations, one named twice, too many of them, or a space
            whose nodes have a fixed number of edges, in which no operator can stand alone to be judged.
    """
    if not operators:
        return base
    if len(operators) > MOST_COMPOSED or len(set(operators)) < len(operators):
        raise ArchitectureError(f"a space has at most {MOST_COMPOSED} composed operators, each once")
    templates = []
    for template in base.templates:
        if template.in_degree is not None:
            raise ArchitectureError(
                f"space {base.name} fixes the number of edges of a node: it takes no composed operators"
            )
        known = dict(zip(template.names, template.operations, strict=True))
        made = (compose(operator, known) for operator in operators)
        templates.append(replace(template, operations=(*template.operations, *made)))
    return Space(name=f"{base.name}{{{','.join(operators)}}}", templates=tuple(templates), origin=base.origin)


def respelled(architecture: Architecture, space: Space) -> Architecture | None:
    """The same cells as architectures of a space of the same base; None where one carries an operator it has not."""
    if architecture.space == space:
        return architecture
    if architecture.space.base != space.base:
        return None
    same = replace(architecture, space=space)
    return same if space.contains(same) else None


def adapted(text: str, space: Space, macro: Macro) -> Architecture | None:
    """The cells of a one-line form, spelled in a space and stacked otherwise; None as `respelled`."""
    return respelled(replace(parse_architecture(text), macro=macro), space)


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
    return _parsed(text, plugins.state())


@functools.lru_cache(maxsize=4096)
def _parsed(text: str, plugins_in_force: tuple[object, ...]) -> Architecture:
    """Cached: a task's events name each of its architectures several times."""
    head, colon, cells = text.partition(":")
    name, slash, macro = head.partition("/")
    if not colon or not slash:
        raise ArchitectureError(f"an architecture reads 'space/c16n5r32:cells', not {text[:60]!r}")
    return space_named(name).parse_cells(cells, macro=parse_macro(macro))


def architecture_from_json(text: str) -> Architecture:
    """Read what `Architecture.to_json` wrote.

    Raises:
        ArchitectureError: not such an object, or the digest is not the architecture's.
    """
    try:
        record = json.loads(text)
        architecture, digest = parse_architecture(record["architecture"]), record["digest"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ArchitectureError(f"not an architecture in JSON: {text[:80]!r}") from error
    if architecture.digest != digest:
        raise ArchitectureError(f"digest {digest!r} is not that of {architecture}")
    return architecture
