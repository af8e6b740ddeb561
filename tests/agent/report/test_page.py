"""The report: its figures are what the trials say, its page is whole, self-contained and safe to open."""

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from agent.ledger.events import LedgerError
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.report.figures import Evidence, figures, gather
from agent.report.page import render
from selfnas.errors import InputError
from tests.agent.made_up import put_in
from tests.agent.tabular_lives import cold_life, ledger_of, warm_life


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two lives on the same three tables: `warm` with memory, `cold` without."""
    place = tmp_path_factory.mktemp("lives")
    warm_life(place / "warm")
    cold_life(place / "cold")
    return place


@pytest.fixture(scope="module")
def evidence(place: Path) -> Evidence:
    """Of the life with memory, compared with the other."""
    with ledger_of(place / "warm") as warm, ledger_of(place / "cold") as cold:
        return gather(warm, cold=cold)


def test_figures_are_what_the_trials_say(evidence: Evidence, place: Path) -> None:
    """Efficiency, forward transfer and novelty, worked out again from the plain scores."""
    with ledger_of(place / "cold") as cold:
        without = gather(cold)
    assert not any(task.with_memory for task in without.tasks)
    assert [task.with_memory for task in evidence.tasks] == [False, True, True]
    for index in (1, 2):
        task = evidence.tasks[index]
        here = [trial.value for trial in evidence.state.runs[0].tasks[index].trials]
        there = [trial.value for trial in without.state.runs[0].tasks[index].trials]
        level = 0.99 * max(there)
        needed = next((n for n, score in enumerate(here, 1) if score >= level), None)
        assert task.to_cold_level == needed
        assert task.cold_to_level == next(n for n, score in enumerate(there, 1) if score >= level)
        gain = 100 * np.mean([max(here[:n]) - max(there[:n]) for n in range(1, len(here) + 1)])
        assert task.forward_transfer == pytest.approx(gain)
    assert evidence.tasks[0].novelty is None
    assert evidence.tasks[0].forward_transfer is None
    gift = evidence.transfers[0]
    assert (gift.giver, gift.taker) == (0, 1)
    scores = sorted((trial.value for trial in evidence.state.runs[0].tasks[1].trials), reverse=True)
    assert scores[gift.rank - 1] == gift.score
    assert set(figures(evidence)) >= {"forward_transfer", "adaptation_latency", "architectural_novelty"}


class _Sources(HTMLParser):
    """Everything that a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_page_is_self_contained_and_escapes_what_it_shows(evidence: Evidence) -> None:
    """All pictures are inside, nothing is fetched or run, and a hostile name stays text."""
    page = render(evidence, title="<script>alert(1)</script>")
    found = _Sources()
    found.feed(page)
    assert "script" not in found.tags
    assert len(found.loaded) >= 2
    assert all(source.startswith("data:image/png;base64,") for source in found.loaded)
    assert "&lt;script&gt;" in page
    for name in (
        "search efficiency",
        "forward transfer",
        "adaptation latency",
        "architectural novelty",
        "Kept out by rule",
    ):
        assert name in page


def test_what_cannot_be_read_is_refused(tmp_path: Path, place: Path) -> None:
    """No life, a file that is no ledger, and events of another kind: one message each."""
    with pytest.raises(InputError, match="there is no ledger here"), ledger_of(tmp_path):
        pass
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 100)
    with pytest.raises(InputError, match="cannot be used"), ledger_of(tmp_path):
        pass
    strange = tmp_path / "strange"
    strange.mkdir()
    with Ledger(strange / "ledger.db", clock=time.time) as ledger:
        put_in(ledger, "run.started", {"run": 1})
        put_in(ledger, "task.started", {"task": "x"})
        with pytest.raises(
            LedgerError, match=r"event 0 \(run.started\) is no event of ours: .*required field `stream`"
        ):
            gather(ledger)


def test_the_command_writes_the_page(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the file that was named; a place that cannot be written is one message."""
    from agent.commands.report import write_report

    write_report(place / "warm", output=tmp_path / "out.html", cold=place / "cold", mirror=False)
    assert re.search(r"out\.html: 3 task\(s\)", capsys.readouterr().out)
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(place / "warm", output=tmp_path / "out.html" / "x.html", cold=None, mirror=False)
    assert Home(place / "warm").ledger.is_file()
