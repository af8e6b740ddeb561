"""Described devices against latencies that others measured on such devices.

Peak rate, bandwidth and overhead of the shipped `raspberry-pi-4` and `phone` are what fits the first `_FITTED` cells
drawn here; the figures printed are of the others. Cells with dead operations are left out: the table's networks ran
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import spearmanr

from experiments.harness import print_table, run
from selfnas.devices.devices import load_device
from selfnas.devices.roofline import estimate
from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.template import Vector
from selfnas.tables.tabular import read_benchmark

# Shipped device: the column of its kind in the NAS-Bench-201 table (HELP, Lee et al. 2021).
COLUMNS = {"raspberry-pi-4": "help_raspi4_ms", "phone": "help_pixel3_ms"}
_SHAPE = TaskShape(channels=3, size=(32, 32), classes=10)
_FITTED, _CHECKED = 200, 600


def roofline(
    table: Annotated[Path, typer.Option(help="NAS-Bench-201's accuracy table, with nb201_hardware.npz beside it.")],
) -> None:
    """Shipped device descriptions against latencies measured on such devices."""
    benchmark = read_benchmark(table)
    task = benchmark.tasks[0]
    known = {device: column for device, column in COLUMNS.items() if column in benchmark.columns[task]}
    if not known:
        raise InputError(f"{table}: no column {', '.join(COLUMNS.values())}")
    rows = _without_dead(benchmark.space, benchmark.space.enumerate())
    rows = np.random.default_rng(0).choice(rows, _FITTED + _CHECKED, replace=False)[_FITTED:]
    vectors = benchmark.space.enumerate()[rows]
    architectures = [benchmark.space.decode(vector, macro=Macro()) for vector in vectors]
    macs = [costs(architecture, _SHAPE).macs for architecture in architectures]
    shown = []
    for name, column in known.items():
        device = load_device(name)
        measured = benchmark.column(task, column)[rows]
        predicted = _milliseconds(architectures, name)
        error = float(np.median(np.abs(predicted - measured) / measured))
        shown.append(
            (
                device.device,
                str(len(rows)),
                f"{spearmanr(predicted, measured).statistic:.3f}",
                f"{error:.1%}",
                f"{spearmanr(macs, measured).statistic:.3f}",
            )
        )
    print_table(("device", "cells", "Spearman", "median error", "Spearman of MACs alone"), shown)


def _milliseconds(architectures: list[Architecture], name: str) -> NDArray[np.float64]:
    device = load_device(name)
    return np.array([estimate(architecture, _SHAPE, device).latency_us / 1e3 for architecture in architectures])


def _without_dead(space: Space, vectors: Vector) -> NDArray[np.intp]:
    cells = (space.decode(vector, macro=Macro()).cells[0] for vector in vectors)
    return np.flatnonzero([bool(cell.edges) and len(cell.live_edges()) == len(cell.edges) for cell in cells])


if __name__ == "__main__":
    run(roofline)
