"""Random specifications answered by `selfnas design`, and by two stages: search in float32, then int8 if need be."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from ruamel.yaml import YAML

from agent.api.designing import design
from agent.api.running import run as lived
from agent.api.streams import Stream
from agent.designing.answering import audit_hits, judged_lines
from agent.designing.asked import Asked, read_asked
from agent.designing.files import DesignFile, written_files
from agent.designing.lines import Line, binding
from agent.designing.measured import excess
from agent.designing.spec import Precision
from agent.designing.stacks import macro_section
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.state import RunState, TaskState, replay
from experiments.design.specs import specification, written_data
from experiments.harness import Keep, Rows, run
from selfnas.artefacts.latency import remeasured
from selfnas.artefacts.onnx_program import OnnxProgram
from selfnas.spaces.named import parse_architecture
from selfnas.training import intervals

METHODS = ("design", "two stages")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one method made of one specification.

    Attributes:
        number: of the specification.
        task: its name.
        method: one of `METHODS`.
        ended: `searched`, or `impossible` where it was told before training that nothing keeps it.
        verdict: `met`, `missed` or `undecided`, of the line that stands in the way.
        stands: name of that line; empty where all are met.
        lines: verdict of each line by name.
        precision: of the file; empty where there is none.
        size: its bytes.
        correct: test examples that it answers rightly.
        tested: how many there are.
        least: accuracy that was asked for.
        p95: milliseconds, as promised.
        trainings: at low fidelity and full.
        seconds: of the whole.
    """

    number: int
    task: str
    method: str
    ended: str
    verdict: str
    stands: str
    lines: dict[str, str] = field(default_factory=dict)
    precision: str = ""
    size: int = 0
    correct: int = 0
    tested: int = 0
    least: float = 0.0
    p95: float = 0.0
    trainings: int = 0
    seconds: float = 0.0


def answered(number: int, folder: Path) -> list[Row]:
    """A specification answered by each method; what they wrote stays in the folder."""
    stated = specification(number, folder / "data")
    path = folder / f"{stated['design']}.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(stated, file)
    asked = read_asked(path)
    found = []
    for method in METHODS:
        place = folder / stated["design"] / method.replace(" ", "-")
        shutil.rmtree(place, ignore_errors=True)
        start = time.perf_counter()
        row = _designed(path, asked, place) if method == "design" else _two_stages(asked, folder, place)
        found.append(Row(number=number, seconds=time.perf_counter() - start, **row))
    return found


def _designed(path: Path, asked: Asked, place: Path) -> dict[str, Any]:
    answer = design(path, place)
    base = {"task": _task(asked), "method": "design", "least": _least(asked)}
    if not answer.possible:
        return base | {"ended": "impossible", "verdict": "missed", "stands": "before training"}
    with reading(place / "life") as ledger:
        state = replay(ledger)
    task = _only(state.runs)[1]
    told = base | _told(list(answer.lines)) | {"ended": "searched", "trainings": _trainings(task)}
    if not state.deployed or answer.folder is None:
        return told | {"stands": "nothing admitted"}
    made = state.deployed[-1].facts
    return told | {
        "precision": made.precision, "size": made.bytes, "p95": made.latency.p95, "tested": made.examples,
        "correct": round((made.estimate or 0.0) * made.examples),
    }  # fmt: skip


def _two_stages(asked: Asked, folder: Path, place: Path) -> dict[str, Any]:
    """The winner of a search that knows of no limit, in float32; in int8 where that is beyond a limit.

    Such a search is the same for every specification of a task and a seed, so it is lived once.
    """
    spec, search = asked.spec, asked.spec.search
    home = Home(folder / "two-stages" / f"{_task(asked)}-{search.seed}")
    if not home.ledger.exists():
        stream = Stream(
            name="two-stages", tasks=[asked.task] if asked.task else [], seed=search.seed,
            space=spec.space, macro=macro_section(spec.choices),
            budget=search.budget, low=search.low, full=search.full, policy=search.policy, baselines="none",
        )  # fmt: skip
        lived(stream, home.root)
    with reading(home.root) as ledger:
        state, head = replay(ledger), ledger.head()[1]
    life, task = _only(state.runs)
    base = {"task": _task(asked), "method": "two stages", "ended": "searched", "least": _least(asked)}
    base["trainings"] = _trainings(task)

    def written(precision: Precision) -> list[DesignFile]:
        return written_files(spec.model_copy(update={"precision": precision}), home, life, task, head=head)

    files = written("float32")
    if files and excess(spec, files[0].measured):
        files = written("int8") or files
    if not files:
        return base | {"verdict": "undecided", "stands": "nothing admitted"}
    chosen = files[0]
    content, subject = chosen.artefact.content, chosen.subject
    timed = remeasured(content, next(iter(subject.found.x or subject.found.some)))
    lines = judged_lines(
        spec, parse_architecture(chosen.finalist.architecture), task.shape,
        size=len(content), hits=audit_hits(content, subject), timed=timed,
    )  # fmt: skip
    (place / "bundle").mkdir(parents=True, exist_ok=True)
    (place / "bundle" / "model.onnx").write_bytes(content)
    checked = chosen.artefact.checked
    return base | _told(lines) | {
        "precision": chosen.measured.precision, "size": len(content), "p95": timed.together.p95,
        "tested": checked.count, "correct": round((checked.estimate or 0.0) * checked.count),
    }  # fmt: skip


