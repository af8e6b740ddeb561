"""The trial of a policy on real tasks: whose round it is, what counts, and when the evidence is enough."""

import json

import numpy as np
import pytest
from msgspec.structs import replace

from agent.ledger.events import (
    Confirmation,
    Evaluated,
    Evidence,
    PolicyAdopted,
    PolicyDecided,
    PolicyKept,
    PolicyProposed,
    PolicyRolledBack,
    PolicySet,
    PolicyTried,
    RunStarted,
    TaskStarted,
    Wins,
)
from agent.state.state import LifeState, RunState
from agent.stream.file import Stream, TuningSection
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import (
    ALPHA,
    Place,
    judge_policy,
    latest_controls,
    policy_in_force,
    policy_on_trial,
    policy_replaced,
    tune,
)
from agent.tuning.rehearsal import Rehearsal
from agent.tuning.trial import CONTROL, PRESENT, PROPOSED, TRIAL, Contests, control_contest, on_turn
from agent.verify.policy import PolicyChecker
from constraints import ConstraintSet, load_set, policy_digest
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies.transfer import PastTask
from tests.agent.made_up import as_event, changed, made_up, retold
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
) -> Evaluated:  # fmt: skip
    """An evaluation of the first trial of a life, or of a control."""
    lent = {"number": number, "run": 1, "contest": contest, "by": by}
    return made_up(Evaluated, task=task, score=score, origin=origin, **{purpose: lent})


def run_over(stream: Stream, envelope: ConstraintSet | None = None) -> RunStarted:
    """The beginning of a run over a stream, under rules for changes of the policy."""
    dumped = stream.model_dump(mode="json", exclude_none=True)
    if envelope is None:
        return made_up(RunStarted, stream=dumped)
    rules = PolicySet(name=envelope.name, text=envelope.text, digest=policy_digest(envelope))
    return made_up(RunStarted, stream=dumped, policy_set=rules)


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


def tried(state: LifeState, *, won: int, lost: int, task: str) -> list[Evaluated]:
    """A further task of the life with so many contests."""
    found = [
        scored(contest, by, float((by == PROPOSED) == (contest < won)), task=task)
        for contest in range(won + lost)
        for by in (PRESENT, PROPOSED)
    ]
    state.apply(as_event(made_up(TaskStarted, task=task)))
    for one in found:
        state.apply(as_event(one))
    return found


def feed(checker: PolicyChecker, evaluations: list[Evaluated]) -> None:
    """Have a checker see evaluations whose turns are made up, which it says of each round."""
    for one in evaluations:
        assert not [problem for problem in checker.evaluated(one) if "its round was lent as" not in problem]


def life() -> LifeState:
    """A life whose first run has begun."""
    return LifeState(runs=[RunState(number=1, started=run_over(STREAM))])


def proposed(**how: object) -> PolicyProposed:
    """A better policy, put on trial after the first task."""
    new, place = {**OLD.model_dump(), "strategy": "surrogate"}, Place(run=1, after_task=1)
    found = judge_policy(
        STREAM,
        load_set("policy"),
        OLD,
        new,
        place=place,
        previous="",
        evidence=GOOD,
        **how,  # type: ignore[arg-type]
    )
    assert isinstance(found, PolicyProposed)
    return found


