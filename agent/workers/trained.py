"""The evaluator that trains: requests become jobs for worker processes, and answers come back in their order.

It declares what only trained networks allow: scores by proxy, examinations with audits, and supernets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from agent.ledger.home import SurroundingsError
from agent.stream.file import Stream
from agent.stream.training import CrossValidationSection, FidelitySection
from agent.workers import jobs
from agent.workers.executor import Executor, WorkerDied
from agent.workers.jobs import BaselineAnswer, FullAnswer, InheritAnswer, LowAnswer, ProxyAnswer, SupernetAnswer
from agent.workers.timing import WorkTime
from selfnas.data.tasks import TaskSpec
from selfnas.plugins import Identity
from selfnas.spaces.architecture import Architecture
from selfnas.strategies.guided import DIFFERENTIABLE
from selfnas.training.evaluation import Evaluation, OnDone, ProxyScores, Request, unheard

__all__ = ["BaselineFitter", "Examination", "Examiner", "SupernetTrainer", "TrainedEvaluator"]

Answer = TypeVar("Answer", BaselineAnswer, ProxyAnswer, LowAnswer, FullAnswer, SupernetAnswer, InheritAnswer)

_NUMBER = re.compile(r"\d+")
_BROKEN = re.compile(r"(?!.*[Mm]emory)([A-Za-z_.]*(Error|Exception): |the worker process died)")
_FEWEST_ALIKE = 3  # networks that break in one way before their surroundings are blamed
_TOGETHER = 8  # architectures that one job scores with a supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A full training, whose network is tested and, where asked for, audited and kept.

    Attributes:
        audit_seed: of the audits; None trains and tests only.
        inherit: file of weights that training starts from; None from none.
        left_out: which audit examples audits do without, as the ledger names them; empty for none.
    """

    request: Request
    audit_seed: int | None = None
    inherit: Path | None = None
    left_out: str = ""


@runtime_checkable
class Examiner(Protocol):
    """An evaluator whose networks can be tested and audited."""

    def examine(self, examinations: Sequence[Examination], *, on_done: OnDone = unheard) -> Sequence[FullAnswer]:
        """What full training, tests and audits gave, in order."""
        ...


