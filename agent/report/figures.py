"""What a life's ledger says for and against the agent, as plain numbers; the report page and MLflow read this.

A task counts as lived without memory when nothing was recalled, no strategy had earlier tasks to learn from and no
mined sub-cell was at hand. Such tasks of equal content are looked for in a life given for comparison, then in the
same life.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, median

from agent.ledger.events import (
    UNSET,
    Evaluated,
    LedgerError,
    PolicyDecided,
    Settings,
    StreamRecord,
    TaskFinished,
    TaskStarted,
)
from agent.ledger.store import Ledger
from agent.report.task_figures import Clock, Curve, TaskEvidence, incumbent_curve, task_evidence
from agent.state.drift import Drift, fold
from agent.state.state import LifeState, RunState, TaskState
from selfnas.errors import SelfnasError
from selfnas.spaces.named import base_name

__all__ = ["Evidence", "Transfer", "figures", "gather", "rejections", "transfers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one task gave to another.

    Attributes:
        giver, taker: indexes into `Evidence.tasks`.
        count: recalled architectures that were evaluated.
        rank: of the best of them among the taker's evaluations, from 1.
        score: of that one; None when it failed.
    """

    giver: int
    taker: int
    count: int
    rank: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a report shows.

    Attributes:
        genesis: hash of the first; names the life.
        head: hash of the last.
        tasks: in the order lived.
        times: Unix seconds by event.
    """

    state: LifeState
    events: int
    genesis: str
    head: str
    tasks: tuple[TaskEvidence, ...]
    transfers: tuple[Transfer, ...]
    policy: tuple[PolicyDecided, ...]
    drifts: tuple[Drift, ...]
    times: Mapping[int, float]

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams lived, each once."""
        return tuple(dict.fromkeys(run.started.record.stream for run in self.state.runs))


@dataclass(slots=True)
class _Life:
    state: LifeState
    clocks: list[Clock]
    times: Mapping[int, float]
    cold: dict[tuple[int, int], bool]  # by run and index


def gather(ledger: Ledger, *, cold: Ledger | None = None) -> Evidence:
    """Read a life, and another one to compare with.

    Raises:
        LedgerError: an event is not as this release writes it, or the file is damaged.
    """
    with _readable():
        life = _read(ledger)
        references: dict[str, Curve] = {}
        # The life given for comparison has precedence.
        for source in (life, *([_read(cold)] if cold is not None else [])):
            seen: set[str] = set()
            for run, task in source.state.readable_tasks():
                digest = task.started.task_digest
                if source.cold[run.number, task.index] and task.trials and digest not in seen:
                    seen.add(digest)
                    references[digest] = incumbent_curve(task.trials)
        several = len(life.state.runs) > 1
        known: dict[str, list[bytes]] = {}
        found: list[TaskEvidence] = []
        for (run, task), clock in zip(life.state.tasks(), life.clocks, strict=True):
            if not task.is_readable:
                continue
            memory = not life.cold[run.number, task.index]
            reference = references.get(task.started.task_digest) if memory else None
            label = f"{task.name} ({run.number})" if several else task.name
            found.append(
                task_evidence(run, task, label, reference, memory=memory, clock=clock, times=life.times, known=known)
            )
        events, head = ledger.head()
        return Evidence(
            state=life.state,
            events=events,
            genesis=ledger.hash_before(1) or "",
            head=head,
            tasks=tuple(found),
            transfers=tuple(transfers(list(life.state.readable_tasks()))),
            policy=tuple(event.facts for event in life.state.policy_decisions),
            drifts=tuple(drift for watch in fold(life.state).values() for drift in watch.drifts),
            times=life.times,
        )


@contextmanager
def _readable() -> Iterator[None]:
    """What goes wrong within it is told of the ledger."""
    try:
        yield
    except LedgerError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, SelfnasError) as error:
        raise LedgerError(f"not a life that this release can read: {type(error).__name__}: {error}") from error


