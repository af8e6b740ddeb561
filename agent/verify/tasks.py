"""What verification holds a task to, from its guard to its winner.

Each candidate was certified before it was computed on, each verdict is what its findings give, each admission what was
certified, trained and audited, and the winner is the best of those.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence

from agent.gate.admission import findings_of
from agent.ledger import events
from agent.ledger.home import Home
from agent.state.agreement import LOW, RAISED, as_recorded, measured_agreement
from agent.state.state import TaskState
from agent.verify.meaning.kept import KeptFiles
from agent.verify.metrics import kind_of, wrong_metric
from agent.verify.refusals import wrong_refusal
from audits import Finding, Suite, absent, judge, uncovered
from constraints import Certificate, ConstraintSet, Context, verify_certificate
from constraints.judging.stacked import guard_digest
from selfnas.data.tasks import TaskSpec
from selfnas.networks.costs import costs
from selfnas.networks.reference import residual_network
from selfnas.plugins import MissingPluginError
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.macro import Macro
from selfnas.spaces.named import parse_architecture, space_named
from selfnas.spaces.published import published
from selfnas.spaces.stacked import Choices

__all__ = ["TaskChecker"]

# Why audits may have said nothing of a trained network, or nothing that counts.
_UNTRAINED, _BROKEN = "training failed: ", "audits broke off: "
_EDITED, _NO_WEIGHTS = "the audit suite was edited during the run", "no weights were kept"
_SHAPELESS = "no task has begun whose shape it could be held to"


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
        self._files, self._hashes, self._checked = KeptFiles(home, checked), hashes, checked
        self.run, self.name, self.tabular = 0, "", False
        self.trained: dict[str, events.Trained] = {}
        self._set: ConstraintSet | None = None
        self._suite: Suite | None = None
        self._lacking: MissingPluginError | None = None  # why set or suite cannot be read
        self._stream: events.StreamRecord | None = None
        self._specs: list[events.Settings] = []  # the stream's tasks, whole
        self._started: events.TaskStarted | None = None
        self._shapes: dict[tuple[int, str], TaskShape] = {}  # of tasks, by run and name
        self._tabulated: set[str] = set()  # architectures, by any task
        # of the present task
        self._guard = ""
        self._guards: dict[Macro, str] = {}  # digest of the guard that judges what is so stacked
        self._certified: dict[str, tuple[str, str]] = {}  # certificate and digest, by architecture
        self._audits: dict[str, events.Audited] = {}  # by digest
        self._verdicts: dict[str, str] = {}  # that the findings give, by digest
        self._decided: set[str] = set()
        self._standing: dict[str, bool] = {}  # whether what its gate let in stands, by digest
        self._recalled: set[str] = set()  # digests
        self._evaluated = 0
        self._before: set[str] = set()  # digests of what was trained fully in the task that it goes on with
        self._scoring: set[str] = set()  # cells
        self._scored: set[str] = set()  # on earlier tasks
        self._evaluations: list[events.Evaluated] = []
        self._agreements: list[events.Agreement] = []
        self._attempts = 0  # networks audited on the task's audit split, by earlier tasks too
        self._fitted = 0  # training and validation examples, by the first network that was trained on both

    def run_begins(
        self,
        started: events.RunStarted,
        set_: ConstraintSet | None,
        suite: Suite | None,
        *,
        lacking: MissingPluginError | None = None,
    ) -> None:
        """A run under a constraint set and an audit suite, each None where what was recorded cannot be used.

        Where that is for want of a plug-in, `lacking` is raised again for what needed them.
        """
        self.run, self._set, self._suite, self._lacking = self.run + 1, set_, suite, lacking
        self._stream, self._specs = started.record, started.stream["tasks"]

    def goes_on(self, before: TaskState) -> None:
        """The task that just began goes on with a finished one: its certificates hold, its budget counts."""
        self._evaluated, self._before = len(before.evaluations), before.fully_trained
        self._evaluations, self._agreements = list(before.evaluations), list(before.agreements)
        for architecture, certificate in before.certificates.items():
            self._certified[architecture] = certificate, Certificate.from_json(certificate).digest

    def certificate(self, architecture: str) -> str:
        """The certificate issued for an architecture on the present task; empty where there is none."""
        return self._certified.get(architecture, ("", ""))[0]

    def shape(self, run: int, task: str) -> TaskShape | None:
        """The shape of a task that was lived."""
        return self._shapes.get((run, task))

    def reviewed(self, review: events.Reviewed) -> None:
        """A person decided about a finalist; what they revoke is no winner."""
        if (review.run, review.task) == (self.run, self.name) and review.digest in self._standing:
            self._standing[review.digest] = review.standing == events.Standing.ADMITTED

    @property
    def admitted(self) -> set[str]:
        """Digests that the present task's gate let in, and that stand."""
        return {digest for digest, stands in self._standing.items() if stands}

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event of a task, in sentences; kinds that are none of its own have none."""
        match facts:
            case events.TaskStarted():
                yield from self._begin(facts)
            case events.SupernetTrained():
                yield from self._supernet(facts)
            case events.Gated():
                yield from self._gated(facts)
            case events.Evaluated():
                yield from self._evaluation(facts)
            case events.Filtered():
                yield from self._round(facts)
            case events.Trained():
                yield from self._training(facts)
            case events.Audited():
                yield from self._audited(facts)
            case events.Tabulated():
                yield from self._looked_up(facts)
            case events.Admitted():
                yield from self._admission(facts)
            case events.Refused():
                yield from self._refusal(facts)
            case events.Compared():
                yield from self._comparison(facts)
            case events.TaskFinished():
                yield from self._end(facts)

    def weights(self, facts: events.Admitted | events.Reviewed) -> Iterator[str]:
        """Problems of the weights that an event names."""
        where = (facts.run, facts.task) if isinstance(facts, events.Reviewed) else (self.run, self.name)
        yield from self._files.weights(facts, self.shape(*where))

    # --- beginning and search ---

    def _begin(self, started: events.TaskStarted) -> Iterator[str]:
        """The guard must be that of the run's set and space for the very shape that the task has."""
        self._started, self._guard, self.name = started, started.guard, started.task
        self._guards = {}
        self.trained, self.tabular = {}, started.table is not events.UNSET
        self._certified, self._audits, self._verdicts, self._decided = {}, {}, {}, set()
        self._standing, self._evaluated, self._before = {}, 0, set()
        self._scored |= self._scoring
        self._scoring, self._fitted = set(), 0
        self._evaluations, self._agreements = [], []
        self._attempts = 0 if started.audited_before is events.UNSET else started.audited_before
        self._recalled = {recalled.digest for recalled in started.recalled}
        if self.tabular:
            names = {recalled.architecture for recalled in started.recalled}
            yield from (f"recalled {name}, which no table gave" for name in sorted(names - self._tabulated))
        self._kind, wrong = kind_of(started)
        yield from wrong
        shape = self._shapes[self.run, self.name] = started.shape.task_shape
        for recalled in started.recalled:
            if parse_architecture(recalled.architecture).digest != recalled.digest:
                yield f"recalled {recalled.architecture} under another digest"
        if self._set is not None and self._stream is not None:
            # Which space it is, the composed operators say.
            space, choices = space_named(self._stream.space_of(started)), self._stream.choices_of(started)
            yield from _misstacked(choices, self._stream)
            self._guards = {
                macro: Context(space=space, macro=macro, shape=shape).digest(self._set.digest) for macro in choices
            }
            if guard_digest(self._set.digest, space, choices, shape) != self._guard:
                yield "its guard is not that of the run's constraint set for the task's shape"

    def _supernet(self, supernet: events.SupernetTrained) -> Iterator[str]:
        self._checked["supernets"] += 1
        if self.tabular:
            yield "a supernet was trained on a task that is only a table"
        if (supernet.logits is None and not supernet.ranking) != bool(supernet.reason):
            yield "it must have either logits or a ranking, or a reason for having none"

    def _gated(self, gated: events.Gated) -> Iterator[str]:
        self._checked["certificates"] += 1
        certificate = Certificate.from_json(gated.certificate)
        again = gated.architecture in self._certified
        if isinstance(gated, events.Certified):
            self._certified[gated.architecture] = gated.certificate, certificate.digest
        if self._set is None:
            if self._lacking:
                raise self._lacking
            yield "there is no usable constraint set to check the certificate against"
            return
        if certificate.verdict != gated.verdict:
            yield f"the certificate says {certificate.verdict}"
        if certificate.architecture != gated.architecture:
            yield "the certificate is for another architecture"
        if certificate.guard != self._guards.get(parse_architecture(gated.architecture).macro):
            yield "the certificate was issued by another guard than the task's"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        yield from verify_certificate(certificate, self._set)
        if certificate.digest != gated.digest and certificate.subject:
            yield "its digest is not the certificate's"
        match gated:
            case events.Certified():
                if again:
                    yield "certified a second time on this task"
            case events.Rejected() | events.Quarantined():
                shape = self.shape(self.run, self.name)
                if shape is None:
                    yield _SHAPELESS
                    return
                yield from wrong_refusal(gated, certificate, self._set, shape)

    def _candidate(self, facts: events.Evaluated | events.Trained | events.Tabulated) -> Iterator[str]:
        """Nothing may be computed on what was not certified on this task."""
        known = self._certified.get(facts.architecture)
        if known is None:
            yield "computed on without a certificate issued on this task"
        elif known[1] != facts.digest:
            yield "its digest is not the certified architecture's"

    def _evaluation(self, evaluated: events.Evaluated) -> Iterator[str]:
        self._evaluated += 1
        yield from self._candidate(evaluated)
        if self._stream is None or self._evaluated > self._stream.budget.evaluations:
            yield f"evaluation number {self._evaluated}, beyond the budget of the task"
        self._evaluations.append(evaluated)
        yield from self._fidelity(evaluated)
        score, curve = evaluated.score, evaluated.curve
        if (score is None) != bool(evaluated.reason) or (curve and score not in (None, max(curve))):
            yield "its score is not the best of its curve, or it has one though it failed"
        if evaluated.origin == "recalled" and evaluated.digest not in self._recalled:
            yield "called recalled, and was not"
        cells = _cells(evaluated.architecture)
        if evaluated.origin == "scored" and cells not in self._scored:
            yield "called scored on an earlier task, and was not"
        self._scoring.add(cells)
        if evaluated.origin == "published" and not _is_published(parse_architecture(evaluated.architecture)):
            yield "called published, and is not"

    def _fidelity(self, evaluated: events.Evaluated) -> Iterator[str]:
        """Repeats must make the score, and the fidelity be the one that agreement of scores calls for."""
        repeats, score = evaluated.repeats, evaluated.score
        if repeats is not events.UNSET and (
            score is None or not repeats or not math.isclose(sum(repeats) / len(repeats), score, abs_tol=1e-9)
        ):
            yield "its score is not the mean of its repeats"
        raised = any(found.raised for found in self._agreements)
        if evaluated.fidelity in (LOW, RAISED) and (evaluated.fidelity == RAISED) != raised:
            yield f"scored at fidelity {evaluated.fidelity}, which the agreement of scores does not call for"

    def _round(self, filtered: events.Filtered) -> Iterator[str]:
        """What it says of the agreement of scores must be what they give."""
        measured = as_recorded(measured_agreement(self._evaluations, self._agreements), filtered.agreement)
        if measured != filtered.agreement:
            yield "what it says of the agreement of scores is not what their repeats give"
        if filtered.agreement is not events.UNSET:
            self._agreements.append(filtered.agreement)

    # --- finalists ---

    def _training(self, trained: events.Trained) -> Iterator[str]:
        yield from self._candidate(trained)
        if trained.digest in self.trained or trained.digest in self._before:
            yield "trained fully a second time on this task"
        self.trained[trained.digest] = trained
        number = len(self._before) + len(self.trained)
        if self._stream is None or number > self._stream.budget.full_trainings:
            yield f"full training number {number}, beyond the budget of the task"
        yield from self._counts(trained)
        if trained.validation != (0.0 if trained.reason else max(trained.curve, default=0.0)):
            yield "its validation accuracy is not the best of its curve, or it has one though training failed"
        yield from self._files.left(trained, self.shape(self.run, self.name))

    def _counts(self, tested: events.Tested) -> Iterator[str]:
        """Its parameters must be those of its architecture, its test score one that can be."""
        shape = self.shape(self.run, self.name)
        if shape is None:
            yield _SHAPELESS
        elif (counted := costs(parse_architecture(tested.architecture), shape).params) != tested.params:
            yield f"it has {counted} parameters, not {tested.params}"
        if not 0 <= tested.test_correct <= tested.test_count:
            yield f"{tested.test_correct} of {tested.test_count} test examples cannot be right"
        if self._started is not None:
            yield from wrong_metric(tested, self._started)
        yield from self._refit(tested)

    def _refit(self, tested: events.Tested) -> Iterator[str]:
        """A second training must be wanted, of a network that could be trained, on as many examples as every other."""
        refit = tested.refit
        if refit is events.UNSET:
            return
        if self._stream is not None and self._stream.refit is False:
            yield "trained a second time on validation data too, which its stream rules out"
        if tested.reason or refit.steps < 1:
            yield f"a second training of {refit.steps} steps, of a network that failed or of none at all"
        self._fitted = self._fitted or refit.examples
        if refit.examples != self._fitted or refit.examples < 2:
            yield f"trained a second time on {refit.examples} examples, another network of the task on {self._fitted}"

    def _audited(self, audited: events.Audited) -> Iterator[str]:
        self._checked["audit verdicts"] += 1
        digest, trained = audited.digest, self.trained.get(audited.digest)
        if digest in self._audits:
            yield "audited a second time on this task"
        self._audits[digest] = audited
        if trained is None:
            yield "audited before it was trained"
            return
        if trained.architecture != audited.architecture:
            yield "what was audited is not what was trained"
        if self._suite is None:
            if self._lacking:
                self._verdicts[digest] = audited.decision  # taken as recorded
                raise self._lacking
            yield "there is no usable audit suite to check the findings against"
            return
        if audited.cross is not events.UNSET:
            yield from self._files.answers(audited.cross, self._started.shape.classes if self._started else None)
        findings = findings_of(audited)
        self._attempts += bool(findings)
        if (audited.decision, audited.failed, audited.reasons) == ("undecided", [], [_EDITED]) or not findings:
            self._verdicts[digest] = "undecided"
            yield from _unheard(audited, trained)
            return
        yield from self._uncovered(findings, self._suite)
        yield from absent(findings, self._suite, kind=self._kind, advisory=True)
        again = judge(findings, self._suite, kind=self._kind, attempt=self._attempts)
        self._verdicts[digest] = again.decision
        if again.decision != audited.decision:
            yield f"recorded as {audited.decision}, but its findings say {again.decision}"
        elif (list(again.failed), list(again.reasons)) != (audited.failed, audited.reasons):
            yield "the audits that it failed, or the reasons, are not those that its findings give"

    def _uncovered(self, findings: Sequence[Finding], suite: Suite) -> Iterator[str]:
        """Audits must be about every nuisance and trigger that the stream and the suite name for the task."""
        for record in self._specs:
            if record["name"] == self.name:
                spec = TaskSpec.model_validate_json(json.dumps(record))
                known_as = spec.succeeds or spec.name
                yield from uncovered(findings, suite, task=known_as, nuisances=spec.nuisance_names, kind=self._kind)
                return
        yield "its task is not of the run's stream"

    def _looked_up(self, tabulated: events.Tabulated) -> Iterator[str]:
        self._checked[events.Tabulated.kind] += 1
        yield from self._candidate(tabulated)
        self._tabulated.add(tabulated.architecture)
        if not self.tabular:
            yield "tabulated on a task that is not a table"
        if self.certificate(tabulated.architecture) != tabulated.certificate:
            yield "tabulated without a certificate issued on this task"
        if self._started is None or tabulated.task_digest != self._started.task_digest:
            yield "it was looked up in another table than the task's"

    def _once(self, digest: str) -> Iterator[str]:
        if digest in self._decided:
            yield "decided about a second time on this task"
        if digest not in self._audits:
            yield "decided about before it was audited"
        self._decided.add(digest)

    def _admission(self, admitted: events.Admitted) -> Iterator[str]:
        self._checked["admissions"] += 1
        digest, trained = admitted.digest, self.trained.get(admitted.digest)
        self._standing[digest] = True
        if self.tabular:
            yield "admitted on a task that is only a table"
        if self.certificate(admitted.architecture) != admitted.certificate:
            yield "admitted without a certificate issued on this task"
        if self._verdicts.get(digest) != "admit":
            yield "admitted without audits that admit it"
        if trained is None:
            yield "admitted without full training"
        elif _network(admitted) != _network(trained):
            yield "what was admitted is not what was trained"
        elif trained.reason:
            yield f"admitted though its training failed: {trained.reason}"
        elif admitted.test != trained.test or admitted.metric != trained.metric:
            yield "its test score is not what was counted"
        if self._started is None or admitted.task_digest != self._started.task_digest:
            yield "it was admitted on other data than the task's"
        yield from self._once(digest)
        yield from self.weights(admitted)

    def _refusal(self, refused: events.Refused) -> Iterator[str]:
        yield from self._once(refused.digest)
        if self._verdicts.get(refused.digest) == "admit":
            yield "refused though its audits admit it"
        audited = self._audits.get(refused.digest)
        if audited is not None and _verdict(refused) != _verdict(audited):
            yield "it was refused otherwise than its audits say"

    # --- end ---

    def _comparison(self, compared: events.Compared) -> Iterator[str]:
        """The hand-designed network must be the one of the winner's size, without a winner of the best finalist's."""
        yield from self._counts(compared)
        best, shape = self.winner() or self._best_refused(), self.shape(self.run, self.name)
        if best is None:
            yield "compared with nothing: no network was trained to the end"
            return
        if shape is None:
            return  # said before
        trained = self.trained[best]
        expected = residual_network(trained.params, shape, macro=parse_architecture(trained.architecture).macro)
        if compared.architecture != str(expected):
            what = "winner" if self.winner() else "best finalist"
            yield f"the hand-designed network of the {what}'s size is {expected}"

    def winner(self) -> str | None:
        """Of what was let in and stands, the best validation accuracy; of equals the first that was trained."""
        standing = [digest for digest in self.trained if self._standing.get(digest)]
        return max(standing, key=lambda digest: self.trained[digest].validation, default=None)

    def _best_refused(self) -> str | None:
        """Of what was trained to the end, the best validation accuracy, likewise."""
        trained = [digest for digest, one in self.trained.items() if not one.reason]
        return max(trained, key=lambda digest: self.trained[digest].validation, default=None)

    def _end(self, finished: events.TaskFinished) -> Iterator[str]:
        best = self.winner()
        if finished.winner != best:
            yield f"winner {finished.winner}, but the best that was admitted and stands is {best}"
        if finished.evaluations != self._evaluated:
            yield f"finished after {finished.evaluations} evaluations, but {self._evaluated} are recorded"
        if finished.full_trainings != len(self._before) + len(self.trained):
            number = len(self._before) + len(self.trained)
            yield f"finished after {finished.full_trainings} full trainings, but {number} are recorded"
        yield from (
            f"{digest[:12]} was trained fully, and nothing was decided about it"
            for digest in self.trained
            if digest not in self._decided
        )


