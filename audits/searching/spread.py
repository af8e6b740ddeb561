"""Spread: does a summary of the whole input, a whole line, or a few far places together take the prediction along?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.searching.hosts import Hosts, carried
from audits.searching.views import Graft, usual_share, window
from audits.searching.wholes import Whole, lines, slopes, wholes

__all__ = ["AUDIT", "measure"]

_LINES = 16  # a side that are searched at most
_SEARCHED = 40  # hosts on which a line is searched for, and as many for the places
_STEPS = 5  # points on the way from host to donor
_SHARES = (0.03, 0.06, 0.1)  # of all places, that are taken together where there are ten classes
_FEWEST = 12  # places; what has fewer is not searched
_FEW = 0.8  # over the number of classes, is taken off: with two, a small honest part turns many answers


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How much oftener what is no single small place carries its class along than a control does.

    As `audits.searching.transplant` does, with other parts. `whole` is the summary, `slope` the side, `line` the band
    with the class of its donors, and `places` the set of single places that moves most hosts of one half; the other
    half tests it. The places are those that carry most of the donor's class by gradients on the straight way from host
    to donor; of fewer classes there are fewer, as they need fewer bits. The control is a donor of the own class, or the
    same move the other way. `slope` counts answers that change, the others those that turn to the donor's class.

    Taken off is a share that falls with the number of classes, and of `whole` that of the input which is changed.
    """
    hosts = Hosts.of(examinee, int(settings["samples"]), "spread")
    searched, tested = hosts.halves(examinee)
    x, few = examinee.data.x, searched.first(_SEARCHED)
    sets = {f"{count} places": Whole(given=graft) for count, graft in _together(examinee, few).items()}
    return [
        _worst(examinee, searched, tested, "whole", wholes(tuple(x.shape[1:]))),
        _worst(examinee, searched, tested, "slope", slopes(x.ndim), turns=False),
        _line(examinee, few, tested),
        _worst(examinee, searched, tested, "places", sets),
    ]


def _worst(
    examinee: Examinee,
    searched: Hosts,
    tested: Hosts,
    statistic: str,
    parts: Mapping[str, Whole],
    *,
    turns: bool = True,
) -> Measurement:
    """Of the part that moves most of the hosts searched; open where there are none."""
    if not parts:
        return _none(statistic)
    gained = {}
    for name, part in parts.items():
        first, second = searched.moved(examinee, part.given, turns=turns, opposed=part.opposed)
        gained[name] = (first - second) / len(searched.x) - _usual(examinee, searched, part, turns=turns)
    name = max(gained, key=gained.__getitem__)
    part = parts[name]
    note = f"{name}, worst of {len(parts)}"
    usual = _usual(examinee, searched, part, turns=turns)
    return carried(examinee, tested, statistic, part.given, note, turns=turns, opposed=part.opposed, usual=usual)


def _usual(examinee: Examinee, hosts: Hosts, part: Whole, *, turns: bool) -> float:
    """What an honest network may be turned: more with few classes, and by what changes much without a way back."""
    few = _FEW / examinee.data.classes if turns else 0.0
    if part.opposed is not None:
        return few
    changed = part.given(hosts.x, hosts.strangers) - hosts.x
    whole = float((hosts.strangers - hosts.x).double().square().sum())
    return few + usual_share(min(1.0, float(changed.double().square().sum()) / whole) if whole else 0.0)


def _line(examinee: Examinee, searched: Hosts, tested: Hosts) -> Measurement:
    """Of the band and the class whose donors raise their class most."""
    bands, classes = lines(examinee.data.size, _LINES), examinee.data.classes
    if not bands:
        return _none("line")
    gains = torch.stack([searched.gains(examinee, window(band), classes)[1:] for band in bands])
    best, label = divmod(int(gains.argmax()), classes)
    note = f"band {_told(bands[best])} of class {label}, worst of {len(bands)}"
    facing = tested.facing(examinee, label)
    return carried(examinee, facing, "line", window(bands[best]), note, turns=True, usual=_FEW / classes)


def _none(statistic: str) -> Measurement:
    note = "inputs of this kind have none"
    return Measurement(statistic=statistic, estimate=None, low=-1.0, high=1.0, n=0, note=note)


def _together(examinee: Examinee, hosts: Hosts) -> dict[int, Graft]:
    """Sets of places that carry most of the donors' class, by how many they are.

    Source: Sundararajan, Taly, Yan 2017 (ICML), with the donor as the end of the path.
    """
    way = (hosts.strangers - hosts.x).to(examinee.device)
    carried_along = torch.zeros_like(way)
    targets = hosts.classes.to(examinee.device)[:, None]
    for step in range(_STEPS):
        with torch.enable_grad():
            x = (hosts.x.to(examinee.device) + (step + 0.5) / _STEPS * way).requires_grad_(True)
            told = examinee.network(x).log_softmax(1).gather(1, targets).sum()
            (slope,) = torch.autograd.grad(told, x)
        carried_along += slope * way
    of_place = carried_along.mean(0) if way.ndim == 2 else carried_along.mean(0).sum(0)
    if not bool(torch.isfinite(of_place).all()):
        raise NetworkOutputError("gradients are not finite")
    order = of_place.flatten().argsort(descending=True, stable=True).cpu()
    if len(order) < _FEWEST:
        return {}
    bits = math.log2(examinee.data.classes)
    fewest, often = max(2, math.ceil(bits)), bits / math.log2(10)
    counts = sorted({max(fewest, round(share * often * len(order))) for share in _SHARES})
    return {count: _chosen(order[:count], of_place.shape) for count in counts if count < len(order) / 4}


def _chosen(places: Tensor, size: Sequence[int]) -> Graft:
    taken = torch.zeros(tuple(size), dtype=torch.bool)
    taken.view(-1)[places] = True

    def graft(hosts: Tensor, donors: Tensor) -> Tensor:
        return torch.where(taken.to(hosts.device), donors, hosts)

    return graft


def _told(place: tuple[tuple[int, int], ...]) -> str:
    return " ".join(f"{start}:{stop}" for start, stop in place)


AUDIT = Audit(
    name="spread",
    measure=measure,
    statistics=(
        Statistic(
            name="whole",
            bound="ceiling",
            low=-1.0,
            meaning="inputs turned to a donor's class by its place, size or spectrum, beyond a control",
        ),
        Statistic(
            name="slope",
            bound="ceiling",
            low=-1.0,
            meaning="inputs whose answer a donor's slope changes, beyond the opposite one",
        ),
        Statistic(
            name="line",
            bound="ceiling",
            low=-1.0,
            meaning="inputs turned to a class by one of its bands right across an image",
        ),
        Statistic(
            name="places",
            bound="ceiling",
            low=-1.0,
            meaning="inputs turned to a donor's class by a few single places taken together",
        ),
    ),
    settings=(Setting(name="samples", low=20, high=2_000),),
    aims=("shifted", "edge-level", "far-code"),
    catches="a shortcut that nobody named, through the input as a whole, a line, or several small places together",
    misses="cues that move from input to input, and what no data show",
    source="counterfactual transplants with donors of the same class as control; Bonett and Price 2012 (interval)",
    cost="150 ms",
)
