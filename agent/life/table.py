"""A task whose scores are looked up in a table: the same gate and ledger as training, in this process.

A table offers no network to audit. Its finalists are recorded as `tabulated`, never as admitted: they do not enter the
library, and only tasks of tables over the same space recall them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agent.gate.admission import gate_entry
from agent.gate.domain import SpelledGuardedDomain
from agent.ledger.store import Entry
from agent.life.task import TaskLife
from agent.state.state import items, mapping, number
from agent.state.task import Payload
from selfnas import seeding
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture
from selfnas.tables.tabular import TabularEvaluator
from selfnas.training.evaluation import Fidelity

__all__ = ["TableLife"]


class TableLife(TaskLife):
    """Lives one tabular task of a run to its end, from wherever the ledger says it stands.

    Rounds read the table's 12-epoch column where there is one, finalists full training. Cells that are one network
    to the digest but were spelled differently are told apart, as in the table.
    """

    @property
    def _table(self) -> TabularEvaluator:
        table = self._prepared.table
        assert table is not None  # noqa: S101 - the life chooses by it
        return table

    @cached_property
    def _broken(self) -> NDArray[np.bool_]:
        """`(count, rules)` which rules each cell of the table breaks; certificates are issued all the same."""
        return self._prepared.guard.violations(self._space.enumerate())

    def live(self) -> None:
        """Every step that is still to be taken."""
        if self._index == len(self._run.tasks):
            self._life.append([self._start()])
        budget = self._stream.budget.evaluations
        steps = budget + self._present.finalists_per_task + 1
        self._life.observer.task_begins(self._task, steps=steps)
        while len(self._task.trials) < budget and not self._task.exhausted:
            before = len(self._task.trials)
            self._life.append(self._round())
            self._life.observer.advanced(self._task, steps=len(self._task.trials) - before)
        if not self._task.tabulated and (finalists := self._finalists()):
            self._life.append(finalists)
        self._life.append([self._close(), *self._mined()])
        self._life.observer.task_ends(self._run, self._task)

    def _start(self) -> Entry:
        prepared, count = self._prepared, self._prepared.guard.count()
        return "task.started", {
            "run": self._run.number,
            "task": prepared.spec.name,
            "task_digest": prepared.digest,
            "table": {"name": self._table.benchmark.name, "dataset": self._table.task},
            "shape": {
                "channels": prepared.shape.channels,
                "size": list(prepared.shape.size),
                "classes": prepared.shape.classes,
            },
            "description": None,
            "guard": prepared.guard.digest,
            "admitted_count": {"low": str(count.low), "high": str(count.high), "exact": count.exact},
            "space_count": str(self._space.count()),
            "recalled": [
                {
                    "architecture": str(found["architecture"]),
                    "digest": str(found["digest"]),
                    "from_task": str(found["task"]),
                    "from_run": run,
                }
                for run, found in self._remembered()
            ],
        }

    def _remembered(self) -> list[tuple[int, Payload]]:
        """The best of every earlier tabular task of this space, the latest task first, at most `policy.recall`."""
        found: dict[str, tuple[int, Payload]] = {}
        for run, task in self._life.state.latest(tabular=True):
            if len(found) >= self._present.recall:
                break
            best = max(task.tabulated, key=lambda payload: number(payload["validation"]), default=None)
            if best is not None:
                spelled = parse_architecture(str(best["architecture"]))
                if spelled.space == self._space and spelled.macro == self._macro:
                    found.setdefault(str(best["architecture"]), (run.number, best))
        return list(found.values())

    def _round(self) -> list[Entry]:
        """Propose, certify, look up."""
        task, guard = self._task, self._prepared.guard
        rng = seeding.generator(self._stream.seed, "round", self._run.number, self._index, task.rounds)
        domain = SpelledGuardedDomain(guard, benchmark=self._table.benchmark, broken=self._broken, macro=self._macro)
        seen = {str(trial.architecture) for trial in task.trials}
        seen |= {str(rejection["architecture"]) for rejection in task.rejected}
        recalled = [str(mapping(entry)["architecture"]) for entry in items(task.started["recalled"])]
        warm = [parse_architecture(text) for text in recalled if text not in seen]
        wanted = min(self._policy.batch, self._stream.budget.evaluations - len(task.trials))
        proposed = self._strategy()(task.trials, domain, wanted, rng, warm=warm)
        entries: list[Entry] = []
        certified: list[Architecture] = []
        previous = self._life.ledger.head()[1]
        for architecture in proposed:
            entry = gate_entry(guard, architecture, previous=previous)
            entries.append(entry)
            if entry[0] == "certified":
                certified.append(architecture)
        entries += self._explained_examples(domain)
        entries += [self._looked_up(architecture, recalled) for architecture in certified]
        tally: Entry = (
            "filtered",
            {
                "task": task.name,
                "rules": dict(sorted(domain.filtered.items())),
                "exhausted": not certified and not warm,
            },
        )
        return [*entries, tally]

    def _looked_up(self, architecture: Architecture, recalled: Sequence[str]) -> Entry:
        section = self._stream.low
        answer = self._table(architecture, Fidelity(name="low", epochs=section.epochs))
        return "evaluated", {
            "task": self._task.name,
            "architecture": str(architecture),
            "digest": architecture.digest,
            "origin": "recalled" if str(architecture) in recalled else "searched",
            "proxy": None,
            "fidelity": "low",
            "score": answer.score,
            "reason": answer.reason,
            "curve": [],
            **self._weighed(architecture, answer.score),
            **self._turn(),
        }

    def _finalists(self) -> list[Entry]:
        """What the table says of the best after full training."""
        count = min(self._present.finalists_per_task, self._stream.budget.full_trainings)
        entries: list[Entry] = []
        for trial in self._ranked()[:count]:
            architecture = trial.architecture
            answer = self._table(architecture, Fidelity(name="full", epochs=self._stream.full.epochs))
            entries.append(
                (
                    "tabulated",
                    {
                        "task": self._task.name,
                        "task_digest": self._prepared.digest,
                        "architecture": str(architecture),
                        "digest": architecture.digest,
                        "validation": answer.score,
                        "test": answer.metrics["test"],
                        "certificate": self._task.certificates[str(architecture)],
                    },
                )
            )
        return entries
