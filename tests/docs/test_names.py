"""Pages name modules, files and rooms that are there."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from selfnas import plugins

_ROOT = Path(__file__).parents[2]
_PATTERNS = ("*.md", "docs/**/*.md", "experiments/**/*.md")
_PAGES = sorted(path.relative_to(_ROOT).as_posix() for pattern in _PATTERNS for path in _ROOT.glob(pattern))
_PAGES.remove("CHANGELOG.md")  # it names what was there once
_PACKAGES = ("selfnas", "constraints", "audits", "agent")
_TOP = (*_PACKAGES, "experiments", "tests", "docs")
_PATH = re.compile(rf"(?<![\w./~-])(?:{'|'.join(_TOP)})/[\w./-]*\w/?")
_FILE = re.compile(r"(?<![\w./*-])[\w-]+\.(?:py|md|toml|lark|lock)\b")
_YAML = re.compile(r"(?<![\w./*-])[\w-]+\.yaml\b")
_OURS = ("ARCHITECTURE.md", "CONTRIBUTING.md")  # on other pages a YAML file may be the reader's own
_MODULE = re.compile(rf"(?<![\w./<-])(?:{'|'.join(_TOP)})(?:\.[\w-]+)+")
_FILES = {path.name for path in _ROOT.iterdir()} | {path.name for top in _TOP for path in (_ROOT / top).rglob("*.*")}
_WRITTEN = {  # by commands, for people
    "annex-iv.md",
    "audit-card.md",
    "card.md",
    "experiments/latency/this-machine.yaml",
    "life.md",
    "rejections.md",
    "selfnas.json",
    "use.py",
}

_GROUPS = {f"selfnas.{group}" for group in plugins.groups()}  # of entry points


@pytest.mark.parametrize("name", _PAGES)
def test_files_and_modules_on_pages_are_there(name: str) -> None:
    """Whatever reads like a file or module of the repository is one."""
    code = "\n".join(_code((_ROOT / name).read_text(encoding="utf-8")))
    missing = [path for path in _PATH.findall(code) if not (_ROOT / path).exists()]
    missing += [file for file in _FILE.findall(code) if file not in _FILES]
    missing += [file for file in _YAML.findall(code) if name in _OURS and file not in _FILES]
    missing += [module for module in _MODULE.findall(code) if not _is_there(module)]
    assert [each for each in missing if each not in _WRITTEN | _GROUPS] == []


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("selfnas.testing.check_space", True),
        ("selfnas.search.domain.SpelledDomain", True),
        ("experiments.sub-cells.measure", True),
        ("selfnas.testing.check_nothing", False),
        ("selfnas.tabular", False),
    ],
)
def test_modules_are_told_from_what_is_none(text: str, *, there: bool) -> None:
    """A module, or an attribute of one, is found; one that moved is not."""
    assert _is_there(text) is there


@pytest.mark.parametrize("package", _PACKAGES)
def test_every_room_is_in_the_table(package: str) -> None:
    """`ARCHITECTURE.md` names each sub-package, above those that it may import."""
    text = (_ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(rf"^\| `{package}/(\w+)` \|", text, re.MULTILINE)
    assert sorted(named) == sorted(path.parent.name for path in _ROOT.glob(f"{package}/*/__init__.py"))
    layers = next(
        contract["layers"]
        for contract in tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == [package]
    )
    heights = {room: height for height, layer in enumerate(layers) for room in layer.split(" | ")}
    assert [heights[room] for room in named] == sorted(heights[room] for room in named)


def _code(markdown: str) -> list[str]:
    """Inline code, and blocks other than files that a reader may write."""
    blocks = re.findall(r"^```(?:\n|sh\n|python\n)(.*?)^```", markdown, re.DOTALL | re.MULTILINE)
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return [*blocks, *re.findall(r"^ {4}.+", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]


def _is_there(text: str) -> bool:
    """A module, or an attribute of one."""
    parts = text.split(".")
    for end in range(len(parts), 0, -1):
        stem = _ROOT.joinpath(*parts[:end])
        if stem.is_dir() or stem.with_name(f"{stem.name}.py").is_file():
            rest = parts[end:]
            return not rest or (len(rest) == 1 and hasattr(importlib.import_module(".".join(parts[:end])), rest[0]))
    return False
