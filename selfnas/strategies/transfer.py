"""Search that knows earlier tasks: what they taught is one explanation of the scores, that they say nothing another.

Each past task becomes a model of its own over cells. On a new task a score is a weighted sum of these models plus what
the cell alone explains, in several ways; or it is what the `Surrogate` makes of it, which knows of no past. A
`Mixture` holds all of them with their probabilities, by the likelihoods that they give to the scores so far, and a
proposal is the cell of highest expected improvement over all of them. `belief` is the probability of those that past
tasks have a part in. Where it is small the proposal is the surrogate's own: the same call, with the same trials and
generator. Without past tasks every proposal is.

A search opens with the cell that past tasks together expect most of, and with one drawn at random: the two tell whether
past tasks order cells rightly, and cost a search that they mislead one evaluation.

What is promised, whatever the past says, where proposals are made one at a time:

* After the opening of `initial` proposals, past tasks have a say only while `belief` is above 1/16: while the scores
  are less than 45 times as likely by the surrogate's model alone.
* From the eighth trial on, one turn in every four is the surrogate's, so it has its k-th by trial `8 + 4 k`. Hence, as
  long as trials that it did not ask for do not slow the surrogate down, a search that takes it N evaluations takes at
  most `8 + 4 N` here.
* The mixture that `belief` is the posterior of loses at most `log 4` against the surrogate's model in cumulative log
  loss over the scores seen, since its prior gives that model a quarter.

Sources: Rasmussen and Williams 2006, section 2.7 (explicit basis functions); Feurer, Letham, Hutter, Bakshy 2018 (a
ranking-weighted ensemble of past models) for the idea of one model a task; Cesa-Bianchi and Lugosi 2006, section 9.2
(mixtures of forecasters under log loss).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.models.acquired import Acquired, checked
from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess, normal_scores
from selfnas.models.mixture import PRIOR, Mixture
from selfnas.models.observed import TOP, Observed, promising, remembered
from selfnas.search.domain import Domain, Proposals, neighbours
from selfnas.search.history import Trial, vectors_of
from selfnas.search.small_space import every_vector, is_small
from selfnas.search.strategy import Strategy
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector
from selfnas.strategies.surrogate import Surrogate

__all__ = ["PastTask", "Transfer", "agreed", "belief", "informed", "with_budget", "with_past_tasks"]

Matrix = NDArray[np.float64]

# Of places beside traits, in past models. Chosen among 1, 2 and 3 on four tasks;
# `experiments/lifelong-bench/README.md` says what came of it on others.
_PLACES = 3.0
_UNLIKE = 0.05  # added to how unlike a task is, so that one that seems the same does not silence the others
_FREE = 8  # trials before the surrogate has a model, and turns that nothing can take from it
_EVERY = 4  # from then on one turn in so many is the surrogate's
_SMALL = 1 / 16  # probability that the past says something, at which it has no say
_TRIES = 32  # draws for one that is new
_NEAR = 8  # most trusted tasks, the neighbours of whose best are candidates in a large space
_REMEMBERED = 200  # trials of a past task that enter its model: half of them the best, half the latest


@dataclass(frozen=True, kw_only=True)
class PastTask:
    """What one earlier task taught.

    Attributes:
        trials: scored on it, in order, at one fidelity; all of one space.
        likeness: of that task to the present one, in [0, 1], as its description tells; equal where none is known.
        spelled: the space whose vectors its models are to see, where that is not the one that the trials are of.
    """

    name: str
    trials: tuple[Trial, ...]
    likeness: float = 1.0
    spelled: Space | None = None

    @property
    def space(self) -> Space:
        """The space whose vectors its models see."""
        return self.spelled or self.trials[0].architecture.space

    @cached_property
    def _kept(self) -> tuple[Vector, Matrix]:
        """`(n, slots)` and `(n,)` scores of the trials that enter the model."""
        values = np.array([trial.value for trial in self.trials])
        kept = remembered(values, _REMEMBERED // 2)
        return vectors_of([self.trials[index] for index in kept], self.space), values[kept]

    @cached_property
    def model(self) -> GaussianProcess:
        """Fitted to the normal scores of the trials."""
        vectors, values = self._kept
        return GaussianProcess.fit(_features(self.space, vectors), normal_scores(values))

    def expects(self, vectors: Vector) -> Matrix:
        """`(n,)` what the model says of `(n, slots)` vectors of the task's space, in its own normal scores."""
        if is_small(self.space):
            return self._everywhere[self.space.place(vectors)]
        return self.model.mean(_features(self.space, vectors))

    @cached_property
    def _everywhere(self) -> Matrix:
        return self.model.mean(_features(self.space, every_vector(self.space)))

    @cached_property
    def best(self) -> Vector:
        """`(n, slots)` of the trials, best first."""
        vectors, values = self._kept
        return vectors[np.argsort(-values, kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """See `Strategy`; draws and neighbours come from the domain, so everything proposed is admitted.

    Attributes:
        past: earlier tasks; those of other spaces are passed over.
        initial: first proposals before scores of this task are modelled: by turns what past tasks would choose, all of
            them together first, and one at random.
        pool: candidates drawn for each batch, besides neighbours of the best; a small space is taken whole.
        memory: the latest so many trials, and as many of the best, enter the model.
        acquisition, budget: as the surrogate has them; a program reads mean and spread over all explanations together.
    """

    past: tuple[PastTask, ...] = ()
    initial: int = 2
    pool: int = 500
    memory: int = 200
    acquisition: str | None = None
    budget: int = 100

    def __post_init__(self) -> None:
        if self.initial < 1 or self.pool < 1 or self.memory < 2:
            raise ValueError(f"need initial >= 1, pool >= 1 and memory >= 2, not {self}")
        checked(self.acquisition, self.budget)

    @property
    def cold(self) -> Surrogate:
        """What searches where the past says nothing."""
        return Surrogate(pool=self.pool, memory=self.memory, acquisition=self.acquisition, budget=self.budget)

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then what past tasks agree on and one at random, then expected improvement."""
        past = tuple(task for task in self.past if len(task.trials) > 1 and task.space == domain.space)
        batch = Proposals(history, domain, count, warm=warm)
        colds, model = self._colds(past, history, domain, batch.missing)
        if colds == batch.missing:
            return self.cold(history, domain, count, rng, warm=warm)
        if colds:
            known = len(batch.chosen) + colds
            batch = Proposals(history, domain, count, warm=self.cold(history, domain, known, rng, warm=warm))
        if batch.missing > 0:
            observed = Observed.of(history, domain)
            candidates = self._candidates(past, observed, domain, rng)
            if len(candidates):
                expected = _expectations(past, candidates)
                turns = range(len(history), self.initial if model else len(history) + count)
                _open(batch, domain, candidates, expected, turns, rng)
                if model is not None:
                    scores = normal_scores(observed.kept(self.memory).values)
                    asked = cell_features(domain.space, candidates)
                    program = self.cold.program(share=len(observed.values) / self.budget, tried=model.points)
                    _propose(batch, model, scores, asked, candidates, expected, rng, program)
        batch.fill(rng)
        return batch.chosen

    def _colds(
        self, past: Sequence[PastTask], history: Sequence[Trial], domain: Domain, count: int
    ) -> tuple[int, Mixture | None]:
        """How many of the next `count` proposals are the surrogate's, and the informed model where it was fitted."""
        if not past:
            return count, None
        used = len(history)
        turns = range(max(used, self.initial), used + count)
        if not turns:
            return 0, None
        share, model = belief(past, Observed.of(history, domain).kept(self.memory), domain.space)
        return sum(not informed(turn, share) for turn in turns), model

    def _candidates(
        self, past: tuple[PastTask, ...], observed: Observed, domain: Domain, rng: np.random.Generator
    ) -> Vector:
        """`(k, slots)` admitted spellings not tried: all of a small space; else draws, what won, and neighbours."""
        if is_small(domain.space):
            return observed.whole(domain)
        won = np.concatenate([task.best[:TOP] for task in past])
        nearest = sorted(reversed(past), key=lambda task: -task.likeness)[:_NEAR]
        near = [neighbours(domain, task.best[0]) for task in nearest]
        return observed.around(domain, rng, pool=self.pool, also=[won[domain.admits(won)], *near])


def belief(past: Sequence[PastTask], seen: Observed, space: Space) -> tuple[float, Mixture | None]:
    """Probability of the explanations that past tasks have a part in, even before any score; and all explanations.

    The likelihoods are of all scores seen, each a product of what was foretold of the next from those before it,
    and averaged over the settings of each explanation.
    """
    if not past or not seen.teaches(least=2):
        return (PRIOR if past else 0.0), None
    points = cell_features(space, seen.vectors)
    model = Mixture.fit(points, _expectations(past, seen.vectors), normal_scores(seen.values))
    return model.told, model


def informed(turn: int, share: float) -> bool:
    """Whether past tasks have a say in the proposal after so many trials, given the probability of ways by them.

    Example:
        >>> [informed(turn, 1.0) for turn in range(6, 14)]
        [True, True, True, True, True, False, True, True]
        >>> any(informed(turn, 0.05) for turn in range(100))
        False
    """
    return share > _SMALL and (turn < _FREE or turn % _EVERY != _EVERY - 1)


def with_past_tasks(strategy: Strategy, past: Sequence[PastTask]) -> Strategy:
    """The strategy with earlier tasks to learn from, if it is one that can; otherwise as it is."""
    return replace(strategy, past=tuple(past)) if isinstance(strategy, Transfer) else strategy


def with_budget(strategy: Strategy, evaluations: int) -> Strategy:
    """The strategy told the budget of its search, if it has a program that may read it; otherwise as it is."""
    if isinstance(strategy, Surrogate | Transfer) and strategy.acquisition is not None:
        return replace(strategy, budget=evaluations)
    return strategy


def agreed(past: Sequence[PastTask], vectors: Vector) -> Matrix:
    """`(n,)` what past tasks expect of `(n, slots)` vectors of their one space: the mean, weighted by trust in each.

    For a few vectors: no whole space is looked through, as a search by these models does once.
    """
    points = _features(past[0].space, vectors)
    means: Matrix = np.stack([task.model.mean(points) for task in past], axis=1) @ _trust(past) / len(past)
    return means


def _features(space: Space, vectors: Vector) -> Matrix:
    """`(n, f)` what models of past tasks see of cells."""
    return cell_features(space, vectors, places=_PLACES)


def _expectations(past: Sequence[PastTask], vectors: Vector) -> Matrix:
    """`(n, tasks)` what each past task's model expects, in its own normal scores times the trust in it."""
    if is_small(past[0].space):  # each task keeps what it says of every vector
        return np.stack([task.expects(vectors) for task in past], axis=1) * _trust(past)
    points = _features(past[0].space, vectors)
    return np.stack([task.model.mean(points) for task in past], axis=1) * _trust(past)


def _trust(past: Sequence[PastTask]) -> Matrix:
    """`(tasks,)` inverse to how unlike each is (Shepard 1968), 1 on average: where belief begins; evidence moves it."""
    trust = np.array([1.0 / (_UNLIKE + 1.0 - task.likeness) for task in past])
    shares: Matrix = trust / trust.mean()
    return shares


def _open(
    batch: Proposals,
    domain: Domain,
    candidates: Vector,
    expected: Matrix,
    turns: range,
    rng: np.random.Generator,
) -> None:
    """By turns what past tasks agree on or one of them would choose, and one at random."""
    views = [expected.mean(axis=1), *expected.T]
    for turn in turns:
        if batch.missing <= 0:
            return
        chance = turn % 2 == 1
        order = np.argsort(-views[turn // 2 % len(views)], kind="stable")
        for vector in domain.draw(rng, _TRIES) if chance else candidates[order]:
            if batch.offer(vector[None]):
                break


def _propose(
    batch: Proposals,
    model: Mixture,
    scores: Matrix,
    asked: Matrix,
    candidates: Vector,
    expected: Matrix,
    rng: np.random.Generator,
    program: Acquired | None,
) -> None:
    """Fill the batch by expected improvement, or as the program orders.

    After each proposal the model believes its own mean there.
    """
    points, mix = model.points, model.mix
    chosen = promising(model.mean(asked, expected), rng)
    candidates, expected, asked = candidates[chosen], expected[chosen], asked[chosen]
    left = np.ones(len(candidates), dtype=bool)
    taken: list[Matrix] = []
    while batch.missing > 0 and left.any():
        best = float(scores.max())
        gain = (
            model.improvement(asked, expected, best)
            if program is None
            else program.values(*model.predict(asked, expected), best, asked, taken)
        )
        for index in np.argsort(-np.where(left, gain, -np.inf), kind="stable")[: int(left.sum())]:
            left[index] = False
            if batch.offer(candidates[index][None]):
                taken.append(asked[index])
                points = np.concatenate([points, asked[index][None]])
                mix = np.concatenate([mix, expected[index][None]])
                scores = np.append(scores, model.mean(asked[index][None], expected[index][None]))
                if batch.missing > 0:
                    model = model.again(points, mix, scores)
                break
