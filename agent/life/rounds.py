"""One round of a search: propose, certify, choose by proxy, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.gate.domain import GuardedDomain
from agent.ledger.events import UNSET, Certified, Evaluated, Facts, Filtered, Gated, Lent, Quarantined, Rejected
from agent.life.context import TaskContext
from agent.memory.proxy import LEARNED, learned_scores
from agent.stream.policy import SearchPolicy
from agent.tuning.trial import CONTROL, TRIAL, Purpose
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.space import parse_architecture
from selfnas.strategies import Strategy
from selfnas.training.early_stopping import least_accuracies
from selfnas.training.evaluation import Evaluation, Evaluator, Fidelity, ProxyScorer, Request

__all__ = ["round_events"]


def round_events(
    context: TaskContext,
    evaluator: Evaluator,
    strategy: Strategy,
    policy: SearchPolicy,
    *,
    lent: Mapping[Purpose, Lent],
    on_done: Callable[[], None],
) -> list[Facts]:
    """The events of the coming round.

    Args:
        context: of the task.
        evaluator: scores what is chosen; proxies choose only where it has them.
        strategy: proposes.
        policy: by which the round is lived.
        lent: what each evaluation says of whose round it is.
        on_done: called at each evaluation that is done.
    """
    task, stream, domain = context.task, context.stream, context.domain()
    warm = _recalled_left(context)
    wanted = min(policy.batch, stream.budget.evaluations - len(task.trials))
    halving = stream.halving.bracket(task.rounds) if stream.halving else None
    promoted = halving.promotions(task.trials)[:wanted] if halving else ()
    known = halving.comparable(task.trials) if halving else task.trials
    wanted -= len(promoted)
    oversample = policy.oversample if isinstance(evaluator, ProxyScorer) else 1
    proposed = strategy(known, domain, wanted * oversample, context.rng("round", task.rounds), warm=warm)
    gated = [(architecture, context.gate(architecture)) for architecture in proposed]
    events: list[Facts] = [made for architecture, made in gated if str(architecture) not in task.certificates]
    events += _explained_examples(context, domain)
    certified = [architecture for architecture, made in gated if isinstance(made, Certified)]
    first = {context.known_by(architecture) for architecture in warm}
    chosen, proxies = _choose(context, evaluator, policy, certified, wanted, first=first)
    fidelity = halving.rungs[0] if halving else stream.low.fidelity("low")
    asked = [*((up.architecture, up.fidelity) for up in promoted), *((fresh, fidelity) for fresh in chosen)]
    answers = evaluator.evaluate([_request(context, *each) for each in asked], on_done=on_done)
    for place, ((architecture, fidelity), answer) in enumerate(zip(asked, answers, strict=True)):
        origin = "recalled" if context.known_by(architecture) in first else "searched"
        events.append(
            Evaluated(
                task=task.name,
                architecture=str(architecture),
                digest=architecture.digest,
                origin="promoted" if place < len(promoted) else origin,
                fidelity=fidelity.name,
                score=answer.score,
                reason=answer.reason,
                curve=list(answer.curve),
                **{"proxy": None, **proxies.get(architecture.digest, {})},
                **_weighed(context, architecture, answer),
                trial=lent.get(TRIAL, UNSET),
                control=lent.get(CONTROL, UNSET),
            )
        )
    rules, exhausted = dict(sorted(domain.filtered.items())), not asked and not warm
    return [*events, Filtered(task=task.name, rules=rules, exhausted=exhausted)]


def _recalled_left(context: TaskContext) -> list[Architecture]:
    """Recalled architectures that were neither tried nor turned away yet."""
    task = context.task
    known = {context.known_by(record) for record in (*task.evaluations, *task.rejected)}
    left = (one for one in task.started.recalled if context.known_by(one) not in known)
    return [parse_architecture(one.architecture) for one in left]


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
    first: set[str],
) -> tuple[list[Architecture], dict[str, Mapping[str, Any]]]:
    """Recalled ones, then the best by proxy, and what the events should say of their proxies.

    Without a choice to make no proxy is computed, unless it is learned: then every trial teaches.
    """
    learned = policy.proxy == LEARNED and policy.oversample > 1
    if not isinstance(evaluator, ProxyScorer) or (len(certified) <= wanted and not learned):
        return list(certified), {}
    recalled = [architecture for architecture in certified if context.known_by(architecture) in first]
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
    return (recalled + others)[:wanted], dict(zip(digests, told, strict=True))


def _request(context: TaskContext, architecture: Architecture, fidelity: Fidelity) -> Request:
    """A short training, stopped where the stream says so and its curve cannot reach the best."""
    least: tuple[float, ...] = ()
    if context.stream.curve_stop:
        alike = [at for at in context.task.evaluations if at.fidelity == fidelity.name and at.score is not None]
        least = least_accuracies([at.curve for at in alike], fidelity.epochs)
    seed = context.seed(fidelity.name, architecture)
    return Request(architecture=architecture, fidelity=fidelity, seed=seed, least=least)


def _weighed(context: TaskContext, architecture: Architecture, answer: Evaluation) -> dict[str, Any]:
    """What the objective makes of a score, beside it in the event; nothing without an objective."""
    objective = context.stream.objective
    if objective is None:
        return {}
    costs = objective.costs(architecture, context.own.shape, context.prepared.device)
    value = None if answer.score is None else objective.value(answer.score, costs)
    objectives = [] if value is None else list(objective.objectives(value, costs))
    return {"costs": costs, "value": value, "objectives": objectives}


def _or_lowest(score: float | None) -> float:
    return float("-inf") if score is None else score
