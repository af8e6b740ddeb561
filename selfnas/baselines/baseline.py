"""The contract of a baseline: what it is for, what it is fitted on, how large a task may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from selfnas.data.targets import InputKind, Target, Targets

__all__ = ["Baseline", "Fit", "Floats", "Form", "Limit", "Predict", "Scores", "Setting", "form_of"]

Form = Literal["classes", "labels", "numbers", "quantiles"]
Floats: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float64]

_FORMS: dict[str, Form] = {
    "classification": "classes", "ordinal": "classes", "multilabel": "labels", "regression": "numbers",
}  # fmt: skip


def form_of(target: Target) -> Form:
    """What a baseline has to give: it sees ordered classes as classes, and quantiles apart from numbers."""
    return "quantiles" if target.quantiles else _FORMS[target.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a baseline is told beside its rows.

    Attributes:
        inputs: kind of the examples.
        target: what is asked for.
        rows: at hand for fitting.
        asked: to be predicted afterwards.
        size: of one example, `(channels, *spatial)`, or `(features,)`.
        seed: decides everything random.
        steps: of a reference network; None takes so many that it is fitted in seconds.
    """

    inputs: InputKind
    target: Target
    rows: int
    asked: int
    size: tuple[int, ...]
    seed: int
    steps: int | None = None

    @property
    def form(self) -> Form:
        """What is to be given for an example."""
        return form_of(self.target)

    @property
    def columns(self) -> int:
        """How many scores an example gets: one for each class, label, number or quantile."""
        return len(self.target.quantiles) or len(self.target.names)

    @property
    def values(self) -> int:
        """Numbers in one example."""
        return int(np.prod(self.size))


Predict: TypeAlias = Callable[[Floats], Scores]
Fit: TypeAlias = Callable[[Floats, Targets, Setting], Predict]
Limit: TypeAlias = Callable[[Setting], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A way of predicting that owes nothing to the search.

    Attributes:
        name: short, as a stream names it.
        title: for people.
        inputs: kinds of examples that it takes.
        forms: what it can be asked for.
        fit: from `(n, channels, *size)` or `(n, features)` inputs and their targets to a function that maps inputs to
            float64 `(m, columns)`: for classes and labels the probability of each, or what is ordered like it; for
            numbers and quantiles their values.
        limit: how many rows it is fitted on at most, so that it takes seconds; more are drawn from by seed, and the
            result says so. Below 1 where the task is too large for it.
        usual: whether it is fitted where nobody names baselines.
        blind: whether it looks at no inputs, and is given none.
    """

    name: str
    title: str
    inputs: frozenset[InputKind]
    forms: frozenset[Form]
    fit: Fit
    limit: Limit
    usual: bool = True
    blind: bool = False

    def suits(self, inputs: InputKind, target: Target) -> bool:
        """Whether it takes such tasks."""
        return inputs in self.inputs and form_of(target) in self.forms
