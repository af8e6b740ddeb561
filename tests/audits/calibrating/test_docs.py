"""The page about audits says what the code and the stored calibration say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from audits import AUDITS, load_suite, read_calibration
from audits.calibrating.controls import CONTROLS
from audits.calibrating.proof import calibration_file, matrix_table
from audits.commands import app

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "audits.md"


@pytest.fixture(scope="module")
def page() -> str:
    """The page's text."""
    return PAGE.read_text(encoding="utf-8")


def test_matrix_is_the_stored_one(page: str) -> None:
    """Figure for figure."""
    table = matrix_table(read_calibration(calibration_file(load_suite("baseline"))))
    assert _between(page, "matrix") == table.strip()


def test_controls_are_all_described(page: str) -> None:
    """In the code's words."""
    rows = [f"| {control.name} | {control.defect} |" for control in CONTROLS.values()]
    assert _between(page, "controls") == "\n".join(["| control | defect |", "|---|---|", *rows])


def test_every_audit_and_statistic_is_named(page: str) -> None:
    """None is left out, none is invented."""
    rows = dict(re.findall(r"^\| ([a-z]+) \| ([^|]*`[^|]*) \|", page, re.MULTILINE))
    assert set(rows) == set(AUDITS)
    for name, text in rows.items():
        assert set(re.findall(r"`([a-z_]+)`", text)) == {statistic.name for statistic in AUDITS[name].statistics}


def test_every_command_is_named(page: str) -> None:
    """As a person would type it."""
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"selfnas audits {name}" in page


def _between(page: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", page, re.DOTALL)
    assert found
    return found[1].strip()
