"""Suites are files that people edit: every mistake is named with its place, and the digest follows the meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from audits import AUDITS, load_suite
from selfnas.errors import InputError

SHIPPED = Path(load_suite.__code__.co_filename).parent / "suites" / "baseline.yaml"

GOOD = """\
suite: mine
language: 1
audits:
  - audit: skill
    role: gate
    thresholds: {above_chance: 0.2, against_centroid: 0.8}
    settings: {samples: 200}
  - audit: completeness
    role: validity
    thresholds: {error: 0.05}
    settings: {samples: 20, steps: 32}
"""


def load(tmp_path: Path, text: str) -> object:
    """The suite that the text is."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_suite(path)


def test_shipped_suite_uses_every_audit() -> None:
    """By name and by path it is the same, and no audit of the registry is left out."""
    suite = load_suite("baseline")
    assert suite == load_suite(SHIPPED)
    assert {entry.audit for entry in suite.entries} == set(AUDITS)
    assert {"skill", "generalisation", "swap"} <= set(suite.gates)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("audit: skill", "audit: skil", r"mine\.yaml:4:5: unknown audit 'skil'; did you mean 'skill'\?"),
        ("role: gate", "role: gaet", r"mine\.yaml:5:5: role: .*'gate'"),
        ("above_chance: 0.2, ", "", r"mine\.yaml:6:5: missing threshold 'above_chance'"),
        ("above_chance: 0.2", "above_chanse: 0.2", r"mine\.yaml:6:18: unknown threshold 'above_chanse'; did you mean"),
        ("above_chance: 0.2", "above_chance: 2", r"mine\.yaml:6:18: above_chance: need a number in 0\.\.1, not 2"),
        ("above_chance: 0.2", "above_chance: .nan", r"mine\.yaml:6:18: above_chance: "),
        ("samples: 200", "samples: 3", r"mine\.yaml:7:16: samples: need a whole number in 20\.\.100000, not 3"),
        ("samples: 200", "samples: 200.5", r"mine\.yaml:7:16: samples: need a whole number"),
        ("samples: 200", "sampels: 200", r"mine\.yaml:7:16: unknown setting 'sampels'; did you mean 'samples'\?"),
        ("role: gate", "role: validity", r"mine\.yaml:5:5: audit 'skill' tests no attribution method"),
        ("role: gate", "role: advisory", r"mine\.yaml:3:1: no audit has the role gate"),
        ("audit: completeness", "audit: skill", r"mine\.yaml:8:5: audit 'skill' appears twice"),
        ("suite: mine", "suit: mine", r"mine\.yaml:1:1: unknown key 'suit'"),
        ("language: 1", "language: 2", r"mine\.yaml:2:1: language"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, line, column, what is wrong and what would be right."""
    assert GOOD.count(old) == 1
    with pytest.raises(InputError, match=message):
        load(tmp_path, GOOD.replace(old, new))


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Not only the first."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD.replace("above_chance: 0.2", "above_chance: 2").replace("steps: 32", "steps: 1"))
    assert len(caught.value.problems) == 2


def test_unknown_and_missing_suites(tmp_path: Path) -> None:
    """A name is looked up among those shipped; a file must exist."""
    with pytest.raises(InputError, match="unknown audit suite 'basline'; did you mean 'baseline'"):
        load_suite("basline")
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read: no such file"):
        load_suite(tmp_path / "nothing.yaml")


def test_digest_follows_the_meaning(tmp_path: Path) -> None:
    """Name, order and spelling do not change it; a threshold, a role or a sample count does."""
    head, first, second = GOOD.partition("  - audit: skill")[0], *_entries()
    digest = load(tmp_path, GOOD).digest  # type: ignore[attr-defined]
    same = (head + second + first).replace("mine", "other").replace("samples: 200", "samples: 200.0")
    assert load(tmp_path, same).digest == digest  # type: ignore[attr-defined]
    for old, new in (("0.05", "0.06"), ("steps: 32", "steps: 33"), ("role: validity", "role: advisory")):
        assert load(tmp_path, GOOD.replace(old, new)).digest != digest  # type: ignore[attr-defined]


def _entries() -> tuple[str, str]:
    start, middle = GOOD.index("  - audit: skill"), GOOD.index("  - audit: completeness")
    return GOOD[start:middle], GOOD[middle:]
