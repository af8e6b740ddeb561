"""Columns of a table: what their values mean, before and after preparation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "ColumnType"]

ColumnType = Literal["numeric", "categorical", "ignore"]

_CLIP = 3.0  # beyond it a scaled number counts less and less


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table, raw and prepared.

    Attributes:
        name: as the source calls it.
        categories: of a categorical column, what its codes 0, 1, … stand for; empty for numbers.
        kept: of a categorical column, the codes that have a feature of their own, ascending.
        center: of a column of numbers, taken off.
        factor: of a column of numbers, what is then multiplied by; 0 where training showed one value.
        missing: whether a last feature says that the value is missing.
    """

    name: str
    categories: tuple[str, ...] = ()
    kept: tuple[int, ...] = ()
    center: float = 0.0
    factor: float = 1.0
    missing: bool = False

    @property
    def categorical(self) -> bool:
        """Whether its values are codes of categories."""
        return bool(self.categories)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what it becomes."""
        kept = tuple(f"{self.name}={self.categories[code]}" for code in self.kept)
        values = (*kept, f"{self.name}=other") if self.categorical else (self.name,)
        return (*values, f"{self.name} missing") if self.missing else values

    def apply(self, value: NDArray[Any]) -> NDArray[np.float32]:
        """`(b,)` raw values to `(b, features)`."""
        missing = np.isnan(value)
        if self.categorical:
            own = value[:, None] == np.asarray(self.kept, dtype=value.dtype)
            other = ~own.any(axis=1, keepdims=True) & ~(missing[:, None] & self.missing)
            found = np.concatenate([own, other], axis=1).astype(np.float32)
        else:
            scaled = (value - self.center) * self.factor
            found = np.where(missing, 0, scaled / np.sqrt(1 + (scaled / _CLIP) ** 2))[:, None].astype(np.float32)
        return np.concatenate([found, missing[:, None]], axis=1, dtype=np.float32) if self.missing else found
