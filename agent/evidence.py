"""What a life's ledger says for and against the agent, as plain numbers; the report page and MLflow read this.

Four named figures, each of one task:

- *search efficiency*: evaluations in which the same task, lived without memory, reached 99 % of the best it ever
  reached, over the evaluations that this task needed for that same score. Above 1: memory saved evaluations.
- *forward transfer*: mean over evaluations of (best so far here - best so far without memory), in points of the
  score times 100.
- *adaptation latency*: evaluations, and seconds by the clock, from the task's start until 99 % of its own best.
- *architectural novelty*: share of the cells' edges in which the task's best differs from the nearest architecture
  evaluated on any task before; 0 for a repetition.

A task counts as lived without memory when nothing was recalled, no strategy had earlier tasks to learn from and no
mined sub-cell was at hand. Such tasks of equal content are looked for in a life given for comparison, then in the
same life.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from agent.facts import told
from agent.ledger import Event, Json, Ledger, LedgerError
from agent.state import LifeState, RunState, TaskState, items, mapping
from agent.summary import TaskSummary, summarise
from agent.watch_state import fold
from selfnas.errors import SelfnasError
from selfnas.history import Trial, best_trial

__all__ = [
    "Curve",
    "DriftEvidence",
    "Evidence",
    "PolicyDecision",
    "TaskEvidence",
    "Transfer",
    "figures",
    "gather",
    "reached",
    "rejections",
]

LEVEL = 0.99  # of the best score: the level that efficiency and latency are measured to

Curve = NDArray[np.float64]


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
class PolicyDecision:
    """One decision about the search policy.

    Attributes:
        kind: `adopted`, `refused`, `kept`, `rolled_back` or whatever else the ledger calls it.
        change: `field old → new`, comma-separated; empty when nothing would change.
        evidence: in words.
        reason: why it was not adopted; empty when it was.
    """

    run: int
    after_task: int
    kind: str
    change: str
    evidence: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvidence:
    """One confirmed drift and what followed.

    Attributes:
        examples: new ones that the search was given.
        evaluations: of the search; None while it goes on.
        to_best: of them until its best score.
        seconds: by the clock from the batch that confirmed it until the search ended; waiting for data included.
        successor: digest; empty when nothing was admitted or the search goes on.
    """

    task: str
    successor_task: str
    examples: int
    evaluations: int | None
    to_best: int | None
    seconds: float | None
    successor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvidence:
    """One task of a life.

    Attributes:
        run: number of its run.
        index: its place in the run, from 0.
        label: `name` or, when a life has several runs, `name (run)`.
        summary: as everywhere.
        curve: `(n,)` best score so far after each evaluation; NaN while all failed.
        cold: the same without memory; None where no such task is known.
        with_memory: whether it could draw on earlier tasks.
        to_level: evaluations to 99 % of its own best.
        to_cold_level: evaluations to 99 % of what the cold search reached at its end; None when never, or no cold one.
        cold_to_level: what the cold search needed for that.
        seconds_to_level: by the clock, as `to_level`.
        seconds: from start to finish; None while unfinished.
        forward_transfer: see above; None without a cold one.
        novelty: in [0, 1]; None for the first architectures of a space.
    """

    run: int
    index: int
    label: str
    summary: TaskSummary
    curve: Curve
    cold: Curve | None
    with_memory: bool
    to_level: int | None
    to_cold_level: int | None
    cold_to_level: int | None
    seconds_to_level: float | None
    seconds: float | None
    forward_transfer: float | None
    novelty: float | None

    @property
    def efficiency(self) -> float | None:
        """Search efficiency; None without a cold search, or where its level was not reached."""
        if self.cold_to_level is None or self.to_cold_level is None:
            return None
        return self.cold_to_level / self.to_cold_level

    def figures(self) -> dict[str, float]:
        """Those of this task that are known, by name."""
        known = {
            "evaluations_to_level": self.to_level,
            "seconds_to_level": self.seconds_to_level,
            "search_efficiency": self.efficiency,
            "forward_transfer": self.forward_transfer,
            "architectural_novelty": self.novelty,
        }
        return {name: float(value) for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a report shows.

    Attributes:
        state: the life as replayed.
        events: how many there are.
        genesis: hash of the first; names the life.
        head: hash of the last.
        tasks: in the order lived.
        transfers: what tasks gave to tasks.
        policy: decisions about the search policy, in order.
        drifts: confirmed on watched tasks and searched for.
    """

    state: LifeState
    events: int
    genesis: str
    head: str
    tasks: tuple[TaskEvidence, ...]
    transfers: tuple[Transfer, ...]
    policy: tuple[PolicyDecision, ...]
    drifts: tuple[DriftEvidence, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams lived, each once."""
        names = [str(mapping(run.started["stream"])["stream"]) for run in self.state.runs]
        return tuple(dict.fromkeys(names))


@dataclass(slots=True)
class _Clock:
    """When a task began, got its scores and ended, as numbers of events."""

    started: int
    evaluated: list[int] = field(default_factory=list)
    finished: int | None = None


@dataclass(slots=True)
class _Life:
    state: LifeState
    clocks: list[_Clock]
    policy: list[Event]
    times: Mapping[int, float]
    cold: dict[tuple[int, int], bool]  # by run and index


def gather(ledger: Ledger, *, cold: Ledger | None = None) -> Evidence:
    """Read a life, and another one to compare with.

    Raises:
        LedgerError: an event is not as this release writes it, or the file is damaged.
    """
    try:
        return _gather(ledger, cold)
    except LedgerError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, SelfnasError) as error:
        raise LedgerError(f"not a life that this release can read: {type(error).__name__}: {error}") from error


def _gather(ledger: Ledger, cold: Ledger | None) -> Evidence:
    life = _read(ledger)
    references: dict[str, Curve] = {}
    for source in (life, *([_read(cold)] if cold is not None else [])):  # the life given for comparison has precedence
        seen: set[str] = set()
        for run, task in _tasks(source.state):
            digest = str(task.started["task_digest"])
            if source.cold[run.number, task.index] and task.trials and digest not in seen:
                seen.add(digest)
                references[digest] = reached(task.trials)
    several = len(life.state.runs) > 1
    known: dict[str, list[bytes]] = {}
    found: list[TaskEvidence] = []
    for (run, task), clock in zip(_tasks(life.state), life.clocks, strict=True):
        memory = not life.cold[run.number, task.index]
        reference = references.get(str(task.started["task_digest"])) if memory else None
        label = f"{task.name} ({run.number})" if several else task.name
        found.append(_task(run, task, label, reference, memory=memory, clock=clock, times=life.times, known=known))
    events, head = ledger.head()
    return Evidence(
        state=life.state,
        events=events,
        genesis=ledger.hash_before(1) or "",
        head=head,
        tasks=tuple(found),
        transfers=tuple(_transfers(life.state)),
        policy=tuple(_decision(event) for event in life.policy),
        drifts=tuple(_drifts(life)),
    )


def figures(evidence: Evidence) -> dict[str, float]:
    """The named figures of a life; those that cannot be known are left out."""
    tasks = evidence.tasks
    novelty = [task.novelty for task in tasks if task.novelty is not None]
    latency = [task.to_level for task in tasks if task.to_level is not None]
    gains = [task.forward_transfer for task in tasks if task.forward_transfer is not None]
    compared = [task for task in tasks if task.cold_to_level is not None]
    efficiency = [task.efficiency for task in compared if task.efficiency is not None]
    found: dict[str, float] = {}
    if efficiency:
        found["search_efficiency"] = median(efficiency)
    if compared:
        found["level_not_reached"] = float(sum(task.to_cold_level is None for task in compared))
    if gains:
        found["forward_transfer"] = fmean(gains)
    if latency:
        found["adaptation_latency"] = median(latency)
    if novelty:
        found["architectural_novelty"] = fmean(novelty)
    return found


def reached(trials: Sequence[Trial]) -> Curve:
    """`(n,)` the best score so far after each trial; NaN before the first success.

    Example:
        >>> reached([])
        array([], dtype=float64)
    """
    values = np.array([np.nan if trial.failed else trial.value for trial in trials], dtype=np.float64)
    return np.fmax.accumulate(values) if len(values) else values


def _level(best: float) -> float:
    """99 % of a score; scores below 0 (losses of some tables) are lowered by 1 % of their size likewise."""
    return best - (1 - LEVEL) * abs(best)


def _evaluations_to(curve: Curve, level: float) -> int | None:
    hits = np.flatnonzero(curve >= level)
    return int(hits[0]) + 1 if len(hits) else None


def _read(ledger: Ledger) -> _Life:
    life = _Life(LifeState(), [], [], ledger.times(), {})
    searched: set[tuple[str, bool]] = set()  # space and whether tabular, of the tasks begun
    for event in told(ledger.events()):
        life.state.apply(event)
        if event.kind == "task.started":
            life.clocks.append(_Clock(event.seq))
            run = life.state.runs[-1]
            kind = (str(mapping(run.started["stream"])["space"]), "table" in event.payload)
            taught = kind in searched and "transfer" in _strategies(run, life.policy)
            taught = taught or (kind in life.state.mined and _implants(run, life.policy))
            life.cold[run.number, len(run.tasks) - 1] = not (items(event.payload["recalled"]) or taught)
            searched.add(kind)
        elif event.kind == "evaluated":
            life.clocks[-1].evaluated.append(event.seq)
        elif event.kind == "task.finished":
            life.clocks[-1].finished = event.seq
        elif event.kind.startswith("policy."):
            life.policy.append(event)
    return life


def _strategies(run: RunState, policy: Sequence[Event]) -> set[str]:
    """Strategies that may have been in force in a run."""
    stream = mapping(run.started["stream"])
    found = {str(mapping(stream["policy"])["strategy"])}
    if stream.get("tuning") is not None:
        found |= {str(mapping(event.payload["new"]).get("strategy")) for event in policy}
    return found


def _implants(run: RunState, policy: Sequence[Event]) -> bool:
    """Whether evolution may have built with mined sub-cells in a run."""
    stream = mapping(run.started["stream"])
    policies = [mapping(stream["policy"])]
    if stream.get("tuning") is not None:
        policies += [mapping(event.payload["new"]) for event in policy]
    return any(_whole(one.get("implant_percent", 0)) > 0 for one in policies)


def _tasks(state: LifeState) -> list[tuple[RunState, TaskState]]:
    return [(run, task) for run in state.runs for task in run.tasks]


def _task(
    run: RunState,
    task: TaskState,
    label: str,
    cold: Curve | None,
    *,
    memory: bool,
    clock: _Clock,
    times: Mapping[int, float],
    known: dict[str, list[bytes]],
) -> TaskEvidence:
    trials = task.trials
    curve, best = reached(trials), best_trial(trials)
    to_level = _evaluations_to(curve, _level(best.value)) if best else None
    cold_level = _level(float(cold[-1])) if cold is not None and np.isfinite(cold[-1]) else None
    begun = times.get(clock.started)
    at_level = times.get(clock.evaluated[to_level - 1]) if to_level else None
    ended = times.get(clock.finished) if clock.finished is not None else None
    evidence = TaskEvidence(
        run=run.number,
        index=task.index,
        label=label,
        summary=summarise(task),
        curve=curve,
        cold=cold,
        with_memory=memory,
        to_level=to_level,
        to_cold_level=_evaluations_to(curve, cold_level) if cold_level is not None else None,
        cold_to_level=_evaluations_to(cold, cold_level) if cold is not None and cold_level is not None else None,
        seconds_to_level=at_level - begun if at_level is not None and begun is not None else None,
        seconds=ended - begun if ended is not None and begun is not None else None,
        forward_transfer=_forward_transfer(curve, cold),
        novelty=_novelty(best, known),
    )
    for trial in trials:
        known.setdefault(trial.architecture.space, []).append(trial.code)
    return evidence


def _forward_transfer(curve: Curve, cold: Curve | None) -> float | None:
    """Over the evaluations that both have, where both have a score."""
    if cold is None:
        return None
    shared = min(len(curve), len(cold))
    gaps = curve[:shared] - cold[:shared]
    gaps = gaps[np.isfinite(gaps)]
    return 100 * float(gaps.mean()) if len(gaps) else None


def _novelty(best: Trial | None, known: Mapping[str, list[bytes]]) -> float | None:
    if best is None or not known.get(best.architecture.space):
        return None
    codes = known[best.architecture.space]
    before = np.frombuffer(b"".join(codes), dtype=np.int8).reshape(len(codes), -1)
    own = np.frombuffer(best.code, dtype=np.int8)
    differing = (before != own).sum(axis=1).min()
    present = max(1, int((own > 0).sum()))
    return min(1.0, float(differing) / present)


def _transfers(state: LifeState) -> list[Transfer]:
    tasks = _tasks(state)
    places = {(run.number, task.name): place for place, (run, task) in enumerate(tasks)}
    found = []
    for taker, (_, task) in enumerate(tasks):
        trials = task.trials
        order = sorted(range(len(trials)), key=lambda index: (-trials[index].value, index))
        ranks = {str(trials[index].architecture): rank for rank, index in enumerate(order, start=1)}
        scores = {str(trial.architecture): trial.score for trial in trials}
        given: dict[int, list[str]] = {}
        for entry in map(mapping, items(task.started["recalled"])):
            giver = places.get((_whole(entry["from_run"]), str(entry["from_task"])))
            if giver is not None and str(entry["architecture"]) in ranks:
                given.setdefault(giver, []).append(str(entry["architecture"]))
        for giver, names in sorted(given.items()):
            best = min(names, key=lambda name: ranks[name])
            found.append(Transfer(giver=giver, taker=taker, count=len(names), rank=ranks[best], score=scores[best]))
    return found


def _drifts(life: _Life) -> Iterator[DriftEvidence]:
    for watch in fold(life.state).values():
        for drift in watch.drifts:
            ended = drift.ended
            begun, over = life.times.get(drift.confirmed), life.times.get(drift.ended_at)
            yield DriftEvidence(
                task=drift.task,
                successor_task=str(drift.search["successor_task"]),
                examples=_whole(drift.search["examples"]),
                evaluations=None if ended is None else _whole(ended["evaluations"]),
                to_best=None if ended is None else _whole(ended["evaluations_to_best"]),
                seconds=over - begun if begun is not None and over is not None else None,
                successor=str(ended["successor"] or "") if ended is not None else "",
            )


def _whole(value: Json) -> int:
    return int(str(value))


def _decision(event: Event) -> PolicyDecision:
    payload = event.payload
    old, new = mapping(payload.get("old") or {}), mapping(payload.get("new") or {})
    changed = [f"{name} {old.get(name)} → {new[name]}" for name in new if new[name] != old.get(name)]
    parts = (("", "evidence"), ("controls ", "controls"), ("trial ", "confirmation"))
    told = [title + _figures_told(found) for title, name in parts if (found := mapping(payload.get(name) or {}))]
    return PolicyDecision(
        run=_whole(payload.get("run", 0)),
        after_task=_whole(payload.get("after_task", 0)),
        kind=event.kind.removeprefix("policy."),
        change=", ".join(changed),
        evidence="; ".join(told),
        reason=str(payload.get("reason") or ""),
    )


def _figures_told(found: Mapping[str, Json]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in found.items()
    )


def rejections(evidence: Evidence) -> Counter[str]:
    """Considered architectures that each rule kept out, over the whole life."""
    total: Counter[str] = Counter()
    for task in evidence.tasks:
        total.update(task.summary.by_rule)
    return total
