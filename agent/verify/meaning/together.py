"""Whether findings on one network agree where they tell the same thing twice, and look at as many inputs as they ask.

Audits count one network's answers to one split. So what several of them say of these answers follows from each other,
whatever the network is, and needs no data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.verify.meaning.counts import ROUNDING, near, right_answers
from audits import Finding, Suite
from audits.catalogue.registry import find_audit
from selfnas.training import intervals

__all__ = ["disagreeing", "told_examples"]

_NOTED = 6e-4  # of a number that a note gives with three places
_CUT = "..."  # the end of a note that is too long, as names of classes can make it
_CLASS = re.compile(r".*: (\d+) of (\d+) right; (\d\.\d+) of the others$", re.DOTALL)
_SURE = re.compile(r"mean confidence (\d\.\d+), accuracy (\d\.\d+)")

# Of audits that look at so many inputs, whether seen in training or not, on how many a finding then is.
_PROBED: Mapping[tuple[str, str], Callable[[int], int]] = {
    ("focus", "share"): lambda asked: asked // 2,
    ("completeness", "error"): lambda asked: asked,
    ("faithfulness", "deletion"): lambda asked: asked,
    ("faithfulness", "insertion"): lambda asked: asked,
    ("randomisation", "similarity"): lambda asked: asked,
    ("sensitivity", "change"): lambda asked: asked,
}


def told_examples(findings: Sequence[Finding], suite: Suite) -> int | None:
    """How many audit examples there were, as findings on all of them say; None where each looks at a part."""
    for finding in findings:
        audit, asked = find_audit(finding.audit), _asked(finding, suite)
        whole = audit is not None and audit.counts_all and not audit.pools
        if whole and finding.estimate is not None and not finding.idle and asked is not None and finding.n < asked:
            return finding.n
    return None


def disagreeing(
    findings: Sequence[Finding], suite: Suite, *, examples: int | None, trained: int, noted: bool
) -> Iterator[str]:
    """Problems of the findings on one classifier, in sentences.

    Args:
        findings: of all audits.
        suite: that they are of.
        examples: audit examples; None where that is not known.
        trained: training examples at least.
        noted: whether notes must say what was counted.
    """
    known = examples if examples is not None else told_examples(findings, suite)
    right = right_answers(findings)
    for finding in findings:
        asked = _asked(finding, suite)
        if finding.estimate is None or asked is None:
            continue
        if finding.audit == "classes":
            whole = None if known is None else min(known, asked)
            yield from _wrong_class(finding, whole if finding.statistic == "recall" else None, right, noted=noted)
        count = _PROBED.get((finding.audit, finding.statistic))
        if count and known is not None and known + trained >= asked and finding.n != count(asked):
            yield f"{finding.label} counts {finding.n} inputs, its suite asks for {asked}, which gives {count(asked)}"
    yield from _unlike(_of_whole(findings, suite), right)


def _asked(finding: Finding, suite: Suite) -> int | None:
    audit, entry = find_audit(finding.audit), suite.entry(finding.audit)
    if audit is None or entry is None:
        return None
    asked = audit.filled(entry.settings).get("samples")
    return None if asked is None else int(asked)


def _wrong_class(finding: Finding, whole: int | None, right: tuple[int, int] | None, *, noted: bool) -> Iterator[str]:
    """The worst class has as many examples as are counted, and the share of the others is that of what else is right.

    Args:
        finding: of `classes`.
        whole: audit examples that were looked at, where the finding is of these and their number is known.
        right: right answers on audit examples, and on how many.
        noted: as above.
    """
    told = _CLASS.match(finding.note)
    if told is None:
        if noted and not finding.note.endswith(_CUT):
            yield f"{finding.label} does not say what it counted"
        return
    hits, total, others = int(told[1]), int(told[2]), float(told[3])
    if not 0 <= hits <= total or total != finding.n or (whole is not None and total > whole):
        yield f"{finding.label} counts what there is not: {hits} of {total}, on {finding.n}"
        return
    low, high = max(0.0, others - _NOTED), others + _NOTED
    if whole is not None and right is not None and right[1] == whole and whole > total:
        low = high = (right[0] - hits) / (whole - total)
        if abs(low - others) > _NOTED:
            yield f"{finding.label} has {others:.3f} of the others right, skill has {low:.3f}"
            return
    estimate = finding.estimate or 0.0
    share = hits / total if total else 0.0
    if not estimate * low - ROUNDING <= share <= estimate * high + ROUNDING:
        yield f"{finding.label} is not what its counts give: {hits} of {total} right, {others:.3f} of the others"
        return
    yield from _narrow(finding, hits, total, low)


def _narrow(finding: Finding, hits: int, total: int, others: float) -> Iterator[str]:
    """Limits of the least of several classes lie no higher than those of the worst, which are of 95 % or wider."""
    if others <= 0 or not total:
        return
    least, _ = intervals.binomial(hits, total)
    if finding.low is not None and finding.low * others > least + ROUNDING:
        yield f"{finding.label} cannot be at least {finding.low:.3f}: {hits} of {total} right"


def _of_whole(findings: Sequence[Finding], suite: Suite) -> dict[tuple[str, str], Finding]:
    """Findings on confidence that look at all audit examples."""
    found = {}
    for finding in findings:
        asked = _asked(finding, suite)
        if finding.audit.endswith("confidence") and asked is not None and finding.n < asked:
            found[finding.audit, finding.statistic] = finding
    return found


def _unlike(found: Mapping[tuple[str, str], Finding], right: tuple[int, int] | None) -> Iterator[str]:
    """Numbers of the same answers that several audits have."""
    one, other = found.get(("overconfidence", "temperature")), found.get(("confidence", "temperature"))
    if one and other:
        pairs = [(one.estimate, other.estimate), (one.low, other.low), (one.high, other.high)]
        if one.n != other.n or not all(near(*pair, ROUNDING) for pair in pairs):
            yield f"{one.label} and {other.label} are of the same answers, and differ"
    excess, deficit = found.get(("overconfidence", "excess")), found.get(("underconfidence", "deficit"))
    if excess and deficit and not near(excess.estimate, -(deficit.estimate or 0.0), ROUNDING):
        yield f"{excess.label} and {deficit.label} are of the same answers, and differ"
    for finding in found.values():
        told = _SURE.search(finding.note)
        if told is None or finding.estimate is None:
            continue
        sure, accuracy = float(told[1]), float(told[2])
        if right is not None and right[1] == finding.n and abs(right[0] / right[1] - accuracy) > _NOTED:
            yield f"{finding.label} has an accuracy of {accuracy:.3f}, skill has {right[0]} of {right[1]} right"
        sign = {"excess": 1.0, "deficit": -1.0}.get(finding.statistic)
        if sign and abs(sign * (sure - accuracy) - finding.estimate) > 2 * _NOTED:
            yield f"{finding.label} is not the difference of what its note says"
