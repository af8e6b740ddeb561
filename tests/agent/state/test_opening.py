"""Opening a long life: the same state as reading every event, whatever happened, and no tampered event."""

import random
import shutil
import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.ledger.events import (
    Admitted,
    Certified,
    Evaluated,
    Facts,
    Filtered,
    LedgerError,
    MotifQuarantined,
    MotifRestored,
    PolicyKept,
    Refused,
    Reviewed,
    RunFinished,
    RunStarted,
    Shape,
    Table,
    TaskFinished,
    TaskStarted,
    Trained,
)
from agent.ledger.store import Ledger
from agent.memory.recall import past_tasks
from agent.state.opening import recollect
from agent.state.state import LifeState, TaskState, replay
from agent.verify.snapshot import check_snapshot
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from tests.agent.made_up import blank

CELLS = [
    SPACES["nb201"].decode(np.array([3, 3, index % 5, 1 + index // 5, 3, 3], dtype=np.int8), macro=Macro(8, 1, 16))
    for index in range(10)
]
SHAPE = Shape(channels=1, size=[8, 8], classes=10)


class Script:
    """Writes a life that could have been, one event at a time, with everything that moves motifs about."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        ledger._db.execute("PRAGMA synchronous = OFF")
        self.ledger, self.chance = ledger, random.Random(seed)
        self.run = 0
        self.finalists: list[dict[str, Any]] = []

    def tell(self, kind: type[Facts], **facts: Any) -> None:
        """One more event, with nothing of note where it must say something."""
        self.ledger.append([blank(kind, **facts)])

    def life(self, *, runs: int, tasks: int) -> None:
        """Runs with tasks, decisions between them."""
        for _ in range(runs):
            self.run += 1
            self.tell(RunStarted, run=self.run)
            self.judge_again()
            for index in range(tasks):
                self.task(f"task{index}", tabular=self.chance.random() < 0.4)
                self.tell(PolicyKept, run=self.run, after_task=index + 1)
                self.review()
            self.tell(RunFinished)

    def task(self, name: str, *, tabular: bool) -> None:
        """A task and its finalists."""
        table = {"table": Table(name="t", dataset="a")} if tabular else {}
        description = {"x": self.chance.randrange(3)}
        self.tell(TaskStarted, task=name, task_digest=name, description=description, **table, shape=SHAPE)
        for cell in self.chance.sample(CELLS, 4):
            common: dict[str, Any] = {"architecture": str(cell), "digest": cell.digest}
            self.tell(Certified, **common, certificate="{}")
            self.tell(Evaluated, **common, fidelity="low", score=self.chance.choice([None, 0.5, 0.7]))
            if tabular:
                continue
            facts: dict[str, Any] = {"validation": self.chance.random(), "params": 10, "weights_sha256": "w"}
            self.tell(Trained, **common, **facts, reason="", test_correct=9, test_count=10)
            if self.chance.choice([Admitted, Refused]) is Admitted:
                self.tell(Admitted, **common, **facts, test=0.9, certificate="{}")
            else:
                self.tell(Refused, **common, decision="reject")
            self.finalists.append({"run": self.run, "task": name, "digest": cell.digest})
            if self.chance.random() < 0.3:  # the life was cut off here, a person decided, the life went on
                self.review()
        self.tell(Filtered, rules={"r": 1}, exhausted=False)
        self.tell(TaskFinished, task=name)

    def review(self) -> None:
        """Reverse what stands about one finalist, whichever."""
        if not self.finalists:
            return
        where = self.chance.choice(self.finalists)
        state = replay(self.ledger)
        finalist = state.runs[where["run"] - 1].tasks.named(where["task"]).finalist(where["digest"])
        flipped = {"admitted": "refused", "refused": "admitted"}[finalist.standing]
        self.tell(Reviewed, **where, decision="overrule", standing=flipped)

    def judge_again(self) -> None:
        """Quarantine some motifs and restore what was quarantined."""
        state = replay(self.ledger)
        for motif in list(state.library):
            if self.chance.random() < 0.2:
                self.tell(MotifQuarantined, admitted_seq=motif.seq, failed=["r"])
        for seq in state.quarantined:
            self.tell(MotifRestored, admitted_seq=seq)


def written(path: Path, seed: int) -> Ledger:
    """A ledger of two runs with three tasks each."""
    ledger = Ledger(path, clock=lambda: 1.0)
    Script(ledger, seed).life(runs=2, tasks=3)
    return ledger


def plain(task: TaskState) -> dict[str, Any]:
    """A task's public fields and its trials."""
    return {f.name: getattr(task, f.name) for f in fields(task) if f.name[0] != "_"} | {"trials": task.trials}


def contents(state: LifeState) -> list[Any]:
    """All that a state says."""
    runs = [(run.number, run.started, run.tuned, run.finished, [*map(plain, run.tasks)]) for run in state.runs]
    past = [
        past_tasks(state, before=before, space="nb201", tabular=tabular)
        for tabular in (False, True)
        for before in (None, state.runs[-1].tasks.open if state.runs and len(state.runs[-1].tasks) else None)
    ]
    return [runs, list(state.library), state.quarantined, state.restored, state.policy_changes, past]


@pytest.mark.parametrize("seed", range(2))
def test_a_recollected_life_is_the_replayed_one_wherever_it_was_cut_off(tmp_path: Path, seed: int) -> None:
    """Prefixes of a random life, opened from what a shorter one settled; and after the rest was appended."""
    growing, further = tmp_path / "growing.db", tmp_path / "further.db"
    with written(tmp_path / "whole.db", seed) as whole:
        events = list(whole.events())
    for length in range(seed, len(events), 13):
        with Ledger(tmp_path / f"{length}.db", clock=lambda: 1.0) as ledger:
            ledger._db.execute("PRAGMA synchronous = OFF")
            ledger.append([event.facts for event in events[:length]])
            expected = contents(replay(ledger))
            for snapshot in (None, growing):
                state = recollect(ledger, snapshot)
                assert contents(state) == expected
                state.close()
            shutil.copy(growing, further)
            state = recollect(ledger, further)
            for event in ledger.append([event.facts for event in events[length:]]):
                state.apply(event)
            expected = contents(replay(ledger))
            assert contents(state) == expected
            state.close()
            assert list(check_snapshot(ledger, further)) == []
            state = recollect(ledger, further)
            assert contents(state) == expected
            state.close()


def test_what_is_not_asked_for_is_not_kept(tmp_path: Path) -> None:
    """A finished task is let go, read when asked for, and the names of all are known without reading."""
    with written(tmp_path / "ledger.db", 0) as ledger:
        tasks = recollect(ledger).runs[0].tasks
        assert tasks.names == ["task0", "task1", "task2"]
        assert tasks.here == []
        assert tasks[1].name == "task1"
        assert tasks[1] is tasks[1]


def test_the_index_is_used(tmp_path: Path) -> None:
    """Opening searches the index, not the events."""
    with written(tmp_path / "ledger.db", 0) as ledger:
        asked: list[str] = []
        ledger._db.set_trace_callback(asked.append)
        list(ledger.landmarks())
        plan = ledger._db.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert "USING INDEX landmarks" in plan[0][-1]


@pytest.mark.parametrize("kind", ["admitted", "motif.quarantined", "task.started", "run.started"])
def test_an_edited_event_stops_the_opening(tmp_path: Path, kind: str) -> None:
    """What does not have the content of its hash is named, not folded in."""
    path = tmp_path / "ledger.db"
    written(path, 1).__exit__(None, None, None)
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER events_are_final")
        db.execute("UPDATE events SET payload = json_set(payload, '$.run', 77) WHERE kind = ?", (kind,))
    db.close()
    with Ledger(path, clock=lambda: 1.0) as ledger, pytest.raises(LedgerError, match=rf"event \d+ \({kind}\)"):
        recollect(ledger)


@pytest.mark.parametrize(("kind", "opens"), [("policy.kept", False), ("reviewed", True)])
def test_an_index_that_leaves_something_out_is_found(tmp_path: Path, kind: str, opens: bool) -> None:
    """Between tasks the opening itself notices; verification always does."""
    path = tmp_path / "ledger.db"
    written(path, 1).__exit__(None, None, None)
    with sqlite3.connect(path) as db:
        (right,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'landmarks'").fetchone()
        db.execute("DROP INDEX landmarks")
        db.execute(right + f" AND kind != '{kind}'")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'landmarks'", (right,))
    db.close()
    with Ledger(path, clock=lambda: 1.0, read_only=True) as ledger:
        if not opens:
            with pytest.raises(LedgerError, match="missing or out of place"):
                recollect(ledger)
        assert "index of landmarks" in "\n".join(ledger.broken_links())
