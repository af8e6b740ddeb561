"""Lives guided by a supernet: one event a task, from which everything proposed follows."""

import time
from pathlib import Path

import pytest

from agent.guidance import guided_strategy, supernet_entry
from agent.home import Home
from agent.jobs import SupernetAnswer, SupernetJob
from agent.ledger import Event, Ledger
from agent.life import replay
from agent.state import TaskState, items
from agent.stream import MacroSection
from agent.verify import verify
from agent.worker import run_job
from selfnas.strategies import random_search
from selfnas.tasks import TaskSpec
from tests.agent.conftest import TINY, Run

GDAS = ("--set", "policy.strategy=gdas", "--no-mirror")


def _events(home: Path) -> list[Event]:
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


@pytest.mark.slow
def test_the_same_life_for_any_workers(tmp_path: Path, selfnas: Run) -> None:
    """Two workers live as one does, with one supernet a task, right after the task starts, and everything verifies."""
    (tmp_path / "tiny.yaml").write_text(TINY[: TINY.index("  - {name: again")])
    for home, workers in (("one", "1"), ("two", "2")):
        done = selfnas("run", "tiny.yaml", "--home", home, "--workers", workers, *GDAS)
        assert done.returncode == 0, done.stderr
    whole = _events(tmp_path / "one")
    assert whole == _events(tmp_path / "two")
    kinds = [event.kind for event in whole]
    assert kinds.count("supernet.trained") == 1
    assert kinds.index("supernet.trained") == kinds.index("task.started") + 1
    with Ledger(Home(tmp_path / "one").ledger, clock=time.time, read_only=True) as ledger:
        task = replay(ledger).runs[0].tasks[0]
        result = verify(ledger, Home(tmp_path / "one"))
    assert task.supernet is not None
    assert [len(items(own)) for own in items(task.supernet["logits"])] == [6]
    assert not result.problems
    assert result.checked["supernets"] == 1


def test_a_failed_supernet_leaves_uniform_draws() -> None:
    """A job that breaks answers with its reason; the event keeps it, and the strategy is random search."""
    job = SupernetJob(
        task=TaskSpec(name="x", source="digits"),
        base=".",
        device="cpu",
        seed=0,
        space="no-such-space",
        macro=MacroSection(),
        method="gdas",
    )
    answer = SupernetAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))
    assert "no-such-space" in answer.reason
    task = TaskState(index=0, name="x", started={})
    task.supernet = dict(supernet_entry(task, "gdas", answer)[1])  # type: ignore[arg-type]
    assert guided_strategy(task) is random_search


def test_tables_refuse_guided_strategies(tmp_path: Path, selfnas: Run) -> None:
    """A table has no examples for a supernet; the message has the strategy's place."""
    (tmp_path / "t.yaml").write_text(
        "stream: t\nformat: 1\npolicy: {strategy: darts}\ntasks:\n  - {name: one, source: table, dataset: a}\n"
    )
    done = selfnas("run", "t.yaml", "--home", "home")
    assert done.returncode == 2
    assert "t.yaml:3:" in done.stderr
    assert "'one', a table" in done.stderr
