"""Rows that survive an interruption: read back as they were, or refused in words."""

from pathlib import Path

import pytest

from selfnas.benchmarks.lifelong import LifelongRow
from selfnas.benchmarks.rows import Rows
from selfnas.errors import InputError
from tests.selfnas.benchmarks.test_lifelong import ROWS


def rows(path: Path | None, *, table: str = "t") -> Rows[LifelongRow]:
    """Kept rows of one table."""
    return Rows(path, of=LifelongRow, settings={"table": table})


def test_finished_rows_survive_and_other_files_are_refused(tmp_path: Path) -> None:
    """Rows come back as they were; a file of another table or with other lines is named, with its line."""
    path = tmp_path / "new" / "rows.jsonl"
    assert list(rows(path)) == []
    rows(path).add(*ROWS[:2])
    rows(path).add(*ROWS[2:])
    assert list(rows(path)) == ROWS
    with pytest.raises(InputError, match=r"rows\.jsonl:1: measured with table 't', not 'u': choose another file"):
        rows(path, table="u")
    for text, message in (
        ("{}", "not a row of this measurement: 'table'"),
        ("[]", "not a row"),
        ("{", "not a row"),
        ('{"table": "t", "method": 3}', "not a row of this measurement: method: Input should be a valid string"),
    ):
        path.write_text(path.read_text().partition("\n")[0] + f"\n{text}\n")
        with pytest.raises(InputError, match=rf"rows\.jsonl:2: {message}"):
            rows(path)
    with pytest.raises(InputError, match="cannot be used"):
        rows(tmp_path)


def test_a_line_that_a_killed_command_left_is_measured_again(tmp_path: Path) -> None:
    """What has no end of line is cut off, and the file is gone on with."""
    path = tmp_path / "rows.jsonl"
    rows(path).add(*ROWS[:2])
    with path.open("a") as file:
        file.write('{"table": "t", "method"')
    rows(path).add(*ROWS[2:])
    assert list(rows(path)) == ROWS


def test_without_a_file_rows_are_kept_in_memory() -> None:
    """They are there for as long as the command runs."""
    kept = rows(None)
    kept.add(*ROWS)
    assert list(kept) == ROWS
