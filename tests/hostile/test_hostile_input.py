"""Hostile files of every format end in a value or in a deliberate error, never in another exception."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import audits.external.exported
from agent.mirror.finalist_notes import plain
from audits.external.exported import load_exported
from selfnas.data.datasets import read_npz
from selfnas.errors import InputError
from selfnas.tables.tabular import _read_hardware
from tests.hostile.fuzzing import FORMATS, fuzz


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_read_or_refused(name: str, tmp_path: Path) -> None:
    """Sixty of each format; `python -m tests.hostile.fuzzing` runs more."""
    outcome = fuzz(name, 60, tmp_path, seed=1)
    assert outcome.tried == 60
    assert not outcome.escaped
    assert not outcome.hangs
    assert outcome.read < 60  # the mutants do harm


def test_a_member_without_its_ending_is_refused(tmp_path: Path) -> None:
    """`x` in place of `x.npy` is named, not looked up in vain."""
    np.savez(tmp_path / "good.npz", x=np.zeros((4, 6, 6)), y=np.arange(4))
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        bad.writestr("x", good.read("x.npy"))
        bad.writestr("y.npy", good.read("y.npy"))
    with pytest.raises(InputError, match="x"):
        read_npz(tmp_path / "bad.npz")


def test_a_hardware_file_beside_a_table_is_judged_before_it_is_read(tmp_path: Path) -> None:
    """Too few numbers, text for numbers, a damaged archive and a header that promises terabytes are named."""
    table, file = pd.DataFrame({"idx": np.arange(5)}), tmp_path / "nb201_hardware.npz"
    for arrays, words in (
        ({"idx": np.arange(5), "a_lat_ms": np.arange(4.0)}, "need 5 numbers"),
        ({"idx": np.arange(5), "a_lat_ms": np.array(list("abcde"))}, "need 5 numbers"),
        ({"idx": np.arange(1, 6), "a_lat_ms": np.arange(5.0)}, "its idx is not that"),
    ):
        np.savez(file, **arrays)
        with pytest.raises(InputError, match=words):
            _read_hardware(file, table, tmp_path / "table.csv")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged"):
        _read_hardware(file, table, tmp_path / "table.csv")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("idx.npy", header.getvalue() + bytes(40))
    with pytest.raises(InputError, match="declares shape"):
        _read_hardware(file, table, tmp_path / "table.csv")


def test_bombs_among_exported_networks_are_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive that unpacks to more than is allowed, of weights or of graph description, stays packed."""
    assert audits.external.exported._MAX_BYTES <= 2**28
    monkeypatch.setattr(audits.external.exported, "_MAX_BYTES", 2**24)
    monkeypatch.setattr(audits.external.exported, "_MAX_JSON", 2**20)
    for name, size, words in (
        ("m/data/weights/weight_0", 2**24 + 1, "larger than 16,777,216 bytes"),
        ("m/models/model.json", 2**20 + 1, "graph descriptions are larger"),
    ):
        with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(size))
        assert (tmp_path / "bomb.pt2").stat().st_size < 2**19
        with pytest.raises(InputError, match=words):
            load_exported(tmp_path / "bomb.pt2")


def test_what_a_person_typed_is_no_markup_in_a_note() -> None:
    """HTML, links and images in a reason or a name are shown as they were typed."""
    assert plain("<script>x</script>") == "&lt;script&gt;x&lt;/script&gt;"
    assert "](" not in plain("![a](http://b)").replace("\\](", "")
