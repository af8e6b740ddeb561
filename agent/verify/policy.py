"""Re-checking what a ledger says of changes of the search policy, without a solver and without trusting the agent."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Generator, Iterator, Mapping

from pydantic import ValidationError

from agent.ledger.store import Event, Json
from agent.state.recorded import recorded_set
from agent.state.state import items, mapping, number
from agent.stream.file import TuningSection
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import ALPHA, doubts, latest_controls, policy_numbers
from agent.tuning.rehearsal import Comparison
from agent.tuning.trial import CONTROL, TRIAL, Contests, control_contest, lent_number, on_turn
from constraints import Certificate, ConstraintSet, policy_digest, verify_certificate

__all__ = ["PolicyChecker"]

_CHANGES = ("policy.adopted", "policy.rolled_back")
_ITS_OWN = ("run", "after_task", "reason")  # of a decision about a trial


class PolicyChecker:
    """Follows the policy in force through a life.

    Args:
        hashes: of the events so far; the caller adds to them.
    """

    def __init__(self, hashes: Container[str]) -> None:
        self._hashes = hashes
        self._envelope: ConstraintSet | None = None
        self._base: Json = None
        self._in_force: dict[str, Json] = {}  # by the stream's policy as canonical JSON
        self._tuning: TuningSection | None = None
        self._most = 0.0  # finalists of a task that the budget allows
        self._evaluations = 0.0  # likewise
        self._seed = self._run = self._task = self._rounds = 0
        self._proposed: Mapping[str, Json] | None = None
        self._trials = 0
        self._lent: list[Mapping[str, Json]] = []  # evaluations of the trial
        self._controls: list[Mapping[str, Json]] = []  # since the latest trial was proposed
        self._replaced: dict[str, Json] = {}  # what the policy in force took the place of, by the same key

    def run_begins(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Take over the rules that a run recorded."""
        stream = mapping(payload["stream"])
        self._envelope, self._tuning = None, None
        self._run, self._task = self._run + 1, -1
        self._base, self._seed = stream["policy"], int(number(stream["seed"]))
        self._most = number(mapping(stream["budget"])["full_trainings"])
        self._evaluations = number(mapping(stream["budget"])["evaluations"])
        if "tuning" in stream:
            self._tuning = TuningSection.model_validate(stream["tuning"])
        if "policy_set" not in payload:
            return
        recorded = mapping(payload["policy_set"])
        self._envelope = recorded_set(str(recorded["text"]))
        if policy_digest(self._envelope) != recorded["digest"]:
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
        changed = self._in_force.get(json.dumps(self._base, sort_keys=True), self._base)
        return SearchPolicy.model_validate(self._base if self._tuning is None else changed)

    def _turn(self) -> dict[str, Json]:
        """What the present round must say of whose it is, by what it is lent for; empty for an ordinary one."""
        if self._tuning is None:
            return {}
        contest, by = on_turn(self._rounds, seed=self._seed, run=self._run, task=self._task)
        lent: dict[str, Json] = {"run": self._run, "contest": contest, "by": by}
        if self._proposed is not None and self._proposed["base"] == self._base:
            return {TRIAL: {"number": self._trials, **lent}}
        replaced = self._replaced.get(json.dumps(self._base, sort_keys=True))
        if not (self._tuning.control and self._tuning.confirm) or replaced is None:
            return {}
        present = self.present
        rounds = int(self._evaluations) // present.batch
        if SearchPolicy.model_validate(replaced) != present and contest == control_contest(
            rounds, seed=self._seed, run=self._run, task=self._task
        ):
            return {CONTROL: {"number": self._trials + 1, **lent}}
        return {}

    def evaluated(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Remember what belongs to the trial that is on, and controls; each round must be lent in its turn."""
        told = {purpose: payload[purpose] for purpose in (TRIAL, CONTROL) if purpose in payload}
        if told != self._turn():
            yield f"its round was lent as {told or 'none'}, the seed's turns make it {self._turn() or 'none'}"
        if self._proposed is not None and lent_number(payload) == self._trials:
            self._lent.append(payload)
        elif CONTROL in payload:
            self._controls.append(payload)

    def decided(self, event: Event) -> Iterator[str]:
        """Problems of one decision about the policy."""
        payload = event.payload
        key = json.dumps(self._base, sort_keys=True)
        if payload["base"] != self._base:
            yield "the change starts from another policy than the run's"
        if payload["old"] != self._in_force.get(key, self._base):
            yield "the old policy was not in force"
        if self._envelope is None or self._tuning is None:
            yield "it was decided about the policy though the run recorded no rules for that"
            return
        tried = bool(self._tuning.confirm)
        if event.kind == "policy.refused":
            yield from self._refusal(payload)
        elif event.kind == "policy.proposed":
            if not tried:
                yield "a policy was put on trial, which the stream does not ask for"
            yield from self._admitted(payload)
            yield from self._evidence(payload)
            yield from self._missed(payload, self._replaced.get(key))
            self._proposed, self._trials = payload, self._trials + 1
            self._lent, self._controls = [], []
        elif "confirmation" in payload or event.kind == "policy.tried":  # what a trial has come to
            yield from self._judged(event.kind, payload)
            self._proposed = self._proposed if event.kind == "policy.tried" else None
        elif event.kind in _CHANGES:
            if tried:
                yield "a policy was changed that was not on trial"
            yield from self._admitted(payload)
            yield from self._evidence(payload)
            self._proposed = None
        else:
            yield from self._kept(payload)
            if self._proposed is not None and self._proposed["base"] == self._base:
                yield "a policy is on trial, and this says nothing of it"
            self._proposed = None
        if event.kind in _CHANGES:
            self._in_force[key], self._replaced[key] = payload["new"], payload["old"]

    # --- trials ---

    def _judged(self, kind: str, payload: Mapping[str, Json]) -> Iterator[str]:
        """Play the contests again: a change needs a trial that speaks for it, a trial ends when it was tried enough."""
        assert self._tuning is not None  # noqa: S101 - the caller looked
        assert self._envelope is not None  # noqa: S101 - likewise
        if self._proposed is None:
            yield "a policy was decided about that was not on trial"
            return
        if any(payload.get(name) != value for name, value in self._proposed.items() if name not in _ITS_OWN):
            yield "what was decided about is not what was put on trial"
        contests, told = Contests.of(self._lent), mapping(payload["confirmation"])
        if (contests.won, contests.lost) != (told["won"], told["lost"]):
            yield f"the trial recorded {contests.won} contests won and {contests.lost} lost, not what the decision says"
        tasks = len({(mapping(lent[TRIAL])["run"], str(lent["task"])) for lent in self._lent})
        if told["tasks"] != tasks or not math.isclose(number(told["wealth"]), contests.wealth, rel_tol=1e-6):
            yield f"the trial came to a wealth of {contests.wealth:g} on {tasks} tasks, not what the decision says"
        back = "policy.rolled_back" if self._proposed["rolls_back"] else "policy.adopted"
        enough = "policy.kept" if tasks >= self._tuning.confirm else "policy.tried"
        follows = back if contests.wealth >= 1 / ALPHA else enough
        guard = Certificate.from_json(str(self._proposed["certificate"])).guard
        finalists = SearchPolicy.model_validate(self._proposed["new"]).finalists_per_task
        if guard != policy_digest(self._envelope) or finalists > self._most:
            follows = "policy.kept"  # rules or budget that did not judge it are in force now
        if kind in _CHANGES and follows not in _CHANGES:
            yield "a policy was changed though its trial does not speak for it"
        elif kind != follows:
            yield f"its trial leads to {follows}"

    def _missed(self, payload: Mapping[str, Json], replaced: Json) -> Iterator[str]:
        """A trial without rehearsals: is it of the policy that was replaced, and did that win the latest controls?"""
        if "controls" not in payload:
            return
        controls, told = latest_controls(self._controls, number=self._trials + 1), mapping(payload["controls"])
        if (controls.won, controls.lost) != (told["won"], told["lost"]):
            yield f"the controls recorded {controls.won} won and {controls.lost} lost, not what the proposal says"
        if not doubts(controls) or not payload["rolls_back"] or payload["new"] != replaced:
            yield "a policy was tried without rehearsal though controls do not speak for it"

    # --- rules and evidence ---

    def _admitted(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """A change needs a certificate that admits it, and finalists that the budget allows."""
        if payload["certificate"] is None:
            yield "a policy was changed without certificate or evidence"
            return
        certificate = Certificate.from_json(str(payload["certificate"]))
        if certificate.verdict != "admit":
            yield f"the certificate says {certificate.verdict}"
        finalists = SearchPolicy.model_validate(payload["new"]).finalists_per_task
        if finalists > self._most:
            yield f"the policy has {finalists} finalists a task, beyond the budget of {self._most:g}"
        yield from self._certificate(payload, certificate)

    def _certificate(self, payload: Mapping[str, Json], certificate: Certificate) -> Iterator[str]:
        """Whether a certificate is of these policies and this life, and what it says holds."""
        assert self._envelope is not None  # noqa: S101 - the caller looked
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        subject = json.loads(certificate.subject)
        for side in ("old", "new"):
            values = policy_numbers(SearchPolicy.model_validate(payload[side]))
            if any(values.get(name) != value for name, value in subject[side].items()):
                yield f"the certificate is for another {side} policy"
        rules = self._envelope.of_scope("policy")
        if [rule.id for rule, letter in zip(rules, certificate.rules, strict=False) if letter == "f"] != items(
            payload["failed"]
        ):
            yield "the rules that it breaks are not those of the certificate"
        yield from verify_certificate(certificate, self._envelope)

    def _evidence(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """A change needs rehearsals that speak for it; what led to a trial without them is checked there."""
        assert self._tuning is not None  # noqa: S101 - the caller looked
        if payload["evidence"] is not None:
            if not (yield from self._rehearsed(mapping(payload["evidence"]))):
                yield "a policy was changed though the evidence does not speak for it"
        elif not (self._tuning.confirm and "controls" in payload):
            yield "a policy was changed without certificate or evidence"

    def _rehearsed(self, evidence: Mapping[str, Json]) -> Generator[str, None, bool]:
        """Work the statistics out again from the paired worths, and whether they speak for a change.

        What a rehearsal gave is taken as recorded.
        """
        assert self._tuning is not None  # noqa: S101 - the caller looked
        sides = [
            [None if worth is None else number(worth) for worth in items(evidence.get(side, []))]
            for side in ("new", "old")
        ]
        if not sides[0] or len(sides[0]) != len(sides[1]):
            yield "its evidence holds no paired worths, so that it cannot be worked out again"
            return True
        again = Comparison.of(*sides)
        if again.count != self._tuning.rehearsals:
            yield f"it was rehearsed {again.count} times, the stream says {self._tuning.rehearsals}"
        for name, found in (("count", again.count), ("mean", again.mean), ("p", again.p)):
            if not math.isclose(number(evidence[name]), found, rel_tol=1e-6, abs_tol=1e-12):
                yield f"its evidence says {name} {number(evidence[name]):g}, its paired worths give {found:g}"
        return again.p < ALPHA and again.mean > 0

    # --- what did not become a change ---

    def _refusal(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Something must speak against a policy that was refused: its form, the budget, or a rule."""
        assert self._envelope is not None  # noqa: S101 - the caller looked
        try:
            new = SearchPolicy.model_validate(payload["new"])
        except ValidationError:
            return
        if payload["certificate"] is not None:
            certificate = Certificate.from_json(str(payload["certificate"]))
            if certificate.verdict == "admit":
                yield "a policy was refused though its certificate admits it"
            yield from self._certificate(payload, certificate)
        elif new.finalists_per_task <= self._most and self._envelope.of_scope("policy"):
            yield "a policy was refused, and nothing that is recorded speaks against it"

    def _kept(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """The policy in force was kept: no proposal did better, or the best did not in rehearsals of its own."""
        if payload["evidence"] is None:
            if payload["certificate"] is not None or payload["new"] != payload["old"]:
                yield "a policy was kept out without evidence"
            return
        yield from self._admitted(payload)
        if (yield from self._rehearsed(mapping(payload["evidence"]))):
            yield "a policy was kept out though the evidence speaks for it"
