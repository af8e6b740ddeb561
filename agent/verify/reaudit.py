"""Auditing a recorded finalist again, from its weights and its task's own data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agent.gate.admission import findings_of
from agent.gate.review import finalists
from agent.ledger.events import UNSET
from agent.ledger.home import Home
from agent.state.networks import restore_network
from agent.state.plugins import of_runs
from agent.state.recorded import recorded_spec, suite_of
from agent.state.spending import attempt_of
from agent.state.state import Finalist, LifeState, RunState, TaskState
from agent.state.taught import left_out_rows
from agent.stream.training import RobustnessSection
from agent.workers.cross_fitted import read_cross_fitted
from agent.workers.hardened import robust_answer
from agent.workers.jobs import RobustAnswer
from audits import AuditData, AuditVerdict, Finding, Suite, judge, run_suite
from selfnas import seeding
from selfnas.data.tasks import Task, load_task
from selfnas.errors import InputError
from selfnas.networks.network import Network
from selfnas.plugins import in_force

__all__ = ["Reaudit", "find_finalist", "reaudit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaudit:
    """What the audits say of a finalist now.

    Attributes:
        findings: in the suite's order.
        changed: labels of the findings that differ from the recorded ones; None under another suite than the recorded.
        right: test examples whose class it answers; None where they have no single class.
        robust: what it holds within the region that it was hardened against; None where it was not.
    """

    findings: tuple[Finding, ...]
    verdict: AuditVerdict
    suite: Suite
    changed: tuple[str, ...] | None
    right: int | None = None
    robust: RobustAnswer | None = None


def find_finalist(state: LifeState, digest: str, *, task: str = "") -> tuple[RunState, TaskState, Finalist]:
    """The latest finalist with weights whose digest begins so.

    Raises:
        InputError: none, or several architectures or tasks.
    """
    found = [
        (run, held, finalist)
        for run, held, finalist in finalists(state)
        if digest and finalist.digest.startswith(digest) and task in ("", held.name) and finalist.trained.weights_sha256
    ]
    if not found:
        raise InputError(f"no trained network of this home has a digest that begins with {digest!r}")
    if len({(held.name, finalist.digest) for _, held, finalist in found}) > 1:
        names = ", ".join(sorted({f"{finalist.digest[:16]} ({held.name})" for _, held, finalist in found}))
        raise InputError(f"several trained networks begin with {digest!r}: {names}; say more of it, or --task")
    return found[-1]


def reaudit(
    home: Home, run: RunState, task: TaskState, finalist: Finalist, *, base: Path, suite: Suite | None = None
) -> Reaudit:
    """Run a suite on the recorded weights, with the draws of the recorded audit.

    Args:
        home: where the weights lie.
        finalist: with weights.
        base: directory of the stream file, where relative paths of data start.
        suite: to run; None takes the recorded one.

    Raises:
        InputError: weights or data are missing, or the data are not those that the network was trained on.
    """
    with of_runs(run.started), in_force(*(suite.plugins if suite else ())):
        return _reaudit(home, run, task, finalist, base, suite)


def _with_cross(home: Home, data: AuditData, finalist: Finalist) -> AuditData:
    """With the answers of networks made alike that the recorded audit counted."""
    cross = UNSET if finalist.audited is None else finalist.audited.cross
    if cross is UNSET:
        return data
    kept = read_cross_fitted(home.weights_file(cross.sha256), data.y_train, networks=cross.networks)
    return replace(data, cross=kept)


def _reaudit(
    home: Home, run: RunState, task: TaskState, finalist: Finalist, base: Path, suite: Suite | None
) -> Reaudit:
    loaded = load_task(recorded_spec(run, task), base=base)
    if loaded.digest != task.started.task_digest:
        raise InputError(f"task {task.name!r}: its data are not those that the ledger records")
    weights = home.weights_file(finalist.trained.weights_sha256)
    network = restore_network(task, finalist.architecture, weights)
    seed = seeding.derive(run.started.record.seed, "audit", loaded.digest, finalist.digest)
    recorded = suite_of(run)
    used = suite or recorded
    refit = finalist.trained.refit
    fitted = len(loaded.train) + len(loaded.validation)
    if refit is not UNSET and refit.examples != fitted:
        raise InputError(
            f"task {task.name!r}: the ledger says that its network was trained on {refit.examples} examples, there are "
            f"{fitted} for training and validation"
        )
    without = left_out_rows(task.started, len(loaded.audit))
    data = _with_cross(home, AuditData.of(loaded, refit=refit is not UNSET, without=without), finalist)
    findings = run_suite(network, data, used, seed=seed)
    changed = None
    if used.digest == recorded.digest:
        before = [] if finalist.audited is None else findings_of(finalist.audited)
        changed = tuple(finding.label for finding in findings if finding not in before)
    verdict = judge(findings, used, kind=task.kind, attempt=attempt_of(task, finalist.digest))
    return Reaudit(
        findings=findings,
        verdict=verdict,
        suite=used,
        changed=changed,
        right=_right(network, loaded),
        robust=_robust(network, loaded, finalist),
    )


def _robust(network: Network, task: Task, finalist: Finalist) -> RobustAnswer | None:
    told = finalist.trained.robust
    if told is UNSET:
        return None
    section = RobustnessSection.model_validate({"norm": told.norm, "radius": told.radius})
    return robust_answer(network, task, section)


def _right(network: Network, task: Task) -> int | None:
    """On how many test examples the network answers the class."""
    import torch

    from selfnas.training.outputs import predict, predicted

    if not task.target.counted:
        return None
    answers = predicted(predict(network, torch.from_numpy(task.test.x)), task.target)
    return int((answers == torch.from_numpy(task.test.y)).sum())
