"""The speed table: every row is measured, with its target."""

from __future__ import annotations

import pytest

from experiments.speed.constraints import measure


@pytest.mark.slow
def test_the_speed_table_is_complete() -> None:
    """A quick pass measures certificates, draws, prefilter, analysis and repair; rows know their targets."""
    rows = measure(quick=True)
    text = "\n".join(row.what for row in rows)
    for words in ("issued", "re-verified", "uniform", "prefilter", "diff", "lint", "nearest", "blamed"):
        assert words in text
    assert all(row.value > 0 for row in rows)
    assert all(isinstance(row.is_met, bool) for row in rows)
