"""Intervals, tables and processor time of the experiments."""

import math
import subprocess
import sys

import numpy as np
import pytest

from experiments.harness import interval, mean_and_margin, print_table, processor_seconds


def test_mean_and_margin_by_hand() -> None:
    """Of 1, 2 and 3: standard error 0.577, times 4.303 for two degrees of freedom."""
    assert mean_and_margin([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.302653 / math.sqrt(3)))
    assert interval([1.0, 2.0, 3.0], form="+.2f") == "+2.00 [-0.48, +4.48]"


def test_groups_are_averaged_first_and_nothing_is_made_of_nan() -> None:
    """Two tasks of one order are one value; a value that is not there counts nowhere."""
    grouped = mean_and_margin([1.0, 3.0, 4.0, np.nan], groups=[0, 0, 1, 1])
    assert grouped == pytest.approx(mean_and_margin([2.0, 4.0]))
    assert mean_and_margin([5.0, np.nan])[0] == 5.0
    assert math.isnan(mean_and_margin([5.0])[1])
    assert math.isnan(mean_and_margin([])[0])


def test_a_table_is_markdown_whose_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is pasted into a README."""
    print_table(("name", "n"), [("a", 10), ("longer", 7)], title="counts")
    assert capsys.readouterr().out.splitlines() == [
        "",
        "counts",
        "",
        "| name   | n  |",
        "| ------ | -- |",
        "| a      | 10 |",
        "| longer | 7  |",
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_processor_time_is_of_all_processes_of_a_session() -> None:
    """Here of the child, for its parent only waits; it is looked at each half second."""
    child = "import time\nwhile time.process_time() < 1.2: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    assert 0.5 < processor_seconds(process) < 2.5
    assert process.returncode == 0
