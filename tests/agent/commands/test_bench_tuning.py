"""The benchmark of self-tuning: its own arithmetic, and that it lives whole lives."""

import pytest

from agent.commands.bench_lifelong import _write_rows, read_rows
from agent.commands.bench_tuning import HAND_TUNED, POOR, Lived, false_confirmations, gap_closed
from selfnas.benchmarks.lifelong import WELL_READ, LifelongRow, informed_search, live_orders, worst_task
from selfnas.errors import InputError
from selfnas.tables.tabular import synthetic_benchmark

ROWS = [
    LifelongRow(method="m", order=order, place=place, task=task, to_top=to_top, found=True, regret=(1.0, 0.5))
    for order, place, task, to_top in [(0, 0, "a", 99), (0, 1, "b", 10), (1, 0, "b", 99), (1, 1, "a", 30)]
]


def test_share_of_the_gap() -> None:
    """Poor 10, best by hand 2 and tuned 4 on the last task: three quarters; the first task does not count."""
    ends = {POOR: 10.0, **dict.fromkeys(HAND_TUNED, 5.0), "surrogate": 2.0, "tuned": 4.0}
    lives = [
        Lived(policy=name, order=order, regret=((77.0, 77.0), (end, 0.0)), decisions=(), final="")
        for order in (0, 1)
        for name, end in ends.items()
    ]
    assert gap_closed(lives, first_place=1) == pytest.approx(("surrogate", 0.75, 0.75, 0.75))


def test_a_policy_against_itself_is_hardly_ever_confirmed() -> None:
    """Two of ten trials would be far above five per cent."""
    confirmed, count = false_confirmations(synthetic_benchmark(), simulations=10, tasks=1, budget=60, noise=False)
    assert count == 10
    assert confirmed <= 2


def test_the_worst_task_is_the_one_that_gains_least() -> None:
    """Against twice as many evaluations on `a` and as many on `b`: b, with a ratio of one."""
    cold = [
        LifelongRow(method="c", order=r.order, place=r.place, task=r.task, to_top=r.to_top * (1 + (r.task == "a")),
                    found=True, regret=r.regret)
        for r in ROWS
    ]  # fmt: skip
    assert worst_task(ROWS, cold) == ("b", 1.0, (1.0, 1.0))


def test_finished_orders_survive_and_other_files_are_refused(tmp_path: object) -> None:
    """Rows come back as they were; a file of another table or with other lines is named."""
    from pathlib import Path

    path = Path(str(tmp_path)) / "rows.jsonl"
    assert read_rows(path, table="t") == []
    _write_rows(path, ROWS[:2], table="t")
    _write_rows(path, ROWS[2:], table="t")
    assert read_rows(path, table="t") == ROWS
    with pytest.raises(InputError, match=r"rows\.jsonl:1: of table 't', not 'u'"):
        read_rows(path, table="u")
    path.write_text("{}\n")
    with pytest.raises(InputError, match=r"rows\.jsonl:1: not a row"):
        read_rows(path, table="t")


def test_too_large_a_table_is_not_modelled_whole() -> None:
    """The message says how large is too large; memory by whole tables asks for the first task's when it is over."""
    with pytest.raises(InputError, match="15,625 cells, more than 5,000"):
        informed_search(synthetic_benchmark(), "a")
    rows = live_orders(synthetic_benchmark(), WELL_READ, [0], remembered=2, longest=2)
    with pytest.raises(InputError, match="15,625 cells, more than 5,000"):
        list(rows)
