"""How a life's cost grows with its length: a ledger filled to a million events, and a stream of tables lived through.

The filled ledger is ballast: events with the shape and size of real ones, chained as real ones, of runs over a stream
that comes back. Nothing in it was trained, and nothing of it is claimed about networks.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from agent.ledger.home import Home
from agent.ledger.snapshot import Snapshot
from agent.ledger.store import Entry, Ledger
from agent.life.life import Life
from agent.life.preparation import prepare
from agent.memory.recall import past_tasks, recall
from agent.state.library import Library, Motif
from agent.state.opening import recollect
from agent.state.state import RunState, TaskState
from agent.stream.file import read_stream
from agent.stream.policy import SearchPolicy
from agent.workers.lifetime import follow_parent
from agent.workers.pool import Workers
from selfnas.data.probes import FEATURES, TaskDescription
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES

__all__ = ["Recalled", "Size", "Step", "begin", "draw_scale", "fill", "live_stream", "measure_recall", "measure_sizes"]

STREAM_TASKS = 200  # of the made-up stream that comes back
_EVALUATIONS, _ADMITTED = 20, 6  # of each of its tasks
_MACRO = Macro(8, 1, 16)
_REPEATS = 100
_POLICY = SearchPolicy(recall=8, recall_trust_percent=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a life of so many events costs; processor time, in a fresh process.

    Attributes:
        events: in the ledger.
        motifs: in the library.
        make_seconds: to open it without a snapshot, which is made then.
        open_seconds: to open it from the snapshot.
        memory_mb: resident memory that the state takes then, once the library was asked.
        append_ms: to write one step of nine events.
        recall_ms: to ask the library for a new task.
        past_ms: to read what the latest 30 tasks taught, none of them read before.
        disk_mb: of the ledger.
        snapshot_mb: of the snapshot.
    """

    events: int
    motifs: int
    make_seconds: float
    open_seconds: float
    memory_mb: float
    append_ms: float
    recall_ms: float
    past_ms: float
    disk_mb: float
    snapshot_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What asking a library costs, processor time.

    Attributes:
        tasks: described differently from each other.
        motifs: in the library.
        first_ms: the first question, which reads every description.
        ms: each further one.
    """

    tasks: int
    motifs: int
    first_ms: float
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One task of a stream that was lived: processor time for each evaluation, and memory when it ended."""

    task: int
    ms: float
    memory_mb: float


def measure_sizes(place: Path, sizes: Sequence[int]) -> Iterator[Size]:
    """Fill one ledger from size to size, and measure each in a process of its own."""
    blocks = fill()
    with Ledger(place / "ledger.db", clock=time.time) as ledger:
        ledger.append([begin(1)])
    for size in sorted(sizes):
        with Ledger(place / "ledger.db", clock=time.time) as ledger:
            while ledger.head()[0] < size:
                ledger.append(next(blocks))
        (place / "snapshot.db").unlink(missing_ok=True)
        made = _in_a_process_of_its_own(_open, place)
        yield replace(_in_a_process_of_its_own(_measure, place), make_seconds=made)


def measure_recall(place: Path, *, motifs: int, tasks: Sequence[int]) -> Iterator[Recalled]:
    """Ask libraries of so many motifs, of more and more tasks that are described differently."""
    rng = np.random.default_rng(0)
    cells = [SPACES["nb201"].decode(rng.integers(0, 5, 6).astype(np.int8), macro=_MACRO) for _ in range(3000)]
    spelled = [(str(cell), cell.digest) for cell in cells]
    for count in tasks:
        path = place / f"library{count}.db"
        rows = Snapshot(path)
        library = Library(snapshot=rows)
        described = [TaskDescription(values=tuple(rng.random(len(FEATURES)))).to_json() for _ in range(count)]
        for seq in range(motifs):
            text, digest = spelled[rng.integers(len(spelled))]
            library.add(
                Motif(
                    architecture=text, digest=digest, task=f"task{seq % count}", task_digest=f"digest{seq % count}",
                    description=described[seq % count], shape=TaskShape(channels=1, size=(8, 8), classes=10),
                    validation=float(rng.random()), test=0.9, params=1000, run=1 + seq // count, seq=seq,
                    weights_sha256="f" * 64,
                )
            )  # fmt: skip
        rows.settle(motifs, "")
        rows.close()
        yield _in_a_process_of_its_own(_ask, path)


Answer = TypeVar("Answer")


def _in_a_process_of_its_own(function: Callable[[Path], Answer], path: Path) -> Answer:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=follow_parent) as pool:
        return pool.submit(function, path).result()


