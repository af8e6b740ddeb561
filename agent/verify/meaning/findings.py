"""Whether what audits found can be found: by its own numbers, by the examples there are, by another audit of the same.

No network is run. A share of `n` examples is a count of them with the exact interval of that count, and the number
of examples follows from split and suite. The same weights on the same data answer alike whenever they are audited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.ledger import events
from agent.state.taught import taught_count
from agent.verify.meaning.counts import NOTED_SKILL, ROUNDING, is_interval, near, right_answers, wrong_numbers
from agent.verify.meaning.examples import Sizes
from agent.verify.meaning.together import disagreeing
from audits import AUDITS, Finding, Suite
from audits.catalogue.registry import find_audit
from selfnas.training import intervals

__all__ = ["FindingChecker"]

_ALIKE = 1e-3  # of a mean or a median, on another processor
_TURNED = 2  # answers of a count, on another processor
_OF_SPLIT = (("classes", "recall"),)  # that count a part of the audit split
_MEANS = (
    "focus", "completeness", "faithfulness", "randomisation", "sensitivity", "stability", "certified", "confidence",
    "overconfidence", "underconfidence",
)  # fmt: skip
_GAP = re.compile(r"(\d+) of (\d+) training inputs right, (\d+) of (\d+) others")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """A network that was tested and, in the end, audited."""

    trained: events.Trained
    audited: events.Audited | None = None


class FindingChecker:
    """Follows findings through a life."""

    def __init__(self) -> None:
        self._suite: Suite | None = None
        self._seed = 0
        self._sizes: Sizes | None = None
        self._started: events.TaskStarted | None = None
        self._trained: dict[str, events.Trained] = {}  # of the present task, by digest
        self._known: dict[tuple[object, ...], _Examined] = {}
        self._audit: dict[tuple[int, str], int] = {}  # audit examples of a task, by run and name
        self._run = 0

    def run_begins(self, started: events.RunStarted, suite: Suite | None) -> None:
        """A run under a suite; None where it cannot be read."""
        self._run, self._suite, self._seed = self._run + 1, suite, started.record.seed

    def task_begins(self, started: events.TaskStarted, sizes: Sizes | None) -> None:
        """A task with splits of such sizes, as far as they are known."""
        self._started, self._sizes, self._trained = started, sizes, {}
        if (count := self._examples()) is not None:
            self._audit[self._run, started.task] = count

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event, in sentences."""
        match facts:
            case events.Tested():
                if isinstance(facts, events.Trained):
                    self._trained[facts.digest] = facts
                    yield from self._tested_alike(facts)
                if self._tells(facts):
                    yield "it does not say which test examples it was right about"
            case events.Audited():
                yield from self._audited(facts)
            case events.Deployed():
                count = self._audit.get((facts.run, facts.task))
                if count is not None and facts.audit_examples not in (0, count):
                    yield f"it was audited on {facts.audit_examples} examples, its task has {count} for that"
                yield from wrong_numbers([_read(one) for one in facts.findings])

    def _tells(self, tested: events.Tested) -> bool:
        """Whether it leaves out what the present release always says."""
        return self._is_counting and tested.test_count > 0 and tested.test_hits is events.UNSET

    @property
    def _is_counting(self) -> bool:
        """Whether the task was lived by a release that counts audited networks; what earlier ones say may differ."""
        return self._started is not None and self._started.audited_before is not events.UNSET

    def _examples(self) -> int | None:
        """Audit examples that audits of the present task look at; None where that is not known."""
        if self._sizes is None or self._sizes.audit is None or self._started is None:
            return None
        taught = self._started.taught
        gone = taught_count(self._started) if taught is not events.UNSET and taught.left_out else 0
        return self._sizes.audit - gone

    def _audited(self, audited: events.Audited) -> Iterator[str]:
        findings = [_read(one) for one in audited.findings]
        classes = self._started is not None and self._started.target is events.UNSET
        yield from wrong_numbers(findings)
        if classes:
            yield from _wrong_counts(findings, noted=self._is_counting)
        if classes and self._suite is not None:
            train = 0 if self._sizes is None else self._sizes.train
            count, noted = self._examples(), self._is_counting
            yield from disagreeing(findings, self._suite, examples=count, trained=train, noted=noted)
        yield from self._miscounted(findings, audited)
        yield from self._audited_alike(audited)

    def _miscounted(self, findings: Sequence[Finding], audited: events.Audited) -> Iterator[str]:
        """Findings on another number of examples than suite and split give."""
        count, suite = self._examples(), self._suite
        if suite is None:
            return
        cross = 0 if audited.cross is events.UNSET else audited.cross.examples
        for finding in findings:
            audit, entry = find_audit(finding.audit), suite.entry(finding.audit)
            if audit is None or entry is None or finding.estimate is None or finding.idle:
                continue
            asked = int(audit.filled(entry.settings).get("samples", finding.n))
            own, pooled = asked if count is None else min(count, asked), cross if audit.pools else 0
            most = own if (finding.audit, finding.statistic) in _OF_SPLIT else asked + pooled
            if audit.counts_all and count is not None and finding.n not in {own, own + pooled}:
                yield f"{finding.label} counts {finding.n} examples, suite and audit split give {own}"
            elif AUDITS.get(finding.audit) == audit and finding.n > most:
                yield f"{finding.label} counts {finding.n} examples, suite and audit split give {most} at most"

    # --- the same network again ---

    def _key(self, trained: events.Trained) -> tuple[object, ...] | None:
        if self._started is None or not trained.weights_sha256:
            return None
        return self._started.task_digest, trained.weights_sha256, trained.architecture

    def _tested_alike(self, trained: events.Trained) -> Iterator[str]:
        key = self._key(trained)
        if key is None:
            return
        before = self._known.setdefault(key, _Examined(trained=trained)).trained
        counts = [(one.test_count, one.test_correct) for one in (before, trained)]
        if counts[0][0] != counts[1][0] or abs(counts[0][1] - counts[1][1]) > 1:
            yield (
                f"the same weights were right about {before.test_correct} of {before.test_count} test examples before, "
                f"and now about {trained.test_correct} of {trained.test_count}"
            )

    def _audited_alike(self, audited: events.Audited) -> Iterator[str]:
        trained = self._trained.get(audited.digest)
        key = None if trained is None else self._key(trained)
        if trained is None or key is None or self._suite is None or self._started is None:
            return
        taught = self._started.taught
        left_out = taught.rows if taught is not events.UNSET and taught.left_out else ""
        key = (*key, self._suite.digest, self._seed, trained.refit is events.UNSET, left_out)
        before = self._known.setdefault(key, _Examined(trained=trained, audited=audited)).audited
        if before is None or before is audited or (before.cross, before.findings) == (audited.cross, audited.findings):
            return
        if before.cross != audited.cross or not before.findings or not audited.findings:
            return
        known = {_read(one).label: one for one in before.findings}
        for one in audited.findings:
            was, label = known.get(_read(one).label), _read(one).label
            spare = _ALIKE if one.audit in _MEANS else _TURNED / max(1, one.n)
            if was is None or was.n != one.n or not near(was.estimate, one.estimate, spare):
                yield f"{label} of the same weights on the same data was found otherwise before"
                return


