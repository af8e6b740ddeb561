"""Watching a past task: follow its network on new data, and search for a successor once a drift is confirmed.

The search is a run like any other, of one task made of the new examples: warm-started from the architecture in
service, through the same gate, under the constraint set and suite in force, with a third of the stream's budget.
Every step is one transaction; the same command goes on from where a life was cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.ledger.events import Facts, WatchBatch, WatchEnded, WatchSearch, WatchStarted
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.context import Prepared
from agent.life.life import Life
from agent.life.observer import Observer
from agent.life.successor import Outcome, outcome_of, prepared_search
from agent.state.drift import Drift, Watch, fold, monitor
from agent.state.networks import restore_network
from agent.state.opening import recollect
from agent.state.recorded import recorded_spec
from agent.state.state import LifeState, Motif, RunState
from agent.workers.executor import Executor
from selfnas.data.batches import Batch, load_batches, read_examples, write_examples
from selfnas.data.drift import InputProfile, by_content
from selfnas.data.tasks import Split, Task, load_task, read_source
from selfnas.errors import InputError
from selfnas.networks.network import Network

__all__ = ["Seen", "Watcher", "in_service"]


_ROUNDED = 1e-4  # between two computations of a residual, which is recorded to six digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one file came to.

    Attributes:
        known: whether it had been taken in before; then the rest says nothing new.
        examples: in it.
        accuracy: of the network in service on it, in [0, 1].
        verdict: after it.
        missing: new examples that a search still needs; 0 unless a drift is confirmed.
    """

    path: Path
    known: bool
    examples: int = 0
    accuracy: float = 0.0
    verdict: str = ""
    missing: int = 0


def in_service(state: LifeState, task: str) -> Motif:
    """The network that serves a task: of the latest run in which it or its successor was admitted, the best.

    Raises:
        InputError: no such task, a task of a table, or nothing admitted that still stands.
    """
    names = [name for run in state.runs for name in run.tasks.names]
    if task not in names:
        from selfnas.errors import suggestion

        raise InputError(f"no task {task!r} was lived here{suggestion(task, sorted(set(names)))}")
    searches = (event.facts for event in state.watched if isinstance(event.facts, WatchSearch))
    successors = {search.successor_task for search in searches if search.task == task}
    found = state.library.on_tasks({task, *successors})
    if not found:
        raise InputError(f"task {task!r} has no admitted network that stands, so there is nothing to watch")
    return max(found, key=lambda motif: (motif.run, motif.validation, -motif.seq))


