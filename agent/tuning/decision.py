"""Self-tuning between tasks: propose policies, rehearse them, try them, and adopt one only by guard and evidence.

A change of the search policy is a candidate like any other. It must be a `SearchPolicy` (so it cannot name anything
outside it), stay under the stream's budget, pass the rules of scope `policy` in two engines, and win a paired one-
sided test on rehearsals that did not choose it. Then it goes on trial: on the next tasks rounds are lent to it, and
only a sequential test on real scores makes it the policy in force (`agent.tuning.trial`). The policy that was in force
before the present one is always among the candidates, and where it has won the latest two controls (rounds lent to it
on real tasks) it needs no rehearsal to be tried again: where it wins its trial, the change is rolled back. Everything
decided is one event with its evidence and certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from agent.ledger import events
from agent.state.state import LifeState, RunState
from agent.stream.file import Stream
from agent.stream.policy import SearchPolicy
from agent.tuning.breeding import bred_programs, with_program
from agent.tuning.rehearsal import Comparison, Rehearsal, compare
from agent.tuning.trial import CONTROL, Contests, lent_for, lent_number
from constraints import Certificate, ConstraintSet, decide_policy, policy_digest, speaks_of_programs
from selfnas import seeding

__all__ = [
    "ALPHA",
    "Place",
    "doubts",
    "earlier_programs",
    "judge_policy",
    "latest_controls",
    "policy_in_force",
    "policy_numbers",
    "policy_on_trial",
    "policy_replaced",
    "tune",
    "unruled",
]

ALPHA = 0.05  # chance to adopt a policy that is no better in the rehearsed worlds
_CONTROLS = 2  # in a row that the replaced policy must win to be tried again; its trial decides, so few will do
_LOOKED_AT = 8  # latest tasks that are searched for them
_CHOOSING = 6  # rehearsals that choose among proposals; confirmation uses others


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """After which task it is decided.

    Attributes:
        after_task: how many tasks of the run have ended.
    """

    run: int
    after_task: int


def policy_in_force(state: LifeState, stream: Stream) -> SearchPolicy:
    """The stream's policy, or what this life made of that very policy since; without `tuning` always the stream's."""
    change = None if stream.tuning is None else _latest_change(state, stream)
    return stream.policy if change is None else SearchPolicy.model_validate(change.new)


def policy_on_trial(state: LifeState, stream: Stream) -> SearchPolicy | None:
    """The policy that rounds are lent to, if there is one and it was proposed in the place of this stream's."""
    if stream.tuning is None or state.policy_trial is None:
        return None
    if state.policy_trial.base != stream.policy.record():
        return None
    return SearchPolicy.model_validate(state.policy_trial.new)


def policy_replaced(state: LifeState, stream: Stream) -> SearchPolicy | None:
    """The policy that controls are lent to; None where the present one was given, or `tuning` asks for none."""
    if stream.tuning is None or not (stream.tuning.control and stream.tuning.confirm):
        return None
    return _former(state, stream, policy_in_force(state, stream))


def latest_controls(evaluations: Iterable[events.Evaluated], *, number: int) -> Contests:
    """Of evaluations in order, the latest controls that were decided and could lead to the trial `number`."""
    tasks: dict[tuple[int, str], list[events.Evaluated]] = {}
    for evaluated in evaluations:
        lent = lent_for(evaluated, CONTROL)
        if lent is not None and lent.number == number:
            tasks.setdefault((lent.run, evaluated.task), []).append(evaluated)
    decided = [found for task in tasks.values() if (found := Contests.of(task, CONTROL)) != Contests()]
    latest = decided[-_CONTROLS:]
    return Contests(won=sum(one.won for one in latest), lost=sum(one.lost for one in latest))


def doubts(controls: Contests) -> bool:
    """Whether controls say that the replaced policy should be tried again."""
    return controls.won >= _CONTROLS and not controls.lost


def _former(state: LifeState, stream: Stream, present: SearchPolicy) -> SearchPolicy | None:
    """The policy that the present one replaced, if it was adopted rather than given."""
    change = _latest_change(state, stream)
    former = None if change is None else SearchPolicy.model_validate(change.old)
    return former if former != present else None


def _latest_change(state: LifeState, stream: Stream) -> events.PolicyAdopted | events.PolicyRolledBack | None:
    """What this life last made of that stream's very policy."""
    base = stream.policy.record()
    return next((change for change in reversed(state.policy_changes) if change.base == base), None)


def policy_numbers(policy: SearchPolicy) -> dict[str, int | str]:
    """What rules of scope `policy` can speak of: the fields that are whole numbers, and the program if there is one."""
    return {
        name: value
        for name, value in policy.model_dump().items()
        if isinstance(value, int) or (name == "acquisition" and value is not None)
    }


def unruled(envelope: ConstraintSet, old: SearchPolicy, new: SearchPolicy) -> bool:
    """Whether the program changes though no rule says what a program may be."""
    return new.acquisition != old.acquisition and not speaks_of_programs(envelope.of_scope("policy"))


