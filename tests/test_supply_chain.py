"""What is installed is what is locked, all of it is locked, and what we import we declare. Runs without a network.

`requirements.lock` holds what running needs, `requirements-dev.lock` what tests need besides.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
USERS, DEVELOPERS = "requirements.lock", "requirements-dev.lock"
OURS = ("agent", "audits", "constraints", "selfnas")
APART = {"ray": "requirements-ray.lock"}  # extras that tests do without, each with a lock of its own
COPYLEFT = {"moocore"}  # LGPL-2.1-or-later, used as a library
UNSTATED = {"cvc5", "huey"}  # their metadata names no licence; BSD-3-Clause and MIT by their projects' own pages


def pins(lock: str) -> list[str]:
    """The lines of a lock that pin something: all but its comments and the lock that it includes."""
    lines = (ROOT / lock).read_text().splitlines()
    return [line for line in lines if not line.startswith("# ") and line != f"-r {USERS}"]


def locked(*locks: str) -> dict[str, str]:
    """Pinned versions by normalised name; of both locks if none is named."""
    split = [line.split("==") for lock in locks or (USERS, DEVELOPERS) for line in pins(lock)]
    return {canonicalize_name(name): version for name, version in split}


def declared() -> dict[str, list[str]]:
    """Requirements of pyproject.toml, by group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"run": project["dependencies"], **project["optional-dependencies"]}


def needed(requirements: Iterable[str], *, python: str) -> set[str]:
    """Normalised names of requirements and of theirs, on this platform under a version of Python."""
    waiting = [(Requirement(text), frozenset[str]()) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    surroundings = {"python_version": python, "python_full_version": f"{python}.0"}
    while waiting:
        requirement, extras = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra, **surroundings}) for extra in {"", *extras}):
            continue
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            waiting += [(Requirement(text), key[1]) for text in metadata.requires(key[0]) or []]
    return {name for name, _ in seen}


def test_every_package_is_pinned_to_one_version() -> None:
    """One line a package, `name==version` and nothing else: no ranges, no addresses, no second version."""
    lines = [*pins(USERS), *pins(DEVELOPERS)]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!]*", line)] == []
    assert len(locked()) == len(lines)


def test_the_developers_lock_includes_the_users() -> None:
    """Who installs `requirements-dev.lock` gets all that running needs, in the same versions."""
    assert f"-r {USERS}" in (ROOT / DEVELOPERS).read_text().splitlines()
    assert locked(USERS).keys().isdisjoint(locked(DEVELOPERS))


def test_what_is_installed_is_what_is_locked() -> None:
    """Every locked package is there in that version; builds of torch may carry a local label such as +cpu."""
    found = {name: metadata.version(name).partition("+")[0] for name in locked()}
    assert found == locked()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_each_lock_pins_what_is_needed_and_no_more(python: str) -> None:
    """The users' lock pins what running needs, the developers' what tests need besides; requirements of all too.

    The makefile builds this project without a network, so that the users' lock has setuptools as well.
    """
    groups = declared()
    run = needed([*groups.pop("run"), "setuptools"], python=python)
    rest = needed([text for name, group in groups.items() if name not in APART for text in group], python=python) - run
    assert run == locked(USERS).keys()
    assert rest == locked(DEVELOPERS).keys()


@pytest.mark.parametrize(("extra", "lock"), APART.items())
def test_the_lock_of_an_extra_apart_pins_what_it_needs(extra: str, lock: str) -> None:
    """It includes the users' lock, agrees with the developers', and holds the extra with all that this needs."""
    assert f"-r {USERS}" in (ROOT / lock).read_text().splitlines()
    own = locked(lock)
    assert len(own) == len(pins(lock))
    assert {name: version for name, version in own.items() if locked().get(name, version) != version} == {}
    assert own.keys().isdisjoint(locked(USERS))
    stated = declared()[extra]
    assert {canonicalize_name(Requirement(text).name) for text in stated} <= own.keys()
    try:
        metadata.version(extra)
    except metadata.PackageNotFoundError:
        pytest.skip(f"the extra {extra} is not installed")
    assert needed(stated, python="3.11") - locked(USERS).keys() == own.keys()


def test_what_is_locked_is_what_is_declared() -> None:
    """Each requirement states the oldest version that may do, and the locked version is not older."""
    for text in [text for group in declared().values() for text in group]:
        requirement = Requirement(text)
        assert [one.operator for one in requirement.specifier] == [">="], text
        versions = locked(USERS, DEVELOPERS, *APART.values())
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), text


def test_what_is_imported_is_declared() -> None:
    """Every third-party module that a package of ours imports belongs to a run-time requirement or to an extra."""
    groups = declared()
    required = {canonicalize_name(Requirement(text).name) for text in [*groups["run"], *groups["onnx"]]}
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
