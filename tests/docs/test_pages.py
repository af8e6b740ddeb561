"""Pages say what is there: commands, options, files and examples; the site builds, and its pages fetch nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands import options

_ROOT = Path(__file__).parents[2]
_PATTERNS = ("*.md", "docs/**/*.md", "experiments/**/*.md")
_PAGES = sorted(path.relative_to(_ROOT).as_posix() for pattern in _PATTERNS for path in _ROOT.glob(pattern))
_PRESENT = [name for name in _PAGES if name != "CHANGELOG.md"]  # that one tells of the past as well
_CODE = re.compile(r"^```.*?^```$|^(?: {4}.*\n)+|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^ *|`|\$ )(selfnas [a-z][^`\n#]*)", re.MULTILINE)
_OPTIONS = options()


@pytest.mark.parametrize("name", _PRESENT)
def test_commands_exist_as_they_are_written(name: str) -> None:
    """Each command that a page shows is one, and takes the options that it is shown with."""
    text = (_ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in _COMMAND.findall("\n".join(_CODE.findall(text))):
        for command in _spelled_out(line):
            path, used = _parsed(command)
            assert path in _OPTIONS, f"{name}: {command}"
            assert used <= _OPTIONS[path], f"{name}: {command}: {used - _OPTIONS[path]}"


@pytest.mark.parametrize("name", _PAGES)
def test_links_lead_to_files(name: str) -> None:
    """A relative link names a file of the repository, or one that the site makes."""
    page = _ROOT / name
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if target.startswith("https://") or "schemas/" in target:
            continue
        assert (page.parent / target).exists(), f"{name}: {target}"


def test_streams_on_pages_are_streams(tmp_path: Path) -> None:
    """Each example that begins with a stream's name is read as one."""
    from sources import MODELS, load

    from selfnas.documents import read_document

    found = 0
    for name in _PAGES:
        for block in re.findall(r"```yaml\n(stream: .*?)```", (_ROOT / name).read_text(encoding="utf-8"), re.S):
            path = tmp_path / "stream.yaml"
            path.write_text(block, encoding="utf-8")
            assert read_document(path, load(MODELS["stream"])).value.tasks  # type: ignore[arg-type,attr-defined]
            found += 1
    assert found


def test_the_site_builds_and_its_pages_fetch_nothing(tmp_path: Path) -> None:
    """A strict build has no warning; no page loads a script, a style, a font or a picture from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(_PAGES) - 1  # the README is on the site as its first page
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^\"\s>]+", text), page
        assert 'class="mermaid"' not in text, page  # its script would come from elsewhere


def _spelled_out(line: str) -> list[str]:
    """`a|b` and `a\\|b` in a command stand for one command each."""
    line = line.replace("\\|", "|")
    alternatives = re.search(r"[a-z-]+(?:\|[a-z-]+)+", line)
    if not alternatives:
        return [line]
    before, after = line[: alternatives.start()], line[alternatives.end() :]
    return [f"{before}{word}{after}" for word in alternatives[0].split("|")]


def _parsed(command: str) -> tuple[str, set[str]]:
    """The longest known command that a line begins with, and the options that follow."""
    try:
        words = shlex.split(command.replace("[", " ").replace("]", " "))
    except ValueError:  # a quotation that goes on in the next line
        words = command.split()
    path = words[0]
    for word in words[1:]:
        if f"{path} {word}" not in _OPTIONS:
            break
        path = f"{path} {word}"
    groups = {known.rpartition(" ")[0] for known in _OPTIONS}
    rest = words[path.count(" ") + 1 :]
    if path in groups and rest and re.fullmatch(r"[a-z-]+", rest[0]):
        path = f"{path} {rest[0]}"  # not a command: the caller says so
    return path, {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
