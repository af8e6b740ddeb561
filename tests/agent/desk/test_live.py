"""The live view: what a life does now, as its events and its pulse say, pushed to whoever looks."""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from agent.api.reviewing import Wish, decide
from agent.commands.heartbeat import Heartbeat
from agent.desk.curve import curve
from agent.desk.live import live, mark
from agent.desk.spent import spent
from agent.desk.view import View
from agent.ledger.events import Evaluated, Reviewed, RunFinished, RunStarted, TaskStarted, Trained
from agent.ledger.home import hold, is_held
from agent.ledger.pulse import Pulse, read_pulse, remove_pulse, write_pulse
from agent.workers.timing import WorkTime
from tests.agent.conftest import TINY, inside
from tests.agent.desk.conftest import Visitor, events_of
from tests.agent.desk.test_queue import plain

PULSE = Pulse(
    run=1,
    task="first",
    place=1,
    tasks=2,
    trainings=3,
    of=9,
    left=120.0,
    since=1.0,
    at=2.0,
    workers=1,
    busy={"audits": 0.5},
)


def test_a_finished_life_is_shown_as_it_ended(visitor: Visitor, home: Path) -> None:
    """Its last run with every task, its best score and curve, what each rule kept out, and where the time went."""
    page = visitor.ask("/live").text
    with View(home).opened() as seen:
        run = seen.state.runs[-1]
    text = plain(page)
    assert f"{run.started.record.stream}, run {run.number} finished" in text
    for task in run.tasks:
        scores = [score for score in task.accuracies if score is not None]
        assert f"{100 * max(scores):.1f} % best score of {task.name}" in text
        for rule, count in task.filtered.items():
            assert f"{rule} {count}" in text
    assert page.count("<circle") == len([score for score in run.tasks[-1].accuracies if score is not None])
    assert "What waits" not in text
    assert "search" in text


