"""Lives on tables: looked up, certified, recorded, never admitted."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agent.gate.domain import GuardedDomain, SpelledGuardedDomain
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.state.state import LifeState, replay
from agent.verify.verification import verify
from constraints import Guard, load_set
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, space_named
from selfnas.tables.tabular import synthetic_benchmark
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


def test_a_life_without_an_objective_has_no_front(tmp_path: Path, selfnas: Run) -> None:
    """It says what is missing, not a cost without a name."""
    (tmp_path / "tables.yaml").write_text(TABLES)
    assert selfnas("run", "tables.yaml", "--workers", "1", "--no-mirror").returncode == 0
    told = selfnas("front", "one")
    assert told.returncode == 2
    assert "task 'one' records no costs: its stream has no `objective` that counts any" in " ".join(told.stderr.split())


def test_a_life_on_tables_is_certified_recorded_and_admits_nothing(tmp_path: Path, selfnas: Run) -> None:
    """Both tasks are searched through the gate, the second tries the first one's best, and the library stays empty."""
    (tmp_path / "tables.yaml").write_text(TABLES)
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    assert "nothing trained or audited" in done.stdout
    life = _state(tmp_path / "home")
    assert not life.library
    first, second = life.runs[0].tasks
    assert [len(first.trials), len(first.tabulated)] == [12, 2]
    assert all(str(trial.architecture) in first.certificates for trial in first.trials)
    assert len(second.started.recalled) == 1
    assert second.evaluations[0].origin == "recalled"
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


@pytest.mark.parametrize("name", ["nb201", "transnas-micro"])
def test_a_sweep_over_the_space_is_not_tallied(name: str) -> None:
    """What a strategy looked at counts; the whole space, enumerated when it is exhausted, does not."""
    space, macro = SPACES[name], Macro()
    guard = Guard(
        load_set("baseline"),
        space=space_named(name),
        macro=macro,
        shape=TaskShape(channels=3, size=(32, 32), classes=10),
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
        load_set("baseline"),
        space=space_named("nb201"),
        macro=macro,
        shape=TaskShape(channels=3, size=(32, 32), classes=10),
    )
    table = synthetic_benchmark()
    rows = table.space.enumerate()
    domain = SpelledGuardedDomain(guard, space=table.space, broken=guard.violations(rows), macro=macro)
    assert (domain.admits(rows[::7]) == guard.admits(rows[::7])).all()
    assert len({domain.identity(row) for row in rows[:500]}) == 500


TRANSNAS_TASKS = ("class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder")
# One operation, from the input to the output: four cells of the space.
NARROW = """\
set: narrow
language: 1
spaces: [nb201]
rules:
  - {id: connected, scope: cell, require: "exists path(input, output)", why: a test, message: no path}
  - {id: few, scope: cell, require: "count(edge()) <= 1", why: a test, message: too many operations}
"""


def _transnas_table(path: Path) -> None:
    """A made-up table in the columns of TransNAS-Bench-101 micro."""
    rng = generator(0, "transnas")
    cells = SPACES["transnas-micro"].enumerate()[rng.permutation(4096)]
    columns = {edge: cells[:, i] for i, edge in enumerate(("e01", "e02", "e12", "e03", "e13", "e23"))}
    for task in TRANSNAS_TASKS:
        columns[f"{task}_val"] = rng.uniform(10, 60, 4096)
        columns[f"{task}_ms"] = rng.uniform(1, 2, 4096)
    pd.DataFrame(columns).to_csv(path, index=False)


def test_a_life_on_a_table_of_transnas_micro(tmp_path: Path, selfnas: Run) -> None:
    """Tasks go by the data set names of that table; the life is certified and verified like any other."""
    _transnas_table(tmp_path / "transnas.csv.gz")
    (tmp_path / "tables.yaml").write_text(
        "stream: tables\nformat: 1\nspace: transnas-micro\nbudget: {evaluations: 8, full_trainings: 2}\n"
        "policy: {population: 4, sample: 2, batch: 4, recall: 2}\ntasks:\n"
        + "".join(
            f"  - {{name: {name}, source: table, path: transnas.csv.gz, dataset: {name}}}\n"
            for name in ("jigsaw", "autoencoder")
        )
    )
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    tasks = _state(tmp_path / "home").runs[0].tasks
    assert [len(task.trials) for task in tasks] == [8, 8]
    assert tasks[1].evaluations[0].origin == "recalled"
    home = Home(tmp_path / "home")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        assert verify(ledger, home).problems == []


@pytest.mark.parametrize("strategy", ["random", "local_search", "regularised_evolution", "nsga2", "surrogate"])
def test_a_set_that_leaves_fewer_cells_than_the_population(tmp_path: Path, selfnas: Run, strategy: str) -> None:
    """All that is admitted is looked up, then the task ends before its budget does, with the ledger intact."""
    (tmp_path / "narrow.yaml").write_text(NARROW)
    (tmp_path / "tables.yaml").write_text(
        "stream: tables\nformat: 1\nconstraints: narrow.yaml\nbudget: {evaluations: 50, full_trainings: 2}\n"
        f"policy: {{strategy: {strategy}, population: 20, sample: 5, batch: 8}}\n"
        "tasks:\n  - {name: one, source: table, dataset: a}\n"
    )
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    [task] = _state(tmp_path / "home").runs[0].tasks
    assert task.exhausted
    assert len({str(trial.architecture) for trial in task.trials}) == len(task.trials) == 4
    assert len(task.tabulated) == 2
    home = Home(tmp_path / "home")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        assert verify(ledger, home).problems == []


def test_a_table_with_scores_that_are_not_numbers_is_refused(tmp_path: Path, selfnas: Run) -> None:
    """NaN scores never reach a search: the table is refused with its place, and no life is begun."""
    _transnas_table(tmp_path / "transnas.csv.gz")
    table = pd.read_csv(tmp_path / "transnas.csv.gz")
    table["jigsaw_val"] = np.nan
    table.to_csv(tmp_path / "transnas.csv.gz", index=False)
    (tmp_path / "tables.yaml").write_text(
        "stream: tables\nformat: 1\nspace: transnas-micro\ntasks:\n"
        "  - {name: one, source: table, path: transnas.csv.gz, dataset: jigsaw}\n"
    )
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 2
    assert "4096 are not finite" in done.stderr
    assert not (tmp_path / "home").exists()
