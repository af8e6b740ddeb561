"""`run` from Python: files, names and streams alike, resumable, told to observers, the same events as the command."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from agent import Begun, BudgetSection, Life, SearchPolicy, Stream, open_life, run
from agent.cli import main
from agent.state.state import RunState, TaskState
from selfnas import InputError, TaskSpec


def looked_up(*, evaluations: int = 6) -> Stream:
    """Two tasks of the made-up table: nothing is trained."""
    return Stream(
        name="tables",
        tasks=[TaskSpec(name=name, source="table", dataset=name) for name in ("a", "b")],
        budget=BudgetSection(evaluations=evaluations, full_trainings=2),
        policy=SearchPolicy(population=4, sample=2, batch=2, finalists_per_task=1),
    )


class Watching:
    """Notes what a `RunObserver` is told."""

    def __init__(self, *, stop_after: int = 10**6) -> None:
        self.told: Counter[str] = Counter()
        self.stop_after = stop_after

    def checks(self, task: str) -> None:
        """Loaded next."""
        self.told["checks"] += 1

    def run_begins(self, begun: Begun) -> None:
        """Held."""
        assert begun.home.ledger.is_file()
        self.told["run begins"] += 1

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Starts."""
        self.told["task begins"] += 1

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Goes on; the person presses Ctrl-C here."""
        self.told["advanced"] += steps
        if self.told["advanced"] == self.stop_after:
            raise KeyboardInterrupt

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Ends."""
        self.told["task ends"] += 1

    def run_ends(self, begun: Begun, run: RunState) -> None:
        """Finished."""
        assert run.finished
        self.told["run ends"] += 1


class Partly:
    """An observer of tasks alone."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Note its name."""
        self.ended.append(task.name)


def hashes(life: Life) -> list[str]:
    """Of all events."""
    found: list[str] = life.events.hash.tolist()
    return found


def test_the_same_stream_gives_the_same_events_in_every_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a stream object, from the file that it wrote, and by the command; another seed gives others."""
    first = run(looked_up(), tmp_path / "one", seed=3)
    again = run(looked_up(), tmp_path / "two" / "deep", seed=3)
    other = run(looked_up(), tmp_path / "three", seed=4)
    written = tmp_path / "one" / "stream" / "tables.yaml"
    command = ["selfnas", "run", written, "--home", tmp_path / "four", "--seed", "3", "--no-mirror", "--workers", 1]
    monkeypatch.setattr(sys, "argv", [str(word) for word in command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert hashes(first) == hashes(again) == hashes(open_life(tmp_path / "four"))
    assert hashes(first) != hashes(other)


def test_a_life_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """To the events that it would have had; its home is free again at once."""
    with pytest.raises(KeyboardInterrupt):
        run(looked_up(), tmp_path / "cut", observer=Watching(stop_after=8))
    assert not open_life(tmp_path / "cut").tasks.finished.all()
    watching = Watching()
    life = run(looked_up(), tmp_path / "cut", observer=watching)
    assert hashes(life) == hashes(run(looked_up(), tmp_path / "whole"))
    assert watching.told["run ends"] == 1


def test_another_stream_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    """It is refused, with what to do."""
    with pytest.raises(KeyboardInterrupt):
        run(looked_up(), tmp_path / "cut", observer=Watching(stop_after=4))
    with pytest.raises(InputError, match="was cut off and its stream was another"):
        run(looked_up(evaluations=7), tmp_path / "cut")


def test_observers_are_told_of_as_much_as_they_hear(tmp_path: Path) -> None:
    """A `RunObserver` of the run and its tasks, an `Observer` of the tasks."""
    watching, partly = Watching(), Partly()
    run(looked_up(), tmp_path / "one", observer=watching)
    assert {key: watching.told[key] for key in ("checks", "run begins", "task begins", "task ends", "run ends")} == {
        "checks": 2, "run begins": 1, "task begins": 2, "task ends": 2, "run ends": 1,
    }  # fmt: skip
    assert watching.told["advanced"] >= 12
    run(looked_up(), tmp_path / "two", observer=partly)
    assert partly.ended == ["a", "b"]


def test_a_home_that_is_held_is_refused(tmp_path: Path) -> None:
    """A life cannot be begun inside itself."""

    class Inside(Watching):
        def run_begins(self, begun: Begun) -> None:
            with pytest.raises(InputError, match="another agent lives here"):
                run(looked_up(), tmp_path / "home")
            super().run_begins(begun)

    inside = Inside()
    run(looked_up(), tmp_path / "home", observer=inside)
    assert inside.told["run begins"] == 1


@pytest.mark.parametrize(
    ("stream", "options", "message"),
    [
        ("quikstart", {}, "did you mean 'quickstart'?"),
        ("quickstart", {"settings": ["budget.evaluation=3"]}, "did you mean 'evaluations'?"),
        (looked_up(), {"device": "cuda:99"}, "cannot be used here"),
    ],
)
def test_what_cannot_be_used_makes_no_life(
    stream: str | Stream, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    """The error says what would be right, and no ledger is there afterwards."""
    with pytest.raises(InputError) as told:
        run(stream, tmp_path / "home", **options)  # type: ignore[arg-type]
    assert message in str(told.value)
    assert not (tmp_path / "home" / "ledger.db").exists()


def test_nothing_stays_open(tmp_path: Path) -> None:
    """Neither the ledger, nor its snapshot, nor the lock, after a run and after tables were read."""
    life = run(looked_up(), tmp_path / "home")
    assert len(life.trials) == 12
    held = [os.readlink(link) for link in _links()]
    assert [name for name in held if str(tmp_path) in name] == []


def _links() -> list[str]:
    """Open descriptors of this process."""
    return [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")]
