"""One way to write a set file: spacing of expressions, indentation and quoting; comments and order stay.

The result says the same as the text it came from: this is checked before it is returned.
"""

from __future__ import annotations

import io
import re

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from selfnas.documents import load_yaml
from selfnas.errors import SelfnasError

__all__ = ["format_set"]

_TOKEN = re.compile(r"[\w.]+|->|<=|>=|==|!=|\S")
_NAME = re.compile(r"[\w.]+(?:-\w+)*|<=|>=|==|!=|\S")  # in `when`, names of spaces hold dashes
_TIGHT_BEFORE = {")", ",", ":", "}"}
_TIGHT_AFTER = {"(", "@", "{"}
_CALLS = {"path", "edge", "node", "count", "sum", "product", "total", "cost", "fan_in", "fan_out"}


def format_set(text: str, *, name: str = "") -> str:
    """The canonical spelling of a set file; formatting twice changes nothing more.

    Raises:
        InputError: not YAML; `name` stands for the file in the message.

    Example:
        >>> print(format_set("rules:\\n- id:   a\\n  require:   depth<=3   # why not\\n"), end="")
        rules:
          - id: a
            require: depth <= 3 # why not
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 118
    tree = load_yaml(text, name, preserve_quotes=True)
    _tidy(tree)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    result = "\n".join(lines).strip("\n") + "\n"
    if _squeezed(load_yaml(result, name)) != _squeezed(load_yaml(text, name)):
        raise SelfnasError("formatting would change what the file says: nothing was done")
    return result


def _squeezed(node: object) -> object:
    """The plain data without any white space, which is all that formatting may change."""
    if isinstance(node, CommentedMap):
        return [(str(key), _squeezed(value)) for key, value in node.items()]
    if isinstance(node, CommentedSeq):
        return [_squeezed(item) for item in node]
    return "".join(str(node).split())


def format_expression(text: str, *, dashed: bool = False) -> str:
    """Canonical spacing of an expression; `dashed` where names may hold dashes.

    Example:
        >>> format_expression("count( edge( op :skip ))<=2  and  motif{a->b:{x,y}}")
        'count(edge(op: skip)) <= 2 and motif {a -> b: {x, y}}'
    """
    result = before = ""
    for word in (_NAME if dashed else _TOKEN).findall(text):
        glued = not result or word in _TIGHT_BEFORE or before in _TIGHT_AFTER or (word == "(" and before in _CALLS)
        result += word if glued else f" {word}"
        before = word
    return result


def _tidy(node: object) -> None:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            if key in ("require", "forbid", "when") and isinstance(value, str):
                node[key] = format_expression(value, dashed=key == "when")
            else:
                _tidy(value)
    elif isinstance(node, CommentedSeq):
        for item in node:
            _tidy(item)
