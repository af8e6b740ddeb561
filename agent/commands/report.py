"""`selfnas report`: one page about a life, and its figures in MLflow on request."""

from __future__ import annotations

import time
from pathlib import Path

from agent.api.reporting import write_page
from agent.ledger.home import Home

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
    from rich.console import Console
    from rich.markup import escape

    from agent.commands.inspect import without
    from agent.report.figures import figures

    begun = time.perf_counter()
    done = write_page(home, output=output, cold=cold)
    for one in done.lacking:
        Console(stderr=True).print(escape(without(one)), style="yellow", highlight=False)
    for name, value in figures(done.evidence).items():
        print(f"{name.replace('_', ' ')}: {value:.3g}")
    tasks, seconds = len(done.evidence.tasks), time.perf_counter() - begun
    print(f"{done.path}: {tasks} task(s), {len(done.page):,} characters, {seconds:.1f} s")
    if mirror:
        from agent.mirror.writer import Mirror, tracking_uri, without_password

        uri = tracking_uri()
        written = Mirror(uri).write_evidence(done.evidence, done.page, home=Home(home))
        print(f"MLflow records: {without_password(uri)}" if written else "the figures could not be written to MLflow")
