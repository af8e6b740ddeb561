"""The site shows a notebook as it was run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from notebooks import as_markdown

_NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "notebook.ipynb"


def test_the_site_shows_text_code_tables_and_pictures() -> None:
    """Markdown as it is, code and printed text in fences, tables and pictures as HTML without a style of their own."""
    page = as_markdown(json.loads(_NOTEBOOK.read_text(encoding="utf-8")))
    assert page.startswith("# From arrays to an audited network\n")
    assert "```python\nimages, labels = load_digits" in page
    assert "```text\nTaskShape(channels=1" in page
    assert "<table" in page
    assert "<style" not in page
    assert 'src="data:image/png;base64,' in page


def test_a_notebook_that_broke_is_no_page() -> None:
    """An error among its outputs ends the build."""
    output = {"output_type": "error", "ename": "InputError", "evalue": "", "traceback": []}
    cell = {"cell_type": "code", "source": ["1"], "outputs": [output]}
    with pytest.raises(ValueError, match="a cell ended in InputError"):
        as_markdown({"cells": [cell]})
