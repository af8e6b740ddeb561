"""What one task of a life asks of its workers: each job spelled out with its seed, each answer checked and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agent.state.state import RunState, TaskState, items, number
from agent.stream.file import FidelitySection
from agent.workers.jobs import (
    FullAnswer,
    FullJob,
    InheritAnswer,
    InheritJob,
    Job,
    LowAnswer,
    LowJob,
    ProxyAnswer,
    ProxyJob,
    SupernetAnswer,
    SupernetJob,
)
from agent.workers.pool import WorkerDied
from selfnas import seeding
from selfnas.spaces.architecture import Architecture
from selfnas.training.early_stopping import least_accuracies
from selfnas.training.evaluation import Fidelity

if TYPE_CHECKING:
    from agent.life.life import Life

__all__ = ["Asking"]

Answer = TypeVar("Answer", ProxyAnswer, LowAnswer, FullAnswer, SupernetAnswer, InheritAnswer)


class Asking:
    """Jobs of one task, and their answers in the order of the jobs.

    Args:
        index: of the task in its run.
    """

    def __init__(self, life: Life, run: RunState, index: int) -> None:
        self._life, self._run, self._index = life, run, index
        self._stream, self._prepared = life.prepared.stream, life.prepared.tasks[index]

    @property
    def _task(self) -> TaskState:
        return self._run.tasks[self._index]

    def proxies(self, architectures: Sequence[Architecture], *, proxy: str) -> list[ProxyAnswer]:
        """Cheap scores of untrained networks."""
        return self.answers([self._proxy(each, proxy) for each in architectures], ProxyAnswer(score=None))

    def low(self, asked: Sequence[tuple[Architecture, Fidelity]]) -> list[LowAnswer]:
        """Short trainings, each at its fidelity."""
        return self.answers([self._low(*each) for each in asked], LowAnswer(score=None))

    def full(
        self,
        architectures: Sequence[Architecture],
        *,
        audited: bool,
        inherit: Mapping[str, Path] | None = None,
    ) -> list[FullAnswer]:
        """Full trainings, with the audits of the suite in force, weights and pictures where wanted.

        Args:
            inherit: by architecture the file of weights that it starts from.
        """
        jobs = [self._full(each, audited=audited, inherit=(inherit or {}).get(str(each))) for each in architectures]
        return self.answers(jobs, FullAnswer(score=None))

    def answers(self, jobs: Sequence[Job], failed: Answer) -> list[Answer]:
        """Answers in order; a job on which processes died, or that broke, is answered by `failed` with the reason."""
        trainings = not any(isinstance(job, (ProxyJob, SupernetJob, InheritJob)) for job in jobs)

        def done() -> None:
            if trainings:
                self._life.observer.advanced(self._task, steps=1)

        told = self._life.workers.answers([job.model_dump_json(exclude_none=True) for job in jobs], on_done=done)
        read = [
            failed.model_copy(update={"reason": str(answer)})
            if isinstance(answer, WorkerDied)
            else type(failed).model_validate_json(answer)
            for answer in told
        ]
        for answer in read:
            self._life.work.add(answer)
        return read

    def _seed(self, architecture: Architecture, purpose: str) -> int:
        return seeding.derive(self._stream.seed, purpose, self._prepared.digest, architecture.digest)

    def _of(self, architecture: Architecture, purpose: str) -> dict[str, Any]:
        """What every job on an architecture says first."""
        return {
            "task": self._prepared.spec,
            "task_digest": self._prepared.digest,
            "base": str(self._life.prepared.base),
            "device": self._life.device,
            "architecture": str(architecture),
            "seed": self._seed(architecture, purpose),
        }

    def _proxy(self, architecture: Architecture, proxy: str) -> ProxyJob:
        return ProxyJob(
            **self._of(architecture, "proxy"),
            proxy=proxy,
        )

    def _low(self, architecture: Architecture, fidelity: Fidelity) -> LowJob:
        alike = [at for at in self._task.evaluations if at["fidelity"] == fidelity.name and at["score"] is not None]
        curves = [[number(value) for value in items(at["curve"])] for at in alike]
        return LowJob(
            **self._of(architecture, fidelity.name),
            training=self._stream.training,
            fidelity=FidelitySection(epochs=fidelity.epochs, fraction=fidelity.fraction, patience=fidelity.patience),
            least=list(least_accuracies(curves, fidelity.epochs)) if self._stream.curve_stop else [],
        )

    def _full(self, architecture: Architecture, *, audited: bool, inherit: Path | None) -> FullJob:
        pictures = self._life.home.pictures(self._run.number, self._task.name) / architecture.digest[:12]
        return FullJob(
            **self._of(architecture, "full"),
            training=self._stream.training,
            fidelity=self._stream.full,
            suite=self._life.prepared.suite.text if audited else None,
            audit_seed=self._seed(architecture, "audit"),
            weights=str(self._life.home.weights) if audited else None,
            pictures=str(pictures) if audited else None,
            inherit=None if inherit is None else str(inherit),
        )
