"""Search that knows earlier tasks: a Gaussian process whose prior mean is a fitted mix of what they taught.

Each past task becomes a model of its own over cells. On a new task a score is taken to be a weighted sum of these
models, plus an offset, plus a rough function of the cell alone; the weights are normal variables, so they are
integrated out rather than fitted, and a task that misleads loses its say as evidence comes in. How much past tasks
are believed at the outset is chosen by marginal likelihood at every step.

Two processes propose: this one, and the `Surrogate`, which knows of no past. `belief` is the probability that the
past says something, by the likelihoods that both give to the scores so far; it is the share of turns that the informed
process has. Where it is small the proposal is the surrogate's own: the same call, with the same trials and generator.
Without past tasks every proposal is.

What is promised, whatever the past says, where proposals are made one at a time:

* After the opening of `initial` proposals, the informed process proposes only while `belief` is above 1/16:
  while the scores are less than 15 times as likely where the past says nothing.
* From the eighth trial on, one turn in every four is the surrogate's, so it has its k-th by trial `8 + 4 k`. Hence, as
  long as trials that it did not ask for do not slow the surrogate down, a search that takes it N evaluations takes at
  most `8 + 4 N` here.
* The mixture of processes that `belief` is the posterior of loses at most `log 4` against the surrogate's model in
  cumulative log loss over the scores seen, since its prior gives that model a quarter.

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

from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess, averaged, expected_improvement, normal_scores
from selfnas.models.mixture import Mixture
from selfnas.models.observed import TOP, Observed, promising, remembered
from selfnas.search.domain import Domain, Proposals, neighbours
from selfnas.search.history import Trial, vectors_of
from selfnas.search.small_space import every_vector, is_small
from selfnas.search.strategy import Strategy
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector
from selfnas.strategies.surrogate import Surrogate

__all__ = ["PastTask", "Transfer", "agreed", "belief", "informed", "with_past_tasks"]

Matrix = NDArray[np.float64]

# Of places beside traits, in past models and in what the cell alone explains. Chosen among 1, 2 and 3 on four tasks;
# `experiments/lifelong-bench/README.md` says what came of it on others.
_PLACES = 3.0
_UNLIKE = 0.05  # added to how unlike a task is, so that one that seems the same does not silence the others
_ORDER = (0, 4, 2, 6, 1, 5, 3, 7)
_FREE = 8  # trials before the surrogate has a model, and turns that nothing can take from it
_MOST = 0.75  # of the turns, for the informed process
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
        initial: first proposals by past models alone, before scores of this task are modelled.
        pool: candidates drawn for each batch, besides neighbours of the best; a small space is taken whole.
        memory: the latest so many trials, and as many of the best, enter the model.
    """

    past: tuple[PastTask, ...] = ()
    initial: int = 3
    pool: int = 500
    memory: int = 200

    def __post_init__(self) -> None:
        if self.initial < 1 or self.pool < 1 or self.memory < 2:
            raise ValueError(f"need initial >= 1, pool >= 1 and memory >= 2, not {self}")

    @property
    def cold(self) -> Surrogate:
        """What searches where the past says nothing."""
        return Surrogate(pool=self.pool, memory=self.memory)

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then what past tasks agree on, then what each would choose, then expected improvement."""
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
                self._open(batch, candidates, expected, used=len(history))
                if model is not None:
                    scores = normal_scores(observed.kept(self.memory).values)
                    _propose(batch, model, scores, _features(domain.space, candidates), candidates, expected, rng)
        batch.fill(rng)
        return batch.chosen

    def _colds(
        self, past: Sequence[PastTask], history: Sequence[Trial], domain: Domain, count: int
    ) -> tuple[int, Mixture | None]:
        """How many of the next `count` proposals are the surrogate's, and the informed model where it was fitted."""
        if not past:
            return count, None
        used, opening = len(history), min(self.initial, len(past) + 1)
        turns = range(max(used, opening), used + count)
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

    def _open(self, batch: Proposals, candidates: Vector, expected: Matrix, *, used: int) -> None:
        """The first proposals: what past tasks agree on, then what each of them would choose."""
        views = [expected.mean(axis=1), *expected.T]
        for turn in range(used, min(self.initial, len(views))):
            if batch.missing <= 0:
                return
            for index in np.argsort(-views[turn], kind="stable"):
                if batch.offer(candidates[index][None]):
                    break


