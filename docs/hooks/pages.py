"""What MkDocs does with this site beside rendering it: fills in generated parts, and shows files that live elsewhere.

A page asks for a generated part by a comment: `<!-- keys: stream -->` (`stream without policy`, `stream only policy`),
`<!-- commands -->`, `<!-- events -->`, `<!-- python -->`. READMEs of experiments and a few files of the repository's
root are pages as well, so that one link works in the repository and on the site.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from commands import commands
from events import events
from keys import schema_of, tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebooks import as_markdown
from sources import MODELS, PYTHON

__all__ = ["on_files", "on_page_markdown", "python_reference"]

_ROOT = Path(__file__).parents[2]
_FROM_ROOT = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_KEYS = re.compile(r"<!-- keys: (\w+)(?: (only|without) ([\w.]+))? -->")

_FENCE = re.compile(r"^```(?:constraint \w+|refused|when)$", re.MULTILINE)  # for tests; no language of a highlighter's


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the schemas, the experiments with their pictures, files of the root, and notebooks as pages."""
    for kind in MODELS:
        content = json.dumps(schema_of(kind), indent=2) + "\n"
        files.append(File.generated(config, f"schemas/{kind}.json", content=content))
    for folder in sorted((_ROOT / "experiments").iterdir()):
        for path in sorted([*folder.glob("README.md"), *folder.glob("*.png")]):
            _show(files, config, path)
    for name in _FROM_ROOT:
        _show(files, config, _ROOT / name)
    for path in sorted((_ROOT / "docs").rglob("*.ipynb")):
        uri = path.relative_to(_ROOT / "docs").with_suffix(".md").as_posix()
        content = as_markdown(json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in the generated parts and points links at what the site shows."""
    markdown = _KEYS.sub(lambda found: _tables(*found.groups()), markdown)
    for mark, make in (("commands", commands), ("events", events), ("python", python_reference)):
        if f"<!-- {mark} -->" in markdown:
            markdown = markdown.replace(f"<!-- {mark} -->", make())
    markdown = _FENCE.sub("```text", markdown)
    markdown = re.sub(r"\.ipynb\)", ".md)", markdown)  # the page rather than the file
    return _linked(markdown, page.file.src_uri)


def python_reference() -> str:
    """Markdown: what mkdocstrings is to document."""
    parts = []
    for title, about, modules in PYTHON:
        parts.append(f"## {title}\n\n{about}")
        parts += [f"::: {module}" for module in modules]
    return "\n\n".join(parts)


def _show(files: Files, config: MkDocsConfig, path: Path) -> None:
    uri = path.relative_to(_ROOT).as_posix()
    files.append(File.generated(config, uri, abs_src_path=str(path)))


def _tables(kind: str, how: str | None, section: str | None) -> str:
    return tables(kind, **({how: section} if how and section else {}))


def _linked(markdown: str, uri: str) -> str:
    """Links out of `docs`, and into it, lose that one step: on the site both are one tree."""
    if not _is_ours(uri):
        return re.sub(r"(\]\((?:\.\./)*)docs/", r"\1", markdown)
    up = "../" * (uri.count("/") + 1)
    outside = "|".join(["experiments/", *map(re.escape, _FROM_ROOT)])
    return re.sub(rf"\]\({re.escape(up)}({outside})", rf"]({up[3:]}\1", markdown)


def _is_ours(uri: str) -> bool:
    return (_ROOT / "docs" / uri).is_file()
