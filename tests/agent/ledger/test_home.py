"""A home has one holder, who is named to the next."""

import os
from pathlib import Path

import pytest

from agent.ledger.home import hold
from selfnas.errors import InputError


def test_the_second_holder_is_told_who_and_since_when(tmp_path: Path) -> None:
    """Process id and start of the first; once it let go, the home is free."""
    with (
        hold(tmp_path),
        pytest.raises(InputError, match=rf"process {os.getpid()}, since \d{{4}}-\d\d-\d\d"),
        hold(tmp_path),
    ):
        pass
    with hold(tmp_path) as home:
        assert home.root == tmp_path
