"""Made-up decisions about the search policy: each contradicts its certificate, its worths, its trial or its turn."""

from collections.abc import Mapping
from dataclasses import asdict

import pytest
from msgspec.structs import replace

from agent.ledger.events import (
    UNSET,
    Confirmation,
    PolicyAdopted,
    PolicyDecided,
    PolicyKept,
    PolicyProposed,
    PolicyRefused,
    PolicyTried,
    read_facts,
)
from agent.stream.file import Stream, TuningSection
from agent.tuning.decision import Place, judge_policy, tune
from agent.tuning.rehearsal import Comparison, Rehearsal
from agent.tuning.trial import PRESENT, PROPOSED, TRIAL, lent_for, on_turn
from agent.verify.policy import PolicyChecker
from constraints import load_set
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from tests.agent.made_up import as_event, changed, retold
from tests.agent.tuning.test_decision import GOOD, NONE, OLD
from tests.agent.tuning.test_trial import STREAM, feed, life, run_over, scored, tried

NEW = {**OLD.model_dump(), "strategy": "surrogate"}


def checker(stream: Stream) -> PolicyChecker:
    """In the first task of a run of that stream."""
    made = PolicyChecker({""})
    assert not list(made.run_begins(run_over(stream, load_set("policy"))))
    made.task_begins()
    return made


def decision(stream: Stream, change: Mapping[str, object], *, evidence: Comparison | None) -> PolicyDecided:
    """What the agent would record of a change, as it reads back."""
    new, place = {**OLD.model_dump(), **change}, Place(run=1, after_task=1)
    decided = judge_policy(stream, load_set("policy"), OLD, new, place=place, previous="", evidence=evidence)
    read = read_facts(decided.kind, decided.to_json())
    assert isinstance(read, PolicyDecided)
    return read


AT_ONCE = STREAM.model_copy(update={"tuning": TuningSection(confirm=0)})


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"finalists_per_task": 1}, PolicyRefused),
        ({"finalists_per_task": 9}, PolicyRefused),
        ({"sample": 200}, PolicyRefused),
        ({"strategy": "surrogate"}, PolicyKept),
    ],
)
def test_what_the_agent_records_of_changes_that_did_not_come_holds(
    change: dict[str, object], kind: type[PolicyDecided]
) -> None:
    """By a rule, by the budget, by form, by rehearsals that speak for nothing."""
    found = decision(AT_ONCE, change, evidence=NONE)
    assert type(found) is kind
    assert list(checker(AT_ONCE).decided(found)) == []


def test_refusals_that_nothing_bears_out_are_named() -> None:
    """A refused policy must have failed something; its failed rules are those of its certificate."""
    refused = decision(AT_ONCE, {"finalists_per_task": 1}, evidence=GOOD)
    assert isinstance(refused, PolicyRefused)
    assert "the rules that it breaks are not those of the certificate" in list(
        checker(AT_ONCE).decided(changed(refused, failed=["small-steps"]))
    )
    assert list(checker(AT_ONCE).decided(changed(refused, new=NEW, certificate=None))) == [
        "a policy was refused, and nothing that is recorded speaks against it"
    ]
    adopted = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=GOOD)
    assert "a policy was refused though its certificate admits it" in list(
        checker(AT_ONCE).decided(retold(adopted, PolicyRefused, failed=[]))
    )


def test_a_policy_is_not_kept_out_against_the_evidence() -> None:
    """Nor without any."""
    kept = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    assert isinstance(kept, PolicyKept)
    assert list(checker(AT_ONCE).decided(changed(kept, evidence=asdict(GOOD)))) == [
        "a policy was kept out though the evidence supports it"
    ]
    assert list(checker(AT_ONCE).decided(changed(kept, evidence=None))) == ["a policy was kept out without evidence"]


