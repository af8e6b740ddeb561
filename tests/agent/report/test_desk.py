"""The reviewer's queue as data: what a decision rests on, which finalists wait, and what was decided elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import inside

# Modules that take seconds to load, and that no decision needs.
HEAVY = "torch", "mlflow", "pytorch_lightning", "captum", "z3", "matplotlib", "pandas"


@pytest.fixture
def home(copied_life: Path) -> Path:
    """A life that may be decided about."""
    return copied_life


def listed(home: Path, *words: str) -> list[dict[str, Any]]:
    """What the command prints as JSON."""
    done = inside(home.parent, "review", "list", "--json", "--home", home, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def places(one: dict[str, Any]) -> tuple[int, str, str]:
    """What names a finalist."""
    return one["run"], one["task"], one["digest"]


def test_each_record_holds_what_a_decision_rests_on(home: Path) -> None:
    """Verdict, reasons, what was not tested, test figure within its interval, weights."""
    every = listed(home)
    assert len(every) >= 2
    for one in every:
        assert len(one["digest"]) == 64
        assert one["standing"] in ("admitted", "refused")
        assert one["audits"] == "admit" or one["reasons"]
        assert one["test"]["low"] <= one["test"]["estimate"] <= one["test"]["high"]
        assert one["test"]["n"] > 0
        assert one["awaiting"] is not bool(one["reviews"])
    assert any(one["untested"] for one in every)
    assert all(told["why"] for one in every for told in one["untested"])
    assert any(one["elsewhere"] for one in every)


def test_what_is_decided_leaves_the_queue_and_the_reply_names_task_and_run(home: Path) -> None:
    """The decision stands in the record, with its event; other records of the network name it as well."""
    before = listed(home, "--awaiting")
    first = next(one for one in before if one["standing"] == "admitted")
    assert first["run"] < max(one["run"] for one in listed(home)), "a later run has been lived since"
    where = ("--task", first["task"], "--run", first["run"])
    done = inside(
        home.parent, "review", "approve", first["digest"], *map(str, where), "--author", "ann", "--home", home,
        "--no-mirror",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{first['digest'][:12]} (task {first['task']}, run 1) now stands admitted, by ann" in done.stdout
    waiting = listed(home, "--awaiting")
    assert [places(one) for one in waiting] == [places(one) for one in before if one is not first]
    (again,) = (one for one in listed(home, *map(str, where)) if one["digest"] == first["digest"])
    (said,) = again["reviews"]
    assert (said["decision"], said["author"]) == ("approve", "ann")
    assert done.stdout.startswith(f"event {said['event']}:")
    for one in waiting:
        named = [(other["run"], other["task"]) for other in one["elsewhere"]]
        assert ((first["run"], first["task"]) in named) == (one["digest"] == first["digest"])


def test_only_the_run_that_is_asked_for_is_listed(home: Path) -> None:
    """As text and as JSON."""
    for run in ("1", "2"):
        assert listed(home, "--run", run) == [one for one in listed(home) if str(one["run"]) == run] != []
    assert listed(home, "--run", "9") == []
    text = inside(home.parent, "review", "list", "--run", "2", "--home", home)
    assert text.returncode == 0
    assert "run 2: " in text.stdout
    assert "run 1: " not in text.stdout


def test_a_finalist_is_decided_about_by_the_number_of_its_event(home: Path) -> None:
    """No digest is needed; the reply names task and run, and a number that means no finalist is refused."""
    first = next(one for one in listed(home, "--awaiting") if one["standing"] == "admitted")
    decide = ("--home", home, "--no-mirror", "--author", "ann", "--reason", "focus again", "--event")
    done = inside(home.parent, "review", "send-back", *decide, str(first["event"]))
    assert done.returncode == 0, done.stderr
    place = f"{first['digest'][:12]} (task {first['task']}, run {first['run']})"
    assert f"{place} was sent back by ann; it still stands admitted" in done.stdout
    (again,) = (one for one in listed(home) if one["event"] == first["event"])
    assert (again["stage"], again["standing"], again["seen"]) == ("sent back", "admitted", again["reviews"][0]["event"])
    done = inside(home.parent, "review", "overrule", *decide, str(again["seen"]))
    assert f"{place} now stands refused, by ann" in done.stdout
    done = inside(home.parent, "review", "overrule", *decide, "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "event 0 decided about no finalist" in done.stderr
    assert inside(home.parent, "review", "approve", "--home", home).returncode == 2
    assert inside(home.parent, "verify", "--home", home).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--awaiting", "--json"),
        ("approve", "DIGEST", "--no-mirror"),
        ("send-back", "DIGEST", "--no-mirror", "--reason", "focus"),
        ("take-in", "--no-mirror"),
    ],
)
def test_a_decision_loads_nothing_heavy(words: tuple[str, ...], home: Path) -> None:
    """Neither PyTorch nor what else takes seconds."""
    admitted = next(one for one in listed(home, "--awaiting") if one["standing"] == "admitted")
    where = ("--task", admitted["task"], "--run", str(admitted["run"])) if "DIGEST" in words else ()
    asked = [admitted["digest"] if word == "DIGEST" else word for word in words]
    program = (
        "import sys\nfrom agent.cli import main\ntry:\n    main()\nfinally:\n    "
        f"print({HEAVY!r}, *(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "review", *asked, "--home", str(home), *where],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == str(HEAVY)
