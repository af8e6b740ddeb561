"""By which search policy the rounds of a task are lived: the one in force, or one that a round is lent to."""

from __future__ import annotations

from agent.ledger.events import Lent
from agent.life.context import TaskContext
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import policy_in_force, policy_on_trial, policy_replaced
from agent.tuning.trial import CONTROL, PROPOSED, TRIAL, Purpose, control_contest, on_turn

__all__ = ["Turns"]


class Turns:
    """Whose turn it is in the rounds of one task.

    Attributes:
        present: the policy in force.
    """

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self.present = policy_in_force(context.state, context.stream)
        self._trial = policy_on_trial(context.state, context.stream)
        self._replaced = policy_replaced(context.state, context.stream) if self._trial is None else None

    @property
    def policy(self) -> SearchPolicy:
        """Of the coming round."""
        other = self._trial or self._replaced
        is_lent = any(turn.by == PROPOSED for turn in self.lent().values())
        return other if is_lent and other is not None else self.present

    def lent(self) -> dict[Purpose, Lent]:
        """What the coming round is lent for and whose it is, for its events; nothing for an ordinary round."""
        context, seed = self._context, self._context.stream.seed
        run, index, trials = context.run.number, context.index, context.state.policy_trials
        contest, by = on_turn(context.task.rounds, seed=seed, run=run, task=index)
        if self._trial is not None:
            return {TRIAL: Lent(run=run, contest=contest, by=by, number=trials)}
        if self._replaced is not None:
            rounds = context.stream.budget.evaluations // self.present.batch
            if contest == control_contest(rounds, seed=seed, run=run, task=index):
                return {CONTROL: Lent(run=run, contest=contest, by=by, number=trials + 1)}
        return {}
