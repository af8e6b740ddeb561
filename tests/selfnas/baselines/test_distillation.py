"""What a baseline knows, as lessons for a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from selfnas.baselines.catalogue import teachers_for
from selfnas.baselines.distillation import Lessons, _sharpened, _sharpness, distil
from selfnas.data.targets import Target
from selfnas.training.cross_validation import held_out
from selfnas.training.evaluation import Fidelity
from selfnas.training.outputs import predict
from selfnas.training.recipes import RECIPES
from selfnas.training.training import Examples, Goal, TrainingPlan, Transfer, train

TWO = Target.of_classes(2)
NUMBER = Target(kind="regression", names=("price",), center=(0.0,), scale=(1.0,))
RECIPE = RECIPES["strong"]


def table(count: int = 120, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three columns; the class is whether the first two have one sign."""
    x = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def taught(
    x: np.ndarray, y: np.ndarray, target: Target = TWO, **changes: object
) -> tuple[Lessons | None, list[np.ndarray]]:
    """What comes of three folds."""
    parts = held_out(y, target, folds=3, seed=1)
    named = {"inputs": "table", "goal": Goal(target=target), "recipe": RECIPE, "parts": parts, "seed": 3}
    return distil(x, y, **{**named, **changes}), parts  # type: ignore[arg-type]


def test_the_best_by_held_out_answers_teaches() -> None:
    """Trees where columns act together, a line where they add up; its score is that of answers by the other folds."""
    x, y = table()
    trees, _ = taught(x, y)
    assert trees is not None
    assert set(trees.teacher.split("+")) <= {"forest", "boosting"}
    line, _ = taught(x, (x @ np.float32([1, -1, 0.5]) > 0).astype(np.int64))
    assert line is not None
    assert "linear" in line.teacher.split("+")
    assert line.score > 0.9


def test_a_fold_has_lessons_of_the_other_folds_alone() -> None:
    """Every value of its rows stands in the same column of another fold, and answers are shares."""
    x, y = table(90)
    lessons, parts = taught(x, y)
    assert lessons is not None
    assert len(lessons.parts) == 3
    for part, held in zip((*lessons.parts, lessons.whole), (*parts, np.array([], dtype=np.int64)), strict=True):
        for column in range(3):
            allowed = set(np.delete(x[:, column], held).tolist())
            assert set(part.varied.x[:, column].tolist()) <= allowed
        assert part.varied.y.shape == (4_000, 2)
        assert part.own is not None
        assert part.own.shape == (90 - len(held), 2)
        for answers in (part.varied.y, part.own):
            assert torch.allclose(answers.sum(1), torch.ones(len(answers)), atol=1e-4)
    assert len({tuple(row) for row in lessons.whole.varied.x.tolist()}) > 1_000


def test_a_teacher_answers_its_own_rows_as_one_who_had_not_seen_them() -> None:
    """Labels by a coin are learned by heart by trees; answers to rows that they had not seen are right by chance."""
    x, _ = table(150)
    y = np.random.default_rng(1).integers(0, 2, 150)
    lessons, _ = taught(x, y)
    assert lessons is not None
    assert lessons.whole.own is not None
    right = lessons.whole.own.argmax(1).numpy() == y
    assert right.mean() < 0.65


def test_lessons_follow_from_the_seed() -> None:
    """The same again; another, others."""
    x, y = table(60)
    one, same, other = (taught(x, y, seed=seed)[0] for seed in (3, 3, 4))
    assert one is not None
    assert same is not None
    assert other is not None
    assert torch.equal(one.whole.varied.y, same.whole.varied.y)
    assert not torch.equal(one.whole.varied.x, other.whole.varied.x)


def test_nobody_teaches_where_nobody_can() -> None:
    """Images, ordered classes, quantiles, numbers of series, or a recipe without; nor series that nobody can read."""
    x, y = table(60)
    assert taught(x, y, recipe=replace(RECIPE, distil=0.0))[0] is None
    assert taught(x.reshape(60, 1, 3, 1), y, inputs="image")[0] is None
    ordered = Target(kind="ordinal", names=("low", "high"))
    quantiles = replace(NUMBER, quantiles=(0.1, 0.9))
    assert teachers_for("table", ordered) == teachers_for("table", quantiles) == ()
    assert teachers_for("series", NUMBER) == ()
    noise = np.random.default_rng(0).normal(size=(40, 1, 60)).astype(np.float32)
    assert taught(noise, np.arange(40) % 2, inputs="series")[0] is None


def test_series_are_taught_by_their_kernels() -> None:
    """Bumps among waves; varied series are as long, and what is said of them is sure."""
    steps, rng = np.arange(60), np.random.default_rng(0)
    y = np.arange(40) % 2
    x = np.sin(steps / np.where(y, 3.0, 6.0)[:, None] + rng.normal(size=(40, 1)))[:, None].astype(np.float32)
    lessons, _ = taught(x, y, inputs="series")
    assert lessons is not None
    assert (lessons.teacher, lessons.score) == ("rocket", 1.0)
    assert lessons.whole.varied.x.shape == (1_000, 1, 60)
    assert float(lessons.whole.varied.y.amax(1).median()) > 0.9


def test_numbers_are_taught_as_they_are() -> None:
    """In the unit of the targets."""
    x, _ = table()
    lessons, _ = taught(x, (3 * x[:, :1] + x[:, 1:2]).astype(np.float32), NUMBER)
    assert lessons is not None
    assert lessons.teacher == "linear"
    told = lessons.whole.varied
    assert torch.allclose(told.y[:, 0], 3 * told.x[:, 0] + told.x[:, 1], atol=0.1)


def test_shares_are_as_sharp_as_held_out_answers_are_right() -> None:
    """Timid shares of one who is always right are sharpened, those of one who guesses are flattened."""
    shares = np.tile([0.6, 0.4], (50, 1))
    always, half = torch.zeros(50, dtype=torch.long), torch.arange(50) % 2
    assert _sharpness(shares, always) == 8.0
    assert _sharpness(shares, half) == 0.5
    assert _sharpened(shares, 2.0)[0] == pytest.approx([0.36 / 0.52, 0.16 / 0.52])


def test_a_taught_network_knows_what_its_targets_do_not_say() -> None:
    """Six labelled rows and a teacher of many: it agrees with the teacher more than one that had the six alone."""
    x, y = table(400)
    few = Examples(torch.from_numpy(x[:6]), torch.from_numpy(y[:6]))
    more, truth = table(300, seed=9)
    lessons, _ = taught(x, y)
    assert lessons is not None
    plan = TrainingPlan(batch_size=16, learning_rate=0.01, recipe=replace(RECIPE, mixup=0.0, average=0.0))
    shares = {}
    for transfer in (None, Transfer(varied=lessons.whole.varied)):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2))
        at = Fidelity(name="full", steps=300)
        goal = Goal(target=TWO, inputs="table")
        assert not train(network, few, None, plan, at, seed=0, goal=goal, transfer=transfer).failure
        answers = predict(network, torch.from_numpy(more)).argmax(1).numpy()
        shares[transfer is not None] = float((answers == truth).mean())
    assert shares[True] > shares[False] + 0.1
    assert set(lessons.teacher.split("+")) <= set(teachers_for("table", TWO))