def _network(facts: events.Trained | events.Admitted) -> tuple[object, ...]:
    """What an admission repeats of a training."""
    return facts.architecture, facts.params, facts.validation, facts.weights_sha256


def _verdict(facts: events.Audited | events.Refused) -> tuple[object, ...]:
    """What a refusal repeats of the audits."""
    return facts.architecture, facts.decision, facts.reasons


def _unheard(audited: events.Audited, trained: events.Trained) -> Iterator[str]:
    """Problems where nothing follows from findings: the reason must be one that there can be, and fit the training."""
    if audited.decision != "undecided" or audited.failed or len(audited.reasons) != 1:
        yield f"recorded as {audited.decision}, but without findings nothing is decided"
        return
    (reason,) = audited.reasons
    fits = (
        reason == f"{_UNTRAINED}{trained.reason}" if reason.startswith(_UNTRAINED)
        else not trained.weights_sha256 if reason == _NO_WEIGHTS
        else reason.startswith(_BROKEN) or reason == _EDITED
    )  # fmt: skip
    if not fits:
        yield f"nothing that is recorded supports its reason: {reason}"


def _misstacked(choices: Choices, stream: events.StreamRecord) -> Iterator[str]:
    """Problems of a task's macro settings: those that the stream states are its own."""
    for name, values in stream.macro.stated().items():
        if getattr(choices, name) != values:
            yield f"its {name} is of {getattr(choices, name)}, but the stream says {values}"


def _is_published(architecture: Architecture) -> bool:
    return architecture in published(architecture.space, architecture.macro)


def _cells(architecture: str) -> str:
    """Of a one-line form, what is the same under other macro settings and with further operators."""
    return architecture.partition(":")[2]
