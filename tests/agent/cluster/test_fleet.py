"""Whatever dies, comes late, comes twice or comes wrong on a cluster: the answers are those of one machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent import testing
from agent.cluster import node as node_module
from agent.cluster.carrier import Delivery
from agent.cluster.fleet import Fleet, Limits
from agent.cluster.messages import Meet, decode_question
from agent.cluster.parcels import NoParcels
from agent.ledger.home import StorageError, SurroundingsError
from agent.testing import check_executor, practise
from agent.workers.executor import DIED, WorkerDied
from agent.workers.jobs import DataChangedError
from tests.agent.cluster.carriers import Canary, Dead, Threads, altered

BRISK = Limits(attempts=4, patience=0.5, room=2.0)


@pytest.fixture(autouse=True)
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that dies takes nothing with it."""

    def die() -> None:
        raise Dead

    monkeypatch.setattr(testing, "die", die)


def answer(text: str) -> str:
    """To a job."""
    return f"answer to {text}"


def fleet(carrier: Threads, *, count: int = 2, canary: Canary | None = None, limits: Limits = BRISK) -> Fleet:
    """On a cluster of threads."""
    return Fleet(carrier, count, parcels=NoParcels(), canary=canary, limits=limits)


@pytest.mark.parametrize("nodes", [{"a": 1}, {"a": 2}, {"a": 1, "b": 1, "c": 1}], ids=["one", "two", "three nodes"])
def test_a_fleet_keeps_every_promise_of_an_executor(nodes: dict[str, int], tmp_path: Path) -> None:
    """On one node or several."""
    check_executor(fleet(Threads(practise, nodes=nodes), count=sum(nodes.values())), tmp_path, patience=20)


class Weather:
    """Loses, doubles, delays and alters deliveries, by a generator."""

    def __init__(self, seed: int) -> None:
        self.draw, self.held = random.Random(seed), list[Delivery]()
        self.done = dict.fromkeys(("doubled", "delayed", "altered", "cut"), 0)

    def __call__(self, delivery: Delivery) -> Sequence[Delivery]:
        """What is delivered now."""
        older, self.held = self.held, []
        match self.draw.choices(("fine", *self.done), weights=(12, 3, 3, 1, 1))[0]:
            case "doubled":
                self.done["doubled"] += 1
                return [*older, delivery, delivery]
            case "delayed":
                self.done["delayed"] += 1
                self.held.append(delivery)
                return older
            case "altered":
                self.done["altered"] += 1
                return [*older, altered(delivery, answer="something else")]
            case "cut":
                self.done["cut"] += 1
                return [*older, Delivery(worker=delivery.worker, ticket=delivery.ticket, content=None, reason="cut")]
        return [*older, delivery]


