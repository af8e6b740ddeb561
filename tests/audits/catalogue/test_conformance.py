"""What every audit promises, whatever it measures."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from audits import AUDITS, AuditData, Finding, Suite, judge, run_suite
from audits.contract.examinee import Examinee, evaluation_mode
from audits.verdicts.suite import SuiteEntry
from audits.verdicts.verdict import UNTESTED


class Broken(nn.Module):
    """Gives what a test asks for instead of logits."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        """The answer for each input, or the exception."""
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, float):
            return torch.full((len(x), 4), self.answer) + 0 * x.flatten(1).sum(1, keepdim=True)
        return x.flatten(1)[:, :3]


BROKEN = {
    "nan": Broken(math.nan),
    "infinite": Broken(math.inf),
    "raising": Broken(RuntimeError("no kernel image\nis available | <b>")),
    "wrong shape": Broken("three logits"),
}


@pytest.fixture(params=sorted(AUDITS))
def entry(request: pytest.FixtureRequest, suite: Suite) -> SuiteEntry:
    """Each audit as the shipped suite uses it."""
    found = suite.entry(request.param)
    assert found is not None, "the shipped suite uses every audit"
    return found


def findings_of(entry: SuiteEntry, network: nn.Module, data: AuditData, seed: int = 0) -> tuple[Finding, ...]:
    """One audit alone."""
    return run_suite(network, data, Suite(name="one", approval="none", entries=(entry,)), seed=seed)


def test_registry_names_audits_by_their_own_name() -> None:
    """The table's key is the audit's name, and each audit says what it catches, misses, costs and comes from."""
    for name, audit in AUDITS.items():
        assert audit.name == name
        assert all((audit.catches, audit.misses, audit.source, audit.cost))
        assert all(statistic.meaning for statistic in audit.statistics)
        assert not (audit.validates and audit.validates == audit.relies_on)


def test_measures_every_statistic_of_every_subject_once(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """One measurement a statistic and subject, with its estimate inside its interval."""
    audit = AUDITS[entry.audit]
    with evaluation_mode(healthy):
        measured = audit.measure(Examinee(healthy, data, seed=0), dict(entry.settings))
    subjects = audit.subjects(data)
    expected = sorted((subject, statistic.name) for subject in subjects for statistic in audit.statistics)
    assert sorted((each.subject, each.statistic) for each in measured) == expected
    for each in measured:
        assert each.estimate is not None
        assert each.low <= each.estimate <= each.high
        assert each.n > 0


def test_sound_network_is_not_accused(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """Every gate and validity audit passes a network that learned the task."""
    findings = findings_of(entry, healthy, data)
    assert findings
    if entry.role != "advisory":
        assert {finding.decision for finding in findings} == {"pass"}, findings


def test_same_seed_same_findings(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """Findings repeat to the last bit, and so do their records."""
    first, second = (findings_of(entry, healthy, data, seed=5) for _ in range(2))
    assert first == second
    assert [Finding.from_record(finding.to_record()) for finding in first] == list(first)


def test_network_comes_back_untouched(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """Weights, buffers, modes, gradient flags and the global random state are as they were."""
    network = copy.deepcopy(healthy).train()
    next(network.parameters()).requires_grad_(False)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    flags = [parameter.requires_grad for parameter in network.parameters()]
    random = torch.get_rng_state()
    findings_of(entry, network, data)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert [parameter.requires_grad for parameter in network.parameters()] == flags
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_broken_network_yields_void(entry: SuiteEntry, kind: str, data: AuditData) -> None:
    """Outputs that are not finite, raise or have the wrong shape show nothing, and say why."""
    findings = findings_of(entry, BROKEN[kind], data)
    measured = [finding for finding in findings if finding.statistic != UNTESTED]
    assert measured
    assert {finding.decision for finding in measured} == {"void"}
    assert all("could not measure" in finding.note and "\n" not in finding.note for finding in measured)
    if entry.role == "gate":
        verdict = judge(findings, Suite(name="one", approval="none", entries=(entry,)))
        assert (verdict.decision, verdict.void, verdict.failed) == ("undecided", (entry.audit,), ())


def test_constant_network_is_survived(entry: SuiteEntry, data: AuditData) -> None:
    """A network that says the same to everything gives findings, never an exception."""
    for finding in findings_of(entry, Broken(0.0), data):
        assert finding.decision in ("pass", "fail", "inconclusive", "void")
