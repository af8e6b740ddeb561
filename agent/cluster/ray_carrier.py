"""Workers as Ray actors, a processor each, on the nodes of a cluster, or of one that is started here for a life."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from agent.cluster.carrier import Begun, Delivery
from agent.cluster.folders import HeldFolder
from agent.cluster.node import Node
from agent.ledger.home import SurroundingsError
from agent.workers.executor import Work
from selfnas.errors import InputError

__all__ = ["RayCarrier", "library"]

_CONNECT_SECONDS = 5.0
_LOOPBACK = "127.0.0.1"
_TIDY_SECONDS = 1.0
_STORE_BYTES = 256 * 2**20  # shared memory of a cluster that is started here; what does not fit is written to disk
# Read by Ray when it is imported. The second has a cluster of this machine listen on 127.0.0.1 alone.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def library(*, local: bool) -> ModuleType:
    """Ray, which reports to nobody.

    Args:
        local: whether a cluster will be started here, so that nothing listens to other machines.

    Raises:
        InputError: it is not installed.
    """
    for name, worth in _ENVIRONMENT.items():
        if local or name == "RAY_USAGE_STATS_ENABLED":
            os.environ[name] = worth
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise InputError("the executor ray needs Ray: pip install 'selfnas[ray]'") from error


class RayCarrier:
    """Starts actors, one processor each, and takes messages to them.

    Args:
        ray: the library.
        work: what workers do with a job.
        prepare: what they call first.
        address: of a cluster, `HOST:PORT`; empty starts one here. A program that is connected already uses that.
        count: processors of one that is started here.
        own_copies: whether workers read files of their machine where this one has them.
        gpus: that each worker needs; a part of one is shared.

    Raises:
        InputError: there is no such cluster, it has another version of Ray or of Python, or does not let us in; or one
            that would be started here would listen to other machines.
    """

    def __init__(
        self,
        ray: ModuleType,
        *,
        work: Work,
        prepare: Callable[[], None],
        address: str = "",
        count: int = 1,
        own_copies: bool = True,
        gpus: float = 0.0,
    ) -> None:
        self._ray: Any = ray
        self._folder: HeldFolder | None = None
        self._owned = not self._ray.is_initialized()
        if self._owned:
            self._connect(address, count)
        self._gpus, self._strategies = gpus, import_module("ray.util.scheduling_strategies")
        self._actor = self._ray.remote(Node)
        self._making = {"work": work, "prepare": prepare, "own_copies": own_copies}
        self._actors: dict[str, tuple[Any, str]] = {}  # by worker; the actor and its node
        self._pending: dict[Any, tuple[str, int]] = {}  # by reference to an answer; worker and ticket
        self._numbers, self._tickets = itertools.count(1), itertools.count(1)

    def _connect(self, address: str, count: int) -> None:
        _quieten()
        told: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        if address:
            _check_reachable(address)
            told |= {"address": address}
        else:
            self._folder = HeldFolder("selfnas-ray-")
            told |= {"address": "local", "num_cpus": count, "include_dashboard": False}
            told |= {"object_store_memory": _STORE_BYTES, "_temp_dir": str(self._folder.path / "ray")}
        try:
            self._ray.init(**told)
        except (self._ray.exceptions.RayError, RuntimeError, OSError, ValueError) as error:
            self._remove_folder()
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            where = f"the Ray cluster at {address}" if address else "a Ray cluster of this machine"
            raise InputError(f"{where} cannot be used: {first}") from error
        if not address and any(node["NodeManagerAddress"] != _LOOPBACK for node in self._ray.nodes()):
            self._ray.shutdown()
            self._remove_folder()
            raise InputError(
                "Ray was imported before it could be told to listen on this machine alone: start the life first, or "
                "start a cluster and name its address, executor ray:HOST:PORT"
            )

    def nodes(self) -> Mapping[str, str]:
        """Nodes that are alive, and their addresses."""
        return {node["NodeID"]: _called(node) for node in self._alive()}

    @property
    def processors(self) -> int:
        """Of all nodes."""
        return int(sum(node["Resources"].get("CPU", 0) for node in self._alive()))

    def _alive(self) -> list[dict[str, Any]]:
        try:
            return [node for node in self._ray.nodes() if node["Alive"]]
        except self._ray.exceptions.RayError as error:
            raise SurroundingsError(f"the Ray cluster does not answer: {error}") from error

    def begin(self, avoided: Collection[str]) -> Begun | None:
        """On the node with most processors that no worker of ours has."""
        taken = Counter(node for _, node in self._actors.values())
        room = {
            node["NodeID"]: node["Resources"].get("CPU", 0) - taken[node["NodeID"]]
            for node in self._alive()
            if node["NodeID"] not in avoided
        }
        chosen = max(room, key=lambda node: (room[node], node), default=None)
        if chosen is None or room[chosen] < 1:
            return None
        place = self._strategies.NodeAffinitySchedulingStrategy(chosen, soft=False)
        options = {"num_cpus": 1, "num_gpus": self._gpus, "max_restarts": 0, "scheduling_strategy": place}
        name = f"{next(self._numbers)}"
        self._actors[name] = (self._actor.options(**options).remote(**self._making), chosen)
        return Begun(worker=name, node=chosen)

    def send(self, worker: str, message: bytes) -> int:
        """Queue a call of the actor."""
        ticket = next(self._tickets)
        actor, _ = self._actors[worker]
        self._pending[actor.handle.remote(message)] = (worker, ticket)
        return ticket

    def receive(self, seconds: float) -> Sequence[Delivery]:
        """Answers that are there; an actor that raised is as good as lost."""
        if not self._pending:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait([*self._pending], num_returns=1, timeout=seconds)
        if len(self._pending) > 1 and ready:
            ready, _ = self._ray.wait([*self._pending], num_returns=len(self._pending), timeout=0)
        return [self._delivered(one, *self._pending.pop(one)) for one in ready]

    def _delivered(self, answer: Any, worker: str, ticket: int) -> Delivery:
        try:
            return Delivery(worker=worker, ticket=ticket, content=self._ray.get(answer))
        except self._ray.exceptions.RayError as error:
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            return Delivery(worker=worker, ticket=ticket, content=None, reason=f"{type(error).__name__}: {first[:300]}")

    def end(self, worker: str) -> None:
        """Kill the actor."""
        found = self._actors.pop(worker, None)
        self._pending = {one: sent for one, sent in self._pending.items() if sent[0] != worker}
        if found is not None:
            try:
                self._ray.kill(found[0], no_restart=True)
            except self._ray.exceptions.RayError as error:
                logging.getLogger(__name__).info("an actor could not be killed: %s", error)

    def close(self) -> None:
        """Kill all actors; end what was started here, or only leave the cluster."""
        if self._ray.is_initialized():
            leaving = [actor.close.remote() for actor, _ in self._actors.values()]
            if leaving:  # whoever is busy has no time to tidy up, and is killed
                self._ray.wait(leaving, num_returns=len(leaving), timeout=_TIDY_SECONDS)
            for worker in [*self._actors]:
                self.end(worker)
            if self._owned:
                self._ray.shutdown()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None


def _quieten() -> None:
    """What Ray says of workers goes to the log: a fleet tells of their loss, and what we print is read by programs."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    worker: Any = import_module("ray._private.worker")  # it has no public way to be kept from printing
    log = logging.getLogger(__name__)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda told, *_, **__: log.debug("%s", told)


def _called(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def _check_reachable(address: str) -> None:
    """Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"executor ray:{address}: an address is HOST:PORT, such as ray:10.0.0.7:6379")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS):
            return
    except (OSError, OverflowError) as error:
        raise InputError(f"executor ray:{address}: no Ray cluster answers there: {error}") from error
