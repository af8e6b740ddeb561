"""A life that admits nothing, and so is short, for networks to be written of."""

from pathlib import Path

import pytest

from agent.api.life import open_life
from tests.agent.conftest import refused_life


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `few.yaml` and a life on it in `home`."""
    place = tmp_path_factory.mktemp("deployed")
    refused_life(place, epochs=4, examples=100)
    return place


@pytest.fixture(scope="session")
def digest(place: Path) -> str:
    """Of its refused finalist."""
    found = open_life(place / "home").shortfall("few")
    assert found is not None
    assert found.best is not None
    return found.best.digest
