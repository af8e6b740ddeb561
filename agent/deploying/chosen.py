"""A finalist that is to be written to a file: which one, its network made whole, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger.events import UNSET, Standing, Trained
from agent.ledger.home import Home
from agent.state.state import Finalist, LifeState, RunState, TaskState
from selfnas.errors import InputError

if TYPE_CHECKING:
    from selfnas.data.tasks import Task
    from selfnas.training.whole import WholeNetwork

__all__ = ["chosen", "facts_of", "predictor"]


def chosen(state: LifeState, digest: str, *, task: str, refused: bool) -> tuple[RunState, TaskState, Finalist]:
    """The latest finalist of that digest that stands as asked for."""
    wanted = Standing.REFUSED if refused else Standing.ADMITTED
    quarantined = {motif.where for motif, _ in state.quarantined.values()}
    found = [
        (run, held, finalist)
        for run, held in state.tasks()
        if task in ("", held.name)
        for finalist in held.finalists
        if digest and finalist.digest.startswith(digest) and finalist.standing is not None
    ]
    standing = [one for one in found if one[2].standing == wanted and one[2].trained.weights_sha256]
    free = [one for one in standing if (one[0].number, one[1].name, one[2].digest) not in quarantined]
    if len({(held.name, finalist.digest) for _, held, finalist in free}) > 1:
        names = ", ".join(sorted({f"{finalist.digest[:16]} ({held.name})" for _, held, finalist in free}))
        raise InputError(f"several networks begin with {digest!r}: {names}; say more of it, or --task")
    if free:
        return free[-1]
    if standing:
        raise InputError(f"{standing[-1][2].digest[:12]} is quarantined by the constraint set in force")
    if not found:
        raise InputError(f"no trained network of this life has a digest that begins with {digest!r}")
    name = found[-1][2].digest[:12]
    if not found[-1][2].trained.weights_sha256:
        raise InputError(f"{name} was not trained to the end: there is nothing to export")
    raise InputError(
        f"{name} stands admitted: leave --refused away"
        if refused
        else f"{name} was refused by the audits: --refused exports it all the same, marked as such"
    )


def facts_of(run: RunState, task: TaskState, finalist: Finalist, *, head: str) -> dict[str, object]:
    """What the file says of itself."""
    trained, audited, started = finalist.trained, finalist.audited, run.started
    return {
        "format": 1,
        "verdict": str(finalist.standing),
        "audits": audited.decision if audited else "undecided",
        "reasons": list(audited.reasons) if audited else [],
        "reviews": [
            {"decision": review.facts.decision, "author": review.facts.author, "reason": review.facts.reason}
            for review in finalist.reviews
        ],
        "architecture": finalist.architecture,
        "digest": finalist.digest,
        "parameters": trained.params,
        "weights_sha256": trained.weights_sha256,
        "stream": started.record.stream,
        "run": run.number,
        "task": task.name,
        "task_digest": task.started.task_digest,
        "constraint_set": {"name": started.constraint_set.name, "digest": started.constraint_set_digest},
        "audit_suite": {"name": started.audit_suite.name, "digest": started.audit_suite_digest},
        "ledger_head": head,
        "validation": trained.validation,
        "metric": task.metric,
        "test": {"estimate": trained.test, "count": trained.test_count or _measured_on(trained)},
    }


def _measured_on(trained: Trained) -> int:
    """Number of test examples where no accuracy is counted."""
    return 0 if trained.metric is UNSET else trained.metric.n


def predictor(
    home: Home, run: RunState, held: TaskState, finalist: Finalist, *, base: Path
) -> tuple[WholeNetwork, Task]:
    """A finalist's network with its preparation, on the CPU and in evaluation mode; and the task with its data.

    Raises:
        InputError: weights or data are missing, or were changed.
    """
    from agent.state.networks import restore_network
    from agent.state.recorded import recorded_task
    from selfnas.training.whole import WholeNetwork

    network = restore_network(held, finalist.architecture, home.weights_file(finalist.trained.weights_sha256))
    task = recorded_task(run, held, home=home, base=base)
    whole = WholeNetwork(network, task.preparation)
    return whole.eval(), task
