"""Where earlier tasks say nothing of the present one, a search that remembers them is the search that does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from selfnas.benchmarks.benchmarking import search_table
from selfnas.benchmarks.unlike import with_unlike
from selfnas.models.gaussian_process import GaussianProcess, distances
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


def test_a_past_that_says_nothing_leaves_the_proposals_of_the_surrogate(past: tuple[PastTask, ...]) -> None:
    """Equal trials and generators give equal proposals, one or several, with and without some to try first."""
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
    assert belief(past, Observed(values[:1], rows[:1]), TABLE.space)[0] == 0.5
    assert belief((), Observed(values, rows), TABLE.space)[0] == 0.0


@pytest.mark.parametrize("share", [1.0, 0.8, 0.5, 0.2])
def test_the_surrogate_has_one_turn_in_four_whatever_is_believed(share: float) -> None:
    """From the eighth trial on; its k-th by trial 8 + 4 k. Shares are kept over any sixteen turns."""
    colds = [turn for turn in range(8, 200) if not informed(turn, share)]
    assert all(turn < 8 + 4 * k for k, turn in enumerate(colds, start=1))
    for start in range(8, 100):
        turns = sum(informed(turn, share) for turn in range(start, start + 16))
        assert abs(turns - 16 * min(share, 0.75)) <= 2


def test_a_small_share_is_none() -> None:
    """Below one in sixteen the surrogate has every turn."""
    assert not any(informed(turn, 1 / 16) for turn in range(64))
    assert any(informed(turn, 0.07) for turn in range(8))


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


def test_likelihoods_of_both_processes_can_be_compared() -> None:
    """Each is a mean over its grid of normal densities without their constant, so neither gains by its size."""
    rng = np.random.default_rng(0)
    points, mix, scores = rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.normal(size=6)
    constant = 3 * np.log(2 * np.pi)
    apart = distances(points, points)
    typical = np.median(apart[apart > 0])

    def density(covariance: np.ndarray, mean: np.ndarray | float = 0.0) -> float:
        return float(multivariate_normal.pdf(scores - mean, cov=covariance) * np.exp(constant))

    cold = [
        density(np.exp(-apart / (scale * typical / 2)) + noise * np.eye(6))
        for scale in (1, 2, 4, 8)
        for noise in (0.01, 0.05, 0.2)
    ]
    assert GaussianProcess.fit(points, scores).evidence == pytest.approx(np.log(np.mean(cold)))
    silent = [
        density(np.exp(-apart / (scale * typical)) + 1.0 + noise * np.eye(6))
        for scale in (1, 2, 4)
        for noise in (0.01, 0.1)
    ]
    told = [
        density(
            rough * np.exp(-apart / (scale * typical)) + 1.0 + variance * mix @ mix.T / 2 + noise * np.eye(6),
            weight * mix.mean(axis=1),
        )
        for scale in (1, 2, 4)
        for noise in (0.01, 0.1)
        for weight, variance, rough in ((0.0, 1.0, 0.5), (0.5, 0.3, 0.5), (1.0, 0.3, 0.25), (1.0, 0.05, 0.1))
    ]
    fitted = Mixture.fit(points, mix, scores)
    assert fitted.silent == pytest.approx(np.log(np.mean(silent)))
    assert fitted.evidence == pytest.approx(np.log(np.mean(told)))
