"""What runs inside a worker process: one job at a time, one torch thread, no knowledge of the life around it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.ledger.home import AGAIN, EXAMPLE, StorageError, SurroundingsError, is_storage_fault
from agent.state.taught import rows_from_text
from agent.stream.file import STREAM_GROUPS
from agent.workers.delivered import Delivered, build, delivered, groups_of, trained_once
from agent.workers.hardened import robust_answer
from agent.workers.jobs import (
    ANSWERS,
    Answer,
    CrossAnswer,
    DataChangedError,
    FullAnswer,
    FullJob,
    Job,
    LowAnswer,
    LowJob,
    MetricAnswer,
    PluginChangedError,
    ProxyAnswer,
    ProxyJob,
    RobustAnswer,
    job_from_json,
)
from agent.workers.kept import keep
from agent.workers.lifetime import follow_parent
from agent.workers.rivals import answer_baseline
from agent.workers.shared import shared
from agent.workers.supernets import answer_inherit, answer_supernet
from selfnas import seeding
from selfnas.errors import InputError
from selfnas.plugins import Plugin, identify, in_force, load

if TYPE_CHECKING:
    from torch import Tensor

    from audits import AuditData
    from selfnas.data.tasks import Task
    from selfnas.networks.network import Network

__all__ = ["HEAVY", "prepare", "run_job", "start"]

# What jobs import that takes seconds.
HEAVY = (
    "audits.cards.figures",
    "audits.verdicts.run",
    "selfnas.training.differentiable",
    "selfnas.training.plans",
    "selfnas.training.proxies",
    "selfnas.data.tasks",
    "selfnas.training.training",
)


def start() -> None:
    """Prepare a fresh worker process, which ends when its parent ends."""
    follow_parent()
    prepare()


def prepare() -> None:
    """Heavy imports, and one torch thread."""
    for module in HEAVY:
        importlib.import_module(module)
    import torch

    torch.set_num_threads(1)


def run_job(text: str) -> str:
    """Do one job and answer, JSON to JSON; what breaks is an answer without a score.

    An empty text is no job: it only starts the process.

    Raises:
        StorageError: the disk is full or fails, which is no answer about an architecture.
        SurroundingsError: a library is missing, which is none either.
        DataChangedError: the task's data are not those that the job names; nor is that.
        PluginChangedError: nor that a plug-in is not here, or has other content than the job names.
    """
    if not text:
        return ""
    job = job_from_json(text)
    begun = time.perf_counter()
    doing: Mapping[str, Callable[[Any], Answer]] = {
        "baseline": lambda job: answer_baseline(job, _task(job)),
        "supernet": lambda job: answer_supernet(job, _task(job)),
        "inherit": lambda job: answer_inherit(job, _task(job)),
        "proxy": _proxy,
        "low": _low,
        "full": _full,
    }
    try:
        with in_force(*_plugins(job)), _seeded(job):
            answer = doing[job.kind](job)
    except (DataChangedError, PluginChangedError):
        raise
    except Exception as error:
        if is_storage_fault(error):
            raise StorageError(f"a worker could not write: {error}; {AGAIN}") from error
        if isinstance(error, ImportError):  # of an installation, whatever the architecture
            raise SurroundingsError(f"a worker lacks a library: {error}; nothing of this step was recorded") from error
        logging.getLogger(__name__).warning("job failed", exc_info=True)
        answer = ANSWERS[job.kind](reason=f"{type(error).__name__}: {error}"[:500])
    return str(answer.model_copy(update={"seconds": time.perf_counter() - begun}).model_dump_json())


@contextlib.contextmanager
def _seeded(job: Job) -> Iterator[None]:
    """What layers draw by themselves, as dropout does, follows from the job alone, whatever was done before it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(job.seed, "job"))
        yield


def _plugins(job: Job) -> tuple[Plugin, ...]:
    """What the life has in force, held to its content, each loaded from this process's own installation."""
    try:
        for needed in job.plugins:
            found = identify(needed.name)
            if found.sha256 != needed.sha256:
                raise PluginChangedError(
                    f"a worker finds plug-in {found}, the life began with SHA-256 {needed.sha256[:12]}…: install that "
                    "again, then the same command goes on from the last whole step"
                )
        return load([needed.name for needed in job.plugins if needed.used], STREAM_GROUPS, user="stream")
    except InputError as error:
        raise PluginChangedError(f"a worker cannot load what the life has in force: {error}") from error


