"""The canary: a small training that gives the same on all machines that may work for a life, bit for bit."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version

from agent.cluster.messages import digest_of
from agent.ledger.home import SurroundingsError
from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.executor import WorkerDied
from agent.workers.jobs import FullJob
from agent.workers.pool import Workers
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.digests import canonical_json

__all__ = ["Reference", "canary", "versions"]

_TASK = TaskSpec(name="canary", source="digits", limit=300)
_ARCHITECTURE = "nb201/c4n1r8:|conv3x3~0|+|conv1x1~0|avg3~1|+|skip~0|conv3x3~1|conv3x3~2|"
_CLOCKS = ("seconds", "audit_seconds")  # of an answer, what no two machines share
_DECIDING = ("selfnas", "torch", "numpy", "scikit-learn", "pytorch-lightning")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that decide what a training gives, and the kind of processor."""
    return {"python": python_version(), "machine": machine(), **{name: version(name) for name in _DECIDING}}


def canary(device: str) -> str:
    """SHA-256 of all that training the canary gives: curve, test and every weight.

    Args:
        device: torch device that it is trained on.

    Raises:
        SurroundingsError: it could not be trained.
    """
    with tempfile.TemporaryDirectory() as folder:
        digest = load_task(_TASK, base=Path(folder)).digest
        job = FullJob(
            task=_TASK,
            task_digest=digest,
            base=folder,
            device=device,
            seed=20260101,
            architecture=_ARCHITECTURE,
            training=TrainingSection(),
            fidelity=FidelitySection(epochs=2, steps=20),
            weights=folder,
        )
        answer = json.loads(run_job(job.model_dump_json(exclude_none=True)))
    if answer["score"] is None:
        raise SurroundingsError(f"the canary could not be trained on {device}: {answer['reason']}")
    return digest_of(canonical_json({key: value for key, value in answer.items() if key not in _CLOCKS}))


class Reference:
    """What the canary gives on this machine, in a worker process of the kind that lives here have, beside the caller.

    Args:
        device: torch device that it is trained on.

    Attributes:
        device: that device.
        result: the SHA-256, or the error that came instead.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._workers = Workers(1, work=canary)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="canary")
        self.result: Future[str] = self._thread.submit(self._trained)

    def _trained(self) -> str:
        with self._workers as workers:
            (answer,) = workers.answers([self.device])
        if isinstance(answer, WorkerDied):
            raise SurroundingsError(f"the canary could not be trained on {self.device}: {answer}")
        return answer

    def close(self) -> None:
        """End whoever still trains it."""
        self._workers.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
