"""A job's answer follows from the job, whatever its process did before, also where layers draw numbers themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.jobs import Job, job_from_json
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task

SPEC = TaskSpec(name="rows", source="npz", path="rows.npz", kind="table")
CELL = "tabular/c8n1r16:|mlp~0|+|none~0|mlp~1|+|skip~0|none~1|mlp~2|"  # its blocks drop numbers at random
TRAINING: dict[str, Any] = {"training": TrainingSection(), "fidelity": FidelitySection(steps=20)}
JOBS: dict[str, dict[str, Any]] = {
    "low": {"kind": "low", "architecture": CELL, **TRAINING},
    "cross-validated": {"kind": "low", "architecture": CELL, "cross_validation": {"below": 400}, **TRAINING},
    "full": {"kind": "full", "architecture": CELL, "refit": True, **TRAINING},
    "by folds": {
        "kind": "full", "architecture": CELL, "refit": True, "cross_validation": {"below": 400}, **TRAINING,
    },
    "proxies": {"kind": "proxy", "architecture": CELL, "proxy": "learned"},
    "supernet": {"kind": "supernet", "space": "tabular", "macro": "c8n1r16", "method": "darts", "epochs": 1},
    "paths": {"kind": "supernet", "space": "tabular", "macro": "c8n1r16", "method": "one_shot", "epochs": 1},
}  # fmt: skip


@pytest.fixture
def generator_kept() -> Iterator[None]:
    """The process's own generator afterwards as it was before."""
    with torch.random.fork_rng():
        yield


@pytest.mark.usefixtures("generator_kept")
@pytest.mark.parametrize("name", JOBS)
def test_equal_jobs_give_equal_answers(name: str, tmp_path: Path) -> None:
    """Curves, scores and weights, from two states of the process's generator, which is left as it was."""
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=draw.normal(size=(150, 4)), y=np.arange(150) % 3)
    base = {"task": SPEC.model_dump(mode="json", exclude_none=True), "base": str(tmp_path), "device": "cpu", "seed": 3}
    told = {**base, "task_digest": load_task(SPEC, base=tmp_path).digest, **JOBS[name]}
    if JOBS[name]["kind"] != "proxy" and name not in ("low", "cross-validated"):
        told["weights"] = str(tmp_path / "weights")
    text = json.dumps(told, default=lambda model: model.model_dump(mode="json", exclude_none=True))
    job: Job = job_from_json(text)
    answers = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        answer = json.loads(run_job(job.model_dump_json(exclude_none=True)))
        assert torch.equal(torch.get_rng_state(), before)
        answers.append({key: value for key, value in answer.items() if not key.endswith("seconds")})
    assert answers[0] == answers[1]
    assert not answers[0]["reason"]
