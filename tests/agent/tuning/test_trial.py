"""The trial of a policy on real tasks: whose round it is, what counts, and when the evidence is enough."""

import json

import numpy as np
import pytest

from agent.ledger.store import Event, Json
from agent.state.state import LifeState, RunState
from agent.stream.file import Stream, TuningSection
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import (
    ALPHA,
    latest_controls,
    policy_entry,
    policy_in_force,
    policy_on_trial,
    policy_replaced,
    tune,
)
from agent.tuning.rehearsal import Rehearsal
from agent.tuning.trial import CONTROL, PRESENT, PROPOSED, TRIAL, Contests, control_contest, on_turn
from agent.verify.policy import PolicyChecker
from constraints import load_set
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies.transfer import PastTask
from tests.agent.tuning.test_decision import GOOD, OLD

STREAM = Stream.model_validate(
    {
        "stream": "s",
        "format": 1,
        "policy": OLD.model_dump(),
        "tuning": {"confirm": 2},
        "budget": {"evaluations": 20, "full_trainings": 4},
        "tasks": [{"name": name, "source": "table", "dataset": name} for name in "abcd"],
    }
)


def scored(
    contest: int, by: str, score: float | None, *, origin: str = "searched", task: str = "b",
    purpose: str = TRIAL, number: int = 1,
) -> dict[str, Json]:  # fmt: skip
    """An evaluation of the first trial of a life, or of a control."""
    lent: Json = {"number": number, "run": 1, "contest": contest, "by": by}
    return {"task": task, "score": score, "origin": origin, purpose: lent}


def test_the_better_round_wins_and_only_fair_contests_count() -> None:
    """By the best score; ties, unequal sizes, single rounds and rounds with recalled cells count for neither."""
    rounds = [
        *(scored(0, PROPOSED, score) for score in (0.1, 0.9)), *(scored(0, PRESENT, score) for score in (0.8, 0.7)),
        scored(1, PROPOSED, None), scored(1, PRESENT, 0.1),
        scored(2, PROPOSED, 0.5), scored(2, PRESENT, 0.5),
        scored(3, PROPOSED, 0.5), scored(3, PRESENT, 0.4), scored(3, PRESENT, 0.3),
        scored(4, PROPOSED, 0.5),
        scored(5, PROPOSED, 0.5), scored(5, PRESENT, 0.4, origin="recalled"),
    ]  # fmt: skip
    assert Contests.of(rounds) == Contests(won=1, lost=1)
    assert Contests.of(reversed(rounds)) == Contests(won=1, lost=1)


def test_a_coin_decides_who_begins_and_both_come_once() -> None:
    """In each contest; over many, about half begin with the policy on trial."""
    begins = []
    for contest in range(200):
        turns = [on_turn(2 * contest + half, seed=3, run=1, task=0) for half in (0, 1)]
        assert [number for number, _ in turns] == [contest, contest]
        assert {by for _, by in turns} == {PRESENT, PROPOSED}
        begins.append(turns[0][1] == PROPOSED)
    assert 70 < sum(begins) < 130


def test_a_policy_that_is_no_better_is_rarely_confirmed() -> None:
    """Null simulation: fair coins, looked at after each of 100 contests; 5 % of 400 trials is 20."""
    rng = np.random.default_rng(5)
    confirmed = 0
    for _ in range(400):
        wins = np.cumsum(rng.random(100) < 0.5)
        confirmed += any(Contests(won=int(w), lost=k + 1 - int(w)).wealth >= 1 / ALPHA for k, w in enumerate(wins))
    assert 0 < confirmed <= 30  # 99 % of binomial(400, 0.05) lie below


def tried(state: LifeState, *, won: int, lost: int, task: str) -> list[dict[str, Json]]:
    """A further task of the life with so many contests."""
    found = [
        scored(contest, by, float((by == PROPOSED) == (contest < won)), task=task)
        for contest in range(won + lost)
        for by in (PRESENT, PROPOSED)
    ]
    state.apply(event("task.started", {"task": task}))
    for payload in found:
        state.apply(event("evaluated", payload))
    return found


def feed(checker: PolicyChecker, payloads: list[dict[str, Json]]) -> None:
    """Have a checker see evaluations whose turns are made up, which it says of each round."""
    for payload in payloads:
        assert not [problem for problem in checker.evaluated(payload) if "its round was lent as" not in problem]


