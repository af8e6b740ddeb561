"""Notebooks as pages: the cells with the outputs that are committed. Nothing is run while the site is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["as_markdown"]

_STYLE = re.compile(r"<style\b.*?</style>\s*", re.DOTALL)


def as_markdown(notebook: Mapping[str, Any]) -> str:
    """The page of a notebook.

    Args:
        notebook: as JSON, format 4.

    Raises:
        ValueError: a cell ended in an error.

    Example:
        >>> cell = {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"output_type": "execute_result",
        ...         "data": {"text/plain": ["2"]}}]}
        >>> print(as_markdown({"cells": [cell]}))
        ```python
        1 + 1
        ```
        <BLANKLINE>
        ```text
        2
        ```
        <BLANKLINE>
    """
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += [part for output in cell["outputs"] for part in _shown(output)]
    return "\n\n".join(parts) + "\n"


def _shown(output: Mapping[str, Any]) -> Iterator[str]:
    """What is seen of an output; nothing of what goes to the error stream."""
    kind = output["output_type"]
    if kind == "error":
        raise ValueError(f"a cell ended in {output['ename']}: run the notebook again before it is committed")
    if kind == "stream":
        if output["name"] == "stdout":
            yield f"```text\n{''.join(output['text']).rstrip()}\n```"
        return
    data = {name: "".join(value) for name, value in output["data"].items()}
    if "image/png" in data:
        picture = data["image/png"].replace("\n", "")
        yield f'<img alt="{_alternative(data)}" src="data:image/png;base64,{picture}">'
    elif "text/html" in data:
        yield re.sub(r"\n\s*\n", "\n", _STYLE.sub("", data["text/html"])).strip()
    else:
        yield f"```text\n{data['text/plain'].rstrip()}\n```"


def _alternative(data: Mapping[str, str]) -> str:
    """Words for who cannot see the picture: the kind of thing that is drawn."""
    return data.get("text/plain", "").partition("(")[0] or "picture"
