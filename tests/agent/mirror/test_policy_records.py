"""Decisions about the search policy in a real MLflow store."""

from pathlib import Path
from typing import Any

import pytest

from agent.ledger.events import (
    Confirmation,
    Event,
    Evidence,
    PolicyAdopted,
    PolicyDecided,
    PolicyProposed,
    PolicyRefused,
    RunStarted,
    TaskStarted,
)
from agent.ledger.home import Home
from agent.state.state import LifeState
from agent.stream.policy import SearchPolicy
from tests.agent.made_up import as_event, blank, blank_stream

OLD = SearchPolicy(strategy="random").model_dump(mode="json")


def decision(seq: int, kind: type[PolicyDecided], *, after: int, **more: Any) -> Event[PolicyDecided]:
    """An event of run 1 about turning to the surrogate."""
    new = {**OLD, "strategy": "surrogate"}
    return as_event(seq=seq, facts=blank(kind, run=1, after_task=after, base=OLD, old=OLD, new=new, **more))


@pytest.mark.slow
def test_each_decision_is_one_record_however_often_it_is_mirrored(tmp_path: Path) -> None:
    """With decision, change, failed rules and evidence; forgotten and rebuilt with its task."""
    from agent.mirror.writer import Mirror

    started = blank(RunStarted, stream=blank_stream(stream="tuned", policy=OLD))
    state = LifeState()
    for event in (
        as_event(seq=0, facts=started),
        as_event(seq=1, facts=blank(TaskStarted, run=1, task="one", task_digest="d")),
        decision(2, PolicyRefused, after=1, failed=["small-steps"], reason="too far"),
        decision(3, PolicyProposed, after=1, evidence=Evidence(count=8, mean=0.5, p=0.01)),
        decision(4, PolicyAdopted, after=1, confirmation=Confirmation(won=9, lost=1, wealth=33.0, tasks=1)),
    ):
        state.apply(event)
    mirror = Mirror(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client = mirror._client
    experiment = client.create_experiment("tuned", artifact_location=(tmp_path / "files").as_uri())
    home, keys = Home(tmp_path / "home"), {(1, "one"): "genesis-1-0"}
    for _ in range(2):
        assert mirror.write_standing(home, state, keys=keys, times={})
        runs = client.search_runs([experiment], "tags.kind = 'policy'")
        by = {run.data.tags["verdict"]: run.data for run in runs}
        assert len(runs) == 3
    assert by["refused"].tags["failed_rules"] == "small-steps"
    assert by["adopted"].tags["change"] == "strategy random → surrogate"
    assert by["proposed"].metrics == {"rehearsed_gain": 0.5, "rehearsed_p": 0.01}
    assert by["adopted"].metrics == {"trial_won": 9.0, "trial_lost": 1.0, "trial_wealth": 33.0, "trial_tasks": 1.0}
    assert mirror.forget(keys.values())
    assert client.search_runs([experiment], "tags.kind = 'policy'") == []
