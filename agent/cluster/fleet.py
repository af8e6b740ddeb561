"""The executor of a cluster: jobs go to workers on its nodes, and come back in the order they were asked, whoever dies.

A job goes to one worker at a time. It is sent again where its worker is lost, where an answer is damaged, and, as soon
as nothing else waits, where it takes very long; the first right answer counts. A node is trusted with jobs once its
canary training gave what it gives here. One that meets trouble which is not the job's is left alone.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.cluster.canary import versions
from agent.cluster.carrier import Carrier, Delivery
from agent.cluster.messages import (
    Ask,
    DamagedError,
    Meet,
    Met,
    Take,
    Taken,
    Told,
    decode_answer,
    digest_of,
    encode,
)
from agent.cluster.parcels import Packed, Parcels
from agent.ledger.home import StorageError, SurroundingsError
from agent.workers import interrupt
from agent.workers.executor import DIED, WorkerDied, untold
from agent.workers.jobs import DataChangedError, PluginChangedError
from selfnas.errors import SelfnasError

__all__ = ["Canary", "Fleet", "Limits"]

_LOOK_SECONDS = 0.2  # between two looks whether Ctrl-C was pressed
_ROOM_SECONDS = 1.0  # between two looks whether a node has room
_TROUBLES: dict[str, type[SelfnasError]] = {
    kind.__name__: kind for kind in (StorageError, SurroundingsError, DataChangedError, PluginChangedError)
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a fleet has patience.

    Attributes:
        attempts: workers that may be lost on a job, or answer it wrongly, before that is its answer.
        patience: seconds that a job may take before an idle worker is asked as well.
        room: seconds that no node at all may have room for a worker.
        starts: workers in a row that may be lost on a node before they are ready.
    """

    attempts: int = 5
    patience: float = 600.0
    room: float = 120.0
    starts: int = 10


class Canary(Protocol):
    """What workers must train alike; see `agent.cluster.canary.Reference`."""

    @property
    def device(self) -> str:
        """Torch device that it is trained on."""
        ...

    @property
    def result(self) -> Future[str]:
        """What it gives on the machine of the life, once that is known."""
        ...

    def close(self) -> None:
        """End its training here."""
        ...


