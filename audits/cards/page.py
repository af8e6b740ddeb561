"""The audit card as one HTML page with its pictures inside, for readers that show HTML and no Markdown (MLflow)."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping

__all__ = ["card_page"]

_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0;font-size:13px}
td{border:1px solid #ccc;padding:.25em .6em}td:not(:last-child){white-space:nowrap}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}
img{max-width:100%;max-height:26em;border:1px solid #ddd;margin:.4em 0}
.admit,.pass{color:#176b2c}.reject,.fail{color:#b3261e}.undecided,.inconclusive,.void{color:#8a5a00}"""
# Nothing may be loaded or run, whatever a finding's note brought along.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
_COLOURED = ("admit", "reject", "undecided", "pass", "fail", "inconclusive", "void")


def card_page(text: str, *, pictures: Mapping[str, bytes]) -> str:
    """The page of a card.

    Args:
        text: what `audits.cards.cards.card` made; of Markdown only what that uses is understood; all is escaped again.
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
