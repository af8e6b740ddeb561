"""What held a task back: a closed list of limits, each with the numbers that show it, from what the ledger holds.

A limit is named where its value passes its bound, and where nothing passes none is. So anybody can find the same again,
and a change of search policy can be asked which of them it answers.

- `budget`: the best score came in the last quarter of the search, so that more might find a better one.
- `model`: later proposals score no better than earlier ones, so what proposes learned nothing (Mann, Whitney 1947).
- `fidelity`: repeated scores of the same architectures do not agree.
- `noise`: chance moves a score by as much as architectures do.
- `space`: the best quarter of the candidates has the largest setting of what may be stacked, where others were tried.
- `examples`: audits left finalists undecided, since they had too few examples.
- `training`: an outside baseline is better than the winner, by the whole interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from agent.ledger.events import UNSET, Evaluated, Limit
from agent.state.agreement import ENOUGH, FEWEST
from agent.state.rivals import best_rival
from agent.state.saturation import saturated
from agent.state.task import TaskState
from selfnas.spaces.named import parse_architecture

__all__ = ["LIMITS", "limit_sentence", "limits_of"]

_LATE = 0.75  # share of the search after which a best score is late
_MOSTLY = 0.75  # share of the best quarter
_TAKEN = 8  # evaluations; of fewer nothing is said about their order


def limits_of(task: TaskState) -> list[Limit]:
    """What held a task back, as far as its events show it, in the order of the list.

    Args:
        task: with its search, its finalists and its baselines.
    """
    return [found for find in _FINDERS.values() for found in find(task)]


def limit_sentence(limit: Limit) -> str:
    """For people."""
    told = _SENTENCES.get(limit.name)
    return limit.name if told is None else told.format(value=limit.value, bound=limit.bound, count=limit.count)


def _scored(task: TaskState) -> list[tuple[Evaluated, float]]:
    """Scores of one fidelity, that of the last, in order."""
    last = task.evaluations[-1].fidelity if task.evaluations else ""
    return [(one, float(one.worth)) for one in task.evaluations if one.fidelity == last and one.worth is not None]


def _budget(task: TaskState) -> Iterator[Limit]:
    scores = [score for _, score in _scored(task)]
    if len(scores) < _TAKEN or task.exhausted or saturated(task.evaluations, 1):
        return
    place = (scores.index(max(scores)) + 1) / len(scores)
    if place > _LATE:
        yield _limit("budget", place, _LATE, len(scores))


def _model(task: TaskState) -> Iterator[Limit]:
    """The chance that one of the later half scores better than one of the earlier, ties halved."""
    scores = np.array([score for _, score in _scored(task)])
    if len(scores) < 2 * _TAKEN or saturated(task.evaluations, 1):
        return
    early, late = np.split(scores, [len(scores) // 2])
    better = float((late[:, None] > early).mean() + (late[:, None] == early).mean() / 2)
    if better < 0.5:
        yield _limit("model", better, 0.5, len(scores))


def _fidelity(task: TaskState) -> Iterator[Limit]:
    if task.agreements and task.agreements[-1].correlation < ENOUGH:
        last = task.agreements[-1]
        yield _limit("fidelity", float(last.correlation), ENOUGH, last.architectures)


def _noise(task: TaskState) -> Iterator[Limit]:
    """By the spread of scores, in which chance is contained."""
    scores = [score for _, score in _scored(task)]
    noise = task.agreements[-1].noise if task.agreements else UNSET
    if noise is UNSET or len(scores) < FEWEST:
        return
    spread = float(np.std(scores))
    share = float(noise) / spread if spread > 0 else 1.0
    if share > 2**-0.5:  # more than half of the variance
        yield _limit("noise", min(share, 1.0), 2**-0.5, len(scores))


def _space(task: TaskState) -> Iterator[Limit]:
    scored = sorted(_scored(task), key=lambda pair: -pair[1])
    sizes = [_size(one) for one, _ in scored]
    best = sizes[: len(sizes) // 4]
    if len(best) < 2 or len(set(sizes)) < 2:
        return
    largest = max(sizes)
    share, usual = (sum(size == largest for size in some) / len(some) for some in (best, sizes))
    if share >= _MOSTLY and share > usual:
        yield _limit("space", share, _MOSTLY, len(best))


def _size(evaluated: Evaluated) -> tuple[int, int]:
    macro = parse_architecture(evaluated.architecture).macro
    return macro.channels, macro.depth


def _examples(task: TaskState) -> Iterator[Limit]:
    audited = [one.audited.decision for one in task.finalists if one.audited is not None]
    share = sum(decision == "undecided" for decision in audited) / max(1, len(audited))
    if share > 0:
        yield _limit("examples", share, 0.0, len(audited))


def _training(task: TaskState) -> Iterator[Limit]:
    best = best_rival(task)
    if best is not None and best.gain is not None and best.gain.limits is not None and best.gain.verdict == "loss":
        yield _limit("training", -best.gain.limits[1], 0.0, best.record.n)


def _limit(name: str, value: float, bound: float, count: int) -> Limit:
    return Limit(name=name, value=round(value, 6), bound=round(bound, 6), count=count)


_FINDERS: Mapping[str, Callable[[TaskState], Iterator[Limit]]] = MappingProxyType(
    {
        "budget": _budget, "model": _model, "fidelity": _fidelity, "noise": _noise, "space": _space,
        "examples": _examples, "training": _training,
    }
)  # fmt: skip
LIMITS: Sequence[str] = tuple(_FINDERS)
_SENTENCES: Mapping[str, str] = {
    "budget": "the budget: the best of {count} scores came after {value:.0%} of the search",
    "model": "what proposes: a later of {count} scores beats an earlier one in {value:.0%} of pairs only",
    "fidelity": "the fidelity: repeated scores of {count} architectures agree with rank correlation {value:.2f}",
    "noise": "noise: chance makes {value:.0%} of the deviation of {count} scores",
    "space": "the space: {value:.0%} of the best {count} candidates have its largest macro setting",
    "examples": "examples: audits left {value:.0%} of {count} finalists undecided",
    "training": "training: an outside baseline is better, by {value:.3g} at least, on {count} test examples",
}  # fmt: skip
