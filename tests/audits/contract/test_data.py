"""Audit data cannot exist in a form that an audit would have to guess about."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from audits import AuditData
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import InputError, ShapeError

PARTS = {
    "x_train": torch.zeros(6, 1, 8, 8),
    "y_train": torch.tensor([0, 1, 2, 0, 1, 2]),
    "x": torch.zeros(3, 1, 8, 8),
    "y": torch.tensor([0, 1, 2]),
    "classes": 3,
}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": torch.zeros(3, 8)}, ShapeError, "differ in shape"),
        ({"x": torch.zeros(3)}, ShapeError, "audit inputs must be float32"),
        ({"x": torch.zeros(3, 1, 8, 8, dtype=torch.float64)}, ShapeError, "float64"),
        ({"x": torch.zeros(3, 1, 9, 8)}, ShapeError, "differ in shape"),
        ({"y": torch.tensor([0, 1])}, ShapeError, r"audit labels must be int64 \(3,\)"),
        ({"y": torch.tensor([0, 1, 3])}, InputError, r"audit labels must lie in 0\.\.2, not 0\.\.3"),
        ({"x_train": torch.full((6, 1, 8, 8), torch.nan)}, InputError, "train inputs hold values that are not finite"),
        ({"classes": 1}, InputError, "at least 2 classes"),
        ({"x": torch.zeros(0, 1, 8, 8), "y": torch.zeros(0, dtype=torch.int64)}, ShapeError, "at least one"),
    ],
)
def test_refuses_bad_splits(changes: dict[str, object], error: type[Exception], message: str) -> None:
    """Which split, what is wrong, what would be right."""
    with pytest.raises(error, match=message):
        AuditData(**{**PARTS, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "region", [((0, 2),), ((0, 9), (0, 2)), ((-1, 2), (0, 2)), ((3, 3), (0, 2)), ((0, 8), (0, 8))], ids=str
)
def test_refuses_regions_outside_the_input(region: tuple[tuple[int, int], ...], workshop: SimpleNamespace) -> None:
    """A nuisance must lie inside the input and not be all of it."""
    with pytest.raises(InputError, match="nuisance 'mark': region"):
        AuditData(**PARTS, nuisances=(workshop.region("mark", region),))  # type: ignore[arg-type]


def test_refuses_nuisances_of_one_name(workshop: SimpleNamespace) -> None:
    """Findings are told apart by it."""
    twice = tuple(workshop.region("mark", ((start, start + 1), (0, 2))) for start in (0, 4))
    with pytest.raises(InputError, match="must be distinct"):
        AuditData(**PARTS, nuisances=twice)  # type: ignore[arg-type]


def test_takes_a_task() -> None:
    """The training and audit splits of a task, and no other."""
    task = load_task(TaskSpec(name="digits", source="digits", limit=200, transforms=[], nuisances=[]), base=Path())
    data = AuditData.of(task)
    assert torch.equal(data.x_train, torch.from_numpy(task.train.x))
    assert torch.equal(data.y, torch.from_numpy(task.audit.y))
    assert data.classes == 10
