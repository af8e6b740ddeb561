"""Plug-ins for tests: written by hand into a directory, or built and installed as a person would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Puts a distribution into a directory of the search path, as an installer would leave it."""

    def written(name: str, entries: Mapping[str, str], source: str, *, version: str = "1.0") -> Path:
        return write_distribution(tmp_path / f"site-{name}-{version}", name, entries, source, version=version)

    def put(name: str, entries: Mapping[str, str], source: str, *, version: str = "1.0") -> Path:
        site = written(name, entries, source, version=version)
        monkeypatch.syspath_prepend(site)
        return site

    return put


def write_distribution(site: Path, name: str, entries: Mapping[str, str], source: str, *, version: str) -> Path:
    """One module `<name>_module` with entry points `group:name` to what it holds."""
    module = f"{name.replace('-', '_')}_module"
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups: dict[str, list[str]] = {}
    for part, value in entries.items():
        group, _, own = part.partition(":")
        groups.setdefault(group, []).append(f"{own} = {module}:{value}")
    text = "\n".join(f"[selfnas.{group}]\n" + "\n".join(lines) for group, lines in groups.items())
    (info / "entry_points.txt").write_text(text + "\n")
    names = [f"{module}.py", f"{info.name}/METADATA", f"{info.name}/entry_points.txt", f"{info.name}/RECORD"]
    (info / "RECORD").write_text("".join(f"{one},,\n" for one in names))
    return site


def installed(source: Path, place: Path) -> Path:
    """Builds a copy of a distribution and installs it into a directory of its own, without an index."""
    shutil.copytree(source, place / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command += ["--target", str(place / "site"), str(place / "source")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "site"


def selfnas(*words: str | Path, place: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The command line of this checkout in a process of its own, with a directory of plug-ins."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *map(str, words)],
        cwd=place,
        env=environment(site),
        capture_output=True,
        text=True,
        timeout=300,
    )


def environment(site: Path) -> dict[str, str]:
    """One thread, wide terminals, this checkout first."""
    path = os.pathsep.join((str(ROOT), str(site)))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "300", "PYTHONDONTWRITEBYTECODE": "1"}
