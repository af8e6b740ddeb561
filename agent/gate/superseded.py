"""Motifs that were admitted under another audit suite than the one in force: still in the library, and named."""

from __future__ import annotations

from collections.abc import Iterator

from agent.state.library import Motif
from agent.state.state import LifeState

__all__ = ["admitted_otherwise", "suite_sentence"]


def admitted_otherwise(state: LifeState, *, suite: str = "") -> Iterator[Motif]:
    """Motifs of runs that were lived under another suite; none of a library that knows one suite is read.

    Args:
        suite: digest of the suite in force; empty for that of the latest run.
    """
    digests = {run.number: run.started.audit_suite_digest for run in state.runs}
    in_force = suite or digests.get(len(state.runs), "")
    for run in state.library.runs():
        if digests[run] != in_force:
            yield from state.library.of_run(run)


def suite_sentence(state: LifeState, home: str, *, name: str = "", digest: str = "") -> str:
    """What a person should know of them, and can do; empty where there are none.

    Args:
        home: as the person named it.
        name: of the suite in force; empty for that of the latest run.
        digest: of that suite.
    """
    count = sum(1 for _ in admitted_otherwise(state, suite=digest))
    if not count:
        return ""
    name = name or state.runs[-1].started.audit_suite.name
    return (
        f"{count} motif(s) were admitted under another audit suite than {name!r}, and were not audited by this one: "
        f"`selfnas audits run DIGEST --home {home} --suite …` does it, `selfnas review overrule` revokes"
    )
