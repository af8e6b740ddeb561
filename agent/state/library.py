"""The library: what was admitted, in order of admission, as rows of a snapshot; in memory are descriptions of tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from agent.ledger.snapshot import Row, Snapshot
from selfnas.data.probes import FEATURES, TaskDescription, distances
from selfnas.errors import ArchitectureError
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import base_name

__all__ = ["Library", "Motif", "Points", "as_point"]

_MOTIF = (
    "SELECT m.seq, m.validation, m.run, m.task, m.digest, m.architecture, m.shape, m.test, m.params, m.weights_sha256,"
    " m.review, m.metric, d.digest, d.description FROM motifs AS m JOIN described AS d ON d.id = m.described"
)
_FIELDS = (
    "seq", "validation", "run", "task", "digest", "architecture", "shape", "test", "params", "weights_sha256", "review",
    "metric", "task_digest", "description",
)  # fmt: skip
_AT_ONCE = 1000  # rows of a walk through all
_BEST_AT_ONCE = 8  # rows of a task's ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class Motif:
    """An admitted architecture, as remembered; its certificate is in the event that admitted it.

    Attributes:
        architecture: one-line form.
        task: name of the task it won on.
        task_digest: of that task's content.
        description: of that task, JSON text.
        shape: of that task.
        validation: score on that task after full training; accuracy in [0, 1] where `metric` is empty.
        test: of that metric on its test split; for people, never used by the agent.
        params: trainable numbers on that task.
        seq: number of the event that admitted it.
        review: `approved` or `overruled` (let in by a person against the audits); empty while no person has looked.
            Whether enough persons approved says `agent/gate/counting.py`.
        metric: name of the task's metric; empty for accuracy.
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
    metric: str = ""

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest: names the finalist that it was."""
        return self.run, self.task, self.digest

    @property
    def space(self) -> str:
        """Name of the space it is a cell of, or of the one that this is derived from."""
        return base_name(self.architecture.partition("/")[0])


@dataclass(slots=True)
class Points:
    """Descriptions of tasks as numbers.

    Attributes:
        ids: `(room,)` of which the first `count` are theirs, ascending.
        rows: `(room, f)`.
        best: `(room,)` number of each task's best motif; -1 where none is left.
    """

    count: int = 0
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(16, dtype=np.int64))
    rows: NDArray[np.float64] = field(default_factory=lambda: np.empty((16, len(FEATURES))))
    best: NDArray[np.int64] = field(default_factory=lambda: np.empty(16, dtype=np.int64))

    def add(self, described: int, point: NDArray[np.float64], best: int) -> None:
        """One more, of a higher number than all before."""
        if self.count == len(self.ids):
            self.ids, self.best = np.resize(self.ids, 2 * self.count), np.resize(self.best, 2 * self.count)
            self.rows = np.resize(self.rows, (2 * self.count, self.rows.shape[1]))
        self.ids[self.count], self.rows[self.count], self.best[self.count] = described, point, best
        self.count += 1

    def rank(self, described: int, best: int) -> None:
        """Another best motif of a task, if it is among these."""
        at = int(np.searchsorted(self.ids[: self.count], described))
        if at < self.count and self.ids[at] == described:
            self.best[at] = best


class Library(Sequence[Motif]):
    """Motifs in order of admission.

    Every change costs a look into an index. `alike` costs some hundred nanoseconds for each task that was described
    differently from all others; their descriptions are read when it is first asked.

    Args:
        snapshot: where they are kept; None keeps them in memory.
        confirm: called with every motif that is handed out, except by `of_task`; raises where it should not be used.
    """

    def __init__(
        self,
        motifs: Iterable[Motif] = (),
        *,
        snapshot: Snapshot | None = None,
        confirm: Callable[[Motif], None] = lambda motif: None,
    ) -> None:
        self._rows, self.confirm = snapshot or Snapshot(), confirm
        self._points: dict[str, Points] = {}  # by space
        for motif in motifs:
            self.add(motif)

    def __len__(self) -> int:
        return int(self._rows.ask("SELECT count(*) FROM motifs")[0][0])

    @overload
    def __getitem__(self, index: int) -> Motif: ...
    @overload
    def __getitem__(self, index: slice) -> list[Motif]: ...
    def __getitem__(self, index: int | slice) -> Motif | list[Motif]:
        if isinstance(index, slice):
            return list(self)[index]
        order, place = ("ASC", index) if index >= 0 else ("DESC", -index - 1)
        rows = self._rows.ask(f"{_MOTIF} ORDER BY m.seq {order} LIMIT 1 OFFSET ?", place)
        if not rows:
            raise IndexError(index)
        return self._handed_out(rows[0])

    def __iter__(self) -> Iterator[Motif]:
        last = -1
        while rows := self._rows.ask(f"{_MOTIF} WHERE m.seq > ? ORDER BY m.seq LIMIT {_AT_ONCE}", last):
            last = rows[-1][0]
            yield from map(self._handed_out, rows)

    def add(self, motif: Motif) -> None:
        """Remember a motif at the place that its number gives it."""
        key = hashlib.sha256("\x1f".join((motif.space, motif.task_digest, motif.description)).encode()).hexdigest()
        found = self._rows.ask("SELECT id FROM described WHERE key = ?", key)
        if not found:
            self._rows.tell(
                "INSERT INTO described (key, space, digest, description) VALUES (?, ?, ?, ?)",
                key, motif.space, motif.task_digest, motif.description,
            )  # fmt: skip
            found = self._rows.ask("SELECT id FROM described WHERE key = ?", key)
        self._rows.tell(
            "INSERT INTO motifs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            motif.seq, found[0][0], motif.validation, motif.run, motif.task, motif.digest, motif.architecture,
            _shape_text(motif.shape), motif.test, motif.params, motif.weights_sha256, motif.review, motif.metric,
        )  # fmt: skip
        self._rank(motif.space, found[0][0])

    def remove(self, seq: int) -> Motif:
        """Forget the motif of that number, and return it.

        Raises:
            KeyError: it is not here.
        """
        motif = self.by_seq(seq)
        described = self._rows.ask("SELECT described FROM motifs WHERE seq = ?", seq)[0][0]
        self._rows.tell("DELETE FROM motifs WHERE seq = ?", seq)
        self._rank(motif.space, described)
        return motif

    def seq_at(self, where: tuple[int, str, str]) -> int | None:
        """Number of the motif that was the finalist of that run, task and digest, if it is here."""
        found = self._rows.ask("SELECT max(seq) FROM motifs WHERE run = ? AND task = ? AND digest = ?", *where)
        return None if found[0][0] is None else int(found[0][0])

    def by_seq(self, seq: int) -> Motif:
        """The motif of that number.

        Raises:
            KeyError: it is not here.
        """
        rows = self._rows.ask(f"{_MOTIF} WHERE m.seq = ?", seq)
        if not rows:
            raise KeyError(seq)
        return self._handed_out(rows[0])

    def on_tasks(self, names: Collection[str]) -> list[Motif]:
        """Motifs of tasks of these names, in order of admission."""
        marks = ", ".join("?" * len(names))
        return [*map(self._handed_out, self._rows.ask(f"{_MOTIF} WHERE m.task IN ({marks}) ORDER BY m.seq", *names))]

    def runs(self) -> list[int]:
        """Numbers of the runs whose motifs are here, ascending."""
        return [int(run) for (run,) in self._rows.ask("SELECT DISTINCT run FROM motifs ORDER BY run")]

    def of_run(self, run: int) -> Iterator[Motif]:
        """Motifs of a run, in order of admission."""
        yield from map(self._handed_out, self._rows.ask(f"{_MOTIF} WHERE m.run = ? ORDER BY m.seq", run))

    def review(self, seq: int, review: str) -> None:
        """Mark what a person made of a motif."""
        self._rows.tell("UPDATE motifs SET review = ? WHERE seq = ?", review, seq)

    def alike(
        self, space: str, description: TaskDescription, *, percent: float, digest: str | None = None
    ) -> Iterator[tuple[float, int]]:
        """Tasks of a space, as `of_task` takes them, with their likeness in [0, 1], from `percent` on.

        The most alike come first; of equally alike ones that whose best motif is older. With `digest` only tasks whose
        content has it.
        """
        points = self.read_points(space)
        ids, rows, best = points.ids[: points.count], points.rows[: points.count], points.best[: points.count]
        if digest is not None:
            own = self._rows.ask("SELECT id FROM described WHERE space = ? AND digest = ? ORDER BY id", space, digest)
            chosen = np.searchsorted(ids, [row[0] for row in own])
            ids, rows, best = ids[chosen], rows[chosen], best[chosen]
        likeness = np.maximum(0.0, 1.0 - distances(description, rows))
        usable = np.flatnonzero((best >= 0) & (100 * likeness >= percent))
        for row in usable[np.lexsort((best[usable], -likeness[usable]))]:
            yield float(likeness[row]), int(ids[row])

    def of_task(self, task: int) -> Iterator[Motif]:
        """Motifs of one task that `alike` named, best first; `confirm` what is used of them."""
        query, seen = f"{_MOTIF} WHERE m.described = ? ORDER BY m.validation DESC, m.seq LIMIT ? OFFSET ?", 0
        while rows := self._rows.ask(query, task, _BEST_AT_ONCE, seen):
            seen += len(rows)
            yield from map(self._motif, rows)

    def _handed_out(self, row: Row) -> Motif:
        motif = self._motif(row)
        self.confirm(motif)
        return motif

    def _motif(self, row: Row) -> Motif:
        try:
            return _motif(row)
        except (ArchitectureError, LookupError, TypeError, ValueError) as error:
            raise self._rows.damaged(f"event {row[0]}: {error}") from error

    def _rank(self, space: str, described: int) -> None:
        """Note which motif of a task is its best."""
        best = self._rows.ask(
            "SELECT seq FROM motifs WHERE described = ? ORDER BY validation DESC, seq LIMIT 1", described
        )
        self._rows.tell("UPDATE described SET best = ? WHERE id = ?", best[0][0] if best else None, described)
        if space in self._points:
            self._points[space].rank(described, best[0][0] if best else -1)

    def read_points(self, space: str) -> Points:
        """Descriptions of the tasks of a space; each is parsed once, and then kept as numbers."""
        points = self._points.setdefault(space, Points())
        last = int(points.ids[points.count - 1]) if points.count else -1
        query = "SELECT id, point, best, description FROM described WHERE space = ? AND id > ? ORDER BY id"
        for described, point, best, text in self._rows.ask(query, space, last):
            if point is None:
                point = as_point(text)
                self._rows.tell("UPDATE described SET point = ? WHERE id = ?", point, described)
            if len(point) != points.rows[0].nbytes:
                raise self._rows.damaged(f"a description of {len(point)} bytes")
            points.add(described, np.frombuffer(point), -1 if best is None else best)
        return points


def as_point(description: str) -> bytes:
    """The numbers of a description, as the snapshot keeps them.

    Raises:
        InputError: it is not one.
    """
    return np.array(TaskDescription.from_json(description).values).tobytes()


def _motif(row: Row) -> Motif:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    channels, size, classes = json.loads(values["shape"])
    return Motif(**{**values, "shape": TaskShape(channels=channels, size=tuple(size), classes=classes)})


def _shape_text(shape: TaskShape) -> str:
    return json.dumps([shape.channels, shape.size, shape.classes])
