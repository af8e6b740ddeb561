"""Run a suite on one network: every audit guarded, every number turned into a finding."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence

from torch import nn

from audits.catalogue.registry import audit_named
from audits.contract.audit import Measurement, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee, evaluation_mode
from audits.contract.finding import INAPPLICABLE, UNTESTED, Finding, decide
from audits.contract.plants import with_plants
from audits.verdicts.steadiness import changed_state, state_of, unsteady
from audits.verdicts.suite import Suite, SuiteEntry
from audits.verdicts.verdict import settle
from selfnas.data.targets import TargetKind

__all__ = ["run_suite"]

_log = logging.getLogger(__name__)
_NOTE_LIMIT = 300  # characters; a message of a foreign library can be pages long


def run_suite(network: nn.Module, data: AuditData, suite: Suite, *, seed: int) -> tuple[Finding, ...]:
    """Audit one network.

    An audit that is not for the data's kind of target yields one finding that says so. An audit that raises, or returns
    numbers that are not finite, yields void findings: no exception, never a pass. So does every audit of a network that
    does not answer an input by that input alone (`audits.verdicts.steadiness`). The network comes back as it was. The
    same seed gives the same findings to the last bit.

    Args:
        network: inputs like those of the data to `(b, outputs)`, on any device.
        seed: every draw derives from it.

    Returns:
        Findings in the suite's order, for `judge`.

    Raises:
        InputError: what the suite plants for this task does not fit its inputs.
    """
    with evaluation_mode(network):
        examinee = Examinee(network, with_plants(data, suite.plants), seed=seed)
        before, fault = state_of(network), _fault(examinee)
        found = [finding for entry in suite.entries for finding in _findings(examinee, entry, fault)]
        if not fault and (fault := changed_state(network, before)):
            found = [finding for entry in suite.entries for finding in _findings(examinee, entry, fault)]
        return settle(found)


def _fault(examinee: Examinee) -> str:
    """Why nothing that is measured on a network counts; one that answers nothing at all, each audit meets itself."""
    answered = False
    try:
        examinee.audit_logits()
        answered = True
        return unsteady(examinee)
    except Exception as error:  # noqa: BLE001 - a foreign network may raise anything
        _log.debug("could not be asked again", exc_info=error)
        return f"it could not be asked again: {type(error).__name__}: {_one_line(str(error))}" if answered else ""


def _findings(examinee: Examinee, entry: SuiteEntry, fault: str) -> Iterator[Finding]:
    audit = audit_named(entry.audit)
    if examinee.data.target.kind not in audit.kinds:
        yield _inapplicable(entry, examinee.data.target.kind, audit.kinds)
        return
    subjects = audit.subjects(examinee.data)
    failure = f"nothing that is measured counts: {fault}" if fault else ""
    measured: dict[tuple[str, str], Measurement] = {}
    try:
        ask = subjects and not fault
        results: Sequence[Measurement] = audit.measure(examinee, audit.filled(entry.settings)) if ask else ()
        measured = {(result.subject, result.statistic): result for result in results}
    except Exception as error:  # noqa: BLE001 - a foreign network may raise anything; all of it means nothing was shown
        failure = _one_line(f"could not measure: {type(error).__name__}: {error}")
        _log.warning("audit %s %s", audit.name, failure)
        _log.debug("audit %s raised", audit.name, exc_info=True)
    untested = set()
    for subject in subjects:
        for statistic in audit.statistics:
            finding = _finding(entry, subject, statistic, measured.get((subject, statistic.name)), failure)
            if finding.decision == "void":
                untested.add(subject)
            yield finding
    if audit.about:  # how many there were, so that a dropped finding shows in the record; void if one went untested
        count = None if untested else 0.0
        yield Finding(
            audit=audit.name,
            statistic=UNTESTED,
            estimate=count,
            low=count,
            high=count,
            n=len(subjects),
            threshold=0.0,
            decision=decide("ceiling", count, count, count, 0.0) if subjects else "untested",
            role=entry.role,
            note=f"{len(untested)} of {len(subjects)} named subjects untested"
            if subjects
            else "this task names nothing to test",
        )


def _inapplicable(entry: SuiteEntry, kind: TargetKind, kinds: Sequence[TargetKind]) -> Finding:
    """Nothing was measured, which is neither a pass nor a defect of the network."""
    return Finding(
        audit=entry.audit,
        statistic=INAPPLICABLE,
        estimate=None,
        low=None,
        high=None,
        n=0,
        threshold=0.0,
        decision="untested",
        role=entry.role,
        note=f"does not apply to {kind}: measured of {', '.join(kinds)}",
    )


def _finding(entry: SuiteEntry, subject: str, statistic: Statistic, found: Measurement | None, failure: str) -> Finding:
    threshold = entry.thresholds[statistic.name]
    estimate, low, high = (found.estimate, found.low, found.high) if found else (None, None, None)
    note = found.note if found else failure or "not measured"
    if not all(number is None or math.isfinite(number) for number in (estimate, low, high)):
        estimate = low = high = None
        note = f"no finite interval from n = {found.n if found else 0}; {_one_line(note)}"
    return Finding(
        audit=entry.audit,
        subject=subject,
        statistic=statistic.name,
        estimate=estimate,
        low=low,
        high=high,
        n=found.n if found else 0,
        threshold=threshold,
        decision=decide(statistic.bound, estimate, low, high, threshold),
        role=entry.role,
        note=_one_line(note),
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _NOTE_LIMIT else line[: _NOTE_LIMIT - 3] + "..."