def _open(place: Path) -> float:
    """Seconds to open a ledger that has no snapshot."""
    with Ledger(place / "ledger.db", clock=time.time) as ledger:
        begun = time.process_time()
        recollect(ledger, place / "snapshot.db").close()
        return time.process_time() - begun


def _ask(path: Path) -> Recalled:
    library, descriptions = Library(snapshot=Snapshot(path)), np.random.default_rng(1).random((_REPEATS, len(FEATURES)))
    spent = []
    for values in descriptions:
        description = TaskDescription(values=tuple(values))
        begun = time.process_time()
        recall(library, description, _POLICY, task_digest="digest0", space="nb201", macro=_MACRO)
        spent.append(time.process_time() - begun)
    points = library.read_points("nb201")
    return Recalled(
        tasks=points.count, motifs=len(library), first_ms=1000 * spent[0], ms=1000 * float(np.mean(spent[1:]))
    )


def fill(*, seed: int = 0) -> Iterator[list[tuple[str, Mapping[str, object]]]]:
    """The events of task after task, without end; after each pass over the stream a new run begins."""
    rng, run = np.random.default_rng(seed), 1
    descriptions = [
        json.loads(TaskDescription(values=tuple(rng.random(len(FEATURES)))).to_json()) for _ in range(STREAM_TASKS)
    ]
    cells = [SPACES["nb201"].decode(rng.integers(0, 5, 6).astype(np.int8), macro=_MACRO) for _ in range(3000)]
    spelled = [(str(cell), cell.digest) for cell in cells]
    while True:
        for index, description in enumerate(descriptions):
            yield list(_task(run, index, description, spelled, rng))
        yield [("run.finished", {"tasks": STREAM_TASKS}), begin(run + 1)]
        run += 1


def begin(run: int) -> Entry:
    """A run over a stream that is made up, under files that are none."""
    budget = {"evaluations": _EVALUATIONS, "full_trainings": _ADMITTED}
    stream = {
        "stream": "scale", "space": "nb201", "seed": 0, "macro": {}, "policy": {"strategy": "random"}, "budget": budget,
        "tasks": [{"name": f"task{index}"} for index in range(STREAM_TASKS)],
    }  # fmt: skip
    file = {"name": "none", "text": ""}
    digests = {f"{what}_digest": "c" * 64 for what in ("stream", "constraint_set", "audit_suite")}
    return "run.started", {"run": run, "stream": stream, "constraint_set": file, "audit_suite": file, **digests}


def _task(
    run: int, index: int, description: object, cells: Sequence[tuple[str, str]], rng: np.random.Generator
) -> Iterator[tuple[str, Mapping[str, object]]]:
    name = f"task{index}"
    shape = {"channels": 1, "size": [8, 8], "classes": 10}
    yield "task.started", {
        "run": run, "task": name, "task_digest": f"digest of {name}", "shape": shape, "description": description,
        "guard": "g" * 64, "recalled": [],
    }  # fmt: skip
    certificate = json.dumps({"digest": "d" * 64, "rules": [{"rule": f"rule{k}", "holds": True} for k in range(12)]})
    chosen = [cells[row] for row in rng.integers(0, len(cells), _EVALUATIONS)]
    for text, digest in chosen:
        yield "certified", {"architecture": text, "digest": digest, "certificate": certificate}
    for text, digest in chosen:
        yield "evaluated", {
            "task": name, "architecture": text, "digest": digest, "origin": "searched", "proxy": None,
            "fidelity": "low", "score": float(rng.random()), "reason": "", "curve": [0.5] * 4,
        }  # fmt: skip
    yield "filtered", {"task": name, "rules": {"rule1": 3}, "exhausted": False}
    for text, digest in chosen[:_ADMITTED]:
        facts = {
            "task": name, "architecture": text, "digest": digest, "validation": float(rng.random()), "params": 1000,
            "weights_sha256": "f" * 64,
        }  # fmt: skip
        finding = {
            "audit": "skill", "subject": "", "statistic": "above_chance", "estimate": 0.9, "low": 0.8, "high": 1.0,
            "n": 300, "threshold": 0.2, "decision": "pass", "role": "gate", "note": "",
        }  # fmt: skip
        yield "trained", facts | {"reason": "", "curve": [0.5] * 8, "test_correct": 90, "test_count": 100}
        yield "audited", facts | {"findings": [finding] * 6, "decision": "admit", "failed": [], "reasons": []}
        yield "admitted", facts | {"task_digest": f"digest of {name}", "test": 0.9, "certificate": certificate}
    yield "task.finished", {"run": run, "task": name, "evaluations": _EVALUATIONS, "winner": chosen[0][1]}