def test_a_stream_without_tuning_decides_nothing() -> None:
    """Where a run recorded no rules, no decision can stand."""
    untuned = STREAM.model_copy(update={"tuning": None})
    made = PolicyChecker({""})
    list(made.run_begins(run_over(untuned)))
    kept = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    assert isinstance(kept, PolicyKept)
    assert list(made.decided(kept)) == ["it was decided about the policy though the run recorded no rules for that"]


def test_a_stream_that_leaves_out_confirmation_still_asks_for_it() -> None:
    """What a recorded stream does not say has its default, which is to try a policy before it is adopted."""
    made = checker(STREAM)
    started = run_over(STREAM, load_set("policy"))
    tuning = {name: value for name, value in started.stream["tuning"].items() if name != "confirm"}
    unsaid = changed(started, stream={**started.stream, "tuning": tuning})
    assert not list(made.run_begins(unsaid))
    adopted = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=GOOD)
    assert isinstance(adopted, PolicyAdopted)
    assert "a policy was changed that was not on trial" in list(made.decided(adopted))


def trial(made: PolicyChecker, *, won: int) -> PolicyProposed:
    """A proposal, and contests of the next task that it won, each round in its turn."""
    proposed = decision(STREAM, {"strategy": "surrogate"}, evidence=GOOD)
    assert isinstance(proposed, PolicyProposed)
    assert list(made.decided(proposed)) == []
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
    told = Confirmation(won=8, lost=0, wealth=1e9, tasks=1)
    goes_on = retold(proposed, PolicyTried, after_task=2, confirmation=told)
    found = list(made.decided(goes_on))
    assert found[0].startswith("the trial came to a wealth of")
    assert found[1:] == ["its trial leads to policy.adopted"]
    other = changed(goes_on, new={**NEW, "batch": 8})
    assert "what was decided about is not what was put on trial" in list(made.decided(other))


def test_a_trial_is_not_passed_over() -> None:
    """While a policy is on trial no other decision can be taken."""
    made = checker(STREAM)
    trial(made, won=1)
    kept = decision(AT_ONCE, {"strategy": "surrogate"}, evidence=NONE)
    assert isinstance(kept, PolicyKept)
    assert "a policy is on trial, and this says nothing of it" in list(made.decided(kept))


def test_a_round_is_lent_in_its_turn() -> None:
    """Whoever gives the better rounds to the policy on trial contradicts the coin that the seed throws."""
    made = checker(STREAM)
    trial(made, won=1)
    contest, by = on_turn(2, seed=STREAM.seed, run=1, task=1)
    swapped = {PROPOSED: PRESENT, PRESENT: PROPOSED}[by]
    (problem,) = made.evaluated(scored(contest, swapped, 1.0))
    assert problem.startswith(f"its round was lent as {{'{TRIAL}'")
    unmarked = replace(scored(contest, by, 1.0), trial=UNSET)
    assert lent_for(unmarked) is None
    (problem,) = made.evaluated(unmarked)
    assert problem.startswith("its round was lent as none, the seed's turns make it")


def test_a_trial_that_the_present_budget_forbids_is_not_adopted_however_it_ends() -> None:
    """It was judged under another one: agent and checker agree that the policy in force is kept."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    proposed = decision(STREAM, {"strategy": "surrogate"}, evidence=GOOD)
    state = life()
    tried(state, won=0, lost=0, task="a")
    made = checker(STREAM)
    assert list(made.decided(proposed)) == []
    state.apply(as_event(proposed))
    feed(made, tried(state, won=8, lost=0, task="b"))
    lean = STREAM.model_copy(update={"budget": STREAM.budget.model_copy(update={"full_trainings": 1})})
    (kept,) = tune(state, state.runs[0], lean, envelope, unused, previous="")
    assert isinstance(kept, PolicyKept)
    assert kept.reason == "other rules or another budget are in force than judged it"
    assert not list(made.run_begins(run_over(lean, envelope)))
    assert "a policy was changed though its trial does not support it" in list(
        made.decided(retold(kept, PolicyAdopted))
    )
    (again,) = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert isinstance(again, PolicyAdopted)
