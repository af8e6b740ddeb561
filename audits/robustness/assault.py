"""Assault: how much accuracy withstands attacks by gradients, and does a search find what gradients do not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_share
from selfnas.robust.attack import attack
from selfnas.robust.region import MOST_RADIUS, Region

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy under both attacks, and the share of inputs that the search alone turned.

    Raises:
        NetworkOutputError: the network's outputs are not finite, or of another shape.
        InputError: the inputs have no range, or are not scaled as the training inputs are.
    """
    data = examinee.data
    region = Region.of(data.x_train, radius=settings["radius"])
    region.check(data.x)
    examinee.audit_logits()  # raises where outputs show nothing
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "assault")
    found = attack(
        examinee.network,
        data.x[chosen].to(examinee.device),
        data.y[chosen].to(examinee.device),
        region,
        seed=examinee.generator("assault", "attack"),
        steps=int(settings["steps"]),
        restarts=int(settings["restarts"]),
        queries=int(settings["queries"]),
    )
    turned = f"gradients {int(found.by_gradient.sum())}, search {int(found.by_search.sum())}"
    note = f"{int(found.clean.sum())} of {len(chosen)} right before; turned by {turned}"
    return (
        measured_share("accuracy", int(found.resisted.sum()), len(chosen), note=note),
        measured_share("masked", int(found.masked.sum()), len(chosen), note=note),
    )


AUDIT = Audit(
    name="assault",
    measure=measure,
    counts_all=True,
    statistics=(
        Statistic(name="accuracy", bound="floor", meaning="accuracy under attack", counted=True),
        Statistic(
            name="masked", bound="ceiling", meaning="share that a search turns and gradients do not", counted=True
        ),
    ),
    settings=(
        Setting(name="samples", low=20, high=5_000),
        Setting(name="radius", low=1e-6, high=MOST_RADIUS, integer=False),
        Setting(name="steps", low=1, high=1_000),
        Setting(name="restarts", low=0, high=100),
        Setting(name="queries", low=1, high=10_000),
    ),
    aims=("fragile", "masking"),
    catches="networks that a small push turns, and networks that hide from gradients",
    misses="stronger attacks; what withstands these is not proved",
    source="Madry et al. 2018 (ICLR); Andriushchenko et al. 2020 (ECCV); Athalye et al. 2018 (ICML)",
    cost="2 s",
)
