"""The library: what was admitted, in order of admission, with an index by task so that recall looks at few of many."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from selfnas.architecture import TaskShape
from selfnas.probes import FEATURES, TaskDescription, distances

__all__ = ["KnownTask", "Library", "Motif"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motif:
    """An admitted architecture, as remembered; its certificate is in the event that admitted it.

    Attributes:
        architecture: one-line form.
        digest: of the architecture.
        task: name of the task it won on.
        task_digest: of that task's content.
        description: of that task, JSON text.
        shape: of that task.
        validation: accuracy on that task after full training, in [0, 1].
        test: accuracy on its test split; for people, never used by the agent.
        params: trainable numbers on that task.
        run: the run it was admitted in.
        seq: number of the event that admitted it.
        weights_sha256: of its weights file.
        review: `approved` or `overruled` (let in by a person against the audits); empty while no person has looked.
    """

    architecture: str
    digest: str
    task: str
    task_digest: str
    description: str
    shape: TaskShape
    validation: float
    test: float
    params: int
    run: int
    seq: int
    weights_sha256: str
    review: str = ""

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest: names the finalist that it was."""
        return self.run, self.task, self.digest

    @property
    def space(self) -> str:
        """Name of the space it is a cell of."""
        return self.architecture.partition("/")[0]


@dataclass(slots=True, kw_only=True)
class KnownTask:
    """A task on which something of one space was admitted.

    Attributes:
        digest: of the task's content.
        description: of the task, JSON text.
        ranking: `(-validation, seq)` of its motifs, best first.
    """

    digest: str
    description: str
    ranking: list[tuple[float, int]] = field(default_factory=list)


class Library(Sequence[Motif]):
    """Motifs in order of admission. Every change costs a search by bisection; `alike` costs a step for each task."""

    def __init__(self, motifs: Iterable[Motif] = ()) -> None:
        self._by_seq: dict[int, Motif] = {}
        self._order: list[int] = []
        self._tasks: dict[str, dict[tuple[str, str], KnownTask]] = {}  # by space, then digest and description
        self._points: dict[str, _Points] = {}  # by space
        self._seq_at: dict[tuple[int, str, str], int] = {}
        for motif in motifs:
            self.add(motif)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Motif: ...
    @overload
    def __getitem__(self, index: slice) -> list[Motif]: ...
    def __getitem__(self, index: int | slice) -> Motif | list[Motif]:
        if isinstance(index, slice):
            return [self._by_seq[seq] for seq in self._order[index]]
        return self._by_seq[self._order[index]]

    def add(self, motif: Motif) -> None:
        """Remember a motif at the place that its number gives it."""
        insort(self._order, motif.seq)
        self._by_seq[motif.seq] = motif
        self._seq_at[motif.where] = motif.seq
        tasks = self._tasks.setdefault(motif.space, {})
        key = (motif.task_digest, motif.description)
        if key not in tasks:
            tasks[key] = KnownTask(digest=motif.task_digest, description=motif.description)
            self._points.setdefault(motif.space, _Points()).tasks.append(tasks[key])
        insort(tasks[key].ranking, (-motif.validation, motif.seq))

    def remove(self, seq: int) -> Motif:
        """Forget the motif of that number, and return it.

        Raises:
            KeyError: it is not here.
        """
        motif = self._by_seq.pop(seq)
        del self._seq_at[motif.where]
        del self._order[bisect_left(self._order, seq)]
        key = (motif.task_digest, motif.description)
        ranking = self._tasks[motif.space][key].ranking
        del ranking[bisect_left(ranking, (-motif.validation, seq))]
        if not ranking:
            del self._tasks[motif.space][key]
            self._points[motif.space] = _Points(tasks=list(self._tasks[motif.space].values()))
        return motif

    def seq_at(self, where: tuple[int, str, str]) -> int | None:
        """Number of the motif that was the finalist of that run, task and digest, if it is here."""
        return self._seq_at.get(where)

    def by_seq(self, seq: int) -> Motif:
        """The motif of that number.

        Raises:
            KeyError: it is not here.
        """
        return self._by_seq[seq]

    def review(self, seq: int, review: str) -> None:
        """Mark what a person made of a motif."""
        self._by_seq[seq] = replace(self._by_seq[seq], review=review)

    def alike(self, space: str, description: TaskDescription, *, percent: float) -> list[tuple[float, KnownTask]]:
        """Tasks of a space with their likeness in [0, 1], from `percent` on, the most alike first."""
        if not self._tasks.get(space):
            return []
        tasks, points = self._points[space].read()
        likeness = np.maximum(0.0, 1.0 - distances(description, points))
        oldest = np.fromiter((task.ranking[0][1] for task in tasks), dtype=np.int64, count=len(tasks))
        order = np.lexsort((oldest, -likeness))
        return [(float(likeness[row]), tasks[row]) for row in order[100 * likeness[order] >= percent]]

    def of_task(self, task: KnownTask) -> Iterator[Motif]:
        """Its motifs, best first."""
        return (self._by_seq[seq] for _, seq in task.ranking)


@dataclass(slots=True)
class _Points:
    """Descriptions of tasks as numbers; each is parsed once, when first asked for.

    Attributes:
        tasks: described.
        rows: `(room, f)`, of which the first `parsed` are theirs.
    """

    tasks: list[KnownTask] = field(default_factory=list)
    rows: NDArray[np.float64] = field(default_factory=lambda: np.empty((16, len(FEATURES))))
    parsed: int = 0

    def read(self) -> tuple[list[KnownTask], NDArray[np.float64]]:
        """The tasks, and `(tasks, f)` their descriptions."""
        if len(self.tasks) > len(self.rows):
            more = np.empty((2 * len(self.tasks), self.rows.shape[1]))
            more[: self.parsed] = self.rows[: self.parsed]
            self.rows = more
        for task in self.tasks[self.parsed :]:
            self.rows[self.parsed] = TaskDescription.from_json(task.description).values
            self.parsed += 1
        return self.tasks, self.rows[: self.parsed]
