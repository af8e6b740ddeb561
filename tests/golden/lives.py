"""All that the stored lives need of the package: how their state is opened, verified and put in a few words."""

from __future__ import annotations

import time
from pathlib import Path

from agent.commands.motifs import revoke
from agent.ledger.events import KINDS as MODELS
from agent.ledger.events import Event, Facts
from agent.ledger.home import Home
from agent.ledger.store import GENESIS, Ledger, event_hash
from agent.memory.subcells import blocks_in_force
from agent.state.drift import fold
from agent.state.opening import recollect
from agent.state.state import LifeState, TaskState, replay
from agent.verify.verification import Verification, verify
from selfnas.digests import canonical_json
from tests.agent.tabular_lives import live

__all__ = [
    "GENESIS",
    "KINDS",
    "canonical_json",
    "event_hash",
    "events_of",
    "live_tabular",
    "summary_as_opened",
    "summary_of",
    "verified",
    "written_again",
]

KINDS = frozenset(MODELS)
# With memory and mined sub-cells, but without a strategy that fits a model: those may differ between processors in the
# last digit, and this life is lived again on any machine.
_TABULAR = """\
stream: tabular
format: 1
constraints: rules.yaml
budget: {evaluations: 20, full_trainings: 2}
policy: {population: 8, sample: 4, batch: 4, recall: 2, implant_percent: 50, crossover_percent: 25}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
  - {name: three, source: table, dataset: c}
  - {name: four, source: table, dataset: a}
"""
_RULES = """\
set: rules
language: 1
spaces: [nb201]
rules:
  - id: connected
    scope: cell
    require: exists path(input, output)
    why: nothing is learned otherwise
    message: no path leads from input to output
  - id: few-skips
    scope: cell
    require: count(edge(op in {skip})) <= 2
    why: a cell of skips computes nothing
    message: more than two edges are skips
"""


def live_tabular(home: Path) -> None:
    """Two runs on made-up tables, with a sub-cell revoked between them; their rules stand beside it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    (home.parent / "rules.yaml").write_text(_RULES)
    state = live(home, text=_TABULAR)
    digest = blocks_in_force(state, space="nb201", tabular=True)[0].digest
    revoke(home, digest, author="Ada", reason="hard to explain")
    live(home, text=_TABULAR, overrides=["policy.recall=1", "budget.evaluations=12"])


def events_of(home: Path) -> list[Event[Facts]]:
    """Every event, as the package reads it."""
    with _ledger(home) as ledger:
        return list(ledger.events())


def written_again(home: Path, place: Path) -> Path:
    """The same events appended to a new ledger; its file."""
    path = Home(place).ledger
    path.parent.mkdir(parents=True)
    with Ledger(path, clock=time.time) as ledger:
        ledger.append([event.facts for event in events_of(home)])
    return path


def verified(home: Path) -> Verification:
    """What verification finds."""
    with _ledger(home) as ledger:
        return verify(ledger, Home(home))


def summary_of(home: Path) -> dict[str, object]:
    """The state that a fold of every event gives, in a few words."""
    with _ledger(home) as ledger:
        return _summary(replay(ledger))


def summary_as_opened(home: Path) -> dict[str, object]:
    """The same of the state with which a life goes on: with the snapshot, which is made where there is none."""
    with Ledger(Home(home).ledger, clock=time.time) as ledger:
        state = recollect(ledger, Home(home).snapshot)
        try:
            return _summary(state)
        finally:
            state.close()


def _ledger(home: Path) -> Ledger:
    return Ledger(Home(home).ledger, clock=time.time, read_only=True)


def _summary(state: LifeState) -> dict[str, object]:
    """What later decisions depend on, as JSON values."""
    return {
        "runs": [
            {
                "number": run.number,
                "finished": run.finished,
                "tuned": run.tuned,
                "tasks": [_summary_of_task(task) for task in run.tasks],
            }
            for run in state.runs
        ],
        "library": [
            [motif.seq, motif.digest, motif.review] for motif in sorted(state.library, key=lambda one: one.seq)
        ],
        "quarantined": sorted(state.quarantined),
        "restored": sorted(state.restored),
        "mined": {
            f"{space}, {'tables' if tabular else 'networks'}": [
                one.digest for one in blocks_in_force(state, space=space, tabular=tabular)
            ]
            for space, tabular in sorted(state.mined)
        },
        "revoked": sorted(state.revoked),
        "operators": [[one.kind, one.operator] for one in state.operators],
        "policy_decisions": [event.kind for event in state.policy_decisions],
        "policy_changes": [[change.old["strategy"], change.new["strategy"]] for change in state.policy_changes],
        "policy_trials": state.policy_trials,
        "policy_on_trial": state.policy_trial is not None,
        "watched": {
            task: {
                "followed": watch.started.digest,
                "verdicts": [batch.verdict for batch in watch.batches],
                "successors": [drift.ended.successor if drift.ended else None for drift in watch.drifts],
            }
            for task, watch in sorted(fold(state).items())
        },
    }


def _summary_of_task(task: TaskState) -> dict[str, object]:
    return {
        "name": task.name,
        "evaluations": len(task.evaluations),
        "rounds": task.rounds,
        "certificates": len(task.certificates),
        "rejected": len(task.rejected),
        "filtered": dict(sorted(task.filtered.items())),
        "exhausted": task.exhausted,
        "supernet": task.supernet is not None,
        "finalists": {
            one.digest: {
                "outcome": one.outcome,
                "standing": one.standing,
                "reviews": [review.facts.decision for review in one.reviews],
            }
            for one in task.finalists
        },
        "tabulated": [one.digest for one in task.tabulated],
        "compared": task.compared is not None,
        "winner": None if task.finished is None else task.finished.winner,
    }
