"""Re-checking what a ledger says of changes of the search policy, without a solver and without trusting the agent."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Generator, Iterator

from pydantic import ValidationError

from agent.ledger import events
from agent.state.recorded import recorded_set
from agent.stream.file import TuningSection
from agent.stream.policy import SearchPolicy
from agent.tuning.breeding import bred_programs
from agent.tuning.decision import ALPHA, doubts, earlier_programs, latest_controls, policy_numbers, unruled
from agent.tuning.rehearsal import Comparison
from agent.tuning.trial import CONTROL, TRIAL, Contests, control_contest, lent_number, on_turn
from constraints import Certificate, ConstraintSet, policy_digest, speaks_of_programs, verify_certificate
from selfnas.digests import canonical_json

__all__ = ["PolicyChecker"]

_CHANGES = (events.PolicyAdopted, events.PolicyRolledBack)
# Of a proposal what a decision about its trial repeats.
_REPEATED = [name for name in events.PolicyProposed.__struct_fields__ if name not in ("run", "after_task", "reason")]


class PolicyChecker:
    """Follows the policy in force through a life.

    Args:
        hashes: of the events so far; the caller adds to them.
    """

    def __init__(self, hashes: Container[str]) -> None:
        self._hashes = hashes
        self._envelope: ConstraintSet | None = None
        self._base: events.Settings = {}
        self._in_force: dict[str, events.Settings] = {}  # by the stream's policy as canonical JSON
        self._tuning: TuningSection | None = None
        self._most = 0  # finalists of a task that the budget allows
        self._evaluations = 0  # likewise
        self._seed = self._run = self._task = self._rounds = 0
        self._proposed: events.PolicyProposed | None = None
        self._trials = 0
        self._lent: list[events.Evaluated] = []  # evaluations of the trial
        self._controls: list[events.Evaluated] = []  # since the latest trial was proposed
        self._programs: dict[str, list[tuple[events.Settings, events.Settings]]] = {}  # old and new of each change
        self._replaced: dict[str, events.Settings] = {}  # what the policy in force took the place of, by the same key

    def run_begins(self, started: events.RunStarted) -> Iterator[str]:
        """Take over the rules that a run recorded."""
        stream = started.record
        self._envelope, self._tuning = None, None
        self._run, self._task = self._run + 1, -1
        self._base, self._seed = stream.policy, stream.seed
        self._most, self._evaluations = stream.budget.full_trainings, stream.budget.evaluations
        if stream.tuning is not None:
            self._tuning = TuningSection.model_validate(stream.tuning)
        if started.policy_set is events.UNSET:
            return
        self._envelope = recorded_set(started.policy_set.text)
        if policy_digest(self._envelope) != started.policy_set.digest:
            yield "the recorded policy rules do not have the recorded digest"

    def task_begins(self) -> None:
        """A task, of which no round was lived yet."""
        self._task, self._rounds = self._task + 1, 0

    def round_ends(self) -> None:
        """One round of proposals of the task."""
        self._rounds += 1

    @property
    def present(self) -> SearchPolicy:
        """The policy in force."""
        return SearchPolicy.model_validate(self._base if self._tuning is None else self._changed)

    @property
    def _key(self) -> str:
        return canonical_json(self._base)

    @property
    def _changed(self) -> events.Settings:
        """What this life made of the stream's policy."""
        return self._in_force.get(self._key, self._base)

    def _turn(self) -> dict[str, events.Lent]:
        """What the present round must say of whose it is, by what it is lent for; empty for an ordinary one."""
        if self._tuning is None:
            return {}
        contest, by = on_turn(self._rounds, seed=self._seed, run=self._run, task=self._task)
        if self._proposed is not None and self._proposed.base == self._base:
            return {TRIAL: events.Lent(run=self._run, contest=contest, by=by, number=self._trials)}
        replaced = self._replaced.get(self._key)
        if not (self._tuning.control and self._tuning.confirm) or replaced is None:
            return {}
        present = self.present
        rounds = self._evaluations // present.batch
        if SearchPolicy.model_validate(replaced) != present and contest == control_contest(
            rounds, seed=self._seed, run=self._run, task=self._task
        ):
            return {CONTROL: events.Lent(run=self._run, contest=contest, by=by, number=self._trials + 1)}
        return {}

    def evaluated(self, evaluated: events.Evaluated) -> Iterator[str]:
        """Remember what belongs to the trial that is on, and controls; each round must be lent in its turn."""
        purposes = {TRIAL: evaluated.trial, CONTROL: evaluated.control}
        recorded = {purpose: lent for purpose, lent in purposes.items() if lent is not events.UNSET}
        if recorded != self._turn():
            yield f"its round was lent as {recorded or 'none'}, the seed's turns make it {self._turn() or 'none'}"
        if self._proposed is not None and lent_number(evaluated) == self._trials:
            self._lent.append(evaluated)
        elif evaluated.control is not events.UNSET:
            self._controls.append(evaluated)

    def decided(self, decided: events.PolicyDecided) -> Iterator[str]:
        """Problems of one decision about the policy."""
        if decided.base != self._base:
            yield "the change starts from another policy than the run's"
        if decided.old != self._changed:
            yield "the old policy was not in force"
        if self._envelope is None or self._tuning is None:
            yield "it was decided about the policy though the run recorded no rules for that"
            return
        tried = bool(self._tuning.confirm)
        match decided:
            case events.PolicyRefused():
                yield from self._refusal(decided)
            case events.PolicyProposed():
                if not tried:
                    yield "a policy was put on trial, which the stream does not ask for"
                yield from self._admitted(decided)
                yield from self._evidence(decided)
                yield from self._missed(decided, self._replaced.get(self._key))
                self._proposed, self._trials = decided, self._trials + 1
                self._lent, self._controls = [], []
            case events.PolicyTried() | events.PolicyKept() | events.PolicyAdopted() | events.PolicyRolledBack() if (
                decided.confirmation is not events.UNSET
            ):
                yield from self._judged(decided, decided.confirmation)
                self._proposed = self._proposed if isinstance(decided, events.PolicyTried) else None
            case events.PolicyAdopted() | events.PolicyRolledBack():
                if tried:
                    yield "a policy was changed that was not on trial"
                yield from self._admitted(decided)
                yield from self._evidence(decided)
                self._proposed = None
            case _:
                yield from self._kept(decided)
                if self._proposed is not None and self._proposed.base == self._base:
                    yield "a policy is on trial, and this says nothing of it"
                self._proposed = None
        yield from self._bred(decided)
        if isinstance(decided, _CHANGES):
            self._programs.setdefault(self._key, []).append((decided.old, decided.new))
            self._in_force[self._key], self._replaced[self._key] = decided.new, decided.old

    # --- trials ---

    def _judged(self, decided: events.PolicyDecided, recorded: events.Confirmation) -> Iterator[str]:
        """Play the contests again: a change needs a trial that speaks for it, a trial ends when it was tried enough."""
        assert self._tuning is not None  # noqa: S101 - the caller looked
        assert self._envelope is not None  # noqa: S101 - likewise
        trial = self._proposed
        if trial is None:
            yield "a policy was decided about that was not on trial"
            return
        if any(getattr(decided, name) != getattr(trial, name) for name in _REPEATED):
            yield "what was decided about is not what was put on trial"
        contests = Contests.of(self._lent)
        if (contests.won, contests.lost) != (recorded.won, recorded.lost):
            yield f"the trial recorded {contests.won} contests won and {contests.lost} lost, not what the decision says"
        tasks = len({(lent.trial.run, lent.task) for lent in self._lent if lent.trial is not events.UNSET})
        if recorded.tasks != tasks or not math.isclose(recorded.wealth, contests.wealth, rel_tol=1e-6):
            yield f"the trial came to a wealth of {contests.wealth:g} on {tasks} tasks, not what the decision says"
        follows: type[events.PolicyDecided] = events.PolicyTried if tasks < self._tuning.confirm else events.PolicyKept
        if contests.wealth >= 1 / ALPHA:
            follows = events.PolicyRolledBack if trial.rolls_back else events.PolicyAdopted
        guard = "" if trial.certificate is None else Certificate.from_json(trial.certificate).guard
        finalists = SearchPolicy.model_validate(trial.new).finalists_per_task
        if guard != policy_digest(self._envelope) or finalists > self._most:
            follows = events.PolicyKept  # rules or budget that did not judge it are in force now
        if isinstance(decided, _CHANGES) and follows not in _CHANGES:
            yield "a policy was changed though its trial does not support it"
        elif type(decided) is not follows:
            yield f"its trial leads to {follows.kind}"

    def _missed(self, proposed: events.PolicyProposed, replaced: events.Settings | None) -> Iterator[str]:
        """A trial without rehearsals: is it of the policy that was replaced, and did that win the latest controls?"""
        recorded = proposed.controls
        if recorded is events.UNSET:
            return
        controls = latest_controls(self._controls, number=self._trials + 1)
        if (controls.won, controls.lost) != (recorded.won, recorded.lost):
            yield f"the controls recorded {controls.won} won and {controls.lost} lost, not what the proposal says"
        if not doubts(controls) or not proposed.rolls_back or proposed.new != replaced:
            yield "a policy was tried without rehearsal though controls do not support it"

    # --- programs ---

    def _bred(self, decided: events.PolicyDecided) -> Iterator[str]:
        """A new program is one of those that seed, task and what was in force breed, or was in force before."""
        assert self._tuning is not None  # noqa: S101 - the caller looked
        new, old = decided.new.get("acquisition"), decided.old.get("acquisition")
        repeats = getattr(decided, "confirmation", events.UNSET) is not events.UNSET
        if new is None or new == old or repeats or decided.new == self._replaced.get(self._key):
            return
        if self._tuning.programs is None:
            yield "a program was proposed, which the stream does not ask for"
            return
        bred = bred_programs(
            None if old is None else str(old),
            earlier_programs(self._programs.get(self._key, [])),
            self._tuning.programs,
            seed=self._seed,
            run=decided.run,
            after_task=decided.after_task,
        )
        if new not in bred:
            yield "the proposed program is none of those that the seed breeds from what was in force"

    # --- rules and evidence ---

    def _admitted(self, decided: events.PolicyDecided) -> Iterator[str]:
        """A change needs a certificate that admits it, and finalists that the budget allows."""
        if decided.certificate is None:
            yield "a policy was changed without certificate or evidence"
            return
        certificate = Certificate.from_json(decided.certificate)
        if certificate.verdict != "admit":
            yield f"the certificate says {certificate.verdict}"
        finalists = SearchPolicy.model_validate(decided.new).finalists_per_task
        if finalists > self._most:
            yield f"the policy has {finalists} finalists a task, beyond the budget of {self._most}"
        if self._unruled(decided):
            yield "the program was changed, and no rule says what a program may be"
        yield from self._certificate(decided, certificate)

    def _unruled(self, decided: events.PolicyDecided) -> bool:
        assert self._envelope is not None  # noqa: S101 - the caller looked
        return unruled(self._envelope, *(SearchPolicy.model_validate(one) for one in (decided.old, decided.new)))

    def _certificate(self, decided: events.PolicyDecided, certificate: Certificate) -> Iterator[str]:
        """Whether a certificate is of these policies and this life, and what it says holds."""
        assert self._envelope is not None  # noqa: S101 - the caller looked
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        subject = json.loads(certificate.subject)
        for side, policy in (("old", decided.old), ("new", decided.new)):
            values = policy_numbers(SearchPolicy.model_validate(policy))
            programs = speaks_of_programs(self._envelope.of_scope("policy"))
            named = {*subject[side], *(["acquisition"] if programs else [])}
            if any(values.get(name) != subject[side].get(name) for name in named):
                yield f"the certificate is for another {side} policy"
        rules = self._envelope.of_scope("policy")
        failed = [rule.id for rule, letter in zip(rules, certificate.rules, strict=False) if letter == "f"]
        if failed != decided.failed:
            yield "the rules that it breaks are not those of the certificate"
        yield from verify_certificate(certificate, self._envelope)

    def _evidence(self, decided: events.PolicyDecided) -> Iterator[str]:
        """A change needs rehearsals that speak for it; what led to a trial without them is checked there."""
        assert self._tuning is not None  # noqa: S101 - the caller looked
        if decided.evidence is not None:
            if not (yield from self._rehearsed(decided.evidence)):
                yield "a policy was changed though the evidence does not support it"
        elif not self._tuning.confirm or decided.controls is events.UNSET:
            yield "a policy was changed without certificate or evidence"

    def _rehearsed(self, evidence: events.Evidence) -> Generator[str, None, bool]:
        """Recompute the statistics from the paired worths, and whether they speak for a change.

        What a rehearsal gave is taken as recorded.
        """
        assert self._tuning is not None  # noqa: S101 - the caller looked
        new, old = evidence.new, evidence.old
        if new is events.UNSET or old is events.UNSET or not new or len(new) != len(old):
            yield "its evidence holds no paired worths, so that it cannot be recomputed"
            return True
        again = Comparison.of(new, old)
        if again.count != self._tuning.rehearsals:
            yield f"it was rehearsed {again.count} times, the stream says {self._tuning.rehearsals}"
        for name in ("count", "mean", "p"):
            recorded, found = float(getattr(evidence, name)), float(getattr(again, name))
            if not math.isclose(recorded, found, rel_tol=1e-6, abs_tol=1e-12):
                yield f"its evidence says {name} {recorded:g}, its paired worths give {found:g}"
        return again.p < ALPHA and again.mean > 0

    # --- what did not become a change ---

    def _refusal(self, refused: events.PolicyRefused) -> Iterator[str]:
        """Something must speak against a policy that was refused: its form, the budget, or a rule."""
        assert self._envelope is not None  # noqa: S101 - the caller looked
        try:
            new = SearchPolicy.model_validate(refused.new)
        except ValidationError:
            return
        if refused.certificate is not None:
            certificate = Certificate.from_json(refused.certificate)
            if certificate.verdict == "admit":
                yield "a policy was refused though its certificate admits it"
            yield from self._certificate(refused, certificate)
        elif new.finalists_per_task <= self._most and self._envelope.of_scope("policy") and not self._unruled(refused):
            yield "a policy was refused, and nothing that is recorded speaks against it"

    def _kept(self, kept: events.PolicyDecided) -> Iterator[str]:
        """The policy in force was kept: no proposal did better, or the best did not in rehearsals of its own."""
        if kept.evidence is None:
            if kept.certificate is not None or kept.new != kept.old:
                yield "a policy was kept out without evidence"
            return
        yield from self._admitted(kept)
        if (yield from self._rehearsed(kept.evidence)):
            yield "a policy was kept out though the evidence supports it"
