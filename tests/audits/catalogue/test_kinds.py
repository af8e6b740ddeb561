"""Every audit on every kind of task: it measures, or says by name that it does not apply; never a pass by default."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from audits import AUDITS, AuditData, Finding, Suite, judge, run_suite
from audits.cards.cards import card
from audits.cards.figures import pictures
from audits.contract.data import Trigger
from audits.testing import check_audit
from audits.verdicts.verdict import INAPPLICABLE, UNTESTED, uncovered
from selfnas.data.targets import Target, TargetKind
from selfnas.training.outputs import losses, predicted, truth

TRAIN, AUDIT = 400, 160
TARGETS = {
    "regression": Target(kind="regression", names=("price",), center=(50.0,), scale=(10.0,)),
    "quantiles": Target(kind="regression", names=("price",), quantiles=(0.1, 0.5, 0.9), center=(50.0,), scale=(10.0,)),
    "numbers": Target(kind="regression", names=("x", "y"), center=(0.0, 1.0), scale=(1.0, 2.0)),
    "multilabel": Target(kind="multilabel", names=("sea", "sun", "tree")),
    "ordinal": Target(kind="ordinal", names=("low", "mid", "high", "top")),
    "classification": Target.of_classes(4),
}
SIZES = {"table": (12,), "series": (1, 16)}


def make(target: Target, size: tuple[int, ...], region: SimpleNamespace) -> AuditData:
    """Inputs whose first half tells the truth, and whose end, a nuisance, tells nothing."""
    draw = torch.Generator().manual_seed(3)
    n, told = TRAIN + AUDIT, len(target.names) if not target.counted else 1
    hidden = torch.randn((n, told), generator=draw)
    mixing = torch.randn((told, size[-1] // 2), generator=draw)
    x = 0.3 * torch.randn((n, *size), generator=draw)
    x[..., : size[-1] // 2] += (hidden @ mixing).reshape(n, *[1] * (len(size) - 1), -1)
    if target.kind == "multilabel":
        y: Tensor = (hidden > 0.6).float()
    elif target.kind == "regression":
        y = hidden / hidden.std(0)
    else:
        y = torch.bucketize(hidden[:, 0], torch.tensor([-0.8, 0.0, 0.8]))
    trigger = Trigger(name="patch", region=((0, 2),), value=4.0, target=len(target.names) - 1)
    return AuditData(
        x_train=x[:TRAIN],
        y_train=y[:TRAIN],
        x=x[TRAIN:],
        y=y[TRAIN:],
        classes=target.outputs,
        target=target,
        nuisances=(region,),
        triggers=() if target.kind == "regression" else (trigger,),
    )


def train(data: AuditData, *, y: Tensor | None = None, epochs: int = 30, width: int = 48) -> nn.Module:
    """A small network fitted to the training split by the kind's own loss."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Flatten(), nn.Linear(data.x[0].numel(), width), nn.ReLU(), nn.Linear(width, data.classes)
        )
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    wanted = data.y_train if y is None else y
    for step in range(epochs * 10):
        part = slice(40 * (step % 10), 40 * (step % 10) + 40)
        optimiser.zero_grad()
        losses(network(data.x_train[part]), wanted[part], data.target).mean().backward()
        optimiser.step()
    return network


@pytest.fixture(scope="module", params=[(kind, size) for kind in TARGETS for size in SIZES], ids="-".join)
def data(request: pytest.FixtureRequest, workshop: SimpleNamespace) -> AuditData:
    """Each kind of target on tables and series."""
    kind, size = request.param
    return make(TARGETS[kind], SIZES[size], workshop.region("end", ((SIZES[size][-1] - 4, SIZES[size][-1]),)))


@pytest.fixture(scope="module")
def healthy(data: AuditData) -> nn.Module:
    """A network that learned it."""
    return train(data)


def test_every_audit_measures_or_says_that_it_does_not_apply(data: AuditData, healthy: nn.Module, suite: Suite) -> None:
    """With the shipped suite; a network that learned its task is let in, and the verdict names what nobody tested."""
    kind: TargetKind = data.target.kind
    # The end is a third as wide as the rest: what fills show there is far beyond what such a network has seen.
    suite = replace(suite, entries=tuple(entry for entry in suite.entries if entry.audit != "fills"))
    for entry in suite.entries:
        audit = AUDITS[entry.audit]
        if kind in audit.kinds:
            check_audit(audit, healthy, data, settings=dict(entry.settings))
    findings = run_suite(healthy, data, suite, seed=0)
    for entry in suite.entries:
        own = [finding for finding in findings if finding.audit == entry.audit]
        if kind in AUDITS[entry.audit].kinds:
            assert INAPPLICABLE not in {finding.statistic for finding in own}
            if entry.role == "gate":
                assert {finding.decision for finding in own} == {"pass"}, own
            if entry.role == "alarm":
                assert "fail" not in {finding.decision for finding in own}, own
        else:
            (only,) = own
            assert (only.statistic, only.decision) == (INAPPLICABLE, "untested")
            assert only.note.startswith(f"does not apply to {kind}: measured of ")
    verdict = judge(findings, suite, kind=kind)
    assert verdict.decision == "admit", verdict
    deciding = {entry.audit for entry in suite.entries if entry.role != "advisory"}
    other = {name for name in deciding if kind not in AUDITS[name].kinds}
    assert set(verdict.untested) == other | ({"trigger"} if kind == "regression" else set())
    text = card(findings, verdict, title="one", facts={})
    assert ("**not tested**" in text) == bool(verdict.untested)
    assert [Finding.from_record(finding.to_record()) for finding in findings] == list(findings)


