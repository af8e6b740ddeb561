"""The contract of a carrier: it starts workers on the nodes of a cluster and takes messages to them and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Begun", "Carrier", "Delivery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A worker that was started: its name, which no other has, and that of its node."""

    worker: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came back of a message.

    Attributes:
        worker: whom it was sent to.
        ticket: of the message.
        content: the answer; None where the worker is lost.
        reason: how it was lost.
    """

    worker: str
    ticket: int
    content: bytes | None
    reason: str = ""


class Carrier(Protocol):
    """Takes messages to workers and back; what it delivers late, twice, altered or never is its caller's to notice."""

    def nodes(self) -> Mapping[str, str]:
        """By name the nodes that are there now, and how to call them before people.

        Raises:
            SurroundingsError: the cluster does not answer.
        """
        ...

    def begin(self, avoided: Collection[str]) -> Begun | None:
        """Start a worker on the node that has most room; None where no node but the avoided ones has any."""
        ...

    def send(self, worker: str, message: bytes) -> int:
        """Send a message; returns its ticket. A worker handles messages in the order they were sent."""
        ...

    def receive(self, seconds: float) -> Sequence[Delivery]:
        """What came back; waits so long for the first."""
        ...

    def end(self, worker: str) -> None:
        """End a worker, whatever it does; nothing of it is delivered any more."""
        ...

    def close(self) -> None:
        """End all workers, and the cluster where it was started for them."""
        ...
