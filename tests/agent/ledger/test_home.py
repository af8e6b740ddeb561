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


def test_a_removed_lock_lets_nobody_else_in(tmp_path: Path) -> None:
    """The folder is locked too, which stays the same."""
    with hold(tmp_path):
        (tmp_path / "lock").unlink()
        with pytest.raises(InputError, match="another agent lives here"), hold(tmp_path):
            pass
    with hold(tmp_path):
        pass


def test_a_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    """Examples and decisions of people lie in it; a home that is there keeps its rights."""
    umask = os.umask(0o022)
    try:
        with hold(tmp_path / "new"):
            assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        (tmp_path / "shared").mkdir(mode=0o755)
        with hold(tmp_path / "shared"):
            assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(umask)
