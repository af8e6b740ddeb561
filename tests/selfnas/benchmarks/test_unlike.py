"""Tasks unlike all others keep what they say they keep."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.benchmarks.unlike import UNLIKE, with_unlike
from selfnas.tables.tabular import synthetic_benchmark

TABLE = synthetic_benchmark(tasks=("a", "b"), seed=2)


@pytest.mark.parametrize("kind", UNLIKE)
def test_an_unlike_task_has_the_scores_of_its_origin_and_is_drawn_from_its_seed(kind: str) -> None:
    """The same scores of other cells; the table's own tasks stay."""
    table = with_unlike(TABLE, kind, "a", seed=0)
    made, origin = table.column(f"{kind}:a", "test"), TABLE.column("a", "test")
    assert np.array_equal(np.sort(made), np.sort(origin))
    assert abs(np.corrcoef(made, origin)[0, 1]) < 1 if kind == "mixed" else np.mean(made == origin) < 0.1
    assert np.array_equal(made, with_unlike(TABLE, kind, "a", seed=0).column(f"{kind}:a", "validation"))
    other = with_unlike(TABLE, kind, "a", seed=1).column(f"{kind}:a", "test")
    assert np.array_equal(made, other) == (kind == "reversed")
    assert table.tasks == (*TABLE.tasks, f"{kind}:a")
    assert np.array_equal(table.column("a", "test"), origin)


def test_renamed_operations_keep_which_cells_are_one_edit_apart() -> None:
    """The score of a cell is that of the renamed one, by one renaming on all edges that leaves no name."""
    made = with_unlike(TABLE, "relabelled", "a", seed=0).column("relabelled:a", "test")
    rows = TABLE.space.enumerate()
    origin = {float(value): row for value, row in zip(TABLE.column("a", "test"), rows, strict=True)}
    names: dict[int, int] = {}
    checked = 0
    for value, row in zip(made[::97], rows[::97], strict=True):
        if np.count_nonzero(TABLE.column("a", "test") == value) == 1:
            checked += 1
            for kind, name in zip(row, origin[float(value)], strict=True):
                assert names.setdefault(int(kind), int(name)) == int(name) != int(kind)
    assert checked > 100
    assert sorted(names.values()) == [0, 1, 2, 3, 4]


def test_reversed_scores_turn_cells_that_compute_around_and_leave_the_others() -> None:
    """The best cell scores lowest of all that compute something; one without a path keeps its failure."""
    made, origin = with_unlike(TABLE, "reversed", "a", seed=0).column("reversed:a", "test"), TABLE.column("a", "test")
    live = (TABLE.space.effective(TABLE.space.enumerate()) > 0).any(axis=1)
    assert made[live][np.argmax(origin[live])] == origin[live].min()
    assert np.array_equal(made[~live], origin[~live])
