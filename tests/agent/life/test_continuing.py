"""A finished task gets more budget: nothing is computed twice, only the budget differs, a kill changes nothing."""

import hashlib
import shutil
from collections import Counter
from pathlib import Path

import pytest

from agent.api.life import open_life
from agent.api.running import continue_task, run
from agent.ledger.events import Evaluated, Event, Facts, TaskStarted
from agent.ledger.store import reading
from agent.life.life import Life
from agent.memory.recall import past_tasks
from agent.state.opening import recollect
from agent.state.state import replay
from agent.verify.verification import verify
from selfnas.digests import canonical_json
from selfnas.errors import InputError
from tests.agent.conftest import FEW, inside
from tests.agent.interrupted import live_interrupted
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `few.yaml`, a life of one run in `once`, and the same with a continuation in `twice`."""
    place = tmp_path_factory.mktemp("continued")
    (place / "few.yaml").write_text(FEW.format(epochs=2, examples=60))
    done = inside(place, "run", "few.yaml", "--home", "once", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    shutil.copytree(place / "once", place / "twice")
    words = ("run", "--continue", "few", "--evaluations", "+2", "--full-trainings", "+1", "--home", "twice")
    done = inside(place, *words, "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return place


def events(home: Path) -> list[Event[Facts]]:
    """Of a life."""
    with reading(home) as ledger:
        return list(ledger.events())


def test_a_task_goes_on_with_all_that_is_known(place: Path) -> None:
    """Scores and certificates count, no candidate is computed on a second time, and it all verifies."""
    home = place / "twice"
    with reading(home) as ledger:
        state, opened = replay(ledger), recollect(ledger)
        for run in (state.runs[1], opened.runs[1]):
            (task,) = run.tasks
            assert len(task.evaluations) == 4
            assert [one.architecture for one in task.evaluations[:2]] == [
                one.architecture for one in state.runs[0].tasks[0].evaluations
            ]
            assert len(task.own_evaluations) == 2
            assert (len(task.finalists), len(task.fully_trained)) == (1, 3)
            assert task.finished is not None
            assert (task.finished.evaluations, task.finished.full_trainings) == (4, 3)
        past = past_tasks(state, before=None, space="nb201", tabular=False)
        assert [(one.name, len(one.trials)) for one in past] == [("2/few", 4)]
    computed = Counter(event.facts.architecture for event in events(home) if isinstance(event.facts, Evaluated))
    assert set(computed.values()) == {1}
    assert events(home)[: len(events(place / "once"))] == events(place / "once")
    life = open_life(home)
    assert not life.verify().problems
    assert list(life.trials.number) == [1, 2, 3, 4]
    assert list(life.tasks.evaluations) == [2, 4]
    found = life.shortfall("few")
    assert found is not None
    assert len(found.finalists) == 3
    assert life.report().is_file()


def test_a_continuation_that_is_killed_goes_on_to_the_same_future(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its budget is named again or not; with another budget it is refused, and so is any other run."""
    home = tmp_path / "home"
    shutil.copytree(place / "once", home)
    more, begun = {"evaluations": 2, "full_trainings": 1}, len(events(place / "once"))
    times = 0

    def live() -> None:
        nonlocal times
        times += 1
        if len(events(home)) > begun:
            with pytest.raises(InputError, match="was cut off while it gave task 'few' more budget, 4 evaluations"):
                continue_task(home, "few", evaluations=5)
            with pytest.raises(InputError, match="was cut off while it gave task 'few' more budget: finish it with"):
                run(place / "few.yaml", home)
        continue_task(home, "few", **(more if times % 2 else {}))

    with monkeypatch.context() as patch:
        live_interrupted(live, Life, patch, steps=2)
    assert times > 2
    assert events(home) == events(place / "twice")


