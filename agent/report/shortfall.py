"""What a task came to that admitted nothing: its finalists, by how much each gate was missed, what would decide it.

All of it is computed from what the ledger records; nothing is trained or audited again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.gate.admission import findings_of
from agent.ledger.events import Standing
from agent.report.summary import Accuracy, TestScore, score_of
from agent.state.rivals import rivals
from agent.state.state import Finalist, TaskState
from selfnas.training.metrics import METRICS

if TYPE_CHECKING:
    from audits import Finding

__all__ = ["Miss", "NearlyAdmitted", "Shortfall", "rises", "shortfall"]

_MOST = 100  # times as many examples as there were; more are no advice
_SIDES = {"floor": "at least", "ceiling": "at most", None: "limit"}
_FEWEST_EPOCHS = 4  # of a curve, for its end to say something
_RISE = 0.005  # of validation score from one quarter of the epochs to the next, that counts as still rising


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One finding of a gate that a finalist did not pass.

    Attributes:
        finding: as the audit recorded it.
        side: whether its threshold is a floor or a ceiling; None where the audit is not known here.
    """

    finding: Finding
    side: str | None

    @property
    def amount(self) -> float | None:
        """How far the estimate lies on the wrong side of the threshold; 0 on the right one, None without an estimate.

        Then the interval alone leaves it open.
        """
        if self.finding.estimate is None or self.side is None:
            return None
        gap = self.finding.estimate - self.finding.threshold
        return max(0.0, gap if self.side == "ceiling" else -gap)

    @property
    def wanted(self) -> int | None:
        """Observations in all that would about decide it, if the estimate stays; None where no number would.

        The interval is taken to shrink with the root of the number of observations, as a lopsided one does in the end
        by its half, and with the number itself where the estimate lies at its end, as with a share of 0 or 1.

        Source: Hanley & Lippman-Hand 1983 (JAMA 249), the rule of three, for the ends.
        """
        found = self.finding
        if found.decision != "inconclusive" or found.estimate is None or found.low is None or found.high is None:
            return None
        above = found.estimate > found.threshold
        reach = found.estimate - found.low if above else found.high - found.estimate
        distance = abs(found.estimate - found.threshold)
        if distance == 0 or reach <= 0 or found.n == 0:
            return None
        if found.estimate in (found.low, found.high):
            return max(found.n + 1, math.ceil(found.n * reach / distance))
        half = max(reach, (found.high - found.low) / 2)
        return max(found.n + 1, math.ceil(found.n * (half / distance) ** 2))

    def __str__(self) -> str:
        found = self.finding
        if found.estimate is None or found.low is None or found.high is None:
            return f"{found.label} {found.decision}: {found.note or 'no estimate'}"
        limits = f"{found.estimate:.2f} [{found.low:.2f}–{found.high:.2f}], {_SIDES[self.side]} {found.threshold:.2f}"
        how = f"missed by {self.amount:.2f}" if found.decision == "fail" and self.amount is not None else "undecided"
        return f"{found.label} {limits}: {how if found.decision != 'void' else 'void'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NearlyAdmitted:
    """A finalist that was not admitted.

    Attributes:
        validation: score; accuracy in [0, 1] where that is the metric.
        test: None where nothing was tested.
        failure: why its training failed; empty where it did not.
        misses: findings that kept it out, the failed ones first.
        reasons: why it was not admitted, in the audits' own words.
        rising: whether validation score still rose at the end of its training.
    """

    digest: str
    architecture: str
    decision: str
    validation: float
    test: TestScore | None
    params: int
    failure: str
    misses: tuple[Miss, ...]
    reasons: tuple[str, ...]
    rising: bool

    @property
    def missed(self) -> str:
        """What it missed, in words."""
        return "; ".join(map(str, self.misses)) or "; ".join(self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A finished task that admitted nothing.

    Attributes:
        metric: name of what scores and tests are measured by.
        finalists: best validation score first.
        reference: test score of the hand-designed network, trained alike; None where there is none.
        deciding: what would decide it, a sentence each.
    """

    task: str
    metric: str
    finalists: tuple[NearlyAdmitted, ...]
    reference: TestScore | None
    reference_params: int | None
    deciding: tuple[str, ...]

    @property
    def best(self) -> NearlyAdmitted | None:
        """The finalist that came nearest by validation score; None where none was trained."""
        return self.finalists[0] if self.finalists else None

    @property
    def words(self) -> dict[str, str]:
        """What the best finalist missed and what would decide it, as tables and records keep them."""
        missed = self.best.missed if self.best else "nothing was trained fully"
        return {"missed": missed, "would_decide": "; ".join(self.deciding)}


def shortfall(task: TaskState) -> Shortfall | None:
    """What the events of a task say; None where it is not finished, is a table, or admitted something.

    A task that goes on with an earlier one counts what that trained and admitted too.
    """
    chain = tuple(_chain(task))
    if task.finished is None or task.tabular or any(one.admitted() for one in chain):
        return None
    finalists = [finalist for one in chain for finalist in one.finalists]
    ranked = sorted(map(_nearly, finalists), key=lambda one: (bool(one.failure), -one.validation))
    compared = next((one.compared for one in chain if one.compared is not None), None)
    reference = score_of(compared) if compared is not None and compared.validation is not None else None
    return Shortfall(
        task=task.name,
        metric=task.metric,
        finalists=tuple(ranked),
        reference=reference,
        reference_params=compared.params if compared is not None and reference is not None else None,
        deciding=tuple(_deciding(task, ranked, reference)),
    )


def _chain(task: TaskState | None) -> Iterator[TaskState]:
    """A task and those that it goes on with, the latest first."""
    while task is not None:
        yield task
        task = task.before


def rises(curve: Sequence[float]) -> bool:
    """Whether a curve of validation score by epoch still rose at its end.

    Example:
        >>> rises([0.2, 0.3, 0.4, 0.5]), rises([0.5, 0.6, 0.6, 0.6]), rises([0.1, 0.5])
        (True, False, False)
    """
    if len(curve) < _FEWEST_EPOCHS:
        return False
    quarter = len(curve) // 4
    last, before = curve[-quarter:], curve[-2 * quarter : -quarter]
    return (sum(last) - sum(before)) / quarter > _RISE


def _nearly(finalist: Finalist) -> NearlyAdmitted:
    from audits.verdicts.verdict import bound_of, stops  # which loads all audits

    trained, audited = finalist.trained, finalist.audited
    findings = findings_of(audited) if audited else []
    misses = [Miss(finding=finding, side=bound_of(finding)) for finding in findings if stops(finding)]
    return NearlyAdmitted(
        digest=finalist.digest,
        architecture=finalist.architecture,
        decision=audited.decision if audited else "undecided",
        validation=trained.validation,
        test=score_of(trained),
        params=trained.params,
        failure=trained.reason,
        misses=tuple(sorted(misses, key=lambda miss: miss.finding.decision != "fail")),
        reasons=tuple(_reasons(finalist)),
        rising=rises(trained.curve),
    )


def _reasons(finalist: Finalist) -> Iterator[str]:
    """Why it is not in, by the audits or by who revoked it."""
    if finalist.audited is not None:
        yield from finalist.audited.reasons
    stood = [finalist.outcome, *(review.facts.standing for review in finalist.reviews)]
    if Standing.ADMITTED not in stood:
        return  # what people said is a vote to let it in, which waits for more
    for review in finalist.reviews[-1:]:
        yield f"{review.facts.author}: {review.facts.reason}"


def _deciding(task: TaskState, ranked: Sequence[NearlyAdmitted], reference: TestScore | None) -> Iterator[str]:
    if not ranked:
        yield from _untrained(task)
        return
    failures = Counter(one.failure for one in ranked if one.failure)
    for failure, count in failures.most_common(3):
        yield f"training: {count} of {len(ranked)} full trainings failed: {failure}"
    yield from _gates(ranked)
    best = ranked[0]
    yield from _examples(best)
    if best.rising:
        yield (
            "training: validation score of the best finalist still rose at the end: more epochs or steps under "
            "`full` may do"
        )
    finalist = task.best()
    for rival in rivals(task, finalist) if finalist is not None else ():
        if rival.verdict == "loss":
            yield f"baseline: {rival.title} has {rival.shown}, clearly better than the best finalist"
    if reference is not None and best.test is not None:
        yield _beside(best.test, reference)


def _untrained(task: TaskState) -> Iterator[str]:
    """Why nothing was trained fully."""
    failed = Counter(evaluated.reason for evaluated in task.evaluations if evaluated.reason)
    for reason, count in failed.most_common(3):
        yield f"training: {count} of {len(task.evaluations)} trainings at low fidelity failed: {reason}"
    if task.filtered:
        (rule, count), *_ = task.filtered.most_common(1)
        yield f"rule {rule}: it alone kept {count:,} considered architecture(s) out; see `selfnas constraints count`"
    if not failed and task.evaluations:
        yield "objective: no candidate is within the limits of its costs"


def _gates(ranked: Sequence[NearlyAdmitted]) -> Iterator[str]:
    """Gates that were failed, and which of them keeps every finalist out."""
    audited = [one for one in ranked if one.misses]
    failed: dict[str, list[Miss]] = {}
    for one in audited:
        for miss in one.misses:
            if miss.finding.decision == "fail":
                failed.setdefault(miss.finding.label, []).append(miss)
    for label, misses in sorted(failed.items(), key=lambda pair: -len(pair[1])):
        nearest = min((miss.amount for miss in misses if miss.amount is not None), default=None)
        by = "" if nearest is None else f", the nearest by {nearest:.2f}"
        yield f"gate {label}: {len(misses)} of {len(ranked)} finalist(s) fail it{by}"
    voided = Counter(miss.finding.label for one in audited for miss in one.misses if miss.finding.decision == "void")
    yield from (f"gate {label}: it could not be measured on {count} finalist(s)" for label, count in voided.items())
    for one in ranked[:1]:
        if not one.misses and not one.failure:
            yield f"audits: {'; '.join(one.reasons) or 'the best finalist was not audited'}"


def _examples(best: NearlyAdmitted) -> Iterator[str]:
    """How many more examples would about decide what the best finalist left undecided."""
    for miss in best.misses:
        found = miss.finding
        if found.decision != "inconclusive":
            continue
        if miss.wanted is None or miss.wanted > _MOST * found.n:
            yield f"gate {found.label}: undecided, its estimate too near the limit for more examples to decide it"
            continue
        outcome = "pass" if miss.amount == 0 else "fail"
        yield (
            f"examples: about {miss.wanted - found.n:,} more audit examples ({miss.wanted:,} in all) would decide "
            f"{found.label} of the best finalist; it would {outcome} if its estimate stays {found.estimate:.2f}"
        )


def _beside(best: TestScore, reference: TestScore) -> str:
    """What the hand-designed network says about where the fault lies."""
    (low, high), (reference_low, reference_high) = best.interval, reference.interval
    told = f"reference: the hand-designed network of this size, trained alike, has test {reference}"
    more_is_better = isinstance(best, Accuracy) or METRICS[best.record.name].higher
    above, below = reference_low > high, low > reference_high
    if above if more_is_better else below:
        return (
            f"{told}, clearly better than the best finalist: a longer search (run --continue) or a wider space may do"
        )
    if below if more_is_better else above:
        return f"{told}, clearly worse than the best finalist"
    return f"{told}, no clear difference: what both lack is data or training, rather than search"
