"""Small tasks are scored on every example, each held out once a repeat."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agent.stream.training import CrossValidationSection, FidelitySection, TrainingSection
from agent.workers.jobs import LowAnswer, LowJob
from agent.workers.process import run_job
from selfnas.data.targets import Target
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.training.cross_validation import CrossTrained, cross_train, cross_validate, held_out
from selfnas.training.evaluation import Fidelity
from selfnas.training.recipes import Recipe
from selfnas.training.refit import Trial
from selfnas.training.schedule import Schedule
from selfnas.training.training import Examples, Goal, TrainingPlan, Transfer

CLASSES = Target.of_classes(3)
NUMBER = Target(kind="regression", names=("price",), center=(0.0,), scale=(1.0,))
LABELS = Target(kind="multilabel", names=("a", "b"))


def disjoint(parts: list[np.ndarray], count: int) -> bool:
    """Whether each of so many examples is in exactly one part, and the parts are about equal."""
    sizes = sorted(map(len, parts))
    return sorted(np.concatenate(parts).tolist()) == list(range(count)) and sizes[-1] - sizes[0] <= 1


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_are_disjoint_and_every_class_is_spread(folds: int) -> None:
    """Each class by at most one example unevenly; another seed, other folds."""
    y = np.array([0] * 17 + [1] * 9 + [2] * 4)
    parts = held_out(y, CLASSES, folds=folds, seed=0)
    assert disjoint(parts, 30)
    for label in range(3):
        counts = [int((y[rows] == label).sum()) for rows in parts]
        assert max(counts) - min(counts) <= 1
    again, other = (held_out(y, CLASSES, folds=folds, seed=seed) for seed in (0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(parts, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(parts, other, strict=True))


def test_sets_of_labels_are_spread_and_numbers_drawn() -> None:
    """Label sets as classes are; numbers by chance alone."""
    labels = np.repeat(np.array([[0, 0], [0, 1], [1, 1]], dtype=np.float32), 6, axis=0)
    for rows in held_out(labels, LABELS, folds=3, seed=0):
        assert Counter(map(tuple, labels[rows].tolist())) == {(0, 0): 2, (0, 1): 2, (1, 1): 2}
    numbers = np.arange(20, dtype=np.float32)[:, None]
    parts = held_out(numbers, NUMBER, folds=4, seed=0)
    assert disjoint(parts, 20)
    assert [rows.tolist() for rows in parts] != [list(range(start, 20, 4)) for start in range(4)]


def test_groups_are_held_out_together() -> None:
    """No group is in two folds, and the folds are about equal."""
    groups = [f"g{number // 4}" for number in range(40)]
    parts = held_out(np.arange(40) % 3, CLASSES, folds=3, seed=0, groups=groups)
    assert sorted(np.concatenate(parts).tolist()) == list(range(40))
    found = [{groups[row] for row in rows} for rows in parts]
    assert sum(map(len, found)) == 10
    assert max(map(len, parts)) <= 16


class Counting(nn.Module):
    """A linear network that remembers which examples it was trained on and asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 3)
        self.taught: set[float] = set()
        self.asked: set[float] = set()

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        (self.taught if self.training else self.asked).update(x.flatten().tolist())
        out: Tensor = self.layer(x.flatten(1))
        return out


def test_every_answer_is_about_an_example_that_was_held_out() -> None:
    """Each example counts once a repeat; no network is asked about what it was taught; seeds change no folds."""
    data = Examples(torch.arange(21.0).view(21, 1, 1), torch.arange(21) % 3)
    built: list[Counting] = []

    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        built.append(Counting())
        return built[-1]

    def found(seed: int) -> tuple[list[set[float]], tuple[float, ...]]:
        built.clear()
        result = cross_validate(
            build, data, TrainingPlan(batch_size=8), Fidelity(name="low", steps=6), Goal(target=CLASSES),
            folds=3, repeats=2, seed=seed, split_seed=5,
        )  # fmt: skip
        assert not result.failure
        return [one.asked for one in built], result.curve

    asked, curve = found(1)
    assert len(asked) == 6
    for repeat in (asked[:3], asked[3:]):
        assert sorted(value for one in repeat for value in one) == list(range(21))
    assert all(not one.taught & one.asked and len(one.taught) == 14 for one in built)
    assert asked[0] != asked[3]
    again, same = found(1)
    assert (again, same) == (asked, curve)
    others, _ = found(2)
    assert others == asked
    assert len(curve) == 4
    assert all(float(42 * value).is_integer() or abs(42 * value - round(42 * value)) < 1e-6 for value in curve)