def belief(past: Sequence[PastTask], seen: Observed, space: Space) -> tuple[float, Mixture | None]:
    """Probability that past tasks say something of this one, even before any score is seen; and the model that does.

    The likelihoods are of all scores seen, each a product of what was foretold of the next from those before it,
    and averaged over the settings of each process. That the past says nothing is either what the surrogate foretells
    or what the informed process does without its past, so that neither gains by how it sees cells.
    """
    if not past or not seen.teaches(least=2):
        return (0.5 if past else 0.0), None
    scores = normal_scores(seen.values)
    cold = GaussianProcess.fit(cell_features(space, seen.vectors), scores).evidence
    warm = Mixture.fit(_features(space, seen.vectors), _expectations(past, seen.vectors), scores)
    lead = averaged((cold, warm.silent)) - warm.evidence
    return float(1.0 / (1.0 + np.exp(np.clip(lead, -500.0, 500.0)))), warm


def informed(turn: int, share: float) -> bool:
    """Whether the proposal after so many trials is for the informed process, given its share of the turns.

    The turns of eight are dealt in the order of van der Corput 1935, so a share is kept over any few turns.

    Example:
        >>> [informed(turn, 1.0) for turn in range(6, 14)]
        [True, True, True, True, True, False, True, True]
        >>> any(informed(turn, 0.05) for turn in range(100))
        False
    """
    most = 1.0 if turn < _FREE else _MOST
    return (_ORDER[turn % len(_ORDER)] + 0.5) / len(_ORDER) < min(share, most)


def with_past_tasks(strategy: Strategy, past: Sequence[PastTask]) -> Strategy:
    """The strategy with earlier tasks to learn from, if it is one that can; otherwise as it is."""
    return replace(strategy, past=tuple(past)) if isinstance(strategy, Transfer) else strategy


def agreed(past: Sequence[PastTask], vectors: Vector) -> Matrix:
    """`(n,)` what past tasks expect of `(n, slots)` vectors of their one space: the mean, weighted by trust in each.

    For a few vectors: no whole space is looked through, as a search by these models does once.
    """
    points = _features(past[0].space, vectors)
    means: Matrix = np.stack([task.model.mean(points) for task in past], axis=1) @ _trust(past) / len(past)
    return means


def _features(space: Space, vectors: Vector) -> Matrix:
    """`(n, f)` what models of this strategy see of cells."""
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


def _propose(
    batch: Proposals,
    model: Mixture,
    scores: Matrix,
    asked: Matrix,
    candidates: Vector,
    expected: Matrix,
    rng: np.random.Generator,
) -> None:
    """Fill the batch by expected improvement; after each proposal the model believes its own mean there."""
    points, mix = model.points, model.mix
    chosen = promising(model.mean(asked, expected), rng)
    candidates, expected, asked = candidates[chosen], expected[chosen], asked[chosen]
    left = np.ones(len(candidates), dtype=bool)
    while batch.missing > 0 and left.any():
        mean, deviation = model.predict(asked, expected)
        gain = np.where(left, expected_improvement(mean, deviation, float(scores.max())), -np.inf)
        for index in np.argsort(-gain, kind="stable")[: int(left.sum())]:
            left[index] = False
            if batch.offer(candidates[index][None]):
                points = np.concatenate([points, asked[index][None]])
                mix = np.concatenate([mix, expected[index][None]])
                scores = np.append(scores, mean[index])
                if batch.missing > 0:
                    model = model.again(points, mix, scores)
                break
