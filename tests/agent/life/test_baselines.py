"""Lives that are measured beside baselines, or are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.ledger.events import UNSET
from agent.ledger.home import Home
from agent.state.rivals import best_rival
from agent.state.state import LifeState, replay
from agent.verify.refitting import fit_again
from agent.verify.verification import verify
from selfnas.baselines.paired import hits_in_text
from selfnas.training import intervals
from tests.agent.conftest import TINY, Run
from tests.agent.tabular_lives import ledger_of
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

ONE = TINY[: TINY.index("  - {name: again")].replace("evaluations: 4", "evaluations: 2")


def lived(selfnas: Run, text: str, *settings: str) -> tuple[LifeState, str]:
    """The state after one run, which verifies, and what was printed."""
    Path("tiny.yaml").write_text(text)
    sets = [word for setting in settings for word in ("--set", setting)]
    done = selfnas("run", "tiny.yaml", "--home", "home", "--workers", "1", "--no-mirror", *sets)
    assert done.returncode == 0, done.stderr
    home = Home(Path("home"))
    with ledger_of(home.root) as ledger:
        assert verify(ledger, home).problems == []
        return replay(ledger), done.stdout


@pytest.mark.slow
def test_by_another_metric_a_gain_is_measured(selfnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the winner's own weights, and recorded with its interval."""
    monkeypatch.chdir(tmp_path)
    state, printed = lived(selfnas, ONE.replace("macro:", "metric: {classification: balanced_accuracy}\nmacro:"))
    [task] = state.runs[0].tasks
    assert task.baselined is not None
    digest = task.admitted()[0].digest
    for one in task.baselined.results:
        assert one.metric == "balanced_accuracy"
        assert one.gain is not UNSET
        assert one.gain.digest == digest
    best = best_rival(task)
    assert best is not None
    assert best.gain is not None
    tested = task.admitted()[0].trained.metric
    assert tested is not UNSET
    assert best.record.estimate == pytest.approx(tested.estimate - best.gain.estimate)
    assert best.difference in printed


@pytest.mark.slow
def test_made_up_answers_are_found_when_baselines_are_fitted_again(
    selfnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits, count, interval and limits fit each other, so that nothing else shows it; an honest life holds."""
    monkeypatch.chdir(tmp_path)
    state, _ = lived(selfnas, ONE)
    honest = fit_again(state, count=9, seed=0, base=tmp_path)
    assert (honest.problems, honest.notes, honest.checked["baselines fitted again"]) == ([], [], 3)

    def edit(events: Events) -> None:
        for kind, payload in events:
            for one in payload["results"] if kind == "baselined" else ():
                right = np.arange(one["n"]) < one["n"] // 3
                one["hits"], one["estimate"] = hits_in_text(right), int(right.sum()) / one["n"]
                one["low"], one["high"] = intervals.binomial(int(right.sum()), one["n"])
            if kind == "task.finished":  # no baseline is better than the network any longer
                payload["limits"] = [one for one in payload["limits"] if one["name"] != "training"]

    forged = rewrite(tmp_path / "home", tmp_path / "forged", edit)
    with ledger_of(forged.root) as ledger:
        assert verify(ledger, forged).problems == []
        again = fit_again(replay(ledger), count=9, seed=0, base=tmp_path)
    assert len(again.problems) == 3
    assert all("recorded as 0.3" in problem for problem in again.problems)
    assert len(fit_again(state, count=1, seed=0, base=tmp_path).checked) == 1
