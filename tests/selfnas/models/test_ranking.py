"""The learned combination of proxies."""

import numpy as np
import pytest

from agent.ledger.events import Evaluated, TaskStarted
from agent.memory.proxy import learned_scores
from agent.state.state import LifeState, RunState, TaskState
from selfnas.errors import ShapeError
from selfnas.models.ranking import ProxyTrials, combined
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.training.proxies import PROXIES
from tests.agent.made_up import blank


def _task(sign: int, count: int = 60) -> ProxyTrials:
    """Scores follow the first of three proxies, forwards or backwards; the others are noise."""
    proxies = np.random.default_rng(0).normal(size=(count, 3))
    return ProxyTrials(proxies, sign * proxies[:, 0])


def _agreement(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.corrcoef(found, truth)[0, 1])


def test_trials_decide_which_proxies_count() -> None:
    """Without trials the mean rank; with them the one that foretells, turned around where it misleads."""
    candidates = np.random.default_rng(1).normal(size=(200, 3))
    nothing = ProxyTrials(np.empty((0, 3)), np.empty(0))
    assert _agreement(combined(candidates, nothing), candidates.sum(axis=1)) > 0.95
    for sign in (1, -1):
        assert _agreement(combined(candidates, _task(sign)), sign * candidates[:, 0]) > 0.9
        assert _agreement(combined(candidates, nothing, [_task(sign)]), sign * candidates[:, 0]) > 0.9
    # Own trials overrule what earlier tasks said.
    assert _agreement(combined(candidates, _task(-1), [_task(1), _task(1)]), -candidates[:, 0]) > 0.8


def test_only_ranks_matter() -> None:
    """Any rising function of a proxy or of the scores changes nothing; NaN and infinities are ranked, not refused."""
    candidates, own = np.random.default_rng(1).normal(size=(20, 3)), _task(1)
    bent = ProxyTrials(np.exp(own.proxies), own.scores**3)
    assert np.allclose(combined(candidates, own), combined(np.exp(candidates), bent))
    candidates[0] = [np.nan, -np.inf, np.inf]
    assert np.isfinite(combined(candidates, own)).all()
    with pytest.raises(ShapeError, match=r"need \(n, k\) proxies"):
        ProxyTrials(np.zeros((3, 2)), np.zeros(2))


def test_a_life_learns_from_this_task_and_earlier_ones() -> None:
    """What was recorded of one proxy on two tasks decides about candidates; without any there is no answer."""
    texts = [str(SPACES["nb201"].decode(v, macro=parse_architecture(CELL).macro)) for v in _vectors()]

    def lived(index: int, sign: int) -> TaskState:
        task = TaskState(index=index, name=f"t{index}", started=blank(TaskStarted), first=index)
        for row, text in enumerate(texts):
            values = {name: float(len(name) + (row * 7919) % 11) for name in PROXIES} | {"snip": float(row)}
            score = 0.5 + sign * row / 100
            task.evaluations.append(blank(Evaluated, architecture=text, score=score, fidelity="low", proxies=values))
        return task

    base = dict.fromkeys(PROXIES, 1.0)
    low, high = base | {"snip": -5.0}, base | {"snip": 500.0}
    state, fresh = LifeState(), TaskState(index=1, name="fresh", started=blank(TaskStarted), first=1)
    state.runs.append(RunState(number=1, started=None, tasks=[lived(0, -1), fresh]))  # type: ignore[arg-type]
    one, other, broken = learned_scores(state, fresh, [low, high, {}])
    assert one is not None
    assert other is not None
    assert one > other
    assert broken is None
    now = lived(1, 1)
    state.runs[0].tasks[1] = now
    one, other = learned_scores(state, now, [low, high])
    assert one is not None
    assert other is not None
    assert one < other


CELL = "nb201/c4n1r8:|none~0|+|none~0|none~1|+|skip~0|none~1|none~2|"


def _vectors() -> np.ndarray:
    return SPACES["nb201"].draw(np.random.default_rng(0), 30)
