"""Every trial of a life as a row, filtered, sorted and cut into pages as an address says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.desk.lineage import origins
from agent.desk.rendering import address_part
from agent.desk.spent import KINDS_OF_TIME, spent
from agent.desk.view import Seen
from agent.state.state import RunState, TaskState

__all__ = ["TRIAL_SORTS", "Wanted", "time_rows", "trial_rows"]

Row = Mapping[str, Any]
_PAGE = 200  # rows


def trial_rows(seen: Seen) -> list[Row]:
    """Of all tasks, in the order of the ledger."""
    return [row for run, task in seen.state.readable_tasks() for row in _of_task(run, task)]


def _of_task(run: RunState, task: TaskState) -> Iterator[Row]:
    finalists = {one.digest: one for one in task.finalists}
    for origin, one in zip(origins(task), task.evaluations, strict=True):
        finalist = finalists.get(one.digest)
        yield {
            "run": run.number,
            "task": task.name,
            "number": origin.number,
            "digest": one.digest,
            "architecture": one.architecture,
            "origin": one.origin,
            "fidelity": one.fidelity,
            "score": one.score,
            "worth": one.worth,
            "proxy": one.proxy,
            "epochs": len(one.curve),
            "reason": one.reason,
            "parent": origin.parent,
            "made": origin.said,
            "inferred": origin.inferred,
            "standing": str(finalist.standing or "") if finalist else "",
            "event": finalist.event if finalist else None,
        }


def time_rows(seen: Seen) -> list[Row]:
    """Seconds of each task by what they went to, and of what lies between tasks."""
    times = seen.times()
    rows: list[Row] = []
    for run in seen.state.runs:
        tasks = list(run.tasks)
        for place, task in enumerate(tasks):
            until = tasks[place + 1].first - 1 if place + 1 < len(tasks) else _last_of(seen, run)
            found = spent(seen.kinds, times, since=task.first, until=until)
            parts = [(name, found[name]) for name in KINDS_OF_TIME if name in found]
            rows.append({"run": run.number, "task": task.name, "whole": sum(found.values()), "parts": parts})
    return rows


def _last_of(seen: Seen, run: RunState) -> int:
    later = [other.first for other in seen.state.runs if other.number == run.number + 1]
    return later[0] - 1 if later else seen.events - 1


def _least(value: float | None) -> float:
    return float("-inf") if value is None else float(value)


# Title, what is compared, and whether the greatest comes first.
TRIAL_SORTS: Mapping[str, tuple[str, Callable[[Row], Any], bool]] = {
    "place": ("number", lambda row: (row["run"], row["task"], row["number"]), False),
    "score": ("score", lambda row: _least(row["score"]), True),
    "proxy": ("proxy", lambda row: _least(row["proxy"]), True),
    "origin": ("origin", lambda row: (row["origin"], row["run"], row["task"], row["number"]), False),
    "standing": ("finalist", lambda row: (row["standing"] == "", row["standing"]), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which trials are listed, and in which order.

    Attributes:
        run: number of a run; empty for all.
        task: a name; empty for all.
        origin: of a trial; empty for all.
        text: that stands somewhere in what is shown of a trial.
        sort: one of `TRIAL_SORTS`; `place` keeps the order of the ledger.
        down: whether the order is turned round.
        page: from 1.
    """

    run: str = ""
    task: str = ""
    origin: str = ""
    text: str = ""
    sort: str = "place"
    down: bool = False
    page: int = 1

    @staticmethod
    def of(query: Mapping[str, str]) -> Wanted:
        """As an address says; what it says wrongly is left out."""
        sort, page = query.get("sort", ""), query.get("page", "")
        return Wanted(
            run=query.get("run", "")[:9],
            task=query.get("task", "")[:200],
            origin=query.get("origin", "")[:40],
            text=query.get("text", "")[:200],
            sort=sort if sort in TRIAL_SORTS else "place",
            down=query.get("down", "") == "1",
            page=int(page) if page.isdecimal() and 0 < len(page) < 7 and int(page) else 1,
        )

    def query(self, **changes: str | bool | int) -> str:
        """The address's part that says so, without what is usual."""
        return address_part(self, **changes)

    def of_rows(self, every: Sequence[Row]) -> list[Row]:
        """Those that are listed, in order, on all pages."""
        words = self.text.casefold().split()
        kept = [
            row
            for row in every
            if self.run in ("", str(row["run"])) and self.task in ("", row["task"])
            if self.origin in ("", row["origin"]) and all(word in _text(row) for word in words)
        ]
        _, key, greatest = TRIAL_SORTS[self.sort]
        if self.sort == "place":
            return kept[::-1] if self.down else kept
        return sorted(kept, key=key, reverse=greatest != self.down)

    def on_page(self, listed: Sequence[Row]) -> tuple[Sequence[Row], int]:
        """Rows of the page, and how many pages there are."""
        pages = max(1, -(-len(listed) // _PAGE))
        at = min(self.page, pages)
        return listed[(at - 1) * _PAGE : at * _PAGE], pages


def _text(row: Row) -> str:
    return " ".join(map(str, (row["task"], row["digest"], row["architecture"], row["made"], row["reason"]))).casefold()
