"""What every audit promises, whatever it measures, as a plain check that the tests of a plug-in call."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from audits.contract.audit import Audit, Measurement
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee, evaluation_mode
from selfnas.testing.promises import promise

__all__ = ["BROKEN", "Broken", "check_audit"]


class Broken(nn.Module):
    """Gives an exception, one number everywhere, or outputs of a wrong shape instead of logits.

    Args:
        answer: the exception, the number, or None for the wrong shape.
        classes: how many logits there should be.
    """

    def __init__(self, answer: Exception | float | None, *, classes: int) -> None:
        super().__init__()
        self.answer, self.classes = answer, classes

    def forward(self, x: Tensor) -> Tensor:
        """The answer for each input, or the exception."""
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            return x.flatten(1)[:, : self.classes - 1]
        return torch.full((len(x), self.classes), self.answer) + 0 * x.flatten(1).sum(1, keepdim=True)


BROKEN: Mapping[str, Exception | float | None] = {
    "nan": math.nan,
    "infinite": math.inf,
    "raising": RuntimeError("no kernel image\nis available | <b>"),
    "wrong shape": None,
}


def check_audit(
    audit: Audit, network: nn.Module, data: AuditData, *, settings: Mapping[str, float], seed: int = 0
) -> None:
    """What an audit says of itself, its measurements on a sound network, and that it shows nothing of a broken one.

    Args:
        network: trained well on the data.
        data: of a small task; it should name a nuisance and a trigger, so that audits about them have a subject.
        settings: what a suite would give it.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    told = (audit.catches, audit.misses, audit.source, audit.cost, *(one.meaning for one in audit.statistics))
    promise(all(told), f"{audit.name}: says what it catches, misses, costs, comes from, and what each statistic means")
    promise(not audit.validates or audit.validates != audit.relies_on, f"{audit.name}: relies on what it validates")

    def measured(examined: nn.Module) -> Sequence[Measurement]:
        with evaluation_mode(examined):
            return list(audit.measure(Examinee(examined, data, seed=seed), dict(settings)))

    _check_measurements(audit, measured(copy.deepcopy(network)), measured(copy.deepcopy(network)), data)
    _check_untouched(audit, copy.deepcopy(network).train(), measured)
    for kind, answer in BROKEN.items():
        shown: Sequence[Measurement] = ()
        with contextlib.suppress(Exception):  # whatever it raises, a run turns it into void findings
            shown = measured(Broken(answer, classes=data.classes))
        finite = [
            each
            for each in shown
            if all(n is not None and math.isfinite(n) for n in (each.estimate, each.low, each.high))
        ]
        promise(not finite, f"{audit.name}: outputs that are broken ({kind}) show nothing, yet it gives {finite[:1]}")


def _check_measurements(
    audit: Audit, first: Sequence[Measurement], second: Sequence[Measurement], data: AuditData
) -> None:
    promise(first == second, f"{audit.name}: equal seeds give equal measurements to the last bit")
    expected = sorted((subject, one.name) for subject in audit.subjects(data) for one in audit.statistics)
    given = sorted((each.subject, each.statistic) for each in first)
    promise(given == expected, f"{audit.name}: measures {given}, not each statistic of each subject once: {expected}")
    for each in first:
        nothing = each.estimate is None and each.n == 0 and bool(each.note)
        promise(
            nothing or (each.estimate is not None and each.low <= each.estimate <= each.high and each.n > 0),
            f"{audit.name}.{each.statistic}: needs an estimate in its interval and n > 0, or a reason, not {each}",
        )
    promise(not first or any(each.n for each in first), f"{audit.name}: measures something, not {first}")


def _check_untouched(audit: Audit, own: nn.Module, measured: Callable[[nn.Module], object]) -> None:
    next(own.parameters()).requires_grad_(False)
    state = {name: value.clone() for name, value in own.state_dict().items()}
    flags = [parameter.requires_grad for parameter in own.parameters()]
    random = torch.get_rng_state()
    measured(own)
    promise(
        all(torch.equal(value, state[name]) for name, value in own.state_dict().items())
        and [parameter.requires_grad for parameter in own.parameters()] == flags
        and all(module.training for module in own.modules()),
        f"{audit.name}: weights, buffers, modes and gradient flags come back as they were",
    )
    promise(torch.equal(torch.get_rng_state(), random), f"{audit.name}: moves torch's global generator")