def _wrong_counts(findings: Sequence[Finding], *, noted: bool) -> Iterator[str]:
    """What skill and generalisation of a classifier say that cannot be so, or not both be so.

    Args:
        findings: of all audits.
        noted: whether their notes must say what they counted.
    """
    right = right_answers(findings)
    for finding in findings:
        if finding.estimate is None:
            continue
        if (finding.audit, finding.statistic) == ("skill", "above_chance"):
            told = NOTED_SKILL.match(finding.note)
            if right is None:
                yield f"{finding.label}: no number of {finding.n} right answers gives its estimate and its interval"
            elif (told or noted) and (told is None or (int(told[1]), int(told[2])) != right):
                yield f"{finding.label} is that of {right[0]} of {right[1]} right answers, and its note says otherwise"
        if finding.audit == "generalisation" and (noted or _GAP.match(finding.note)):
            yield from _wrong_gap(finding, right)


def _wrong_gap(finding: Finding, right: tuple[int, int] | None) -> Iterator[str]:
    told = _GAP.match(finding.note)
    if told is None:
        yield f"{finding.label} does not say what it counted"
        return
    known, seen, new, n = map(int, told.groups())
    if known > seen or new > n or n != finding.n or not seen or not n:
        yield f"{finding.label} counts what there is not: {told[0]}"
    elif abs(known / seen - new / n - (finding.estimate or 0)) > ROUNDING or not is_interval(
        finding, intervals.difference(known, seen, new, n)
    ):
        yield f"{finding.label} is not what its counts give: {told[0]}"
    elif right is not None and right[1] == n and right[0] != new:
        yield f"{finding.label} has {new} of {n} right, skill has {right[0]} on as many"


def _read(record: events.FindingRecord) -> Finding:
    import msgspec

    return Finding.from_record(msgspec.to_builtins(record))
