"""A full training refits on validation examples, and on nothing that audits or tests look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audits
from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.jobs import FullAnswer, FullJob
from agent.workers.process import run_job
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.training import cross_validation, training
from selfnas.training.refit import refit_fidelity
from selfnas.training.training import Examples, TrainingResult

SUITE = """\
suite: one
language: 1
audits: [{audit: skill, role: gate, thresholds: {above_chance: 0.2, against_centroid: 0.8}, settings: {samples: 200}}]
"""
SPEC = TaskSpec(name="digits", source="digits", limit=300)


def answer(place: Path, task: Task, /, **changes: object) -> FullAnswer:
    """What a worker makes of a short full training."""
    job = FullJob.model_validate(
        {
            "task": SPEC, "task_digest": task.digest, "base": str(place), "device": "cpu", "seed": 1,
            "architecture": "nb201/c4n1r8:|conv3x3~0|+|none~0|skip~1|+|conv1x1~0|none~1|conv3x3~2|",
            "training": TrainingSection(learning_rate=0.02, recipe="light"),
            "fidelity": FidelitySection(epochs=5, steps=40), "weights": str(place / "weights"), "suite": SUITE,
        }
        | changes
    )  # fmt: skip
    read = FullAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))
    return read.model_copy(update={"seconds": 0.0, "audit_seconds": 0.0})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What was trained on, validated on and shown to the audits."""
    held: dict[str, list[Any]] = {"trained": [], "validated": [], "audited": []}
    train, run_suite = training.train, audits.run_suite

    def spied(network: Any, own: Any, validation: Examples | None, *rest: Any, **named: Any) -> TrainingResult:
        held["trained"].append(own if isinstance(own, Examples) else own[0].and_also(own[1]))
        held["validated"].append(validation)
        return train(network, own, validation, *rest, **named)

    def shown(network: Any, data: audits.AuditData, *rest: Any, **named: Any) -> Any:
        held["audited"].append(data)
        return run_suite(network, data, *rest, **named)

    monkeypatch.setattr(training, "train", spied)
    monkeypatch.setattr(cross_validation, "train", spied)
    monkeypatch.setattr(audits, "run_suite", shown, raising=False)
    return held


def rows(x: torch.Tensor) -> set[bytes]:
    """Examples as a set."""
    return {np.ascontiguousarray(row).tobytes() for row in x.numpy()}


def test_what_is_kept_was_trained_on_training_and_validation_examples(
    seen: dict[str, list[Any]], tmp_path: Path
) -> None:
    """First scored as ever, then a fresh network; audits know all it was trained on; nothing else was looked at."""
    task = load_task(SPEC, base=tmp_path)
    told = answer(tmp_path, task, refit=True)
    first, second, *_ = (rows(own.x) for own in seen["trained"])
    assert first == rows(torch.from_numpy(task.train.x))
    assert second == first | rows(torch.from_numpy(task.validation.x))
    assert not second & (rows(torch.from_numpy(task.audit.x)) | rows(torch.from_numpy(task.test.x)))
    assert (seen["validated"][0] is not None, seen["validated"][1]) == (True, None)
    assert rows(seen["audited"][0].x_train) == second
    assert rows(seen["audited"][0].x) == rows(torch.from_numpy(task.audit.x))
    assert told.refit is not None
    assert told.findings
    assert told.refit.examples == len(task.train) + len(task.validation)
    assert told.score == max(told.curve)
    assert told == answer(tmp_path, task, refit=True)


def test_without_a_refit_the_scored_network_is_kept(seen: dict[str, list[Any]], tmp_path: Path) -> None:
    """The same score, other weights."""
    task = load_task(SPEC, base=tmp_path)
    once, twice = answer(tmp_path, task), answer(tmp_path, task, refit=True)
    assert once.refit is None
    assert (once.score, once.curve) == (twice.score, twice.curve)
    assert once.weights_sha256 != twice.weights_sha256
    assert rows(seen["audited"][0].x_train) == rows(torch.from_numpy(task.train.x))
    assert json.loads(once.model_dump_json(exclude_none=True)).keys().isdisjoint({"refit"})


