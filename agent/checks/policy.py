"""Re-checking what a ledger says of changes of the search policy, without a solver and without trusting the agent."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping

from agent.ledger import Event, Json
from agent.policy import SearchPolicy
from agent.recorded import recorded_set
from agent.rehearsal import Comparison
from agent.state import items, mapping, number
from agent.trial import CONTROL, Contests, lent_number
from agent.tuning import ALPHA, doubts, latest_controls, policy_numbers
from constraints import Certificate, ConstraintSet, policy_digest, verify_certificate

__all__ = ["PolicyChecker"]

_CHANGES = ("policy.adopted", "policy.rolled_back")


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
        self._tuning: Mapping[str, Json] = {}
        self._most = 0.0  # finalists of a task that the budget allows
        self._proposed: Mapping[str, Json] | None = None
        self._trials = 0
        self._lent: list[Mapping[str, Json]] = []  # evaluations of the trial
        self._controls: list[Mapping[str, Json]] = []  # since the latest trial was proposed
        self._replaced: dict[str, Json] = {}  # what the policy in force took the place of, by the same key

    def run_begins(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Take over the rules that a run recorded."""
        self._envelope = None
        self._base = mapping(payload["stream"])["policy"]
        self._tuning = mapping(mapping(payload["stream"]).get("tuning", {}))
        self._most = number(mapping(mapping(payload["stream"])["budget"])["full_trainings"])
        if "policy_set" not in payload:
            return
        recorded = mapping(payload["policy_set"])
        self._envelope = recorded_set(str(recorded["text"]))
        if policy_digest(self._envelope) != recorded["digest"]:
            yield "the recorded policy rules do not have the recorded digest"

    def evaluated(self, payload: Mapping[str, Json]) -> None:
        """Remember what belongs to the trial that is on, and controls."""
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
        if event.kind in _CHANGES:
            yield from self._adoption(payload)
            if self._tuning.get("confirm"):
                yield from self._confirmation(payload)
            self._in_force[key], self._replaced[key] = payload["new"], payload["old"]
        if event.kind == "policy.proposed":
            yield from self._adoption(payload)
            yield from self._missed(payload, self._replaced.get(key))
            self._proposed, self._trials = payload, self._trials + 1
            self._lent, self._controls = [], []
        elif event.kind not in ("policy.tried", "policy.refused"):
            self._proposed = None

    def _confirmation(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Play the contests again."""
        if self._proposed is None or payload["new"] != self._proposed["new"]:
            yield "a policy was changed that was not on trial"
            return
        contests, told = Contests.of(self._lent), mapping(payload["confirmation"])
        if (contests.won, contests.lost) != (told["won"], told["lost"]):
            yield f"the trial recorded {contests.won} contests won and {contests.lost} lost, not what the change says"
        if contests.wealth < 1 / ALPHA:
            yield "a policy was changed though its trial does not speak for it"

    def _missed(self, payload: Mapping[str, Json], replaced: Json) -> Iterator[str]:
        """A trial without rehearsals: is it of the policy that was replaced, and did that win the latest controls?"""
        if "controls" not in payload:
            return
        controls, told = latest_controls(self._controls, number=self._trials + 1), mapping(payload["controls"])
        if (controls.won, controls.lost) != (told["won"], told["lost"]):
            yield f"the controls recorded {controls.won} won and {controls.lost} lost, not what the proposal says"
        if not doubts(controls) or not payload["rolls_back"] or payload["new"] != replaced:
            yield "a policy was tried without rehearsal though controls do not speak for it"

    def _adoption(self, payload: Mapping[str, Json]) -> Iterator[str]:
        if self._envelope is None:
            yield "a policy was changed though the run recorded no rules for that"
            return
        # Without evidence a trial decides, and what led to it is checked there.
        missed = bool(self._tuning.get("confirm")) and "controls" in payload
        if payload["certificate"] is None or (payload["evidence"] is None and not missed):
            yield "a policy was changed without certificate or evidence"
            return
        if payload["evidence"] is not None:
            yield from self._rehearsed(mapping(payload["evidence"]))
        certificate = Certificate.from_json(str(payload["certificate"]))
        if certificate.verdict != "admit":
            yield f"the certificate says {certificate.verdict}"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        old, new = (policy_numbers(SearchPolicy.model_validate(payload[side])) for side in ("old", "new"))
        if new["finalists_per_task"] > self._most:
            yield f"the policy has {new['finalists_per_task']} finalists a task, beyond the budget of {self._most:g}"
        subject = json.loads(certificate.subject)
        for side, values in (("old", old), ("new", new)):
            if any(values.get(name) != value for name, value in subject[side].items()):
                yield f"the certificate is for another {side} policy"
        yield from verify_certificate(certificate, self._envelope)

    def _rehearsed(self, evidence: Mapping[str, Json]) -> Iterator[str]:
        """Work the statistics out again from the paired worths; what a rehearsal gave is taken as recorded."""
        sides = [
            [None if worth is None else number(worth) for worth in items(evidence.get(side, []))]
            for side in ("new", "old")
        ]
        if not sides[0] or len(sides[0]) != len(sides[1]):
            yield "its evidence holds no paired worths, so that it cannot be worked out again"
            return
        again = Comparison.of(*sides)
        if again.count != self._tuning.get("rehearsals"):
            yield f"it was rehearsed {again.count} times, the stream says {self._tuning.get('rehearsals')}"
        for name, found in (("count", again.count), ("mean", again.mean), ("p", again.p)):
            if not math.isclose(number(evidence[name]), found, rel_tol=1e-6, abs_tol=1e-12):
                yield f"its evidence says {name} {number(evidence[name]):g}, its paired worths give {found:g}"
        if not (again.p < ALPHA and again.mean > 0):
            yield "a policy was changed though the evidence does not speak for it"
