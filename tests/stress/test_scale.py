"""The events that `tests.stress.scale` makes up are such as a life has."""

from itertools import islice
from pathlib import Path

import pytest

from agent.ledger.store import Ledger
from agent.state.opening import recollect
from tests.stress import scale
from tests.stress.scale import begin, fill


def test_made_up_lives_open_like_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every fact of their kinds, over the end of a run."""
    monkeypatch.setattr(scale, "STREAM_TASKS", 2)
    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        ledger._db.execute("PRAGMA synchronous = OFF")
        ledger.append([begin(1)])
        for block in islice(fill(), 5):
            ledger.append(block)
        state = recollect(ledger, tmp_path / "snapshot.db")
        assert [len(run.tasks) for run in state.runs] == [2, 2]
        assert len(state.library) == 4 * len(state.runs[0].tasks[0].finalists)
        state.close()
