"""What mined sub-cells are worth: the rows of one stream order."""

import importlib

import numpy as np

from selfnas.tables.tabular import synthetic_benchmark

measure_order = importlib.import_module("experiments.sub-cells.measure").measure_order


def test_the_measurement_pairs_searches_and_uses_only_the_past() -> None:
    """Rows from the third task on; where nothing was mined, the two searches are one."""
    rows = list(measure_order(synthetic_benchmark(), 0, percent=100, remembered=20, longest=30))
    assert [row.place for row in rows] == [2]
    [row] = rows
    assert all(1 <= count <= 30 for count in row.to_top)
    assert (row.mined == 0) == bool(np.isnan(row.presence))
    [idle] = measure_order(synthetic_benchmark(), 2, percent=0, remembered=20, longest=30)
    assert idle.to_top[0] == idle.to_top[1]
    assert idle.regret[0] == idle.regret[1]
    [warm] = measure_order(synthetic_benchmark(), 2, percent=0, replay=True, remembered=20, longest=30)
    assert warm.regret[0][0] < idle.regret[0][0]  # what earlier tasks found is tried first
