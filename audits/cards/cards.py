"""The audit card: what a reviewer reads about one network, verdict first, in Markdown or as one page of HTML."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from audits.catalogue.registry import find_audit
from audits.contract.finding import Finding
from audits.verdicts.power import power
from audits.verdicts.verdict import UNTESTED, AuditVerdict, bound_of

if TYPE_CHECKING:
    from audits.calibrating.proof import Calibration

__all__ = ["card", "card_page"]

_VERDICTS = {
    "admit": "every gate audit that had something to test passed, and no alarm failed",
    "reject": "at least one gate audit or alarm failed",
    "undecided": "not admitted, because not everything that must be shown was shown",
}
# Which figure of `audits.cards.figures` shows what an audit is about; each is shown once, under the first that names
# it.
_FIGURES: Mapping[str, Sequence[str]] = {
    "skill": ("confusion", "labels", "residuals"),
    "relevance": ("attributions",),
    "completeness": ("attributions",),
}
_ROLES = {
    "gate": "Gates (each must pass)",
    "alarm": "Alarms (a failure rejects; one that stays open saw nothing clear)",
    "validity": "Validity of the attributions (a failure voids them as evidence, it does not accuse the network)",
    "advisory": "Advisory (logged, part of no decision)",
}
_MILD, _STRONG = 0.4, 2.0  # of a threshold: shares that should pass, and should fail
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0;font-size:13px}
td{border:1px solid #ccc;padding:.25em .6em}td:not(:last-child){white-space:nowrap}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}
img{max-width:100%;max-height:26em;border:1px solid #ddd;margin:.4em 0}
.tested{color:#777}.admit,.pass{color:#176b2c}.reject,.fail{color:#b3261e}.undecided,.inconclusive,.void{color:#8a5a00}"""
# Nothing may be loaded or run, whatever a finding's note brought along.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
_COLOURED = ("admit", "reject", "undecided", "pass", "fail", "inconclusive", "void", "tested")


def card(
    findings: Sequence[Finding],
    verdict: AuditVerdict,
    *,
    title: str,
    facts: Mapping[str, str],
    calibration: Calibration | None = None,
    figures: Mapping[str, str] | None = None,
) -> str:
    """A card in Markdown; `card_page` makes HTML of it.

    Args:
        title: what was audited.
        facts: shown in a table below the verdict: task, seed, digest and the like.
        calibration: of the suite; adds to each audit what it caught of planted defects; these were planted in
            classifiers, so that it says nothing about other kinds of task.
        figures: file names of pictures by name (`audits.cards.figures.pictures`); shown below their audits.
    """
    untested = f"; **not tested**: {', '.join(verdict.untested)}" if verdict.untested else ""
    lines = [f"# {_text(title)}", "", f"**Verdict: {verdict.decision}** — {_VERDICTS[verdict.decision]}{untested}.", ""]
    if verdict.reasons:
        lines += [*(f"- {_text(reason)}" for reason in verdict.reasons), ""]
    if facts:
        lines += ["| | |", "|---|---|", *(f"| {_text(name)} | {_text(value)} |" for name, value in facts.items()), ""]
    unshown = dict(figures or {})
    for role, heading in _ROLES.items():
        own = [finding for finding in findings if finding.role == role]
        if own:
            lines += [f"## {heading}", "", *_section(own, calibration, unshown)]
    return "\n".join(lines) + "\n"


def _section(findings: Sequence[Finding], calibration: Calibration | None, figures: dict[str, str]) -> Iterator[str]:
    yield "| finding | decision | estimate | 95 % interval | need | n | note |"
    yield "|---|---|---|---|---|---|---|"
    yield from map(_row, findings)
    yield ""
    yield from _powers(findings)
    idle = {finding.audit for finding in findings if finding.idle}
    for name in dict.fromkeys(finding.audit for finding in findings):
        audit = find_audit(name)
        if audit is not None:
            proof = f" Of planted defects it caught: {calibration.row(name)}." if calibration else ""
            if name in idle:
                proof = " Here it tested nothing."
            limits = f"can catch {audit.catches}. It cannot catch {audit.misses}."
            yield f"- **{name}** {limits}{proof} Source: {audit.source}."
            for figure in _FIGURES.get(name, ()):
                if figure in figures:
                    yield f"\n![{name}]({figures.pop(figure)})\n"
    yield ""


