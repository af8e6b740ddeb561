"""Transplants: which small part of another input takes the prediction along, though nobody named it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.searching.views import Graft, fine_share, grafts, window, windows
from selfnas.data.transforms import Region
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]

_POOL = 400  # training inputs that may be donors
_PRIOR = 4  # hosts without gain that are added to those of each class, since a few tell little
_TURNS = ("region", "mark", "texture")  # statistics that count answers turned to the donor's own class, not all changes


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How much oftener a part carries its class along than the same part of a donor of the host's own class would.

    A host is given a part of a donor of another class, then the same part of a donor of its own class, which tells it
    nothing new: so what the transplant itself breaks counts on both sides. Of the places, the one that moves most hosts
    of one half is tested on the other half; so is, for `mark`, the place and class by which donors of that class alone
    move hosts most. What is no place is not searched for. `texture` may move what its share
    of the variation of all inputs lets expect, which is taken off. `level` and `contrast` count answers that
    change, because a number shared by several classes points at none of them.
    """
    hosts = _Hosts.of(examinee, int(settings["samples"]))
    data, found = examinee.data, []
    searched, tested = hosts.halves(examinee)
    places = windows(data.size, dimensions=data.x.ndim)
    gains = torch.stack([searched.gains(examinee, window(place), data.classes) for place in places])
    best = int(gains[:, 0].argmax())
    found.append(_measurement(examinee, tested, "region", window(places[best]), f"place {_told(places[best])}"))
    best, label = divmod(int(gains[:, 1:].argmax()), data.classes)
    marked = tested.facing(examinee, label)
    note = f"place {_told(places[best])} of class {label}"
    found.append(_measurement(examinee, marked, "mark", window(places[best]), note))
    parts = grafts(data.x.ndim)
    for name in ("texture", "level", "contrast"):
        if name in parts:
            usual = _usual(fine_share(data.x_train)) if name == "texture" else 0.0
            found.append(_measurement(examinee, hosts, name, parts[name], "all hosts", usual=usual))
        else:
            found.append(Measurement(statistic=name, estimate=None, low=-1.0, high=1.0, n=0, note="a table has none"))
    return found


def _measurement(
    examinee: Examinee, hosts: _Hosts, statistic: str, graft: Graft, note: str, *, usual: float = 0.0
) -> Measurement:
    n = len(hosts.x)
    only_first, only_second = hosts.moved(examinee, graft, turns=statistic in _TURNS)
    low, high = intervals.paired_difference(only_first, only_second, n)
    estimate = (only_first - only_second) / n
    if usual:
        note += f", {usual:.3f} taken off"
    return Measurement(
        statistic=statistic,
        estimate=estimate - usual,
        low=min(low, estimate) - usual,
        high=max(high, estimate) - usual,
        n=n,
        note=f"{note}; {only_first} moved by donors of another class alone, {only_second} by their own class alone",
    )


def _usual(share: float) -> float:
    """Of inputs, how many a part moves that has such a share of their variation: few below a half, most above."""
    return share * share * (3 - 2 * share)


def _told(place: Region) -> str:
    return " ".join(f"{start}:{stop}" for start, stop in place)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Hosts:
    """Inputs with what they are answered, and two donors for each: of another class, and of the same."""

    x: Tensor
    answers: Tensor  # `(b,)` of the network on `x`
    before: Tensor  # `(b, classes)` its log probabilities there
    strangers: Tensor  # inputs that are answered otherwise
    classes: Tensor  # `(b,)` what these are answered
    kin: Tensor  # inputs that are answered alike
    pool: Tensor  # inputs that donors are drawn from
    given: Tensor  # what these are answered

    @staticmethod
    def of(examinee: Examinee, count: int) -> _Hosts:
        x, logits = examinee.probes(count, "transplant")
        answers = logits.argmax(1)
        pool = examinee.data.x_train[examinee.sample(len(examinee.data.x_train), _POOL, "transplant", "pool")]
        given = examinee.logits(pool).argmax(1)
        alike = answers[:, None] == given[None]
        useful = alike.any(1) & ~alike.all(1)
        if not bool(useful.any()):
            raise NetworkOutputError("the network gives one answer to all inputs: there is nothing to transplant")
        draws = torch.rand(alike.shape, generator=examinee.generator("transplant", "donors"))
        kin, strangers = (draws.masked_fill(~mask, -1.0).argmax(1)[useful] for mask in (alike, ~alike))
        chosen = useful.to(x.device)
        return _Hosts(
            x=x[chosen],
            answers=answers[useful],
            before=logits.log_softmax(1)[useful],
            strangers=pool[strangers],
            classes=given[strangers],
            kin=pool[kin],
            pool=pool,
            given=given,
        )

    def halves(self, examinee: Examinee) -> tuple[_Hosts, _Hosts]:
        order = torch.randperm(len(self.x), generator=examinee.generator("transplant", "halves"))
        half = max(1, len(order) // 2)
        return self._of(order[:half]), self._of(order[half:] if len(order) > 1 else order)

    def gains(self, examinee: Examinee, graft: Graft, classes: int) -> Tensor:
        """`(1 + classes,)` mean gain in log probability of the donor's class, of all donors and of each class."""
        after = examinee.logits(graft(self.x, self.strangers)).log_softmax(1)
        gain = after.gather(1, self.classes[:, None]).squeeze(1) - self.before.gather(1, self.classes[:, None]).squeeze(
            1
        )
        own = nn.functional.one_hot(self.classes, classes).double()
        by_class = (own * gain[:, None]).sum(0) / (own.sum(0) + _PRIOR)
        return torch.cat([gain.mean()[None], by_class])

    def facing(self, examinee: Examinee, label: int) -> _Hosts:
        """Those not answered with a class, with donors of that class alone."""
        free = self.answers != label
        donors = (self.given == label).nonzero().flatten()
        drawn = torch.randint(len(donors), (len(self.x),), generator=examinee.generator("transplant", "mark"))
        chosen = donors[drawn]
        return replace(self, strangers=self.pool[chosen], classes=self.given[chosen])._of(free.nonzero().flatten())

    def moved(self, examinee: Examinee, graft: Graft, *, turns: bool) -> tuple[int, int]:
        """How many are moved by strangers alone, and how many by kin alone."""
        strange, familiar = (examinee.logits(graft(self.x, donors)).argmax(1) for donors in (self.strangers, self.kin))
        if turns:
            first, second = strange == self.classes, familiar == self.classes
        else:
            first, second = strange != self.answers, familiar != self.answers
        return int((first & ~second).sum()), int((second & ~first).sum())

    def _of(self, index: Tensor) -> _Hosts:
        return _Hosts(
            pool=self.pool,
            given=self.given,
            before=self.before[index],
            x=self.x[index],
            answers=self.answers[index],
            strangers=self.strangers[index],
            classes=self.classes[index],
            kin=self.kin[index],
        )


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