def test_what_cannot_go_on_is_refused_and_nothing_is_recorded(place: Path, tmp_path: Path) -> None:
    """Each in a sentence that says what to do."""
    home = tmp_path / "home"
    shutil.copytree(place / "once", home)
    for task, more, told in (
        ("fwe", {"evaluations": 1}, "no task 'fwe' was lived here; did you mean 'few'"),
        ("few", {}, "say how much is added"),
        ("few", {"evaluations": -4}, "a budget can only grow"),
    ):
        with pytest.raises(InputError, match=told):
            continue_task(home, task, **more)
    with pytest.raises(InputError, match="there is no ledger here"):
        continue_task(tmp_path / "nowhere", "few", evaluations=1)
    for words, told in (
        (("--continue", "few", "--seed", "3"), "goes without --seed"),
        (("few.yaml", "--evaluations", "+3"), "go with --continue"),
        ((), "Missing argument 'STREAM'"),
    ):
        done = inside(place, "run", *words, "--home", home)
        assert done.returncode == 2
        assert told in " ".join(done.stderr.replace("│", " ").split())
    assert events(home) == events(place / "once")


def _of_stream(**values: object) -> Edit:
    """Other values in the stream of the continuation, whose digest fits them."""

    def edit(found: Events) -> None:
        payload = [payload for kind, payload in found if kind == "run.started"][-1]
        payload["stream"] = {**payload["stream"], **values}
        payload["stream_digest"] = hashlib.sha256(canonical_json(payload["stream"]).encode()).hexdigest()

    return edit


def _of(kind: str, place: int, **values: object) -> Edit:
    """Other values in one event of a kind."""
    return lambda found: [payload for each, payload in found if each == kind][place].update(values)


def _again(found: Events) -> None:
    """What the first run evaluated is evaluated again, in the place of something new."""
    first, *_, last = (payload for kind, payload in found if kind == "evaluated")
    last.update(first)


def _begun_afresh(found: Events) -> None:
    """The task no longer says that it goes on with another, and its run still does."""
    [payload for kind, payload in found if kind == "task.started"][1].pop("continues")


EDITS: dict[str, tuple[Edit, str]] = {
    "no larger budget": (_of_stream(budget={"evaluations": 2, "full_trainings": 2}), "its budget is no larger"),
    "beyond the budget": (_of_stream(budget={"evaluations": 3, "full_trainings": 3}), "evaluation number 4, beyond"),
    "a full training too many": (_of_stream(budget={"evaluations": 4, "full_trainings": 2}), "full training number 3"),
    "a budget not spent": (_of_stream(budget={"evaluations": 9, "full_trainings": 3}), "after 4 of 9 evaluations"),
    "another seed": (_of_stream(seed=9), "by another stream"),
    "another task": (_of_stream(tasks=[{"name": "few", "source": "digits", "limit": 80}]), "its task is none of"),
    "another suite": (_of("run.started", 1, audit_suite_digest="0" * 64), "its audit suite is another"),
    "of a run to come": (_of("run.started", 1, continues=2), "which had not ended"),
    "other data": (_of("task.started", 1, task_digest="0" * 64), "its task digest is another"),
    "the run alone": (_begun_afresh, "is not what its run"),
    "evaluated again": (_again, "evaluated a second time on this task"),
    "fewer than there were": (_of("task.finished", 1, evaluations=2), "but 4 are recorded"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_forged_continuation_is_named(name: str, place: Path, tmp_path: Path) -> None:
    """It contradicts the run that it goes on with, or its own budget."""
    edit, told = EDITS[name]
    forged = rewrite(place / "twice", tmp_path / "forged", edit)
    with reading(forged.root) as ledger:
        problems = verify(ledger, forged).problems
    assert any(told in problem for problem in problems), problems


def test_a_task_is_continued_after_its_continuation(place: Path, tmp_path: Path) -> None:
    """The latest run counts; full trainings alone can be added."""
    home = tmp_path / "home"
    shutil.copytree(place / "twice", home)
    continue_task(home, "few", full_trainings=1)
    started = [event.facts for event in events(home) if isinstance(event.facts, TaskStarted)]
    assert [one.continues for one in started[1:]] == [1, 2]
    life = open_life(home)
    assert list(life.tasks.evaluations) == [2, 4, 4]
    assert not life.verify().problems
