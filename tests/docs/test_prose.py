"""Prose for people: sentences are short, in every file that people read."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest

_ROOT = Path(__file__).parents[2]
_LONGEST = 45  # words in one sentence
_USUAL = 20  # words in the median sentence of a file
_FEWEST = 4  # words of a sentence; what is shorter is a label
_PATTERNS = ("*.md", "docs/**/*.md", "experiments/**/*.md")
_FILES = sorted(path.relative_to(_ROOT).as_posix() for pattern in _PATTERNS for path in _ROOT.glob(pattern))
_END = re.compile(r"(?<=[.!?])[)\"*_]*\s+|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s+|^\s*(?:[-*]|\d+\.)\s+|:\n")


def sentences(markdown: str) -> list[str]:
    """The sentences of a page's running text; code, tables, headings, pictures and link targets are left out.

    Example:
        >>> sentences("# Title\\n\\nOne sentence of five words. [A link](x.md) is another one.\\n\\n| a | table |\\n")
        ['One sentence of five words.', 'A link is another one.']
    """
    text = re.sub(r"<!--.*?-->", "", markdown, flags=re.S)
    text = re.sub(r"^([ \t]*)```.*?^\1```$", "\n", text, flags=re.S | re.M)
    text = re.sub(r"(?:\A|\n[ \t]*\n)(?: {4}.*\n?)+", "\n\n", text)
    text = re.sub(r"!\[.*?\]\(.*?\)", "", text)
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text, flags=re.S)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#"))]
    parts = (" ".join(part.split()) for part in _END.split("\n".join(lines)))
    return [part for part in parts if words(part) >= _FEWEST]


def words(sentence: str) -> int:
    """How many words and figures it has.

    Example:
        >>> words("Between 3 and 5 words – no more.")
        7
    """
    return sum(bool(re.search(r"\w", token)) for token in sentence.split())


@pytest.mark.parametrize("name", _FILES)
def test_no_sentence_has_to_be_read_twice(name: str) -> None:
    """None has more than 45 words."""
    text = (_ROOT / name).read_text(encoding="utf-8")
    assert [(words(each), each) for each in sentences(text) if words(each) > _LONGEST] == []


@pytest.mark.parametrize("name", _FILES)
def test_most_sentences_are_short(name: str) -> None:
    """Half of the sentences of a file have at most 20 words."""
    found = [words(each) for each in sentences((_ROOT / name).read_text(encoding="utf-8"))]
    assert median(found or [0]) <= _USUAL, f"median of {len(found)} sentences"
