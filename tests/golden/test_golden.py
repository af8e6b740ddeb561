"""Lives that an earlier release lived: their bytes stay what they are, and mean what they meant.

`make.py` says how they were made. An expectation here is never made again to fit a change of the package: a ledger that
people keep would not fit it either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.golden.lives import (
    GENESIS,
    KINDS,
    canonical_json,
    event_hash,
    events_of,
    live_tabular,
    summary_as_opened,
    summary_of,
    verified,
    written_again,
)
from tests.golden.stored_home import Row, read_rows, rebuild, rows_of

HERE = Path(__file__).resolve().parent
LIVES = sorted(path.parent.name for path in HERE.glob("*/expected.json"))


@pytest.fixture(scope="module", params=LIVES)
def life(request: pytest.FixtureRequest) -> str:
    """The name of a stored life."""
    return str(request.param)


@pytest.fixture(scope="module")
def home(life: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its home, made again."""
    home = tmp_path_factory.mktemp(life) / "home"
    rebuild(HERE / life, home)
    return home


@pytest.fixture
def expected(life: str) -> dict[str, Any]:
    """What was recorded of it."""
    found: dict[str, Any] = json.loads((HERE / life / "expected.json").read_text())
    return found


def test_the_ledger_is_read_as_it_was_written(life: str, home: Path, expected: dict[str, Any]) -> None:
    """Every event has the kind, payload and hashes of its stored row, and the last one the recorded head."""
    rows = read_rows(HERE / life)
    assert [
        (event.seq, event.kind, event.facts.to_json(), event.previous, event.hash) for event in events_of(home)
    ] == [row.hashed for row in rows]
    assert (len(rows), rows[-1].hash) == (expected["events"], expected["head"])


def test_the_chain_is_the_same_when_it_is_computed_again(life: str) -> None:
    """From canonical JSON of each payload, whose bytes are those stored."""
    previous = GENESIS
    for row in read_rows(HERE / life):
        text = canonical_json(json.loads(row.payload))
        assert (text, row.previous) == (row.payload, previous)
        previous = event_hash(row.seq, row.kind, text, previous)
        assert previous == row.hash


def test_the_same_events_appended_again_are_the_same_rows(life: str, home: Path, tmp_path: Path) -> None:
    """A new ledger to which each event is appended as it was read has every byte of the old one."""
    assert hashed(rows_of(written_again(home, tmp_path / "again"))) == hashed(read_rows(HERE / life))


def test_the_state_is_what_it_was(home: Path, expected: dict[str, Any]) -> None:
    """By a fold of all events, by making a snapshot, and from that snapshot."""
    assert as_json(summary_of(home)) == expected["state"]
    assert as_json(summary_as_opened(home)) == expected["state"]
    assert as_json(summary_as_opened(home)) == expected["state"]


def test_the_life_verifies_as_it_did(home: Path, expected: dict[str, Any]) -> None:
    """No problem, the same notes, and as many of each kind of thing looked at."""
    found = verified(home)
    assert found.problems == []
    assert {"checked": dict(found.checked), "notes": found.notes} == expected["verified"]


def test_every_kind_of_event_is_in_some_life() -> None:
    """Those that the package knows, and no other; for a new kind `make.py` makes one more life that holds it."""
    assert {row.kind for life in LIVES for row in read_rows(HERE / life)} == KINDS


def test_the_same_life_lived_again_is_the_same(tmp_path: Path) -> None:
    """Same seed, same events, byte for byte, where the release of Z3 and the shipped suite are those of the record."""
    live_tabular(tmp_path / "home")
    lived, stored = rows_of(tmp_path / "home" / "ledger.db"), read_rows(HERE / "tabular")
    for part in (engines, suite):
        if part(lived) != part(stored):
            pytest.skip(f"this life was recorded with another {part.__name__}: {part(stored)}")
    assert hashed(lived) == hashed(stored)


def engines(rows: list[Row]) -> Any:
    """What judged the first certified cell."""
    certified = next(json.loads(row.payload) for row in rows if row.kind == "certified")
    return json.loads(certified["certificate"])["engines"]


def suite(rows: list[Row]) -> Any:
    """The digest of the first run's audit suite."""
    return json.loads(rows[0].payload)["audit_suite_digest"]


def hashed(rows: list[Row]) -> list[tuple[int, str, str, str, str]]:
    """Rows without the times at which they were written."""
    return [row.hashed for row in rows]


def as_json(value: object) -> Any:
    """What is left of a value in a file."""
    return json.loads(json.dumps(value))