def _task(job: Job) -> Task:
    """The task of a job, with the content that the job names."""
    return _loaded(job.task.model_dump_json(exclude_none=True), job.base, job.task_digest, job.examples)


@functools.lru_cache(maxsize=4)
def _loaded(spec: str, base: str, digest: str, examples: str | None) -> Task:
    from selfnas.data.tasks import TaskSpec, load_task

    if examples is not None and (found := shared(Path(examples), digest)) is not None:
        return found
    task = load_task(TaskSpec.model_validate_json(spec), base=Path(base))
    if task.digest != digest:
        raise DataChangedError(
            f"task {task.name!r}: its data were changed since this life read them: put them back, then the same "
            "command goes on from the last whole step"
        )
    return task


def _proxy(job: ProxyJob) -> ProxyAnswer:
    import torch

    from selfnas.networks.network import build_network
    from selfnas.spaces.named import parse_architecture
    from selfnas.training.proxies import PROXIES, proxy_named, proxy_scores

    task = _task(job)
    network = build_network(parse_architecture(job.architecture), task.shape, seed=job.seed).to(job.device)
    chosen = seeding.generator(job.seed, "proxy").permutation(len(task.train.y))[:64]
    x = torch.from_numpy(task.train.x[chosen]).to(job.device)
    y = torch.from_numpy(task.train.y[chosen]).to(job.device)
    if job.proxy == "learned":
        found = proxy_scores(network, x, y, tuple(PROXIES))
        finite = {name: value if math.isfinite(value) else None for name, value in found.items()}
        return ProxyAnswer(score=None, proxies=finite)
    score = float(proxy_named(job.proxy)(network, x, y))
    return ProxyAnswer(score=score if math.isfinite(score) else None)


def _low(job: LowJob) -> LowAnswer:
    task, small = _task(job), job.cross_validation
    if len(task.train) + len(task.validation) < small.below:
        return _cross_validated(job, task)
    result, _, _ = trained_once(job, task)
    score = None if result.failure else result.best
    return LowAnswer(score=score, reason=result.failure, curve=list(result.curve))


def _cross_validated(job: LowJob, task: Task) -> LowAnswer:
    """The score of a small task: every training and validation example is held out in turn."""
    from selfnas.training.cross_validation import cross_validate
    from selfnas.training.plans import goal_of
    from selfnas.training.training import Examples

    training, validation = (Examples.of(part.x, part.y, device=job.device) for part in (task.train, task.validation))
    groups = groups_of(task, "train", "validation")
    folds = min(job.cross_validation.folds, len(set(groups)) if groups else len(training) + len(validation))
    repeats = job.cross_validation.repeats
    found = cross_validate(
        lambda seed: build(job, task, seed=seed)[0],
        training.and_also(validation),
        job.training.plan(task),
        job.fidelity.fidelity(job.kind),
        goal_of(task, job.metrics),
        folds=folds,
        repeats=repeats,
        seed=job.seed,
        split_seed=seeding.derive(0, "cross-validation", task.digest),
        groups=groups,
    )
    score = None if found.failure else found.best
    return LowAnswer(score=score, reason=found.failure, curve=list(found.curve), repeats=list(found.repeats))


def _full(job: FullJob) -> FullAnswer:
    from selfnas.baselines.paired import hits_in_text
    from selfnas.training.outputs import predicted
    from selfnas.training.training import Examples, predict

    task = _task(job)
    found = delivered(job, task)
    if found.network is None:
        return FullAnswer(score=None, reason=found.failure, curve=list(found.curve), inherited=found.inherited)
    test = Examples.of(task.test.x, task.test.y, device=job.device)
    outputs = predict(found.network, test.x)
    right = (predicted(outputs, task.target) == test.y).cpu().numpy() if task.target.counted else None
    begun = time.perf_counter()
    audited = _audit(job, task, found) if job.suite else Audits()
    audit_seconds = time.perf_counter() - begun if job.suite else 0.0
    return FullAnswer(
        score=found.score,
        audit_seconds=audit_seconds,
        curve=list(found.curve),
        test_correct=0 if right is None else int(right.sum()),
        test_count=0 if right is None else len(test),
        test_hits="" if right is None else hits_in_text(right),
        metric=_measured(job, task, outputs),
        findings=audited.findings,
        cross=audited.cross,
        audit_error=audited.error,
        suite_digest=audited.suite_digest,
        weights_sha256=keep(found.weights or {}, Path(job.weights)) if job.weights else "",
        inherited=found.inherited,
        refit=found.refit,
        robust=_robust(job, task, found.network),
    )


