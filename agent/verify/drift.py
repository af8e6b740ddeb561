"""What verification holds the watch over past tasks to: admitted networks, and verdicts that their numbers give."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from agent.ledger.events import WatchBatch, WatchEnded, WatchEvent, WatchSearch, WatchStarted
from agent.state.drift import wrong
from agent.state.state import LifeState
from agent.verify.motifs import MotifChecker
from selfnas.data.drift import DriftMonitor, Look

__all__ = ["WatchChecker"]

_TURNED = 1  # test examples on the edge, that another order of the same sums may turn


class WatchChecker:
    """Follows watches through a ledger: verdicts from the recorded numbers, searches only after a drift.

    Args:
        motifs: that were let in so far; the caller keeps them up to date.
    """

    def __init__(self, motifs: MotifChecker) -> None:
        self._motifs = motifs
        self._monitors: dict[str, DriftMonitor] = {}
        self._looks: dict[str, Look] = {}
        self._searching: dict[str, WatchSearch] = {}
        self._names: dict[str, set[str]] = {}  # of a task and its successors

    def check(self, facts: WatchEvent, *, admitted: Collection[str], run: int, task: str) -> Iterator[str]:
        """Problems of one event.

        Args:
            admitted: digests that the latest task's gate let in.
        """
        if not isinstance(facts, WatchStarted) and facts.task not in self._monitors:
            yield f"task {facts.task} is not watched"
            return
        match facts:
            case WatchStarted():
                yield from self._started(facts)
            case WatchBatch():
                yield from self._batch(facts)
            case WatchSearch():
                yield from self._search(facts, run=run)
            case WatchEnded():
                search = self._searching.pop(facts.task, None)
                if search is None:
                    yield "a search ended that had not begun"
                elif (facts.run, search.successor_task) != (search.run, task) or facts.run != run:
                    yield f"it ended a search of run {search.run}, which is not the run before it"
                if facts.successor is not None and facts.successor not in admitted:
                    yield f"successor {facts.successor} was not admitted"

    def outcome(self, ended: WatchEnded, state: LifeState) -> Iterator[str]:
        """Problems of what a search came to; `state` is of the events before."""
        if not 1 <= ended.run <= len(state.runs) or not len(state.runs[ended.run - 1].tasks):
            return  # said before
        task = state.runs[ended.run - 1].tasks[0]
        scores = [trial.value for trial in task.trials]
        best = scores.index(max(scores)) + 1 if scores else 0
        if (ended.evaluations, ended.evaluations_to_best) != (len(scores), best):
            yield f"its search took {len(scores)} evaluations, {best} to the best, not what it says"
        admitted = task.admitted()
        if ended.successor != (admitted[0].digest if admitted else None):
            yield "the successor is not the best that its search admitted"

    def _started(self, started: WatchStarted) -> Iterator[str]:
        """The network followed must be one that was let in and stands, on this task or as its successor."""
        watched, examples = started.task, len(started.errors)
        names = self._names.setdefault(watched, {watched})
        motif = self._motifs.in_service(started.run, started.in_service, started.digest)
        if motif is None or started.in_service not in names:
            yield f"network {started.digest[:12]} is followed, which does not stand admitted for task {watched}"
        elif (motif.architecture, motif.weights) != (started.architecture, started.weights_sha256):
            yield "the network followed is not the one that was admitted"
        elif motif.tested not in (None, examples):
            yield f"it has errors of {examples} examples, its task tests on {motif.tested}"
        elif motif.right is not None and abs(started.errors.count("0") - motif.right) > _TURNED:
            right = started.errors.count("0")
            yield f"it is right about {right} test examples, in its full training it was about {motif.right}"
        self._looks.pop(watched, None)
        faults = list(_numbers(started))
        yield from faults
        if not faults:
            self._monitors[watched] = DriftMonitor(wrong(started.errors), started.residuals)

    def _batch(self, batch: WatchBatch) -> Iterator[str]:
        faults = list(_numbers(batch))
        yield from faults
        if faults:
            return
        if batch.examples != len(batch.errors):
            yield f"it has {batch.examples} examples and errors of {len(batch.errors)}"
        look = self._looks[batch.task] = self._monitors[batch.task].update(wrong(batch.errors), batch.residuals)
        if (look.verdict, look.change) != (batch.verdict, batch.change):
            recorded = f"{batch.verdict} (change at {batch.change})"
            yield f"recorded as {recorded}, but its numbers say {look.verdict} (change at {look.change})"
        elif look.by != batch.by:
            yield f"called found by {batch.by or 'nothing'}, its numbers say {look.by or 'nothing'}"
        if batch.file != f"{batch.batch}.npz":
            yield "the file of its examples is not named by their digest"

    def _search(self, search: WatchSearch, *, run: int) -> Iterator[str]:
        known = self._looks.get(search.task)
        if known is None or known.verdict != "drift":
            yield "a search began though no drift was confirmed"
        motif = self._motifs.at(search.in_service)
        if motif is None or not motif.in_force or motif.task not in self._names[search.task]:
            yield f"event {search.in_service} let no network in that stands for task {search.task}"
        elif search.digest != motif.digest:
            yield "the network in service is not the one that was admitted"
        if search.run != run + 1:
            yield f"it announces run {search.run} after run {run}"
        self._names[search.task].add(search.successor_task)
        self._searching[search.task] = search


def _numbers(facts: WatchStarted | WatchBatch) -> Iterator[str]:
    if set(facts.errors) - {"0", "1"}:
        yield "its errors are not a text of 0 and 1"
    if len(facts.errors) != len(facts.residuals):
        yield f"it has errors of {len(facts.errors)} examples and {len(facts.residuals)} residuals"
