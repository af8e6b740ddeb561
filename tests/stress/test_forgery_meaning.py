"""Forged copies of stored lives: each contradicts another record, and a sentence says which."""

from pathlib import Path

import pytest

from tests.agent.tabular_lives import ledger_of
from tests.golden.stored_home import rebuild
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit
from tests.stress.forgery_meaning import MEANINGS
from tests.stress.forgery_parts import with_plans

GOLDEN = Path(__file__).parents[1] / "golden"
LIVES = sorted({forgery.life for forgery in MEANINGS.values()})


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
