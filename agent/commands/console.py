"""What a person sees in the terminal while an agent lives, and the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from agent.ledger.events import UNSET, PolicyAdopted, PolicyRolledBack
from agent.report.changes import changed
from agent.report.robustness import robust_rows, robust_sentence
from agent.report.shortfall import Shortfall, shortfall
from agent.report.summary import Accuracy, TaskSummary, TestScore, shown_score, summarise
from agent.state.limits import limit_sentence
from agent.state.rivals import Rival, rival_sentences
from agent.state.spending import spent
from agent.state.state import RunState, TaskState
from agent.state.taught import taught_sentence
from selfnas.training.metrics import METRICS

__all__ = [
    "ConsoleObserver",
    "guard_table",
    "policy_sentence",
    "results_table",
    "show_limits",
    "show_rivals",
    "show_robustness",
    "show_shortfalls",
    "show_spent",
    "where_next",
]


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
        self.stop()

    def stop(self) -> None:
        """Take the bars away."""
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
    if summary.tabulated is not None:
        return (
            f"[bold]{escape(summary.task)}[/]: looked up in a table, nothing trained or audited; best validation "
            f"{summary.tabulated:.4f} after {summary.evaluations} evaluations"
        )
    if summary.test is None:
        reasons = ", ".join(f"{name} ×{count}" for name, count in summary.by_audit.items()) or "no candidate trained"
        return f"[bold]{escape(summary.task)}[/]: nothing was admitted ({escape(reasons)})"
    memory = f"; recalled from {', '.join(dict.fromkeys(summary.recalled))}" if summary.recalled else ""
    return (
        f"[bold]{escape(summary.task)}[/]: test {summary.test}, {summary.admitted} of {summary.full_trainings} "
        f"finalists admitted, best of {summary.evaluations} evaluations seen at number {summary.evaluations_to_best}"
        f"{escape(memory)}"
    )


def results_table(run: RunState) -> Table:
    """Accuracies, one row per task of a run; fits 80 columns."""
    table = Table(title=f"run {run.number}: what was found", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    headers = (
        "task",
        "test accuracy\n% [95 %]",
        "best\nbaseline %",
        "gain, points\n[95 %]",
        "hand-\ndesigned",
        "params",
    )
    for name in headers:
        table.add_column(name, justify="left" if name == "task" else "right", overflow="fold", no_wrap="%" in name)
    for row in map(summarise, run.tasks):
        table.add_row(
            escape(row.task),
            "nothing admitted" if row.test is None else _shown(row.test),
            "–" if row.rival is None else f"{row.rival.shown}\n{row.rival.record.name}",
            "–" if row.rival is None else _coloured(row.rival),
            "–" if row.reference_test is None else shown_score(row.metric, row.reference_test.estimate),
            "–" if row.params is None else f"{row.params:,}",
        )
    table.caption = "hand-designed: residual cell of nearly equal size, trained alike"
    return table


def show_rivals(run: RunState, *, console: Console) -> None:
    """How winners compare with the best baseline, a sentence for each task."""
    for sentence in rival_sentences(run):
        console.print(escape(sentence), highlight=False)


def show_limits(run: RunState, *, console: Console) -> None:
    """What held each task back, as far as its events show it."""
    for task in run.tasks:
        told = task.finished.limits if task.finished is not None else UNSET
        if told is not UNSET and told:
            console.print(escape(f"{task.name}: held back by {'; '.join(map(limit_sentence, told))}"), highlight=False)


def show_spent(run: RunState, *, console: Console) -> None:
    """How often each task's audit split was used and what that comes to, and what of it earlier tasks were taught."""
    for task in run.tasks:
        told, taught = spent(run, task), taught_sentence(task.started)
        if told is not None and told.attempts > 1:
            console.print(escape(f"{task.name}: {told}"), highlight=False)
        if taught:
            console.print(escape(f"{task.name}: {taught}"), highlight=False)


def _coloured(rival: Rival) -> str:
    colour = {"gain": "green", "loss": "red", "open": "default"}[rival.verdict]
    return f"[{colour}]{escape(rival.difference)}[/]"


