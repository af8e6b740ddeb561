"""Jobs that are begun before they are asked for: answered once, alike, in whatever order they are asked for."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from agent.workers.executor import WorkerDied
from agent.workers.jobs import BaselineJob
from agent.workers.pool import Workers
from selfnas.data.tasks import TaskSpec, load_task

SPEC = TaskSpec(name="rows", source="npz", path="rows.npz", kind="table")


class Counted(Workers):
    """Remembers what it submits."""

    def __init__(self, count: int) -> None:
        self.submitted: list[str] = []
        super().__init__(count)

    def _submit(self, job: str) -> Future[str]:
        self.submitted.append(job)
        return super()._submit(job)


@pytest.fixture
def jobs(tmp_path: Path) -> list[str]:
    """Two baselines on a small table."""
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(60, 3)), y=np.arange(60) % 2)
    digest = load_task(SPEC, base=tmp_path).digest
    common = {"task": SPEC, "task_digest": digest, "base": str(tmp_path), "device": "cpu", "seed": 1}
    return [BaselineJob(**common, name=name).model_dump_json(exclude_none=True) for name in ("constant", "nearest")]


def told(answers: tuple[str | WorkerDied, ...]) -> list[dict[str, object]]:
    """Without what the clock says."""
    read = [json.loads(str(answer)) for answer in answers]
    return [{name: value for name, value in one.items() if name != "seconds"} for one in read]


@pytest.mark.slow
def test_what_is_expected_is_computed_once(jobs: list[str]) -> None:
    """Asked for in another order, it is answered in that; asked for again, it is computed again."""
    with Counted(1) as workers:
        workers.expect(jobs)
        assert workers.submitted == jobs
        first = told(workers.answers(jobs[::-1]))
        assert workers.submitted == jobs
        assert [one["metric"] for one in first] == ["accuracy", "accuracy"]
        assert told(workers.answers(jobs)) == first[::-1]
        assert workers.submitted == jobs * 2


@pytest.mark.slow
def test_a_process_that_dies_meanwhile_is_replaced(jobs: list[str]) -> None:
    """What was begun is computed anew."""
    with Counted(1) as workers:
        plain = told(workers.answers(jobs))
        workers.expect(jobs)
        for process in list((workers._pool._processes or {}).values()):
            process.kill()
        assert told(workers.answers(jobs)) == plain
