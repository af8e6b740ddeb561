"""Whether findings speak of all that a task and its suite name, and of nothing else; from names alone, without data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from audits.catalogue.registry import audit_named
from audits.contract.finding import Finding
from audits.verdicts.suite import Suite
from audits.verdicts.verdict import UNTESTED

__all__ = ["uncovered"]


def uncovered(findings: Sequence[Finding], suite: Suite, *, task: str, nuisances: Collection[str]) -> Iterator[str]:
    """A sentence for each audit whose findings are about others than it had to test.

    Args:
        findings: of one network.
        suite: that was run.
        task: as the suite calls it (`selfnas.data.tasks.Task.known_as`).
        nuisances: names of those that the task itself has.
    """
    plants = [plants for plants in suite.plants if task and plants.task == task]
    named = {
        "nuisance": {*nuisances, *(one.name for each in plants for one in each.nuisances)},
        "trigger": {one.name for each in plants for one in each.triggers},
    }
    for entry in suite.entries:
        kind = audit_named(entry.audit).about
        if not kind:
            continue
        own = [finding for finding in findings if finding.audit == entry.audit]
        tested = {finding.subject for finding in own if finding.statistic != UNTESTED}
        if tested != named[kind]:
            yield f"{entry.audit} is about {_list(tested)}, the task and its suite name {_list(named[kind])}"
        for finding in own:
            if finding.statistic == UNTESTED and finding.n != len(named[kind]):
                yield f"{finding.label} counts {finding.n}, the task and its suite name {len(named[kind])}"


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
