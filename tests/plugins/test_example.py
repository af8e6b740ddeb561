"""The plug-in of `experiments/plugin`: installed, lived with, verified with it and without, cut off and changed."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.conftest import inside
from tests.plugins.conftest import ROOT, environment, installed, selfnas

FOLDER = ROOT / "experiments" / "plugin"
# Trainings of a few steps, and two baselines: how long networks are trained does not matter here.
SHORT = ("--set", "low.steps=0", "--set", "full.steps=0", "--set", "baselines=[nearest, linear]")
RUN = ("run", FOLDER / "stream.yaml", "--home", "home", "--workers", "1", "--no-mirror", *SHORT)
MISSING = "not checkable without plug-in selfnas-example-parts 1.0 (SHA-256 "

pytestmark = pytest.mark.slow

CHECKS = """
import selfnas_example_parts as parts
from selfnas.testing import check_operation, check_space, check_strategy
check_operation(parts.DSEP)
check_space(parts.SPACE)
check_strategy(parts.SparseFirst(), space=parts.SPACE)
print("kept")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plug-in is installed, and nothing else."""
    return installed(FOLDER, tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def home(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of the stream in the plug-in's folder."""
    place = tmp_path_factory.mktemp("lived")
    done = selfnas(*RUN, place=place, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "home"


def test_its_parts_keep_what_is_promised_of_all(site: Path) -> None:
    """By the checks that the project ships, in a process that has nothing of it but the installed plug-in."""
    done = subprocess.run([sys.executable, "-c", CHECKS], env=environment(site), capture_output=True, text=True)
    assert done.stdout == "kept\n", done.stderr


def test_its_set_is_tested_like_any_other(site: Path, tmp_path: Path) -> None:
    """Rules on its operations and its quantity, with their examples."""
    done = selfnas("constraints", "test", FOLDER / "set.yaml", place=tmp_path, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    done = selfnas("constraints", "prove", FOLDER / "set.yaml", "cost(traffic) <= 1 @byte", place=tmp_path, site=site)
    assert "fails: admitted, and violating it, is nb201-dsep/" in done.stdout


def test_its_life_verifies_where_it_is_installed(site: Path, home: Path) -> None:
    """Certificates by its formulas, audits and weights; again by Z3 and the audits where asked."""
    done = selfnas("verify", "--home", home, "--deep", place=home.parent, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert " certificates solved again, 1 networks audited again, 3 baselines fitted again: all hold" in said


def test_what_depends_on_it_is_not_checkable_without_it(home: Path) -> None:
    """In one sentence for all events that need it, and exit code 1; audits and weights are checked all the same."""
    done = inside(home.parent, "verify", "--home", home)
    assert done.returncode == 1
    assert f"'separable' is {MISSING}" in done.stdout
    assert done.stdout.count(MISSING) == 2
    assert "1 audit verdicts, 1 admissions, 1 weights, 3 baselines: 2 problem(s)" in done.stdout
    deep = inside(home.parent, "verify", "--home", home, "--deep")
    assert deep.returncode == 1
    assert "Traceback" not in deep.stderr


@pytest.mark.parametrize("command", [("status",), ("motifs", "list"), ("review", "list")])
def test_a_life_can_be_looked_at_without_it(home: Path, command: tuple[str, ...]) -> None:
    """With a sentence that says what is missing, and no traceback."""
    done = inside(home.parent, *command, "--home", home)
    assert done.returncode == 0, done.stderr
    assert "plug-in selfnas-example-parts 1.0" in done.stderr
    assert "is not installed, or with other content" in done.stderr
    assert "stripes" in done.stdout


def test_a_report_is_made_of_what_can_be_read(site: Path, home: Path) -> None:
    """Without it the tasks in its space are left out; with it they are there."""
    done = inside(home.parent, "report", home, "-o", "without.html")
    assert done.returncode == 0, done.stderr
    assert "0 task(s)" in done.stdout
    done = selfnas("report", home, "-o", "with.html", place=home.parent, site=site)
    assert "1 task(s)" in done.stdout


def test_what_needs_its_networks_says_so(home: Path, tmp_path: Path) -> None:
    """To export one is refused in a sentence."""
    (digest, *_) = inside(home.parent, "motifs", "list", "--home", home).stdout.split()
    done = inside(home.parent, "motifs", "export", digest, "-o", tmp_path / "x.pt2", "--home", home)
    assert done.returncode == 1
    assert MISSING in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_goes_on_with_the_very_plug_in_alone(site: Path, tmp_path: Path) -> None:
    """Killed in its search, it is refused to another version or content, and ended by what it began with."""
    command = [sys.executable, "-m", "agent", *map(str, RUN)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(site), stdout=subprocess.DEVNULL)
    _wait_for("evaluated", tmp_path / "home" / "ledger.db")
    process.send_signal(signal.SIGKILL)
    process.wait()
    other = _changed(site, tmp_path / "newer", version="1.1")
    done = selfnas(*RUN, place=tmp_path, site=other)
    assert done.returncode == 2
    assert "was cut off and plug-in selfnas-example-parts was another (1.0 → 1.1): finish it with" in done.stderr
    edited = _changed(site, tmp_path / "edited", version="1.0")
    done = selfnas(*RUN, place=tmp_path, site=edited)
    assert done.returncode == 2
    assert "plug-in selfnas-example-parts 1.0 was another (SHA-256 " in done.stderr
    assert selfnas("verify", "--home", "home", place=tmp_path, site=edited).returncode == 1
    done = selfnas(*RUN, place=tmp_path, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert selfnas("verify", "--home", "home", place=tmp_path, site=site).returncode == 0


def _changed(site: Path, place: Path, *, version: str) -> Path:
    """A copy of what is installed, with another version and a comment more."""
    shutil.copytree(site, place)
    (info,) = place.glob("*.dist-info")
    metadata = info / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", f"Version: {version}"))
    module = place / "selfnas_example_parts.py"
    module.write_text(module.read_text() + "# edited\n")
    return place


def _wait_for(kind: str, ledger: Path) -> None:
    """Until an event of that kind is written."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if ledger.is_file():
            try:
                found = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True).execute(
                    "SELECT count(*) FROM events WHERE kind = ?", (kind,)
                )
                if found.fetchone()[0]:
                    return
            except sqlite3.Error:
                pass
        time.sleep(0.05)
    raise AssertionError(f"no event {kind}")
