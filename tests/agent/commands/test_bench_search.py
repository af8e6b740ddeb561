"""The comparison of strategies that the guide quotes."""

from pathlib import Path

import numpy as np
import pytest

from agent.commands.benching.search import Slice, rows_of, summary_figures, tabular_throughput
from selfnas.benchmarks.benchmarking import CHECKPOINTS, SearchRow, compare_strategies
from selfnas.benchmarks.rows import Rows
from selfnas.strategies import make_strategy
from selfnas.tables.tabular import synthetic_benchmark
from tests.agent.conftest import Run


def row(task: str, found_at: tuple[int, ...], regrets: tuple[float, ...], *, cut_off: int = 0) -> SearchRow:
    """A row of searches whose regret never changes."""
    return SearchRow(
        table="t", task=task, strategy="s", seeds=len(found_at), to_top=0.0, to_top_error=0.0, cut_off=cut_off,
        regret={}, regret_error={}, found_at=found_at, curves=tuple((value,) * CHECKPOINTS[-1] for value in regrets),
    )  # fmt: skip


def test_means_and_errors_by_hand() -> None:
    """The error is over seeds of the mean over tasks: (10 + 30) / 2 = 20 and (20 + 60) / 2 = 40."""
    means, errors, lost = summary_figures([row("a", (10, 20), (1.0, 3.0)), row("b", (30, 60), (5.0, 3.0), cut_off=1)])
    assert means == pytest.approx([30.0, 3.0, 3.0, 3.0])
    assert errors == pytest.approx([10.0, 0.0, 0.0, 0.0])
    assert lost == 1


def test_summary_agrees_with_the_rows() -> None:
    """With one task, the summary is the row's own figures."""
    [only] = compare_strategies(
        synthetic_benchmark(), {"random": make_strategy("random")}, seeds=4, tasks=["a"], longest=100
    )
    means, errors, lost = summary_figures([only])
    assert means == pytest.approx([only.to_top, *only.regret.values()])
    assert errors == pytest.approx([only.to_top_error, *only.regret_error.values()])
    assert lost == only.cut_off
    assert all((np.diff(curve) <= 0).all() for curve in only.curves)


def test_slices_join_to_what_one_search_gives(tmp_path: Path) -> None:
    """Seeds 0 to 1 and 2 to 4, kept by two commands at the same time, read back and joined, are seeds 0 to 4."""
    table, strategies = synthetic_benchmark(), {"random": make_strategy("random")}
    [whole] = compare_strategies(table, strategies, seeds=5, tasks=["a"], longest=100)
    keep = tmp_path / "kept.jsonl"
    both = [Rows(keep, of=Slice, settings={"table": "t"}) for _ in range(2)]
    for slices, first, count in zip(both, (2, 0), (3, 2), strict=True):
        [part] = compare_strategies(table, strategies, seeds=count, first=first, tasks=["a"], longest=100)
        slices.add(Slice(first=first, row=part))
    again = Rows(keep, of=Slice, settings={"table": "t"})
    assert [one.cell for one in again] == [("random", "a", 2, 3), ("random", "a", 0, 2)]
    assert rows_of(again, ["random", "surrogate"], ["a"]) == {"random": [whole]}
    assert rows_of(again, ["random"], ["a", "b"]) == {}


def test_throughput_counts_what_a_life_recorded() -> None:
    """All evaluations asked for are lived through."""
    count, seconds = tabular_throughput(None, synthetic_benchmark(), evaluations=25)
    assert count == 25
    assert seconds > 0


@pytest.mark.slow
def test_command_compares_and_draws(tmp_path: Path, selfnas: Run) -> None:
    """Without a table it says that the figures are of a synthetic one."""
    done = selfnas("bench", "search", "--quick", "--strategy", "random", "--plot", tmp_path / "curves.png")
    assert done.returncode == 0, done.stderr
    assert "says nothing about real" in done.stdout
    assert "through gate and ledger" in done.stdout
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_command_refuses_what_it_does_not_compare(selfnas: Run) -> None:
    """An unknown strategy is an error with a hint."""
    done = selfnas("bench", "search", "--strategy", "surogate")
    assert done.returncode == 2
    assert "surrogate" in done.stderr
