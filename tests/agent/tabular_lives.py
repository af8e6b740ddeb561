"""Short lives on made-up tables, lived inside the test's own process: no workers, no network, under a second each."""

import time
from collections.abc import Sequence
from pathlib import Path

from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.state.state import LifeState
from agent.stream.file import read_stream

TABLES = """\
stream: tables
format: 1
budget: {evaluations: 16, full_trainings: 2}
policy: {strategy: transfer, batch: 4, recall: 3}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
  - {name: three, source: table, dataset: c}
"""


def live(home: Path, *, overrides: Sequence[str] = (), text: str = TABLES) -> LifeState:
    """One run of the stream on a home; the state at its end."""
    home.parent.mkdir(parents=True, exist_ok=True)
    path = home.parent / "tables.yaml"
    path.write_text(text)
    prepared = prepare(read_stream(path, overrides=overrides))
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger:
        life = Life(ledger, prepared, workers=None, home=held, device="cpu", observer=Unobserved())  # type: ignore[arg-type]
        life.check_resumable()
        life.run()
        return life.state


def warm_life(home: Path) -> LifeState:
    """With memory: the strategy learns from earlier tasks, winners are recalled."""
    return live(home)


def cold_life(home: Path) -> LifeState:
    """The same search without memory."""
    return live(home, overrides=["policy.strategy=surrogate", "policy.recall=0"])


def ledger_of(home: Path) -> Ledger:
    """Its ledger, for reading."""
    return Ledger(Home(home).ledger, clock=time.time, read_only=True)
