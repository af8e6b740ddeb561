"""What a baseline knows, taught to a network: varied examples with the baseline's answers (*knowledge distillation*).

On few rows trees and ridges often generalise better than networks, which learn noise by heart. Their answers to
examples that nobody has labelled tell a network what they found, and the targets tell it the rest. Rows of tables are
varied by taking values from other rows, series by the recipe of their training.

Sources: Bucila, Caruana, Niculescu-Mizil 2006 (KDD), Model compression; Hinton, Vinyals, Dean 2015, Distilling the
knowledge in a neural network; Fakoor et al. 2020 (NeurIPS), FAST-DAD, for tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.baselines.baseline import Floats, Predict, Scores, Setting
from selfnas.baselines.catalogue import JOINED, baseline_named, teachers_for
from selfnas.data.targets import InputKind, Targets
from selfnas.training.augmentation import augmented
from selfnas.training.cross_validation import held_out
from selfnas.training.recipes import Recipe
from selfnas.training.training import Examples, Goal, Transfer

__all__ = ["Lessons", "distil"]

_TIMES = 4  # as many varied examples as there are examples
_FEWEST, _MOST = {"table": 4_000, "series": 1_000}, {"table": 12_000, "series": 2_000}
_POWERS = (0.5, 0.7, 0.999, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
_INNER = 3  # folds by which a teacher answers its own rows as one who had not seen them
_MOST_NUMBERS = 1e6  # rows by values by columns that teachers are fitted to a dozen times
_LEAST_SHARE = 1e-3
_SWAPPED = 0.5  # of the values of a row are taken from other rows, at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lessons:
    """What a teacher says.

    Attributes:
        teacher: its name; the names of several whose answers are averaged, joined by `+`.
        score: of its answers to held-out examples.
        parts: for each fold what a teacher says who has seen the other folds alone.
        whole: what one says who has seen all examples.
    """

    teacher: str
    score: float
    parts: tuple[Transfer, ...]
    whole: Transfer

    def to(self, device: torch.device | str) -> Lessons:
        """The same on a device."""
        return replace(self, parts=tuple(part.to(device) for part in self.parts), whole=self.whole.to(device))


def distil(
    x: Floats, y: Targets, *, inputs: InputKind, goal: Goal, recipe: Recipe, parts: Sequence[NDArray[np.int64]],
    seed: int, groups: Sequence[str] | None = None,
) -> Lessons | None:  # fmt: skip
    """Fit every teacher to all folds but one, and let the best by held-out answers teach, alone or several together.

    Args:
        x: `(n, features)` or `(n, channels, length)`.
        y: as a split holds it.
        inputs: what an example is.
        goal: what networks are trained for.
        recipe: by which series are varied.
        parts: rows that each fold holds out.
        seed: of the teachers and the varied examples.
        groups: of each example; those of a group are held out together.

    Returns:
        None where nobody can teach: for the kind of task, its size, or because held-out answers of series are no better
        than halfway between chance and right. Of tables trainings are compared with and without a teacher.
    """
    target = goal.target
    names = teachers_for(inputs, target) if target is not None and recipe.distil else ()
    if target is None or not names:
        return None
    count = min(_MOST[inputs], max(_FEWEST[inputs], _TIMES * len(x)))
    setting = Setting(
        inputs=inputs, target=target, rows=len(x), asked=count, size=tuple(x.shape[1:]),
        seed=seeding.derive(seed, "teacher"),
    )  # fmt: skip
    able = [name for name in names if baseline_named(name).limit(setting) >= len(x)]
    if not able:
        return None
    rows = np.arange(len(x))
    seen = [*(np.setdiff1d(rows, part) for part in parts), rows]
    fitted = {name: [baseline_named(name).fit(x[own], y[own], setting) for own in seen] for name in able}
    held = np.concatenate(parts)
    told = {name: np.concatenate([fitted[name][k](x[part]) for k, part in enumerate(parts)]) for name in able}
    truth = torch.from_numpy(y[held])

    def score(team: tuple[str, ...]) -> float:
        return goal.score(_tensor(_mean([told[name] for name in team])), truth)

    teams = [team for size in range(1, len(able) + 1) for team in itertools.combinations(able, size)]
    best = max(teams, key=score)
    if inputs != "table" and score(best) < (1 + goal.chance(truth, truth)) / 2:
        return None
    counted = target.kind == "classification"
    sharp = _sharpness(_mean([told[name] for name in best]), truth) if counted else 1.0

    def said(predicts: Sequence[Predict], of: Floats) -> torch.Tensor:
        return _tensor(_sharpened(_mean([predict(of) for predict in predicts]), sharp))

    # Kernels, and trees for many labels, take too long to be fitted for every part of every fold.
    often = inputs == "table" and len(x) * setting.values * setting.columns <= _MOST_NUMBERS

    def lesson(place: int, own: NDArray[np.int64]) -> Transfer:
        varied = _varied(x[own], count, inputs, recipe, seed=seeding.derive(seed, "varied", place))
        answers = said([fitted[name][place] for name in best], varied)
        taught = Examples(torch.from_numpy(varied), answers)
        inner = min(_INNER, len(own) if groups is None else len({groups[row] for row in own}))
        if not often or inner < 2:
            return Transfer(varied=taught)
        unseen = torch.zeros(len(own), answers.shape[1])
        among = None if groups is None else [groups[row] for row in own]
        for part in held_out(y[own], target, folds=inner, seed=seeding.derive(seed, "inner", place), groups=among):
            others = np.delete(own, part)
            fits = [baseline_named(name).fit(x[others], y[others], setting) for name in best]
            unseen[torch.from_numpy(part)] = said(fits, x[own[part]])
        return Transfer(varied=taught, own=unseen)

    *of_folds, whole = (lesson(place, own) for place, own in enumerate(seen))
    return Lessons(teacher=JOINED.join(best), score=score(best), parts=tuple(of_folds), whole=whole)


def _mean(answers: Sequence[Scores]) -> Scores:
    found: Scores = np.mean(answers, axis=0)
    return found


def _sharpness(shares: Scores, y: torch.Tensor) -> float:
    """The power of held-out shares under which the classes are most likely (temperature scaling, Guo et al. 2017)."""
    rows = np.arange(len(y))
    return min(_POWERS, key=lambda power: -np.log(_sharpened(shares, power)[rows, y.numpy()]).mean())


def _sharpened(given: Scores, power: float) -> Scores:
    if power == 1.0:
        return given
    raised: Scores = np.clip(given, _LEAST_SHARE, None) ** power
    shares: Scores = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _tensor(answers: Scores) -> torch.Tensor:
    return torch.from_numpy(answers.astype(np.float32))


def _varied(x: Floats, count: int, inputs: InputKind, recipe: Recipe, *, seed: int) -> Floats:
    """`(count, …)` examples near those that there are."""
    draw = seeding.generator(seed, "rows")
    if inputs != "table":
        chosen = torch.from_numpy(x[np.resize(np.arange(len(x)), count)])
        found: Floats = augmented(chosen, recipe, seeding.torch_generator(seed, "augmentation"), inputs=inputs).numpy()
        return found
    base, features = draw.integers(len(x), size=count), x.shape[1]
    others = draw.integers(len(x), size=(count, features))
    swapped = draw.random((count, features)) < draw.uniform(0, _SWAPPED, size=(count, 1))
    mixed: Floats = np.where(swapped, x[others, np.arange(features)], x[base])
    return mixed
