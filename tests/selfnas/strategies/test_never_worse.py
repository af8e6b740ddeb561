"""Where earlier tasks say nothing of the present one, a search that remembers them is the search that does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from selfnas.benchmarks.benchmarking import search_table
from selfnas.benchmarks.unlike import with_unlike
from selfnas.models.gaussian_process import GaussianProcess, distances, expected_improvement
from selfnas.models.mixture import Mixture
from selfnas.models.observed import Observed
from selfnas.search.domain import SpaceDomain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies import transfer
from selfnas.strategies.surrogate import Surrogate
from selfnas.strategies.transfer import PastTask, Transfer, belief, informed
from selfnas.tables.tabular import synthetic_benchmark

TABLE = with_unlike(synthetic_benchmark(tasks=("a", "b"), seed=5), "relabelled", "b", seed=1)
DOMAIN = SpelledDomain(TABLE.space, Macro())
UNLIKE, LIKE = "relabelled:b", "b"


def trials_of(task: str, count: int, *, seed: int = 3) -> tuple[Trial, ...]:
    """Of a search without memory."""
    return tuple(itertools.islice(search_table(TABLE, task, Surrogate(), seed=seed), count))


@pytest.fixture(scope="module")
def past() -> tuple[PastTask, ...]:
    """One task, known by forty trials."""
    return (PastTask(name="a", trials=trials_of("a", 40)),)


def test_a_past_that_says_nothing_leaves_the_proposals_of_the_surrogate(
    past: tuple[PastTask, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal trials and generators give equal proposals, one or several, with and without some to try first."""
    monkeypatch.setattr(
        PastTask, "expects", lambda _, vectors: 40.0 * np.random.default_rng(0).normal(size=len(vectors))
    )
    trials = trials_of(UNLIKE, 24)
    seen = Observed.of(trials, DOMAIN)
    assert belief(past, seen, TABLE.space)[0] < 1 / 16
    warm: tuple[Architecture, ...] = tuple(trial.architecture for trial in trials_of("a", 2, seed=9))
    strategy = Transfer(past=past)
    for count, first in ((1, ()), (5, ()), (5, warm)):
        mine = strategy(trials, DOMAIN, count, np.random.default_rng(7), warm=first)
        assert mine == Surrogate()(trials, DOMAIN, count, np.random.default_rng(7), warm=first)


def test_so_it_is_where_candidates_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a space too large to look through, the candidates are those that the surrogate draws."""
    monkeypatch.setattr(transfer, "belief", lambda *_: (0.05, None))
    domain = SpaceDomain(SPACES["darts"], Macro())
    rows = domain.draw(np.random.default_rng(0), 24)
    trials = [Trial(architecture=domain.space.decode(row, macro=domain.macro), score=float(row.sum())) for row in rows]
    remembering = Transfer(past=(PastTask(name="other", trials=tuple(trials[:12])),))
    mine = remembering(trials[12:], domain, 3, np.random.default_rng(1))
    assert mine == Surrogate()(trials[12:], domain, 3, np.random.default_rng(1))


def test_a_past_that_says_much_is_believed(past: tuple[PastTask, ...]) -> None:
    """Twelve random cells of a like task are enough, and then other cells are proposed than without memory."""
    rng = np.random.default_rng(0)
    rows = TABLE.space.draw(rng, 12)
    values = TABLE.column(LIKE, "test")[TABLE.rows(rows)]
    assert belief(past, Observed(values, rows), TABLE.space)[0] > 0.5
    assert belief(past, Observed(values[:1], rows[:1]), TABLE.space)[0] == 0.75
    assert belief((), Observed(values, rows), TABLE.space)[0] == 0.0


@pytest.mark.parametrize("share", [1.0, 0.5, 0.07])
def test_the_surrogate_has_one_turn_in_four_whatever_is_believed(share: float) -> None:
    """From the eighth trial on; its k-th by trial 8 + 4 k. All others are for the past, as long as it may say much."""
    colds = [turn for turn in range(200) if not informed(turn, share)]
    assert [turn + 1 for turn in colds] == [8 + 4 * k for k in range(1, 49)]


def test_a_past_that_hardly_says_anything_has_no_say() -> None:
    """At one in sixteen the surrogate has every turn."""
    assert not any(informed(turn, 1 / 16) for turn in range(64))
    assert all(informed(turn, 0.07) for turn in range(8))


def test_a_search_opens_with_what_the_past_expects_most_and_one_at_random(past: tuple[PastTask, ...]) -> None:
    """One by one as in a batch; the second is a draw of the domain, whatever the past says."""
    strategy = Transfer(past=past)
    first = strategy((), DOMAIN, 1, np.random.default_rng(2))[0]
    everything = TABLE.space.enumerate()
    assert first == TABLE.space.decode(everything[np.argmax(past[0].expects(everything))], macro=Macro())
    trials = [Trial(architecture=first, score=0.9)]
    second = strategy(trials, DOMAIN, 1, np.random.default_rng(3))[0]
    drawn = DOMAIN.draw(np.random.default_rng(3), 32)[0]
    assert second == TABLE.space.decode(drawn, macro=Macro())
    batch = strategy((), DOMAIN, 4, np.random.default_rng(3))
    assert len(set(batch)) == 4
    assert batch[:2] == (first, second)


def test_a_search_whose_trials_all_failed_goes_on_as_it_opened(past: tuple[PastTask, ...]) -> None:
    """There is nothing to fit: half of what comes is at random, so that it does not stay where everything fails."""
    failed = [replace(trial, score=None) for trial in trials_of(LIKE, 4)]
    proposed = Transfer(past=past)(failed, DOMAIN, 4, np.random.default_rng(3))
    assert len(set(proposed) - {trial.architecture for trial in failed}) == 4


def test_a_search_holds_what_the_schedule_promises(past: tuple[PastTask, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the past is believed without reserve, proposals at the surrogate's turns are its own, also in a batch."""
    monkeypatch.setattr(transfer, "belief", lambda *told: (1.0, belief(*told)[1]))
    strategy = Transfer(past=past)
    trials = trials_of(LIKE, 11)
    mine = strategy(trials, DOMAIN, 1, np.random.default_rng(3))
    assert mine == Surrogate()(trials, DOMAIN, 1, np.random.default_rng(3))
    batch = strategy(trials, DOMAIN, 8, np.random.default_rng(3))
    assert batch[:2] == Surrogate()(trials, DOMAIN, 2, np.random.default_rng(3))
    assert len(set(batch)) == 8


