"""What verification holds the watch over past tasks to: admitted networks, and verdicts that their numbers give."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from agent.ledger.store import Event, Json
from agent.state.drift import residuals, wrong
from agent.state.state import Payload, items, number
from agent.verify.motifs import MotifChecker
from selfnas.data.drift import DriftMonitor, Look

__all__ = ["WatchChecker"]


class WatchChecker:
    """Follows watches through a ledger: verdicts from the recorded numbers, searches only after a drift.

    Args:
        motifs: that were let in so far; the caller keeps them up to date.
    """

    def __init__(self, motifs: MotifChecker) -> None:
        self._motifs = motifs
        self._monitors: dict[str, DriftMonitor] = {}
        self._looks: dict[str, Look] = {}
        self._searching: dict[str, Payload] = {}
        self._names: dict[str, set[str]] = {}  # of a task and its successors

    def check(self, event: Event, *, admitted: Collection[str], run: int, task: str) -> Iterator[str]:
        """Problems of one event.

        Args:
            event: of a kind that begins with `watch.`.
            admitted: digests that the latest task's gate let in.
            run: number of the latest run.
            task: name of the latest task.
        """
        payload, watched = event.payload, str(event.payload["task"])
        if event.kind == "watch.started":
            yield from self._started(payload, watched)
        elif watched not in self._monitors:
            yield f"task {watched} is not watched"
        elif event.kind == "watch.batch":
            yield from self._batch(payload, watched)
        elif event.kind == "watch.search":
            yield from self._search(payload, watched, run=run)
        elif event.kind == "watch.ended":
            search = self._searching.pop(watched, None)
            if search is None:
                yield "a search ended that had not begun"
            elif (payload["run"], search["successor_task"]) != (search["run"], task) or payload["run"] != run:
                yield f"it ended a search of run {search['run']}, which is not the run before it"
            if payload["successor"] is not None and payload["successor"] not in admitted:
                yield f"successor {payload['successor']} was not admitted"

    def _started(self, payload: Payload, watched: str) -> Iterator[str]:
        """The network followed must be one that was let in and stands, on this task or as its successor."""
        names = self._names.setdefault(watched, {watched})
        motif = self._motifs.in_service(int(number(payload["run"])), str(payload["in_service"]), str(payload["digest"]))
        if motif is None or payload["in_service"] not in names:
            yield f"network {str(payload['digest'])[:12]} is followed, which does not stand admitted for task {watched}"
        elif (motif.architecture, motif.weights) != (payload["architecture"], payload["weights_sha256"]):
            yield "the network followed is not the one that was admitted"
        elif motif.tested not in (None, len(str(payload["errors"]))):
            yield f"it has errors of {len(str(payload['errors']))} examples, its task tests on {motif.tested}"
        self._looks.pop(watched, None)
        faults = list(_numbers(payload))
        yield from faults
        if not faults:
            self._monitors[watched] = DriftMonitor(wrong(payload["errors"]), residuals(payload["residuals"]))

    def _batch(self, payload: Payload, watched: str) -> Iterator[str]:
        faults = list(_numbers(payload))
        yield from faults
        if faults:
            return
        if payload["examples"] != len(str(payload["errors"])):
            yield f"it has {payload['examples']} examples and errors of {len(str(payload['errors']))}"
        look = self._monitors[watched].update(wrong(payload["errors"]), residuals(payload["residuals"]))
        self._looks[watched] = look
        if (look.verdict, look.change) != (payload["verdict"], payload["change"]):
            told = f"{payload['verdict']} (change at {payload['change']})"
            yield f"recorded as {told}, but its numbers say {look.verdict} (change at {look.change})"

    def _search(self, payload: Payload, watched: str, *, run: int) -> Iterator[str]:
        known = self._looks.get(watched)
        if known is None or known.verdict != "drift":
            yield "a search began though no drift was confirmed"
        motif = self._motifs.at(int(number(payload["in_service"])))
        if motif is None or not motif.in_force or motif.task not in self._names[watched]:
            yield f"event {payload['in_service']} let no network in that stands for task {watched}"
        elif payload.get("digest", motif.digest) != motif.digest:
            yield "the network in service is not the one that was admitted"
        if payload["run"] != run + 1:
            yield f"it announces run {payload['run']} after run {run}"
        self._names[watched].add(str(payload["successor_task"]))
        self._searching[watched] = payload


def _numbers(payload: dict[str, Json] | Payload) -> Iterator[str]:
    errors = str(payload["errors"])
    if set(errors) - {"0", "1"}:
        yield "its errors are not a text of 0 and 1"
    if len(errors) != len(items(payload["residuals"])):
        yield f"it has errors of {len(errors)} examples and {len(items(payload['residuals']))} residuals"
