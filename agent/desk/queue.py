"""The queue: a row for each finalist, filtered and sorted as an address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.desk.rendering import address_part
from agent.desk.view import Seen
from agent.gate.review import finalists
from agent.ledger.events import Standing
from agent.report.desk import desk
from agent.report.summary import score_of, shown_score
from agent.state.rivals import best_rival, rivals
from selfnas.training.metrics import METRICS

__all__ = ["CONCERNS", "SORTS", "STAGES", "Choice", "rows"]

Row = Mapping[str, Any]
STAGES = ("awaiting", "sent back", "decided", "all")


def rows(seen: Seen) -> list[Row]:
    """Of all finalists, oldest first: the records of `review list --json`, with what the table shows of them."""
    found: list[Row] = []
    weights: dict[str, int] = {}
    put_aside = {motif.where for motif, _ in seen.state.quarantined.values()}
    for record, (run, task, finalist) in zip(desk(seen.state), finalists(seen.state), strict=True):
        best = best_rival(task)
        beside = [rival for rival in rivals(task, finalist) if best is not None and rival.record == best.record]
        unit = " %" if task.metric in METRICS and METRICS[task.metric].unit == "share" else ""
        sha256 = finalist.trained.weights_sha256
        weights[sha256] = weights.get(sha256, 0) + 1
        found.append(
            {
                **record,
                "validation_shown": f"{shown_score(task.metric, finalist.trained.validation)}{unit}",
                "test_shown": str(score_of(finalist.trained) or "–"),
                "test_estimate": getattr(score_of(finalist.trained), "estimate", None),
                "beside": beside[0].title if beside else "",
                "gain_shown": beside[0].difference if beside else "–",
                "gain": beside[0].gain.estimate if beside and beside[0].gain else None,
                "verdict": beside[0].verdict if beside else "open",
                "put_aside": (run.number, task.name, finalist.digest) in put_aside,
            }
        )
    return [{**row, "same": weights[row["weights_sha256"]] if row["weights_sha256"] else 1} for row in found]


def _number(value: float | None) -> float:
    return float("-inf") if value is None else float(value)


# What a person may look for, in words of the page, and whether a row is such a one.
CONCERNS: Mapping[str, tuple[str, Callable[[Row], bool]]] = {
    "open vote": ("one has decided, more are wanted", lambda row: bool(row["people"]["by"]) and row["awaiting"]),
    "untested": ("something was not tested", lambda row: bool(row["untested"])),
    "behind": ("worse than a baseline", lambda row: any(one["verdict"] == "loss" for one in row["rivals"])),
    "otherwise": ("decided otherwise elsewhere", lambda row: _otherwise(row)),
    "forbidden": ("in quarantine", lambda row: bool(row["put_aside"])),
}


def _otherwise(row: Row) -> bool:
    """Whether people left the same weights or architecture standing otherwise."""
    return any(one["standing"] != row["standing"] for one in row["elsewhere"])


def _trouble(row: Row) -> tuple[int, int, int]:
    """What a person should look at first: contradictions, then what was not tested, then what loses to a baseline."""
    return int(_otherwise(row)), len(row["untested"]), sum(one["verdict"] == "loss" for one in row["rivals"])


# Title, what is compared, and whether the greatest comes first.
SORTS: Mapping[str, tuple[str, Callable[[Row], Any], bool]] = {
    "event": ("event", lambda row: row["event"], False),
    "trouble": ("trouble first", _trouble, True),
    "people": ("people", lambda row: (len(row["people"]["by"]), -row["event"]), True),
    "task": ("task", lambda row: (row["task"], row["run"], row["event"]), False),
    "standing": ("stands", lambda row: (row["standing"] != Standing.REFUSED, row["event"]), False),
    "untested": ("not tested", lambda row: len(row["untested"]), True),
    "test": ("test", lambda row: _number(row["test_estimate"]), True),
    "gain": ("over best baseline", lambda row: _number(row["gain"]), False),
    "parameters": ("parameters", lambda row: row["parameters"], True),
    "weights": ("same weights", lambda row: (-row["same"], row["weights_sha256"], row["event"]), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which finalists are listed, and in which order.

    Attributes:
        stage: one of `STAGES`.
        standing: `admitted` or `refused`; empty for both.
        task: a name; empty for all.
        concern: one of `CONCERNS`; empty for all.
        text: that stands somewhere in what is shown of a finalist; empty for any.
        sort: one of `SORTS`.
        down: whether the order is turned round.
    """

    stage: str = "awaiting"
    standing: str = ""
    task: str = ""
    concern: str = ""
    text: str = ""
    sort: str = "event"
    down: bool = False

    @staticmethod
    def of(query: Mapping[str, str]) -> Choice:
        """As an address says; what it says wrongly is left out."""
        chosen, standing, sort = query.get("stage", ""), query.get("standing", ""), query.get("sort", "")
        concern = query.get("concern", "")
        return Choice(
            stage=chosen if chosen in STAGES else "awaiting",
            standing=standing if standing in list(Standing) else "",
            task=query.get("task", "")[:200],
            concern=concern if concern in CONCERNS else "",
            text=query.get("text", "")[:200],
            sort=sort if sort in SORTS else "event",
            down=query.get("down", "") == "1",
        )

    def query(self, **changes: str | bool) -> str:
        """The address's part that says so, without what is usual."""
        return address_part(self, **changes)

    def of_rows(self, every: Sequence[Row]) -> list[Row]:
        """Those that are listed, in order."""
        words = self.text.casefold().split()
        kept = [
            row
            for row in every
            if self.stage in ("all", row["stage"]) and self.standing in ("", row["standing"])
            if not self.concern or CONCERNS[self.concern][1](row)
            if self.task in ("", row["task"]) and all(word in _text(row) for word in words)
        ]
        _, key, greatest = SORTS[self.sort]
        return sorted(kept, key=key, reverse=greatest != self.down)


def _text(row: Row) -> str:
    untested = " ".join(str(one["audit"]) for one in row["untested"])
    parts = (row["task"], row["digest"], row["architecture"], row["standing"], untested, " ".join(row["reasons"]))
    return " ".join(map(str, parts)).casefold()
