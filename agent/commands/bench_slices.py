"""What a comparison of strategies has finished so far, in memory and in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from selfnas.benchmarking import SearchRow, joined
from selfnas.errors import InputError

__all__ = ["Slices"]

_Key = tuple[str, str, int]  # task, strategy, first seed


class Slices:
    """Finished slices: a few seeds of one strategy on one task each.

    Args:
        keep: a .json to keep them in, whole at any moment; None keeps them in memory alone.
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
            slices = [{"first": key[2], **asdict(row)} for key, row in sorted(self._found.items())]
            partial = self._keep.with_name(f"{self._keep.name}.partial")
            partial.write_text(json.dumps({**self._settings, "slices": slices}), encoding="utf-8")
            partial.replace(self._keep)

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
            content = json.loads(path.read_text(encoding="utf-8"))
            settings = {name: content[name] for name in self._settings}
            for record in content["slices"]:
                first = int(record.pop("first"))
                record["regret"] = {int(n): value for n, value in record["regret"].items()}
                record["regret_error"] = {int(n): value for n, value in record["regret_error"].items()}
                record["found_at"] = tuple(record["found_at"])
                record["curves"] = tuple(map(tuple, record["curves"]))
                row = SearchRow(**record)
                self._found[row.task, row.strategy, first] = row
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not what this command keeps: {error}") from error
        if settings != self._settings:
            raise InputError(f"{path}: kept for another table or other settings; choose another file")
