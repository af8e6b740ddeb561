"""Series as the UCR and UEA archives ship them: `.ts`, `.tsv`, `.txt` and flat `.arff` files of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import as_examples, check_memory
from selfnas.data.spec import TaskSpec
from selfnas.errors import InputError, cause

__all__ = ["pair_of", "read_archive"]

_PAIR = re.compile(r"^(.*)_TRAIN(\.[A-Za-z]+)$")
_SPACES = re.compile(r"[\t ]+")
Series = NDArray[np.float64]


def read_archive(path: Path, spec: TaskSpec) -> dict[str, NDArray[Any]]:
    """`NAME_TRAIN.ts` with `NAME_TEST.ts` beside it, where there is one; or one file alone. By the keys of an `.npz`.

    In `.ts` files dimensions stand between colons and the class is last; `?` and `NaN` are gaps. In `.tsv` and `.txt`
    the class is first. In `.arff` it is last, and relations are not read.

    Raises:
        InputError: missing, too large, or lines of another form.
    """
    arrays: dict[str, NDArray[Any]] = {}
    numbers = spec.target is not None and spec.target.kind == "regression"
    for suffix, file in pair_of(path).items():
        series, answers = _read(file, spec.most_bytes)
        if len({each.shape[0] for each in series}) > 1:
            raise InputError(f"{file}: series of unequally many dimensions")
        arrays[f"x{suffix}"] = as_examples(series).astype(np.float64)
        arrays[f"y{suffix}"] = _floats(answers, file, 0) if numbers else np.array(answers, dtype=np.str_)
    return arrays


def pair_of(path: Path) -> dict[str, Path]:
    """The file that a path names, and that of test examples beside it, if there is one; by the suffix of their keys."""
    match = _PAIR.fullmatch(path.name)
    other = path.with_name(f"{match[1]}_TEST{match[2]}") if match else path
    return {"_train": path, "_test": other} if match and other.is_file() else {"": path}


def _read(file: Path, most: int) -> tuple[list[Series], list[str]]:
    try:
        check_memory(file.stat().st_size, most, str(file))
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {cause(error)}") from error
    one = {".ts": _ts_line, ".arff": _arff_line}.get(file.suffix, _flat_line)
    series, answers = [], []
    for number, line in _data_lines(lines, file):
        found, answer = one(line, file, number)
        series.append(found)
        answers.append(answer)
    if not series:
        raise InputError(f"{file}: no examples")
    return series, answers


def _data_lines(lines: list[str], file: Path) -> Iterator[tuple[int, str]]:
    """Lines of examples, numbered from 1; what `.ts` and `.arff` say before `@data` is only looked through."""
    waiting = file.suffix in (".ts", ".arff")
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if waiting:
            word = text.lower()
            if word.startswith("@timestamps") and word.endswith("true"):
                raise InputError(f"{file}:{number}: series with timestamps of their own are not read: need equal steps")
            if word.startswith("@attribute") and "relational" in word:
                raise InputError(f"{file}:{number}: relations are not read: use the archive's .ts file")
            waiting = word != "@data"
        elif text and not text.startswith(("#", "%")):
            yield number, text


def _ts_line(line: str, file: Path, number: int) -> tuple[Series, str]:
    *dimensions, answer = line.split(":")
    if not dimensions:
        raise InputError(f"{file}:{number}: no class after the series: need `values:class`")
    rows = [_floats(values.split(","), file, number) for values in dimensions]
    if len({len(row) for row in rows}) > 1:
        longest = max(map(len, rows))
        rows = [np.pad(row, (0, longest - len(row)), constant_values=np.nan) for row in rows]
    return np.stack(rows), answer.strip()


def _arff_line(line: str, file: Path, number: int) -> tuple[Series, str]:
    *values, answer = line.split(",")
    return _floats(values, file, number)[None], answer.strip().strip("'\"")


def _flat_line(line: str, file: Path, number: int) -> tuple[Series, str]:
    answer, *values = line.split(",") if "," in line else _SPACES.split(line)
    try:
        whole = float(answer)
    except ValueError:
        return _floats(values, file, number)[None], answer
    return _floats(values, file, number)[None], str(int(whole)) if whole == int(whole) else answer


def _floats(values: list[str], file: Path, number: int) -> Series:
    try:
        return np.array([np.nan if value.strip() in ("?", "") else float(value) for value in values])
    except ValueError as error:
        place = f"{file}:{number}" if number else str(file)
        raise InputError(f"{place}: {error}: need numbers, ? or NaN where there is none") from error
