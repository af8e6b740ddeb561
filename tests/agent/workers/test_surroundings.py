"""What a step runs in is never booked against an architecture."""

from __future__ import annotations

import pytest

from agent.ledger.home import SurroundingsError
from agent.workers import process as worker
from agent.workers.trained import _check_surroundings

BROKEN = "RuntimeError: CUDA driver version 12.1 is insufficient"
DIED = "the worker process died twice on this job"


@pytest.mark.parametrize("reason", [BROKEN, DIED, "OSError: [Errno 5] Input/output error: '/data/7'"])
def test_jobs_that_all_break_alike_stop_the_run(reason: str) -> None:
    """With the reason; numbers in it may differ."""
    with pytest.raises(SurroundingsError, match=r"all 3 jobs of this step failed alike, so nothing of it was recorded"):
        _check_surroundings([reason, reason.replace("7", "8"), reason.replace("12", "11")])


@pytest.mark.parametrize(
    "reasons",
    [
        [BROKEN, BROKEN],
        [BROKEN, BROKEN, ""],
        [BROKEN, DIED, BROKEN],
        ["loss is not finite"] * 5,
        ["OutOfMemoryError: tried to allocate 3 GiB"] * 5,
        [""] * 5,
        [],
    ],
)
def test_answers_about_architectures_do_not_stop_it(reasons: list[str]) -> None:
    """Few, unlike, some that went well, divergence and lack of memory."""
    _check_surroundings(reasons)


def test_a_missing_library_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first job, whatever the others come to."""

    def lacking(job: object) -> None:
        raise ModuleNotFoundError("No module named 'torchvision'")

    monkeypatch.setattr(worker, "_low", lacking)
    architecture, digest = "nb201/c4n1r8:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|", "0" * 64
    job = (
        f'{{"kind": "low", "task": {{"name": "t", "source": "digits"}}, "task_digest": "{digest}", "base": ".", '
        f'"device": "cpu", "seed": 0, "architecture": "{architecture}", "training": {{}}, "fidelity": {{"epochs": 1}}}}'
    )
    with pytest.raises(SurroundingsError, match="a worker lacks a library: No module named 'torchvision'"):
        worker.run_job(job)
