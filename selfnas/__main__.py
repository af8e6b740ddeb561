"""`selfnas` and `python -m selfnas`: finds the command line and starts it.

This package knows nothing of the layers above it. `pyproject.toml` states which function is the command line, as an
entry point that the installed distribution tells. Before anything is imported, the packages installed beside this one
are looked up: a file of the same name elsewhere may come first, as those of the current directory do for `python -m`.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

__all__ = ["main", "refuse_shadowed"]

_BESIDE = ("agent", "audits", "constraints")  # packages that are installed beside this one
_GROUP = "selfnas.command_line"
_MISUSE = 2


def main() -> NoReturn:
    """Start the command line that the installed distribution names; its exit code, 2 if there is none to start."""
    refuse_shadowed()
    from importlib import metadata

    try:
        found = metadata.distribution("selfnas").entry_points.select(group=_GROUP)
    except metadata.PackageNotFoundError:
        found = metadata.EntryPoints()
    for entry in found:
        sys.exit(entry.load()())
    _refuse(
        "selfnas is not installed, or by an older version: run `pip install .` or `pip install -e .` in its checkout"
    )


def refuse_shadowed() -> None:
    """End with code 2 and a message if another file stands where one of this project's packages should be imported."""
    root = Path(__file__).resolve().parents[1]
    problems = []
    for name in _BESIDE:
        spec = find_spec(name)
        if spec is None:
            problems.append(f"the package {name!r} is missing beside {root / 'selfnas'}: install selfnas again")
        elif (there := _place(spec).resolve()) != root / name:
            problems.append(
                f"{there} hides the package {name!r} of selfnas, which is {root / name}: "
                f"Python imports the first that it finds. {_remedy(there)}"
            )
    if problems:
        _refuse("\n".join(problems))


def _place(spec: ModuleSpec) -> Path:
    """The folder of a package, the file of a module."""
    folders = list(spec.submodule_search_locations or [])
    return Path(folders[0] if folders else str(spec.origin))


def _remedy(there: Path) -> str:
    named = [
        entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(entry).resolve() == there.parent
    ]
    if named and not sys.flags.ignore_environment:
        return f"Take {named[0] or 'the empty entry'} out of PYTHONPATH, or rename what hides it."
    if there.parent == Path.cwd() and not sys.flags.safe_path:
        return "Start from another directory, use `python -P -m selfnas`, or rename what hides it."
    return "Rename or uninstall what hides it."


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(_MISUSE)


if __name__ == "__main__":
    main()
