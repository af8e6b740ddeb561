"""The makefile finds a Python that will do, says what is missing otherwise, and installs what changed and no more."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")
NEW = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
OLD = '#!/bin/sh\ncase "$2" in *print*) echo 3.9;; *) exit 1;; esac\n'  # answers what the makefile asks
BARE = '#!/bin/sh\ncase "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac\n'

_MAKES = {"PYTHON", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"}  # what make hands on, for the tests themselves are run by it

pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make")


def make(place: Path, *arguments: str, pythons: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs make on a copy of what the makefile depends on; `pythons` are all the commands that can be found."""
    place.mkdir(exist_ok=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        if not (place / name).exists():
            shutil.copyfile(ROOT / name, place / name)
    environment = {name: value for name, value in os.environ.items() if name not in _MAKES}
    if pythons is not None:
        commands = place / "commands"
        commands.mkdir()
        for name, script in pythons.items():
            (commands / name).write_text(script)
            (commands / name).chmod(0o755)
        environment["PATH"] = str(commands)
    return subprocess.run(
        [str(MAKE), *arguments], cwd=place, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", ["python3.14", "python"])
def test_any_usual_name_of_python_will_do(name: str, tmp_path: Path) -> None:
    """The environment is made with it, past an older Python of another name."""
    done = make(tmp_path, ".venv/bin/python", pythons={"python3.12": OLD, name: NEW})
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".venv/bin/pip").exists()


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path) -> None:
    """An old Python, one without venv, and none at all are told apart; where to go on is said."""
    found = make(tmp_path / "found", "demo", pythons={"python3": OLD, "python3.12": BARE})
    assert found.returncode == 2
    assert "Python 3.11 or newer, with its module venv, is needed" in found.stderr
    assert "python3 is Python 3.9" in found.stderr
    assert "python3.12 lacks the module venv" in found.stderr
    assert "make PYTHON=/path/to/python3" in found.stderr
    none = make(tmp_path / "none", "demo", "PYTHON=python9", pythons={})
    assert "Looked for: python9. Found: none" in none.stderr


def test_the_demo_needs_the_users_lock_alone(tmp_path: Path) -> None:
    """Only tests install the developers' lock."""
    demo, test = (make(tmp_path, "-n", goal).stdout for goal in ("demo", "test"))
    assert "-r requirements.lock" in demo
    assert "requirements-dev.lock" not in demo
    assert test.index("-r requirements.lock") < test.index("-r requirements-dev.lock") < test.index("-m pytest")


@pytest.mark.parametrize(
    ("changed", "demo", "test"),
    [
        (None, set(), set()),
        ("requirements-dev.lock", set(), {"requirements-dev.lock"}),
        ("requirements.lock", {"requirements.lock"}, {"requirements.lock", "requirements-dev.lock"}),
        ("pyproject.toml", {"requirements.lock"}, {"requirements.lock", "requirements-dev.lock"}),
    ],
)
def test_a_changed_lock_is_installed_again(changed: str | None, demo: set[str], test: set[str], tmp_path: Path) -> None:
    """What changed after the set-up is installed before the next command, and what did not is left."""
    make(tmp_path, "-n", "demo")  # copies the files
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    for age, name in enumerate(["bin/python", ".ready", ".ready-dev"]):
        (tmp_path / ".venv" / name).touch()
        os.utime(tmp_path / ".venv" / name, (2e9 + age, 2e9 + age))
    if changed:
        os.utime(tmp_path / changed, (2e9 + 9, 2e9 + 9))
    for goal, wanted in (("demo", demo), ("test", test)):
        said = make(tmp_path, "-n", goal).stdout
        assert {name for name in ("requirements.lock", "requirements-dev.lock") if f"-r {name}" in said} == wanted