def _powers(findings: Sequence[Finding]) -> Iterator[str]:
    """What a pass is worth: how likely a true share on either side of the threshold is told by so many examples."""
    lines = []
    for finding in findings:
        audit = find_audit(finding.audit)
        statistic = audit.statistic(finding.statistic) if audit else None
        if statistic is None or not statistic.counted or not finding.n or finding.role not in ("gate", "alarm"):
            continue
        mild, strong = _MILD * finding.threshold, min(1.0, _STRONG * finding.threshold)
        passes = power(statistic.bound, finding.threshold, finding.n, mild)[0]
        fails = power(statistic.bound, finding.threshold, finding.n, strong)[1]
        lines.append(
            f"- With n = {finding.n}, a true {_text(finding.label)} of {mild:.1%} passes with probability "
            f"{passes:.2f}, one of {strong:.1%} fails with probability {fails:.2f}."
        )
    yield from [*lines, ""] if lines else []


def _row(finding: Finding) -> str:
    sign = "≥" if bound_of(finding) == "floor" else "≤"
    estimate = "–" if finding.estimate is None else f"{finding.estimate:.3f}"
    interval = "–" if finding.low is None or finding.high is None else f"{finding.low:.3f} … {finding.high:.3f}"
    if finding.statistic == UNTESTED:
        interval = "counted"
    if finding.idle:
        estimate = interval = "–"
    decision = "not tested" if finding.decision == "untested" else finding.decision
    cells = (
        finding.label,
        f"**{decision}**",
        estimate,
        interval,
        "–" if finding.idle else f"{sign} {finding.threshold:g}",
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


def card_page(text: str, *, pictures: Mapping[str, bytes]) -> str:
    """The page of a card with its pictures inside, for readers that show HTML and no Markdown (MLflow).

    Args:
        text: what `card` made; of Markdown only what that uses is understood; all is escaped again.
        pictures: PNG files by the name that the card calls them.

    Example:
        >>> "<li><b class='pass'>pass</b> &lt;b&gt;</li>" in card_page("- **pass** &lt;b>", pictures={})
        True
    """
    lines = text.splitlines()
    title = html.escape(html.unescape(lines[0].removeprefix("# "))) if lines else ""
    body = "\n".join(_body(lines, pictures))
    head = f"<meta charset='utf-8'>{_POLICY}<title>{title}</title><style>{_STYLE}</style>"
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body>\n{body}\n</body></html>\n"


def _body(lines: list[str], pictures: Mapping[str, bytes]) -> Iterator[str]:
    opened = ""  # the element that table rows or list items stand in
    for line in lines:
        kind = "table" if line.startswith("|") else "ul" if line.startswith("- ") else ""
        if opened and kind != opened:
            yield f"</{opened}>"
            opened = ""
        if kind and not opened:
            yield f"<{kind}>"
            opened = kind
        if kind == "table":
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if any(cell.strip("-") for cell in cells):  # neither an empty head nor the line below a head
                yield f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in cells)}</tr>"
        elif kind == "ul":
            yield f"<li>{_inline(line[2:])}</li>"
        elif line.startswith("#"):
            level = min(len(line) - len(line.lstrip("#")), 6)
            yield f"<h{level}>{_inline(line.lstrip('#').strip())}</h{level}>"
        elif found := _PICTURE.fullmatch(line):
            yield _picture(found[1], pictures.get(found[2]))
        elif line.strip():
            yield f"<p>{_inline(line)}</p>"
    if opened:
        yield f"</{opened}>"


def _inline(text: str) -> str:
    plain = html.unescape(text).replace("\\|", "|").replace("\\~", "~")
    return _BOLD.sub(_bold, html.escape(plain))


def _bold(found: re.Match[str]) -> str:
    last = found[1].split()[-1] if found[1].split() else ""
    return f"<b class='{last}'>{found[1]}</b>" if last in _COLOURED else f"<b>{found[1]}</b>"


def _picture(name: str, content: bytes | None) -> str:
    label = html.escape(name)
    if content is None:
        return f"<p>no picture of {label}</p>"
    data = base64.b64encode(content).decode("ascii")
    return f"<img alt='{label}' src='data:image/png;base64,{data}'>"