def judge_policy(
    stream: Stream,
    envelope: ConstraintSet,
    old: SearchPolicy,
    proposed: Mapping[str, object],
    *,
    place: Place,
    previous: str,
    evidence: Comparison | None,
    rolls_back: bool = False,
    controls: Contests | None = None,
) -> events.PolicyDecided:
    """What a proposed change comes to: on trial, adopted, rolled back, kept out, or refused with the reason.

    Args:
        stream: its budget is a ceiling.
        envelope: the set whose policy rules judge.
        previous: hash of the event before.
        evidence: of the confirming rehearsals; without it nothing is adopted.
        rolls_back: whether the proposal is the policy that was in force before `old`.
        controls: won by that policy; they take the place of rehearsals where a trial follows.
    """
    record: dict[str, Any] = {
        **_record(stream, old, place, new=dict(proposed)),
        "evidence": None if evidence is None else msgspec.convert(asdict(evidence), events.Evidence),
        "controls": events.UNSET if controls is None else events.Wins(won=controls.won, lost=controls.lost),
    }
    try:
        new = SearchPolicy.model_validate(proposed)
    except ValueError as error:
        first = str(error).splitlines()
        return events.PolicyRefused(**{**record, "reason": f"not a search policy: {' '.join(first[1:3])}"})
    record["new"] = new.record()
    if new.finalists_per_task > stream.budget.full_trainings:
        return events.PolicyRefused(**{**record, "reason": "finalists_per_task is above the budget's full_trainings"})
    if not envelope.of_scope("policy"):
        return events.PolicyRefused(**{**record, "reason": f"set {envelope.name!r} has no rules of scope policy"})
    if unruled(envelope, old, new):
        return events.PolicyRefused(**{**record, "reason": f"set {envelope.name!r} has no rule about acquisition"})
    decision = decide_policy(envelope, policy_numbers(old), policy_numbers(new), previous=previous)
    record["certificate"] = decision.certificate.to_json()
    record["failed"] = list(decision.failed)
    if decision.verdict != "admit":
        return events.PolicyRefused(**{**record, "reason": "; ".join(decision.messages) or decision.verdict})
    tried = stream.tuning is not None and stream.tuning.confirm > 0
    missed = tried and rolls_back and controls is not None and doubts(controls)
    if not missed and (evidence is None or not (evidence.p < ALPHA and evidence.mean > 0)):
        return events.PolicyKept(**{**record, "reason": "no better in rehearsal"})
    if tried:
        return events.PolicyProposed(**record, rolls_back=rolls_back)
    return (events.PolicyRolledBack if rolls_back else events.PolicyAdopted)(**record)


def tune(
    state: LifeState,
    run: RunState,
    stream: Stream,
    envelope: ConstraintSet,
    rehearsal: Rehearsal,
    *,
    previous: str,
) -> list[events.PolicyDecided]:
    """What is decided about the policy after the latest task of a run: at most one change.

    The best proposal by the choosing rehearsals goes to the gate first; when rules refuse it, that is recorded and the
    next best that they admit is confirmed on rehearsals of its own.
    """
    assert stream.tuning is not None  # noqa: S101 - the caller asked
    old = policy_in_force(state, stream)
    place = Place(run=run.number, after_task=len(run.tasks))
    if policy_on_trial(state, stream) is not None:
        return [_judged(state, stream, envelope, place)]
    judge = partial(judge_policy, stream, envelope, old, place=place, previous=previous)
    former = _former(state, stream, old)
    if former is not None and policy_replaced(state, stream) == former:
        controls = _controls(state)
        if doubts(controls):
            return [judge(former.record(), evidence=None, rolls_back=True, controls=controls)]
    if not rehearsal.possible:
        return [events.PolicyKept(**{**_record(stream, old, place), "reason": "too few trials to rehearse on"})]
    decided: list[events.PolicyDecided] = []
    for new in _proposals(old, former, state, stream, envelope, place, rehearsal):
        decision = decide_policy(envelope, policy_numbers(old), policy_numbers(new), previous=previous)
        admitted = decision.verdict == "admit" and new.finalists_per_task <= stream.budget.full_trainings
        if not admitted and decided:
            continue
        numbers = range(_CHOOSING, _CHOOSING + stream.tuning.rehearsals)
        evidence = compare(rehearsal, new, old, numbers) if admitted else None
        decided.append(judge(new.record(), evidence=evidence, rolls_back=new == former))
        if admitted:
            break
    return decided or [events.PolicyKept(**{**_record(stream, old, place), "reason": "no proposal did better"})]


def _record(stream: Stream, old: SearchPolicy, place: Place, *, new: dict[str, object] | None = None) -> dict[str, Any]:
    """What every decision says; as long as nothing else is known, that nothing is proposed."""
    dumped = old.record()
    return {
        "run": place.run,
        "after_task": place.after_task,
        "base": stream.policy.record(),
        "old": dumped,
        "new": dumped if new is None else new,
        "evidence": None,
        "certificate": None,
        "failed": [],
        "reason": "",
    }


def _controls(state: LifeState) -> Contests:
    """The latest controls since the latest trial ended."""
    backwards = (task for run in reversed(state.runs) for task in reversed(run.tasks))
    latest = reversed(list(islice(backwards, _LOOKED_AT)))
    return latest_controls((found for task in latest for found in task.own_evaluations), number=state.policy_trials + 1)


