"""A grid of cells: each measured once, the same rows from any number of processes."""

from pathlib import Path

import pytest

from agent.workers.grid import measure_grid, spread
from selfnas.benchmarks.rows import Rows


def squared(cell: int) -> list[dict[str, int]]:
    """Two rows of a cell."""
    return [{"cell": cell, "power": cell**power} for power in (1, 2)]


def refused(cell: int) -> list[dict[str, int]]:
    """A cell that cannot be measured."""
    raise ValueError(f"cell {cell} is asked for")


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_come_in_the_order_of_cells_whoever_measures_them(workers: int) -> None:
    """In this process or in two others."""
    rows = Rows(None, of=dict)
    found = measure_grid(squared, [3, 1, 2], rows, cell_of=lambda row: row["cell"], workers=workers)
    assert found == [row for cell in (3, 1, 2) for row in squared(cell)]


def test_what_is_kept_is_not_measured_again(tmp_path: Path) -> None:
    """Only the missing cell is asked for; rows of cells that are not wanted stay in the file alone."""
    path = tmp_path / "rows.jsonl"
    first = Rows(path, of=dict)
    measure_grid(squared, [1, 2], first, cell_of=lambda row: row["cell"])
    kept = Rows(path, of=dict)
    with pytest.raises(ValueError, match="cell 3 is asked for"):
        measure_grid(refused, [1, 3], kept, cell_of=lambda row: row["cell"])
    assert measure_grid(refused, [2], kept, cell_of=lambda row: row["cell"]) == squared(2)


def test_an_error_in_a_process_reaches_the_caller() -> None:
    """As it was raised there."""
    with pytest.raises(ValueError, match="cell 7 is asked for"):
        spread(refused, [7], workers=1)
