"""Skill floor: is the network better than guessing, and no worse than the simplest thing that could work?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from audits.methods.skills import Answers, Skill, held_out_answers, lead, skill
from selfnas.training import intervals
from selfnas.training.outputs import predicted

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How good the network is on inputs that it has not seen, on two scales that mean the same on every task.

    Of classification, `above_chance` is `(accuracy - chance) / (1 - chance)` with chance the share of the largest class
    (at least one in `classes`), and `against_centroid` is accuracy over the accuracy of a nearest-centroid rule on the
    same inputs. The first is increasing in accuracy, so the exact limits carry over; those of the ratio take into
    account that both were counted on the same inputs.

    Of other kinds, `above_chance` is the skill of `audits.methods.skills`, and `against_centroid` is one plus what the
    network has of it beyond a simple rule: nearest centroids of ordered classes, else ridge regression.
    """
    chosen = examinee.sample(len(examinee.data.x), int(settings["samples"]), "skill")
    found = held_out_answers(examinee, chosen, beside_simple=True)
    if examinee.data.target.kind == "classification":
        return _counted(examinee.data, found)
    return _graded(examinee, found)


def _counted(data: AuditData, found: Answers) -> Sequence[Measurement]:
    truth, n = found.y, len(found.y)
    hits, simple = (predicted(each, data.target) == truth for each in (found.outputs, found.simple))
    right = int(hits.sum())
    low, high = intervals.binomial(right, n)
    accuracy = right / n

    chance = max(torch.bincount(truth, minlength=data.classes).max().item() / n, 1 / data.classes)
    # One class alone in the split leaves nothing to be better at: no interval, hence void.
    scale = 1 / (1 - chance) if chance < 1 else float("nan")
    share = simple.double().mean().item()
    note = f"{right} of {n} right; chance {chance:.3f}, nearest centroid {share:.3f}{found.note}"
    reference = max(share, chance)
    paired = share > chance  # then both were counted on the same inputs; chance is no count
    limits = intervals.paired_ratio(hits.numpy(), simple.numpy()) if paired else (low / reference, high / reference)
    return [
        Measurement(
            statistic="above_chance",
            estimate=(accuracy - chance) * scale,
            low=(low - chance) * scale,
            high=(high - chance) * scale,
            n=n,
            note=note,
        ),
        Measurement(
            statistic="against_centroid",
            estimate=accuracy / reference,
            low=limits[0],
            high=limits[1],
            n=n,
            note=note,
        ),
    ]


def _graded(examinee: Examinee, found: Answers) -> Sequence[Measurement]:
    data, n = examinee.data, len(found.y)
    outputs, simple, y = found.outputs, found.simple, found.y
    own, other = (skill(each, y, data.target) for each in (outputs, simple))
    ahead = lead(outputs, simple, y, data.target, seed=examinee.seed)
    note = f"skill {own.estimate:.3f}; simple rule {other.estimate:.3f}{found.note}"
    ahead = Skill(estimate=1 + ahead.estimate, low=1 + ahead.low, high=1 + ahead.high)
    return [
        Measurement(statistic=name, estimate=each.estimate, low=each.low, high=each.high, n=n, note=note)
        for name, each in (("above_chance", own), ("against_centroid", ahead))
    ]


def best_case(data: AuditData, settings: Mapping[str, float], n: int, cross: int) -> Sequence[Measurement]:
    """Every answer right, of the network and of the simple rule; known of classification alone."""
    if data.target.kind != "classification":
        return []
    n = min(n, int(settings["samples"])) + cross
    chance = max(torch.bincount(data.y.cpu(), minlength=data.classes).max().item() / len(data.y), 1 / data.classes)
    low, high = intervals.binomial(n, n)
    ratio = intervals.paired_ratio(np.ones(n, dtype=bool), np.ones(n, dtype=bool))
    scale = (1 - chance) or float("nan")
    return [
        Measurement(
            statistic="above_chance", estimate=1.0, low=(low - chance) / scale, high=(high - chance) / scale, n=n
        ),
        Measurement(statistic="against_centroid", estimate=1.0, low=ratio[0], high=ratio[1], n=n),
    ]


AUDIT = Audit(
    name="skill",
    measure=measure,
    counts_all=True,
    best_case=best_case,
    pools=True,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(name="above_chance", bound="floor", meaning="share of the way from guessing to perfect"),
        Statistic(
            name="against_centroid",
            bound="floor",
            high=4.0,
            meaning="accuracy over that of nearest centroids; of other kinds, 1 + skill beyond a simple rule",
        ),
    ),
    settings=(Setting(name="samples", low=20, high=100_000),),
    aims=("untrained", "undertrained"),
    catches="untrained and undertrained networks, and networks that collapsed onto one answer",
    misses="every reason for being right: a shortcut raises skill",
    source="Clopper and Pearson 1934 (exact interval); Donner and Zou 2012 (paired ratio)",
    cost="10 ms",
)
