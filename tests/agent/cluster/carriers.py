"""Nodes of tests: threads of this process, and what a bad network or a bad node makes of their answers."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing

from agent.cluster.carrier import Begun, Delivery
from agent.cluster.messages import Told, decode_answer, encode
from agent.cluster.node import Node
from agent.workers.executor import Work
from tests.agent.cluster.plain import nothing

Spoil = Callable[[Delivery], Sequence[Delivery]]


class Dead(BaseException):
    """Ends the thread that stands for a worker."""


def untouched(delivery: Delivery) -> Sequence[Delivery]:
    """A good network."""
    return [delivery]


class Threads:
    """A cluster in this process.

    Args:
        work: what workers do with a job; by name of the node, where nodes differ.
        nodes: how many processors each has.
        spoil: what becomes of a delivery.
        own_copies: see `Node`.
        broken: nodes on which no worker starts.
    """

    def __init__(
        self,
        work: Work | Mapping[str, Work],
        *,
        nodes: Mapping[str, int] | None = None,
        spoil: Spoil = untouched,
        own_copies: bool = True,
        broken: Collection[str] = (),
    ) -> None:
        self.work, self.spoil, self.own_copies, self.broken = work, spoil, own_copies, broken
        self.room = dict(nodes or {"a": 2})
        self._where: dict[str, str] = {}
        self._asked: dict[str, queue.Queue[tuple[int, bytes] | None]] = {}
        self._came: queue.Queue[Delivery] = queue.Queue()
        self._names, self._tickets = itertools.count(1), itertools.count(1)
        self.sent: list[bytes] = []

    def nodes(self) -> Mapping[str, str]:
        """Called by their names."""
        return {node: f"node-{node}" for node in self.room}

    def begin(self, avoided: Collection[str]) -> Begun | None:
        """A thread."""
        taken = [*self._where.values()]
        free = {node: room - taken.count(node) for node, room in self.room.items() if node not in avoided}
        node = max(free, key=lambda each: free[each], default=None)
        if node is None or free[node] < 1:
            return None
        name = f"w{next(self._names)}"
        self._where[name], self._asked[name] = node, queue.Queue()
        threading.Thread(target=self._live, args=(name, node, self._asked[name]), daemon=True).start()
        return Begun(worker=name, node=node)

    def _live(self, name: str, node: str, asked: queue.Queue[tuple[int, bytes] | None]) -> None:
        work = self.work[node] if isinstance(self.work, Mapping) else self.work
        worker = Node(work, prepare=nothing, own_copies=self.own_copies)
        with closing(worker):
            while (received := asked.get()) is not None:
                ticket, message = received
                try:
                    if node in self.broken:
                        raise Dead
                    self._came.put(Delivery(worker=name, ticket=ticket, content=worker.handle(message)))
                except Dead:
                    self._came.put(Delivery(worker=name, ticket=ticket, content=None, reason="its power was cut"))
                    return

    def send(self, worker: str, message: bytes) -> int:
        """Into its queue."""
        self.sent.append(message)
        ticket = next(self._tickets)
        self._asked[worker].put((ticket, message))
        return ticket

    def receive(self, seconds: float) -> Sequence[Delivery]:
        """What came, as far as it is let through."""
        try:
            first = self._came.get(timeout=min(seconds, 0.02))
        except queue.Empty:
            return []
        return self.spoil(first) if first.worker in self._where else []

    def end(self, worker: str) -> None:
        """It hears no more."""
        if self._where.pop(worker, None) is not None:
            self._asked[worker].put(None)

    def close(self) -> None:
        """All hear no more."""
        for worker in [*self._where]:
            self.end(worker)


def altered(delivery: Delivery, **changes: object) -> Delivery:
    """The same with another answer to a job; as it is where it is no such answer."""
    told = decode_answer(delivery.content) if delivery.content is not None else None
    if not isinstance(told, Told) or not told.answer:
        return delivery
    fields = {name: getattr(told, name) for name in Told.__struct_fields__}
    return Delivery(worker=delivery.worker, ticket=delivery.ticket, content=encode(Told(**(fields | changes))))


class Canary:
    """Says what the canary gives on this machine."""

    device = "cpu"

    def __init__(self, worth: str) -> None:
        self.result: Future[str] = Future()
        self.result.set_result(worth)
        self.closed = False

    def close(self) -> None:
        """Remembered."""
        self.closed = True