@dataclass(slots=True, eq=False)
class _Job:
    """A job, what goes with it, and how often it went wrong."""

    text: str
    identity: str
    packed: Packed
    losses: int = 0
    damages: int = 0
    answer: str | WorkerDied | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker, what it was sent last, and what it knows.

    Attributes:
        ticket: of the message whose answer is waited for; -1 for none.
        met: how it introduced itself.
        ready: whether it may be given jobs.
        job: that it does.
        since: when it was given that.
        told: lists of files that it knows.
        sent: digests of files that it was sent for its job.
        taking: tickets of these.
    """

    name: str
    node: str
    ticket: int
    met: Met | None = None
    ready: bool = False
    job: _Job | None = None
    since: float = 0.0
    told: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    taking: set[int] = field(default_factory=set)


class Fleet:
    """Has jobs done by workers of a cluster.

    Args:
        carrier: starts workers and takes messages to them; closed with the fleet.
        count: of workers, at most.
        parcels: knows the files of jobs.
        canary: what workers must train alike; None trusts every node. Closed with the fleet.
        limits: of patience.
        clock: seconds.

    Attributes:
        tally: workers `lost`; jobs sent `again` and `twice`; answers `late` and `damaged`; `files` and `bytes` sent.
    """

    def __init__(
        self,
        carrier: Carrier,
        count: int,
        *,
        parcels: Parcels,
        canary: Canary | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._carrier, self._count, self._parcels = carrier, count, parcels
        self._canary, self._limits, self._clock = canary, limits or Limits(), clock
        self._workers: dict[str, _Worker] = {}
        self._waiting: deque[_Job] = deque()
        self._jobs: dict[str, _Job] = {}  # by identity those that are asked for or expected
        self._trusted: dict[str, dict[str, str]] = {}  # by node; versions of its libraries
        self._left_alone: dict[str, SelfnasError] = {}  # by node; what it met
        self._refused: dict[str, SelfnasError] = {}  # by node; how its canary differs
        self._stillborn: Counter[str] = Counter()  # by node
        self._without_room: float | None = None  # since when no node takes a worker
        self._next_look = 0.0
        self.tally: Counter[str] = Counter()

    @property
    def capacity(self) -> int:
        """How many workers there are to be."""
        return self._count

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of the workers that have introduced themselves, each on its own node."""
        return tuple(worker.met.pid for worker in self._workers.values() if worker.met is not None)

    def warm_up(self) -> None:
        """Start the workers."""
        self._fill()

    def expect(self, jobs: Sequence[str]) -> None:
        """Give jobs to workers that have nothing else to do, the others when one is free."""
        for text in jobs:
            self._known(text)
        self._hand_out()

    def answers(self, jobs: Sequence[str], *, on_done: Callable[[], None] = untold) -> tuple[str | WorkerDied, ...]:
        """Answers to jobs, in the order of the jobs; equal ones are computed once.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile.
            StorageError: the disk of this machine, or of every node, would not take what a job makes.
            SurroundingsError: no node can be used, or jobs are answered wrongly time and again.
            DataChangedError: on no node the task's data are those that the job names.
            PluginChangedError: nor is a plug-in.
        """
        asked = [self._known(text) for text in jobs]
        pending = asked
        try:
            while True:
                for job in pending:
                    if job.answer is not None:
                        on_done()
                pending = [job for job in pending if job.answer is None]
                if not pending:
                    break
                self._step()
        finally:
            for job in asked:
                self._jobs.pop(job.identity, None)
            self._waiting = deque(job for job in self._waiting if job.identity in self._jobs)
        return tuple(job.answer for job in asked if job.answer is not None)

    def close(self) -> None:
        """End workers, canary and carrier."""
        self._workers.clear()
        self._carrier.close()
        if self._canary is not None:
            self._canary.close()

    def _known(self, text: str) -> _Job:
        """The job of a text, which waits for a worker if it is new."""
        identity = digest_of(text)
        if identity not in self._jobs:
            self._jobs[identity] = _Job(text=text, identity=identity, packed=self._parcels.pack(text))
            self._waiting.append(self._jobs[identity])
        return self._jobs[identity]

    def _step(self) -> None:
        interrupt.check()
        for worker in [*self._workers.values()]:
            if worker.met is not None and not worker.ready and worker.name in self._workers:
                self._judge(worker, worker.met)
        self._fill()
        self._hand_out()
        for delivery in self._carrier.receive(_LOOK_SECONDS):
            self._take_in(delivery)

    def _fill(self) -> None:
        """Start workers until there are as many as there are to be, or no node has room."""
        avoided = {*self._left_alone, *self._refused}
        while len(self._workers) < self._count and self._clock() >= self._next_look:
            begun = self._carrier.begin(avoided)
            if begun is None:
                self._next_look = self._clock() + _ROOM_SECONDS
                self._check_room()
                return
            self._without_room = None
            wanted = self._canary is not None and begun.node not in self._trusted
            device = self._canary.device if self._canary is not None else ""
            ticket = self._carrier.send(begun.worker, encode(Meet(canary=wanted, device=device)))
            self._workers[begun.worker] = _Worker(name=begun.worker, node=begun.node, ticket=ticket)

    def _check_room(self) -> None:
        """Give up where there has been no worker, and no room for one, for too long."""
        if self._workers:
            self._without_room = None
            return
        if self._without_room is None:
            self._without_room = self._clock()
        if self._clock() - self._without_room > self._limits.room:
            self._without_room = None
            known = "; ".join(map(str, [*self._refused.values(), *self._left_alone.values()]))
            raise SurroundingsError(
                f"no node has had room for a worker for {self._limits.room:.0f} s{known and ': '}{known}"
            )

    def _hand_out(self) -> None:
        """Give each idle worker a job."""
        for worker in [*self._workers.values()]:
            if worker.ready and worker.job is None and not worker.taking:
                job = self._next_job()
                if job is None:
                    return
                worker.job, worker.since = job, self._clock()
                worker.sent.clear()
                self._ask(worker, job)

    def _next_job(self) -> _Job | None:
        """What waits, or else what takes very long on one worker alone."""
        while self._waiting:
            if (first := self._waiting.popleft()).answer is None:
                return first
        doing = Counter(worker.job.identity for worker in self._workers.values() if worker.job is not None)
        for worker in self._workers.values():
            if (
                (job := worker.job) is None
                or job.answer is not None
                or doing[job.identity] > 1
                or not self._wanted(job)
            ):
                continue
            if self._clock() - worker.since > self._limits.patience:
                self.tally["twice"] += 1
                _log.warning("%s has been at a job for long: another worker does it too", self._called(worker))
                return job
        return None

    def _ask(self, worker: _Worker, job: _Job) -> None:
        packed = job.packed
        fresh = [listing for digest, listing in packed.listings.items() if digest not in worker.told]
        worker.told.update(listing.digest for listing in fresh)
        ask = Ask(job=job.text, inputs=packed.inputs, listings=tuple(fresh), outputs=packed.outputs)
        worker.ticket = self._carrier.send(worker.name, encode(ask))

    def _take_in(self, delivery: Delivery) -> None:
        worker = self._workers.get(delivery.worker)
        if worker is None or delivery.ticket not in {worker.ticket, *worker.taking}:
            self.tally["late"] += 1  # or a second time
            return
        if delivery.content is None:
            self._lose(worker, delivery.reason)
            return
        try:
            answer = decode_answer(delivery.content)
            if delivery.ticket in worker.taking:
                self._taken(worker, delivery.ticket, answer)
                return
            worker.ticket = -1
            if worker.met is None:
                self._meet(worker, answer)
            else:
                self._told(worker, answer)
        except DamagedError as error:
            self._discard(worker, error)

    def _meet(self, worker: _Worker, answer: object) -> None:
        if not isinstance(answer, Met):
            raise DamagedError(f"a {type(answer).__name__} came where a worker was to introduce itself")
        worker.met = answer
        self._stillborn.pop(worker.node, None)
        self._judge(worker, answer)

    def _judge(self, worker: _Worker, met: Met) -> None:
        """Whether its node can be trusted with jobs; left open while it is not known what the canary gives here."""
        if self._canary is None or worker.node in self._trusted:
            worker.ready = True
            return
        if not self._canary.result.done():
            return
        here = self._canary.result.result()
        if met.canary == here:
            worker.ready = True
            self._trusted[worker.node] = met.versions
            return
        own, name = versions(), self._name_of(worker.node)
        unlike = [f"{key} {met.versions.get(key, 'none')} there, {own[key]} here" for key in own]
        told = ", ".join(text for key, text in zip(own, unlike, strict=True) if met.versions.get(key) != own[key])
        gave = met.reason or f"its canary training gave {met.canary[:12]}…, this machine's {here[:12]}…"
        self._refused[worker.node] = SurroundingsError(f"node {name} is refused: {gave}{told and f' ({told})'}")
        self._leave(worker.node, self._refused[worker.node])

    def _taken(self, worker: _Worker, ticket: int, answer: object) -> None:
        worker.taking.discard(ticket)
        if not isinstance(answer, Taken) or not answer.right:
            raise DamagedError("a file arrived that was not the one that was sent")

    def _told(self, worker: _Worker, told: object) -> None:
        job = worker.job
        if not isinstance(told, Told) or job is None or told.identity != job.identity:
            raise DamagedError("an answer came to something that was not asked")
        if told.lacking:
            self._send_files(worker, job, told.lacking)
            return
        if told.trouble:
            kind = _TROUBLES.get(told.trouble, SurroundingsError)
            self._left_alone[worker.node] = kind(f"node {self._name_of(worker.node)}: {told.reason}")
            self._leave(worker.node, self._left_alone[worker.node])
            return
        if digest_of(told.answer) != told.sha256:
            raise DamagedError("an answer is not what its digest says")
        if job.answer is not None or not self._wanted(job):
            worker.job = None
            self.tally["late"] += 1
            return
        self._parcels.unpack(job.text, told.answer, told.files)
        worker.job, job.answer = None, told.answer

    def _send_files(self, worker: _Worker, job: _Job, lacking: Sequence[str]) -> None:
        """Send what the worker lacks, then ask again."""
        paths = {file.sha256: file.path for listing in job.packed.listings.values() for file in listing.files}
        if not paths.keys() >= set(lacking) or worker.sent & set(lacking):
            raise DamagedError("a worker lacks files that are not of its job, or that it was sent")
        for digest in lacking:
            try:
                content = Path(paths[digest]).read_bytes()
            except OSError as error:
                raise DataChangedError(f"{paths[digest]} cannot be read any more: {error}") from error
            if digest_of(content) != digest:
                raise DataChangedError(f"{paths[digest]} was changed while a life reads it: put it back")
            worker.taking.add(self._carrier.send(worker.name, encode(Take(sha256=digest, content=content))))
            self.tally["files"] += 1
            self.tally["bytes"] += len(content)
        worker.sent.update(lacking)
        self._ask(worker, job)

    def _wanted(self, job: _Job) -> bool:
        return self._jobs.get(job.identity) is job

    def _lose(self, worker: _Worker, reason: str) -> None:
        """A worker that died."""
        self.tally["lost"] += 1
        _log.warning("%s is lost: %s", self._called(worker), reason)
        job = self._drop(worker)
        if worker.met is None:
            self._stillborn[worker.node] += 1
            if self._stillborn[worker.node] >= self._limits.starts:
                self._stillborn.pop(worker.node)
                error = SurroundingsError(f"node {self._name_of(worker.node)}: no worker starts there: {reason}")
                self._left_alone[worker.node] = error
                self._leave(worker.node, error)
        if job is None or job.answer is not None:
            return
        job.losses += 1
        if job.losses >= self._limits.attempts:
            job.answer = WorkerDied(DIED)
        else:
            self._again(job)

    def _discard(self, worker: _Worker, error: DamagedError) -> None:
        """A worker that does not say what it should."""
        self.tally["damaged"] += 1
        _log.warning("%s is given no more jobs: %s", self._called(worker), error)
        job = self._drop(worker)
        if job is None or job.answer is not None or not self._wanted(job):
            return
        job.damages += 1
        if job.damages >= self._limits.attempts:
            raise SurroundingsError(f"a job was answered wrongly {job.damages} times, at last so: {error}") from error
        self._again(job)

    def _again(self, job: _Job) -> None:
        if self._wanted(job) and all(worker.job is not job for worker in self._workers.values()):
            self.tally["again"] += 1
            self._waiting.appendleft(job)

    def _drop(self, worker: _Worker) -> _Job | None:
        """End a worker; returns what it did."""
        self._workers.pop(worker.name, None)
        self._carrier.end(worker.name)
        return worker.job

    def _leave(self, node: str, error: SelfnasError) -> None:
        """Use a node no more; where it was the last one, raise what it met. Its jobs are done elsewhere."""
        _log.warning("%s", error)
        for worker in [one for one in self._workers.values() if one.node == node]:
            job = self._drop(worker)
            if job is not None and job.answer is None:
                self._again(job)
        if not self._carrier.nodes().keys() - self._left_alone.keys() - self._refused.keys():
            self._left_alone.clear()  # whoever goes on later begins anew
            raise error

    def _name_of(self, node: str) -> str:
        return self._carrier.nodes().get(node, node)

    def _called(self, worker: _Worker) -> str:
        return f"worker {worker.name} on node {self._name_of(worker.node)}"
