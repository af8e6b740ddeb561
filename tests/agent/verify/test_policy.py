"""Made-up decisions about the search policy: each contradicts its certificate, its worths, its trial or its turn."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import pytest

from agent.ledger.store import Json
from agent.state.state import LifeState, RunState
from agent.stream.file import Stream, TuningSection
from agent.tuning.decision import policy_entry, tune
from agent.tuning.rehearsal import Rehearsal
from agent.tuning.trial import PRESENT, PROPOSED, TRIAL, on_turn
from agent.verify.policy import PolicyChecker
from constraints import load_set, policy_digest
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from tests.agent.tuning.test_decision import GOOD, NONE, OLD
from tests.agent.tuning.test_trial import STREAM, event, feed, scored, tried

NEW = {**OLD.model_dump(), "strategy": "surrogate"}


def checker(stream: Stream) -> PolicyChecker:
    """In the first task of a run of that stream."""
    made, envelope = PolicyChecker({""}), load_set("policy")
    rules = {"name": envelope.name, "text": envelope.text, "digest": policy_digest(envelope)}
    assert not list(made.run_begins({"stream": stream.model_dump(mode="json", exclude_none=True), "policy_set": rules}))
    made.task_begins()
    return made


def decision(stream: Stream, change: Mapping[str, object], **how: object) -> tuple[str, dict[str, Json]]:
    """What the agent would record of a change, as it reads back."""
    proposed = {**OLD.model_dump(), **change}
    kind, payload = policy_entry(stream, load_set("policy"), OLD, proposed, previous="", **how)  # type: ignore[arg-type]
    return kind, json.loads(json.dumps({"run": 1, "after_task": 1, **payload}))


AT_ONCE = STREAM.model_copy(update={"tuning": TuningSection(confirm=0)})


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"finalists_per_task": 1}, "policy.refused"),
        ({"finalists_per_task": 9}, "policy.refused"),
        ({"sample": 200}, "policy.refused"),
        ({"strategy": "surrogate"}, "policy.kept"),
    ],
)
def test_what_the_agent_records_of_changes_that_did_not_come_holds(change: dict[str, object], kind: str) -> None:
    """By a rule, by the budget, by form, by rehearsals that speak for nothing."""
    found, payload = decision(AT_ONCE, change, evidence=NONE)
    assert found == kind
    assert list(checker(AT_ONCE).decided(event(found, payload))) == []


def test_refusals_that_nothing_bears_out_are_named() -> None:
    """A refused policy must have failed something; its failed rules are those of its certificate."""
    kind, payload = decision(AT_ONCE, {"finalists_per_task": 1}, evidence=GOOD)
    other = {**payload, "failed": ["small-steps"]}
    assert "the rules that it breaks are not those of the certificate" in list(
        checker(AT_ONCE).decided(event(kind, other))
    )
    bare = {**payload, "new": NEW, "certificate": None}
    assert list(checker(AT_ONCE).decided(event(kind, bare))) == [
        "a policy was refused, and nothing that is recorded speaks against it"
    ]
    _, adopted = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=GOOD)
    assert "a policy was refused though its certificate admits it" in list(
        checker(AT_ONCE).decided(event(kind, {**adopted, "failed": []}))
    )


def test_a_policy_is_not_kept_out_against_the_evidence() -> None:
    """Nor without any."""
    kind, payload = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    better = {**payload, "evidence": json.loads(json.dumps(asdict(GOOD)))}
    assert list(checker(AT_ONCE).decided(event(kind, better))) == [
        "a policy was kept out though the evidence speaks for it"
    ]
    nothing = {**payload, "evidence": None}
    assert list(checker(AT_ONCE).decided(event(kind, nothing))) == ["a policy was kept out without evidence"]


def test_a_stream_without_tuning_decides_nothing() -> None:
    """Where a run recorded no rules, no decision can stand."""
    untuned = STREAM.model_copy(update={"tuning": None})
    made = PolicyChecker({""})
    list(made.run_begins({"stream": untuned.model_dump(mode="json", exclude_none=True)}))
    _, payload = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    assert list(made.decided(event("policy.kept", payload))) == [
        "it was decided about the policy though the run recorded no rules for that"
    ]


def test_a_stream_that_leaves_out_confirmation_still_asks_for_it() -> None:
    """What a recorded stream does not say has its default, which is to try a policy before it is adopted."""
    made = checker(STREAM)
    stream = STREAM.model_dump(mode="json", exclude_none=True)
    del stream["tuning"]["confirm"]
    envelope = load_set("policy")
    rules = {"name": envelope.name, "text": envelope.text, "digest": policy_digest(envelope)}
    assert not list(made.run_begins({"stream": stream, "policy_set": rules}))
    kind, payload = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=GOOD)
    assert kind == "policy.adopted"
    assert "a policy was changed that was not on trial" in list(made.decided(event(kind, payload)))


def trial(made: PolicyChecker, *, won: int) -> dict[str, Json]:
    """A proposal, and contests of the next task that it won, each round in its turn."""
    kind, proposed = decision(STREAM, {"strategy": "surrogate"}, evidence=GOOD)
    assert kind == "policy.proposed"
    assert list(made.decided(event(kind, proposed))) == []
    made.task_begins()
    for round_ in range(2 * won):
        contest, by = on_turn(round_, seed=STREAM.seed, run=1, task=1)
        assert list(made.evaluated(scored(contest, by, float(by == PROPOSED)))) == []
        made.round_ends()
    return proposed


def test_a_trial_leads_to_what_its_contests_say() -> None:
    """It ends neither sooner nor later, and is of the policy that was proposed."""
    made = checker(STREAM)
    proposed = trial(made, won=8)
    told = {"won": 8, "lost": 0, "wealth": 1e9, "tasks": 1}
    found = list(made.decided(event("policy.tried", {**proposed, "after_task": 2, "confirmation": told})))
    assert found[0].startswith("the trial came to a wealth of")
    assert found[1:] == ["its trial leads to policy.adopted"]
    other = {**proposed, "after_task": 2, "new": {**NEW, "batch": 8}, "confirmation": told}
    assert "what was decided about is not what was put on trial" in list(made.decided(event("policy.tried", other)))


def test_a_trial_is_not_passed_over() -> None:
    """While a policy is on trial no other decision can be taken."""
    made = checker(STREAM)
    trial(made, won=1)
    _, kept = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    assert "a policy is on trial, and this says nothing of it" in list(made.decided(event("policy.kept", kept)))


def test_a_round_is_lent_in_its_turn() -> None:
    """Whoever gives the better rounds to the policy on trial contradicts the coin that the seed throws."""
    made = checker(STREAM)
    trial(made, won=1)
    contest, by = on_turn(2, seed=STREAM.seed, run=1, task=1)
    swapped = {PROPOSED: PRESENT, PRESENT: PROPOSED}[by]
    (problem,) = made.evaluated(scored(contest, swapped, 1.0))
    assert problem.startswith(f"its round was lent as {{'{TRIAL}'")
    unmarked = {name: value for name, value in scored(contest, by, 1.0).items() if name != TRIAL}
    (problem,) = made.evaluated(unmarked)
    assert problem.startswith("its round was lent as none, the seed's turns make it")


def test_a_trial_that_the_present_budget_forbids_is_not_adopted_however_it_ends() -> None:
    """It was judged under another one: agent and checker agree that the policy in force is kept."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    kind, proposed = decision(STREAM, {"strategy": "surrogate"}, evidence=GOOD)
    state = LifeState(runs=[RunState(number=1, started={})])
    tried(state, won=0, lost=0, task="a")
    made = checker(STREAM)
    assert list(made.decided(event(kind, proposed))) == []
    state.apply(event(kind, proposed))
    feed(made, tried(state, won=8, lost=0, task="b"))
    lean = STREAM.model_copy(update={"budget": STREAM.budget.model_copy(update={"full_trainings": 1})})
    ((ends, payload),) = tune(state, state.runs[0], lean, envelope, unused, previous="")
    assert (ends, payload["reason"]) == ("policy.kept", "other rules or another budget are in force than judged it")
    rules = {"name": envelope.name, "text": envelope.text, "digest": policy_digest(envelope)}
    assert not list(made.run_begins({"stream": lean.model_dump(mode="json", exclude_none=True), "policy_set": rules}))
    recorded = json.loads(json.dumps(payload))
    assert "a policy was changed though its trial does not speak for it" in list(
        made.decided(event("policy.adopted", recorded))
    )
    ((again, _),) = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert again == "policy.adopted"
