"""Rows of `selfnas bench lifelong` that an earlier run left."""

from pathlib import Path

import pytest

from agent.commands.bench_lifelong import _write_rows, read_rows
from selfnas.errors import InputError
from tests.selfnas.benchmarks.test_lifelong import ROWS


def test_finished_orders_survive_and_other_files_are_refused(tmp_path: Path) -> None:
    """Rows come back as they were; a file of another table or with other lines is named."""
    path = tmp_path / "rows.jsonl"
    assert read_rows(path, table="t") == []
    _write_rows(path, ROWS[:2], table="t")
    _write_rows(path, ROWS[2:], table="t")
    assert read_rows(path, table="t") == ROWS
    with pytest.raises(InputError, match=r"rows\.jsonl:1: of table 't', not 'u'"):
        read_rows(path, table="u")
    path.write_text("{}\n")
    with pytest.raises(InputError, match=r"rows\.jsonl:1: not a row"):
        read_rows(path, table="t")
