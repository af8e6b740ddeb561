"""What a comparison of strategies has finished so far, in memory and in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfnas.benchmarks.benchmarking import SearchRow, joined
from selfnas.errors import InputError

__all__ = ["Slices"]

_Key = tuple[str, str, int]  # task, strategy, first seed


class Slices:
    """Finished slices: a few seeds of one strategy on one task each.

    The file has one slice a line and is only ever added to, so commands that measure different strategies, at the same
    time or one after the other, can share it.

    Args:
        keep: a .jsonl to keep them in; None keeps them in memory alone.
        table: digest of the table.
        longest: evaluations after which a search is given up.
        batch: proposals between two looks.

    Raises:
        InputError: the file is not of this form, or of another table or other settings.
    """

    def __init__(self, keep: Path | None, *, table: str, longest: int, batch: int) -> None:
        self.longest, self.batch = longest, batch
        self._keep, self._found = keep, dict[_Key, SearchRow]()
        self._settings = {"table": table, "longest": longest, "batch": batch}
        if keep is not None and keep.exists():
            self._read(keep)

    def has(self, task: str, strategy: str, first: int, count: int) -> bool:
        """Whether these seeds are done."""
        row = self._found.get((task, strategy, first))
        return row is not None and row.seeds == count

    def add(self, row: SearchRow, *, first: int) -> None:
        """Keep one slice."""
        self._found[row.task, row.strategy, first] = row
        if self._keep is not None:
            with self._keep.open("ab", buffering=0) as file:
                file.write(json.dumps({**self._settings, "first": first, "row": asdict(row)}).encode() + b"\n")

    def rows(self, strategies: Iterable[str], tasks: Iterable[str]) -> dict[str, list[SearchRow]]:
        """By strategy, one row a task, over the seeds done on every task; strategies without any are left out."""
        found: dict[str, list[SearchRow]] = {}
        wanted = list(tasks)
        for strategy in strategies:
            firsts = sorted({first for _, name, first in self._found if name == strategy})
            common = [first for first in firsts if all((task, strategy, first) in self._found for task in wanted)]
            if common:
                found[strategy] = [joined([self._found[task, strategy, first] for first in common]) for task in wanted]
        return found

    def _read(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            for line in whole.splitlines():
                record = json.loads(line)
                if {name: record[name] for name in self._settings} != self._settings:
                    raise InputError(f"{path}: kept for another table or other settings; choose another file")
                row = _row(record["row"])
                self._found[row.task, row.strategy, int(record["first"])] = row
            if len(whole) < len(content):  # killed while it wrote: what it wrote there is measured again
                with path.open("rb+") as file:
                    file.truncate(len(whole))
        except InputError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not what this command keeps: {error}") from error


def _row(record: dict[str, Any]) -> SearchRow:
    for field in ("regret", "regret_error"):
        record[field] = {int(n): value for n, value in record[field].items()}
    record["found_at"] = tuple(record["found_at"])
    record["curves"] = tuple(map(tuple, record["curves"]))
    return SearchRow(**record)
