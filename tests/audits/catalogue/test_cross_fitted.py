"""On small audit splits answers of networks made alike add power, and hide no defect that one network has alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData, Finding, Suite, judge, run_suite
from audits.contract.data import CrossFitted
from audits.methods.skills import simple_outputs
from selfnas.errors import InputError, ShapeError

AUDIT, TRAIN = 8, 60


def few(data: AuditData) -> AuditData:
    """What is left of data when there are hardly any."""
    return replace(data, x=data.x[:AUDIT], y=data.y[:AUDIT], x_train=data.x_train[:TRAIN], y_train=data.y_train[:TRAIN])


def crossed(data: AuditData, workshop: SimpleNamespace, *, y: Tensor | None = None, folds: int = 4) -> AuditData:
    """The same, with answers by networks trained on the other folds."""
    wanted = data.y_train if y is None else y
    outputs, simple = torch.zeros(2, TRAIN, data.classes, dtype=torch.float64)
    for fold in range(folds):
        own = torch.arange(TRAIN) % folds == fold
        part = replace(data, x_train=data.x_train[~own], y_train=wanted[~own])
        network = workshop.train(workshop.network(data, seed=fold), part.x_train, part.y_train, epochs=40).eval()
        outputs[own] = network(data.x_train[own]).detach().double()
        simple[own] = simple_outputs(part, data.x_train[own])
    return replace(data, y_train=wanted, cross=CrossFitted(outputs=outputs, simple=simple, y=wanted, networks=folds))


def gates(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """Findings of the two audits that count answers."""
    return {f"{one.audit}.{one.statistic}": one for one in findings if one.audit in ("skill", "generalisation")}


@pytest.fixture(scope="module")
def small(data: AuditData, workshop: SimpleNamespace) -> AuditData:
    """Cross-fitted by networks that learned the task."""
    return crossed(few(data), workshop)


@pytest.fixture(scope="module")
def sound(small: AuditData, workshop: SimpleNamespace) -> nn.Module:
    """Trained on the whole training split."""
    found: nn.Module = workshop.train(workshop.network(small), small.x_train, small.y_train, epochs=40)
    return found


def test_a_sound_network_is_let_in_where_eight_examples_decide_nothing(
    small: AuditData, sound: nn.Module, suite: Suite
) -> None:
    """The note says where the numbers come from, and every finding counts all examples."""
    alone = run_suite(sound, replace(small, cross=None), suite, seed=0)
    assert {finding.n for finding in gates(alone).values()} == {AUDIT}
    assert "inconclusive" in {finding.decision for finding in gates(alone).values()}
    findings = gates(run_suite(sound, small, suite, seed=0))
    assert {finding.decision for finding in findings.values()} == {"pass"}
    assert {finding.n for finding in findings.values()} == {AUDIT + TRAIN}
    assert all("60 of them cross-fitted by 4 networks made alike" in finding.note for finding in findings.values())


def test_a_network_that_is_worse_than_those_made_alike_stands_alone(
    small: AuditData, suite: Suite, workshop: SimpleNamespace
) -> None:
    """What went wrong with it alone is not covered up by the others."""
    spoilt = workshop.network(small, seed=3)
    findings = gates(run_suite(spoilt, small, suite, seed=0))
    assert {finding.n for finding in findings.values()} == {AUDIT}
    assert all("cross-fitted answers left out" in finding.note for finding in findings.values())
    assert "pass" not in {findings[name].decision for name in ("skill.above_chance", "skill.against_centroid")}


def test_learning_by_heart_is_found_out(
    data: AuditData, sound: nn.Module, suite: Suite, workshop: SimpleNamespace
) -> None:
    """Networks made alike from labels that tell nothing answer at random."""
    draw = torch.Generator().manual_seed(5)
    small = few(data)
    wrong = crossed(small, workshop, y=small.y_train[torch.randperm(TRAIN, generator=draw)])
    network = workshop.train(workshop.network(wrong, width=256), wrong.x_train, wrong.y_train, epochs=80)
    verdict = judge(run_suite(network, wrong, suite, seed=0), suite)
    assert "generalisation" in verdict.failed


def test_attributions_are_tried_on_training_inputs_where_audit_inputs_are_few(
    small: AuditData, sound: nn.Module, suite: Suite
) -> None:
    """Six are the fewest that a median has an interval for."""
    tiny = replace(small, x=small.x[:4], y=small.y[:4])
    found = {one.audit: one for one in run_suite(sound, tiny, suite, seed=0) if one.role == "validity"}
    assert {found[name].n for name in ("completeness", "sensitivity", "randomisation")} == {16, 8, 20}
    assert "void" not in {one.decision for one in found.values()}


def test_cross_fitted_answers_must_fit_each_other() -> None:
    """In number and shape, and be finite."""
    outputs, y = torch.zeros(6, 4, dtype=torch.float64), torch.zeros(6, dtype=torch.int64)
    with pytest.raises(ShapeError, match="do not fit each other"):
        CrossFitted(outputs=outputs, simple=outputs[:5], y=y, networks=2)
    with pytest.raises(InputError, match="not finite"):
        CrossFitted(outputs=outputs / 0, simple=outputs, y=y, networks=2)
