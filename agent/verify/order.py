"""That a life's runs, tasks and steps come in the order in which they can be lived, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.store import Event, Json
from agent.state.state import items, mapping

__all__ = ["OrderChecker"]

# What belongs to an open task; policies, motifs, reviews, watches and mining are between tasks too.
_OF_A_TASK = frozenset(
    {
        "certified", "rejected", "quarantined", "filtered", "supernet.trained", "evaluated", "trained", "audited",
        "tabulated", "compared", "task.finished",
    }
)  # fmt: skip
_REFUSED = "policy.refused"  # once, by rules; then the next best may be decided about


class OrderChecker:
    """Follows runs and tasks: the stream's tasks in its order, each finished before the next begins."""

    def __init__(self) -> None:
        self._names: list[str] = []  # of the present run's stream
        self._run = 0
        self._begun = 0  # tasks of the present run
        self._tunes = False  # whether the present run decides about its policy after each task
        self._decided: list[str] = []  # what it decided after the latest one
        self._open_task = False
        self._open_run = False
        self._evaluated: set[tuple[str, str]] = set()  # architecture and fidelity, of the present task

    def check(self, event: Event) -> Iterator[str]:
        """Problems of one event, in sentences."""
        payload = event.payload
        if event.kind == "run.started":
            if self._open_run:
                yield "a run began before the one before it was finished"
            stream = mapping(payload["stream"])
            self._run, self._tunes, self._decided = self._run + 1, "tuning" in stream, []
            if payload["run"] != self._run:
                yield f"it calls itself run {payload['run']}, and is run {self._run}"
            self._names = [str(mapping(task)["name"]) for task in items(stream["tasks"])]
            self._begun, self._open_task, self._open_run = 0, False, True
        elif event.kind == "task.started":
            yield from self._begin(payload)
        elif event.kind == "run.finished":
            yield from self._undecided()
            if payload.get("tasks", self._begun) != self._begun:
                yield f"it counts {payload['tasks']} tasks, lived were {self._begun}"
            if self._open_task or self._begun != len(self._names) or not self._open_run:
                yield f"the run was finished after {self._begun} of its {len(self._names)} tasks, or not while it ran"
            self._open_run = False
        elif event.kind.startswith("policy."):
            if self._open_task or (payload["run"], payload["after_task"]) != (self._run, self._begun):
                yield f"it was decided after task {self._begun} of run {self._run}, not where it says, or within a task"
            if event.kind in self._decided or set(self._decided) - {_REFUSED}:
                yield f"after task {self._begun} it was decided already"
            self._decided.append(event.kind)
        elif event.kind in _OF_A_TASK and not self._open_task:
            yield "belongs to a task, and none was being lived"
        if event.kind == "evaluated":
            what = str(payload["architecture"]), str(payload["fidelity"])
            if what in self._evaluated:
                yield "evaluated a second time on this task at one fidelity"
            self._evaluated.add(what)
        elif event.kind == "task.finished":
            self._open_task, self._decided = False, []

    def _undecided(self) -> Iterator[str]:
        if self._tunes and self._begun and not self._decided:
            yield f"nothing was decided about the policy after task {self._begun}"

    def _begin(self, payload: Mapping[str, Json]) -> Iterator[str]:
        yield from self._undecided()
        if not self._open_run:
            yield "a task began outside a run"
        if self._open_task:
            yield "a task began before the one before it was finished"
        expected = self._names[self._begun] if self._begun < len(self._names) else None
        if payload["task"] != expected:
            yield f"task {payload['task']} was lived where the stream has {expected or 'no further task'}"
        self._begun, self._open_task, self._evaluated = self._begun + 1, True, set()
