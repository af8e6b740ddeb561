"""The evaluator that trains: requests become jobs for worker processes, and answers come back in their order.

It declares what only trained networks allow: scores by proxy, examinations with audits, and supernets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from agent.stream.file import FidelitySection, MacroSection, TrainingSection
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
from agent.workers.pool import WorkerDied, Workers
from agent.workers.timing import WorkTime
from selfnas.data.tasks import TaskSpec
from selfnas.spaces.architecture import Architecture
from selfnas.training.evaluation import Evaluation, Request

__all__ = ["Examination", "Examiner", "SupernetPlan", "SupernetTrainer", "TrainedEvaluator"]

Answer = TypeVar("Answer", ProxyAnswer, LowAnswer, FullAnswer, SupernetAnswer, InheritAnswer)

_TOGETHER = 8  # architectures that one job scores with a supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A full training, whose network is tested and, where asked for, audited and kept.

    Attributes:
        audit_seed: of the audits; None trains and tests only.
        inherit: file of weights that training starts from; None from none.
    """

    request: Request
    audit_seed: int | None = None
    inherit: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetPlan:
    """How a supernet is searched; see `agent.workers.jobs.SupernetJob`."""

    space: str
    macro: MacroSection
    method: Literal["darts", "darts_second_order", "gdas", "one_shot"]
    epochs: int | None
    seed: int


@runtime_checkable
class Examiner(Protocol):
    """An evaluator whose networks can be tested and audited."""

    def examine(
        self, examinations: Sequence[Examination], *, on_done: Callable[[], None] = lambda: None
    ) -> Sequence[FullAnswer]:
        """What full training and audits gave, in order."""
        ...


@runtime_checkable
class SupernetTrainer(Protocol):
    """An evaluator that can train a supernet, and score architectures with its weights."""

    def train_supernet(self, plan: SupernetPlan, *, folder: Path) -> SupernetAnswer:
        """Train it; the weights of a `one_shot` are left in a folder, in a file named by their SHA-256."""
        ...

    def inherited_scores(
        self, plan: SupernetPlan, architectures: Sequence[Architecture], *, weights: Path
    ) -> InheritAnswer:
        """Scores of architectures with weights so left, in order; none and a reason where one could not be had."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEvaluator:
    """Trains on one task.

    Attributes:
        workers: who trains.
        work: is told how long they took.
        task: as the stream states it.
        task_digest: of the content that it must have.
        base: directory that the task's relative path starts from.
        device: torch device that trainings run on.
        training: optimiser settings.
        suite: text of the audit suite.
        weights: directory that keeps the weights of audited networks.
        pictures: directory for pictures of what audits saw.
    """

    workers: Workers
    work: WorkTime
    task: TaskSpec
    task_digest: str
    base: Path
    device: str
    training: TrainingSection
    suite: str
    weights: Path
    pictures: Path

    def evaluate(self, requests: Sequence[Request], *, on_done: Callable[[], None] = lambda: None) -> list[Evaluation]:
        """Best validation accuracies after training at each request's fidelity, with the curves."""
        jobs = [LowJob(**self._training(request), least=list(request.least)) for request in requests]
        answers = self._answers(jobs, LowAnswer(score=None), on_done)
        return [Evaluation(score=one.score, reason=one.reason, curve=tuple(one.curve)) for one in answers]

    def proxy_scores(
        self, requests: Sequence[Request], *, proxy: str | None = None
    ) -> list[Mapping[str, float | None]]:
        """Cheap scores of untrained networks."""
        jobs = [ProxyJob(**self._of(request), proxy=proxy or "learned") for request in requests]
        answers = self._answers(jobs, ProxyAnswer(score=None))
        return [{proxy: answer.score} if proxy else answer.proxies for answer in answers]

    def examine(
        self, examinations: Sequence[Examination], *, on_done: Callable[[], None] = lambda: None
    ) -> list[FullAnswer]:
        """Full trainings with their test, audits by the suite, weights and pictures where wanted."""
        return self._answers([self._full(each) for each in examinations], FullAnswer(score=None), on_done)

    def train_supernet(self, plan: SupernetPlan, *, folder: Path) -> SupernetAnswer:
        """One job; it fails with a reason."""
        weights = str(folder) if plan.method == "one_shot" else None
        job = SupernetJob(
            **self._on_task(plan.seed), **_planned(plan), method=plan.method, epochs=plan.epochs, weights=weights
        )
        return self._answers([job], SupernetAnswer())[0]

    def inherited_scores(
        self, plan: SupernetPlan, architectures: Sequence[Architecture], *, weights: Path
    ) -> InheritAnswer:
        """Jobs of several architectures each; one that fails fails all."""
        spelled = [str(architecture) for architecture in architectures]
        jobs = [
            InheritJob(
                **self._on_task(plan.seed),
                **_planned(plan),
                weights=str(weights),
                architectures=spelled[at : at + _TOGETHER],
            )
            for at in range(0, len(spelled), _TOGETHER)
        ]
        answers = self._answers(jobs, InheritAnswer())
        for answer in answers:
            if answer.reason:
                return answer
        return InheritAnswer(scores=[score for answer in answers for score in answer.scores])

    def _answers(self, jobs: Sequence[Job], failed: Answer, on_done: Callable[[], None] = lambda: None) -> list[Answer]:
        """Answers in order; a job on which processes died, or that broke, is answered by `failed` with the reason."""
        told = self.workers.answers([job.model_dump_json(exclude_none=True) for job in jobs], on_done=on_done)
        read = [
            failed.model_copy(update={"reason": str(answer)})
            if isinstance(answer, WorkerDied)
            else type(failed).model_validate_json(answer)
            for answer in told
        ]
        for answer in read:
            self.work.add(answer)
        return read

    def _on_task(self, seed: int) -> dict[str, Any]:
        """What every job says first."""
        return {
            "task": self.task,
            "task_digest": self.task_digest,
            "base": str(self.base),
            "device": self.device,
            "seed": seed,
        }

    def _of(self, request: Request) -> dict[str, Any]:
        return {**self._on_task(request.seed), "architecture": str(request.architecture)}

    def _training(self, request: Request) -> dict[str, Any]:
        at = request.fidelity
        fidelity = FidelitySection(epochs=at.epochs, fraction=at.fraction, patience=at.patience)
        return {**self._of(request), "training": self.training, "fidelity": fidelity}

    def _full(self, examination: Examination) -> FullJob:
        common, inherit = self._training(examination.request), examination.inherit
        begun = None if inherit is None else str(inherit)
        if examination.audit_seed is None:
            return FullJob(**common, inherit=begun)
        return FullJob(
            **common,
            suite=self.suite,
            audit_seed=examination.audit_seed,
            weights=str(self.weights),
            pictures=str(self.pictures / examination.request.architecture.digest[:12]),
            inherit=begun,
        )


def _planned(plan: SupernetPlan) -> dict[str, Any]:
    return {"space": plan.space, "macro": plan.macro}
