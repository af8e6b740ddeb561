"""Small tasks, and random specifications about them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from selfnas import seeding

__all__ = ["SEARCH", "TASKS", "specification", "written_data"]

# The same trainings for every method.
SEARCH: dict[str, Any] = {
    "budget": {"evaluations": 6, "full_trainings": 1},
    "low": {"epochs": 1, "steps": 60, "max_steps": 60},
    "full": {"epochs": 12, "steps": 300, "max_steps": 400},
    "policy": {"strategy": "regularised_evolution", "population": 4, "sample": 2, "batch": 2, "finalists_per_task": 1},
}
# By task: how it is stated, and the least and most accuracy that is asked for.
TASKS: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    "digits": ({"source": "digits"}, (0.80, 0.97)),
    "mnist1d": ({"source": "mnist1d", "limit": 2000}, (0.40, 0.80)),
    "stripes": ({"source": "npz", "path": "stripes.npz"}, (0.70, 0.97)),
    "mixture": ({"source": "npz", "path": "mixture.npz", "kind": "table"}, (0.70, 0.92)),
}
_ROWS = 1500
_SHARING = 4 * len(TASKS)  # specifications in a row of one seed
_CHANCE = 0.6  # that a target on a cost is asked for
_FILE, _PARAMETERS, _LATENCY = (15e3, 120e3), (4e3, 60e3), (0.03, 0.5)  # bytes, numbers, milliseconds


def written_data(folder: Path) -> None:
    """The two tasks that are generated: noisy stripes in four directions, and three overlapping clouds of points."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = seeding.generator(0, "design-data")
    y = rng.integers(0, 4, _ROWS)
    angle, phase = y * math.pi / 4, rng.uniform(0, 2 * math.pi, _ROWS)
    rows, columns = np.mgrid[0:8, 0:8]
    along = np.cos(angle)[:, None, None] * rows + np.sin(angle)[:, None, None] * columns
    x = np.sin(1.6 * along + phase[:, None, None]) + rng.normal(0, 1.3, (_ROWS, 8, 8))
    np.savez(folder / "stripes.npz", x=x.astype(np.float32), y=y)
    y = rng.integers(0, 3, _ROWS)
    centres = rng.normal(0, 0.9, (3, 2, 8))
    x = centres[y, rng.integers(0, 2, _ROWS)] + rng.normal(0, 0.8, (_ROWS, 8))
    np.savez(folder / "mixture.npz", x=x.astype(np.float32), y=y)


def specification(number: int, folder: Path) -> dict[str, Any]:
    """One of them, by its number alone: a task in turn, an accuracy, and some limits on costs.

    Args:
        number: from 0.
        folder: where the generated data lie.
    """
    rng = seeding.generator(number, "design-specification")
    name = list(TASKS)[number % len(TASKS)]
    task, (least, most) = TASKS[name]
    stated = {"name": name, **task} | ({"path": str(folder / task["path"])} if "path" in task else {})

    def drawn(low: float, high: float) -> float:
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    targets = {"accuracy": f">= {rng.uniform(least, most):.3f} @audit"}
    wanted = rng.random(3) < _CHANCE
    if not wanted.any():
        wanted[rng.integers(3)] = True
    limits = drawn(*_FILE), drawn(*_PARAMETERS), drawn(*_LATENCY)
    told = (f"<= {limits[0]:.0f} B", f"<= {limits[1]:.0f}", f"<= {1e3 * limits[2]:.0f} us @batch 1")
    for one, asked, text in zip(("file", "parameters", "latency_p95"), wanted, told, strict=True):
        if asked:
            targets[one] = text
    return {
        "design": f"s{number}", "format": 1, "task": stated, "macro": _ways(name), "targets": targets,
        "search": {**SEARCH, "seed": number // _SHARING},
    }  # fmt: skip


def _ways(task: str) -> list[str]:
    """Three widths to stack cells in."""
    return [f"c{channels}n1r16" for channels in (8, 16, 32)] if task == "mixture" else [
        f"c{channels}n1r8" for channels in (4, 8, 16)
    ]  # fmt: skip
