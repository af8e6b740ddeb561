"""The life of one task: describe and recall, search in rounds, score finalists in full, compare, close.

It is one life for every evaluator. Where networks can be examined, finalists are audited and the best of them,
admitted or not, is compared with a hand-designed network and with baselines that owe nothing to the search; where a
supernet can be trained, it may guide strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.ledger.events import UNSET, Facts, TaskFinished
from agent.life.baselines import asked, baselined
from agent.life.context import TaskContext
from agent.life.finalists import compared, comparison, finalist_events, next_finalists
from agent.life.first import first_left
from agent.life.observer import Observer
from agent.life.rounds import round_events
from agent.life.start import started
from agent.life.supernet import guided_strategy, searched_supernet
from agent.life.turns import Turns
from agent.memory.operators import composing_entries
from agent.memory.subcells import blocks_in_force, mined_in_force, mining_entries
from agent.state.limits import limits_of
from agent.state.saturation import saturated
from agent.stream.policy import SearchPolicy
from agent.workers.trained import BaselineFitter, Examiner, Expecting, SupernetTrainer
from selfnas.strategies import Strategy, make_strategy
from selfnas.strategies.evolution import with_subcells
from selfnas.strategies.guided import GUIDED
from selfnas.strategies.progressive import Progressive
from selfnas.strategies.transfer import Transfer, with_budget, with_past_tasks
from selfnas.training.evaluation import Evaluator

__all__ = ["live_task", "strategy_of"]


def live_task(
    context: TaskContext, evaluator: Evaluator, *, append: Callable[[Sequence[Facts]], object], observer: Observer
) -> None:
    """Every step of a task that is still to be taken, from wherever the ledger says it stands.

    Args:
        context: what steps read.
        evaluator: made for the task.
        append: writes the events of one step, and folds them into the state that `context` reads.
        observer: receives the progress.
    """
    turns, budget = Turns(context), context.stream.budget

    def on_done() -> None:
        observer.advanced(context.task, steps=1)

    if not context.started:
        append([started(context, turns.present)])
    observer.task_begins(context.task, steps=budget.evaluations + turns.present.finalists_per_task + 1)
    guided = turns.policy.strategy
    if guided in GUIDED and isinstance(evaluator, SupernetTrainer) and context.task.supernet is None:
        append([searched_supernet(context, evaluator, guided)])
    while len(context.task.trials) < budget.evaluations and not (context.task.exhausted or _told_apart(context, turns)):
        policy, lent = turns.policy, turns.lent()
        strategy, warm = strategy_of(context, policy), first_left(context, policy)
        append(round_events(context, evaluator, strategy, policy, warm=warm, lent=lent, on_done=on_done))
    while chosen := next_finalists(context, turns.present):
        append(finalist_events(context, evaluator, chosen, on_done=on_done))
    best, names = context.task.best(), context.task.started.baselines
    if isinstance(evaluator, Expecting) and names is not UNSET and context.task.compared is None and best is not None:
        seed, against = asked(context)
        evaluator.expect([comparison(context, best)], names, seed=seed, against=against)
    if isinstance(evaluator, Examiner) and context.task.compared is None and best is not None:
        append([compared(context, evaluator, best, on_done=on_done)])
    if isinstance(evaluator, BaselineFitter) and names is not UNSET and context.task.baselined is None:
        append([baselined(context, evaluator, names)])
    append(_closing(context))
    observer.task_ends(context.run, context.task)


def _told_apart(context: TaskContext, turns: Turns) -> bool:
    """Whether nothing is left for scores to tell; costs, fidelities and policies on trial have their rounds anyway."""
    stream = context.stream
    if context.tabular or stream.objective is not None or stream.halving is not None or stream.tuning is not None:
        return False
    return saturated(context.task.evaluations, turns.present.finalists_per_task)


def strategy_of(context: TaskContext, policy: SearchPolicy) -> Strategy:
    """What a policy proposes with, given what earlier tasks taught and their winners share."""
    if policy.strategy in GUIDED:
        chosen = guided_strategy(context.task)
    else:
        made = make_strategy(policy.strategy, policy.strategy_settings())
        blocks = blocks_in_force(context.state, space=context.own.space.name, tabular=context.tabular)
        chosen = with_subcells(with_budget(made, context.stream.budget.evaluations), blocks)
        if isinstance(chosen, Transfer):  # reading what all past tasks taught takes time
            chosen = with_past_tasks(chosen, context.past)
    return Progressive(strategy=chosen, patience=policy.progressive) if policy.progressive else chosen


def _closing(context: TaskContext) -> list[Facts]:
    """The end of a task, with what it gives to later ones: what winners share, and an operator composed of that."""
    state, run, task, stream = context.state, context.run, context.task, context.stream
    space = context.own.space.name
    admitted = task.admitted()
    finished = TaskFinished(
        run=run.number,
        task=task.name,
        evaluations=len(task.trials),
        full_trainings=len(task.fully_trained) - len(task.tabulated),
        winner=admitted[0].digest if admitted else None,
        limits=limits_of(task),
        audited=UNSET if task.tabular else task.audited,
    )
    mined = mining_entries(state, run, task, space=space, tabular=context.tabular)
    composed: Sequence[Facts] = ()
    if stream.operators is not None and not context.tabular:
        composed = composing_entries(
            state,
            run,
            task,
            mined_in_force(state, space=space, tabular=False, latest=mined),
            context.prepared.set_,
            space=space,
            macro=context.macro,
            shape=context.own.shape,
            most=stream.operators,
            previous=context.head(),
        )
    return [finished, *mined, *composed]