def _only(runs: Sequence[RunState]) -> tuple[RunState, TaskState]:
    (one,) = runs
    (task,) = one.tasks
    return one, task


def _trainings(task: TaskState) -> int:
    """At low fidelity and full, without the hand-designed network that every task is compared with."""
    return len(task.evaluations) + len(task.finalists)


def _task(asked: Asked) -> str:
    return "" if asked.task is None else asked.task.name


def _least(asked: Asked) -> float:
    return next(float(target.limit) for target in asked.spec.read_targets if target.name == "accuracy")


def _told(lines: list[Line]) -> dict[str, Any]:
    stands = binding(lines)
    return {
        "verdict": "met" if stands is None else stands.verdict,
        "stands": "" if stands is None else stands.target.name,
        "lines": {line.target.name: line.verdict for line in lines},
    }


def main(
    folder: Annotated[Path, typer.Argument(help="Where lives, bundles and generated data are kept.")],
    count: Annotated[int, typer.Option(min=1, help="How many specifications.")] = 50,
    first: Annotated[int, typer.Option(min=0, help="Number of the first.")] = 0,
    keep: Keep = None,
) -> None:
    """Answer random specifications by both methods, time the files again at the end, and print the table."""
    written_data(folder / "data")
    rows: Rows[Row] = Rows(keep, of=Row)
    done = {row.number for row in rows}
    for number in range(first, first + count):
        if number not in done:
            found = answered(number, folder.absolute())
            rows.add(*found)
            for row in found:
                told = number, row.task, row.method, row.verdict, row.stands, row.precision, f"{row.seconds:.0f} s"
                print(*told, flush=True)
    wanted = [row for row in rows if first <= row.number < first + count]
    for line in table(wanted, folder):
        print(line)


def table(rows: Sequence[Row], folder: Path) -> list[str]:
    """Shares by method, with their counts."""
    told = []
    for method in METHODS:
        own = [row for row in rows if row.method == method]
        met = [row for row in own if row.verdict == "met"]
        below = [row for row in met if row.correct / row.tested < row.least]
        surely = [row for row in met if intervals.binomial(row.correct, row.tested)[1] < row.least]
        ratios = [_again(row, folder) / row.p95 for row in own if row.p95]
        near = sum(abs(ratio - 1) <= 0.1 for ratio in ratios)
        told += [
            f"{method}: {len(own)} specifications, {sum(row.ended == 'impossible' for row in own)} told impossible",
            f"  declared met {len(met)}; test estimate below the limit {len(below)}, its interval too {len(surely)}",
            f"  undecided {sum(row.verdict == 'undecided' for row in own)}, "
            f"missed {sum(row.verdict == 'missed' and row.ended == 'searched' for row in own)}",
            f"  p95 again within 10 % of what was promised: {near} of {len(ratios)}; ratios "
            + (f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "none"),
            f"  trainings {sum(row.trainings for row in own)}",
        ]
    return told


def _again(row: Row, folder: Path) -> float:
    content = (folder / f"s{row.number}" / row.method.replace(" ", "-") / "bundle" / "model.onnx").read_bytes()
    program = OnnxProgram.read(content)
    sides = program.session.get_inputs()[0].shape[1:]
    return remeasured(content, np.zeros(sides, dtype=program.takes)).together.p95


if __name__ == "__main__":
    run(main)
