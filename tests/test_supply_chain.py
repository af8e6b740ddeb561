"""What is installed is what is locked, all of it is locked, and what we import we declare. Runs without a network."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = ("agent", "audits", "constraints", "selfnas")
COPYLEFT = {"moocore"}  # LGPL-2.1-or-later, used as a library
UNSTATED = {"cvc5", "huey"}  # their metadata names no licence; BSD-3-Clause and MIT by their projects' own pages


def locked() -> dict[str, str]:
    """Pinned versions by normalised name."""
    pins = [line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines()]
    return {canonicalize_name(name): version for name, version in pins}


def declared() -> dict[str, list[str]]:
    """Requirements of pyproject.toml, by group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"run": project["dependencies"], **project["optional-dependencies"]}


def test_every_package_is_pinned_to_one_version() -> None:
    """One line a package, `name==version` and nothing else: no ranges, no addresses, no second version."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!]*", line)] == []
    assert len(locked()) == len(lines)


def test_what_is_installed_is_what_is_locked() -> None:
    """Every locked package is there in that version; builds of torch may carry a local label such as +cpu."""
    found = {name: metadata.version(name).partition("+")[0] for name in locked()}
    assert found == locked()


def test_nothing_that_is_needed_is_left_out_of_the_lock() -> None:
    """The requirements of our requirements, and theirs, are all pinned for this platform."""
    waiting = [(Requirement(text), frozenset[str]()) for group in declared().values() for text in group]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            continue
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            waiting += [(Requirement(text), key[1]) for text in metadata.requires(name) or []]
    assert {name for name, _ in seen} - locked().keys() <= {"setuptools"}  # part of every environment


def test_what_is_imported_is_declared() -> None:
    """Every third-party module that a package of ours imports belongs to a declared run-time requirement."""
    required = {canonicalize_name(Requirement(text).name) for text in declared()["run"]}
    owners = metadata.packages_distributions()
    undeclared: dict[str, str] = {}
    for path in (path for package in OURS for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names} - {*OURS, *sys.stdlib_module_names}:
                if not required & {canonicalize_name(owner) for owner in owners.get(top, [])}:
                    undeclared[top] = str(path.relative_to(ROOT))
    assert undeclared == {}


def test_licences_are_known() -> None:
    """Every locked package names a licence in its metadata; the exceptions and the copyleft ones are listed by name."""
    unstated, copyleft = set(), set()
    for name in locked():
        facts = metadata.metadata(name)
        classifiers = [text for text in facts.get_all("Classifier") or [] if text.startswith("License ::")]
        stated = " ".join(filter(None, [facts.get("License-Expression"), facts.get("License"), *classifiers]))
        if not stated:
            unstated.add(name)
        elif re.search(r"\b[AL]?GPL", stated) and not re.search(r"\b(MIT|BSD|Apache)", stated):
            copyleft.add(name)
    assert unstated == UNSTATED
    assert copyleft == COPYLEFT