def test_the_length_that_held_out_answers_find_right_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all validations of all lengths the latest best; a fold's answers come from where the other folds are best."""
    from selfnas.training import cross_validation
    from selfnas.training.training import TrainingResult

    data = Examples(torch.arange(12.0).view(12, 1, 1), torch.arange(12) % 2)
    right = {20: [0.5, 0.75, 0.5, 0.5], 40: [0.5, 0.5, 1.0, 1.0]}  # share of a fold that is answered rightly
    order: list[int] = []

    def answering(network: nn.Module, own: Examples, held: Examples, *rest: Any, **named: Any) -> TrainingResult:
        steps = named["schedule"].steps
        shares = list(right[steps])
        if steps == 40 and len(order) == 5:  # the last fold alone is best at once
            shares[0] = 1.0
        order.append(steps)
        outputs = []
        for share in shares:
            wrong = torch.arange(len(held)) >= round(share * len(held))
            outputs.append(torch.nn.functional.one_hot(torch.where(wrong, 1 - held.y, held.y), 2).float())
        return TrainingResult(failure="", curve=(0.5,), train_loss=0.0, weights={}, outputs=tuple(outputs))

    monkeypatch.setattr(cross_validation, "train", answering)
    trials = [Trial(schedule=Schedule(per_epoch=1, parts=(steps // 4,) * 4)) for steps in (20, 40)]
    goal = Goal(target=Target.of_classes(2))
    parts = held_out(data.y.numpy(), goal.target, folds=3, seed=2)

    def crossed() -> CrossTrained:
        plan = TrainingPlan(batch_size=8)
        return cross_train(lambda seed: nn.Identity(), data, plan, trials, goal, parts=parts, seed=1)

    found = crossed()
    assert order == [20, 20, 20, 40, 40, 40]
    assert len(found.curve) == 8
    assert (found.best, found.best_step, found.inside, found.taught) == (1.0, 40, 8, False)
    assert found.fit is not None
    assert torch.equal(found.fit.outputs.argmax(1), data.y)
    assert sorted(np.concatenate(found.fit.parts).tolist()) == list(range(12))
    order.clear()
    right[20] = [0.5, 1.0, 0.5, 0.5]  # nothing is wrong: no longer length is tried
    short = crossed()
    assert (order, short.best_step) == ([20, 20, 20], 10)


@pytest.mark.parametrize("right", [True, False])
def test_a_trial_with_a_teacher_has_its_lessons(right: bool) -> None:
    """They teach what they say, right or wrong, and where held-out answers are worse with them the other trial wins."""
    x = torch.linspace(-1, 1, 61)[:, None]
    data = Examples(x, (x[:, 0] > 0.5).long())
    goal = Goal(target=Target.of_classes(2), inputs="table")
    parts = held_out(data.y.numpy(), goal.target, folds=3, seed=2)
    said = (x[:, 0] > (0.5 if right else -0.5)).long()
    lessons = [Transfer(varied=Examples(x, torch.nn.functional.one_hot(said, 2).float()))] * 3
    plan = TrainingPlan(batch_size=20, learning_rate=0.3, recipe=Recipe(name="own", distil=0.9))
    trials = [Trial(schedule=Schedule(per_epoch=3, parts=(steps,)), taught=steps > 2) for steps in (2, 60)]

    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Linear(1, 2)

    found = cross_train(build, data, plan, trials, goal, parts=parts, seed=1, transfer=lessons)
    assert found.taught == right
    assert len(found.curve) == 2
    with pytest.raises(ValueError, match="zip"):
        cross_train(build, data, plan, trials[1:], goal, parts=parts, seed=1, transfer=lessons[:2])


def test_a_training_that_fails_tells_no_length() -> None:
    """The reason is told instead."""
    data = Examples(torch.arange(12.0).view(12, 1, 1), torch.arange(12) % 3)
    wild = TrainingPlan(batch_size=8, learning_rate=1e30)
    found = cross_train(
        lambda seed: Counting(), data, wild, [Trial(schedule=Schedule(per_epoch=1, parts=(20,)))], Goal(target=CLASSES),
        parts=held_out(data.y.numpy(), CLASSES, folds=3, seed=2), seed=1,
    )  # fmt: skip
    assert found.failure.startswith("diverged")
    assert (found.curve, found.fit) == ((), None)


def test_a_worker_scores_small_tasks_so(tmp_path: Path) -> None:
    """Below the bound, and no others; the score is the best of the pooled curve."""
    spec = TaskSpec(name="few", source="digits", limit=120)
    task = load_task(spec, base=tmp_path)
    count = len(task.train) + len(task.validation)

    def answer(below: int) -> LowAnswer:
        job = LowJob(
            task=spec, task_digest=task.digest, base=str(tmp_path), device="cpu", seed=1,
            architecture="nb201/c4n1r8:|conv3x3~0|+|none~0|skip~1|+|conv1x1~0|none~1|conv3x3~2|",
            training=TrainingSection(recipe="plain", learning_rate=0.02), fidelity=FidelitySection(steps=20),
            cross_validation=CrossValidationSection(below=below, folds=2, repeats=2),
        )  # fmt: skip
        return LowAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))

    pooled, single = answer(count + 1), answer(count)
    assert (len(pooled.repeats), single.repeats) == (2, [])
    assert pooled.score == max(pooled.curve) == pytest.approx(np.mean(pooled.repeats))
    assert (2 * count * pooled.score) == pytest.approx(round(2 * count * pooled.score))
    assert single.score is not None
    assert (len(task.validation) * single.score) == pytest.approx(round(len(task.validation) * single.score))


def test_a_worker_holds_groups_out_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fold asks about a group that its network was taught; fewer folds where there are fewer groups."""
    from selfnas.training import cross_validation

    groups = np.repeat(np.arange(6), 10)
    task = Task.from_arrays(np.random.default_rng(0).random((60, 8, 8)), np.arange(60) % 2, name="own", groups=groups)
    assert task.own is not None
    task.own.arrays.write(tmp_path / str(task.own.spec.path))
    parts: list[tuple[list[str], list[np.ndarray]]] = []
    original = cross_validation.held_out

    def seen(*args: Any, groups: list[str], **keys: Any) -> list[np.ndarray]:
        held = original(*args, groups=groups, **keys)
        parts.append((groups, held))
        return held

    monkeypatch.setattr(cross_validation, "held_out", seen)
    job = LowJob(
        task=task.own.spec, task_digest=task.digest, base=str(tmp_path), device="cpu", seed=1,
        architecture="nb201/c4n1r8:|conv3x3~0|+|none~0|skip~1|+|conv1x1~0|none~1|conv3x3~2|",
        training=TrainingSection(recipe="plain"), fidelity=FidelitySection(steps=4),
        cross_validation=CrossValidationSection(below=1000, folds=5, repeats=1),
    )  # fmt: skip
    assert LowAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True))).score is not None
    ((told, held),) = parts
    assert len(told) == len(task.train) + len(task.validation)
    assert len(held) == min(5, len(set(told)))
    asked = [{told[row] for row in rows} for rows in held]
    assert sum(map(len, asked)) == len(set(told))
