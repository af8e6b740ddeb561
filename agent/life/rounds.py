"""One round of a search: propose, certify, choose by proxy, evaluate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agent.gate.domain import GuardedDomain
from agent.ledger.events import UNSET, Certified, Evaluated, Facts, Filtered, Gated, Lent, Quarantined, Rejected
from agent.life.context import TaskContext
from agent.life.fidelity import comparable, low_fidelity, scored_again
from agent.memory.proxy import LEARNED, learned_scores
from agent.state.agreement import LOW, measured_agreement
from agent.stream.policy import SearchPolicy
from agent.stream.training import plan_digest
from agent.tuning.trial import CONTROL, TRIAL, Purpose
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.strategies import Strategy
from selfnas.strategies.halving import Assignment
from selfnas.strategies.table import RELEASES
from selfnas.training.early_stopping import least_accuracies
from selfnas.training.evaluation import Evaluation, Evaluator, Fidelity, OnDone, ProxyScorer, Request

__all__ = ["planned", "round_events"]


def round_events(
    context: TaskContext,
    evaluator: Evaluator,
    strategy: Strategy,
    policy: SearchPolicy,
    *,
    warm: Mapping[Architecture, str],
    lent: Mapping[Purpose, Lent],
    on_done: OnDone,
) -> list[Facts]:
    """The events of the coming round.

    Args:
        context: of the task.
        evaluator: scores what is chosen; proxies choose only where it has them.
        strategy: proposes.
        policy: by which the round is lived.
        warm: what is still to be tried first, each with its origin.
        lent: what each evaluation says of whose round it is.
        on_done: called at each evaluation that is done.
    """
    task, domain = context.task, context.domain()
    fidelity, known, promoted, wanted = planned(context, policy)
    oversample = policy.oversample if isinstance(evaluator, ProxyScorer) else 1
    proposed = strategy(known, domain, wanted * oversample, context.rng("round", task.rounds), warm=list(warm))
    gated = [(architecture, context.gate(architecture)) for architecture in proposed]
    events: list[Facts] = [made for architecture, made in gated if str(architecture) not in task.certificates]
    events += _explained_examples(context, domain)
    certified = [architecture for architecture, made in gated if isinstance(made, Certified)]
    origins = {context.known_by(one): origin for one, origin in warm.items()}
    chosen, proxies = _choose(context, evaluator, policy, certified, wanted, first=origins)
    requests = [_request(context, up.architecture, up.fidelity) for up in promoted]
    requests += [_request(context, fresh, fidelity) for fresh in chosen]
    for place, (request, answer) in enumerate(
        zip(requests, evaluator.evaluate(requests, on_done=on_done), strict=True)
    ):
        origin = origins.get(context.known_by(request.architecture), "searched")
        told: dict[str, Any] = {"origin": "promoted" if place < len(promoted) else origin, "proxy": None}
        told |= proxies.get(request.architecture.digest, {})
        told |= {"trial": lent.get(TRIAL, UNSET), "control": lent.get(CONTROL, UNSET)}
        events.append(_evaluated(context, request, answer, told))
    rules, exhausted = dict(sorted(domain.filtered.items())), not requests and not warm
    made = [one for one in events if isinstance(one, Evaluated)]
    agreement = measured_agreement([*task.evaluations, *made], task.agreements)
    ended = Filtered(
        task=task.name,
        rules=rules,
        exhausted=exhausted,
        agreement=agreement,
        release=RELEASES.get(policy.strategy, UNSET),
    )
    return [*events, ended]


def planned(context: TaskContext, policy: SearchPolicy) -> tuple[Fidelity, Sequence[Trial], Sequence[Assignment], int]:
    """At which fidelity the round scores, what a strategy may compare, what is scored again, how many are wanted."""
    task, stream = context.task, context.stream
    wanted = min(policy.batch, stream.budget.evaluations - len(task.trials))
    if stream.halving is not None:
        bracket = stream.halving.bracket(task.rounds)
        promoted: Sequence[Assignment] = bracket.promotions(task.trials)[:wanted]
        return bracket.rungs[0], bracket.comparable(task.trials), promoted, wanted - len(promoted)
    fidelity = low_fidelity(stream, task)
    promoted = scored_again(task, fidelity, wanted)
    known = task.trials if fidelity.name == LOW else comparable(task.trials, fidelity)
    return fidelity, known, promoted, wanted - len(promoted)


def _explained_examples(context: TaskContext, domain: GuardedDomain) -> list[Gated]:
    """For each rule that kept something out for the first time on this task, one case with all its reasons."""
    told = {rule for rejection in context.task.rejected for rule in rejection.failed}
    made: list[Gated] = []
    for rule, vector in domain.examples.items():
        if rule not in told:
            made.append(context.gate(context.space.decode(vector, macro=context.macro)))
            if isinstance(made[-1], Rejected | Quarantined):
                told.update(made[-1].failed)
    return made


def _choose(
    context: TaskContext,
    evaluator: Evaluator,
    policy: SearchPolicy,
    certified: Sequence[Architecture],
    wanted: int,
    *,
    first: Collection[str],
) -> tuple[list[Architecture], dict[str, Mapping[str, Any]]]:
    """Those that come first, then the best by proxy, and what the events should say of their proxies.

    Without a choice to make no proxy is computed, unless it is learned: then every trial teaches.
    """
    learned = policy.proxy == LEARNED and policy.oversample > 1
    if not isinstance(evaluator, ProxyScorer) or (len(certified) <= wanted and not learned):
        return list(certified), {}
    leading = [architecture for architecture in certified if context.known_by(architecture) in first]
    others = [architecture for architecture in certified if context.known_by(architecture) not in first]
    asked = certified if learned else others
    fidelity = context.stream.low.fidelity("low")
    requests = [Request(architecture=one, fidelity=fidelity, seed=context.seed("proxy", one)) for one in asked]
    found = evaluator.proxy_scores(requests, proxy=None if learned else policy.proxy)
    if learned:
        worth = learned_scores(context.state, context.task, found)
        told: list[dict[str, Any]] = [{"proxy": v, "proxies": dict(row)} for v, row in zip(worth, found, strict=True)]
    else:
        worth = [row[policy.proxy] for row in found]
        told = [{"proxy": value} for value in worth]
    digests = [architecture.digest for architecture in asked]
    scores = dict(zip(digests, worth, strict=True))
    others.sort(key=lambda architecture: -_or_lowest(scores[architecture.digest]))
    return (leading + others)[:wanted], dict(zip(digests, told, strict=True))


def _request(context: TaskContext, architecture: Architecture, fidelity: Fidelity) -> Request:
    """A short training, stopped where the stream says so and its curve cannot reach the best."""
    least: tuple[float, ...] = ()
    if context.stream.curve_stop:
        alike = [at for at in context.task.evaluations if at.fidelity == fidelity.name and at.score is not None]
        least = least_accuracies([at.curve for at in alike])
    seed = context.seed(fidelity.name, architecture)
    return Request(architecture=architecture, fidelity=fidelity, seed=seed, least=least)


def _evaluated(context: TaskContext, request: Request, answer: Evaluation, told: Mapping[str, Any]) -> Evaluated:
    """What an evaluation gave, what the objective makes of it where there is one, and what else is recorded."""
    architecture, objective = request.architecture, context.stream.objective
    weighed: dict[str, Any] = {}
    if objective is not None:
        costs = objective.costs(architecture, context.own.shape, context.prepared.device)
        value = None if answer.score is None else objective.value(answer.score, costs)
        objectives = [] if value is None else list(objective.objectives(value, costs))
        weighed = {"costs": costs, "value": value, "objectives": objectives}
    return Evaluated(
        task=context.task.name,
        architecture=str(architecture),
        digest=architecture.digest,
        fidelity=request.fidelity.name,
        score=answer.score,
        reason=answer.reason,
        curve=list(answer.curve),
        repeats=list(answer.repeats) or UNSET,
        plan=UNSET if context.tabular else plan_digest(context.stream.training, request.fidelity),
        **told,
        **weighed,
    )


def _or_lowest(score: float | None) -> float:
    return float("-inf") if score is None else score