@pytest.mark.parametrize("seed", range(3))
def test_bad_weather_changes_no_answer(seed: int) -> None:
    """200 jobs in 20 questions: deliveries come late, twice, altered or never, and each answer is the right one."""
    weather = Weather(seed)
    found = fleet(
        Threads(answer, nodes={"a": 2, "b": 2}, spoil=weather), count=4, limits=Limits(attempts=50, patience=0.3)
    )
    jobs = [f"job {number}" for number in range(200)]
    for start in range(0, 200, 10):
        asked = jobs[start : start + 10]
        assert found.answers(asked) == tuple(map(answer, asked))
    found.close()
    assert all(weather.done.values()), weather.done
    assert found.tally["late"] >= weather.done["doubled"] > 0
    assert found.tally["damaged"] > 0
    assert found.tally["lost"] > 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer": "another"}, "not what its digest says"),
        ({"identity": "0" * 64}, "something that was not asked"),
        ({"files": {"weights/x": b"1"}}, "files that nobody asked for"),
        ({"lacking": ("0" * 64,)}, "files that are not of its job"),
    ],
)
def test_a_node_that_lies_is_given_no_more_jobs(
    changes: dict[str, object], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first answer is wrong, and so its worker ends; another does the job, and the log says why."""
    lies = iter([True])
    found = fleet(Threads(answer, spoil=lambda one: [altered(one, **changes) if lied(one, lies) else one]))
    assert found.answers(["one", "two"]) == (answer("one"), answer("two"))
    assert found.tally["damaged"] == 1
    assert told in caplog.text
    found.close()


def lied(delivery: Delivery, lies: object) -> bool:
    """Whether this is an answer to a job, and there is a lie left."""
    return altered(delivery, answer="x") is not delivery and next(lies, False)  # type: ignore[call-overload, no-any-return]


def test_a_job_that_is_always_answered_wrongly_stops_the_life() -> None:
    """Four workers in a row: it is raised, and no answer is made up."""
    found = fleet(Threads(answer, spoil=lambda one: [altered(one, answer="wrong")]))
    with pytest.raises(SurroundingsError, match="answered wrongly 4 times, at last so: an answer is not what"):
        found.answers(["one"])
    found.close()


def test_a_job_that_kills_its_workers_is_tried_as_often_as_is_stated() -> None:
    """Then that is its answer, in the words of every executor; jobs beside it are answered."""
    tries: list[str] = []

    def work(text: str) -> str:
        tries.append(text)
        if text == "deadly":
            raise Dead
        return answer(text)

    found = fleet(Threads(work))
    good, died = found.answers(["good", "deadly"])
    assert (good, str(died), isinstance(died, WorkerDied)) == (answer("good"), DIED, True)
    assert tries.count("deadly") == BRISK.attempts == found.tally["lost"]
    found.close()


def test_a_straggler_is_helped_and_its_late_answer_ignored() -> None:
    """Two workers have the job; the first answer counts."""
    calls: list[str] = []
    release = testing.threading.Event()

    def work(text: str) -> str:
        calls.append(text)
        if calls.count("slow") == 1 and text == "slow":
            release.wait(20)
        return answer(text)

    found = fleet(Threads(work))
    assert found.answers(["slow", "quick"]) == (answer("slow"), answer("quick"))
    assert (calls.count("slow"), found.tally["twice"]) == (2, 1)
    release.set()
    assert found.answers(["next"] * 2 + ["last"]) == (answer("next"), answer("next"), answer("last"))
    found.close()


def canaries(monkeypatch: pytest.MonkeyPatch, *trained: str) -> None:
    """What the canaries give, one after the other."""
    given = iter(trained)
    monkeypatch.setattr(node_module, "canary", lambda device: next(given))


def test_a_node_whose_canary_differs_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets no job; the other node does them all. The sentence names node and libraries."""
    done: list[str] = []

    def work(name: str) -> Callable[[str], str]:
        def noted(text: str) -> str:
            done.append(name)
            return answer(text)

        return noted

    monkeypatch.setattr(node_module, "canary", lambda device: testing.threading.current_thread().name)
    monkeypatch.setattr(node_module, "versions", lambda: {"torch": "2.12.0"})
    carrier = Threads({"a": work("a"), "b": work("b")}, nodes={"a": 1, "b": 1})
    live = carrier._live

    def named(name: str, node: str, asked: object) -> None:
        testing.threading.current_thread().name = "right" if node == "a" else "wrong"
        live(name, node, asked)  # type: ignore[arg-type]

    monkeypatch.setattr(carrier, "_live", named)
    canary = Canary("right")
    found = fleet(carrier, canary=canary)
    jobs = [f"{number}" for number in range(12)]
    assert found.answers(jobs) == tuple(map(answer, jobs))
    assert {*done} == {"a"}
    assert "node node-b is refused: its canary training gave wrong…, this machine's right…" in caplog.text
    assert "torch 2.12.0 there" in caplog.text
    found.close()
    assert canary.closed


def test_where_every_canary_differs_the_life_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed on machines that would give another ledger."""
    monkeypatch.setattr(node_module, "canary", lambda device: "wrong")
    found = fleet(Threads(answer, nodes={"a": 1}), canary=Canary("right"))
    with pytest.raises(SurroundingsError, match="node node-a is refused"):
        found.answers(["one"])
    found.close()


def test_a_canary_that_cannot_be_trained_refuses_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""

    def broken(device: str) -> str:
        raise RuntimeError(f"no kernel image for {device}")

    monkeypatch.setattr(node_module, "canary", broken)
    found = fleet(Threads(answer, nodes={"a": 1}), canary=Canary("right"))
    with pytest.raises(SurroundingsError, match="refused: RuntimeError: no kernel image for cpu"):
        found.answers(["one"])
    found.close()


def test_a_node_in_trouble_is_left_alone_while_another_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk of one node costs nothing but that node."""

    def full(text: str) -> str:
        raise StorageError("a worker could not write: no space left")

    found = fleet(Threads({"a": full, "b": answer}, nodes={"a": 1, "b": 1}))
    assert found.answers(["one", "two", "three"]) == tuple(map(answer, ("one", "two", "three")))
    assert "node node-a: a worker could not write: no space left" in caplog.text
    found.close()


def test_trouble_on_every_node_is_raised_as_what_it_is() -> None:
    """Data that are nowhere what the job names; later the nodes are asked again."""
    state = {"changed": True}

    def work(text: str) -> str:
        if state["changed"]:
            raise DataChangedError("task 't': its data were changed")
        return answer(text)

    found = fleet(Threads(work, nodes={"a": 1, "b": 1}))
    with pytest.raises(DataChangedError, match=r"node node-[ab]: task 't': its data were changed"):
        found.answers(["one", "two"])
    state["changed"] = False
    assert found.answers(["one"]) == (answer("one"),)
    found.close()


def test_an_error_that_nobody_foresaw_is_none_of_the_job() -> None:
    """It is raised with its kind, not answered."""

    def work(text: str) -> str:
        raise ZeroDivisionError("division by zero")

    found = fleet(Threads(work))
    with pytest.raises(SurroundingsError, match="node node-a: ZeroDivisionError: division by zero"):
        found.answers(["one"])
    found.close()


def test_a_node_on_which_no_worker_starts_is_left_alone() -> None:
    """After ten tries in a row; where it is the only one, that is said."""
    found = fleet(Threads(answer, nodes={"a": 1, "b": 1}, broken={"b"}))
    assert found.answers([f"{number}" for number in range(6)]) == tuple(answer(f"{number}") for number in range(6))
    found.close()
    alone = fleet(Threads(answer, nodes={"b": 1}, broken={"b"}))
    with pytest.raises(SurroundingsError, match="node node-b: no worker starts there: its power was cut"):
        alone.answers(["one"])
    alone.close()


def test_a_cluster_without_room_is_waited_for_and_then_told() -> None:
    """For as long as the limits say."""
    carrier = Threads(answer, nodes={"a": 0})
    found = fleet(carrier, limits=Limits(room=0.5))
    with pytest.raises(SurroundingsError, match="no node has had room for a worker for 0 s"):
        found.answers(["one"])
    found.close()


def test_a_node_that_joins_is_used() -> None:
    """Workers are started there as soon as it is seen."""
    carrier = Threads(answer, nodes={"a": 0})
    found = fleet(carrier)
    found.warm_up()
    carrier.room["b"] = 2
    assert found.answers(["one"]) == (answer("one"),)
    found.close()


def test_trusted_nodes_train_the_canary_once_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that replaces one that died is not asked again."""
    monkeypatch.setattr(node_module, "canary", lambda device: "right")
    tries: list[str] = []

    def work(text: str) -> str:
        tries.append(text)
        if len(tries) == 1:
            raise Dead
        return answer(text)

    carrier = Threads(work, nodes={"a": 1})
    found = fleet(carrier, count=1, canary=Canary("right"))
    assert found.answers(["one"]) == (answer("one"),)
    meetings = [one for one in map(decode_question, carrier.sent) if isinstance(one, Meet)]
    assert [one.canary for one in meetings] == [True, False]
    found.close()


def test_what_is_told_of_a_job_is_json_or_text_alike() -> None:
    """Answers are taken as they are, byte for byte."""
    texts = [json.dumps({"ü": "\u2028 ', \""}), "", "plain"]
    found = fleet(Threads(lambda text: text))
    assert found.answers(texts) == tuple(texts)
    found.close()
