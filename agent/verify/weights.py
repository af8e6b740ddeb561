"""What verification holds inherited weights to: a recalled motif's, that cannot have seen what they are tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.home import Home
from agent.ledger.store import Json
from agent.memory.weights import keeps_splits_apart, shared_numbers, spec_of
from agent.state.state import items, mapping, number

__all__ = ["InheritanceChecker"]


class InheritanceChecker:
    """Follows motifs and their weights through a life."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._weights: dict[tuple[int, str, str], str] = {}  # of what stands or stood admitted, by run, task and digest
        self._descent: dict[
            tuple[int, str, str], tuple[tuple[int, str], ...]
        ] = {}  # tasks that taught what it began with
        self._streams: list[Mapping[str, Json]] = []
        self._digests: dict[tuple[int, str], Json] = {}  # of tasks' content
        self._started: Mapping[str, Json] = {}

    def run_begins(self, payload: Mapping[str, Json]) -> None:
        """A run over a stream."""
        self._streams.append(mapping(payload["stream"]))

    def task_begins(self, payload: Mapping[str, Json]) -> None:
        """A task of it."""
        self._started = payload
        self._digests[len(self._streams), str(payload["task"])] = payload["task_digest"]

    def let_in(self, payload: Mapping[str, Json], *, run: int, task: str) -> None:
        """A motif, by audits or by a person."""
        self._weights[run, task, str(payload["digest"])] = str(payload["weights_sha256"])

    def trained(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Problems of a full training that says it started from a motif's weights."""
        if "inherited" not in payload:
            return
        told, digest = mapping(payload["inherited"]), str(payload["digest"])
        run, task, sha256 = int(number(told["run"])), str(told["task"]), str(told["weights_sha256"])
        if "inherit" not in self._streams[-1]:
            yield "it inherited weights, which its stream does not say"
        if not any(
            (entry["architecture"], entry["from_run"], entry["from_task"]) == (payload["architecture"], run, task)
            for entry in map(mapping, items(self._started["recalled"]))
        ):
            yield "it inherited the weights of a motif that was not recalled"
        if self._weights.get((run, task, digest)) != sha256:
            yield "the weights that it inherited are not those of an admitted motif"
            return
        taught = ((run, task), *self._descent.get((run, task, digest), ()))
        self._descent[len(self._streams), str(payload["task"]), digest] = taught
        now = spec_of(self._streams[-1], str(payload["task"]))
        if any(
            self._digests[place] != self._started["task_digest"]
            and not keeps_splits_apart(spec_of(self._streams[place[0] - 1], place[1]), now)
            for place in taught
        ):
            yield "the weights that it inherited may have seen what it is tested on"
        if told["share"] is None:
            if not payload["reason"]:
                yield "it inherited nothing, and does not say why"
            return
        own, parent = (self._home.weights_file(str(name)) for name in (payload["weights_sha256"], sha256))
        if own.is_file() and parent.is_file() and shared_numbers(own, parent) != told["share"]:
            yield f"it says that it inherited {told['share']}, its weights say {shared_numbers(own, parent)}"
