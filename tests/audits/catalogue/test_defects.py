"""Each gate catches the defect it is there for, and together they admit a sound network."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from audits import AuditData, Finding, Suite, judge, run_suite


def by_label(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """Findings by their label."""
    return {finding.label: finding for finding in findings}


def test_sound_network_is_admitted(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """A network that learned the task and ignores the nuisance passes every gate with 160 audit inputs."""
    verdict = judge(run_suite(healthy, data, suite, seed=0), suite)
    assert (verdict.decision, verdict.reasons) == ("admit", ())


def test_untrained_network_fails_skill(data: AuditData, suite: Suite, workshop: SimpleNamespace) -> None:
    """Guessing is below the floor."""
    for seed in range(3):
        verdict = judge(run_suite(workshop.network(data, seed=seed), data, suite, seed=seed), suite)
        assert verdict.decision == "reject"
        assert "skill" in verdict.failed


def test_full_shortcut_fails_swap(case: object, suite: Suite, workshop: SimpleNamespace) -> None:
    """A network that reads the nuisance is rejected, although it is right on the audit split."""
    biased = workshop.data(case, nuisance_tells=1.0)
    network = workshop.train(workshop.network(biased), biased.x_train, biased.y_train)
    findings = run_suite(network, biased, suite, seed=0)
    verdict = judge(findings, suite)
    assert verdict.decision == "reject"
    assert {"swap", "relevance", "transplant"} <= set(verdict.failed)
    assert by_label(findings)["skill.above_chance"].decision == "pass"


def test_shortcut_shows_where_the_audit_split_is_unbiased(
    case: object, suite: Suite, workshop: SimpleNamespace
) -> None:
    """Donors come from training inputs, so the region still carries the class it was learned with."""
    biased, fair = workshop.data(case, nuisance_tells=1.0), workshop.data(case)
    mixed = AuditData(
        x_train=biased.x_train,
        y_train=biased.y_train,
        x=fair.x,
        y=fair.y,
        classes=fair.classes,
        nuisances=fair.nuisances,
    )
    network = workshop.train(workshop.network(biased), biased.x_train, biased.y_train)
    follow = by_label(run_suite(network, mixed, suite, seed=0))[f"swap[{fair.nuisances[0].name}].follow"]
    assert follow.decision == "fail"
    assert follow.estimate is not None
    assert follow.estimate > 0.5


def test_memorised_labels_fail_the_gap(case: object, suite: Suite, workshop: SimpleNamespace) -> None:
    """A network that fitted random labels knows its training inputs and nothing else."""

    def shuffled(y: Tensor) -> Tensor:
        return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(3))]

    noise = workshop.data(case, labels=shuffled)
    network = workshop.train(workshop.network(noise, width=256), noise.x_train, noise.y_train, epochs=40)
    verdict = judge(run_suite(network, noise, suite, seed=0), suite)
    assert verdict.decision == "reject"
    assert "generalisation" in verdict.failed


def test_absent_or_constant_nuisance(case: object, suite: Suite, workshop: SimpleNamespace) -> None:
    """No named region: nothing to test. A named region that is the same everywhere: tested by nothing, not admitted."""
    fair = workshop.data(case)
    network = workshop.train(workshop.network(fair), fair.x_train, fair.y_train)
    parts = {"x_train": fair.x_train, "y_train": fair.y_train, "x": fair.x, "y": fair.y, "classes": fair.classes}
    unnamed = run_suite(network, AuditData(**parts), suite, seed=0)
    assert judge(unnamed, suite).decision == "admit"
    untested = by_label(unnamed)["swap.untested"]
    assert (untested.n, untested.decision) == (0, "untested")
    assert judge(unnamed, suite).untested == ("swap", "trigger", "relevance", "fills")
    strict = replace(suite, untested="refused")
    assert judge(unnamed, strict).decision == "undecided"
    assert "not tested: swap, trigger, relevance, fills" in judge(unnamed, strict).reasons[0]

    where = (slice(None), slice(None), *(slice(*pair) for pair in fair.nuisances[0].region))
    for key in ("x_train", "x"):
        parts[key] = parts[key].clone()
        parts[key][where] = 0.0
    flat = run_suite(network, AuditData(**parts, nuisances=fair.nuisances), suite, seed=0)
    verdict = judge(flat, suite)
    assert (verdict.decision, verdict.inconclusive) == ("undecided", ("swap",))
    assert "the region was the same" in " ".join(finding.note for finding in flat)


def test_broken_network_is_undecided(data: AuditData, suite: Suite, healthy: nn.Module) -> None:
    """A sound network with one weight gone to NaN is not admitted and not accused."""
    import copy

    network = copy.deepcopy(healthy)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = math.nan
    verdict = judge(run_suite(network, data, suite, seed=0), suite)
    assert (verdict.decision, verdict.failed) == ("undecided", ())
    assert set(verdict.void) == set(suite.deciding)


def test_attributions_that_cannot_be_made_leave_it_undecided(data: AuditData, suite: Suite, healthy: nn.Module) -> None:
    """A sound network with an operation that gives no gradient is not admitted: its attributions were never tested."""

    class Opaque(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = healthy

        def forward(self, x: Tensor) -> Tensor:
            """The same logits, from NumPy."""
            return torch.from_numpy(self.inner(x).detach().numpy())

    verdict = judge(run_suite(Opaque(), data, suite, seed=0), suite)
    assert (verdict.decision, verdict.failed, verdict.void) == ("undecided", (), ("spread",))
    assert any("completeness.error is void: could not measure" in reason for reason in verdict.reasons)
