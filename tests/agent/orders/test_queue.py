"""The queue: a change and its event are one; workers that are gone change nothing; what is accepted ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agent.orders.queue import ENDED, Entry, KeyReusedError, Queue, QueueFullError, Row
from selfnas.errors import InputError


class Clock:
    """Set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """One second of 1970."""
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Queue:
    """An empty one."""
    queue = Queue(tmp_path / "queue.db", clock)
    queue.prepare()
    return queue


def entry(name: str, key: str | None = None) -> Entry:
    """A design called so."""
    return Entry(id=name, name=name, sha256="", key=key, asked=name)


def row(queue: Queue, design: str) -> Row:
    """A design that is there."""
    found = queue.find(design)
    assert found is not None
    return found


def claimed(queue: Queue) -> int:
    """The attempt that a design was given out as."""
    found = queue.claim()
    assert found is not None
    return found.attempt


def kinds(queue: Queue, design: str) -> list[str]:
    """Of its events."""
    return [each.kind for each in queue.events(design, after=0, most=100)]


def test_the_oldest_begins_first_and_ends(queue: Queue) -> None:
    """Each once."""
    for name in "ab":
        queue.add(entry(name), most=9)
    one, two = queue.claim(), queue.claim()
    assert one is not None
    assert two is not None
    assert (one.id, one.attempt, two.id, queue.claim()) == ("a", 1, "b", None)
    queue.finish("a", 1, "met", "", {"digest": "x"})
    found = row(queue, "a")
    assert (found.state, found.answer, found.has_ended) == ("met", '{"digest": "x"}', True)
    assert kinds(queue, "a") == ["accepted", "begun", "ended"]


def test_what_an_earlier_worker_still_has_is_left_alone(queue: Queue) -> None:
    """The next one begins."""
    for name in "ab":
        queue.add(entry(name), most=9)
    found = queue.claim(without={"a"})
    assert found is not None
    assert (found.id, queue.claim(without=["a"])) == ("b", None)


def test_a_worker_of_an_earlier_attempt_changes_nothing(queue: Queue) -> None:
    """Neither state nor events."""
    queue.add(entry("a"), most=9)
    queue.claim()
    queue.recover()
    queue.claim()
    before = kinds(queue, "a")
    queue.say("a", 1, "said", "late")
    queue.finish("a", 1, "met", "", None)
    queue.postpone("a", 1, "late", seconds=0)
    queue.died("a", 1, steps=5)
    assert (row(queue, "a").state, row(queue, "a").attempt, kinds(queue, "a")) == ("running", 2, before)


def test_a_worker_that_dies_again_and_again_ends_its_design(queue: Queue, clock: Clock) -> None:
    """Ten times without a step between; with one the count begins anew. Each time it rests longer."""
    queue.add(entry("a"), most=9)
    for death in range(19):
        queue.died("a", claimed(queue), steps=3 if death >= 8 else 0)
        found = row(queue, "a")
        if death < 17:
            assert found.state == "queued"
            assert death in (0, 8) or queue.claim() is None
            clock.now += 60
        else:
            break
    assert (found.state, found.deaths) == ("failed", 10)
    assert kinds(queue, "a")[-1] == "ended"


def test_a_worker_that_others_kill_says_little_about_its_design(queue: Queue, clock: Clock) -> None:
    """It is tried a hundred times."""
    queue.add(entry("a"), most=9)
    for death in range(100):
        assert row(queue, "a").state == "queued", death
        queue.died("a", claimed(queue), steps=0, killed=True)
        clock.now += 60
    assert row(queue, "a").state == "failed"


def test_what_the_surroundings_stopped_is_tried_again_without_end(queue: Queue, clock: Clock) -> None:
    """After a while."""
    queue.add(entry("a"), most=9)
    for _ in range(30):
        queue.postpone("a", claimed(queue), "the disk takes no more", seconds=30)
        assert queue.claim() is None
        clock.now += 30
    assert row(queue, "a").state == "queued"


@pytest.mark.parametrize("way", ["postponed", "died", "recovered"])
def test_a_running_design_that_is_cancelled_ends(way: str, queue: Queue) -> None:
    """When its worker gives it back, when that dies, or when the server is started again."""
    queue.add(entry("a"), most=9)
    queue.claim()
    queue.cancel("a")
    assert (row(queue, "a").state, row(queue, "a").cancel) == ("running", True)
    queue.cancel("a")
    if way == "postponed":
        queue.postpone("a", 1, "it was asked to end", seconds=0)
    elif way == "died":
        queue.died("a", 1, steps=0)
    else:
        queue.recover()
    assert (row(queue, "a").state, kinds(queue, "a")) == ("cancelled", ["accepted", "begun", "cancelling", "ended"])
    assert queue.cancel("b") is None


def test_keys_and_room(queue: Queue) -> None:
    """A key belongs to one request; so many may be open."""
    assert queue.add(entry("a", "k"), most=1).id == "a"
    assert queue.add(entry("a", "k"), most=1).number == 1
    with pytest.raises(KeyReusedError, match="design a"):
        queue.add(entry("b", "k"), most=1)
    with pytest.raises(QueueFullError, match="1 designs are open"):
        queue.add(entry("b"), most=1)
    queue.cancel("a")
    assert queue.add(entry("b"), most=1).number == 2
    assert set(ENDED).isdisjoint({"queued", "running"})


def test_a_transaction_that_breaks_off_leaves_nothing(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a state without its event nor the other way round."""
    queue.add(entry("a"), most=9)

    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "_tell", full)
        for change in (queue.claim, lambda: queue.cancel("a"), lambda: queue.add(entry("b"), most=9)):
            with pytest.raises(sqlite3.OperationalError):
                change()
    found = row(queue, "a")
    assert (found.state, found.cancel, kinds(queue, "a"), queue.find("b")) == ("queued", False, ["accepted"], None)


def test_a_file_of_something_else_is_refused(tmp_path: Path, clock: Clock) -> None:
    """And left as it is."""
    for name, content in (("text.db", b"no database" * 100), ("other.db", b"")):
        (tmp_path / name).write_bytes(content)
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE mine (x)")
    for name in ("text.db", "other.db"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match="queue"):
            Queue(tmp_path / name, clock).prepare()
        assert (tmp_path / name).read_bytes() == before
