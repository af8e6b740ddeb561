"""What a person sees in the terminal while an agent lives, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from agent.state import RunState, TaskState
from agent.summary import TaskSummary, summarise

__all__ = ["ConsoleObserver", "results_table"]


class ConsoleObserver:
    """Progress bars for the run and its present task; a line for each finished task. Use as a context manager.

    Args:
        console: where to write.
        names: the tasks of the run, in order.
        steps_per_task: trainings expected for each.
        after_task: called with each finished task, before its line is printed.
    """

    def __init__(
        self,
        console: Console,
        *,
        names: Sequence[str],
        steps_per_task: int,
        after_task: Callable[[RunState, TaskState], None],
    ) -> None:
        self._console, self._after_task, self._steps = console, after_task, steps_per_task
        self._names = list(names)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("trainings ·"),
            TimeElapsedColumn(),
            TextColumn("· left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._whole = self._progress.add_task("stream", total=steps_per_task * len(self._names))
        self._task = self._progress.add_task("", total=steps_per_task, visible=False)

    def __enter__(self) -> ConsoleObserver:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Show the task's bar from where it stands."""
        done = len(task.trials) + len(task.finalists)
        place = f"task {task.index + 1}/{len(self._names)} {escape(task.name)}"
        self._progress.reset(self._task, total=steps, description=place, completed=done, visible=True)
        self._progress.update(self._whole, completed=task.index * self._steps + done)
        if not self._console.is_terminal:
            self._console.print(f"{place} …")

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Move both bars."""
        self._progress.advance(self._task, steps)
        self._progress.advance(self._whole, steps)

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Print the task's line."""
        self._after_task(run, task)
        summary = summarise(task)
        self._progress.update(self._whole, completed=(task.index + 1) * self._steps)
        self._console.print(_line(summary))


def _line(summary: TaskSummary) -> str:
    if summary.test is None:
        reasons = ", ".join(f"{name} ×{count}" for name, count in summary.by_audit.items()) or "no candidate trained"
        return f"[bold]{escape(summary.task)}[/]: nothing was admitted ({escape(reasons)})"
    memory = f"; recalled from {', '.join(summary.recalled)}" if summary.recalled else ""
    return (
        f"[bold]{escape(summary.task)}[/]: test {summary.test}, {summary.admitted} of {summary.full_trainings} "
        f"finalists admitted, best of {summary.evaluations} evaluations seen at number {summary.evaluations_to_best}"
        f"{escape(memory)}"
    )


def results_table(run: RunState) -> Table:
    """One row per task of a run."""
    table = Table(title=f"run {run.number}", header_style="bold", show_lines=True)
    for name in (
        "task",
        "evaluations\n(to best)",
        "validation",
        "test accuracy [95 %]",
        "hand-designed cell,\nequal size [95 %]",
        "share",
        "parameters\n(hand-designed)",
        "kept out by rule",
        "kept out by audit",
        "recalled from",
    ):
        table.add_column(name)
    for task in run.tasks:
        row = summarise(task)
        table.add_row(
            escape(row.task),
            f"{row.evaluations} ({row.evaluations_to_best})" + (f"\n{row.failed} failed" if row.failed else ""),
            "–" if row.validation is None else f"{100 * row.validation:.1f} %",
            str(row.test or "nothing admitted"),
            str(row.reference_test or "–"),
            "–" if row.share_of_reference is None else f"{100 * row.share_of_reference:.0f} %",
            "–" if row.params is None else f"{row.params:,}\n({row.reference_params or 0:,})",
            escape("\n".join(f"{name} {count}" for name, count in row.by_rule.items()) or "–"),
            escape("\n".join(f"{name} {count}" for name, count in row.by_audit.items()) or "–"),
            escape("\n".join(row.recalled) or "–") + ("\n[green]gave the winner[/]" if row.winner_was_recalled else ""),
        )
    return table


def where_next(home: Path, *, console: Console) -> None:
    """Say where the pictures are and what to do next."""
    console.print(f"pictures: {home / 'report'}")
    console.print(f"next: selfnas motifs list --home {home}   selfnas verify --home {home}   selfnas ui --home {home}")
