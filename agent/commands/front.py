"""`selfnas front`: accuracy against a cost for one task of a life, its front, and the chosen networks timed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.commands.inspect import opened_life
from agent.state.state import TaskState, replay
from selfnas.benchmarks.fronts import best_first
from selfnas.devices.devices import Device, Latencies
from selfnas.errors import InputError, suggestion
from selfnas.figures import write_figure
from selfnas.strategies.nsga2 import front_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_front", "show_front"]

_ROUNDS = 100  # some ten seconds with their pauses


def show_front(home: Path, *, task: str, cost: str, time: bool, plot: Path | None) -> None:
    """Print the front of a task's latest run, the most valued first; optionally draw it and time its networks.

    Args:
        home: directory of the life.
        task: name of a task.
        cost: which recorded cost; empty for the first.
        time: whether to time each network of the front on this machine.
        plot: a .png.

    Raises:
        InputError: no such life, task or cost, or nothing was scored.
    """
    with opened_life(home) as ledger:
        state = replay(ledger)
        names = [found.name for run in state.runs for found in run.tasks]
        found = next((t for run in reversed(state.runs) for t in run.tasks if t.name == task), None)
        if found is None:
            raise InputError(f"unknown task {task!r}{suggestion(task, names)}")
        known = sorted(found.evaluations[0].recorded_costs) if found.evaluations else []
        chosen = cost or (known[0] if known else "")
        if not known:
            raise InputError(f"task {task!r} records no costs: its stream has no `objective` that counts any")
        if chosen not in known:
            raise InputError(f"task {task!r} records no cost {chosen!r}; it records {', '.join(known)}")
        rows = [row for row, trial in enumerate(found.trials) if not trial.failed]
        if not rows:
            raise InputError(f"nothing was scored on task {task!r}")
        scores = np.array([found.evaluations[row].score for row in rows])
        costs = np.array([found.evaluations[row].recorded_costs[chosen] for row in rows])
        front = front_numbers(np.stack([scores, -costs], axis=1)) == 0
        device = next(run.started.device for run in state.runs if any(task is found for task in run.tasks))
        latencies = None
        if time:
            latencies = Device.model_validate(device).latencies if isinstance(device, dict) else None
            if latencies is None:
                raise InputError("--time compares with measured parts: the run's device has no latency table")
        _print(found, rows, scores, costs, front, cost=chosen, latencies=latencies)
        if plot:
            from matplotlib.figure import Figure

            figure = Figure(figsize=(6, 4))
            finalists = {finalist.digest for finalist in found.finalists}
            final = np.array([found.trials[row].digest in finalists for row in rows])
            draw_front(
                figure.subplots(), scores, costs, front, final, cost=chosen, title=f"{task}: {len(rows)} candidates"
            )
            write_figure(figure, plot, bbox="tight")
            Console().print(f"plot: {plot}")


def draw_front(
    axes: Axes,
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    costs: np.ndarray[tuple[int], np.dtype[np.float64]],
    front: np.ndarray[tuple[int], np.dtype[np.bool_]],
    final: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *,
    cost: str,
    title: str,
) -> Axes:
    """Candidates, the front as a staircase, and which of them were trained fully.

    Args:
        axes: to draw on.
        scores: `(n,)` validation accuracy in [0, 1].
        costs: `(n,)`.
        front: `(n,)` whether on the front.
        final: `(n,)` whether trained fully.
        cost: name of the cost, unit in it.
        title: over the picture.
    """
    order = np.flatnonzero(front)[np.argsort(costs[front], kind="stable")]
    axes.plot(costs, 100 * scores, "o", color="#999999", markersize=4, label="candidates")
    axes.step(costs[order], 100 * scores[order], "-o", where="post", color="#0072B2", markersize=5, label="front")
    axes.plot(costs[final], 100 * scores[final], "o", markersize=11, markerfacecolor="none", color="#D55E00",
              label="trained fully, audited")  # fmt: skip
    axes.set(xlabel=cost.replace("_us", " (µs)").replace("_", " "), ylabel="validation accuracy, low fidelity (%)")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return axes


def _print(
    task: TaskState,
    rows: list[int],
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    costs: np.ndarray[tuple[int], np.dtype[np.float64]],
    front: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *,
    cost: str,
    latencies: Latencies | None,
) -> None:
    place = {id(task.trials[row]): index for index, row in enumerate(rows)}
    ranked = [place[id(trial)] for trial in best_first([task.trials[row] for row in rows])]
    shown = [index for index in ranked if front[index]]
    timed: dict[int, float] = {}
    slowness = 1.0
    if latencies:
        from selfnas.devices.latency import time_networks

        architectures = [task.trials[rows[index]].architecture for index in shown]
        measured, slowness = time_networks(architectures, task.shape, latencies, rounds=_ROUNDS)
        timed = dict(zip(shown, measured.tolist(), strict=True))
    outcome = {finalist.digest: finalist.standing for finalist in task.finalists}
    timings = ["measured µs", "off by", "at the table's speed"] if latencies else []
    title = f"{task.name}: front of {len(rows)} candidates, the most valued first"
    named = cost.replace("_us", " µs").replace("_", " ")
    table = Table("digest", "validation", named, *timings, "finalist", title=title)
    for index in shown:
        trial = task.trials[rows[index]]
        ratio = costs[index] / timed[index] if latencies else 1.0
        measured_us = [f"{timed[index]:,.0f}", f"{ratio - 1:+.1%}", f"{ratio * slowness - 1:+.1%}"] if latencies else []
        table.add_row(
            trial.digest[:8], f"{scores[index]:.4f}", f"{costs[index]:,.6g}", *measured_us,
            outcome.get(trial.digest, ""),
        )  # fmt: skip
    Console().print(table)
    for index in shown:  # beside the figures they would not fit
        trial = task.trials[rows[index]]
        Console().print(f"{trial.digest[:8]}  {trial.architecture}", highlight=False, soft_wrap=True)
    if latencies:
        Console().print(f"parts take {slowness:.2f} times what they took when the device's table was made")
