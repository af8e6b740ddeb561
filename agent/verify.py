"""Re-check a whole life without trusting the agent: chain, certificates, audit verdicts, admissions, weights.

No solver and no training is needed: the plain-Python referee re-checks certificates against the constraint set that the
ledger itself holds, and verdicts are worked out again from the findings.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.composing import OUTCOMES, check_composing
from agent.cost_check import CostChecker
from agent.home import Home
from agent.inheriting import InheritanceChecker
from agent.ledger import GENESIS, Event, Json, Ledger, canonical_json
from agent.mined import check_mining
from agent.motif_check import MotifChecker
from agent.order_check import OrderChecker
from agent.policy_check import PolicyChecker
from agent.recorded import recorded_set, recorded_suite
from agent.reviews import ReviewChecker
from agent.revocation_check import RevocationChecker
from agent.snapshot_check import check_snapshot
from agent.state import items, mapping, number, task_shape
from agent.watch_check import WatchChecker
from audits import Finding, Suite, judge, uncovered
from constraints import Certificate, ConstraintSet, Context, verify_certificate
from selfnas.architecture import Macro, TaskShape
from selfnas.errors import SelfnasError
from selfnas.tasks import TaskSpec

__all__ = ["Verification", "verify"]

_VERDICT_OF = {"certified": "admit", "rejected": "reject", "quarantined": "undecided"}
# Nothing else hangs on what these say.
_CLAIMLESS = ("filtered", "compared", "run.finished")  # but for their order
_UNREADABLE = (SelfnasError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


@dataclass(slots=True)
class Verification:
    """What was checked and what failed.

    Attributes:
        checked: how many of each kind of thing were looked at.
        problems: one sentence each; empty when everything holds.
        notes: what holds and should be known all the same, one sentence each.
    """

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(ledger: Ledger, home: Home) -> Verification:
    """Check everything that the ledger claims."""
    result = Verification()
    result.problems += ledger.broken_links()
    checker = _Checker(home, result)
    for event in ledger.events():
        result.checked["events"] += 1
        try:
            result.problems += checker.check(event)
        except _UNREADABLE as error:
            result.problems.append(
                f"event {event.seq} ({event.kind}) cannot be checked: {type(error).__name__}: {error}"
            )
    result.problems += checker.ends()
    result.notes += checker.notes()
    result.problems += check_snapshot(ledger, home.snapshot)
    if result.checked["lists of sub-cells"]:
        try:
            result.problems += check_mining(ledger)
        except _UNREADABLE as error:
            result.problems.append(f"mined sub-cells cannot be checked: {type(error).__name__}: {error}")
    if result.checked["composed operators"] or checker.operators:
        try:
            result.problems += check_composing(ledger, checker.sets)
        except _UNREADABLE as error:
            result.problems.append(f"composed operators cannot be checked: {type(error).__name__}: {error}")
    return result


class _Checker:
    """Follows the events of a life, remembering what later events must agree with."""

    def __init__(self, home: Home, result: Verification) -> None:
        self._home, self._result = home, result
        self._set: ConstraintSet | None = None
        self._suite: Suite | None = None
        self._hashes = {GENESIS}
        self._certified: dict[str, str] = {}  # architecture -> certificate, of the present task
        self._trained: dict[str, Mapping[str, Json]] = {}  # by digest, of the present task
        self._verdicts: dict[str, str] = {}
        self._admitted: set[str] = set()
        self._digests: dict[str, str] = {}  # of what was certified on the present task, by architecture
        self._started: Mapping[str, Json] = {}  # of the present task
        self._stream: Mapping[str, Json] = {}  # of the present run
        self._run = 0
        self._shapes: dict[tuple[int, str], TaskShape] = {}  # of tasks, by run and name
        self._budget: Mapping[str, Json] = {}
        self._decisions: set[str] = set()
        self._guard = ""
        self._evaluated = 0
        self._reviews = ReviewChecker()
        self._order = OrderChecker()
        self._costs = CostChecker()
        self._policies = PolicyChecker(self._hashes)
        self._motifs = MotifChecker(self._hashes)
        self._inheritance = InheritanceChecker(home)
        self._watches = WatchChecker(self._motifs)
        self._revocations = RevocationChecker()
        self._tabular = False  # whether the present task is looked up
        self._tabulated: set[str] = set()
        self.sets: dict[str, ConstraintSet] = {}  # that runs recorded, by digest
        self.operators = False  # whether any task was searched in a space with composed operators

    def check(self, event: Event) -> list[str]:
        """Problems of one event, in sentences."""
        found = list(self._motifs.overdue(event.kind))
        found += [f"event {event.seq} ({event.kind}): {problem}" for problem in self._problems(event)]
        self._hashes.add(event.hash)
        return found

    def ends(self) -> Iterator[str]:
        """Problems that show at the end of the ledger."""
        return self._motifs.overdue()

    def notes(self) -> Iterator[str]:
        """What should be known though it holds."""
        return self._motifs.otherwise_admitted()

    def _problems(self, event: Event) -> Iterator[str]:
        payload = event.payload
        yield from self._order.check(event)
        if event.kind == "run.started":
            yield from self._begin_run(payload)
            yield from self._policies.run_begins(payload)
            self._motifs.run_begins(payload, self._set)
            self._inheritance.run_begins(payload)
            self._reviews.run_begins(payload, approval=self._suite.approval if self._suite else "before-reuse")
        elif event.kind == "reviewed":
            self._result.checked["reviews"] += 1
            yield from self._reviews.reviewed(payload)
            if payload["standing"] == "refused":
                self._motifs.revoked(payload)
            else:
                yield from self._weights(payload)
            if payload["decision"] == "overrule" and payload["standing"] == "admitted":
                self._let_in(event, int(number(payload["run"])), str(payload["task"]), None)
            elif payload["standing"] == "refused" and (payload["run"], payload["task"]) == (
                self._run,
                self._started.get("task"),
            ):
                self._admitted.discard(str(payload["digest"]))
        elif event.kind == "task.started":
            self._tabular = "table" in payload
            if self._tabular:
                recalled = {str(mapping(entry)["architecture"]) for entry in items(payload["recalled"])}
                yield from (f"recalled {name}, which no table gave" for name in sorted(recalled - self._tabulated))
            else:
                yield from self._reviews.task_begins(payload)
                yield from self._motifs.task_begins(payload)
            self._costs.task_begins(payload)
            self._inheritance.task_begins(payload)
            yield from self._begin_task(payload)
        elif event.kind == "supernet.trained":
            self._result.checked["supernets"] += 1
            if self._tabular:
                yield "a supernet was trained on a task that is only a table"
            if (payload["logits"] is None and not payload.get("ranking")) != bool(payload["reason"]):
                yield "it must have either logits or a ranking, or a reason for having none"
        elif event.kind in ("motif.quarantined", "motif.restored"):
            self._result.checked["motifs judged again"] += 1
            yield from self._motifs.judged_again(event)
        elif event.kind in _VERDICT_OF:
            yield from self._certificate(event.kind, payload)
        elif event.kind == "trained":
            yield from self._candidate(payload)
            if payload["digest"] in self._trained:
                yield "trained fully a second time on this task"
            self._trained[str(payload["digest"])] = payload
            if len(self._trained) > number(self._budget["full_trainings"]):
                yield f"full training number {len(self._trained)}, beyond the budget of the task"
            yield from self._inheritance.trained(payload)
            self._reviews.trained(payload, certificate=self._certified.get(str(payload["architecture"]), ""))
        elif event.kind == "audited":
            yield from self._audited(payload)
        elif event.kind == "tabulated":
            self._result.checked["tabulated"] += 1
            yield from self._candidate(payload)
            self._tabulated.add(str(payload["architecture"]))
            if not self._tabular:
                yield "tabulated on a task that is not a table"
            if self._certified.get(str(payload["architecture"])) != payload["certificate"]:
                yield "tabulated without a certificate issued on this task"
        elif event.kind == "admitted":
            if self._tabular:
                yield "admitted on a task that is only a table"
            yield from self._admission(payload)
            yield from self._decided(payload)
            self._let_in(event, self._run, str(self._started.get("task")), self._trained.get(str(payload["digest"])))
            self._reviews.decided(payload, "admitted")
        elif event.kind == "refused":
            yield from self._decided(payload)
            self._reviews.decided(payload, "refused")
        elif event.kind == "evaluated":
            self._evaluated += 1
            yield from self._candidate(payload)
            if self._evaluated > number(self._budget["evaluations"]):
                yield f"evaluation number {self._evaluated}, beyond the budget of the task"
            yield from self._costs.evaluated(payload)
            self._policies.evaluated(payload)
        elif event.kind == "task.finished":
            if payload["winner"] not in (None, *self._admitted):
                yield f"winner {payload['winner']} was not admitted"
            if payload["evaluations"] != self._evaluated:
                yield f"finished after {payload['evaluations']} evaluations, but {self._evaluated} are recorded"
        elif event.kind.startswith("watch."):
            self._result.checked["watched batches"] += event.kind == "watch.batch"
            yield from self._watches.check(
                event, admitted=self._admitted, run=self._run, task=str(self._started.get("task"))
            )
        elif event.kind == "subcells.mined":
            self._result.checked["lists of sub-cells"] += 1
            self._revocations.listed(event)
        elif event.kind in OUTCOMES:
            self._result.checked["composed operators"] += 1
            self._revocations.listed(event)
        elif event.kind in ("subcell.revoked", "operator.revoked"):
            self._result.checked["revocations"] += 1
            yield from self._revocations.revoked(event)
        elif event.kind.startswith("policy."):
            self._result.checked["policy decisions"] += 1
            yield from self._policies.decided(event)
        elif event.kind not in _CLAIMLESS:
            yield "no event of such a kind is known, so what it claims cannot be checked"

    def _begin_run(self, payload: Mapping[str, Json]) -> Iterator[str]:
        yield from self._costs.run_begins(payload)
        self._run, self._stream = self._run + 1, mapping(payload["stream"])
        self._budget = mapping(self._stream["budget"])
        if hashlib.sha256(canonical_json(payload["stream"]).encode()).hexdigest() != payload["stream_digest"]:
            yield "the recorded stream does not have the recorded digest"
        self._set = self._suite = None
        self._set = recorded_set(str(mapping(payload["constraint_set"])["text"]))
        self._suite = recorded_suite(str(mapping(payload["audit_suite"])["text"]))
        self.sets[self._set.digest] = self._set
        if self._set.digest != payload["constraint_set_digest"]:
            yield "the recorded constraint set does not have the recorded digest"
        if self._suite.digest != payload["audit_suite_digest"]:
            yield "the recorded audit suite does not have the recorded digest"

    def _begin_task(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """The guard must be that of the run's set and space for the very shape that the task has."""
        self._started, self._guard = payload, str(payload["guard"])
        self.operators |= "space" in payload
        self._certified, self._digests, self._trained, self._verdicts, self._admitted = {}, {}, {}, {}, set()
        self._decisions, self._evaluated = set(), 0
        shape = self._shapes[self._run, str(payload["task"])] = task_shape(payload)
        if self._set is not None:
            macro = Macro(**{name: int(number(value)) for name, value in mapping(self._stream["macro"]).items()})
            space = str(payload.get("space", self._stream["space"]))  # which one, `check_composing` says
            context = Context(space=space, macro=macro, shape=shape)
            if context.digest(self._set.digest) != self._guard:
                yield "its guard is not that of the run's constraint set for the task's shape"

    def _candidate(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Nothing may be computed on what was not certified on this task."""
        digest = self._digests.get(str(payload["architecture"]))
        if digest is None:
            yield "computed on without a certificate issued on this task"
        elif digest != payload["digest"]:
            yield "its digest is not the certified architecture's"

    def _decided(self, payload: Mapping[str, Json]) -> Iterator[str]:
        digest = str(payload["digest"])
        if digest in self._decisions:
            yield "decided about a second time on this task"
        if digest not in self._verdicts:
            yield "decided about before it was audited"
        self._decisions.add(digest)

    def _let_in(self, event: Event, run: int, task: str, trained: Mapping[str, Json] | None) -> None:
        """Remember a motif, for what is said of it later."""
        self._inheritance.let_in(event.payload, run=run, task=task)
        shape = self._shapes.get((run, task))
        if shape is not None:
            self._motifs.let_in(event, shape, run=run, task=task, trained=trained)

    def _certificate(self, kind: str, payload: Mapping[str, Json]) -> Iterator[str]:
        self._result.checked["certificates"] += 1
        certificate = Certificate.from_json(str(payload["certificate"]))
        if self._set is None:
            yield "there is no usable constraint set to check the certificate against"
            return
        if certificate.verdict != _VERDICT_OF[kind]:
            yield f"the certificate says {certificate.verdict}"
        if certificate.architecture != payload["architecture"]:
            yield "the certificate is for another architecture"
        if certificate.guard != self._guard:
            yield "the certificate was issued by another guard than the task's"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        yield from verify_certificate(certificate, self._set)
        if certificate.digest != payload["digest"] and certificate.subject:
            yield "its digest is not the certificate's"
        if kind == "certified":
            self._certified[str(payload["architecture"])] = str(payload["certificate"])
            self._digests[str(payload["architecture"])] = certificate.digest

    def _audited(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._result.checked["audit verdicts"] += 1
        if payload["digest"] in self._verdicts:
            yield "audited a second time on this task"
        if payload["digest"] not in self._trained:
            yield "audited before it was trained"
        if self._suite is None:
            yield "there is no usable audit suite to check the findings against"
            return
        findings = [Finding.from_record(mapping(record)) for record in items(payload["findings"])]
        if findings:
            yield from self._uncovered(findings, self._suite)
        again = judge(findings, self._suite).decision
        recorded = str(payload["decision"])
        if (findings and again != recorded) or (not findings and recorded == "admit"):
            yield f"recorded as {recorded}, but its findings say {again}"
        self._verdicts[str(payload["digest"])] = again

    def _uncovered(self, findings: Sequence[Finding], suite: Suite) -> Iterator[str]:
        """Audits must be about every nuisance and trigger that the stream and the suite name for the task."""
        for record in map(mapping, items(self._stream["tasks"])):
            if record["name"] == self._started.get("task"):
                spec = TaskSpec.model_validate_json(json.dumps(record))
                known_as = spec.succeeds or spec.name
                yield from uncovered(findings, suite, task=known_as, nuisances=spec.nuisance_names)
                return
        yield "its task is not of the run's stream"

    def _admission(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._result.checked["admissions"] += 1
        digest = str(payload["digest"])
        self._admitted.add(digest)
        if self._certified.get(str(payload["architecture"])) != payload["certificate"]:
            yield "admitted without a certificate issued on this task"
        if self._verdicts.get(digest) != "admit":
            yield "admitted without audits that admit it"
        trained = self._trained.get(digest)
        if trained is None:
            yield "admitted without full training"
        elif any(trained[key] != payload[key] for key in ("weights_sha256", "validation", "architecture", "params")):
            yield "what was admitted is not what was trained"
        elif number(payload["test"]) != number(trained["test_correct"]) / max(number(trained["test_count"]), 1.0):
            yield "its test score is not what was counted"
        if payload["task_digest"] != self._started.get("task_digest"):
            yield "it was admitted on other data than the task's"
        yield from self._weights(payload)

    def _weights(self, payload: Mapping[str, Json]) -> Iterator[str]:
        sha256 = str(payload["weights_sha256"])
        weights = self._home.weights / f"{sha256}.safetensors"
        if not weights.is_file():
            yield f"its weights are missing: {weights.name}"
        elif hashlib.sha256(weights.read_bytes()).hexdigest() != sha256:
            yield f"its weights were changed: {weights.name}"
        else:
            self._result.checked["weights"] += 1
