"""What memory saves: the task that gains least, and the limit of what can be modelled whole."""

import pytest

from selfnas.benchmarks.lifelong import WELL_READ, LifelongRow, informed_search, live_orders, worst_task
from selfnas.errors import InputError
from selfnas.tables.tabular import synthetic_benchmark

ROWS = [
    LifelongRow(method="m", order=order, place=place, task=task, to_top=to_top, found=True, regret=(1.0, 0.5))
    for order, place, task, to_top in [(0, 0, "a", 99), (0, 1, "b", 10), (1, 0, "b", 99), (1, 1, "a", 30)]
]


def test_the_worst_task_is_the_one_that_gains_least() -> None:
    """Against twice as many evaluations on `a` and as many on `b`: b, with a ratio of one."""
    cold = [
        LifelongRow(method="c", order=r.order, place=r.place, task=r.task, to_top=r.to_top * (1 + (r.task == "a")),
                    found=True, regret=r.regret)
        for r in ROWS
    ]  # fmt: skip
    assert worst_task(ROWS, cold) == ("b", 1.0, (1.0, 1.0))


def test_too_large_a_table_is_not_modelled_whole() -> None:
    """The message says how large is too large; memory by whole tables asks for the first task's when it is over."""
    with pytest.raises(InputError, match="15,625 cells, more than 5,000"):
        informed_search(synthetic_benchmark(), "a")
    rows = live_orders(synthetic_benchmark(), WELL_READ, [0], remembered=2, longest=2)
    with pytest.raises(InputError, match="15,625 cells, more than 5,000"):
        list(rows)
