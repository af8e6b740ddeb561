"""Watching a past task: quiet on more of the same, a successor through the same gate after a drift, resumable."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from agent.ledger.home import Home, hold
from agent.ledger.store import Event, Ledger
from agent.life.drift import Seen, Watcher, in_service
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.life.successor import Outcome
from agent.report.figures import gather
from agent.report.page import render
from agent.state.drift import fold
from agent.state.state import LifeState, replay
from agent.stream.file import read_stream
from agent.verify.verification import verify
from agent.workers.executor import WorkerDied
from agent.workers.process import run_job
from selfnas.data.sources.packaged import read_packaged
from selfnas.errors import InputError
from selfnas.seeding import generator
from tests.agent.conftest import TINY
from tests.agent.interrupted import live_interrupted
from tests.agent.tabular_lives import ledger_of

pytestmark = pytest.mark.slow

STREAM = TINY[: TINY.index("  - {name: again")].replace("evaluations: 4", "evaluations: 2")


class Remembering:
    """Workers inside this process that do no job twice."""

    def __init__(self) -> None:
        self.done: dict[str, str] = {}

    def expect(self, jobs: Sequence[str]) -> None:
        """Nothing is begun before it is asked for."""

    def answers(
        self, jobs: Sequence[str], *, on_done: Callable[[], None] = lambda: None
    ) -> tuple[str | WorkerDied, ...]:
        """As `Workers.answers`."""
        for job in jobs:
            if job not in self.done:
                self.done[job] = run_job(job)
            on_done()
        return tuple(self.done[job] for job in jobs)


WORKERS = Remembering()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life of one task of digits, batches of upright and of turned ones, and a copy of the life."""
    place = tmp_path_factory.mktemp("watch")
    (place / "tiny.yaml").write_text(STREAM)
    prepared = prepare(read_stream(place / "tiny.yaml"))
    with hold(place / "home") as held, Ledger(held.ledger, clock=time.time) as ledger:
        Life(ledger, prepared, WORKERS, home=held, device="cpu", observer=Unobserved()).run()  # type: ignore[arg-type]
    raw = read_packaged("digits")
    order = generator(0, "batches").permutation(len(raw.y))
    x, y = raw.x[:, 0][order], raw.y[order]
    for number in range(2):
        rows = slice(150 * number, 150 * (number + 1))
        np.savez(place / f"upright{number}.npz", x=x[rows], y=y[rows])
    for number in range(3):
        rows = slice(300 + 450 * number, 300 + 450 * (number + 1))
        np.savez(place / f"turned{number}.npz", x=np.rot90(x[rows], axes=(1, 2)), y=y[rows])
    shutil.copytree(place / "home", place / "before")
    return place


FILES = ("upright0.npz", "upright1.npz", "turned0.npz", "turned1.npz", "turned2.npz")


def watch(place: Path, files: Sequence[str] = FILES) -> list[Seen | Outcome]:
    """As the command does it."""
    told: list[Seen | Outcome] = []
    with hold(place / "home") as held, Ledger(held.ledger, clock=time.time) as ledger:
        watcher = Watcher(ledger, held, "first", base=place, least=850)

        def search() -> None:
            told.append(watcher.search(WORKERS, device="cpu", observer=Unobserved()))  # type: ignore[arg-type]

        if watcher.unfinished or watcher.wants_search:
            search()
        for name in files:
            [batch] = watcher.follow([place / name])
            told.append(watcher.take_in(batch))
            if watcher.wants_search:
                search()
    return told


@pytest.fixture(scope="module")
def watched(place: Path) -> list[Seen | Outcome]:
    """What the whole watch told."""
    return watch(place)


def state(place: Path) -> LifeState:
    """The life as it stands."""
    with ledger_of(place / "home") as ledger:
        return replay(ledger)


def events(place: Path) -> list[Event]:
    """Every event."""
    with ledger_of(place / "home") as ledger:
        return list(ledger.events())


def test_a_drift_leads_to_a_successor_through_the_same_gate(place: Path, watched: list[Seen | Outcome]) -> None:
    """Steady while upright, confirmed when turned, searched on enough data with the motif in service tried first."""
    seen = [one for one in watched if isinstance(one, Seen)]
    assert [one.verdict for one in seen] == ["steady", "steady", "drift", "drift", "steady"]
    assert seen[2].missing == 850 - 450
    [outcome] = [one for one in watched if isinstance(one, Outcome)]
    life = state(place)
    [task] = life.runs[1].tasks
    assert outcome.evaluations == len(task.trials) == 1  # a third of two, rounded up
    assert task.evaluations[0].origin == "recalled"
    assert task.started.recalled[0].digest == fold(life)["first"].drifts[0].search.digest
    assert outcome.successor == in_service(life, "first").digest
    assert in_service(life, "first").task == "first-drift1"
    with ledger_of(place / "home") as ledger:
        result = verify(ledger, Home(place / "home"))
        assert "first-drift1" in render(gather(ledger))
    assert not result.problems
    assert result.checked["watched batches"] == 5


def test_the_same_command_again_changes_nothing(place: Path, watched: list[Seen | Outcome]) -> None:
    """Batches are known by their content."""
    before = events(place)
    assert all(isinstance(one, Seen) and one.known for one in watch(place))
    assert events(place) == before


def test_a_watch_stopped_at_any_step_goes_on_to_the_same_end(
    place: Path, watched: list[Seen | Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before each single transaction in turn, the ledger is in the end the uninterrupted one's."""
    wanted = events(place)
    kept = place / "home" / "weights"
    shutil.move(place / "home", place / "whole")
    shutil.copytree(place / "before", place / "home")
    shutil.rmtree(kept)
    shutil.copytree(place / "whole" / "weights", kept)  # the workers remember what they were asked, files included
    live_interrupted(lambda: watch(place), Ledger, monkeypatch, steps=1)
    assert events(place) == wanted


def test_what_cannot_be_watched_is_refused(place: Path, watched: list[Seen | Outcome]) -> None:
    """An unknown task with the nearest name, and data of another shape; nothing is recorded."""
    before = events(place)
    with pytest.raises(InputError, match="did you mean 'first'"), ledger_of(place / "home") as ledger:
        Watcher(ledger, Home(place / "home"), "frist", base=place, least=850)
    np.savez(place / "wide.npz", x=np.zeros((3, 9, 9), np.uint8), y=np.arange(3))
    with pytest.raises(InputError, match="examples of shape"):
        watch(place, ["upright0.npz", "wide.npz"])
    assert events(place) == before


def test_a_forged_verdict_is_found(place: Path, watched: list[Seen | Outcome]) -> None:
    """Steady written where the numbers say drift, with the chain made whole again."""
    from tests.agent.life.test_life import rebuild

    copy = place / "forged"
    shutil.copytree(place / "home", copy)
    forged = """UPDATE events SET payload = replace(payload, '"verdict":"drift"', '"verdict":"steady"')
    WHERE kind = 'watch.batch'"""
    rebuild(copy / "ledger.db", forged)
    with ledger_of(copy) as ledger:
        problems = verify(ledger, Home(copy)).problems
    assert any("its numbers say drift" in problem for problem in problems)
