"""Names of a package that load on first use (PEP 562), so that importing the package stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["loading"]


def loading(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The module functions `__getattr__` and `__dir__` of a package whose names stand in its modules.

    Args:
        package: its name.
        homes: names by the module that defines them, relative to the package.

    Example:
        >>> find, names = loading("selfnas", {"spaces.cell": ("Cell",)})
        >>> find("Cell").__module__, names()
        ('selfnas.spaces.cell', ['Cell'])
    """
    home = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return find, lambda: sorted(home)