def _measure(place: Path) -> Size:
    path, snapshot = place / "ledger.db", place / "snapshot.db"
    description = TaskDescription(values=tuple(np.random.default_rng(1).random(len(FEATURES))))
    step: list[tuple[str, Mapping[str, object]]] = list(_task(1, 0, {}, [("a", "b")], np.random.default_rng(0)))[1:10]
    before = _resident_mb()
    with Ledger(path, clock=time.time) as ledger:
        begun = time.process_time()
        state = recollect(ledger, snapshot)
        opened = time.process_time() - begun
        events = ledger.head()[0]
        begun = time.process_time()
        past_tasks(state, before=None, space="nb201", tabular=False)
        past = time.process_time() - begun
        recall(state.library, description, _POLICY, task_digest="new", space="nb201", macro=_MACRO)
        memory = _resident_mb() - before
        begun = time.process_time()
        for _ in range(_REPEATS):
            recall(state.library, description, _POLICY, task_digest="new", space="nb201", macro=_MACRO)
        recalled = (time.process_time() - begun) / _REPEATS
        motifs = len(state.library)
    scratch = path.with_name("scratch.db")
    scratch.write_bytes(path.read_bytes())
    with Ledger(scratch, clock=time.time) as ledger:
        begun = time.process_time()
        for _ in range(_REPEATS):
            ledger.append(step)
        appended = (time.process_time() - begun) / _REPEATS
    scratch.unlink()
    return Size(
        events=events,
        motifs=motifs,
        make_seconds=math.nan,
        open_seconds=opened,
        memory_mb=memory,
        append_ms=1000 * appended,
        recall_ms=1000 * recalled,
        past_ms=1000 * past,
        disk_mb=path.stat().st_size / 1e6,
        snapshot_mb=snapshot.stat().st_size / 1e6,
    )


def _resident_mb() -> float:
    """Resident memory of this process; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class _Watch:
    """Notes what each task of a stream cost; an `agent.life.life.Observer`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._begun = 0.0

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        self._begun = time.process_time()

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Counted when the task ends."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        spent = (time.process_time() - self._begun) / max(len(task.evaluations), 1)
        self.steps.append(Step(task=len(self.steps) + 1, ms=1000 * spent, memory_mb=_resident_mb()))


def live_stream(place: Path, *, tasks: int, evaluations: int) -> list[Step]:
    """Live through a stream of tabular tasks, in this process, with gate, certificates and ledger."""
    lines = [f"  - {{name: t{index}, source: table, dataset: {'abc'[index % 3]}}}" for index in range(tasks)]
    text = f"stream: scale\nformat: 1\nbudget: {{evaluations: {evaluations}, full_trainings: 2}}\ntasks:\n"
    (place / "scale.yaml").write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    prepared, watch = prepare(read_stream(place / "scale.yaml", overrides=[])), _Watch()
    home = Home(place / "home")
    home.root.mkdir()
    with Workers(1) as workers, Ledger(home.ledger, clock=time.time) as ledger:
        Life(ledger, prepared, workers, home=home, device="cpu", observer=watch).run()
    return watch.steps


def draw_scale(sizes: Sequence[Size], steps: Sequence[Step]) -> Figure:
    """Four panels: opening, memory and single operations by events; a lived stream by task."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    opening, memory, single, lived = figure.subplots(2, 2).flat
    events = [size.events for size in sizes]
    opening.plot(events, [size.make_seconds for size in sizes], "s--", label="without a snapshot, once")
    opening.plot(events, [size.open_seconds for size in sizes], "o-", label="from the snapshot")
    opening.set(xlabel="events", ylabel="seconds to open", xscale="log", yscale="log")
    memory.plot(events, [size.memory_mb for size in sizes], "o-", label="state in memory")
    memory.plot(events, [size.disk_mb for size in sizes], "s--", label="ledger on disk")
    memory.plot(events, [size.snapshot_mb for size in sizes], "^--", label="snapshot on disk")
    memory.set(xlabel="events", ylabel="MB", xscale="log", yscale="log")
    for name in ("append_ms", "recall_ms", "past_ms"):
        single.plot(events, [getattr(size, name) for size in sizes], "o-", label=name.removesuffix("_ms"))
    single.set(xlabel="events", ylabel="milliseconds", xscale="log", ylim=(0, None))
    lived.plot([step.task for step in steps], [step.ms for step in steps], ".", label="ms an evaluation")
    first = steps[0].memory_mb if steps else 0.0
    lived.plot([step.task for step in steps], [step.memory_mb - first for step in steps], "-", label="MB since task 1")
    lived.set(xlabel="tabular task of one stream", ylim=(0, None))
    for axes in (opening, memory, single, lived):
        axes.grid(alpha=0.3)
    for axes in (opening, memory, single, lived):
        axes.legend(fontsize=8)
    return figure
