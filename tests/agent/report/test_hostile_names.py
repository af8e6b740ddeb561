"""Texts that a forged or foreign source brings into pages, notes and pictures stay texts."""

from collections import Counter
from pathlib import Path

import pytest

from agent.ledger.events import LedgerError, Rejected, RunStarted, TaskStarted
from agent.ledger.home import Home
from agent.mirror.artifacts import Exhibit, write_task_files
from agent.report.figures import Transfer
from agent.report.page_pictures import matrix_picture
from agent.report.summary import Accuracy
from agent.state.state import RunState, TaskState
from audits import Finding, card, card_page, judge, load_suite
from tests.agent.made_up import blank

NASTY = "<script>x</script> ![i](http://e/p.png) | [l](http://e) `c`\n# *h*"


def test_what_the_gate_kept_out_is_told_in_plain_words(tmp_path: Path) -> None:
    """Names of rules and messages of authors: no HTML, no link, no picture, no cell of a table, no heading."""
    task = TaskState(index=0, name=NASTY, first=0, started=blank(TaskStarted), filtered=Counter({NASTY: 3}))
    texts = {name: [NASTY] for name in ("failed", "messages", "blamed", "nearest")}
    task.rejected.append(blank(Rejected, architecture=NASTY, **texts, distance=1))
    suite = load_suite("baseline")
    run = RunState(number=1, started=blank(RunStarted))
    write_task_files(Exhibit(Home(tmp_path / "home"), run, task, suite), tmp_path)
    lines = (tmp_path / "rejections.md").read_text().splitlines()
    for line in lines:
        outside = "".join(line.split("`")[::2]) if "`<script>" in line else line  # code is shown as it is
        assert "<script>" not in outside
        assert "](http" not in outside.replace("\\](http", "")
    assert [line for line in lines if line.startswith("#")] == [line for line in lines if line[:2] in ("# ", "##")]
    assert all(
        line.count("|") - line.count("\\|") == 3 for line in lines if line.startswith("| ") and "---" not in line
    )


def test_a_finding_brings_neither_link_nor_script_into_its_card() -> None:
    """A note may quote a message of a foreign library; the page may load nothing either."""
    found = Finding(
        audit="skill", subject=NASTY, statistic="above_chance", estimate=None, low=None, high=None, n=0, threshold=0.2,
        decision="void", role="gate", note=NASTY,
    )  # fmt: skip
    text = card([found], judge([found], load_suite("baseline")), title=NASTY, facts={NASTY: NASTY})
    assert "](http" not in text
    page = card_page(text, pictures={})
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src 'none'" in page


def test_a_dollar_in_a_name_begins_no_formula() -> None:
    """What is no formula would break the picture, and the report with it."""
    gift = Transfer(giver=0, taker=1, count=1, rank=1, score=0.5)
    assert matrix_picture(["$x_{", "b$"], [gift]).startswith(b"\x89PNG")


@pytest.mark.parametrize(("correct", "count"), [(0, 0), (5, 4), (-1, 4)])
def test_no_accuracy_of_nothing(correct: int, count: int) -> None:
    """What a forged event counts is refused before it is divided."""
    with pytest.raises(LedgerError, match="is no accuracy"):
        Accuracy(correct, count)
