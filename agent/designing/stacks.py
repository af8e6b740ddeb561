"""Ways to stack cells as the section `macro` of a stream states them."""

from __future__ import annotations

from agent.stream.file import MacroSection
from selfnas.documents import check_model
from selfnas.spaces.stacked import Choices

__all__ = ["macro_section"]

_LEFT = {"stem": (0,), "head": ("average",)}  # what a stream that states the rest has where it says nothing


def macro_section(choices: Choices) -> MacroSection:
    """Of the values of each setting.

    Raises:
        InputError: a stream cannot state them.

    Example:
        >>> macro_section(Choices(channels=(4, 8), depth=(1,), resolution=(8,))).channels
        [4, 8]
    """
    stated = {
        name: list(values) if len(values) > 1 else values[0]
        for name in ("channels", "depth", "resolution", "stem", "head")
        if (values := getattr(choices, name)) != _LEFT.get(name)
    }
    return check_model(stated, MacroSection)
