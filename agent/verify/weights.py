"""What verification holds inherited weights to: a recalled motif's, that cannot have seen what they are tested on."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import UNSET, Admitted, Reviewed, RunStarted, StreamRecord, TaskRecord, TaskStarted, Trained
from agent.ledger.home import Home
from agent.memory.weights import keeps_splits_apart, shared_numbers

__all__ = ["InheritanceChecker"]


class InheritanceChecker:
    """Follows motifs and their weights through a life."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._weights: dict[tuple[int, str, str], str] = {}  # of what stands or stood admitted, by run, task and digest
        # Tasks that taught what it began with, likewise.
        self._descent: dict[tuple[int, str, str], tuple[tuple[int, str], ...]] = {}
        self._streams: list[StreamRecord] = []
        self._digests: dict[tuple[int, str], str] = {}  # of tasks' content
        self._started: TaskStarted | None = None
        self._refit: set[tuple[int, str, str]] = set()  # whose weights have seen validation examples

    def run_begins(self, started: RunStarted) -> None:
        """A run over a stream."""
        self._streams.append(started.record)

    def task_begins(self, started: TaskStarted) -> None:
        """A task of it."""
        self._started = started
        self._digests[len(self._streams), started.task] = started.task_digest

    def let_in(self, facts: Admitted | Reviewed, *, run: int, task: str) -> None:
        """A motif, by audits or by a person."""
        self._weights[run, task, facts.digest] = facts.weights_sha256

    def trained(self, trained: Trained) -> Iterator[str]:
        """Problems of a full training that says it started from a motif's weights."""
        inherited, digest = trained.inherited, trained.digest
        if trained.refit is not UNSET:
            self._refit.add((len(self._streams), trained.task, digest))
        if inherited is UNSET:
            return
        if not self._streams or self._started is None:
            yield "no task has begun that could have inherited weights"
            return
        if self._streams[-1].inherit is None:
            yield "it inherited weights, which its stream does not say"
        parent = trained.architecture, inherited.run, inherited.task
        if not any((one.architecture, one.from_run, one.from_task) == parent for one in self._started.recalled):
            yield "it inherited the weights of a motif that was not recalled"
        if self._weights.get((inherited.run, inherited.task, digest)) != inherited.weights_sha256:
            yield "the weights that it inherited are not those of an admitted motif"
            return
        taught = ((inherited.run, inherited.task), *self._descent.get((inherited.run, inherited.task, digest), ()))
        self._descent[len(self._streams), trained.task, digest] = taught
        now = self._streams[-1].task(trained.task)
        if any(not self._apart(run, task, digest, now) for run, task in taught):
            yield "the weights that it inherited may have seen what it is tested on"
        if inherited.share is None:
            if not trained.reason:
                yield "it inherited nothing, and does not say why"
            return
        own, source = (self._home.weights_file(name) for name in (trained.weights_sha256, inherited.weights_sha256))
        if own.is_file() and source.is_file() and shared_numbers(own, source) != inherited.share:
            yield f"it says that it inherited {inherited.share}, its weights say {shared_numbers(own, source)}"

    def _apart(self, run: int, task: str, digest: str, now: TaskRecord) -> bool:
        """Whether weights of an earlier task cannot have seen what the present one validates, audits or tests on."""
        refit = (run, task, digest) in self._refit
        same = self._started is not None and self._digests.get((run, task)) == self._started.task_digest
        return (same and not refit) or keeps_splits_apart(self._streams[run - 1].task(task), now, refit=refit)