def event(kind: str, payload: object) -> Event:
    """As it would stand in a ledger."""
    return Event(seq=1, kind=kind, payload=payload, previous="", hash="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contests", "ends", "back"),
    [
        ([(8, 0)], ["policy.adopted"], False),
        ([(5, 1), (6, 0)], ["policy.tried", "policy.adopted"], False),
        ([(5, 5), (5, 4)], ["policy.tried", "policy.kept"], False),
        ([(8, 0)], ["policy.rolled_back"], True),
    ],
)
def test_a_trial_goes_on_until_it_is_won_or_its_tasks_are_used_up(
    contests: list[tuple[int, int]], ends: list[str], back: bool
) -> None:
    """What wins a rehearsal is only proposed; meanwhile the old one stays in force; a checker agrees with each end."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    new = {**OLD.model_dump(), "strategy": "surrogate"}
    kind, payload = policy_entry(STREAM, envelope, OLD, new, previous="", evidence=GOOD, rolls_back=back)
    assert kind == "policy.proposed"
    state = LifeState(runs=[RunState(number=1, started={})])
    checker = PolicyChecker({""})
    list(checker.run_begins({"stream": STREAM.model_dump(mode="json", exclude_none=True), **_policy_set(envelope)}))
    tried(state, won=0, lost=0, task="a")
    entries = [(kind, {**payload, "run": 1, "after_task": 1})]
    for task, (won, lost), end in zip("bc", contests, ends, strict=False):
        state.apply(event(*entries[0]))
        assert list(checker.decided(event(*entries[0]))) == []
        assert policy_in_force(state, STREAM) == OLD
        assert policy_on_trial(state, STREAM) == SearchPolicy.model_validate(new)
        feed(checker, tried(state, won=won, lost=lost, task=task))
        entries = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
        assert [kind for kind, _ in entries] == [end]
    forged = {**entries[0][1], "confirmation": {"won": 99, "lost": 0, "wealth": 1e9, "tasks": 1}}
    won = ends[-1] != "policy.kept"
    if won:
        assert any(
            "not what the decision says" in problem for problem in checker.decided(event("policy.adopted", forged))
        )
    else:
        assert any("does not speak for it" in problem for problem in checker.decided(event("policy.adopted", forged)))
    state.apply(event(*entries[0]))
    assert policy_on_trial(state, STREAM) is None
    assert policy_in_force(state, STREAM).strategy == ("surrogate" if won else "random")


def _policy_set(envelope: object) -> dict[str, Json]:
    from constraints import ConstraintSet, policy_digest

    assert isinstance(envelope, ConstraintSet)
    return {"policy_set": {"name": envelope.name, "text": envelope.text, "digest": policy_digest(envelope)}}


def test_rehearsals_that_nothing_wins_change_nothing() -> None:
    """Where every cell scores alike no policy is better: the present one is kept, and the reason is recorded."""
    domain = SpaceDomain(SPACES["nb201"], Macro())
    drawn = domain.draw(np.random.default_rng(0), 10)
    trials = tuple(Trial(architecture=domain.space.decode(row, macro=domain.macro), score=0.5) for row in drawn)
    flat = Rehearsal([PastTask(name="a", trials=trials)], domain, budget=4, seed=0)
    state = LifeState(runs=[RunState(number=1, started={})])
    tried(state, won=0, lost=0, task="a")
    tuning = STREAM.model_copy(update={"tuning": TuningSection(proposals=3, rehearsals=2)})
    entries = tune(state, state.runs[0], tuning, load_set("policy"), flat, previous="")
    assert [(kind, payload["reason"]) for kind, payload in entries] == [("policy.kept", "no proposal did better")]
    state.apply(event(*entries[0]))
    assert policy_in_force(state, STREAM) == OLD


def control(task: str, *, won: bool, number: int = 2) -> list[dict[str, Json]]:
    """The control of a task, after the first trial of a life."""
    scores = {PROPOSED: float(won), PRESENT: 0.5}
    return [scored(3, by, score, task=task, purpose=CONTROL, number=number) for by, score in scores.items()]


def test_the_control_is_one_contest_of_the_later_half() -> None:
    """Drawn by a seed for each task; a task of one round has none."""
    drawn = {control_contest(20, seed=1, run=1, task=task) for task in range(60)}
    assert drawn == {5, 6, 7, 8, 9}
    assert control_contest(2, seed=1, run=1, task=0) == 0
    assert control_contest(1, seed=1, run=1, task=0) is None


def test_only_the_latest_controls_since_the_latest_trial_count() -> None:
    """Two at most, in the order of tasks; ties and those before the trial say nothing."""
    tie = [scored(3, by, 0.5, task="t", purpose=CONTROL, number=2) for by in (PRESENT, PROPOSED)]
    lost, won, old = control("a", won=False), control("b", won=True), control("z", won=True, number=1)
    assert latest_controls([*old, *lost, *won, *tie], number=2) == Contests(won=1, lost=1)
    assert latest_controls([*lost, *won, *control("c", won=True)], number=2) == Contests(won=2)
    assert latest_controls(old, number=2) == Contests()


@pytest.mark.parametrize(("second", "ends"), [(True, "policy.proposed"), (False, "policy.kept")])
def test_a_policy_that_stops_paying_is_tried_against_the_one_it_replaced(second: bool, ends: str) -> None:
    """After two controls in a row, without rehearsal; a checker agrees, and not where a control is said to be won."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    new = {**OLD.model_dump(), "strategy": "surrogate"}
    proposed = policy_entry(STREAM, envelope, OLD, new, previous="", evidence=GOOD)
    state = LifeState(runs=[RunState(number=1, started={})])
    checker = PolicyChecker({""})
    list(checker.run_begins({"stream": STREAM.model_dump(mode="json", exclude_none=True), **_policy_set(envelope)}))
    tried(state, won=0, lost=0, task="a")
    assert policy_replaced(state, STREAM) is None
    entries = [(proposed[0], {**proposed[1], "run": 1, "after_task": 1})]
    feed(checker, lived(state, checker, entries, tried_task="b"))
    entries = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert [kind for kind, _ in entries] == ["policy.adopted"]
    assert list(checker.decided(event(*entries[0]))) == []
    state.apply(event(*entries[0]))
    assert policy_replaced(state, STREAM) == OLD
    for task, won in (("c", True), ("d", second)):
        state.apply(event("task.started", {"task": task}))
        for payload in control(task, won=won):
            state.apply(event("evaluated", payload))
        feed(checker, control(task, won=won))
    [(kind, payload)] = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert kind == ends
    if second:
        assert (payload["rolls_back"], payload["new"], payload["evidence"]) == (True, OLD.model_dump(mode="json"), None)
        assert list(checker.decided(event(kind, {**payload, "controls": {"won": 3, "lost": 0}}))) == [
            "the controls recorded 2 won and 0 lost, not what the proposal says"
        ]
        state.apply(event(kind, payload))
        assert policy_on_trial(state, STREAM) == OLD
        assert policy_replaced(state, STREAM) == OLD  # no round is lent to it twice: the trial has precedence
    else:
        told = {"rolls_back": True, "new": OLD.model_dump(mode="json"), "controls": {"won": 1, "lost": 1}}
        forged = policy_entry(STREAM, envelope, SearchPolicy.model_validate(new), OLD.model_dump(), previous="",
                              evidence=GOOD, rolls_back=True)  # fmt: skip
        assert forged[0] == "policy.proposed"
        problems = list(checker.decided(event(kind.replace("kept", "proposed"), {**forged[1], **told})))
        assert problems == ["a policy was tried without rehearsal though controls do not speak for it"]


