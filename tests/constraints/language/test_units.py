"""Units of limits: how many of the base unit each is worth, and that no other fits."""

from __future__ import annotations

import pytest

from constraints.language.lexicon import Table, Vocabulary
from constraints.language.resolve import read_condition
from constraints.language.syntax import Linear


def limit(text: str, *, unit: str) -> int:
    """Of `total(t) <= text`, whose table has that unit."""
    words = Vocabulary(operations=frozenset({"skip"}), opsets={}, tables={"t": Table(entries={"skip": 1}, unit=unit)})
    condition, faults = read_condition(f"total(t) <= {text}", "cell", words)
    assert not faults
    assert isinstance(condition, Linear)
    return condition.limit


@pytest.mark.parametrize(
    ("text", "unit", "base"),
    [
        ("3 @byte", "byte", 3),
        ("3 @KiB", "byte", 3 * 2**10),
        ("3 @MiB", "byte", 3 * 2**20),
        ("1.5 @MiB", "byte", 3 * 2**19),
        ("7 @param", "param", 7),
        ("7 @kparam", "param", 7_000),
        ("7 @Mparam", "param", 7_000_000),
        ("2 @mac", "mac", 2),
        ("2 @kmac", "mac", 2_000),
        ("2 @Mmac", "mac", 2_000_000),
        ("2 @Gmac", "mac", 2_000_000_000),
        ("5 @px", "px", 5),
    ],
)
def test_each_unit_is_worth_what_its_name_says(text: str, unit: str, base: int) -> None:
    """Binary prefixes are powers of 1,024, decimal ones of 1,000."""
    assert limit(text, unit=unit) == base
