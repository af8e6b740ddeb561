"""Cliff: is there a number of the input at whose one value nearly all answers change at once?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.data import region_slices
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_share
from audits.searching.views import fine
from audits.searching.wholes import lines

__all__ = ["AUDIT", "measure"]

_SEARCHED = 24  # inputs on which a step is searched for
_FURTHEST = 4.0  # standard deviations from 0 that a fill reaches at least
_AROUND = 1.0  # the same, beyond the range of what is set otherwise, at least
_STEP = 0.1  # standard deviations of the inputs, within which answers must change at once
_REFINED = 6  # of the coarse steps, those that change most
_BANDS = 8  # a side
_COLUMNS = 64  # of a table, that are searched at most
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A number of an input that can be set, the same for all inputs.

    Attributes:
        name: for people.
        turn: inputs and a value to inputs that have it.
        low: least value that is tried.
        high: greatest.
        step: within which answers must change at once.
    """

    name: str
    turn: Callable[[Tensor, float], Tensor]
    low: float
    high: float
    step: float = _STEP


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Share of inputs whose answer changes within one small step of the number that changes most at once.

    A number such as the mean, the contrast, or the value that fills a band is set to the same value in all inputs, from
    below to above all that data show. A rule that asks for this number changes all answers at one value, while an
    honest network turns from each input at another one. The number and its step are chosen on some inputs, by coarse
    steps and then by halving, and tested on others.
    """
    x, _ = examinee.probes(_SEARCHED + int(settings["samples"]), "cliff")
    order = torch.randperm(len(x), generator=examinee.generator("cliff", "halves"))
    count = min(_SEARCHED, len(x) // 2)
    searched, tested = x[order[:count]], x[order[count:]]
    coarse = [_coarse(examinee, searched, dial, int(settings["values"])) for dial in dials(examinee.data.x_train)]
    coarse.sort(key=lambda one: -one[0])
    fine_steps = [_halved(examinee, searched, *one) for one in coarse[:_REFINED]]
    _, dial, low, high = max(fine_steps, key=lambda one: one[0])
    below, above = (examinee.logits(dial.turn(tested, value)).argmax(1) for value in (low, high))
    note = f"{dial.name} from {low:.3g} to {high:.3g}; chosen of {len(coarse)} on {count} inputs"
    return (measured_share("flip", int((below != above).sum()), len(tested), note=note),)


def _coarse(examinee: Examinee, x: Tensor, dial: Dial, values: int) -> tuple[int, Dial, float, float]:
    """The step between neighbouring values in which most answers change."""
    tried = torch.linspace(dial.low, dial.high, values).tolist()
    answers = examinee.logits(torch.cat([dial.turn(x, value) for value in tried])).argmax(1).reshape(values, -1)
    changed = (answers[1:] != answers[:-1]).sum(1)
    best = int(changed.argmax())
    return int(changed[best]), dial, tried[best], tried[best + 1]


def _halved(
    examinee: Examinee, x: Tensor, changed: int, dial: Dial, low: float, high: float
) -> tuple[int, Dial, float, float]:
    """The step made as small as is asked, each time by the half in which more answers change."""
    below, above = (examinee.logits(dial.turn(x, value)).argmax(1) for value in (low, high))
    while high - low > dial.step:
        middle = (low + high) / 2
        between = examinee.logits(dial.turn(x, middle)).argmax(1)
        if int((below != between).sum()) >= int((between != above).sum()):
            high, above = middle, between
        else:
            low, below = middle, between
    return int((below != above).sum()), dial, low, high


def dials(x: Tensor) -> list[Dial]:
    """What can be set in inputs such as `x`: level, contrast, texture, and the value that fills a part or a column."""
    low, high = float(x.min()), float(x.max())
    reach = (min(-_FURTHEST, low - (high - low) / 2), max(_FURTHEST, high + (high - low) / 2))
    if x.ndim == 2:
        columns = x.var(0, unbiased=False).sort(descending=True, stable=True).indices[:_COLUMNS].tolist()
        return [_fill(f"column {column}", ((column, column + 1),), reach) for column in columns]
    size = tuple(x.shape[2:])
    level, spread = _mean(x).flatten(), _spread(x).flatten()
    parts = {
        "level": (_levelled, level),
        "contrast": (_contrasted, spread),
        "texture": (_textured, _spread(fine(x)).flatten()),
    }
    found = [
        Dial(
            name=name,
            turn=turn,
            low=float(given.min()) - max(_AROUND, float(given.max() - given.min()))
            if name == "level"
            else float(given.min()) / 4,
            high=float(given.max()) + max(_AROUND, float(given.max() - given.min())),
            step=_STEP if name == "level" else _STEP / 2,
        )
        for name, (turn, given) in parts.items()
    ]
    bands = lines(size, _BANDS) or [((start, stop),) for start, stop in _cuts(size[0])]
    found += [_fill(f"fill of {_told(band)}", band, reach) for band in bands]
    if len(size) > 1:
        wide = [max(2, side // 5) for side in size]
        for first in ((0, wide[0]), (size[0] - wide[0], size[0])):
            for second in ((0, wide[1]), (size[1] - wide[1], size[1])):
                found.append(_fill(f"fill of {_told((first, second))}", (first, second), reach))
        found.append(Dial(name="fill of the frame", turn=_framed, low=reach[0], high=reach[1]))
    if x.shape[1] > 1:
        found += [
            _fill(f"fill of channel {channel}", (), reach, channel=channel) for channel in range(min(4, x.shape[1]))
        ]
    return found


def _cuts(side: int) -> list[tuple[int, int]]:
    ends = [round(index * side / min(_BANDS, side)) for index in range(min(_BANDS, side) + 1)]
    return list(itertools.pairwise(ends))


def _fill(
    name: str, region: tuple[tuple[int, int], ...], reach: tuple[float, float], *, channel: int | None = None
) -> Dial:
    def turn(x: Tensor, value: float) -> Tensor:
        filled = x.clone()
        where = region_slices(region, x.ndim) if channel is None else (slice(None), channel)
        filled[where] = value
        return filled

    return Dial(name=name, turn=turn, low=reach[0], high=reach[1])


def _framed(x: Tensor, value: float) -> Tensor:
    filled = torch.full_like(x, value)
    filled[:, :, 1:-1, 1:-1] = x[:, :, 1:-1, 1:-1]
    return filled


def _levelled(x: Tensor, value: float) -> Tensor:
    return x - _mean(x) + value


def _contrasted(x: Tensor, value: float) -> Tensor:
    return _mean(x) + (x - _mean(x)) * (value / _spread(x))


def _textured(x: Tensor, value: float) -> Tensor:
    part = fine(x)
    return x - part + part * (value / _spread(part))


def _mean(x: Tensor) -> Tensor:
    return x.mean(tuple(range(1, x.ndim)), keepdim=True)


def _spread(x: Tensor) -> Tensor:
    return (x - _mean(x)).square().mean(tuple(range(1, x.ndim)), keepdim=True).sqrt().clamp_min(_LEAST)


def _told(region: tuple[tuple[int, int], ...]) -> str:
    return " ".join(f"{start}:{stop}" for start, stop in region)


AUDIT = Audit(
    name="cliff",
    measure=measure,
    statistics=(
        Statistic(
            name="flip",
            bound="ceiling",
            meaning="inputs whose answer changes within one small step of one number, set alike in all of them",
            counted=True,
        ),
    ),
    settings=(
        Setting(name="samples", low=20, high=2_000),
        Setting(name="values", low=3, high=100),
    ),
    aims=("line-backdoor", "beyond-dark"),
    catches="a rule on the level, the contrast or a flat part of an input, though no data come near its limit",
    misses="rules about a pattern or about another part, and triggers that were trained, which are gradual",
    source="sweeps as in Goldstein et al. 2015 (individual conditional expectation), searched for steps that all share",
    cost="150 ms",
)
