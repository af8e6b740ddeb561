"""Forged copies of stored lives: each contradicts another record, and a sentence says which."""

from pathlib import Path

import pytest

from agent.ledger.home import Home
from selfnas.digests import canonical_json
from tests.agent.tabular_lives import ledger_of
from tests.golden.stored_home import rebuild
from tests.stress.forgeries import has_room, recorded_events, rewrite
from tests.stress.forgery_edits import Edit
from tests.stress.forgery_meaning import MEANINGS
from tests.stress.forgery_parts import with_plans

GOLDEN = Path(__file__).parents[1] / "golden"
LIVES = sorted({forgery.life for forgery in MEANINGS.values()})

# Settings that a life never came to use: stating them otherwise contradicts nothing. Where a task scores as many cells
# as the population holds, strategies propose alike. A life of tables trains nothing. Floors of steps outdo epochs.
OPENING = {
    "another strategy",
    "a strategy that fits a model",
    "a larger population",
    "nothing is to be recalled, and is",
}
UNUSED = {
    "trained": set[str](),
    "tuned": {"fifty epochs where curves have one point", "one epoch where curves have more points"},
    "rivalled": OPENING | {"one epoch where curves have more points"},
    "watched": OPENING,
}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The stored lives, made again."""
    place = tmp_path_factory.mktemp("stored")
    for life in LIVES:
        rebuild(GOLDEN / life, place / life)
    return {life: place / life for life in LIVES}


def problems_of(home: Path, place: Path, edit: Edit, files: dict[str, bytes] | None = None) -> list[str]:
    """What verification says of a copy with its events edited and the chain made again."""
    from agent.verify.verification import verify

    forged = rewrite(home, place, edit)
    for name, content in (files or {}).items():
        forged.weights_file(name).write_bytes(content)
    if (home / "watch").is_dir():
        (place / "watch").symlink_to(home / "watch")
    with ledger_of(forged.root) as ledger:
        return verify(ledger, forged).problems


@pytest.mark.parametrize("name", MEANINGS)
def test_a_forged_record_is_named(name: str, homes: dict[str, Path], tmp_path: Path) -> None:
    """By the sentence that says what it contradicts."""
    forgery = MEANINGS[name]
    problems = problems_of(homes[forgery.life], tmp_path / "forged", forgery.edit, dict(forgery.files or {}))
    assert any(forgery.found in problem for problem in problems), problems[:5]


@pytest.mark.parametrize("life", LIVES)
def test_a_copy_that_nobody_edited_is_not_accused(life: str, homes: dict[str, Path], tmp_path: Path) -> None:
    """Written again as it is, and with what the present release records beside."""
    assert problems_of(homes[life], tmp_path / "same", lambda events: None) == []
    if life in ("watched", "rivalled"):
        assert problems_of(homes[life], tmp_path / "planned", with_plans) == []


@pytest.mark.slow
@pytest.mark.parametrize("life", UNUSED)
def test_an_edit_written_for_another_life_is_found_wherever_it_has_effect(
    life: str, homes: dict[str, Path], tmp_path: Path
) -> None:
    """Every life has room for most of them."""
    tried, missed = 0, set[str]()
    for name, forgery in MEANINGS.items():
        events, _ = recorded_events(Home(homes[life]))
        true = canonical_json(events)
        if forgery.life == life or not has_room(forgery.edit, events) or canonical_json(events) == true:
            continue
        tried += 1
        if not problems_of(homes[life], tmp_path / str(tried), forgery.edit, dict(forgery.files or {})):
            missed.add(name)
    assert tried >= 30
    assert missed == UNUSED[life]
