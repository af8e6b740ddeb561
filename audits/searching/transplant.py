"""Transplants: which small part of another input takes the prediction along, though nobody named it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.searching.hosts import Hosts, carried
from audits.searching.views import fine_share, grafts, usual_share, window, windows
from selfnas.data.transforms import Region

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How much oftener a part carries its class along than the same part of a donor of the host's own class would.

    A host is given a part of a donor of another class, then the same part of a donor of its own class, which tells it
    nothing new: so what the transplant itself breaks counts on both sides. Of the places, the one that moves most hosts
    of one half is tested on the other half; so is, for `mark`, the place and class by which donors of that class alone
    move hosts most. What is no place is not searched for. `texture` may move what its share
    of the variation of all inputs lets expect, which is taken off. `level` and `contrast` count answers that
    change, because a number shared by several classes points at none of them.
    """
    hosts = Hosts.of(examinee, int(settings["samples"]), "transplant")
    data, found = examinee.data, []
    searched, tested = hosts.halves(examinee)
    places = windows(data.size, dimensions=data.x.ndim)
    gains = torch.stack([searched.gains(examinee, window(place), data.classes) for place in places])
    best = int(gains[:, 0].argmax())
    found.append(carried(examinee, tested, "region", window(places[best]), f"place {_told(places[best])}", turns=True))
    best, label = divmod(int(gains[:, 1:].argmax()), data.classes)
    marked = tested.facing(examinee, label)
    note = f"place {_told(places[best])} of class {label}"
    found.append(carried(examinee, marked, "mark", window(places[best]), note, turns=True))
    parts = grafts(data.x.ndim)
    for name in ("texture", "level", "contrast"):
        if name in parts:
            fine = name == "texture"
            usual = usual_share(fine_share(data.x_train)) if fine else 0.0
            found.append(carried(examinee, hosts, name, parts[name], "all hosts", turns=fine, usual=usual))
        else:
            found.append(Measurement(statistic=name, estimate=None, low=-1.0, high=1.0, n=0, note="a table has none"))
    return found


def _told(place: Region) -> str:
    return " ".join(f"{start}:{stop}" for start, stop in place)


AUDIT = Audit(
    name="transplant",
    measure=measure,
    statistics=(
        Statistic(
            name="region",
            bound="ceiling",
            low=-1.0,
            meaning="inputs turned to a donor's class by its most telling small window or column, beyond its own class",
        ),
        Statistic(
            name="mark", bound="ceiling", low=-1.0, meaning="the same by donors of the one class that tells most"
        ),
        Statistic(
            name="texture",
            bound="ceiling",
            low=-1.0,
            meaning="the same by waves of fewer than four steps, beyond their share of the variation",
        ),
        Statistic(
            name="level", bound="ceiling", low=-1.0, meaning="inputs whose answer a donor's mean changes, likewise"
        ),
        Statistic(name="contrast", bound="ceiling", low=-1.0, meaning="the same by a donor's standard deviation"),
    ),
    settings=(Setting(name="samples", low=20, high=2_000),),
    aims=("patch", "brightness", "ripple", "unregistered-backdoor"),
    catches="a shortcut that nobody named, through a fixed place, fine texture, brightness or contrast",
    misses="cues that move from input to input, that are spread over coarse structure, or that no data show",
    source="counterfactual transplants with donors of the same class as control; Bonett and Price 2012 (interval)",
    cost="150 ms",
)
