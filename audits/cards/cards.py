"""The audit card: what a reviewer reads about one network, verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from audits.catalogue.registry import AUDITS
from audits.contract.finding import Finding
from audits.verdicts.verdict import UNTESTED, AuditVerdict, bound_of

if TYPE_CHECKING:
    from audits.calibrating.proof import Calibration

__all__ = ["card"]

_VERDICTS = {
    "admit": "every gate audit passed",
    "reject": "at least one gate audit failed",
    "undecided": "not admitted, because not everything that must be shown was shown",
}
# Which figure of `audits.cards.figures` shows what an audit is about; each is shown once, under the first that names
# it.
_FIGURES = {
    "skill": "confusion",
    "relevance": "attributions",
    "completeness": "attributions",
}
_ROLES = {
    "gate": "Gates (each must pass)",
    "validity": "Validity of the attributions (a failure voids them as evidence, it does not accuse the network)",
    "advisory": "Advisory (logged, part of no decision)",
}


def card(
    findings: Sequence[Finding],
    verdict: AuditVerdict,
    *,
    title: str,
    facts: Mapping[str, str],
    calibration: Calibration | None = None,
    figures: Mapping[str, str] | None = None,
) -> str:
    """A card in Markdown; `audits.cards.page.card_page` makes HTML of it.

    Args:
        findings: as `run_suite` returned them.
        verdict: as `judge` returned it.
        title: what was audited.
        facts: shown in a table below the verdict: task, seed, digest and the like.
        calibration: of the suite; adds to each audit what it caught of planted defects.
        figures: file names of `attributions` and `confusion`, as far as they exist; shown below their audits.
    """
    return "\n".join(_lines(findings, verdict, title, facts, calibration, dict(figures or {}))) + "\n"


def _lines(
    findings: Sequence[Finding],
    verdict: AuditVerdict,
    title: str,
    facts: Mapping[str, str],
    calibration: Calibration | None,
    figures: dict[str, str],
) -> Iterator[str]:
    yield f"# {_text(title)}"
    yield ""
    yield f"**Verdict: {verdict.decision}** — {_VERDICTS[verdict.decision]}."
    yield ""
    for reason in verdict.reasons:
        yield f"- {_text(reason)}"
    if verdict.reasons:
        yield ""
    if facts:
        yield "| | |"
        yield "|---|---|"
        for name, value in facts.items():
            yield f"| {_text(name)} | {_text(value)} |"
        yield ""
    for role, heading in _ROLES.items():
        own = [finding for finding in findings if finding.role == role]
        if own:
            yield f"## {heading}"
            yield ""
            yield from _section(own, calibration, figures)


def _section(findings: Sequence[Finding], calibration: Calibration | None, figures: dict[str, str]) -> Iterator[str]:
    yield "| finding | decision | estimate | 95 % interval | need | n | note |"
    yield "|---|---|---|---|---|---|---|"
    for finding in findings:
        yield _row(finding)
    yield ""
    for name in dict.fromkeys(finding.audit for finding in findings):
        audit = AUDITS.get(name)
        if audit is not None:
            proof = f" Of planted defects it caught: {calibration.row(name)}." if calibration else ""
            limits = f"can catch {audit.catches}. It cannot catch {audit.misses}."
            yield f"- **{name}** {limits}{proof} Source: {audit.source}."
            figure = figures.pop(_FIGURES.get(name, ""), None)
            if figure:
                yield f"\n![{name}]({figure})\n"
    yield ""


def _row(finding: Finding) -> str:
    sign = "≥" if bound_of(finding) == "floor" else "≤"
    estimate = "–" if finding.estimate is None else f"{finding.estimate:.3f}"
    interval = "–" if finding.low is None or finding.high is None else f"{finding.low:.3f} … {finding.high:.3f}"
    if finding.statistic == UNTESTED:
        interval = "counted"
    cells = (
        finding.label,
        f"**{finding.decision}**",
        estimate,
        interval,
        f"{sign} {finding.threshold:g}",
        str(finding.n),
        finding.note,
    )
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(value: str) -> str:
    """One line that can break neither a table nor the page (a note may quote a foreign error message)."""
    line = " ".join(value.split())
    for character, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'"), ("~", "\\~")):
        line = line.replace(character, safe)
    return line.replace("](", "]&#40;")  # neither a link nor a picture from elsewhere
