"""Every finalist that waits is decided in a real browser, and the ledger is asked what became of each press."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agent.desk.app import Desk, application
from agent.desk.guarding import Access
from agent.desk.inbox import Inbox
from agent.desk.view import View
from agent.ledger.events import Reviewed
from agent.ledger.store import reading
from experiments.desk.browser import Browser, opened
from experiments.desk.crowded import crowd
from experiments.harness import run
from tests.golden.stored_home import rebuild

__all__ = ["Walk", "walk"]

_MOST_REFUSED = 50
_READ = """({
  digest: document.querySelector('#decide input[name=item]').value.split(':')[2],
  event: document.querySelector('#decide input[name=item]').value.split(':')[0],
  refused: document.querySelector('#approve').disabled,
})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a walk through the queue came to.

    Attributes:
        decided: finalists about which a button was pressed, and the next page told no problem.
        refused: presses that were refused by a sentence.
        lost: of those, without an event.
        doubled: with several.
        elsewhere: events whose words were typed on another finalist's page.
        seconds: from each press to the time of its event.
        pages: from each press until the next page had loaded.
    """

    decided: int
    refused: int
    lost: int
    doubled: int
    elsewhere: int
    seconds: tuple[float, ...]
    pages: tuple[float, ...]


def walk(browser: Browser, address: str, *, key: str, home: Path) -> Walk:
    """Decide from the first page of the queue until nothing waits: by turns approve or let in, overrule, send back."""
    since = _head(home)
    browser.go(f"{address}/?key={key}")
    browser.key("j")
    browser.key("Enter", leads=True)
    pressed: dict[str, tuple[str, float]] = {}  # by what was typed: the digest of the page, and when
    refused: list[str] = []
    pages: list[float] = []
    while browser.value("document.body.dataset.page") == "item":
        shown = browser.value(_READ)
        turn = len(pressed) % 3
        name = ("overrule" if shown["refused"] else "approve", "overrule", "send-back")[turn]
        reason = f"press {len(pressed)}, item {shown['event']}"
        browser.value("(() => { const field = document.getElementById('reason'); field.value = ''; field.focus(); })()")
        browser.type(reason)
        pressed[reason] = shown["digest"], time.time()
        begun = time.monotonic()
        browser.click(f"#{name}")
        pages.append(time.monotonic() - begun)
        if browser.value("document.querySelector('.problem') !== null"):
            refused.append(reason)
            told = browser.value("document.querySelector('.problem').textContent")
            if len(refused) > _MOST_REFUSED:
                raise RuntimeError(f"refused again and again: {told}")
    return _compared(home, since, pressed, refused, pages)


def _compared(
    home: Path, since: int, pressed: dict[str, tuple[str, float]], refused: list[str], pages: list[float]
) -> Walk:
    with reading(home) as ledger:
        said = [event for event in ledger.events(since=since) if isinstance(event.facts, Reviewed)]
        times = ledger.times()
    facts = [(event.seq, event.facts) for event in said if isinstance(event.facts, Reviewed)]
    counts = Counter(one.reason for _, one in facts)
    return Walk(
        decided=len(pressed) - len(refused),
        refused=len(refused),
        lost=sum(counts[reason] == 0 for reason in pressed if reason not in refused),
        doubled=sum(counts[reason] > (reason not in refused) for reason in pressed),
        elsewhere=sum(one.reason not in pressed or pressed[one.reason][0] != one.digest for _, one in facts),
        seconds=tuple(times[seq] - pressed[one.reason][1] for seq, one in facts if one.reason in pressed),
        pages=tuple(pages),
    )


def _head(home: Path) -> int:
    with reading(home) as ledger:
        return ledger.head()[0]


def measure(
    count: Annotated[int, typer.Option(min=4, help="Finalists that wait.")] = 200,
    stored: Annotated[Path, typer.Option(help="A stored life.")] = Path("tests/golden/trained"),
) -> None:
    """Walk through a crowded life of the queue, and print the figures."""
    import socket
    import threading

    import uvicorn

    with tempfile.TemporaryDirectory() as scratch, socket.socket() as taken:
        home = Path(scratch) / "home"
        rebuild(stored, home)
        crowd(home, count)
        taken.bind(("127.0.0.1", 0))
        access = Access(port=taken.getsockname()[1])
        desk = Desk(view=View(home), inbox=Inbox(home), access=access, author="walker", mlflow="", decided=lambda: None)
        server = uvicorn.Server(uvicorn.Config(application(desk), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        with opened() as browser:
            found = walk(browser, f"http://127.0.0.1:{access.port}", key=access.key, home=home)
        server.should_exit = True
        thread.join()
    print(
        f"decided {found.decided}, refused {found.refused}: lost {found.lost}, doubled {found.doubled}, "
        f"elsewhere {found.elsewhere}"
    )
    for name, values in (("press to event", found.seconds), ("press to next page", found.pages)):
        told = ", ".join(f"{100 * q:.0f} %: {np.quantile(values, q):.2f} s" for q in (0.5, 0.95, 1.0))
        print(f"{name}: {told}")


if __name__ == "__main__":
    run(measure)
