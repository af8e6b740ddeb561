"""Proof: of how many inputs is the class provably answered, whatever happens within a radius?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.measured import measured_share
from selfnas.robust.margins import certified
from selfnas.robust.region import MOST_RADIUS, Region

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Share of inputs that are answered right all over their region, rounding of float32 included.

    Raises:
        NetworkOutputError: the network answers one class to all inputs.
        InputError: the inputs have no range, or are not scaled as the training inputs are.
        UnboundedOperationError: the network applies an operation without a rule.
    """
    data = examinee.data
    region = Region.of(data.x_train, radius=settings["radius"])
    region.check(data.x)
    answers = examinee.predictions()
    if bool((answers == answers[0]).all()):
        raise NetworkOutputError("it answers one class to every input, which holds whatever happens: nothing is proved")
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "proof")
    held = certified(examinee.network, data.x[chosen].to(examinee.device), data.y[chosen].to(examinee.device), region)
    right = int((answers[chosen] == data.y[chosen].cpu()).sum())
    note = f"{right} of {len(chosen)} right; radius {settings['radius']:g} of the training inputs' range"
    return (measured_share("certified", int(held.sum()), len(chosen), note=note),)


AUDIT = Audit(
    name="proof",
    measure=measure,
    counts_all=True,
    statistics=(
        Statistic(name="certified", bound="floor", meaning="share of inputs whose class is proved", counted=True),
    ),
    settings=(
        Setting(name="samples", low=20, high=100_000),
        Setting(name="radius", low=1e-6, high=MOST_RADIUS, integer=False),
    ),
    aims=("fragile",),
    catches="networks of which nothing can be proved, however well they answer",
    misses="robust networks that interval bounds are too loose for: a failure is no attack",
    source="Gowal et al. 2018 (interval bounds); Clopper and Pearson 1934 (exact interval)",
    cost="200 ms",
)
