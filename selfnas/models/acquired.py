"""By what a strategy with a model orders its candidates: expected improvement, or a program in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.acquisition.evaluation import evaluate
from selfnas.acquisition.expression import Expression, atoms_of
from selfnas.acquisition.parser import parse_program
from selfnas.models.gaussian_process import distances

__all__ = ["Acquired", "checked"]

Matrix = NDArray[np.float64]


def checked(program: str | None, budget: int) -> None:
    """Whether a strategy may be given such a program and budget.

    Raises:
        ValueError: not a program, or no budget to have a share of.
    """
    if budget < 1:
        raise ValueError(f"need budget >= 1, not {budget}")
    if program is not None:
        parse_program(program)


@dataclass(frozen=True, kw_only=True)
class Acquired:
    """A program in one proposal of a search.

    Attributes:
        program: as text.
        share: of the budget that is spent.
        tried: `(n, f)` features of the cells tried.
    """

    program: str
    share: float
    tried: Matrix

    @cached_property
    def _tree(self) -> Expression:
        return parse_program(self.program)

    @cached_property
    def _typical(self) -> float:
        """Median distance between tried cells that differ."""
        apart = distances(self.tried, self.tried)
        return float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0

    def values(
        self, mean: Matrix, deviation: Matrix, best: float, asked: Matrix, also: Sequence[Matrix] = ()
    ) -> Matrix:
        """`(k,)` what the program makes of candidates.

        Args:
            mean: `(k,)` expected normal scores.
            deviation: `(k,)` their standard deviations.
            best: the highest normal score so far.
            asked: `(k, f)` features.
            also: `(f,)` features of cells that are proposed and not yet scored: tried, for the distance.
        """
        inputs: dict[str, Matrix | float] = {"mean": mean, "spread": deviation, "incumbent": best, "share": self.share}
        if "distance" in atoms_of(self._tree):
            tried = np.concatenate([self.tried, np.array(also)]) if len(also) else self.tried
            inputs["distance"] = distances(asked, tried).min(axis=1) / self._typical
        return evaluate(self._tree, inputs)
