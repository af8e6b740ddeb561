"""Lives guided by a supernet: one event a task, from which everything proposed follows."""

import time
from pathlib import Path

import pytest

from agent.ledger.events import UNSET, TaskStarted
from agent.ledger.home import Home
from agent.ledger.store import Event, Ledger
from agent.life.supernet import guided_strategy, supernet_trained
from agent.state.state import TaskState, replay
from agent.verify.verification import verify
from agent.workers.jobs import SupernetAnswer, SupernetJob
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.strategies import random_search
from selfnas.training.proxies import PROXIES
from tests.agent.conftest import Run
from tests.agent.made_up import blank

GUIDED_LIFE = """\
stream: guided
format: 1
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
low: {epochs: 1, steps: 0, fraction: 0.5}
full: {epochs: 2, steps: 0}
training: {recipe: plain}
policy: {batch: 2, oversample: 2, proxy: learned, finalists_per_task: 1, recall: 0}
supernet: {epochs: 2, inherited: 24}
tasks:
  - {name: first, source: digits, limit: 400}
"""


RUNGS = """\
budget: {evaluations: 4, full_trainings: 1}
halving: {rungs: [{epochs: 1, fraction: 0.5}, {epochs: 2, fraction: 0.5}], keep_one_in: 2}
curve_stop: true
"""


def _events(home: Path) -> list[Event]:
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kept"), [("gdas", 3), ("one_shot", 2)])
def test_the_same_life_for_any_workers_and_after_a_kill(method: str, kept: int, tmp_path: Path, selfnas: Run) -> None:
    """A ledger cut right after the supernet's event, or before it, goes on with one worker to what two lived.

    One of the two lives trains on rungs, and stops trainings by their curves.
    """
    (tmp_path / "guided.yaml").write_text(
        GUIDED_LIFE + (RUNGS if method == "one_shot" else "budget: {evaluations: 2, full_trainings: 1}\n")
    )
    guided = ("run", "guided.yaml", "--no-mirror", "--set", f"policy.strategy={method}")
    done = selfnas(*guided, "--home", "whole", "--workers", "2")
    assert done.returncode == 0, done.stderr
    whole = _events(tmp_path / "whole")
    assert [event.kind for event in whole][:3] == ["run.started", "task.started", "supernet.trained"]
    home = Home(tmp_path / "cut")
    home.ledger.parent.mkdir(parents=True)
    with Ledger(home.ledger, clock=time.time) as ledger:
        ledger.append([event.facts for event in whole[:kept]])
    done = selfnas(*guided, "--home", "cut", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert _events(tmp_path / "cut") == whole
    with Ledger(Home(tmp_path / "whole").ledger, clock=time.time, read_only=True) as ledger:
        task = replay(ledger).runs[0].tasks[0]
        result = verify(ledger, Home(tmp_path / "whole"))
    assert not result.problems
    assert result.checked["supernets"] == 1
    assert task.supernet is not None
    assert all(
        told.proxies is not UNSET and set(told.proxies) == set(PROXIES)
        for told in task.evaluations
        if told.origin != "promoted"
    )
    if method == "gdas":
        assert [len(own) for own in task.supernet.logits or []] == [6]
        return
    ranked = task.supernet.ranking
    assert ranked is not UNSET
    told = [(told.fidelity, told.origin) for told in task.evaluations]
    assert told == [("rung0", "searched")] * 2 + [("rung1", "promoted"), ("rung0", "searched")]
    assert len(task.evaluations[2].curve) == 2
    assert task.finalists[0].digest == task.trials[2].digest
    scores = [score for _, score in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(ranked) == 24
    spelled = {text for text, _ in ranked[:4]}  # two are wanted, twice as many are certified
    assert {str(trial.architecture) for trial in task.trials} <= spelled
    assert not list((tmp_path / "whole").glob("step-*"))


def test_a_failed_supernet_leaves_uniform_draws() -> None:
    """A job that breaks answers with its reason; the event keeps it, and the strategy is random search."""
    spec = TaskSpec(name="x", source="digits")
    job = SupernetJob(
        task=spec,
        task_digest=load_task(spec, base=Path()).digest,
        base=".",
        device="cpu",
        seed=0,
        space="no-such-space",
        macro="c8n1r16",
        method="gdas",
    )
    answer = SupernetAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))
    assert "no-such-space" in answer.reason
    task = TaskState(index=0, name="x", started=blank(TaskStarted, task="x"), first=0)
    task.supernet = supernet_trained(task, "gdas", answer)
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