def test_a_refit_that_diverges_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The network that was scored is kept."""
    task, train = load_task(SPEC, base=tmp_path), training.train

    def failing(network: Any, own: Examples, validation: Examples | None, *rest: Any, **named: Any) -> TrainingResult:
        if validation is None:
            return TrainingResult(failure="diverged", curve=(), train_loss=float("nan"), weights={})
        return train(network, own, validation, *rest, **named)

    once = answer(tmp_path, task)
    monkeypatch.setattr(training, "train", failing)
    assert answer(tmp_path, task, refit=True) == once


def test_of_a_small_task_held_out_answers_decide_for_how_long(seen: dict[str, list[Any]], tmp_path: Path) -> None:
    """Networks on all folds but one, then one on all; nothing else is looked at, and their answers serve the audits."""
    task = load_task(SPEC, base=tmp_path)
    told = answer(tmp_path, task, refit=True, cross_validation={"below": 400})
    count = len(task.train) + len(task.validation)
    *folds, last = (rows(own.x) for own in seen["trained"])
    assert len(folds) == 3
    assert all(each < last for each in folds)
    assert last == rows(torch.from_numpy(task.train.x)) | rows(torch.from_numpy(task.validation.x))
    for taught, held in zip(folds, seen["validated"], strict=False):
        assert rows(held.x) == last - taught
    assert seen["validated"][3] is None
    assert told.refit is not None
    assert (told.refit.folds, told.refit.examples) == (3, count)
    assert told.score == max(told.curve)
    assert count * told.score == pytest.approx(round(count * told.score))
    assert told == answer(tmp_path, task, refit=True, cross_validation={"below": 400})


def test_where_weights_are_inherited_the_validation_split_decides(tmp_path: Path) -> None:
    """They may have seen what would be held out."""
    task = load_task(SPEC, base=tmp_path)
    first = answer(tmp_path, task)
    kept = tmp_path / "weights" / f"{first.weights_sha256}.safetensors"
    told = answer(tmp_path, task, refit=True, cross_validation={"below": 400}, inherit=str(kept))
    assert told.refit is not None
    assert told.refit.folds == 0
    assert told.inherited == 1.0


@pytest.mark.parametrize(("best", "steps"), [(400, 480), (300, 360), (200, 240), (20, 240)])
def test_a_refit_takes_as_many_passes_as_were_right(best: int, steps: int) -> None:
    """More examples, more steps; never less than half of what was planned."""
    first = TrainingResult(failure="", curve=(0.9,), train_loss=0.1, weights={}, best_step=best, steps=400)
    assert refit_fidelity(first, training=100, validation=20).steps == steps


def test_what_a_small_audit_split_leaves_open_networks_made_alike_decide(
    tmp_path: Path, seen: dict[str, list[Any]]
) -> None:
    """They see no audit and no test example, and each answers what it has not seen."""
    spec = TaskSpec(name="digits", source="digits", limit=120, resize=4)
    task = load_task(spec, base=tmp_path)
    strict = SUITE.replace("above_chance: 0.2", "above_chance: 0.7").replace(
        "against_centroid: 0.8", "against_centroid: 0.5"
    )
    changes = {"task": spec, "refit": True, "suite": strict, "fidelity": FidelitySection(epochs=1, steps=60)}
    found = answer(tmp_path, task, **changes)
    held_out = rows(torch.from_numpy(task.audit.x)) | rows(torch.from_numpy(task.test.x))
    assert not any(rows(examples.x) & held_out for examples in seen["trained"])
    assert found.cross is not None
    count = len(task.train) + len(task.validation)
    assert (found.cross.networks, found.cross.examples) == (5, count)
    assert (tmp_path / "weights" / f"{found.cross.sha256}.safetensors").is_file()
    assert {finding["n"] for finding in found.findings} == {count + len(task.audit)}
    siblings = [rows(examples.x) for examples in seen["trained"][2:]]
    assert len(siblings) == 5
    assert all(len(each) < count for each in siblings)
