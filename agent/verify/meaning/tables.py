"""Whether a task that is looked up has the scores of its table, where that is the made-up one of this package."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from agent.ledger.events import UNSET, Evaluated, Facts, RunStarted, Tabulated, TaskFinished, TaskStarted
from agent.life.preparation import table_shape
from selfnas.spaces.named import parse_architecture
from selfnas.tables.tabular import MADE_UP, TabularBenchmark, TabularEvaluator, synthetic_benchmark, table_digest
from selfnas.training.evaluation import Fidelity, Request

__all__ = ["TableChecker"]

_LAST_DIGITS = 1e-9  # another processor may round the exponentials that the table is made of otherwise


class TableChecker:
    """Looks up again what tasks of the made-up table say.

    Attributes:
        notes: what holds and should be known all the same, one sentence each.
    """

    def __init__(self) -> None:
        self._specs: dict[str, dict[str, object]] = {}
        self._table: TabularEvaluator | None = None
        self._digest = ""
        self._same = True  # whether every score so far is the table's to the last digit
        self.notes: list[str] = []

    def check(self, facts: Facts) -> Iterator[str]:
        """Problems of one event of a task, in sentences."""
        match facts:
            case RunStarted():
                self._specs = {spec["name"]: spec for spec in facts.stream["tasks"]}
            case TaskStarted():
                yield from self._begin(facts)
            case Evaluated() if self._table is not None:
                yield from self._looked_up(facts.architecture, facts.fidelity, facts.score, "validation")
            case Tabulated() if self._table is not None:
                yield from self._looked_up(facts.architecture, "full", facts.validation, "validation")
                yield from self._looked_up(facts.architecture, "full", facts.test, "test")
            case TaskFinished() if self._table is not None:
                if self._same and self._digest != table_digest(self._table):
                    yield "its scores are those of the made-up table, whose digest is another"
                elif not self._same:
                    self.notes.append(f"scores of task {facts.task} differ from its table's in their last digits")
                self._table = None

    def _begin(self, started: TaskStarted) -> Iterator[str]:
        self._table, self._same, self._digest = None, True, started.task_digest
        spec = self._specs.get(started.task, {})
        if (spec.get("source") == "table") != (started.table is not UNSET):
            yield "whether it is looked up in a table is not what its stream says"
        if started.table is UNSET:
            return
        if spec.get("dataset") != started.table.dataset:
            yield f"it was looked up in {started.table.dataset!r}, its stream says {spec.get('dataset')!r}"
        made_up = _made_up()
        if spec.get("path") is not None:
            return
        if started.table.dataset not in made_up.tasks or started.table.name != made_up.name:
            yield f"there is no made-up table {started.table.name!r} with {started.table.dataset!r}"
            return
        self._table = TabularEvaluator(benchmark=made_up, task=started.table.dataset)
        if started.shape.task_shape != table_shape(self._table):
            yield "its shape is not that of its table"

    def _looked_up(self, architecture: str, fidelity: str, told: float | None, what: str) -> Iterator[str]:
        assert self._table is not None  # noqa: S101 - the caller looked
        request = Request(
            architecture=parse_architecture(architecture), fidelity=Fidelity(name=fidelity, epochs=1), seed=0
        )
        (answer,) = self._table.evaluate([request])
        found = answer.score if what == "validation" else answer.metrics.get(what)
        if told is None or found is None:
            if told is not found:
                yield f"its table gives {found}, recorded is {told}"
            return
        self._same = self._same and found == told
        if abs(found - told) > _LAST_DIGITS:
            yield f"its table says {what} {found:.6g}, recorded is {told:.6g}"


@functools.lru_cache(maxsize=1)
def _made_up() -> TabularBenchmark:
    return synthetic_benchmark(tasks=MADE_UP)
