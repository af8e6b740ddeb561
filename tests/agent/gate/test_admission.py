"""The gate stays closed when in doubt: what is undecided, broken, missing or of another suite admits nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import audits
from agent.gate.admission import admission, decide
from agent.ledger.events import Certified, Quarantined, Rejected
from agent.workers.jobs import FullAnswer
from constraints import Guard, load_set
from constraints.judging.certificate import decision_from
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

SUITE = audits.load_suite("baseline")


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Of the baseline set, on small images."""
    macro, shape = Macro(channels=8, depth=1, resolution=16), TaskShape(channels=1, size=(8, 8), classes=10)
    return Guard(load_set("baseline"), space=space_named("nb201"), macro=macro, shape=shape)


def decided(guard: Guard, **changes: Any) -> Any:
    """What the gate says where the guard's certificate reads so."""
    vector = guard.draw(np.random.default_rng(0), 1)[0]
    architecture = guard.space.decode(vector, macro=guard.context.macro)
    certificate = replace(guard.decide(architecture).certificate, **changes)
    spoken = SimpleNamespace(decide=lambda *_, **__: decision_from(certificate, guard.rules), explain=guard.explain)
    return decide(spoken, architecture, previous="")  # type: ignore[arg-type]


def test_each_verdict_has_its_event(guard: Guard) -> None:
    """Only an admission certifies; what is left open is quarantined and never taken for either."""
    count = len(guard.rules)
    assert isinstance(decided(guard), Certified)
    rejected = decided(guard, verdict="reject", rules="f" + "p" * (count - 1))
    assert isinstance(rejected, Rejected)
    assert rejected.failed == [guard.rules[0].id]
    for letter, reason in (("u", "Z3 gave no answer"), ("d", "")):
        held = decided(guard, verdict="undecided", rules=letter + "p" * (count - 1), reason=reason)
        assert isinstance(held, Quarantined)
        assert held.messages


def answer(**changes: Any) -> FullAnswer:
    """Of a training that went well, with findings that all pass."""
    whole: dict[str, Any] = {
        "score": 0.9, "reason": "", "audit_error": "", "suite_digest": SUITE.digest, "weights_sha256": "a" * 64,
        "findings": [],
    }  # fmt: skip
    return SimpleNamespace(**(whole | changes))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"score": None, "reason": "out of memory"}, "training failed: out of memory"),
        ({"audit_error": "ValueError"}, "audits broke off: ValueError"),
        ({"suite_digest": "0" * 64}, "the audit suite was edited during the run"),
        ({"weights_sha256": ""}, "no weights were kept"),
    ],
)
def test_whatever_broke_is_the_reason_not_to_admit(
    changes: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the findings would admit; nothing is judged then."""
    admitting = audits.AuditVerdict(decision="admit", reasons=())
    monkeypatch.setattr(audits, "judge", lambda *_, **__: admitting)
    assert admission(answer(), SUITE) is admitting
    verdict = admission(answer(**changes), SUITE)
    assert (verdict.decision, verdict.reasons) == ("undecided", (reason,))
