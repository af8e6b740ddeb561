"""The script of the guide on exporting, run where none of this project can be imported."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selfnas.data.preparation import Column, ColumnStep, FillStep, LayoutStep, PadStep, Preparation, ScaleStep, Step
from selfnas.data.targets import InputKind, Target
from selfnas.training.exported import whole_program
from selfnas.training.whole import WholeNetwork

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"
_BLOCKED = """\
import runpy, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("selfnas", "agent", "audits", "constraints"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Blocked())
try:
    import selfnas
except ImportError:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
RNG = np.random.default_rng(0)
PRICE = Target(kind="regression", names=("price",), center=(300.0,), scale=(40.0,))
SHAPES = Target(kind="classification", names=("sine", "square", "none"))
COLUMNS = (
    Column(name="area", center=90.0, factor=0.02, missing=True),
    Column(name="city", categories=("Bern", "Oslo", "Rome"), kept=(0, 2)),
)
_STEPS: dict[InputKind, tuple[Step, ...]] = {
    "series": (LayoutStep(axes="l"), PadStep(length=9), ScaleStep(center=(0.5,), scale=(0.3,)), FillStep()),
    "table": (ColumnStep(columns=COLUMNS),),
}


def written(place: Path, kind: InputKind, target: Target, raw: tuple[int, ...]) -> WholeNetwork:
    """`model.pt2` of a small network with a preparation of that kind."""
    prepared = Preparation(
        inputs=kind, raw=raw, dtype="float64", steps=_STEPS[kind], target=target, units=("kEUR",) * (target is PRICE)
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(prepared.apply(np.zeros((1, *(raw if raw != (0,) else (7,))))).size,
                                                    target.outputs))  # fmt: skip
    whole = WholeNetwork(network, prepared).eval()
    held = {"kind": target.kind, "names": target.names, "units": prepared.units}
    facts = {"task": "own", "verdict": "admitted", "target": held, "input": {"shape": ["b", *raw]}}
    (place / "model.pt2").write_bytes(whole_program(whole, prepared, facts))
    return whole


def used(place: Path, data: str) -> list[str]:
    """What the guide's script prints, without any package of this project."""
    (block,) = re.findall(r'```python\n("""python use.py .*?)```', _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (place / "use.py").write_text(block)
    (place / "blocked.py").write_text(_BLOCKED)
    words = [sys.executable, "blocked.py", "use.py", "model.pt2", data]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_series_model_runs_on_raw_series(tmp_path: Path) -> None:
    """Of another length than most, with a gap; classes come by name."""
    torch.manual_seed(1)
    whole, raw = written(tmp_path, "series", SHAPES, (0,)), RNG.random((8, 12))
    raw[2, 3] = np.nan
    np.save(tmp_path / "waves.npy", raw)
    title, *names = used(tmp_path, "waves.npy")
    assert title == "own: classification, takes ['b', 0], was admitted"
    assert names == [SHAPES.names[answer] for answer in whole(torch.from_numpy(raw))["predicted"].tolist()]


def test_a_regression_runs_on_rows_of_a_file(tmp_path: Path) -> None:
    """Categories as codes, a missing number as nan; answers come in the units of the data."""
    torch.manual_seed(1)
    whole, rows = written(tmp_path, "table", PRICE, (2,)), np.array([[80.0, 2], [np.nan, 1], [130.0, 0]])
    np.savetxt(tmp_path / "houses.csv", rows, delimiter=",")
    title, *prices = used(tmp_path, "houses.csv")
    assert title.startswith("own: regression")
    wanted = whole(torch.from_numpy(rows))["predicted"][:, 0].tolist()
    assert [float(re.fullmatch(r"price (\S+) kEUR", line)[1]) for line in prices] == pytest.approx(wanted, rel=1e-3)  # type: ignore[index]
    assert all(150 < price < 450 for price in wanted)
