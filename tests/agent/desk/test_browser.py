"""The desk in a real browser: keys and clicks decide what is looked at, and the pages' own policy forbids nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.api.reviewing import Wish, decide
from agent.desk.view import View
from experiments.desk.browser import CHROMIUM, Browser, opened
from experiments.desk.crowded import crowd
from experiments.desk.walk import walk
from tests.agent.desk.conftest import Visitor, decisions, events_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the pages with"),
]
COUNT = 12


@pytest.fixture(scope="module")
def crowded_life(stored_life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life with some more finalists than the stored one."""
    home = tmp_path_factory.mktemp("crowd") / "home"
    shutil.copytree(stored_life, home)
    crowd(home, COUNT)
    return home


@pytest.fixture
def home(crowded_life: Path, tmp_path: Path) -> Path:
    """A copy that may be decided about."""
    shutil.copytree(crowded_life, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A fresh one."""
    with opened() as browser:
        yield browser


def test_the_keyboard_decides(visit: Callable[..., Visitor], home: Path, browser: Browser) -> None:
    """Down and open, choose and press: an event with what was typed; no script fails, and none is forbidden."""
    visitor = visit()
    browser.go(f"http://127.0.0.1:{visitor.port}/?stage=awaiting&standing=admitted&key={visitor.access.key}")
    browser.key("j")
    browser.key("j")
    browser.key("Enter", leads=True)
    event = int(browser.value("location.pathname").rpartition("/")[2])
    before = len(decisions(home))
    browser.key("r")
    browser.key("Enter", ctrl=True)
    assert len(decisions(home)) == before, "no reason was given"
    browser.type("looks at the border")
    browser.key("Enter", ctrl=True, leads=True)
    (_, said) = decisions(home)[-1]
    assert (len(decisions(home)), said.decision, said.reason) == (before + 1, "overrule", "looks at the border")
    assert f"{said.digest[:12]} (task {said.task}, run {said.run}) now stands refused" in browser.value(
        "document.querySelector('.notice').textContent"
    )
    assert int(browser.value("location.pathname").rpartition("/")[2]) > event
    browser.key("a")
    assert browser.value("document.activeElement.id") == "approve"
    browser.key("Enter", leads=True)
    assert decisions(home)[-1][1].decision == "approve"
    assert browser.errors == []


def test_a_walk_through_the_queue_decides_each_finalist_once(
    visit: Callable[..., Visitor], home: Path, browser: Browser
) -> None:
    """Whatever is pressed lands on the finalist whose page was shown, with its own words; none is lost or doubled."""
    visitor = visit()
    walked = walk(browser, f"http://127.0.0.1:{visitor.port}", key=visitor.access.key, home=home)
    assert walked.decided >= COUNT
    assert walked.refused <= 4, "finalists of earlier constraint sets cannot be let in"
    assert (walked.lost, walked.doubled, walked.elsewhere) == (0, 0, 0)
    assert len(browser.errors) == walked.refused
    assert all("409 (Conflict)" in error for error in browser.errors)


def test_the_live_page_follows_what_happens(visit: Callable[..., Visitor], home: Path, browser: Browser) -> None:
    """What somebody else appends is seen without loading the page again."""
    visitor = visit()
    browser.go(f"http://127.0.0.1:{visitor.port}/live?key={visitor.access.key}")
    count = View(home).head()[0]
    shown = "document.getElementById('live').textContent.includes('last of {} events')"
    browser.until(shown.format(count))
    browser.value("window.isSame = true")
    decide(home, [Wish(decision="approve", event=events_of(home, standing="admitted")[0], author="Bob")])
    browser.until(shown.format(count + 1))
    assert browser.value("window.isSame")
    assert browser.errors == []


def test_a_rule_is_counted_while_it_is_typed(visit: Callable[..., Visitor], browser: Browser) -> None:
    """No button is pressed; the address then says what was typed."""
    visitor = visit()
    browser.go(f"http://127.0.0.1:{visitor.port}/play?key={visitor.access.key}")
    browser.value("document.querySelector('textarea').focus()")
    browser.type("every edge() is live")
    browser.until("document.getElementById('tried').textContent.includes('9,445')")
    browser.until("location.search.includes('rule=every')")
    browser.until("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert browser.errors == []