@contextmanager
def watched(visitor: Visitor) -> Iterator[Iterator[str]]:
    """The parts that the desk sends to a page that stays open."""
    with closing(http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=60)) as connection:
        cookie = f"{visitor.access.cookie}={visitor.access.key}"
        connection.request("GET", "/live/parts", headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")

        def parts() -> Iterator[str]:
            while True:
                lines = list(iter(lambda: answer.readline().decode().rstrip("\n"), ""))
                assert all(line.startswith(("data: ", ": ")) for line in lines)
                yield "\n".join(line.removeprefix("data: ") for line in lines)

        yield parts()


def test_whoever_looks_is_told_of_each_change(visitor: Visitor, home: Path) -> None:
    """The first part is what the page shows; another comes when something is appended, whoever did it."""
    with watched(visitor) as parts:
        assert f"of {View(home).head()[0]} events" in plain(next(parts))
        decide(home, [Wish(decision="approve", event=events_of(home, standing="admitted")[0], author="Bob")])
        assert f"of {View(home).head()[0]} events" in plain(next(parts))


def test_a_life_that_is_lived_says_where_it_is_between_its_events(home: Path) -> None:
    """Trainings that are not recorded yet, the time left, how busy its workers are; not once it has ended."""
    with View(home).opened() as seen:
        run = seen.state.runs[-1]
        run.finished = False
        task = run.tasks[-1]
        known = len(task.own_evaluations) + len(task.finalists)
        at = time.time()
        write_pulse(home, structs.replace(PULSE, trainings=known + 2, at=at, since=at - 10))
        assert live(seen)["said"] == "cut off: it can go on"
        with hold(home):
            shown = live(seen)
            assert shown["said"] == "being lived now"
            assert shown["now"]["under_way"] + shown["now"]["full_under_way"] == 2
            assert shown["left"] == "2 min"
            assert shown["busy"] == [("audits", pytest.approx(5.0))]
        assert live(seen)["pulse"] is None


def _holding(home: Path, held: object, free: object) -> None:
    with hold(home):
        held.set()  # type: ignore[attr-defined]
        free.wait()  # type: ignore[attr-defined]


def test_whether_a_home_is_held_is_told_without_taking_it(home: Path) -> None:
    """By this process or another; and a home that was never held is free."""
    assert is_held(home) is False
    with hold(home):
        assert is_held(home) is True
    assert is_held(home) is False
    context = multiprocessing.get_context("spawn")
    held, free = context.Event(), context.Event()
    process = context.Process(target=_holding, args=(home, held, free))
    process.start()
    assert held.wait(60)
    assert is_held(home) is True
    free.set()
    process.join()
    assert is_held(home) is False


def test_the_mark_changes_with_the_pulse_and_with_events(home: Path) -> None:
    """And with nothing else."""
    view = View(home)
    marks = [mark(home, view.head()[1]), mark(home, view.head()[1])]
    write_pulse(home, structs.replace(PULSE, at=time.time()))
    marks.append(mark(home, view.head()[1]))
    remove_pulse(home)
    decide(home, [Wish(decision="approve", event=events_of(home, standing="admitted")[0], author="Bob")])
    marks.append(mark(home, view.head()[1]))
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_a_pulse_of_a_life_that_was_killed_is_not_believed(home: Path) -> None:
    """One that is old, damaged, or not there is none."""
    assert read_pulse(home) is None
    write_pulse(home, PULSE)
    assert read_pulse(home) is None
    (home / "pulse.json").write_text("{")
    assert read_pulse(home) is None


def test_time_is_counted_for_what_it_went_to() -> None:
    """What is written together is one step, named for its heaviest; pauses of people are left out."""
    kinds = [RunStarted, TaskStarted, Evaluated, Evaluated, Trained, Reviewed, RunFinished, RunStarted, TaskStarted]
    times = dict(enumerate([100.0, 101.0, 106.0, 106.0, 126.0, 500.0, 501.0, 900.0, 902.0]))
    assert spent(kinds, times) == {
        "task begun: data read, recall": 3.0, "search": 5.0, "full trainings and audits": 20.0, "rest": 1.0,
    }  # fmt: skip
    assert spent(kinds, times, since=7) == {"task begun: data read, recall": 2.0}
    assert spent(kinds, {}) == {}


def test_a_curve_never_falls_and_dots_stay_inside() -> None:
    """Failures are left out; equal scores and a single one are drawn too."""
    scores = [0.2, None, 0.9, 0.4, 0.95, 0.1]
    drawn = curve(scores, [False] * 6, room=10)
    assert drawn is not None
    heights = [float(point.partition(",")[2]) for point in drawn.best.split()]
    assert heights == sorted(heights, reverse=True)
    assert len(drawn.dots) == 5
    for x, y, _ in drawn.dots:
        assert drawn.left < x < drawn.width
        assert 0 < y < drawn.floor
    assert curve([None], [False], room=3) is None
    for flat in ([0.0], [-0.3, -0.3]):
        assert curve(flat, [False] * len(flat), room=1) is not None


def test_a_heartbeat_tells_until_it_ends(tmp_path: Path) -> None:
    """Lines with a time as often as asked, for people and for machines, and a pulse that is gone afterwards."""
    lines, records = list[str](), list[str]()
    with Heartbeat(
        tmp_path,
        run=3,
        tasks=2,
        steps=9,
        workers=1,
        work=WorkTime(),
        every=0.6,
        tell=lines.append,
        as_json=records.append,
    ):
        pulse = read_pulse(tmp_path)
        assert pulse is not None
        assert (pulse.run, pulse.tasks, pulse.of) == (3, 2, 9)
        while len(lines) < 2 or len(records) < 2:
            time.sleep(0.01)
    assert read_pulse(tmp_path) is None
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC ", line) for line in lines)
    assert [json.loads(record)["what"] for record in records[:2]] == ["beat", "beat"]


@pytest.mark.slow
def test_a_run_speaks_to_machines(tmp_path: Path) -> None:
    """With --json every line of the output is an object with its time; words for people are on the error stream."""
    (tmp_path / "tiny.yaml").write_text(TINY[: TINY.index("  - {name: again")])
    done = inside(tmp_path, "run", "tiny.yaml", "--workers", "1", "--no-mirror", "--json", "--heartbeat", "0.6")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    told = [what for what, _ in itertools.groupby(record["what"] for record in records)]
    assert (told[0], told[-1]) == ("run begins", "run ends")
    assert {"task begins", "task ends", "beat"} <= set(told)
    (ended,) = (record for record in records if record["what"] == "task ends")
    assert (ended["task"], ended["evaluations"]) == ("first", 4)
    assert "what was found" in done.stderr
    assert read_pulse(tmp_path / ".selfnas") is None
