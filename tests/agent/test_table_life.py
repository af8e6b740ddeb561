"""Lives on tables: looked up, certified, recorded, never admitted."""

import time
from pathlib import Path

import pytest

from agent.home import Home
from agent.ledger import Ledger
from agent.life import replay
from agent.proposals import GuardedDomain, SpelledGuardedDomain
from agent.state import LifeState, items
from agent.verify import verify
from constraints import Guard, load_set
from selfnas.architecture import Macro, TaskShape
from selfnas.space import SPACES
from selfnas.tabular import synthetic_benchmark
from tests.agent.conftest import Run

TABLES = """\
stream: tables
format: 1
budget: {evaluations: 12, full_trainings: 2}
policy: {population: 6, sample: 3, batch: 4, recall: 2}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""


def _state(home: Path) -> LifeState:
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return replay(ledger)


def test_a_life_on_tables_is_certified_recorded_and_admits_nothing(tmp_path: Path, selfnas: Run) -> None:
    """Both tasks are searched through the gate, the second tries the first one's best, and the library stays empty."""
    (tmp_path / "tables.yaml").write_text(TABLES)
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    assert "nothing trained or audited" in done.stdout
    life = _state(tmp_path / "home")
    assert life.library == []
    first, second = life.runs[0].tasks
    assert [len(first.trials), len(first.tabulated)] == [12, 2]
    assert all(str(trial.architecture) in first.certificates for trial in first.trials)
    assert len(items(second.started["recalled"])) == 1
    assert second.evaluations[0]["origin"] == "recalled"
    home = Home(tmp_path / "home")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        result = verify(ledger, home)
    assert result.problems == []
    assert result.checked["tabulated"] == 4


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("{name: one, source: table}", "needs a dataset"),
        ("{name: one, source: digits, dataset: a}", "no other source has one"),
        ("{name: one, source: table, dataset: nowhere}", "unknown task"),
        ("{name: one, source: table, path: absent.csv.gz, dataset: a}", "cannot be read"),
        ("{name: one, source: table, dataset: a, limit: 100}", "has no examples"),
    ],
)
def test_a_wrong_table_is_named_with_its_place(tmp_path: Path, selfnas: Run, task: str, words: str) -> None:
    """Exit code 2, the file with line and column, and what is wrong."""
    (tmp_path / "wrong.yaml").write_text(f"stream: wrong\nformat: 1\ntasks:\n  - {task}\n")
    done = selfnas("run", "wrong.yaml", "--home", "home", "--workers", "1")
    assert done.returncode == 2
    assert "wrong.yaml:4:" in done.stderr
    assert words in done.stderr


def test_a_sweep_over_the_space_is_not_tallied() -> None:
    """What a strategy looked at counts; the whole space, enumerated when it is exhausted, does not."""
    space, macro = SPACES["nb201"], Macro()
    guard = Guard(
        load_set("baseline"), space="nb201", macro=macro, shape=TaskShape(channels=3, size=(32, 32), classes=10)
    )
    domain = GuardedDomain(guard, space=space, macro=macro)
    everything = space.enumerate()
    assert domain.admits(everything).sum() == guard.count().high
    assert not domain.filtered
    domain.admits(everything[:100])
    assert domain.filtered


def test_spellings_are_told_apart_on_tables() -> None:
    """Two spellings of one network have two identities."""
    macro = Macro()
    guard = Guard(
        load_set("baseline"), space="nb201", macro=macro, shape=TaskShape(channels=3, size=(32, 32), classes=10)
    )
    table = synthetic_benchmark()
    rows = table.space.enumerate()
    domain = SpelledGuardedDomain(guard, benchmark=table, broken=guard.violations(rows), macro=macro)
    assert (domain.admits(rows[::7]) == guard.admits(rows[::7])).all()
    assert len({domain.identity(row) for row in rows[:500]}) == 500
