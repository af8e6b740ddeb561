"""The life of one task: describe and recall, search in rounds, train and audit finalists, compare, close."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agent.gate.admission import gate_entry
from agent.gate.domain import GuardedDomain
from agent.ledger.home import STEP
from agent.ledger.store import Entry
from agent.life.finalists import examination_entries
from agent.life.requests import Asking
from agent.life.supernet import guided_strategy, inherit_jobs, supernet_entry, supernet_job
from agent.memory.operators import composing_entries, space_in_force
from agent.memory.proxy import LEARNED, learned_scores
from agent.memory.recall import past_tasks, recall, soonest
from agent.memory.subcells import blocks_in_force, mined_in_force, mining_entries
from agent.memory.weights import source_of
from agent.state.state import Finalist, Motif, RunState, TaskState, items, mapping, number, recorded_costs
from agent.stream.fidelities import ranked_by_rung
from agent.stream.file import SupernetSection
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import policy_in_force, policy_on_trial, policy_replaced
from agent.tuning.trial import CONTROL, PROPOSED, TRIAL, control_contest, on_turn
from agent.workers.jobs import InheritAnswer, SupernetAnswer, SupernetJob
from constraints import Guard
from selfnas import seeding
from selfnas.networks.costs import costs
from selfnas.networks.reference import residual_network
from selfnas.search.history import Trial
from selfnas.search.subcells import SubCell
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture, space_named
from selfnas.spaces.space import Space
from selfnas.strategies import Strategy, make_strategy
from selfnas.strategies.evolution import furnished
from selfnas.strategies.guided import GUIDED
from selfnas.strategies.one_shot import evolve_paths
from selfnas.strategies.progressive import Progressive
from selfnas.strategies.transfer import PastTask, experienced

if TYPE_CHECKING:
    from agent.life.life import Life

__all__ = ["TaskLife"]


class JobFailed(Exception):  # noqa: N818 - an outcome that is recorded
    """A job that a step cannot do without has failed, for the reason given."""


class TaskLife:
    """Lives one task of a run to its end, from wherever the ledger says it stands."""

    def __init__(self, life: Life, run: RunState, index: int) -> None:
        self._life, self._run, self._index = life, run, index
        self._stream = life.prepared.stream
        self._prepared = life.prepared.tasks[index]
        self._asking = Asking(life, run, index)
        self._space = self._searched()
        self._macro = self._stream.macro.macro()
        self._present = policy_in_force(life.state, self._stream)
        self._trial = policy_on_trial(life.state, self._stream)
        self._replaced = policy_replaced(life.state, self._stream) if self._trial is None else None

    @property
    def _task(self) -> TaskState:
        return self._run.tasks[self._index]

    @property
    def _policy(self) -> SearchPolicy:
        """The policy in force, or in the rounds lent to another one that one."""
        other = self._trial or self._replaced
        lent = any(turn["by"] == PROPOSED for turn in self._turn().values())
        return other if lent and other is not None else self._present

    def _turn(self) -> dict[str, dict[str, object]]:
        """What the coming round is lent for and whose it is, for its events; nothing for an ordinary round."""
        if self._index >= len(self._run.tasks):
            return {}
        run, trials = self._run.number, self._life.state.policy_trials
        contest, by = on_turn(self._task.rounds, seed=self._stream.seed, run=run, task=self._index)
        lent: dict[str, object] = {"run": run, "contest": contest, "by": by}
        if self._trial is not None:
            return {TRIAL: {"number": trials, **lent}}
        if self._replaced is not None:
            rounds = self._stream.budget.evaluations // self._present.batch
            if contest == control_contest(rounds, seed=self._stream.seed, run=run, task=self._index):
                return {CONTROL: {"number": trials + 1, **lent}}
        return {}

    @cached_property
    def _past(self) -> tuple[PastTask, ...]:
        """What earlier tasks taught; models are kept while this task is lived."""
        started = self._index < len(self._run.tasks)
        return past_tasks(
            self._life.state,
            before=self._task if started else None,
            space=self._space.name,
            tabular=self._prepared.table is not None,
            description=self._prepared.description,
        )

    @cached_property
    def _blocks(self) -> tuple[SubCell, ...]:
        """What earlier tasks' winners share."""
        tabular = self._prepared.table is not None
        return blocks_in_force(self._life.state, space=self._stream.space, tabular=tabular)

    def _searched(self) -> Space:
        """The space of this task: with the operators in force when it began."""
        if self._prepared.table is not None:
            return space_named(self._stream.space)
        if self._index < len(self._run.tasks):
            return space_named(str(self._task.started.get("space", self._stream.space)))
        return space_in_force(
            self._life.state,
            space=self._stream.space,
            most=self._stream.operators or 0,
            set_digest=self._life.prepared.set_.digest,
        )

    @cached_property
    def _guard(self) -> Guard:
        """The constraint set compiled for the space of this task."""
        prepared = self._prepared
        if self._space.name == self._stream.space:
            return prepared.guard
        return Guard(self._life.prepared.set_, space=self._space, macro=self._macro, shape=prepared.shape)

    def live(self) -> None:
        """Every step that is still to be taken."""
        if self._index == len(self._run.tasks):
            self._life.append([self._start()])
        budget = self._stream.budget
        steps = budget.evaluations + self._present.finalists_per_task + 1
        self._life.observer.task_begins(self._task, steps=steps)
        if self._policy.strategy in GUIDED and self._task.supernet is None:
            self._life.append([self._supernet()])
        while len(self._task.trials) < budget.evaluations and not self._task.exhausted:
            self._life.append(self._round())
        while chosen := self._next_finalists():
            self._life.append(self._examine(chosen))
        if self._task.compared is None and self._best():
            self._life.append([self._compare()])
        mined = self._mined()
        self._life.append([self._close(), *mined, *self._composed(mined)])
        self._life.observer.task_ends(self._run, self._task)

    def _start(self) -> Entry:
        prepared = self._prepared
        count = self._guard.count()
        assert prepared.description is not None  # noqa: S101 - tables are lived by TableLife
        recalled = recall(
            self._life.state.library,
            prepared.description,
            self._present,
            task_digest=prepared.digest,
            space=self._space.name,
            macro=self._macro,
            reviewed_only=self._life.prepared.suite.approval == "before-reuse",
            first=prepared.service,
        )
        recalled = soonest(recalled, self._past, task_digest=prepared.digest, first=prepared.service)
        return "task.started", {
            "run": self._run.number,
            "task": prepared.spec.name,
            "task_digest": prepared.digest,
            "shape": {
                "channels": prepared.shape.channels,
                "size": list(prepared.shape.size),
                "classes": prepared.shape.classes,
            },
            "description": json.loads(prepared.description.to_json()),
            "guard": self._guard.digest,
            **({} if self._space.name == self._stream.space else {"space": self._space.name}),
            "admitted_count": {"low": str(count.low), "high": str(count.high), "exact": count.exact},
            "space_count": str(self._space.count()),
            "recalled": [
                {
                    "architecture": str(found.architecture),
                    "digest": found.architecture.digest,
                    "from_task": found.motif.task,
                    "from_run": found.motif.run,
                    "likeness": round(found.likeness, 6),
                }
                for found in recalled
            ],
        }

    # --- search ---

    def _supernet(self) -> Entry:
        """Search the supernet once, before the first round; it has no candidate, so progress does not count it."""
        with tempfile.TemporaryDirectory(
            dir=self._life.home.root, prefix=STEP
        ) as folder:  # its weights serve this step alone
            weights = Path(folder)
            job = supernet_job(
                self._stream, self._prepared, self._policy.strategy,
                base=self._life.prepared.base, device=self._life.device, weights=weights,
            )  # fmt: skip
            answer = self._asking.answers([job], SupernetAnswer())[0]
            if not answer.weights_sha256:
                return supernet_entry(self._task, self._policy.strategy, answer)
            kept = weights / f"{answer.weights_sha256}.safetensors"
            domain = GuardedDomain(self._guard, space=self._space, macro=self._macro)
            try:
                ranking = evolve_paths(
                    domain,
                    lambda chosen: self._inherited(job, kept, chosen),
                    seed=job.seed,
                    evaluations=(self._stream.supernet or SupernetSection()).inherited,
                )
            except JobFailed as error:
                answer = answer.model_copy(update={"reason": str(error)})
                return supernet_entry(self._task, self._policy.strategy, answer)
            return supernet_entry(self._task, self._policy.strategy, answer, ranking=ranking)

    def _inherited(self, job: SupernetJob, weights: Path, architectures: Sequence[Architecture]) -> list[float]:
        """Scores of architectures with a supernet's weights."""
        asked = inherit_jobs(job, weights, architectures)
        answers = self._asking.answers(asked, InheritAnswer())
        for answer in answers:
            if answer.reason:
                raise JobFailed(answer.reason)
        return [score for answer in answers for score in answer.scores]

    def _strategy(self) -> Strategy:
        chosen, patience = self._chosen_strategy(), self._policy.progressive
        return Progressive(strategy=chosen, patience=patience) if patience else chosen

    def _chosen_strategy(self) -> Strategy:
        if self._policy.strategy in GUIDED:
            return guided_strategy(self._task)
        strategy = make_strategy(self._policy.strategy, self._policy.strategy_settings())
        return experienced(furnished(strategy, self._blocks), self._past)

    def _round(self) -> list[Entry]:
        """Propose, certify, choose by proxy, train at low fidelity."""
        task, turn = self._task, self._turn()
        rng = seeding.generator(self._stream.seed, "round", self._run.number, self._index, task.rounds)
        domain = GuardedDomain(self._guard, space=self._space, macro=self._macro)
        warm = self._recalled_left()
        wanted = min(self._policy.batch, self._stream.budget.evaluations - len(task.trials))
        halving = self._stream.halving.bracket(task.rounds) if self._stream.halving else None
        promoted = halving.promotions(task.trials)[:wanted] if halving else ()
        known = halving.comparable(task.trials) if halving else task.trials
        wanted -= len(promoted)
        proposed = self._strategy()(known, domain, wanted * self._policy.oversample, rng, warm=warm)
        entries: list[Entry] = []
        certified: list[Architecture] = []
        for architecture in proposed:
            entry = gate_entry(self._guard, architecture, previous=self._life.ledger.head()[1])
            if entry[0] == "certified":
                certified.append(architecture)
            if str(architecture) not in task.certificates:
                entries.append(entry)
        entries += self._explained_examples(domain)
        warm_digests = {architecture.digest for architecture in warm}
        chosen, proxies = self._choose(certified, wanted, first=warm_digests)
        first = halving.rungs[0] if halving else self._stream.low.fidelity("low")
        asked = [*((up.architecture, up.fidelity) for up in promoted), *((fresh, first) for fresh in chosen)]
        answers = self._asking.low(asked)
        for place, ((architecture, fidelity), answer) in enumerate(zip(asked, answers, strict=True)):
            origin = "recalled" if architecture.digest in warm_digests else "searched"
            entries.append(
                (
                    "evaluated",
                    {
                        "task": task.name,
                        "architecture": str(architecture),
                        "digest": architecture.digest,
                        "origin": "promoted" if place < len(promoted) else origin,
                        "proxy": None,
                        **proxies.get(architecture.digest, {}),
                        "fidelity": fidelity.name,
                        **answer.model_dump(exclude={"seconds"}),
                        **self._weighed(architecture, answer.score),
                        **turn,
                    },
                )
            )
        exhausted = not asked and not warm
        entries.append(
            (
                "filtered",
                {"task": task.name, "rules": dict(sorted(domain.filtered.items())), "exhausted": exhausted},
            )
        )
        return entries

    def _weighed(self, architecture: Architecture, score: float | None) -> dict[str, object]:
        """What the objective makes of a score, beside it in the event; nothing without an objective."""
        objective = self._stream.objective
        if objective is None:
            return {}
        costs = objective.costs(architecture, self._prepared.shape, self._life.prepared.device)
        value = None if score is None else objective.value(score, costs)
        return {
            "costs": costs,
            "value": value,
            "objectives": [] if value is None else list(objective.objectives(value, costs)),
        }

    def _recalled_left(self) -> list[Architecture]:
        """Recalled architectures that were neither tried nor turned away yet."""
        known = {trial.architecture.digest for trial in self._task.trials}
        known |= {str(rejection["digest"]) for rejection in self._task.rejected}
        recalled = [parse_architecture(str(mapping(r)["architecture"])) for r in items(self._task.started["recalled"])]
        return [architecture for architecture in recalled if architecture.digest not in known]

    def _explained_examples(self, domain: GuardedDomain) -> list[Entry]:
        """For each rule that kept something out for the first time on this task, one case with all its reasons."""
        told = {str(rule) for rejection in self._task.rejected for rule in items(rejection["failed"])}
        entries = []
        for rule, vector in domain.examples.items():
            if rule not in told:
                architecture = self._space.decode(vector, macro=self._macro)
                kind, payload = gate_entry(self._guard, architecture, previous=self._life.ledger.head()[1])
                told.update(map(str, cast(list[str], payload.get("failed", []))))
                entries.append((kind, payload))
        return entries

    def _choose(
        self, certified: Sequence[Architecture], wanted: int, *, first: set[str]
    ) -> tuple[list[Architecture], dict[str, Mapping[str, object]]]:
        """Recalled ones, then the best by proxy, and what the events should say of their proxies.

        Without a choice to make no proxy is computed, unless it is learned: then every trial teaches.
        """
        learned = self._policy.proxy == LEARNED and self._policy.oversample > 1
        if len(certified) <= wanted and not learned:
            return list(certified), {}
        recalled = [architecture for architecture in certified if architecture.digest in first]
        others = [architecture for architecture in certified if architecture.digest not in first]
        asked = certified if learned else others
        answers = self._asking.proxies(asked, proxy=self._policy.proxy)
        scores: dict[str, float | None] = {a.digest: answer.score for a, answer in zip(asked, answers, strict=True)}
        told: dict[str, Mapping[str, object]] = {digest: {"proxy": score} for digest, score in scores.items()}
        if learned:
            worth = learned_scores(self._life.state, self._task, [answer.proxies for answer in answers])
            for architecture, answer, value in zip(asked, answers, worth, strict=True):
                scores[architecture.digest] = value
                told[architecture.digest] = {"proxy": value, "proxies": answer.proxies}
        others.sort(key=lambda architecture: -_or_lowest(scores[architecture.digest]))
        return (recalled + others)[:wanted], told

    # --- finalists ---

    def _next_finalists(self) -> list[Architecture]:
        """The best by low-fidelity score that were not trained fully yet, as many as policy and budget allow."""
        task = self._task
        want = self._present.finalists_per_task
        done = {finalist.digest for finalist in task.finalists}
        if len(done) >= want and task.admitted():
            return []
        room = min(want - len(done) if len(done) < want else want, self._stream.budget.full_trainings - len(done))
        ranked = self._ranked()
        return [trial.architecture for trial in ranked if trial.architecture.digest not in done][: max(room, 0)]

    def _ranked(self) -> list[Trial]:
        """What could be a finalist, best first: scored, and within the objective's limits."""
        objective, task = self._stream.objective, self._task
        pairs = zip(task.trials, task.evaluations, strict=True)
        within = [trial for trial, at in pairs if objective is None or objective.within(recorded_costs(at))]
        return ranked_by_rung(within)

    def _examine(self, chosen: Sequence[Architecture]) -> list[Entry]:
        """Train fully, audit, decide."""
        sources: dict[str, Motif] = {}
        if self._stream.inherit == "motif":
            found = {str(each): source_of(self._life.state, self._task, str(each)) for each in chosen}
            sources = {architecture: motif for architecture, motif in found.items() if motif is not None}
        files = {each: self._life.home.weights_file(motif.weights_sha256) for each, motif in sources.items()}
        answers = self._asking.full(chosen, audited=True, inherit=files)
        suite = self._life.prepared.suite
        return examination_entries(self._task, self._prepared, suite, chosen, answers, sources=sources)

    # --- comparison and close ---

    def _best(self) -> Finalist | None:
        admitted = self._task.admitted()
        return admitted[0] if admitted else None

    def _compare(self) -> Entry:
        """Train the hand-designed network of the winner's size the same way."""
        best = self._best()
        assert best is not None  # noqa: S101 - the caller asked
        reference = residual_network(
            int(number(best.trained["params"])),
            self._prepared.shape,
            depth=self._macro.depth,
            resolution=self._macro.resolution,
        )
        (answer,) = self._asking.full([reference], audited=False)
        return "compared", {
            "task": self._task.name,
            "architecture": str(reference),
            "params": costs(reference, self._prepared.shape).params,
            "validation": answer.score,
            "reason": answer.reason,
            "test_correct": answer.test_correct,
            "test_count": answer.test_count,
        }

    def _close(self) -> Entry:
        best = self._best()
        return "task.finished", {
            "run": self._run.number,
            "task": self._task.name,
            "evaluations": len(self._task.trials),
            "full_trainings": len(self._task.finalists),
            "winner": best.digest if best else None,
        }

    def _mined(self) -> list[Entry]:
        """What winners of this and earlier tasks share, where that is new; in the transaction that ends the task."""
        return mining_entries(
            self._life.state, self._run, self._task, space=self._stream.space, tabular=self._prepared.table is not None
        )

    def _composed(self, mined: Sequence[Entry]) -> list[Entry]:
        """An operator composed of what was mined, where the stream allows any more."""
        if self._stream.operators is None or self._prepared.table is not None:
            return []
        return composing_entries(
            self._life.state,
            self._run,
            self._task,
            mined_in_force(self._life.state, space=self._stream.space, tabular=False, latest=mined),
            self._life.prepared.set_,
            space=self._stream.space,
            macro=self._macro,
            shape=self._prepared.shape,
            most=self._stream.operators,
            previous=self._life.ledger.head()[1],
        )


def _or_lowest(score: float | None) -> float:
    return float("-inf") if score is None else score
