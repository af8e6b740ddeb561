"""The shape of the packages in figures: sizes, levels, literals, lines; depth and processor time of commands."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from experiments.harness import print_table, run
from experiments.house.depth import depth_of
from experiments.house.structure import House

ROOT = Path(__file__).parents[2]
STREAM = """\
stream: small
format: 1
budget: {evaluations: 24, full_trainings: 2}
policy: {strategy: regularised_evolution, population: 8, sample: 4, batch: 4, finalists_per_task: 1}
tasks:
  - {name: one, source: table, dataset: a}
"""
CELL = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|"


def shape() -> None:
    """What the text of the packages shows, beside what it should come to."""
    house = House(ROOT)
    folder, modules = house.folders.most_common(1)[0]
    room, levels = max(house.levels.items(), key=lambda pair: pair[1])
    rows = [
        ("modules in the largest folder", f"{modules} ({Path(folder).relative_to(ROOT)})", "at most 20"),
        ("levels of imports in a room", f"{levels} ({room})", "at most 5"),
        ("circles, of types too", len(house.circles), "0"),
        ("texts that are a kind of event, outside the models", len(list(house.kind_literals())), "0"),
        ("casts of payloads", len(list(house.casts())), "0"),
        ("shipped lines", f"{house.lines.total():,}", "at most 35,000"),
        *((f"... of {name}", f"{count:,}", "") for name, count in house.lines.items()),
    ]
    print_table(("what", "is", "should be"), rows)


def commands() -> None:
    """Depth of calls of each command, and processor time of those that only look, on a small life of a table."""
    with tempfile.TemporaryDirectory() as folder:
        home, stream = Path(folder) / "home", Path(folder) / "small.yaml"
        stream.write_text(STREAM, encoding="utf-8")
        place = ("--home", str(home))
        every = [
            ("run", str(stream), *place, "--no-mirror", "--workers", "1"),
            ("status", *place),
            ("motifs", "list", *place),
            ("review", "list", *place),
            ("verify", *place),
            ("report", str(home)),
            ("constraints", "check", "baseline", CELL),
            ("constraints", "lint", "baseline"),
            ("constraints", "count", "baseline"),
            ("constraints", "test", "baseline"),
            ("constraints", "diff", "baseline", "robust"),
            ("audits", "list"),
            ("devices", "list"),
        ]
        depths = {_name(words): depth_of(*words) for words in every}
        print_table(("command", "depth"), [*depths.items(), ("median", median(depths.values()))])
        light = [every[1], every[2], every[3]]
        print_table(
            ("command", "processor time [s]"),
            [(_name(words), f"{median(_seconds(words) for _ in range(5)):.2f}") for words in light],
        )


def _name(words: tuple[str, ...]) -> str:
    """The command of a line, without what it is given."""
    return " ".join(words[: 1 + (words[0] in ("motifs", "review", "constraints", "audits", "devices"))])


def _seconds(words: tuple[str, ...]) -> float:
    """Processor time of a command in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "selfnas", *words], check=True, capture_output=True)  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def house(
    timed: Annotated[bool, typer.Option("--commands", help="Also run the commands; a minute.")] = False,
) -> None:
    """Measure the shape of the packages, and what commands cost."""
    shape()
    if timed:
        commands()


if __name__ == "__main__":
    run(house)
