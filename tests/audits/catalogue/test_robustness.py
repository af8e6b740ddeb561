"""Audits of robustness: what they say of networks that have it, lack it, or only seem to have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audits import AuditData, Finding, calibration_of, load_suite, run_suite, unproven_gates
from audits.calibrating.calibration import CALIBRATION_TASKS
from audits.calibrating.controls import make_specimen
from audits.calibrating.hardened import CONTROLS
from audits.calibrating.workbench import Specimen
from audits.verdicts.verdict import judge
from selfnas.errors import ShapeError
from selfnas.robust.corruptions import corrupted, corruptions_of

SUITE = load_suite("safety-critical")


@pytest.fixture(scope="module")
def specimens() -> dict[str, Specimen]:
    """One of each control, on digits."""
    spec = CALIBRATION_TASKS["digits"]
    return {name: make_specimen(control, spec, seed=0, base=Path()) for name, control in CONTROLS.items()}


def _findings(specimen: Specimen, data: AuditData | None = None) -> dict[str, Finding]:
    return {each.label: each for each in run_suite(specimen.network, data or specimen.data, SUITE, seed=0)}


def test_the_suite_tells_the_controls_apart(specimens: dict[str, Specimen]) -> None:
    """A hardened network is admitted; each of the others is kept out by the gate that is there for it."""
    found = {name: _findings(specimen) for name, specimen in specimens.items()}
    decisions = {name: judge(tuple(each.values()), SUITE).decision for name, each in found.items()}
    assert decisions == {"healthy": "admit", "fragile": "reject", "masking": "reject", "constant": "reject"}
    assert found["fragile"]["proof.certified"].decision == "fail"
    assert found["masking"]["assault.masked"].decision == "fail"
    assert found["masking"]["proof.certified"].decision == "void"
    assert "no interval rule for" in found["masking"]["proof.certified"].note
    assert found["constant"]["skill.above_chance"].decision == "fail"
    assert found["constant"]["proof.certified"].decision == "void"
    assert "one class to every input" in found["constant"]["proof.certified"].note


def test_inputs_scaled_otherwise_are_never_certified(specimens: dict[str, Specimen]) -> None:
    """The gates on robustness say why, and the network is not admitted."""
    data = replace(specimens["healthy"].data, x=specimens["healthy"].data.x * 40)
    found = _findings(specimens["healthy"], data)
    for label in ("proof.certified", "assault.accuracy"):
        assert found[label].decision == "void"
        assert "not scaled alike" in found[label].note
    assert judge(tuple(found.values()), SUITE).decision != "admit"


def test_every_gate_of_the_suite_is_proven() -> None:
    """The calibration beside it is of this very suite, and every gate caught something; no healthy network was."""
    assert unproven_gates(SUITE) == ()
    calibration = calibration_of(SUITE)
    assert calibration is not None
    assert calibration.matrix["gates keep out"]["healthy"].caught == 0
    for control in ("fragile", "masking", "constant"):
        cell = calibration.matrix["gates reject"][control]
        assert cell.caught == cell.n > 0


@pytest.mark.parametrize("size", [(60,), (16, 18)], ids=str)
def test_corruptions_change_inputs_more_at_more_strength(size: tuple[int, ...]) -> None:
    """Each of them, the same each time, and never the shape."""
    x = torch.randn(30, 2, *size, generator=torch.Generator().manual_seed(0))
    for axis in range(2, x.ndim):  # neighbours are alike, as in what sensors give
        x = x.cumsum(axis)
    assert len(corruptions_of(x)) == 4
    for name in corruptions_of(x):
        mild, same, strong = (
            corrupted(x, name, strength, spread=4.0, generator=torch.Generator().manual_seed(1))
            for strength in (1.0, 1.0, 3.0)
        )
        assert mild.shape == x.shape
        assert torch.equal(mild, same)
        assert 0 < float((mild - x).abs().mean()) < float((strong - x).abs().mean())


def test_tables_have_no_corruptions() -> None:
    """What a worse sensor does to a column, nobody says."""
    with pytest.raises(ShapeError, match="series and images"):
        corruptions_of(torch.zeros(3, 4))
