"""How a life's cost grows with its length: a ledger filled to a million events, and a stream of tables lived through.

The filled ledger is ballast: events with the shape and size of real ones, chained as real ones, of runs over a stream
that comes back. Nothing in it was trained, and nothing of it is claimed about networks.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from agent.cli import main
from agent.ledger.events import (
    Admitted,
    Audited,
    Certified,
    Count,
    Evaluated,
    Facts,
    Filtered,
    FindingRecord,
    NamedText,
    RunFinished,
    RunStarted,
    Shape,
    TaskFinished,
    TaskStarted,
    Trained,
)
from agent.ledger.home import Home
from agent.ledger.snapshot import Snapshot
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.preparation import prepare
from agent.memory.recall import past_tasks, recall
from agent.state.library import Library, Motif
from agent.state.opening import recollect
from agent.state.state import RunState, TaskState
from agent.stream.file import read_stream
from agent.stream.policy import SearchPolicy
from agent.workers.grid import spread
from agent.workers.pool import Workers
from selfnas.data.probes import FEATURES, TaskDescription
from selfnas.figures import picture_file, write_figure
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES

__all__ = ["Recalled", "Size", "Step", "begin", "draw_scale", "fill", "live_stream", "measure_recall", "measure_sizes"]

app = typer.Typer(add_completion=False)

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
        (made,) = spread(_open, [place], workers=1)
        (found,) = spread(_measure, [place], workers=1)
        yield replace(found, make_seconds=made)


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
        yield from spread(_ask, [path], workers=1)


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


def fill(*, seed: int = 0) -> Iterator[list[Facts]]:
    """The events of task after task, without end; after each pass over the stream a new run begins."""
    rng, run = np.random.default_rng(seed), 1
    descriptions = [TaskDescription(values=tuple(rng.random(len(FEATURES)))).named() for _ in range(STREAM_TASKS)]
    cells = [SPACES["nb201"].decode(rng.integers(0, 5, 6).astype(np.int8), macro=_MACRO) for _ in range(3000)]
    spelled = [(str(cell), cell.digest) for cell in cells]
    while True:
        for index, description in enumerate(descriptions):
            yield list(_task(run, index, description, spelled, rng))
        yield [RunFinished(tasks=STREAM_TASKS), begin(run + 1)]
        run += 1


def begin(run: int) -> RunStarted:
    """A run over a stream that is made up, under files that are none."""
    budget = {"evaluations": _EVALUATIONS, "full_trainings": _ADMITTED}
    macro = {"channels": _MACRO.channels, "depth": _MACRO.depth, "resolution": _MACRO.resolution}
    stream = {
        "stream": "scale", "space": "nb201", "seed": 0, "macro": macro, "policy": {"strategy": "random"},
        "budget": budget, "tasks": [{"name": f"task{index}"} for index in range(STREAM_TASKS)],
    }  # fmt: skip
    file, digest = NamedText(name="none", text="suite: none\n"), "c" * 64
    return RunStarted(
        run=run, stream=stream, stream_digest=digest, constraint_set=file, constraint_set_digest=digest,
        audit_suite=file, audit_suite_digest=digest,
    )  # fmt: skip


def _task(
    run: int, index: int, description: dict[str, float], cells: Sequence[tuple[str, str]], rng: np.random.Generator
) -> Iterator[Facts]:
    name = f"task{index}"
    yield TaskStarted(
        run=run, task=name, task_digest=f"digest of {name}", shape=Shape(channels=1, size=[8, 8], classes=10),
        description=description, guard="g" * 64, admitted_count=Count(low="9", high="9", exact=True), space_count="9",
        recalled=[],
    )  # fmt: skip
    certificate = json.dumps({"digest": "d" * 64, "rules": [{"rule": f"rule{k}", "holds": True} for k in range(12)]})
    chosen = [cells[row] for row in rng.integers(0, len(cells), _EVALUATIONS)]
    for text, digest in chosen:
        yield Certified(architecture=text, digest=digest, certificate=certificate)
    for text, digest in chosen:
        yield Evaluated(
            task=name, architecture=text, digest=digest, origin="searched", proxy=None, fidelity="low",
            score=float(rng.random()), reason="", curve=[0.5] * 4,
        )  # fmt: skip
    yield Filtered(task=name, rules={"rule1": 3}, exhausted=False)
    finding = FindingRecord(
        audit="skill", subject="", statistic="above_chance", estimate=0.9, low=0.8, high=1.0, n=300, threshold=0.2,
        decision="pass", role="gate", note="",
    )  # fmt: skip
    for text, digest in chosen[:_ADMITTED]:
        validation, weights = float(rng.random()), "f" * 64
        yield Trained(
            task=name, architecture=text, digest=digest, validation=validation, reason="", curve=[0.5] * 8,
            test_correct=90, test_count=100, params=1000, weights_sha256=weights,
        )  # fmt: skip
        yield Audited(
            task=name, architecture=text, digest=digest, findings=[finding] * 6, decision="admit", failed=[],
            reasons=[],
        )  # fmt: skip
        yield Admitted(
            task=name, task_digest=f"digest of {name}", architecture=text, digest=digest, validation=validation,
            test=0.9, params=1000, certificate=certificate, weights_sha256=weights,
        )  # fmt: skip
    yield TaskFinished(run=run, task=name, evaluations=_EVALUATIONS, full_trainings=_ADMITTED, winner=chosen[0][1])


def _measure(place: Path) -> Size:
    path, snapshot = place / "ledger.db", place / "snapshot.db"
    description = TaskDescription(values=tuple(np.random.default_rng(1).random(len(FEATURES))))
    step = list(_task(1, 0, {}, [("a", "b")], np.random.default_rng(0)))[1:10]
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
    """Notes what each task of a stream cost; an `agent.life.task.Observer`."""

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


@app.command()
def scale(
    events: Annotated[int, typer.Option(min=1000, help="Events of the largest ledger.")] = 1_000_000,
    tasks: Annotated[int, typer.Option(min=2, help="Tabular tasks of the stream that is lived.")] = 200,
    evaluations: Annotated[int, typer.Option(min=4, help="Evaluations of each.")] = 20,
    motifs: Annotated[int, typer.Option(min=100, help="Cells of the libraries that are asked.")] = 100_000,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.")] = None,
) -> None:
    """What a long life costs: opening, memory and single steps by events, recall, a stream of tables by task."""
    picture_file(plot, force=False)
    sizes = [size for size in (1_000, 3_000, 10_000, 30_000, 100_000, 300_000) if size < events] + [events]
    table = Table(
        "events", "motifs", "first open s", "open s", "memory MB", "append ms", "recall ms", "30 tasks ms", "disk MB",
        "snapshot MB",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        steps = live_stream(Path(place), tasks=tasks, evaluations=evaluations)
        measured = list(measure_sizes(Path(place), sizes))
        for asked in measure_recall(Path(place), motifs=motifs, tasks=(200, 2_000, 20_000)):
            typer.echo(
                f"{asked.motifs:,} cells of {asked.tasks:,} tasks: recall {asked.ms:.2f} ms, "
                f"the first {asked.first_ms:.0f} ms"
            )
    for size in measured:
        table.add_row(
            f"{size.events:,}", f"{size.motifs:,}", f"{size.make_seconds:.3f}", f"{size.open_seconds:.3f}",
            f"{size.memory_mb:.1f}", f"{size.append_ms:.2f}", f"{size.recall_ms:.2f}", f"{size.past_ms:.0f}",
            f"{size.disk_mb:.0f}", f"{size.snapshot_mb:.1f}",
        )  # fmt: skip
    Console().print(table)
    tenth = max(len(steps) // 10, 1)
    for name, part in (("second", steps[tenth : 2 * tenth]), ("last", steps[-tenth:])):
        typer.echo(
            f"{name} tenth of {len(steps)} tabular tasks: {sum(step.ms for step in part) / len(part):.2f} ms an "
            f"evaluation, {part[-1].memory_mb:.0f} MB"
        )
    if plot:
        write_figure(draw_scale(measured, steps), plot)
        typer.echo(f"plot: {plot}")


if __name__ == "__main__":
    main(commands=app)
