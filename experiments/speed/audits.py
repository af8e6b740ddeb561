"""What auditing one candidate costs, on real trained networks of several input sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from audits import AUDITS, Suite, load_suite, run_suite
from audits.calibrating.calibration import CALIBRATION_TASKS
from audits.calibrating.controls import CONTROLS, make_specimen
from experiments.harness import print_table, run
from selfnas.data.tasks import TaskSpec

_GATES_GOAL, _SUITE_GOAL = 2.0, 3.0  # seconds a candidate


def audits(
    suite: Annotated[str, typer.Option(help="Name of a shipped suite, or a YAML file.")] = "baseline",
    repeats: Annotated[int, typer.Option(min=1, help="Times each figure is measured; the median is shown.")] = 5,
    each: Annotated[bool, typer.Option("--each", help="Also every audit alone.")] = False,
) -> None:
    """Processor time of gate audits and whole suite on trained networks, 8x8 to 28x28; exit 1 if a goal is missed.

    The networks are healthy controls (`audits.calibrating.controls`), trained here: a cell of NAS-Bench-201's space
    with 8 channels, with one nuisance named and one trigger registered.
    """
    torch.set_num_threads(1)
    loaded = load_suite(suite)
    parts = {"gates": gates_alone(loaded), "suite": loaded}
    if each:
        parts |= {entry.audit: replace(loaded, entries=(entry,)) for entry in loaded.entries}
    goals = {"gates": _GATES_GOAL, "suite": _SUITE_GOAL}
    shown = []
    all_met = True
    for name, spec in _tasks().items():
        made = make_specimen(CONTROLS["healthy"], spec, seed=1, base=Path())
        run_suite(made.network, made.data, loaded, seed=0)  # imports and caches
        found = {
            part: _seconds(lambda s=of, m=made: run_suite(m.network, m.data, s, seed=0), repeats)  # type: ignore[misc]
            for part, of in parts.items()
        }
        all_met &= all(found[part] <= goal for part, goal in goals.items())
        shown.append((name, len(made.data.x), *(f"{seconds:.2f}" for seconds in found.values())))
    print_table(
        ("input", "audit inputs", *parts), shown, title=f"suite {loaded.name}: seconds of processor time a candidate"
    )
    print(
        f"median of {repeats}; gates with what tests the attributions they rest on; "
        f"goals: gates ≤ {_GATES_GOAL}, suite ≤ {_SUITE_GOAL}: {'met' if all_met else 'NOT met'}"
    )
    raise typer.Exit(0 if all_met else 1)


def gates_alone(suite: Suite) -> Suite:
    """The gates and alarms of a suite, with the validity audits of what they rely on."""
    relied = {AUDITS[name].relies_on for name in suite.deciding} - {""}
    return replace(
        suite,
        entries=tuple(
            entry for entry in suite.entries if entry.audit in suite.deciding or AUDITS[entry.audit].validates in relied
        ),
    )


def _tasks() -> dict[str, TaskSpec]:
    small = CALIBRATION_TASKS["mnist5k"]
    return {
        "series of 40": CALIBRATION_TASKS["mnist1d"],
        "8x8": CALIBRATION_TASKS["digits"],
        "10x10": small,
        "28x28": small.model_copy(update={"resize": 28}),
        "28x28, all": small.model_copy(update={"resize": 28, "limit": None}),
    }


def _seconds(work: Callable[[], object], repeats: int) -> float:
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return statistics.median(found)


if __name__ == "__main__":
    run(audits)