def figures(evidence: Evidence) -> dict[str, float]:
    """The named figures of a life; those that cannot be known are left out."""
    tasks = evidence.tasks
    compared = [task for task in tasks if task.cold_to_level is not None]
    kinds: tuple[tuple[str, Callable[[list[float]], float], list[float | None]], ...] = (
        ("search_efficiency", median, [task.efficiency for task in compared]),
        ("level_not_reached", lambda missed: float(sum(missed)), [task.to_cold_level is None for task in compared]),
        ("forward_transfer", fmean, [task.forward_transfer for task in tasks]),
        ("adaptation_latency", median, [task.to_level for task in tasks]),
        ("architectural_novelty", fmean, [task.novelty for task in tasks]),
    )
    known = ((name, over, [value for value in values if value is not None]) for name, over, values in kinds)
    return {name: over(values) for name, over, values in known if values}


def transfers(tasks: Sequence[tuple[RunState, TaskState]]) -> Iterator[Transfer]:
    """Between every two tasks of a life, given in order, of which one recalled from the other."""
    places = {(run.number, task.name): place for place, (run, task) in enumerate(tasks)}
    for taker, (_, task) in enumerate(tasks):
        trials = task.trials
        order = sorted(range(len(trials)), key=lambda index: (-trials[index].value, index))
        ranks = {str(trials[index].architecture): rank for rank, index in enumerate(order, start=1)}
        scores = {str(trial.architecture): trial.score for trial in trials}
        given: dict[int, list[str]] = {}
        for recalled in task.started.recalled:
            giver = places.get((recalled.from_run, recalled.from_task))
            if giver is not None and recalled.architecture in ranks:
                given.setdefault(giver, []).append(recalled.architecture)
        for giver, names in sorted(given.items()):
            best = min(names, key=lambda name: ranks[name])
            yield Transfer(giver=giver, taker=taker, count=len(names), rank=ranks[best], score=scores[best])


def rejections(evidence: Evidence) -> Counter[str]:
    """Considered architectures that each rule kept out, over the whole life."""
    total: Counter[str] = Counter()
    for task in evidence.tasks:
        total.update(task.summary.by_rule)
    return total


def _read(ledger: Ledger) -> _Life:
    life = _Life(LifeState(), [], ledger.times(), {})
    clocks: dict[tuple[int, str], Clock] = {}  # by run and name of task
    searched: set[tuple[str, bool]] = set()  # space and whether tabular, of the tasks begun
    for event in ledger.events():
        life.state.apply(event)
        match event.facts:
            case TaskStarted() as started:
                run, task = life.state.runs[-1], life.state.runs[-1].tasks.open
                before = clocks.get((started.continues, task.name)) if started.continues is not UNSET else None
                clock = Clock(event.seq, list(before.evaluated) if before else [])
                life.clocks.append(clock)
                clocks[run.number, task.name] = clock
                kind = (base_name(run.started.record.space_of(started)), task.tabular)
                taught = kind in searched and "transfer" in _strategies(run.started.record, life.state)
                taught = taught or (kind in life.state.mined and _implants(run.started.record, life.state))
                life.cold[run.number, task.index] = not (started.recalled or taught or task.before)
                searched.add(kind)
            case Evaluated():
                life.clocks[-1].evaluated.append(event.seq)
            case TaskFinished():
                life.clocks[-1].finished = event.seq
    return life


def _policies(stream: StreamRecord, state: LifeState) -> list[Settings]:
    """Search policies that may have been in force in a run of a stream."""
    tuned = [event.facts.new for event in state.policy_decisions] if stream.tuning is not None else []
    return [stream.policy, *tuned]


def _strategies(stream: StreamRecord, state: LifeState) -> set[str]:
    """Strategies that may have been in force."""
    return {str(policy.get("strategy")) for policy in _policies(stream, state)}


def _implants(stream: StreamRecord, state: LifeState) -> bool:
    """Whether evolution may have built with mined sub-cells."""
    return any(policy.get("implant_percent", 0) > 0 for policy in _policies(stream, state))
