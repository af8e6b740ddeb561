"""Successive halving: many architectures cheaply, the best share of them again with more, and so on.

Source: Li, Jamieson et al. 2020 (MLSys), ASHA: an architecture is promoted as soon as it is in the best share of its
rung, so that nothing waits for a rung to fill. Stateless like the strategies: which rung an architecture has reached is
read off the fidelity names in the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfnas.search.domain import Domain
from selfnas.search.history import Trial
from selfnas.search.strategy import Strategy
from selfnas.spaces.architecture import Architecture
from selfnas.training.evaluation import Fidelity

__all__ = ["Assignment", "SuccessiveHalving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What to score next, and how thoroughly."""

    architecture: Architecture
    fidelity: Fidelity


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessiveHalving:
    """Chooses between promoting and trying something new.

    Attributes:
        rungs: fidelities of distinct names, the cheapest first; epochs, steps or share of the data may grow.
        keep_one_in: one in so many of a rung is promoted.
    """

    rungs: tuple[Fidelity, ...]
    keep_one_in: int = 3

    def __post_init__(self) -> None:
        names = [rung.name for rung in self.rungs]
        pairs = zip(self.rungs, self.rungs[1:], strict=False)
        if len(names) < 2 or len(set(names)) != len(names) or not all(_dearer(*pair) for pair in pairs):
            raise ValueError(f"need at least two rungs of distinct names and rising cost, not {self.rungs}")
        if self.keep_one_in < 2:
            raise ValueError(f"need keep_one_in >= 2, not {self.keep_one_in}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        strategy: Strategy,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Assignment, ...]:
        """At most `count`: promotions, the highest rung first, then new architectures at the cheapest rung.

        Args:
            history: trials of all rungs; other fidelities only keep their architectures from being tried again.
            strategy: proposes what is new, from the scores of the cheapest rung.
        """
        promoted = self.promotions(history)[:count]
        fresh = strategy(self.comparable(history), domain, count - len(promoted), rng, warm=warm)
        return (*promoted, *(Assignment(architecture=new, fidelity=self.rungs[0]) for new in fresh))

    def comparable(self, history: Sequence[Trial]) -> list[Trial]:
        """The trials of the cheapest rung; what was only tried otherwise follows without a score, not to recur."""
        known = {trial.digest for trial in history if trial.fidelity == self.rungs[0].name}
        seen = [trial for trial in history if trial.fidelity == self.rungs[0].name]
        for trial in history:
            if trial.digest not in known:
                known.add(trial.digest)
                seen.append(Trial(architecture=trial.architecture, score=None, fidelity=trial.fidelity))
        return seen

    def promotions(self, history: Sequence[Trial]) -> tuple[Assignment, ...]:
        """Every architecture that has earned the next rung and was not scored there yet; highest rung first."""
        by_rung: dict[str, dict[str, Trial]] = {rung.name: {} for rung in self.rungs}
        for trial in history:
            if trial.fidelity in by_rung:
                by_rung[trial.fidelity].setdefault(trial.digest, trial)
        earned = []
        for lower, upper in reversed(list(zip(self.rungs, self.rungs[1:], strict=False))):
            rung = by_rung[lower.name]
            ranked = sorted((trial for trial in rung.values() if not trial.failed), key=lambda trial: -trial.value)
            for trial in ranked[: len(rung) // self.keep_one_in]:
                if trial.digest not in by_rung[upper.name]:
                    earned.append(Assignment(architecture=trial.architecture, fidelity=upper))
        return tuple(earned)


def _dearer(lower: Fidelity, upper: Fidelity) -> bool:
    """Whether a rung costs more than the one below, whatever the size of the data."""
    before, after = ((rung.epochs * rung.fraction, rung.steps) for rung in (lower, upper))
    return before != after and before[0] <= after[0] and before[1] <= after[1]
