"""The canary is a training that tells machines apart, and gives the same on one."""

import json

import pytest

from agent.cluster import canary as module
from agent.cluster.canary import Reference, canary, versions
from agent.ledger.home import SurroundingsError


@pytest.mark.slow
def test_the_canary_gives_the_same_here_and_in_a_worker() -> None:
    """Bit for bit: its digest is over every weight."""
    reference = Reference("cpu")
    assert canary("cpu") == reference.result.result(timeout=300)
    reference.close()


@pytest.mark.parametrize("changed", ["weights_sha256", "curve", "test_correct"])
def test_any_difference_shows(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what the clock says."""
    answer = {"score": 0.5, "curve": [0.5], "weights_sha256": "a", "test_correct": 3, "seconds": 1.0}
    monkeypatch.setattr(module, "run_job", lambda text: json.dumps(answer))
    before = canary("cpu")
    answer["seconds"] = 2.0
    assert canary("cpu") == before
    answer[changed] = [0.25] if changed == "curve" else 4
    assert canary("cpu") != before


def test_a_canary_that_breaks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was to be trained, and what happened."""
    monkeypatch.setattr(module, "run_job", lambda text: json.dumps({"score": None, "reason": "RuntimeError: no"}))
    with pytest.raises(SurroundingsError, match="could not be trained on cpu: RuntimeError: no"):
        canary("cpu")


def test_versions_are_of_what_decides() -> None:
    """Named, so that a refusal can say what differs."""
    assert {"python", "torch", "numpy"} <= versions().keys()
