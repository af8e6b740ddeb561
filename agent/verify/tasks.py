"""What verification holds a task to, from its guard to its winner.

Each candidate was certified before it was computed on, each verdict is what its findings give, each admission what was
certified, trained and audited, and the winner is the best of those.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from agent.ledger.home import Home
from agent.ledger.store import Event, Json
from agent.state.recorded import recorded_macro
from agent.state.state import items, mapping, number, task_shape
from agent.verify.refusals import wrong_refusal
from audits import Finding, Suite, absent, judge, uncovered
from constraints import Certificate, ConstraintSet, Context, verify_certificate
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.networks.reference import residual_network
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture, space_named

__all__ = ["TaskChecker"]

_VERDICT_OF = {"certified": "admit", "rejected": "reject", "quarantined": "undecided"}
# Why audits may have said nothing of a trained network, or nothing that counts.
_UNTRAINED, _BROKEN = "training failed: ", "audits broke off: "
_EDITED, _NO_WEIGHTS = "the audit suite was edited during the run", "no weights were kept"


class TaskChecker:
    """Follows tasks through a life.

    Args:
        home: of the life, for its weights.
        hashes: of the events so far; the caller adds to them.
        checked: how many of each kind of thing were looked at; counted up here.

    Attributes:
        run: number of the latest run.
        name: of the latest task.
        tabular: whether it is looked up.
        trained: by digest what was fully trained on it.
    """

    def __init__(self, home: Home, hashes: Container[str], checked: Counter[str]) -> None:
        self._home, self._hashes, self._checked = home, hashes, checked
        self.run, self.name, self.tabular = 0, "", False
        self.trained: dict[str, Mapping[str, Json]] = {}
        self._set: ConstraintSet | None = None
        self._suite: Suite | None = None
        self._stream: Mapping[str, Json] = {}
        self._started: Mapping[str, Json] = {}
        self._shapes: dict[tuple[int, str], TaskShape] = {}  # of tasks, by run and name
        self._tabulated: set[str] = set()  # architectures, by any task
        # of the present task
        self._guard = ""
        self._certified: dict[str, tuple[str, str]] = {}  # certificate and digest, by architecture
        self._audits: dict[str, Mapping[str, Json]] = {}  # `audited`, by digest
        self._verdicts: dict[str, str] = {}  # that the findings give, by digest
        self._decided: set[str] = set()
        self._standing: dict[str, bool] = {}  # whether what its gate let in stands, by digest
        self._recalled: set[str] = set()  # digests
        self._evaluated = 0

    def run_begins(self, payload: Mapping[str, Json], set_: ConstraintSet | None, suite: Suite | None) -> None:
        """A run under a constraint set and an audit suite, each None where what was recorded cannot be used."""
        self.run, self._set, self._suite = self.run + 1, set_, suite
        self._stream = mapping(payload["stream"])

    def certificate(self, architecture: str) -> str:
        """The certificate issued for an architecture on the present task; empty where there is none."""
        return self._certified.get(architecture, ("", ""))[0]

    def shape(self, run: int, task: str) -> TaskShape | None:
        """The shape of a task that was lived."""
        return self._shapes.get((run, task))

    def reviewed(self, payload: Mapping[str, Json]) -> None:
        """A person decided about a finalist; what they revoke is no winner."""
        digest = str(payload["digest"])
        if (payload["run"], payload["task"]) == (self.run, self.name) and digest in self._standing:
            self._standing[digest] = payload["standing"] == "admitted"

    @property
    def admitted(self) -> set[str]:
        """Digests that the present task's gate let in, and that stand."""
        return {digest for digest, stands in self._standing.items() if stands}

    def check(self, event: Event) -> Iterator[str]:
        """Problems of one event of a task, in sentences; kinds that are none of its own have none."""
        payload = event.payload
        match event.kind:
            case "task.started":
                yield from self._begin(payload)
            case "supernet.trained":
                yield from self._supernet(payload)
            case "certified" | "rejected" | "quarantined":
                yield from self._certificate(event.kind, payload)
            case "evaluated":
                yield from self._evaluation(payload)
            case "trained":
                yield from self._training(payload)
            case "audited":
                yield from self._audited(payload)
            case "tabulated":
                yield from self._looked_up(payload)
            case "admitted":
                yield from self._admission(payload)
            case "refused":
                yield from self._refusal(payload)
            case "compared":
                yield from self._comparison(payload)
            case "task.finished":
                yield from self._end(payload)

    def weights(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Whether the weights that an event names are there, and what their name says."""
        sha256 = str(payload["weights_sha256"])
        try:
            weights = self._home.weights_file(sha256)
        except InputError as error:
            yield str(error)
            return
        if not weights.is_file():
            yield f"its weights are missing: {weights.name}"
        elif hashlib.sha256(weights.read_bytes()).hexdigest() != sha256:
            yield f"its weights were changed: {weights.name}"
        else:
            self._checked["weights"] += 1

    # --- beginning and search ---

    def _begin(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """The guard must be that of the run's set and space for the very shape that the task has."""
        self._started, self._guard, self.name = payload, str(payload["guard"]), str(payload["task"])
        self.trained, self.tabular = {}, "table" in payload
        self._certified, self._audits, self._verdicts, self._decided = {}, {}, {}, set()
        self._standing, self._evaluated = {}, 0
        recalled = [mapping(entry) for entry in items(payload["recalled"])]
        self._recalled = {str(entry["digest"]) for entry in recalled}
        if self.tabular:
            names = {str(entry["architecture"]) for entry in recalled}
            yield from (f"recalled {name}, which no table gave" for name in sorted(names - self._tabulated))
        for entry in recalled:
            if parse_architecture(str(entry["architecture"])).digest != entry["digest"]:
                yield f"recalled {entry['architecture']} under another digest"
        shape = self._shapes[self.run, self.name] = task_shape(payload)
        if self._set is not None:
            space = str(payload.get("space", self._stream["space"]))  # which one, the composed operators say
            context = Context(space=space_named(space), macro=recorded_macro(self._stream), shape=shape)
            if context.digest(self._set.digest) != self._guard:
                yield "its guard is not that of the run's constraint set for the task's shape"

    def _supernet(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._checked["supernets"] += 1
        if self.tabular:
            yield "a supernet was trained on a task that is only a table"
        if (payload["logits"] is None and not payload.get("ranking")) != bool(payload["reason"]):
            yield "it must have either logits or a ranking, or a reason for having none"

    def _certificate(self, kind: str, payload: Mapping[str, Json]) -> Iterator[str]:
        self._checked["certificates"] += 1
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
            if payload["architecture"] in self._certified:
                yield "certified a second time on this task"
            self._certified[str(payload["architecture"])] = str(payload["certificate"]), certificate.digest
        else:
            yield from wrong_refusal(payload, certificate, self._set, self._shapes[self.run, self.name])

    def _candidate(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Nothing may be computed on what was not certified on this task."""
        known = self._certified.get(str(payload["architecture"]))
        if known is None:
            yield "computed on without a certificate issued on this task"
        elif known[1] != payload["digest"]:
            yield "its digest is not the certified architecture's"

    def _evaluation(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._evaluated += 1
        yield from self._candidate(payload)
        if self._evaluated > self._budget("evaluations"):
            yield f"evaluation number {self._evaluated}, beyond the budget of the task"
        curve = [number(value) for value in items(payload["curve"])]
        if (payload["score"] is None) != bool(payload["reason"]) or (
            curve and payload["score"] not in (None, max(curve))
        ):
            yield "its score is not the best of its curve, or it has one though it failed"
        if payload["origin"] == "recalled" and str(payload["digest"]) not in self._recalled:
            yield "called recalled, and was not"

    def _budget(self, of: str) -> float:
        return number(mapping(self._stream["budget"])[of])

    # --- finalists ---

    def _training(self, payload: Mapping[str, Json]) -> Iterator[str]:
        yield from self._candidate(payload)
        if payload["digest"] in self.trained:
            yield "trained fully a second time on this task"
        self.trained[str(payload["digest"])] = payload
        if len(self.trained) > self._budget("full_trainings"):
            yield f"full training number {len(self.trained)}, beyond the budget of the task"
        yield from self._params(payload)
        curve = [number(value) for value in items(payload["curve"])]
        if number(payload["validation"]) != (0.0 if payload["reason"] else max(curve, default=0.0)):
            yield "its validation accuracy is not the best of its curve, or it has one though training failed"
        yield from _counts(payload)

    def _params(self, payload: Mapping[str, Json]) -> Iterator[str]:
        counted = costs(parse_architecture(str(payload["architecture"])), self._shapes[self.run, self.name]).params
        if payload["params"] != counted:
            yield f"it has {counted} parameters, not {payload['params']}"

    def _audited(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._checked["audit verdicts"] += 1
        digest, trained = str(payload["digest"]), self.trained.get(str(payload["digest"]))
        if digest in self._audits:
            yield "audited a second time on this task"
        self._audits[digest] = payload
        if trained is None:
            yield "audited before it was trained"
            return
        if trained["architecture"] != payload["architecture"]:
            yield "what was audited is not what was trained"
        if self._suite is None:
            yield "there is no usable audit suite to check the findings against"
            return
        findings = [Finding.from_record(mapping(record)) for record in items(payload["findings"])]
        told = str(payload["decision"]), items(payload["failed"]), items(payload["reasons"])
        if told == ("undecided", [], [_EDITED]) or not findings:
            self._verdicts[digest] = "undecided"
            yield from _unheard(told, trained)
            return
        yield from self._uncovered(findings, self._suite)
        yield from absent(findings, self._suite, advisory=True)
        again = judge(findings, self._suite)
        self._verdicts[digest] = again.decision
        if again.decision != told[0]:
            yield f"recorded as {told[0]}, but its findings say {again.decision}"
        elif (list(again.failed), list(again.reasons)) != told[1:]:
            yield "the audits that it failed, or the reasons, are not those that its findings give"

    def _uncovered(self, findings: Sequence[Finding], suite: Suite) -> Iterator[str]:
        """Audits must be about every nuisance and trigger that the stream and the suite name for the task."""
        for record in map(mapping, items(self._stream["tasks"])):
            if record["name"] == self.name:
                spec = TaskSpec.model_validate_json(json.dumps(record))
                known_as = spec.succeeds or spec.name
                yield from uncovered(findings, suite, task=known_as, nuisances=spec.nuisance_names)
                return
        yield "its task is not of the run's stream"

    def _looked_up(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._checked["tabulated"] += 1
        yield from self._candidate(payload)
        self._tabulated.add(str(payload["architecture"]))
        if not self.tabular:
            yield "tabulated on a task that is not a table"
        if self.certificate(str(payload["architecture"])) != payload["certificate"]:
            yield "tabulated without a certificate issued on this task"

    def _once(self, digest: str) -> Iterator[str]:
        if digest in self._decided:
            yield "decided about a second time on this task"
        if digest not in self._audits:
            yield "decided about before it was audited"
        self._decided.add(digest)

    def _admission(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._checked["admissions"] += 1
        digest = str(payload["digest"])
        self._standing[digest] = True
        if self.tabular:
            yield "admitted on a task that is only a table"
        if self.certificate(str(payload["architecture"])) != payload["certificate"]:
            yield "admitted without a certificate issued on this task"
        if self._verdicts.get(digest) != "admit":
            yield "admitted without audits that admit it"
        trained = self.trained.get(digest)
        if trained is None:
            yield "admitted without full training"
        elif any(trained[key] != payload[key] for key in ("weights_sha256", "validation", "architecture", "params")):
            yield "what was admitted is not what was trained"
        elif trained["reason"]:
            yield f"admitted though its training failed: {trained['reason']}"
        elif number(payload["test"]) != number(trained["test_correct"]) / max(number(trained["test_count"]), 1.0):
            yield "its test score is not what was counted"
        if payload["task_digest"] != self._started.get("task_digest"):
            yield "it was admitted on other data than the task's"
        yield from self.weights(payload)
        yield from self._once(digest)

    def _refusal(self, payload: Mapping[str, Json]) -> Iterator[str]:
        digest = str(payload["digest"])
        yield from self._once(digest)
        if self._verdicts.get(digest) == "admit":
            yield "refused though its audits admit it"
        audited = self._audits.get(digest, payload)
        if any(audited[key] != payload[key] for key in ("architecture", "decision", "reasons")):
            yield "it was refused otherwise than its audits say"

    # --- end ---

    def _comparison(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """The hand-designed network must be the one of the winner's size."""
        yield from self._params(payload)
        yield from _counts(payload)
        best = self.winner()
        if best is None:
            yield "compared with nothing: no network was admitted"
            return
        macro = recorded_macro(self._stream)
        expected = residual_network(
            int(number(self.trained[best]["params"])),
            self._shapes[self.run, self.name],
            depth=macro.depth,
            resolution=macro.resolution,
        )
        if payload["architecture"] != str(expected):
            yield f"the hand-designed network of the winner's size is {expected}"

    def winner(self) -> str | None:
        """Of what was let in and stands, the best validation accuracy; of equals the first that was trained."""
        standing = [digest for digest in self.trained if self._standing.get(digest)]
        return max(standing, key=lambda digest: number(self.trained[digest]["validation"]), default=None)

    def _end(self, payload: Mapping[str, Json]) -> Iterator[str]:
        best = self.winner()
        if payload["winner"] != best:
            yield f"winner {payload['winner']}, but the best that was admitted and stands is {best}"
        if payload["evaluations"] != self._evaluated:
            yield f"finished after {payload['evaluations']} evaluations, but {self._evaluated} are recorded"
        if payload["full_trainings"] != len(self.trained):
            yield f"finished after {payload['full_trainings']} full trainings, but {len(self.trained)} are recorded"
        yield from (
            f"{digest[:12]} was trained fully, and nothing was decided about it"
            for digest in self.trained
            if digest not in self._decided
        )


def _counts(payload: Mapping[str, Json]) -> Iterator[str]:
    if not 0 <= number(payload["test_correct"]) <= number(payload["test_count"]):
        yield f"{payload['test_correct']} of {payload['test_count']} test examples cannot be right"


def _unheard(told: tuple[str, list[Json], list[Json]], trained: Mapping[str, Json]) -> Iterator[str]:
    """Problems where nothing follows from findings: the reason must be one that there can be, and fit the training."""
    decision, failed, reasons = told
    if decision != "undecided" or failed or len(reasons) != 1:
        yield f"recorded as {decision}, but without findings nothing is decided"
        return
    reason = str(reasons[0])
    fits = (
        reason == f"{_UNTRAINED}{trained['reason']}" if reason.startswith(_UNTRAINED)
        else not trained["weights_sha256"] if reason == _NO_WEIGHTS
        else reason.startswith(_BROKEN) or reason == _EDITED
    )  # fmt: skip
    if not fits:
        yield f"nothing that is recorded bears out its reason: {reason}"