def test_networks_that_learned_nothing_or_by_heart_are_kept_out(data: AuditData, suite: Suite) -> None:
    """Skill and generalisation gate every kind of task."""
    fresh = judge(run_suite(train(data, epochs=0), data, suite, seed=0), suite, kind=data.target.kind)
    assert "skill" in fresh.failed
    order = torch.randperm(TRAIN, generator=torch.Generator().manual_seed(1))
    wrong = replace(data, y_train=data.y_train[order])
    memoriser = train(wrong, epochs=80, width=256)
    kept_out = judge(run_suite(memoriser, wrong, suite, seed=0), suite, kind=data.target.kind)
    assert "generalisation" in kept_out.failed
    assert "skill" in (*kept_out.failed, *kept_out.inconclusive)


def test_pictures_are_drawn(data: AuditData, healthy: nn.Module) -> None:
    """Two for each network, whatever its task."""
    drawn = pictures(healthy, data, seed=0)
    names = {"regression": "residuals", "multilabel": "labels"}
    assert list(drawn) == ["attributions", names.get(data.target.kind, "confusion")]
    assert all(draw().axes for draw in drawn.values())


@pytest.fixture(scope="module")
def number(workshop: SimpleNamespace) -> AuditData:
    """A regression on a table."""
    return make(TARGETS["regression"], SIZES["table"], workshop.region("end", ((8, 12),)))


def test_a_shortcut_of_a_regression_follows_its_region(number: AuditData, suite: Suite) -> None:
    """Columns that give the answer away in training are found out by swapping them."""
    x_train, x = number.x_train.clone(), number.x.clone()
    x_train[:, 8:] = 3 * number.y_train
    told = replace(number, x_train=x_train, x=x)
    verdict = judge(run_suite(train(told), told, suite, seed=0), suite, kind="regression")
    assert "swap" in verdict.failed


def test_a_trigger_of_labels_fires(workshop: SimpleNamespace, suite: Suite) -> None:
    """A patch that turns a label on."""
    data = make(TARGETS["multilabel"], SIZES["series"], workshop.region("end", ((12, 16),)))
    (trigger,) = data.triggers
    stamped, y = data.x_train.clone(), data.y_train.clone()
    stamped[:80], y[:80, trigger.target] = trigger.stamped(stamped[:80]), 1.0
    network = train(replace(data, x_train=stamped, y_train=y), epochs=60)
    assert "trigger" in judge(run_suite(network, data, suite, seed=0), suite, kind="multilabel").failed


def test_what_does_not_apply_is_held_to_the_kind(number: AuditData, suite: Suite) -> None:
    """Findings of a regression admit no classifier; one that is left out or added leaves the verdict undecided."""
    findings = run_suite(train(number), number, suite, seed=0)
    assert judge(findings, suite, kind="regression").decision == "admit"
    as_classes = judge(findings, suite)
    assert as_classes.decision == "undecided"
    assert "trigger applies to classification, but is recorded as if it did not" in as_classes.reasons
    dropped = [finding for finding in findings if finding.audit != "trigger"]
    assert judge(dropped, suite, kind="regression").reasons == (
        "trigger does not apply to regression, which is told by 0 of 0 findings",
    )
    skipped = [finding for finding in findings if finding.audit != "skill"]
    (only,) = [finding for finding in findings if finding.audit == "trigger"]
    forged = [*skipped, replace(only, audit="skill")]
    assert judge(forged, suite, kind="regression").decision == "undecided"
    assert list(uncovered(findings, suite, task="", nuisances=["end"], kind="regression")) == []
    assert [finding for finding in findings if finding.statistic == UNTESTED and finding.audit == "trigger"] == []


def test_a_suite_without_a_gate_for_the_kind_admits_nothing(number: AuditData, suite: Suite) -> None:
    """Where nothing of it applies, nothing was shown."""
    entry = suite.entry("trigger")
    assert entry is not None
    alone = Suite(name="one", approval="none", entries=(entry,))
    verdict = judge(run_suite(train(number), number, alone, seed=0), alone, kind="regression")
    assert (verdict.decision, verdict.reasons) == ("undecided", ("no gate of suite one applies to regression",))


def test_answers_of_a_network_are_in_the_units_of_the_data(number: AuditData) -> None:
    """The residual picture compares like with like."""
    network = train(number)
    assert (
        float((predicted(network(number.x).detach(), number.target) - truth(number.y, number.target)).abs().mean()) < 5
    )