def lived(
    state: LifeState, checker: PolicyChecker, entries: list[tuple[str, dict[str, object]]], *, tried_task: str
) -> list[dict[str, Json]]:
    """The proposal is recorded and wins its trial on one more task."""
    state.apply(event(*entries[0]))
    assert list(checker.decided(event(*entries[0]))) == []
    return tried(state, won=8, lost=0, task=tried_task)


def told(**tuning: int) -> PolicyChecker:
    """A checker in a run of the stream with other settings of tuning."""
    checker = PolicyChecker({""})
    stream = STREAM.model_copy(update={"tuning": TuningSection(**{"confirm": 0, **tuning})})
    list(checker.run_begins({"stream": stream.model_dump(mode="json"), **_policy_set(load_set("policy"))}))
    return checker


def test_evidence_and_certificate_of_a_change_are_worked_out_again() -> None:
    """Statistics from the paired worths, their number and the finalists' from the stream; it names an earlier event."""
    stream = STREAM.model_copy(update={"tuning": TuningSection(confirm=0)})
    kind, payload = policy_entry(
        stream, load_set("policy"), OLD, {**OLD.model_dump(), "strategy": "surrogate"}, previous="", evidence=GOOD
    )
    assert kind == "policy.adopted"

    def problems(checker: PolicyChecker, **change: object) -> list[str]:
        return list(checker.decided(event(kind, {**json.loads(json.dumps(payload)), **change})))

    recorded = json.loads(json.dumps(payload["evidence"]))
    assert problems(told()) == []
    assert problems(told(), evidence={**recorded, "p": 1e-9, "mean": 3.0}) == [
        f"its evidence says mean 3, its paired worths give {GOOD.mean:g}",
        f"its evidence says p 1e-09, its paired worths give {GOOD.p:g}",
    ]
    assert problems(told(), evidence={**recorded, "new": recorded["old"]})[-1] == (
        "a policy was changed though the evidence does not speak for it"
    )
    bare = {name: recorded[name] for name in ("count", "mean", "p")}
    assert "holds no paired worths" in problems(told(), evidence=bare)[0]
    assert problems(told(rehearsals=25)) == ["it was rehearsed 24 times, the stream says 25"]
    elsewhere = json.loads(payload["certificate"]) | {"previous": "f" * 64}
    assert problems(told(), certificate=json.dumps(elsewhere)) == [
        "the certificate does not name an earlier event of this life"
    ]
    generous = told()
    generous._most = 1.0
    assert problems(generous) == ["the policy has 2 finalists a task, beyond the budget of 1"]