def show_robustness(run: RunState, *, console: Console) -> None:
    """What is proved of each hardened network, and what it withstood."""
    for task in run.tasks:
        for name, record in robust_rows(task):
            console.print(escape(robust_sentence(f"{task.name}, {name}", record)), highlight=False)


def show_shortfalls(run: RunState, *, console: Console) -> None:
    """Of each task that admitted nothing, its finalists, what they missed and what would decide it."""
    for found in filter(None, map(shortfall, run.tasks)):
        if found.finalists:
            console.print(_refused_table(found))
        console.print(f"[bold]{escape(found.task)}[/]: nothing was admitted; what would decide it:")
        for sentence in found.deciding:
            console.print(f"- {escape(sentence)}", highlight=False)


def _refused_table(found: Shortfall) -> Table:
    """The finalists of one task, best first; fits 80 columns."""
    table = Table(
        title=f"{escape(found.task)}: finalists, all refused",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("finalist", "valid\n%", "test accuracy\n% [95 %]", "missed"):
        table.add_column(name, justify="right" if "%" in name else "left", overflow="fold", no_wrap="%" in name)
    for one in found.finalists:
        validation = "failed" if one.failure else shown_score(found.metric, one.validation)
        missed = escape("\n".join(map(str, one.misses)) or one.missed)
        table.add_row(one.digest[:12], validation, "–" if one.test is None else _shown(one.test), missed)
    if found.reference is not None:
        table.add_row("hand-designed", "", _shown(found.reference), f"{found.reference_params:,} parameters")
    return table


def guard_table(run: RunState) -> Table:
    """What memory gave and what the guard kept out, one row per task of a run; fits 80 columns."""
    table = Table(
        title=f"run {run.number}: what was remembered, what was kept out",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("task", "best at\n/ evals", "recalled from", "kept out by rule", "finalists refused\nby audit"):
        table.add_column(name, overflow="fold")
    for row in map(summarise, run.tasks):
        counts = Counter(row.recalled)
        recalled = [f"{name}" + (f" ×{count}" if count > 1 else "") for name, count in counts.items()]
        if row.winner_was_recalled:
            recalled.append("[green]gave the winner[/]")
        table.add_row(
            escape(row.task),
            f"{row.evaluations_to_best}/{row.evaluations}" + (f"\n{row.failed} failed" if row.failed else ""),
            "\n".join(recalled) or "nothing",
            escape("\n".join(f"{name} {count}" for name, count in row.by_rule.items()) or "none"),
            escape(
                f"{row.full_trainings - row.admitted} of {row.full_trainings}"
                + "".join(f"\n{name} {count}" for name, count in row.by_audit.items())
            ),
        )
    return table


def _shown(score: TestScore) -> str:
    """An accuracy in per cent; of other metrics the name on a line of its own."""
    low, high = score.interval
    if isinstance(score, Accuracy):
        return f"{100 * score.estimate:.1f} [{100 * low:.1f}–{100 * high:.1f}]"
    shown = METRICS[score.record.name].shown
    return f"{score.title}\n{shown(score.estimate)} [{shown(low)}–{shown(high)}]"


def where_next(home: Path, *, console: Console) -> None:
    """Say where the pictures are and what to do next."""
    console.print(f"pictures: {home / 'report'}")
    console.print(f"next: selfnas motifs list --home {home}   selfnas verify --home {home}   selfnas ui --home {home}")


def policy_sentence(change: PolicyAdopted | PolicyRolledBack) -> str:
    """What a change of the search policy came to, for the terminal."""
    told = []
    if change.evidence is not None:
        told.append(f"rehearsed gain {change.evidence.mean:+.2f}, n = {change.evidence.count}")
    if change.trial is not None:
        told.append(f"trial won {change.trial.won}, lost {change.trial.lost}")
    back = "rolled back: " if change.rolls_back is True else ""
    return f"search policy after task {change.after_task}: {back}{changed(change)} ({'; '.join(told)})"
