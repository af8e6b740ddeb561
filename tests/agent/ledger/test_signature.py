"""Signed heads: a rewritten history is detected, a grown one is not mistaken for it."""

import json
import sqlite3
from pathlib import Path

import pytest

from agent.ledger.events import Facts, RunFinished
from agent.ledger.home import Home
from agent.ledger.signature import check_signature, new_key, sign_head
from agent.ledger.store import GENESIS, Ledger, event_hash
from selfnas.errors import InputError


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Home, Path]:
    """A home with three signed events, and the public key."""
    home, private = Home(tmp_path), tmp_path / "key"
    public = new_key(private)
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger:
        ledger.append([RunFinished(tasks=count) for count in range(3)])
        assert sign_head(ledger, home, private) == 3
    return home, public


def check(home: Home, public: Path) -> tuple[int, list[str]]:
    """What the reviewer is told."""
    with Ledger(home.ledger, clock=lambda: 1.0, read_only=True) as ledger:
        return check_signature(ledger, home, public)


def rewrite(home: Home, events: list[Facts]) -> None:
    """Replace the whole history by another with a chain that holds."""
    home.ledger.unlink()
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger:
        ledger.append(events)
        assert not list(ledger.broken_links())


def test_what_was_signed_holds_also_after_the_life_went_on(signed: tuple[Home, Path]) -> None:
    """Later events are outside the signature and do not break it."""
    home, public = signed
    assert check(home, public) == (3, [])
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger:
        ledger.append([RunFinished(tasks=3)])
    assert check(home, public) == (3, [])


@pytest.mark.parametrize("counts", [(9, 1, 2), (0, 1)])
def test_a_chain_made_again_is_detected(signed: tuple[Home, Path], counts: tuple[int, ...]) -> None:
    """An edit or a cut with all hashes made again passes the chain, not the signature."""
    home, public = signed
    rewrite(home, [RunFinished(tasks=count) for count in counts])
    covered, problems = check(home, public)
    assert covered == 0
    assert "not those that were signed" in problems[0]


def test_another_key_does_not_stand_in(signed: tuple[Home, Path], tmp_path: Path) -> None:
    """A forger who signs with a key of their own is found by whoever has the real public key."""
    home, public = signed
    rewrite(home, [RunFinished(tasks=9)])
    new_key(tmp_path / "forger")
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger:
        sign_head(ledger, home, tmp_path / "forger")
    assert check(home, public) == (0, ["the signature of the head was not made with this key"])


@pytest.mark.parametrize("change", [{"events": 2}, {"head": GENESIS}, {"signature": "00" * 64}])
def test_an_edited_signature_does_not_hold(signed: tuple[Home, Path], change: dict[str, object]) -> None:
    """Count, head and signature belong together."""
    home, public = signed
    home.signature.write_text(json.dumps(json.loads(home.signature.read_text()) | change))
    assert check(home, public)[1] == ["the signature of the head was not made with this key"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"events":"x"}', "[" * 9000, "x" * 20_000])
def test_a_damaged_signature_is_a_problem_not_a_crash(signed: tuple[Home, Path], text: str) -> None:
    """Whatever the file holds."""
    home, public = signed
    home.signature.write_text(text)
    assert check(home, public) == (0, ["head.signature.json is damaged"])
    home.signature.unlink()
    assert "is not signed" in check(home, public)[1][0]


def test_keys_are_not_overwritten_and_not_open_to_others(signed: tuple[Home, Path], tmp_path: Path) -> None:
    """The private key is its owner's alone; a second `new` on it is refused; a public key does not sign."""
    home, public = signed
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="exists"):
        new_key(tmp_path / "key")
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger, pytest.raises(InputError, match="not a private key"):
        sign_head(ledger, home, public)


def test_a_broken_chain_is_not_signed(signed: tuple[Home, Path], tmp_path: Path) -> None:
    """A signature vouches for a chain that holds."""
    home, _ = signed
    with sqlite3.connect(home.ledger) as db:
        db.execute("DROP TRIGGER events_are_final")
        db.execute("UPDATE events SET hash = ? WHERE seq = 1", (event_hash(1, "run.finished", "{}", GENESIS),))
    db.close()
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger, pytest.raises(InputError, match="not signed"):
        sign_head(ledger, home, tmp_path / "key")


def test_an_empty_history_is_not_signed(tmp_path: Path) -> None:
    """A signature that covers no event would fit any history."""
    home, private = Home(tmp_path), tmp_path / "key"
    new_key(private)
    with Ledger(home.ledger, clock=lambda: 1.0) as ledger, pytest.raises(InputError, match="would fit any history"):
        sign_head(ledger, home, private)
