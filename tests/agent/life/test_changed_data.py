"""A life holds its workers and its resumption to what it read when it began: changed data and rules are refused."""

from pathlib import Path

import numpy as np
import pytest

from agent.ledger.events import TaskStarted
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.preparation import prepare
from agent.stream.file import read_stream
from agent.workers.jobs import DataChangedError, ProxyJob
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import InputError
from tests.agent.made_up import blank

STREAM = """\
stream: changing
format: 1
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 2, full_trainings: 2}
low: {epochs: 1, steps: 0}
full: {epochs: 4, steps: 0}
training: {recipe: plain}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1}
tuning: {envelope: envelope.yaml}
tasks:
  - {name: own, source: npz, path: own.npz}
"""
ENVELOPE = """\
set: envelope
language: 1
spaces: [nb201]
rules:
  - {id: kept, scope: policy, require: new.population >= old.population, why: w, message: m}
"""
CELL = "nb201/c4n1r8:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|"


def write_data(place: Path, *, seed: int) -> None:
    """A small task of two classes."""
    rng = np.random.default_rng(seed)
    np.savez(place / "own.npz", x=rng.random((80, 8, 8)), y=np.arange(80) % 2)


def test_a_worker_does_nothing_with_data_that_were_changed(tmp_path: Path) -> None:
    """No answer is given, since one would be recorded as the task's; with the data put back the job is done."""
    write_data(tmp_path, seed=0)
    spec = TaskSpec(name="own", source="npz", path="own.npz")
    job = ProxyJob(
        task=spec,
        task_digest=load_task(spec, base=tmp_path).digest,
        base=str(tmp_path),
        device="cpu",
        seed=0,
        architecture=CELL,
        proxy="params",
    ).model_dump_json(exclude_none=True)
    write_data(tmp_path, seed=1)
    with pytest.raises(DataChangedError, match="task 'own': its data were changed"):
        run_job(job)
    write_data(tmp_path, seed=0)
    assert '"score":null' not in run_job(job)


def test_a_run_that_was_cut_off_does_not_go_on_with_other_data_or_rules(tmp_path: Path) -> None:
    """Neither the file of the open task nor the rules for changes of the policy may be edited meanwhile."""
    write_data(tmp_path, seed=0)
    (tmp_path / "changing.yaml").write_text(STREAM)
    (tmp_path / "envelope.yaml").write_text(ENVELOPE)

    def life(ledger: Ledger) -> Life:
        prepared = prepare(read_stream(tmp_path / "changing.yaml"))
        return Life(ledger, prepared, workers=None, home=Home(tmp_path), device="cpu", observer=None)  # type: ignore[arg-type]

    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        begun = life(ledger)
        begun._begin()
        begun.append([blank(TaskStarted, task="own", task_digest=begun.prepared.tasks[0].digest)])
        life(ledger).check_resumable()
        (tmp_path / "envelope.yaml").write_text(ENVELOPE.replace(">=", "<="))
        with pytest.raises(InputError, match="rules for changes of its policy were others"):
            life(ledger).check_resumable()
        (tmp_path / "envelope.yaml").write_text(ENVELOPE.replace("why: w", "why: another reason"))
        life(ledger).check_resumable()
        write_data(tmp_path, seed=1)
        with pytest.raises(InputError, match=r"cut off in task 'own', whose data, or the release .* were changed"):
            life(ledger).check_resumable()