@runtime_checkable
class BaselineFitter(Protocol):
    """An evaluator that can fit baselines on its task, to compare its networks with."""

    def fit_baselines(
        self, names: Sequence[str], *, seed: int, against: tuple[str, Path] | None = None
    ) -> Sequence[BaselineAnswer]:
        """What each came to on the test split, in order; compared with an architecture, its weights in a file."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """An evaluator that can begin full trainings and baselines before it is asked for their answers."""

    def expect(
        self,
        examinations: Sequence[Examination],
        names: Sequence[str],
        *,
        seed: int,
        against: tuple[str, Path] | None = None,
    ) -> None:
        """They will be asked for one after the other, with the same arguments."""
        ...


@runtime_checkable
class SupernetTrainer(Protocol):
    """An evaluator that can train a supernet for a guided strategy, and score architectures with its weights."""

    def train_supernet(self, strategy: str, *, seed: int, folder: Path) -> SupernetAnswer:
        """Train it; weights that are to be scored with are left in a folder, in a file named by their SHA-256."""
        ...

    def inherited_scores(self, chosen: Sequence[Architecture], *, seed: int, weights: Path) -> InheritAnswer:
        """Scores with weights so left, in order; none and a reason where one could not be had."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEvaluator:
    """Trains on one task.

    Attributes:
        workers: who trains.
        work: adds up how long they took.
        stream: says how networks and supernets are trained.
        space: name of the space that supernets are of.
        macro: how their cells are stacked, as architectures spell it.
        task: as the stream states it.
        task_digest: of the content that it must have.
        base: directory that the task's relative path starts from.
        device: torch device that trainings run on.
        suite: text of the audit suite.
        weights: directory that keeps the weights of audited networks.
        pictures: directory for pictures of what audits saw.
        plugins: in force in this life, which workers must find with the same content.
        examples: folder with the examples, prepared for workers to map; None has each worker read the source.
    """

    workers: Executor
    work: WorkTime
    stream: Stream
    space: str
    macro: str
    task: TaskSpec
    task_digest: str
    base: Path
    device: str
    suite: str
    weights: Path
    pictures: Path
    plugins: tuple[Identity, ...] = ()
    examples: Path | None = None

    def evaluate(self, requests: Sequence[Request], *, on_done: OnDone = unheard) -> list[Evaluation]:
        """Best validation accuracies after training at each request's fidelity, with the curves."""
        small = self.stream.cross_validation or CrossValidationSection()
        asked = [
            jobs.LowJob(
                **self._training(request),
                least=list(request.least),
                cross_validation=small.model_copy(update={"repeats": small.repeats * request.fidelity.repeats}),
            )
            for request in requests
        ]
        answers = self._answers(asked, LowAnswer, on_done)
        return [
            Evaluation(score=one.score, reason=one.reason, curve=tuple(one.curve), repeats=tuple(one.repeats))
            for one in answers
        ]

    def proxy_scores(self, requests: Sequence[Request], *, proxy: str | None = None) -> list[ProxyScores]:
        """Scores of untrained networks."""
        asked = [jobs.ProxyJob(**self._of(request), proxy=proxy or "learned") for request in requests]
        answers = self._answers(asked, ProxyAnswer)
        return [{proxy: answer.score} if proxy else answer.proxies for answer in answers]

    def examine(self, examinations: Sequence[Examination], *, on_done: OnDone = unheard) -> list[FullAnswer]:
        """Full trainings with their tests; with audits by the suite, weights and pictures where wanted."""
        return self._answers([self._full(each) for each in examinations], FullAnswer, on_done)

    def fit_baselines(
        self, names: Sequence[str], *, seed: int, against: tuple[str, Path] | None = None
    ) -> list[BaselineAnswer]:
        """A job for each, all at once."""
        return self._answers(self._baselines(names, seed, against), BaselineAnswer)

    def expect(
        self,
        examinations: Sequence[Examination],
        names: Sequence[str],
        *,
        seed: int,
        against: tuple[str, Path] | None = None,
    ) -> None:
        """Begin full trainings and baselines that will be asked for one after the other, so that no worker idles."""
        asked = [*map(self._full, examinations), *self._baselines(names, seed, against)]
        self.workers.expect([job.model_dump_json(exclude_none=True) for job in asked])

    def _baselines(self, names: Sequence[str], seed: int, against: tuple[str, Path] | None) -> list[jobs.BaselineJob]:
        common = {**self._on_task(seed), "metrics": self.stream.metrics_of(self.task)}
        if against is not None:
            common |= {"against": against[0], "weights": str(against[1])}
        return [jobs.BaselineJob(**common, name=name) for name in names]

    def train_supernet(self, strategy: str, *, seed: int, folder: Path) -> SupernetAnswer:
        """One job; it fails with a reason."""
        job = jobs.SupernetJob(
            **self._on_space(seed),
            method=DIFFERENTIABLE.get(strategy, "one_shot"),
            epochs=self.stream.supernet.epochs if self.stream.supernet else None,
            weights=None if strategy in DIFFERENTIABLE else str(folder),
        )
        return self._answers([job], SupernetAnswer)[0]

    def inherited_scores(self, chosen: Sequence[Architecture], *, seed: int, weights: Path) -> InheritAnswer:
        """Jobs of several architectures each; one that fails fails all."""
        spelled, common = [str(one) for one in chosen], {**self._on_space(seed), "weights": str(weights)}
        parts = [spelled[start : start + _TOGETHER] for start in range(0, len(spelled), _TOGETHER)]
        answers = self._answers([jobs.InheritJob(**common, architectures=part) for part in parts], InheritAnswer)
        failed = (answer for answer in answers if answer.reason)
        return next(failed, InheritAnswer(scores=[score for answer in answers for score in answer.scores]))

    def _answers(self, asked: Sequence[jobs.Job], kind: type[Answer], on_done: OnDone = unheard) -> list[Answer]:
        """Answers in order; a job on which processes died has their death as its reason."""
        told = self.workers.answers([job.model_dump_json(exclude_none=True) for job in asked], on_done=on_done)
        read = [
            kind(reason=str(answer)) if isinstance(answer, WorkerDied) else kind.model_validate_json(answer)
            for answer in told
        ]
        if kind in (LowAnswer, FullAnswer):
            _check_surroundings([answer.reason for answer in read])
        for answer in read:
            self.work.add(answer)
        return read

    def _on_task(self, seed: int) -> dict[str, Any]:
        """What every job says first."""
        base, digest = str(self.base), self.task_digest
        needed = [
            jobs.NeededPlugin(name=one.name, sha256=one.sha256, used=one.name in (self.stream.plugins or ()))
            for one in self.plugins
        ]
        job = {"task": self.task, "task_digest": digest, "base": base, "device": self.device, "seed": seed}
        return {**job, "plugins": needed, "examples": None if self.examples is None else str(self.examples)}

    def _on_space(self, seed: int) -> dict[str, Any]:
        return {**self._on_task(seed), "space": self.space, "macro": self.macro}

    def _of(self, request: Request) -> dict[str, Any]:
        return {**self._on_task(request.seed), "architecture": str(request.architecture)}

    def _training(self, request: Request) -> dict[str, Any]:
        fidelity = FidelitySection.of(request.fidelity)
        return {
            **self._of(request),
            "training": self.stream.training,
            "fidelity": fidelity,
            "metrics": self.stream.metrics_of(self.task),
        }

    def _full(self, examination: Examination) -> jobs.FullJob:
        training, inherit = self._training(examination.request), examination.inherit
        refit = self.stream.refit is not False
        small = self.stream.cross_validation or CrossValidationSection()
        job = jobs.FullJob(
            **training, inherit=None if inherit is None else str(inherit), refit=refit, cross_validation=small
        )
        if examination.audit_seed is None:
            return job
        pictures = self.pictures / examination.request.architecture.digest[:12]
        kept = {"suite": self.suite, "weights": str(self.weights), "pictures": str(pictures)}
        return job.model_copy(update={**kept, "audit_seed": examination.audit_seed, "left_out": examination.left_out})


def _check_surroundings(reasons: Sequence[str]) -> None:
    """Stop where all jobs of a step broke in one way: that says something of where they ran, not of architectures.

    Divergence and lack of memory are answers, however many networks have them.

    Raises:
        SurroundingsError: with the reason; nothing of the step was recorded.
    """
    alike = {_NUMBER.sub("#", reason) for reason in reasons}
    if len(reasons) >= _FEWEST_ALIKE and len(alike) == 1 and _BROKEN.match(reasons[0]):
        raise SurroundingsError(
            f"all {len(reasons)} jobs of this step failed alike, so nothing of it was recorded: {reasons[0]}; once "
            "this is mended, the same command goes on"
        )