@pytest.mark.parametrize(
    ("contests", "ends", "back"),
    [
        ([(8, 0)], [PolicyAdopted], False),
        ([(5, 1), (6, 0)], [PolicyTried, PolicyAdopted], False),
        ([(5, 5), (5, 4)], [PolicyTried, PolicyKept], False),
        ([(8, 0)], [PolicyRolledBack], True),
    ],
)
def test_a_trial_goes_on_until_it_is_won_or_its_tasks_are_used_up(
    contests: list[tuple[int, int]], ends: list[type[PolicyDecided]], back: bool
) -> None:
    """What wins a rehearsal is only proposed; meanwhile the old one stays in force; a checker agrees with each end."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    state, checker = life(), PolicyChecker({""})
    list(checker.run_begins(run_over(STREAM, envelope)))
    tried(state, won=0, lost=0, task="a")
    decided: list[PolicyDecided] = [proposed(rolls_back=back)]
    for task, (won, lost), end in zip("bc", contests, ends, strict=False):
        state.apply(as_event(decided[0]))
        assert list(checker.decided(decided[0])) == []
        assert policy_in_force(state, STREAM) == OLD
        assert policy_on_trial(state, STREAM) == SearchPolicy.model_validate(decided[0].new)
        assert decided[0].new == {**OLD.record(), "strategy": "surrogate"}
        feed(checker, tried(state, won=won, lost=lost, task=task))
        decided = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
        assert [type(one) for one in decided] == [end]
    told = Confirmation(won=99, lost=0, wealth=1e9, tasks=1)
    forged = retold(decided[0], PolicyAdopted, confirmation=told)
    won = ends[-1] is not PolicyKept
    if won:
        assert any("not what the decision says" in problem for problem in checker.decided(forged))
    else:
        assert any("does not support it" in problem for problem in checker.decided(forged))
    state.apply(as_event(decided[0]))
    assert policy_on_trial(state, STREAM) is None
    assert policy_in_force(state, STREAM).strategy == ("surrogate" if won else "random")


def test_rehearsals_that_nothing_wins_change_nothing() -> None:
    """Where every cell scores alike no policy is better: the present one is kept, and the reason is recorded."""
    domain = SpaceDomain(SPACES["nb201"], Macro())
    drawn = domain.draw(np.random.default_rng(0), 10)
    trials = tuple(Trial(architecture=domain.space.decode(row, macro=domain.macro), score=0.5) for row in drawn)
    flat = Rehearsal([PastTask(name="a", trials=trials)], domain, budget=4, seed=0)
    state = life()
    tried(state, won=0, lost=0, task="a")
    tuning = STREAM.model_copy(update={"tuning": TuningSection(proposals=3, rehearsals=2)})
    decided = tune(state, state.runs[0], tuning, load_set("policy"), flat, previous="")
    assert [(type(one), one.reason) for one in decided] == [(PolicyKept, "no proposal did better")]
    state.apply(as_event(decided[0]))
    assert policy_in_force(state, STREAM) == OLD


def control(task: str, *, won: bool, number: int = 2) -> list[Evaluated]:
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


@pytest.mark.parametrize(("second", "ends"), [(True, PolicyProposed), (False, PolicyKept)])
def test_a_policy_that_stops_paying_is_tried_against_the_one_it_replaced(
    second: bool, ends: type[PolicyDecided]
) -> None:
    """After two controls in a row, without rehearsal; a checker agrees, and not where a control is said to be won."""
    envelope, unused = load_set("policy"), Rehearsal([], SpaceDomain(SPACES["nb201"], Macro()), budget=1, seed=0)
    state, checker = life(), PolicyChecker({""})
    list(checker.run_begins(run_over(STREAM, envelope)))
    tried(state, won=0, lost=0, task="a")
    assert policy_replaced(state, STREAM) is None
    feed(checker, lived(state, checker, proposed(), tried_task="b"))
    [adopted] = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert isinstance(adopted, PolicyAdopted)
    assert list(checker.decided(adopted)) == []
    state.apply(as_event(adopted))
    assert policy_replaced(state, STREAM) == OLD
    for task, won in (("c", True), ("d", second)):
        state.apply(as_event(made_up(TaskStarted, task=task)))
        for one in control(task, won=won):
            state.apply(as_event(one))
        feed(checker, control(task, won=won))
    [found] = tune(state, state.runs[0], STREAM, envelope, unused, previous="")
    assert type(found) is ends
    old = OLD.record()
    if isinstance(found, PolicyProposed):
        assert (found.rolls_back, found.new, found.evidence) == (True, old, None)
        assert list(checker.decided(changed(found, controls=Wins(won=3, lost=0)))) == [
            "the controls recorded 2 won and 0 lost, not what the proposal says"
        ]
        state.apply(as_event(found))
        assert policy_on_trial(state, STREAM) == OLD
        assert policy_replaced(state, STREAM) == OLD  # no round is lent to it twice: the trial has precedence
    else:
        forged = judge_policy(
            STREAM, envelope, SearchPolicy.model_validate(adopted.new), OLD.model_dump(),
            place=Place(run=1, after_task=4), previous="", evidence=GOOD, rolls_back=True,
        )  # fmt: skip
        assert isinstance(forged, PolicyProposed)
        problems = list(checker.decided(changed(forged, rolls_back=True, new=old, controls=Wins(won=1, lost=1))))
        assert problems == ["a policy was tried without rehearsal though controls do not support it"]


def lived(state: LifeState, checker: PolicyChecker, proposal: PolicyProposed, *, tried_task: str) -> list[Evaluated]:
    """The proposal is recorded and wins its trial on one more task."""
    state.apply(as_event(proposal))
    assert list(checker.decided(proposal)) == []
    return tried(state, won=8, lost=0, task=tried_task)


def checker_with(**tuning: int) -> PolicyChecker:
    """A checker in a run of the stream with other settings of tuning."""
    checker = PolicyChecker({""})
    stream = STREAM.model_copy(update={"tuning": TuningSection(**{"confirm": 0, **tuning})})
    list(checker.run_begins(run_over(stream, load_set("policy"))))
    return checker


def test_evidence_and_certificate_of_a_change_are_worked_out_again() -> None:
    """Statistics from the paired worths, their number and the finalists' from the stream; it names an earlier event."""
    stream = STREAM.model_copy(update={"tuning": TuningSection(confirm=0)})
    new, place = {**OLD.model_dump(), "strategy": "surrogate"}, Place(run=1, after_task=1)
    adopted = judge_policy(stream, load_set("policy"), OLD, new, place=place, previous="", evidence=GOOD)
    assert isinstance(adopted, PolicyAdopted)
    assert adopted.evidence is not None
    assert adopted.certificate is not None

    def problems(checker: PolicyChecker, **change: object) -> list[str]:
        return list(checker.decided(changed(adopted, **change)))

    recorded = adopted.evidence
    assert problems(checker_with()) == []
    assert problems(checker_with(), evidence=replace(recorded, p=1e-9, mean=3.0)) == [
        f"its evidence says mean 3, its paired worths give {GOOD.mean:g}",
        f"its evidence says p 1e-09, its paired worths give {GOOD.p:g}",
    ]
    assert problems(checker_with(), evidence=replace(recorded, new=recorded.old))[-1] == (
        "a policy was changed though the evidence does not support it"
    )
    bare = Evidence(count=recorded.count, mean=recorded.mean, p=recorded.p)
    assert "holds no paired worths" in problems(checker_with(), evidence=bare)[0]
    assert problems(checker_with(rehearsals=25)) == ["it was rehearsed 24 times, the stream says 25"]
    elsewhere = json.loads(adopted.certificate) | {"previous": "f" * 64}
    assert problems(checker_with(), certificate=json.dumps(elsewhere)) == [
        "the certificate does not name an earlier event of this life"
    ]
    generous = checker_with()
    generous._most = 1
    assert problems(generous) == ["the policy has 2 finalists a task, beyond the budget of 1"]