class Watcher:
    """Follows one task of a life.

    Args:
        ledger: open for writing.
        home: of the life.
        task: its name.
        base: directory that the task's relative path starts from.
        least: new examples that a search needs.

    Raises:
        InputError: the task cannot be watched, or its data are not those it was lived with.
    """

    def __init__(self, ledger: Ledger, home: Home, task: str, *, base: Path, least: int) -> None:
        self._ledger, self._home, self._name, self._base, self._least = ledger, home, task, base, least
        self.state = recollect(ledger)
        open_run = self.state.open_run
        searching = self._watch.searching if self._watch else None
        if open_run is not None and (searching is None or searching.search.run != open_run.number):
            raise InputError(f"run {open_run.number} in this home was cut off: finish it first")
        self._serve()

    @property
    def _watch(self) -> Watch | None:
        return fold(self.state).get(self._name)

    @property
    def unfinished(self) -> Drift | None:
        """The search for a successor that was cut off, if there is one."""
        return self._watch.searching if self._watch else None

    def follow(self, paths: Sequence[Path]) -> list[Batch]:
        """Read files, all of them before anything is recorded.

        Raises:
            InputError: one of them cannot be used.
        """
        return list(load_batches(self._spec, paths, base=self._place)[1])

    def take_in(self, batch: Batch) -> Seen:
        """Record one batch; the first one of a network is preceded by what the network does on the test split."""
        watch = self._watch
        if watch is not None and batch.digest in watch.seen:
            return Seen(path=batch.path, known=True)
        if watch is None or self._begins_anew(watch):
            self._append([self._started()])
        watch = self._watch
        assert watch is not None  # noqa: S101 - it was just started
        errors, residuals = self._numbers(batch.split)
        look = monitor(watch).update([int(letter) for letter in errors], residuals)
        recorded = WatchBatch(
            task=self._name,
            batch=batch.digest,
            examples=len(batch.split),
            file=write_examples(self._folder, batch.x, batch.labels, kind=self._kind),
            errors=errors,
            residuals=residuals,
            verdict=look.verdict,
            change=look.change,
            by=look.by,
        )
        self._append([recorded])
        return Seen(
            path=batch.path,
            known=False,
            examples=len(batch.split),
            accuracy=1 - errors.count("1") / max(len(errors), 1),
            verdict=look.verdict,
            missing=max(0, self._least - len(self._new_examples()[1])) if look.verdict == "drift" else 0,
        )

    @property
    def wants_search(self) -> bool:
        """Whether a drift is confirmed and there are enough new examples to search on."""
        watch = self._watch
        if watch is None or watch.confirmed < 0 or self._restarts(watch):
            return False
        return len(self._new_examples()[1]) >= self._least

    def search(self, workers: Executor, *, device: str, observer: Observer) -> Outcome:
        """Search for a successor, or go on with the search that was cut off.

        Raises:
            InputError: the new examples cannot make a task, such as when a class is missing.
        """
        drift = self.unfinished
        search = drift.search if drift is not None else self._search()
        if drift is None:
            self._prepared(search)  # whatever is wrong is found before anything is recorded
            self._append([search])
        run = self._run_of(search)
        if run is None or not run.finished:
            prepared = self._prepared(search)
            life = Life(self._ledger, prepared, workers, home=self._home, device=device, observer=observer)
            life.check_resumable()
            run = life.run()
            self.state = recollect(self._ledger)
        outcome = outcome_of(run, search)
        ended = WatchEnded(
            task=self._name,
            run=run.number,
            successor=outcome.successor or None,
            evaluations=outcome.evaluations,
            evaluations_to_best=outcome.to_best,
        )
        self._append([ended])
        self._serve()
        return outcome

    def _append(self, events: Sequence[Facts]) -> None:
        for event in self._ledger.append(events):
            self.state.apply(event)

    def _serve(self) -> None:
        """Load what is in service now: its task, network and the profile of what it was trained on."""
        self.motif = in_service(self.state, self._name)
        run = self.state.runs[self.motif.run - 1]
        held = run.tasks.named(self.motif.task)
        if held.tabular:
            raise InputError(f"task {self._name!r} is a table: there is no network to watch")
        self._spec, self._place = recorded_spec(run, held), self._base if held.name == self._name else self._home.root
        self._task: Task = load_task(self._spec, base=self._place)
        self._kind = read_source(self._spec, base=self._place).kind
        if self._task.digest != held.started.task_digest:
            raise InputError(f"task {self._name!r}: its data are not those that the ledger records")
        weights = self._home.weights_file(self.motif.weights_sha256)
        self._network: Network = restore_network(held, self.motif.architecture, weights)
        self._profile = InputProfile.of(self._task.train.x)

    def _numbers(self, split: Split) -> tuple[str, list[float]]:
        import torch

        from selfnas.training.outputs import predict

        order = by_content(split.x, split.labels)
        x, y = split.x[order], split.labels[order]
        guessed = predict(self._network, torch.from_numpy(x)).argmax(dim=1).numpy()
        return "".join("0" if right else "1" for right in guessed == y), self._profile.residuals(x).tolist()

    def _started(self) -> WatchStarted:
        errors, residuals = self._numbers(self._task.test)
        return WatchStarted(
            task=self._name,
            run=self.motif.run,
            in_service=self.motif.task,
            digest=self.motif.digest,
            architecture=self.motif.architecture,
            weights_sha256=self.motif.weights_sha256,
            errors=errors,
            residuals=residuals,
        )

    def _begins_anew(self, watch: Watch) -> bool:
        """Whether another network is followed now, or the reference is measured otherwise than it was recorded."""
        if watch.started.weights_sha256 != self.motif.weights_sha256 or self._restarts(watch):
            return True
        if watch.batches and watch.confirmed >= 0:  # what was found stands
            return False
        then, now = sorted(watch.started.residuals), sorted(self._profile.residuals(self._task.test.x).tolist())
        return len(then) != len(now) or not np.allclose(then, now, atol=_ROUNDED)

    def _restarts(self, watch: Watch) -> bool:
        """Whether the drift found since the watch began has had its search."""
        return bool(watch.drifts) and watch.confirmed >= 0 and watch.drifts[-1].confirmed == watch.confirmed \
            and watch.drifts[-1].ended is not None  # fmt: skip

    @property
    def _folder(self) -> Path:
        return self._home.root / "watch"

    def _new_examples(self) -> tuple[NDArray[Any], NDArray[np.str_]]:
        """All of each batch that lies for the most part after the change, from the home: its file may be gone."""
        watch = self._watch
        assert watch is not None  # noqa: S101 - asked after a drift
        change = watch.batches[-1].change  # the latest estimate
        assert change is not None  # noqa: S101 - of a drift
        seen, xs, labels = 0, [], []
        for batch in watch.batches:
            if seen + batch.examples / 2 > change:
                x, names = read_examples(self._folder / batch.file, kind=self._kind)
                xs.append(x)
                labels.append(names)
            seen += batch.examples
        return np.concatenate(xs), np.concatenate(labels)

    def _search(self) -> WatchSearch:
        x, labels = self._new_examples()
        name = write_examples(self._folder, x, labels, kind=self._kind)
        watch = self._watch
        drifts = len(watch.drifts) if watch else 0
        return WatchSearch(
            task=self._name,
            run=len(self.state.runs) + 1,
            successor_task=f"{self._name[:50]}-drift{drifts + 1}",
            file=name,
            examples=len(labels),
            in_service=self.motif.seq,
            digest=self.motif.digest,
        )

    def _prepared(self, search: WatchSearch) -> Prepared:
        drifts = self._watch.drifts if self._watch else []
        return prepared_search(self.state, self._home, self._name, search, kind=self._kind, drifts=drifts)

    def _run_of(self, search: WatchSearch) -> RunState | None:
        return self.state.runs[search.run - 1] if len(self.state.runs) >= search.run else None