def _judged(state: LifeState, stream: Stream, envelope: ConstraintSet, place: Place) -> events.PolicyDecided:
    """What the trial has come to after one more task."""
    trial, tuning, number = state.policy_trial, stream.tuning, state.policy_trials
    assert trial is not None  # noqa: S101 - the caller looked
    assert tuning is not None  # noqa: S101 - so did it here
    since = [
        task
        for run in state.runs[trial.run - 1 :]
        for task in run.tasks[trial.after_task if run.number == trial.run else 0 :]
    ]  # what it was proposed after cannot have been lent to it
    lent = [[found for found in task.own_evaluations if lent_number(found) == number] for task in since]
    contests = Contests.of(evaluated for found in lent for evaluated in found)
    tried = sum(map(bool, lent))
    record: dict[str, Any] = {
        **msgspec.structs.asdict(trial),
        "run": place.run,
        "after_task": place.after_task,
        "confirmation": events.Confirmation(won=contests.won, lost=contests.lost, wealth=contests.wealth, tasks=tried),
    }
    guard = Certificate.from_json(str(trial.certificate)).guard
    finalists = SearchPolicy.model_validate(trial.new).finalists_per_task
    if guard != policy_digest(envelope) or finalists > stream.budget.full_trainings:
        return events.PolicyKept(**{**record, "reason": "other rules or another budget are in force than judged it"})
    if contests.wealth >= 1 / ALPHA:
        return (events.PolicyRolledBack if trial.rolls_back else events.PolicyAdopted)(**record)
    if tried < tuning.confirm:
        return events.PolicyTried(**record)
    return events.PolicyKept(**{**record, "reason": f"not confirmed on {tried} tasks"})


def earlier_programs(changes: Iterable[tuple[Mapping[str, object], Mapping[str, object]]]) -> list[str]:
    """The programs that changes of one stream's policy brought or took, oldest first; changes are pairs old, new."""
    found = [policy.get("acquisition") for pair in changes for policy in pair]
    return list(dict.fromkeys(text for text in found if isinstance(text, str)))


def _programs(
    old: SearchPolicy, state: LifeState, stream: Stream, envelope: ConstraintSet, place: Place
) -> Iterator[SearchPolicy]:
    """Policies with programs bred from what is in force: as many as the stream asks for of those that rules admit."""
    assert stream.tuning is not None  # noqa: S101 - the caller asked
    if stream.tuning.programs is None or not speaks_of_programs(envelope.of_scope("policy")):
        return
    base = stream.policy.record()
    earlier = earlier_programs((change.old, change.new) for change in state.policy_changes if change.base == base)
    wanted, found = stream.tuning.programs, 0
    for program in bred_programs(
        old.acquisition, earlier, wanted, seed=stream.seed, run=place.run, after_task=place.after_task
    ):
        new = with_program(old, program, stream.tuning.strategies)
        if new is None or found >= wanted:
            return
        if decide_policy(envelope, policy_numbers(old), policy_numbers(new)).verdict == "admit":
            found += 1
            yield new


def _proposals(
    old: SearchPolicy,
    former: SearchPolicy | None,
    state: LifeState,
    stream: Stream,
    envelope: ConstraintSet,
    place: Place,
    rehearsal: Rehearsal,
) -> list[SearchPolicy]:
    """Distinct policies other than the present one that gained in the choosing rehearsals, best first."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    assert stream.tuning is not None  # noqa: S101 - the caller asked
    seed = seeding.derive(stream.seed, "tuning", place.run, place.after_task)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed % 2**32))
    gains: dict[str, tuple[float, SearchPolicy]] = {}

    def gain(policy: SearchPolicy) -> float:
        found = compare(rehearsal, policy, old, range(_CHOOSING)).mean
        gains[policy.model_dump_json()] = (found, policy)
        return found

    def objective(trial: optuna.Trial) -> float:
        population = trial.suggest_int("population", max(2, -(-old.population // 2)), 2 * old.population, log=True)
        return gain(
            old.model_copy(
                update={
                    "strategy": trial.suggest_categorical("strategy", strategies),
                    "population": population,
                    "sample": max(1, round(population * trial.suggest_float("sample_share", 0.1, 1.0))),
                    "crossover_percent": trial.suggest_int("crossover_percent", 0, 100, step=25),
                }
            )
        )

    if former is not None:
        gain(former)
    # First each strategy as the other settings stand: eight random draws miss one of six in a quarter of cases.
    strategies = list(dict.fromkeys(stream.tuning.strategies))
    asis = [strategy for strategy in strategies if strategy != old.strategy][: stream.tuning.proposals]
    for strategy in asis:
        gain(old.model_copy(update={"strategy": strategy}))
    for policy in _programs(old, state, stream, envelope, place):
        gain(policy)
    study.optimize(objective, n_trials=stream.tuning.proposals - len(asis))
    better = sorted(gains.values(), key=lambda pair: -pair[0])
    return [policy for found, policy in better if found > 0 and policy != old]
