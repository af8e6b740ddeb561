"""Where a character of a YAML value stands in its file, whatever style the value is written in.

Only used to place messages, so the file is composed a second time here rather than on every load.
"""

from __future__ import annotations

from collections.abc import Sequence

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["place_in_value"]


def place_in_value(text: str, place: Sequence[str | int], offset: int) -> tuple[int, int] | None:
    """The 1-based line and column of character `offset` of the scalar at a path of keys and indexes.

    Characters are matched by counting the ones that are not white space: folding and indentation only change those.
    None when there is no such scalar.

    Example:
        >>> place_in_value("rules:\\n  - require: 'depth <= x'\\n", ("rules", 0, "require"), 9)
        (2, 24)
    """
    try:
        node: Node | None = YAML(typ="rt", pure=True).compose(text)
    except YAMLError:
        return None
    for step in place:
        node = _child(node, step)
    if not isinstance(node, ScalarNode):
        return None
    value = str(node.value).replace("\a", "")  # the round-trip loader marks folds so
    wanted = sum(not character.isspace() for character in value[:offset])
    index, end = node.start_mark.index, node.end_mark.index
    if node.style in ("|", ">"):
        index = text.index("\n", index) + 1  # the header line is not part of the value
    elif node.style in ("'", '"'):
        index, end = index + 1, end - 1
    while index < end and (text[index].isspace() or wanted):
        wanted -= not text[index].isspace()
        index += 1
    line_start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - line_start + 1


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return next((value for key, value in node.value if str(key.value) == str(step)), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: Node = node.value[step]
        return child
    return None
