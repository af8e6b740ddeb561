"""The note of a finalist's run in MLflow: verdict, what decided it, and the commands that a reviewer needs.

Nothing here knows MLflow.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from agent.gate.admission import findings_of
from agent.report.summary import Accuracy, score_of
from agent.state.rivals import best_rival, rivals
from agent.state.state import Finalist, TaskState
from audits import Finding

__all__ = ["finalist_note", "plain"]

_DECIDING = ("gate", "alarm")
_MOST = 30  # rows of the table; the audit card has all


def plain(text: object) -> str:
    """What a person typed, shown as typed: no HTML, emphasis, link or image of theirs in a note.

    Example:
        >>> plain("<b> [x](http://y)")
        '&lt;b&gt; \\\\[x\\\\](http://y)'
    """
    return re.sub(r"([\\`*_\[\]!])", r"\\\1", html.escape(str(text), quote=False))


def finalist_note(task: TaskState, finalist: Finalist) -> str:
    """Markdown, as gate and audits left the finalist."""
    return "\n".join(_lines(task, finalist))


def _lines(task: TaskState, finalist: Finalist) -> Iterator[str]:
    audited = finalist.audited
    yield f"**{finalist.outcome}**: the audits say {audited.decision if audited else 'undecided'}."
    for reason in audited.reasons if audited else ():
        yield f"* {plain(reason)}"
    if (test := score_of(finalist.trained)) is not None:
        unit = "accuracy " if isinstance(test, Accuracy) else ""
        yield f"\nTest: {unit}{plain(test)}, n = {test.count}."
    best = best_rival(task)
    for rival in rivals(task, finalist) if best is not None else ():
        if best is not None and rival.record == best.record:
            yield f"Best baseline, {plain(rival.title)}: {rival.shown}; this network minus it: {rival.difference}."
    deciding = [one for one in (findings_of(audited) if audited else ()) if one.role in _DECIDING]
    if deciding:
        yield "\n| finding | role | decision | 95 % | limit |\n|---|---|---|---|---|"
        yield from map(_row, deciding[:_MOST])
    yield (
        f"\nArtifacts: `audit-card.html` has everything, `certificate.json` the rules. To decide:\n\n"
        f"```\nselfnas ui --home <home>\n"
        f"selfnas review approve {finalist.digest[:12]} --run {task.started.run} --home <home>\n"
        f"selfnas audits run {finalist.digest[:12]} --home <home>\n```"
    )


def _row(one: Finding) -> str:
    idle = one.idle or one.decision == "untested"
    limits = "–" if idle or one.low is None or one.high is None else f"{one.low:.3g} … {one.high:.3g}"
    cells = (one.label, one.role, "not tested" if idle else one.decision, limits, "–" if idle else f"{one.threshold:g}")
    return "| " + " | ".join(plain(cell).replace("|", "\\|") for cell in cells) + " |"