def test_likelihoods_of_both_explanations_can_be_compared() -> None:
    """Each is a mean over its grid of normal densities without their constant, so neither gains by its size."""
    rng = np.random.default_rng(0)
    points, mix, scores = rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.normal(size=6)
    apart = distances(points, points)
    typical = np.median(apart[apart > 0])

    def density(covariance: np.ndarray, mean: np.ndarray | float = 0.0) -> float:
        return float(multivariate_normal.pdf(scores - mean, cov=covariance))

    cold = [
        density(np.exp(-apart / (scale * typical / 2)) + noise * np.eye(6))
        for scale in (1, 2, 4, 8)
        for noise in (0.01, 0.05, 0.2)
    ]
    told = [
        density(
            rough * np.exp(-apart / (scale * typical)) + 1.0 + variance * mix @ mix.T / 2 + noise * np.eye(6),
            weight * mix.mean(axis=1),
        )
        for scale in (0.5, 1, 2)
        for noise in (0.05, 0.2)
        for weight, variance, rough in ((1.0, 0.3, 0.5), (1.0, 0.3, 0.25), (0.5, 0.3, 0.7), (0.0, 1.0, 0.5))
    ]
    odds = 3 * np.mean(told) / np.mean(cold)
    assert Mixture.fit(points, mix, scores).told == pytest.approx(odds / (1 + odds))


def test_a_mixture_without_a_say_of_the_past_is_the_model_of_the_surrogate() -> None:
    """Where what the past foretold is far off, mean and improvement are the Gaussian process's own."""
    rng = np.random.default_rng(1)
    points, mix = rng.normal(size=(30, 3)), 50.0 * rng.normal(size=(30, 2))
    scores, asked = np.sin(points[:, 0]), rng.normal(size=(5, 3))
    mixture, cold = Mixture.fit(points, mix, scores), GaussianProcess.fit(points, scores)
    assert mixture.told < 0.02
    said = rng.normal(size=(5, 2))
    assert mixture.mean(asked, said) == pytest.approx(cold.mean(asked))
    expected = expected_improvement(*cold.predict(asked), 0.5)
    assert mixture.improvement(asked, said, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_past_that_says_the_opposite_is_as_good_as_one_that_says_the_same(sign: float) -> None:
    """Both are believed, and the mean at other cells follows them."""
    rng = np.random.default_rng(2)
    points, mix = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    mixture = Mixture.fit(points, mix, sign * mix.mean(axis=1))
    assert mixture.told > 0.9
    said = np.array([[1.0, 1.0], [-1.0, -1.0]])
    high, low = mixture.mean(np.zeros((2, 3)), said)
    assert sign * (high - low) > 0.5


def test_what_is_taken_for_seen_no_longer_attracts() -> None:
    """A cell observed at its own mean promises less than before; the settings and their probabilities stay."""
    rng = np.random.default_rng(3)
    points, mix = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    scores = mix.mean(axis=1) + 0.3 * rng.normal(size=12)
    before = Mixture.fit(points, mix, scores)
    asked, said = rng.normal(size=(1, 3)), rng.normal(size=(1, 2))
    mean = before.mean(asked, said)
    after = before.again(np.concatenate([points, asked]), np.concatenate([mix, said]), np.append(scores, mean))
    assert after.improvement(asked, said, 1.0)[0] < before.improvement(asked, said, 1.0)[0]
    assert [(part.share, part.settings) for part in after.parts] == [
        (part.share, part.settings) for part in before.parts
    ]
