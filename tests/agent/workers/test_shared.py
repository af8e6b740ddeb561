"""Examples of a large task: written once, mapped by every worker, the same as those that the source gives."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from agent.life import life
from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.executor import WorkerDied
from agent.workers.jobs import LowJob
from agent.workers.pool import Workers
from agent.workers.process import run_job
from agent.workers.shared import is_large, share, shared
from audits.contract.data import AuditData
from selfnas.data.tasks import SPLITS, Task, TaskSpec, load_task
from selfnas.spaces.architecture import TaskShape
from tests.agent.conftest import FEW, inside


def _made(kind: str, place: Path) -> Task:
    rng = np.random.default_rng(0)
    if kind == "images with a named region":
        spec = {"name": "one", "source": "digits", "limit": 200, "transforms": [{"noise": 0.1}]}
        named = {"nuisances": [{"name": "corner", "region": [[0, 2], [0, 2]]}], "succeeds": "none"}
        return load_task(TaskSpec.model_validate(spec | named), base=place)
    if kind == "series in groups":
        x, y = rng.standard_normal((120, 2, 30)), np.arange(120) % 3
        return Task.from_arrays(x, y, name="two", kind="series", groups=np.arange(120) // 2)
    columns = pandas.DataFrame({"a": rng.standard_normal(150), "b": rng.choice(["x", "y"], 150)})
    return Task.from_arrays(columns, rng.standard_normal(150), name="three", kind="table", target="regression")


@pytest.mark.parametrize("kind", ["images with a named region", "series in groups", "a table of numbers"])
def test_what_is_mapped_is_what_was_written(kind: str, tmp_path: Path) -> None:
    """Every field and every example, also those of training and validation together."""
    task = _made(kind, tmp_path)
    folder = tmp_path / "shared"
    folder.mkdir()
    share(task, folder)
    found = shared(folder, task.digest)
    assert found is not None
    for name in SPLITS:
        ours, theirs = task.split(name), found.split(name)
        assert np.array_equal(ours.x, theirs.x)
        assert np.array_equal(ours.y, theirs.y)
        assert isinstance(theirs.x.base if name in ("train", "validation") else theirs.x, np.memmap)
    taught = found.taught()
    assert np.array_equal(taught.x, task.taught().x)
    assert np.shares_memory(taught.x, found.validation.x)  # not a copy
    assert dataclasses.replace(found, digest="").digest == task.digest  # computed from what was read
    plain = ("name", "shape", "target", "inputs", "preparation", "nuisances", "succeeds", "reading", "groups")
    assert {name: getattr(found, name) for name in plain} == {name: getattr(task, name) for name in plain}
    assert {name: part.tolist() for name, part in found.prints.items()} == {
        name: part.tolist() for name, part in task.prints.items()
    }
    seen, known = (AuditData.of(each, refit=True) for each in (found, task))
    assert torch.equal(seen.x_train, known.x_train)
    assert seen.columns == known.columns


def test_a_folder_without_that_task_gives_none(tmp_path: Path) -> None:
    """Empty, cut off while it was written, or of other content; then the source is read."""
    assert shared(tmp_path, "0" * 64) is None
    share(_made("series in groups", tmp_path), tmp_path)
    assert shared(tmp_path, "0" * 64) is None


def test_who_writes_to_mapped_examples_changes_his_own_alone(tmp_path: Path) -> None:
    """The file keeps what was written to it."""
    task = _made("series in groups", tmp_path)
    share(task, tmp_path)
    first, second = shared(tmp_path, task.digest), shared(tmp_path, task.digest)
    assert first is not None
    assert second is not None
    first.train.x[:] = 7.0
    assert np.array_equal(second.train.x, task.train.x)


def test_sizes_decide_what_is_large() -> None:
    """Four bytes a number, of all splits."""
    shape = TaskShape(channels=1, size=(4, 4), classes=2)
    assert is_large(shape, {"train": 6, "test": 4}, least=640)
    assert not is_large(shape, {"train": 6, "test": 4}, least=641)
    assert not is_large(shape, {})


def test_a_job_gives_the_same_with_shared_examples(tmp_path: Path) -> None:
    """A score and its curve, though the source is gone."""
    rng, folder, arrays = np.random.default_rng(0), tmp_path / "shared", tmp_path / "two.npz"
    np.savez(arrays, x=rng.standard_normal((120, 2, 30)), y=np.arange(120) % 3)
    spec = TaskSpec(name="two", source="npz", path=arrays.name, kind="series")
    task = load_task(spec, base=tmp_path)
    folder.mkdir()
    share(task, folder)
    job = LowJob(
        task=spec, task_digest=task.digest, base=str(tmp_path), device="cpu", seed=1,
        architecture="series/c4n1r8hp:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|",
        training=TrainingSection(), fidelity=FidelitySection(epochs=1, steps=8),
    )  # fmt: skip
    answers = [json.loads(run_job(job.model_dump_json(exclude_none=True)))]
    arrays.unlink()
    answers.append(json.loads(run_job(job.model_copy(update={"examples": str(folder)}).model_dump_json())))
    assert answers[0]["reason"] == ""
    assert [answer["curve"] for answer in answers] == [answers[0]["curve"]] * 2


def test_a_life_shares_them_while_a_task_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The life holds, every job names the folder, and nothing is left behind."""
    (tmp_path / "few.yaml").write_text(FEW.format(epochs=1, examples=150))
    seen, asked = list[Path](), list[str]()
    answers = Workers.answers

    def watched(task: Task, folder: Path) -> None:
        seen.append(folder)
        share(task, folder)

    def told(workers: Workers, jobs: Sequence[str], **named: Any) -> Sequence[str | WorkerDied]:
        asked.extend(jobs)
        return answers(workers, jobs, **named)

    monkeypatch.setattr(Workers, "answers", told)
    monkeypatch.setattr(life, "is_large", lambda shape, sizes: True)
    monkeypatch.setattr(life, "share", watched)
    done = inside(tmp_path, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    assert [folder.parent for folder in seen] == [Path("home")]
    assert all(Path(json.loads(text)["examples"]).is_absolute() for text in asked)
    assert len(asked) >= 4
    assert not [name for name in os.listdir(tmp_path / "home") if name.startswith("step-")]


def test_a_full_disk_costs_no_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stops with one sentence before any training."""
    (tmp_path / "few.yaml").write_text(FEW.format(epochs=1, examples=150))

    def full(task: Task, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(life, "is_large", lambda shape, sizes: True)
    monkeypatch.setattr(life, "share", full)
    done = inside(tmp_path, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 1
    assert "the examples of task 'few'" in done.stderr
    assert "make room" in done.stderr
