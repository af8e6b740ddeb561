"""Finished rows of a measurement as lines of JSON, so that what was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from selfnas.errors import InputError, cause
from selfnas.files import check_continued

__all__ = ["Rows"]

Row = TypeVar("Row")


class Rows(Generic[Row]):
    """Rows in memory and in a file that is only ever added to, so that several commands can share it.

    A last line without its end, which a killed command leaves, is cut off; what it stood for is measured again.

    Args:
        path: a .jsonl; None keeps rows in memory alone.
        of: what a row is, a dataclass or `dict`.
        settings: what every row was measured with; each line carries it.

    Raises:
        InputError: a line is not such a row, or was measured with other settings; or the file is a link, or lies in
            the home of a life.
    """

    def __init__(self, path: Path | None, *, of: type[Row], settings: Mapping[str, object] | None = None) -> None:
        self._path, self._of, self._settings = path, TypeAdapter(of), dict(settings or {})
        if path is not None:
            check_continued(path)
        self._rows = self._read(path) if path is not None and path.exists() else []

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def add(self, *rows: Row) -> None:
        """Keep rows that belong together: all are written at once, so that a killed command leaves no part of them."""
        self._rows += rows
        if self._path is not None:
            records: list[Any] = [row if isinstance(row, dict) else asdict(row) for row in rows]  # type: ignore[call-overload]
            lines = "".join(json.dumps({**self._settings, **record}) + "\n" for record in records)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                file.write(lines.encode())

    def _read(self, path: Path) -> list[Row]:
        try:
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                with path.open("rb+") as file:
                    file.truncate(len(whole))
        except OSError as error:
            raise InputError(f"{path}: cannot be used: {cause(error)}") from error
        return [self._row(line, f"{path}:{number}") for number, line in enumerate(whole.splitlines(), start=1)]

    def _row(self, line: bytes, where: str) -> Row:
        try:
            record = json.loads(line)
            found = {name: record.pop(name) for name in self._settings}
            row = self._of.validate_python(record)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(f"{where}: not a row of this measurement: {field}: {first['msg']}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{where}: not a row of this measurement: {error}") from error
        for name, value in found.items():
            if value != self._settings[name]:
                raise InputError(
                    f"{where}: measured with {name} {value!r}, not {self._settings[name]!r}: choose another file"
                )
        return row
