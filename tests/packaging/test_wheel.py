"""A wheel of this checkout holds all that is tracked, and works where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "audits", "constraints", "selfnas")
TABLES = "tasks=[{name: one, source: table, dataset: a}, {name: two, source: table, dataset: b}]"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is tracked is known in a checkout alone"),
]


def run(*command: str | Path, place: Path, path: Path | None = None) -> str:
    """What a command prints that ends well, in a directory, with PYTHONPATH set to `path` or to nothing."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [str(word) for word in command], cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The files of this checkout that git knows."""
    names = run("git", "ls-files", "-z", place=ROOT).split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of what is tracked."""
    place = tmp_path_factory.mktemp("built")
    for name in tracked:
        (place / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / "copy" / name)
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*build, "--wheel-dir", place, place / "copy", place=place)
    (made,) = place.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def selfnas(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs the script of an installed wheel in an empty directory; every other package is the environment's."""
    place = tmp_path_factory.mktemp("installed")
    site, elsewhere = place / "site", place / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel, place=place)
    where = "import json, sys; print(json.dumps([__import__(name).__file__ for name in sys.argv[1:]]))"
    found = json.loads(run(sys.executable, "-c", where, *PACKAGES, place=elsewhere, path=site))
    assert found == [str(site / name / "__init__.py") for name in PACKAGES]  # not the checkout's
    return lambda *words: run(site / "bin" / "selfnas", *words, place=elsewhere, path=site)


def test_a_wheel_holds_every_tracked_file_of_the_packages(wheel: Path, tracked: list[str]) -> None:
    """Modules, templates, grammar, sets, suites, devices, streams and type markers: all, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {name for name in tracked if name.split("/")[0] in PACKAGES}
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_a_wheel_states_licence_and_requirements(wheel: Path) -> None:
    """What an installer and a person read of it is what pyproject.toml says; the licence's text lies in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        folder = f"selfnas-{project['version']}.dist-info"
        stated = archive.read(f"{folder}/METADATA").decode().splitlines()
        licence = archive.read(f"{folder}/licenses/LICENSE").decode()
    assert "License-Expression: Apache-2.0" in stated
    assert "Apache License" in licence
    assert {f"Requires-Dist: {text}" for text in project["dependencies"]} <= set(stated)


def test_an_installed_wheel_works_without_a_checkout(selfnas: Callable[..., str]) -> None:
    """A shipped stream is lived on tables, and what was lived is told, verified, reported and listed."""
    assert "motifs" in selfnas("--help")
    assert selfnas("--version").startswith("selfnas ")
    lived = selfnas("run", "quickstart", "--set", TABLES, "--workers", "1", "--no-mirror")
    assert "two: looked up in a table" in lived
    assert "run 1 of stream quickstart: finished" in selfnas("status")
    assert "all hold" in selfnas("verify")
    assert "index.html" in selfnas("report")
    assert selfnas("review", "list") == ""
    assert "the library is empty" in selfnas("motifs", "list")
