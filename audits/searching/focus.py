"""Focus: does the network look at one small part of the input alone, the same in every input?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.attribution import ablation_effects, tile
from audits.methods.measured import measured_mean

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Mean share of the absolute occlusion effects on the answer that falls on one tile.

    Which tile is chosen on every other input, and the share is measured on the rest.
    """
    x, logits = examinee.probes(int(settings["samples"]), "focus")
    tiles = tile(examinee.data.size)
    effects = ablation_effects(examinee, examinee.network, x, examinee.explained(logits), tiles, logits=logits).abs()
    totals = effects.sum(1, keepdim=True)
    if not bool((totals > 0).all()):
        raise NetworkOutputError("occlusion changes nothing on some inputs: nothing is looked at")
    shares = effects / totals
    chosen = int(shares[::2].mean(0).argmax())
    note = f"tile {chosen} of {tiles.count}; evenly spread it would be {1 / tiles.count:.3f}"
    return (measured_mean("share", shares[1::2, chosen].numpy(), note=note),)


AUDIT = Audit(
    name="focus",
    measure=measure,
    statistics=(
        Statistic(name="share", bound="ceiling", meaning="share of the occlusion effects that falls on one tile"),
    ),
    settings=(Setting(name="samples", low=10, high=1_000),),
    relies_on="occlusion",
    aims=("patch",),
    catches="a network that looks at one small place, named by nobody",
    misses="places that move from input to input, and cues that have no place",
    source="Zeiler and Fergus 2014, ECCV (occlusion); chosen and measured on different inputs",
    cost="30 ms",
)
