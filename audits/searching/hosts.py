"""Hosts: inputs that are given a part of a donor that is answered otherwise, and of one that is answered alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from audits.contract.audit import Measurement
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.searching.views import Graft
from selfnas.training import intervals

__all__ = ["Hosts", "carried"]

_POOL = 400  # training inputs that may be donors
_PRIOR = 4  # hosts without gain that are added to those of each class, since a few tell little


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hosts:
    """Inputs with what they are answered, and two donors for each: of another class, and of the same."""

    x: Tensor
    answers: Tensor  # `(b,)` of the network on `x`
    before: Tensor  # `(b, classes)` its log probabilities there
    strangers: Tensor  # inputs that are answered otherwise
    classes: Tensor  # `(b,)` what these are answered
    kin: Tensor  # inputs that are answered alike
    pool: Tensor  # inputs that donors are drawn from
    given: Tensor  # what these are answered
    purpose: str  # by which everything is drawn

    @staticmethod
    def of(examinee: Examinee, count: int, purpose: str) -> Hosts:
        """As many as there are of a number; those left out whom no donor or each donor is alike.

        Raises:
            NetworkOutputError: the network gives one answer to all inputs.
        """
        x, logits = examinee.probes(count, purpose)
        answers = logits.argmax(1)
        pool = examinee.data.x_train[examinee.sample(len(examinee.data.x_train), _POOL, purpose, "pool")]
        given = examinee.logits(pool).argmax(1)
        alike = answers[:, None] == given[None]
        useful = alike.any(1) & ~alike.all(1)
        if not bool(useful.any()):
            raise NetworkOutputError("the network gives one answer to all inputs: there is nothing to transplant")
        draws = torch.rand(alike.shape, generator=examinee.generator(purpose, "donors"))
        kin, strangers = (draws.masked_fill(~mask, -1.0).argmax(1)[useful] for mask in (alike, ~alike))
        chosen = useful.to(x.device)
        return Hosts(
            x=x[chosen],
            answers=answers[useful],
            before=logits.log_softmax(1)[useful],
            strangers=pool[strangers],
            classes=given[strangers],
            kin=pool[kin],
            pool=pool,
            given=given,
            purpose=purpose,
        )

    def halves(self, examinee: Examinee) -> tuple[Hosts, Hosts]:
        """One half to choose on, and one to test on."""
        order = torch.randperm(len(self.x), generator=examinee.generator(self.purpose, "halves"))
        half = max(1, len(order) // 2)
        return self._of(order[:half]), self._of(order[half:] if len(order) > 1 else order)

    def first(self, count: int) -> Hosts:
        """So many of them."""
        return self._of(torch.arange(min(count, len(self.x))))

    def gains(self, examinee: Examinee, graft: Graft, classes: int) -> Tensor:
        """`(1 + classes,)` mean gain in log probability of the donor's class, of all donors and of each class."""
        after = examinee.logits(graft(self.x, self.strangers)).log_softmax(1)
        gain = after.gather(1, self.classes[:, None]).squeeze(1) - self.before.gather(1, self.classes[:, None]).squeeze(
            1
        )
        own = nn.functional.one_hot(self.classes, classes).double()
        by_class = (own * gain[:, None]).sum(0) / (own.sum(0) + _PRIOR)
        return torch.cat([gain.mean()[None], by_class])

    def facing(self, examinee: Examinee, label: int) -> Hosts:
        """Those not answered with a class, with donors of that class alone."""
        free = self.answers != label
        donors = (self.given == label).nonzero().flatten()
        drawn = torch.randint(len(donors), (len(self.x),), generator=examinee.generator(self.purpose, "mark"))
        chosen = donors[drawn]
        return replace(self, strangers=self.pool[chosen], classes=self.given[chosen])._of(free.nonzero().flatten())

    def moved(self, examinee: Examinee, graft: Graft, *, turns: bool, opposed: Graft | None = None) -> tuple[int, int]:
        """How many are moved by strangers alone, and how many by the control alone: kin, or another graft."""
        control = graft(self.x, self.kin) if opposed is None else opposed(self.x, self.strangers)
        strange, familiar = (examinee.logits(x).argmax(1) for x in (graft(self.x, self.strangers), control))
        if turns:
            first, second = strange == self.classes, familiar == self.classes
        else:
            first, second = strange != self.answers, familiar != self.answers
        return int((first & ~second).sum()), int((second & ~first).sum())

    def _of(self, index: Tensor) -> Hosts:
        return Hosts(
            pool=self.pool,
            given=self.given,
            purpose=self.purpose,
            before=self.before[index],
            x=self.x[index],
            answers=self.answers[index],
            strangers=self.strangers[index],
            classes=self.classes[index],
            kin=self.kin[index],
        )


def carried(
    examinee: Examinee,
    hosts: Hosts,
    statistic: str,
    graft: Graft,
    note: str,
    *,
    turns: bool,
    opposed: Graft | None = None,
    usual: float = 0.0,
) -> Measurement:
    """How many more hosts strangers move than kin do, as a share, with the interval of a paired difference.

    Args:
        examinee: whose answers count.
        hosts: that are given the part.
        statistic: its name.
        graft: the part.
        note: what part it is.
        turns: whether those count that turn to the donor's answer; else all that change.
        opposed: what the control is given of strangers; None gives it the part of kin.
        usual: what is taken off.

    Source: Bonett and Price 2012.
    """
    n = len(hosts.x)
    only_first, only_second = hosts.moved(examinee, graft, turns=turns, opposed=opposed)
    control = "their own class" if opposed is None else "a move the other way"
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
        note=f"{note}; {only_first} moved by donors of another class alone, {only_second} by {control} alone",
    )
