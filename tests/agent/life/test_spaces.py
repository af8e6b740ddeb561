"""A stream that names no space: each task takes the one that fits its inputs, and its life can be verified."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from agent.ledger.events import UNSET, Compared, Evaluated, Facts, TaskStarted
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.preparation import prepare
from agent.stream.file import read_stream
from selfnas.errors import InputError
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.spaces.stacked import parse_choices
from tests.agent.conftest import inside

STREAM = """\
stream: mixed
format: 1
macro: {channels: 4, depth: 1}
operators: 1
baselines: none
budget: {evaluations: 3, full_trainings: 1}
low: {epochs: 1, steps: 0, fraction: 0.5}
full: {epochs: 2, steps: 0}
policy: {population: 3, sample: 2, batch: 3, oversample: 1, finalists_per_task: 1, recall_trust_percent: 0}
tasks:
  - {name: drawings, source: npz, path: drawings.npz}
  - {name: curves, source: npz, path: curves.npz}
  - {name: again, source: npz, path: drawings.npz, transforms: [{rotate: 180}]}
"""
BOTH = "language: 1\nspaces: [{spaces}]\nrules:\n  - {{id: a, scope: cell, require: depth <= 3, why: w, message: m}}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with images and series of two classes, and `mixed.yaml`."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    np.savez(tmp_path / "drawings.npz", x=rng.random((120, 8, 8)) + y[:, None, None], y=y)
    np.savez(tmp_path / "curves.npz", x=rng.random((120, 1, 24)) + y[:, None, None], y=y)
    (tmp_path / "mixed.yaml").write_text(STREAM)
    return tmp_path


def facts(place: Path) -> list[Facts]:
    """What was recorded."""
    with Ledger(Home(place / "home").ledger, clock=time.time, read_only=True) as ledger:
        return [event.facts for event in ledger.events()]


def test_each_task_is_searched_in_the_space_of_its_inputs(place: Path) -> None:
    """Tasks of other spaces teach it nothing and do no harm; the life verifies."""
    done = inside(place, "run", "mixed.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode in (0, 1), done.stderr
    found = facts(place)
    tasks = [one for one in found if isinstance(one, TaskStarted)]
    assert [task.space for task in tasks] == ["image", "series", "image"]
    assert all(task.macro is not UNSET and task.macro.startswith("c4n1r16") for task in tasks)
    compared = [one.architecture for one in found if isinstance(one, Compared)]
    assert all(text.startswith("nb201/") for text in compared)
    verified = inside(place, "verify", "--home", "home")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "space: tabular",
            "mixed.yaml:3:1: space tabular is for tables, and task 'drawings' has images: leave `sp",
        ),
        ("constraints: tables.yaml", r"fits images: task .drawings"),
    ],
)
def test_a_space_that_does_not_fit_a_task_is_refused(place: Path, change: str, message: str) -> None:
    """At its place in the file, before anything is spent."""
    (place / "tables.yaml").write_text("set: tables\n" + BOTH.format(spaces="tabular"))
    (place / "mixed.yaml").write_text(STREAM.replace("format: 1\n", f"format: 1\n{change}\n"))
    with pytest.raises(InputError, match=message):
        prepare(read_stream(place / "mixed.yaml"))


def test_the_space_is_one_that_the_constraint_set_is_for(place: Path) -> None:
    """A set for nb201 alone keeps images and series there."""
    (place / "few.yaml").write_text("set: few\n" + BOTH.format(spaces="nb201"))
    (place / "mixed.yaml").write_text(STREAM.replace("format: 1\n", "format: 1\nconstraints: few.yaml\n"))
    assert [task.space.name for task in prepare(read_stream(place / "mixed.yaml")).tasks] == ["nb201"] * 3


def test_macro_settings_of_a_list_are_searched(place: Path) -> None:
    """Trials are stacked in several ways, recalled ones as they won; the life verifies, also by counting again."""
    text = STREAM.replace("channels: 4, depth: 1", "channels: [4, 6], depth: [1, 2], head: [average, peaks]")
    text = (
        text.replace("evaluations: 3", "evaluations: 8").replace("batch: 3", "batch: 4").replace("operators: 1\n", "")
    )
    (place / "mixed.yaml").write_text(text.replace("  - {name: curves, source: npz, path: curves.npz}\n", ""))
    done = inside(place, "run", "mixed.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode in (0, 1), done.stderr
    found = facts(place)
    tasks = [one for one in found if isinstance(one, TaskStarted)]
    assert [task.macro for task in tasks] == ["c4,6n1,2r16s0haverage,peaks"] * 2
    assert tasks[0].space_count == str(8 * SPACES["image"].count())
    stacks = {parse_architecture(one.architecture).macro for one in found if isinstance(one, Evaluated)}
    assert len(stacks) > 2
    assert stacks <= set(parse_choices("c4,6n1,2r16s0haverage,peaks"))
    verified = inside(place, "verify", "--home", "home", "--deep", "--sample", "0")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize(
    ("macro", "more", "message"),
    [
        ("{channels: [8, 8]}", "", "channels has a value twice"),
        ("{channels: [1, 8]}", "", "channels: need at least 2, not 1"),
        ("{channels: [4, 5, 6, 7, 8], depth: [1, 2, 3, 4], head: [average, grid4, peaks, attention]}", "", "80 ways"),
        ("{depth: [1, 2]}", "policy: {strategy: gdas}\n", "trains one supernet"),
    ],
)
def test_lists_that_cannot_be_searched_are_refused(place: Path, macro: str, more: str, message: str) -> None:
    """At their place in the file."""
    lines = [line for line in STREAM.splitlines() if not line.startswith(("macro", *(["policy"] if more else [])))]
    (place / "mixed.yaml").write_text("\n".join(lines).replace("tasks:", f"macro: {macro}\n{more}tasks:"))
    with pytest.raises(InputError, match=message):
        read_stream(place / "mixed.yaml")
