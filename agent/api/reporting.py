"""The report page of a life, written to a file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.plugins import of_life
from selfnas.files import check_kind, write_whole
from selfnas.plugins import Identity

if TYPE_CHECKING:
    from agent.report.figures import Evidence

__all__ = ["Written", "write_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A page that was written.

    Attributes:
        path: where it is.
        page: the HTML.
        evidence: what it shows.
        lacking: plug-ins of the life that are not here; what is made of their parts is not shown.
    """

    path: Path
    page: str
    evidence: Evidence
    lacking: tuple[Identity, ...]


def write_page(home: Path, *, output: Path | None = None, cold: Path | None = None) -> Written:
    """Write the page.

    Args:
        home: directory of the life.
        output: the HTML file; `report/index.html` in the home when None.
        cold: home of a life without memory to compare with.

    Raises:
        InputError: no life, one that cannot be read, a file that is no `.html`, or a place that cannot be written.
    """
    from agent.report.figures import gather
    from agent.report.page import render

    path = check_kind(output or Home(home).report / "index.html", (".html", ".htm"))
    with ExitStack() as opened:
        ledger = opened.enter_context(reading(home))  # a home without a life is told so before anything is made
        lacking = opened.enter_context(of_life(ledger))
        other = None if cold is None else opened.enter_context(reading(cold))
        if other is not None:
            lacking += opened.enter_context(of_life(other))
        evidence = gather(ledger, cold=other)
        page = render(evidence)
        write_whole(path, page)
    return Written(path=path, page=page, evidence=evidence, lacking=lacking)
