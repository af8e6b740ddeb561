"""Confirmation of a search policy on real tasks: rounds lent to it in turn, and a test that may stop at any time.

Two consecutive rounds of a task are a contest: one is proposed by the policy in force, one by the policy on trial, and
a seeded coin decides which comes first, so that neither gains from what the other found. The round with the better
best score wins. No evaluation is spent for the test alone. The evidence is the wealth of a gambler who bets on the new
policy at even odds: where it wins no more than half of the contests, the chance that the wealth ever reaches
1 / alpha is at most alpha, however often one looks. Sources: Ville 1939; Shafer 2021 (testing by betting); Chapelle,
Joachims, Radlinski, Yue 2012 (interleaved comparison).

Under a policy that was adopted, one contest of each task, drawn from the task's later half, is a *control*: it is lent
to the policy that was replaced. Controls alone change nothing; they say when that policy should be tried again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agent.ledger.events import UNSET, Evaluated, Lent
from selfnas import seeding

__all__ = [
    "CONTROL",
    "PRESENT",
    "PROPOSED",
    "TRIAL",
    "Contests",
    "Purpose",
    "control_contest",
    "lent_for",
    "lent_number",
    "on_turn",
]

PRESENT, PROPOSED = "present", "proposed"
Purpose = Literal["trial", "control"]  # what a round was lent for
TRIAL: Purpose = "trial"
CONTROL: Purpose = "control"
_GIVEN = ("recalled", "scored", "published")  # origins of what no policy proposed
_BETS = (0.2, 0.5, 0.8)  # shares of the wealth put on each contest; the wealth is spread over the three


@dataclass(frozen=True, slots=True, kw_only=True)
class Contests:
    """What a trial has come to.

    Attributes:
        won: contests that the policy on trial won.
        lost: that it lost; ties count for neither.
    """

    won: int = 0
    lost: int = 0

    @property
    def wealth(self) -> float:
        """Of the gambler, who began with 1.

        Example:
            >>> Contests().wealth, round(Contests(won=9).wealth), round(Contests(won=9, lost=6).wealth, 2)
            (1.0, 81, 0.66)
        """
        return sum((1 + bet) ** self.won * (1 - bet) ** self.lost for bet in _BETS) / len(_BETS)

    @staticmethod
    def of(evaluations: Iterable[Evaluated], purpose: Purpose = TRIAL) -> Contests:
        """Of evaluations of one trial, or of controls; those of other rounds must be left out.

        A contest counts when both rounds are complete, of equal size, and held no architecture that was given.
        """
        rounds: dict[tuple[str, int, str], list[Evaluated]] = {}
        for evaluated in evaluations:
            lent = lent_for(evaluated, purpose)
            assert lent is not None  # noqa: S101 - the caller picked them
            rounds.setdefault((f"{lent.run}/{evaluated.task}", lent.contest, lent.by), []).append(evaluated)
        won = lost = 0
        for (task, contest, by), ours in rounds.items():
            theirs = rounds.get((task, contest, PRESENT), [])
            if by != PROPOSED or len(ours) != len(theirs) or any(one.origin in _GIVEN for one in (*ours, *theirs)):
                continue
            new, old = (max(map(_worth, side)) for side in (ours, theirs))
            won += new > old
            lost += new < old
        return Contests(won=won, lost=lost)


def on_turn(round_: int, *, seed: int, run: int, task: int) -> tuple[int, str]:
    """The contest that a round of a task belongs to, and whose turn it is in it."""
    contest, second = divmod(round_, 2)
    first_is_new = seeding.derive(seed, "trial", run, task, contest) % 2 == 0
    return contest, PROPOSED if first_is_new != bool(second) else PRESENT


def control_contest(rounds: int, *, seed: int, run: int, task: int) -> int | None:
    """Which contest of a task of so many rounds is the control; None where there are fewer than two rounds."""
    contests = rounds // 2
    if not contests:
        return None
    first = contests // 2
    return first + seeding.derive(seed, "control", run, task) % (contests - first)


def lent_for(evaluated: Evaluated, purpose: Purpose = TRIAL) -> Lent | None:
    """What the round of an evaluation was lent for; None where it was not, or for something else."""
    lent = evaluated.trial if purpose == TRIAL else evaluated.control
    return None if lent is UNSET else lent


def lent_number(evaluated: Evaluated, purpose: Purpose = TRIAL) -> int:
    """The trial of a life, from 1, that an evaluation belongs to or, a control, could lead to; else 0."""
    lent = lent_for(evaluated, purpose)
    return lent.number if lent else 0


def _worth(evaluated: Evaluated) -> float:
    return float("-inf") if evaluated.worth is None else evaluated.worth
