"""`selfnas report`: one page about a life, and its figures in MLflow on request."""

from __future__ import annotations

import time
from pathlib import Path

from agent.commands.inspect import open_life
from agent.ledger.home import Home
from selfnas.errors import InputError, cause

__all__ = ["write_report"]


def write_report(home: Path, *, output: Path | None, cold: Path | None, mirror: bool) -> None:
    """Write the page, say where it is and what its figures are.

    Args:
        home: directory of the life.
        output: the HTML file; `report/index.html` in the home when None.
        cold: home of a life without memory to compare with.
        mirror: whether MLflow gets page and figures too.

    Raises:
        InputError: no life, one that cannot be read, or a place that cannot be written.
    """
    from agent.report.figures import figures, gather
    from agent.report.page import render

    begun = time.perf_counter()
    path = output or Home(home).report / "index.html"
    with open_life(home):
        pass  # a home without a life is reported before anything is made
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    with open_life(home) as ledger:
        if cold is None:
            evidence = gather(ledger)
        else:
            with open_life(cold) as other:
                evidence = gather(ledger, cold=other)
    page = render(evidence)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error
    for name, value in figures(evidence).items():
        print(f"{name.replace('_', ' ')}: {value:.3g}")
    print(f"{path}: {len(evidence.tasks)} task(s), {len(page):,} characters, {time.perf_counter() - begun:.1f} s")
    if mirror:
        from agent.mirror.writer import Mirror, tracking_uri

        uri = tracking_uri()
        written = Mirror(uri).write_evidence(evidence, page)
        print(f"MLflow records: {uri}" if written else "the figures could not be written to MLflow")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {cause(error)}")
