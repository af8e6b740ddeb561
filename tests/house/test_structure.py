"""The packages keep their shape: rooms of a size that a reader can take in, no circle, events by their models."""

from pathlib import Path

import pytest

from experiments.house.structure import PACKAGES, House

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house() -> House:
    """Of this checkout."""
    return House(ROOT)


def test_no_folder_holds_more_than_twenty_modules(house: House) -> None:
    """Whatever a package grows by gets a room of its own in time."""
    assert max(house.folders.values()) <= 20


def test_no_modules_import_each_other(house: House) -> None:
    """Neither when they run nor for their types."""
    assert house.circles == []


def test_no_room_has_more_than_five_levels(house: House) -> None:
    """A reader reaches the ground of a room in five steps."""
    assert {room: levels for room, levels in house.levels.items() if levels > 5} == {}


def test_events_are_known_by_their_models(house: House) -> None:
    """No text of a kind is compared, matched or looked up outside the models; no payload is cast."""
    assert len(house.kinds) >= 35
    assert list(house.kind_literals()) == []
    assert list(house.casts()) == []


def test_a_bad_house_is_seen(tmp_path: Path) -> None:
    """A circle of types, a chain of six, a compared kind and a cast are found where they are planted."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    room, ledger = tmp_path / "agent" / "room", tmp_path / "agent" / "ledger"
    room.mkdir()
    ledger.mkdir()
    (ledger / "events.py").write_text('class A:\n    kind: str = "run.started"\nclass B:\n    kind: str = "trained"\n')
    for level in range(6):
        below = f"from agent.room.level{level - 1} import x\n" if level else ""
        (room / f"level{level}.py").write_text(f"{below}x = {level}\n")
    (room / "one.py").write_text("if TYPE_CHECKING:\n    from agent.room import two\n")
    (room / "two.py").write_text(
        'def f(e):\n    from agent.room.one import x\n    return e.kind == "trained" and number(e)\n'
    )
    bad = House(tmp_path)
    assert bad.circles == [["agent.room.one", "agent.room.two"]]
    assert list(bad.kind_literals()) == ["agent.room.two:3"]
    assert list(bad.casts()) == ["agent.room.two:3"]
    (room / "one.py").unlink()
    assert House(tmp_path).levels["agent.room"] == 6
