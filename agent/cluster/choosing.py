"""From the name of an executor to the executor: processes of this machine, or workers of a Ray cluster."""

from __future__ import annotations

from agent.cluster.canary import Reference
from agent.cluster.fleet import Fleet
from agent.cluster.parcels import JobParcels
from agent.workers.executor import Executor
from agent.workers.pool import Workers, cores
from agent.workers.process import prepare, run_job
from selfnas.errors import InputError

__all__ = ["executor_named"]


def executor_named(name: str, *, workers: int | None, device: str = "cpu", method: str | None = None) -> Executor:
    """The executor of a name.

    Args:
        name: `local`; `ray` for a cluster that is started on this machine; `ray:HOST:PORT` for one that is there.
        workers: how many jobs at a time; None takes as many as there are processors.
        device: torch device of the jobs.
        method: how local processes start, as `multiprocessing` names it; None chooses.

    Raises:
        InputError: no such executor, Ray is not installed, or its cluster cannot be used.

    Example:
        >>> executor = executor_named("local", workers=2)
        >>> executor.capacity, executor.close()
        (2, None)
    """
    kind, colon, address = name.partition(":")
    if name == "local":
        return Workers(workers or cores(), method=method)
    if kind != "ray" or (colon and not address):
        raise InputError(f"executor {name!r}: an executor is local, ray, or ray:HOST:PORT")
    from agent.cluster.ray_carrier import RayCarrier, library
    from agent.workers.device import chosen_device

    ray = library(local=not address)
    chosen = chosen_device(device)
    carrier = RayCarrier(
        ray,
        work=run_job,
        prepare=prepare,
        address=address,
        count=workers or cores(),
        gpus=1.0 if chosen.startswith("cuda") else 0.0,
    )
    count = workers or max(1, carrier.processors)
    return Fleet(carrier, count, parcels=JobParcels(), canary=Reference(chosen))
