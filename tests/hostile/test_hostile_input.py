"""Hostile files of every format end in a value or in a deliberate error, never in another exception."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from selfnas.datasets import read_npz
from selfnas.errors import InputError
from tests.hostile.fuzzing import FORMATS, fuzz


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_read_or_refused(name: str, tmp_path: Path) -> None:
    """Sixty of each format; `python -m tests.hostile.fuzzing` runs more."""
    outcome = fuzz(name, 60, tmp_path, seed=1)
    assert outcome.tried == 60
    assert not outcome.escaped
    assert outcome.read < 60  # the mutants do harm


def test_a_member_without_its_ending_is_refused(tmp_path: Path) -> None:
    """`x` in place of `x.npy` is named, not looked up in vain."""
    np.savez(tmp_path / "good.npz", x=np.zeros((4, 6, 6)), y=np.arange(4))
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        bad.writestr("x", good.read("x.npy"))
        bad.writestr("y.npy", good.read("y.npy"))
    with pytest.raises(InputError, match="x"):
        read_npz(tmp_path / "bad.npz")