def _robust(job: FullJob, task: Task, network: Network) -> RobustAnswer | None:
    """What the network holds within the region that it was hardened against."""
    section = job.training.robustness
    return None if section is None else robust_answer(network, task, section, device=job.device)


def _measured(job: FullJob, task: Task, outputs: Tensor) -> MetricAnswer | None:
    """The task's metric on its test split; None where it is accuracy, which is counted."""
    import torch

    from selfnas.training.metrics import COUNTED, measure, metric_for

    metric = metric_for(task.target, job.metrics)
    if metric == COUNTED:
        return None
    found = measure(metric, outputs, torch.from_numpy(task.test.y), task.target)
    return MetricAnswer(name=metric, estimate=found.estimate, low=found.low, high=found.high, n=found.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audits:
    """What audits gave: findings, why they are not complete, the suite's digest, and whose answers they count."""

    findings: list[dict[str, str | int | float | None]] = field(default_factory=list)
    error: str = ""
    suite_digest: str = ""
    cross: CrossAnswer | None = None


def _audit(job: FullJob, task: Task, found: Delivered) -> Audits:
    """An audit that breaks never admits."""
    import audits

    network = found.network
    assert network is not None  # noqa: S101 - narrows the type
    without = rows_from_text(job.left_out, len(task.audit)) if job.left_out else None
    data = audits.AuditData.of(task, refit=found.refit is not None, without=without)
    tensors = {name: getattr(data, name).to(job.device) for name in ("x_train", "y_train", "x", "y")}
    data, cross = replace(data, **tensors), None
    try:
        suite = audits.parse_suite(str(job.suite), name="suite")
        with in_force(*suite.plugins):
            findings = audits.run_suite(network, data, suite, seed=job.audit_seed)
            # Of hardened networks no others are made: what they hold is proved of the very network.
            alone = job.training.robustness is not None
            if job.weights and not alone and audits.wants_cross_fitting(findings, data, at_hand=found.fit is not None):
                crossed, cross = _cross_fitted(job, task, data, found)
                if cross is not None:
                    findings = audits.run_suite(network, crossed, suite, seed=job.audit_seed)
        if job.pictures:
            _draw(network, data, Path(job.pictures), seed=job.audit_seed)
    except Exception as error:
        if is_storage_fault(error):  # says nothing about the network
            raise
        return Audits(error=f"{type(error).__name__}: {error}")
    return Audits(findings=[finding.to_record() for finding in findings], suite_digest=suite.digest, cross=cross)


def _cross_fitted(job: FullJob, task: Task, data: AuditData, found: Delivered) -> tuple[AuditData, CrossAnswer | None]:
    """The data with answers of networks made alike, which are kept; without where a training of one failed."""
    from agent.workers.cross_fitted import answered, fitted_anew, tensors_of
    from selfnas.networks.network import build_network
    from selfnas.spaces.named import parse_architecture
    from selfnas.training.evaluation import Fidelity
    from selfnas.training.plans import goal_of

    fit = found.fit
    if fit is None:
        architecture = parse_architecture(job.architecture)
        taught = ("train", "validation") if found.refit is not None else ("train",)
        fit = fitted_anew(
            lambda seed: build_network(architecture, task.shape, seed=seed).to(job.device),
            data,
            job.training.plan(task),
            goal_of(task, job.metrics),
            Fidelity(name="cross-fit", steps=found.steps),
            seed=seeding.derive(job.seed, "cross-fit"),
            groups=groups_of(task, *taught),
        )
    if fit is None:
        return data, None
    crossed = answered(fit, data)
    digest = keep(tensors_of(crossed), Path(str(job.weights)))
    told = CrossAnswer(networks=crossed.networks, examples=len(data.y_train), sha256=digest)
    return replace(data, cross=crossed), told


def _draw(network: Network, data: AuditData, folder: Path, *, seed: int) -> None:
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    from matplotlib import pyplot

    import audits

    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / EXAMPLE, data.x_train[:2].cpu().numpy(), allow_pickle=False)
    for name, draw in audits.pictures(network, data, seed=seed).items():
        figure = draw()
        figure.savefig(folder / f"{name}.png", dpi=110)
        pyplot.close(figure)
