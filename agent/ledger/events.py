"""Every kind of event that a ledger holds: one frozen model each, which writers make and readers match on.

A payload is the canonical JSON of its model: keys sorted, keys that are `UNSET` left out. What is read is checked: a
key that is missing, unknown or of another type makes the event unreadable, and the fault is named. Hashes show that an
event was not changed since; they do not show that it was an event of ours.

The classes stand in the order in which their events come. `docs` makes the ledger's reference page from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from selfnas.digests import canonical_json
from selfnas.errors import ArchitectureError, SelfnasError
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.stacked import Choices, parse_choices

__all__ = [
    "BULK",
    "KEPT",
    "KINDS",
    "SEND_BACK",
    "UNSET",
    "Admitted",
    "Agreement",
    "Audited",
    "BaselineRecord",
    "Baselined",
    "Certified",
    "Compared",
    "Confirmation",
    "Count",
    "CrossRecord",
    "Deployed",
    "DesignFileRecord",
    "DesignLineRecord",
    "Designed",
    "Evaluated",
    "Event",
    "Evidence",
    "Facts",
    "Filtered",
    "FindingRecord",
    "GainRecord",
    "Gated",
    "Inherited",
    "Json",
    "LatencyRecord",
    "LedgerError",
    "Lent",
    "MetricRecord",
    "MinedRecord",
    "MotifQuarantined",
    "MotifRestored",
    "MotifRevised",
    "NamedText",
    "Number",
    "OperatorAdmitted",
    "OperatorDecided",
    "OperatorRefused",
    "OperatorRevoked",
    "OperatorUndecided",
    "PluginRecord",
    "PolicyAdopted",
    "PolicyDecided",
    "PolicyKept",
    "PolicyProposed",
    "PolicyRefused",
    "PolicyRolledBack",
    "PolicySet",
    "PolicyTried",
    "Quarantined",
    "Recalled",
    "Refit",
    "Refused",
    "Rejected",
    "Reviewed",
    "RunFinished",
    "RunStarted",
    "Settings",
    "Shape",
    "SignedBy",
    "Standing",
    "StreamRecord",
    "SubcellRevoked",
    "SubcellsMined",
    "SupernetTrained",
    "Table",
    "Tabulated",
    "TaskFinished",
    "TaskRecord",
    "TaskStarted",
    "Tested",
    "Trained",
    "Unreadable",
    "WatchBatch",
    "WatchEnded",
    "WatchEvent",
    "WatchSearch",
    "WatchStarted",
    "Wins",
    "misplaced",
    "read_facts",
    "readable",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Settings: TypeAlias = dict[str, Any]  # JSON of a stream, policy or task specification, as its own model wrote it

_BEYOND = 2**63 - 1  # no count or score comes near; what is larger breaks those who compute with it
Integer = Annotated[int, Meta(gt=-_BEYOND, lt=_BEYOND)]
Number = Annotated[int, Meta(gt=-_BEYOND, lt=_BEYOND)] | Annotated[float, Meta(gt=-float(_BEYOND), lt=float(_BEYOND))]


class LedgerError(SelfnasError, RuntimeError):
    """The ledger cannot be written, or what it holds is not what its hashes say."""


# --- parts of events ---


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an event."""


class NamedText(_Part, frozen=True, kw_only=True):
    """A constraint set or audit suite, whole.

    Attributes:
        name: name of the set or suite.
        text: the file's text.
    """

    name: str
    text: str


class PolicySet(_Part, frozen=True, kw_only=True):
    """The rules for changes of the search policy.

    Attributes:
        name: of the constraint set.
        text: the file's text.
        digest: SHA-256 of its rules of scope `policy`.
    """

    name: str
    text: str
    digest: str


class PluginRecord(_Part, frozen=True, kw_only=True):
    """A plug-in whose parts a run could use.

    Attributes:
        name: of the distribution.
        version: of the distribution.
        sha256: over its files and its entry points.
        parts: `group:name` of every part that it declares.
    """

    name: str
    version: str
    sha256: str
    parts: list[str]


class _Budget(Struct, frozen=True, kw_only=True):
    """The ceiling of a task; other keys are left alone.

    Attributes:
        evaluations: candidates trained at low fidelity.
        full_trainings: candidates trained fully.
    """

    evaluations: Integer
    full_trainings: Integer


class _MacroRecord(Struct, frozen=True, kw_only=True):
    channels: Integer | list[Integer] | None = None
    depth: Integer | list[Integer] | None = None
    resolution: Integer | list[Integer] | None = None
    head: str | list[str] | None = None
    stem: Integer | list[Integer] | None = None
    stages: Integer | list[Integer] | None = None

    def stated(self) -> dict[str, tuple[Any, ...]]:
        """The values of each setting that the stream does not leave open."""
        each = {name: getattr(self, name) for name in self.__struct_fields__}
        return {
            name: tuple(value) if isinstance(value, list) else (value,)
            for name, value in each.items()
            if value is not None
        }


class TaskRecord(Struct, frozen=True, kw_only=True):
    """Of a recorded task specification what readers of a ledger need; other keys are left alone.

    Attributes:
        name: of the task.
        source: where its examples come from.
        limit: at most so many examples; None takes all.
        split_seed: what the examples were split by.
        audit_from: which part the audit split was cut from, where the stream says so.
    """

    name: str
    source: str = ""
    limit: Integer | None = None
    split_seed: Integer = 0
    audit_from: str | None = None


class StreamRecord(Struct, frozen=True, kw_only=True):
    """Of a recorded stream what readers of a ledger need; other keys are left alone.

    Attributes:
        stream: its name.
        space: name of the search space; None where each task has its own.
        seed: of the run.
        macro: how cells are stacked, as far as the stream says.
        policy: the search policy that the run began with, as `SearchPolicy` wrote it.
        budget: the ceiling of each task.
        tasks: in order.
        constraints: name or file of the constraint set.
        audits: name or file of the audit suite.
        tuning: section `tuning`; None where the policy stays as it is.
        objective: section `objective`; None where accuracy alone counts.
        operators: most composed operators in force; None composes none.
        inherit: `motif` where full training may start from a motif's weights.
        refit: whether finalists are trained once more on training and validation data; None is true.
        plugins: names of plug-ins whose parts the stream uses.
        taught_before: what is done with audit examples that an earlier task was taught; None tells them.
        run_by: who runs the life, where a suite leaves that person out of review; None where nobody said.
    """

    stream: str
    seed: Integer
    policy: Settings
    budget: _Budget
    tasks: list[TaskRecord]
    space: str | None = None
    macro: _MacroRecord = _MacroRecord()
    constraints: str = ""
    audits: str = ""
    tuning: Settings | None = None
    objective: Settings | None = None
    operators: Integer | None = None
    inherit: str | None = None
    refit: bool | None = None
    plugins: list[str] | None = None
    taught_before: str | None = None
    run_by: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.policy.get("strategy"), str):
            raise ValueError("stream.policy.strategy must be str")

    def task(self, name: str) -> TaskRecord:
        """The specification of a task.

        Raises:
            LookupError: the stream has no such task.
        """
        for spec in self.tasks:
            if spec.name == name:
                return spec
        raise LookupError(f"the stream has no task {name}")

    def space_of(self, started: TaskStarted) -> str:
        """Name of the space that a task is searched in, with composed operators.

        Raises:
            ArchitectureError: neither the stream nor the task says.
        """
        space = self.space if started.space is UNSET else started.space
        if space is None:
            raise ArchitectureError(f"task {started.task} names no space, and its stream names none")
        return space

    def choices_of(self, started: TaskStarted) -> Choices:
        """How networks of a task may be stacked.

        Raises:
            ArchitectureError: neither the stream nor the task says.
        """
        if started.macro is not UNSET:
            return parse_choices(started.macro)
        stated = self.macro.stated()
        if not {"channels", "depth", "resolution"} <= set(stated):
            raise ArchitectureError(f"task {started.task} names no macro settings, and its stream leaves some open")
        return Choices(**stated)


class Shape(_Part, frozen=True, kw_only=True):
    """The shape of a task's examples.

    Attributes:
        channels: of one example.
        size: one entry for a series, two for an image.
        classes: number of classes.
    """

    channels: Integer
    size: list[Integer]
    classes: Integer

    @staticmethod
    def of(shape: TaskShape) -> Shape:
        """As it is recorded."""
        return Shape(channels=shape.channels, size=list(shape.size), classes=shape.classes)

    @property
    def task_shape(self) -> TaskShape:
        """As networks are built for."""
        return TaskShape(channels=self.channels, size=tuple(self.size), classes=self.classes)


class TaughtBy(_Part, frozen=True, kw_only=True):
    """An earlier task whose training or validation examples are among the audit examples of a later one.

    Attributes:
        run: number of the earlier task's run.
        task: its name.
        examples: how many of the later task's audit examples it was taught.
    """

    run: Integer
    task: str
    examples: Integer


class TaughtRecord(_Part, frozen=True, kw_only=True):
    """Audit examples of a task that earlier tasks of the life trained or validated on.

    Attributes:
        rows: which of the audit examples, a bit each in hexadecimal.
        by: the earlier tasks, oldest first.
        left_out: whether audits do without them.
    """

    rows: str
    by: list[TaughtBy]
    left_out: bool


class Recalled(_Part, frozen=True, kw_only=True):
    """An architecture recalled from an earlier task.

    Attributes:
        architecture: as text.
        digest: its SHA-256.
        from_task: name of the earlier task.
        from_run: number of that task's run.
        likeness: how alike the two tasks are, in [0, 1]; left out for tables.
    """

    architecture: str
    digest: str
    from_task: str
    from_run: Integer
    likeness: Number | UnsetType = UNSET


class Count(_Part, frozen=True, kw_only=True):
    """How many architectures of the space the guard admits.

    Attributes:
        low: lower bound in decimal digits, as text, since it may be too large for a JSON number.
        high: upper bound, likewise.
        exact: whether both are the exact count.
    """

    low: str
    high: str
    exact: bool


class Table(_Part, frozen=True, kw_only=True):
    """The column of a tabular benchmark that a task is looked up in.

    Attributes:
        name: of the benchmark.
        dataset: name of the column.
    """

    name: str
    dataset: str


class Lent(_Part, frozen=True, kw_only=True):
    """What a round was lent for: a trial of another search policy, or a control.

    Attributes:
        run: number of the run.
        contest: number of the contest on the task, from 0; a contest is two rounds.
        by: `present` or `proposed`: which policy the round was searched by.
        number: number of the trial, from 1.
    """

    run: Integer
    contest: Integer
    by: str
    number: Integer


class Inherited(_Part, frozen=True, kw_only=True):
    """Whose weights a full training began with.

    Attributes:
        run: number of the run in which they were trained.
        task: name of the task.
        weights_sha256: SHA-256 of their file.
        share: share of the network's weights that were taken over, in [0, 1]; nothing where training failed earlier.
    """

    run: Integer
    task: str
    weights_sha256: str
    share: Number | None


class MetricRecord(_Part, frozen=True, kw_only=True):
    """A metric on the test split.

    Attributes:
        name: of the metric (`selfnas.training.metrics`).
        estimate: in the metric's own unit; of numbers, that of the data.
        low: lower limit of its 95 % interval; nothing where there are too few examples for one.
        high: upper limit.
        n: number of test examples.
    """

    name: str
    estimate: Number
    low: Number | None
    high: Number | None
    n: Integer


class Agreement(_Part, frozen=True, kw_only=True):
    """How well repeated scores agree (`agent.state.agreement`).

    Attributes:
        fidelity: of the scores.
        architectures: how many were compared.
        correlation: rank correlation to be expected between two scores of the same architectures.
        raised: whether later rounds score at a higher fidelity for it.
        noise: standard deviation of a score of one architecture.
    """

    fidelity: str
    architectures: Integer
    correlation: Number
    raised: bool
    noise: Number | UnsetType = UNSET


class Limit(_Part, frozen=True, kw_only=True):
    """What held a task back (`agent.state.limits`).

    Attributes:
        name: of the list there.
        value: that shows it.
        bound: that it passes.
        count: scores, architectures, finalists or examples that it is taken over.
    """

    name: str
    value: Number
    bound: Number
    count: Integer


class Refit(_Part, frozen=True, kw_only=True):
    """How a network was trained on training and validation examples together, once it was known for how long.

    Attributes:
        steps: optimiser steps.
        examples: number of training and validation examples.
        folds: of a small task, networks made alike whose held-out answers decided for how long; the curve and the
            score are theirs. Left out where the validation split decided.
        teacher: baseline whose answers to varied examples the network was taught too, or several, joined by `+`; left
            out where there was none.
    """

    steps: Integer
    examples: Integer
    folds: Integer | UnsetType = UNSET
    teacher: str | UnsetType = UNSET


class RobustRecord(_Part, frozen=True, kw_only=True):
    """What a hardened network holds while every value of an input moves by at most a radius.

    Attributes:
        norm: `linf`: of the largest move of a value.
        radius: share of the range of the training inputs.
        count: test examples that were looked at.
        clean: of them, answered right as they are.
        attacked: of these, that no attack turned.
        masked: turned by a search that asks for answers alone, and not by gradients.
        certified: proved to be answered right all over their region, rounding of float32 included.
        unproved: why nothing could be proved: the operation without a rule. Empty where it could.
    """

    norm: str
    radius: Number
    count: Integer
    clean: Integer
    attacked: Integer
    masked: Integer
    certified: Integer
    unproved: str = ""


class CrossRecord(_Part, frozen=True, kw_only=True):
    """Answers of networks made alike that audits counted.

    Attributes:
        networks: how many were trained.
        examples: training examples that each of them answered its part of.
        sha256: SHA-256 of the answers' file beside the weights.
    """

    networks: Integer
    examples: Integer
    sha256: str


class FindingRecord(_Part, frozen=True, kw_only=True):
    """One finding of an audit; see `audits.Finding`.

    Attributes:
        audit: name of the audit.
        subject: what it looked at, such as a nuisance region.
        statistic: what was measured.
        estimate: the value; nothing where there is none.
        low: lower end of its confidence interval.
        high: upper end.
        n: number of observations.
        threshold: what the interval is compared with.
        decision: `pass`, `fail`, `inconclusive`, `void` or `untested`; earlier releases wrote `pass` where nothing was
            named, and `void` where an audit does not apply.
        role: `gate`, `alarm`, `advisory` or `validity`.
        note: a remark in words.
    """

    audit: str
    subject: str
    statistic: str
    estimate: Number | None
    low: Number | None
    high: Number | None
    n: Integer
    threshold: Number
    decision: str
    role: str
    note: str


class LatencyRecord(_Part, frozen=True, kw_only=True):
    """How long a file took for one call, in milliseconds; of the machine where it was measured, and not verifiable.

    Attributes:
        p50: median of the file's calls.
        p95: 95th percentile of them.
        reference_p50: median of a reference kernel's calls, timed in turns with them.
        reference_p95: 95th percentile of these.
        reference: what that kernel is.
        batch: examples in a call.
        threads: of the runtime.
        turns: calls of each.
    """

    p50: Number
    p95: Number
    reference_p50: Number
    reference_p95: Number
    reference: str
    batch: Integer
    threads: Integer
    turns: Integer


class DesignFileRecord(_Part, frozen=True, kw_only=True):
    """A file that was written for a specification, of which one was chosen.

    Attributes:
        digest: SHA-256 of its architecture.
        precision: `float32` or `int8`.
        bytes: its size.
        p95: 95th percentile of its calls in milliseconds, the lower end of its interval, as it was timed to choose; not
            verifiable.
        validation: the score of its network on validation examples, and how much more or less the file itself has.
    """

    digest: str
    precision: str
    bytes: Integer
    p95: Number
    validation: Number


class DesignLineRecord(_Part, frozen=True, kw_only=True):
    """A line of a specification, judged.

    Attributes:
        name: what is limited.
        text: the limit, as it was written.
        verdict: `met`, `missed` or `undecided`.
        estimate: what was measured or counted; nothing where there was nothing to judge by.
        low: lower end of its 95 % interval; the estimate itself where it is exact.
        high: upper end.
        n: audit examples or timed calls; 0 where it is exact.
    """

    name: str
    text: str
    verdict: str
    estimate: Number | None
    low: Number | None
    high: Number | None
    n: Integer


class Evidence(_Part, frozen=True, kw_only=True):
    """What rehearsals said of a proposed policy.

    Attributes:
        count: number of paired rehearsals.
        mean: mean gain of the new policy.
        p: one-sided p-value of the paired test.
        new: worth of each rehearsal under the new policy; nothing where a rehearsal gave none.
        old: likewise under the old one.
    """

    count: Integer
    mean: Number
    p: Number
    new: list[Number | None] | UnsetType = UNSET
    old: list[Number | None] | UnsetType = UNSET


class Wins(_Part, frozen=True, kw_only=True):
    """Contests between two policies on real tasks.

    Attributes:
        won: contests that the policy on trial won.
        lost: contests that it lost.
    """

    won: Integer
    lost: Integer


class Confirmation(_Part, frozen=True, kw_only=True):
    """What a trial has come to.

    Attributes:
        won: contests that the policy on trial won.
        lost: contests that it lost.
        wealth: what a bet of 1 on the policy has grown to.
        tasks: number of tasks on which rounds were lent to it.
    """

    won: Integer
    lost: Integer
    wealth: Number
    tasks: Integer


class GainRecord(_Part, frozen=True, kw_only=True):
    """By how much a network is better than a baseline on the same test examples, in the unit of the task's metric.

    Attributes:
        digest: SHA-256 of the network's architecture.
        estimate: above 0 where the network is better.
        low: lower end of the 95 % interval; nothing where there are too few examples for one.
        high: upper end.
    """

    digest: str
    estimate: Number
    low: Number | None
    high: Number | None


class BaselineRecord(_Part, frozen=True, kw_only=True):
    """What a baseline came to on the test split; see `selfnas.baselines`.

    Attributes:
        name: of the baseline.
        metric: what was measured; see `selfnas.training.metrics`.
        estimate: the value; nothing where the baseline failed.
        low: lower end of its 95 % interval; nothing where there are too few examples for one.
        high: upper end.
        n: number of test examples.
        rows: examples of training and validation split that it was fitted on.
        at_hand: examples that the two splits have.
        hits: which classes were answered, a bit for each test example that is compared, as hexadecimal text; left out
            where an example has no single class, or the baseline failed.
        gain: of the winner, or the best finalist, over it, where the metric is not accuracy; of accuracies it follows
            from the bits.
        reason: why it failed; empty where it did not.
    """

    name: str
    metric: str
    estimate: Number | None
    low: Number | None
    high: Number | None
    n: Integer
    rows: Integer
    at_hand: Integer
    hits: str | UnsetType = UNSET
    gain: GainRecord | UnsetType = UNSET
    reason: str


class MinedRecord(_Part, frozen=True, kw_only=True):
    """A sub-cell that winners share.

    Attributes:
        digest: its SHA-256.
        space: name of the space.
        template: number of the cell template, from 0.
        text: its edges as text.
        support: number of tasks whose winners hold it.
        winners: number of winners that hold it.
        tasks: names of those tasks.
        trials: number of trials with it, on which the gain was measured.
        gain: mean difference of ranks between cells with and without it.
        low: lower end of its confidence interval.
        high: upper end.
    """

    digest: str
    space: str
    template: Integer
    text: str
    support: Integer
    winners: Integer
    tasks: list[str]
    trials: Integer
    gain: Number
    low: Number
    high: Number


# --- events ---


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event says; one subclass for each kind.

    Attributes:
        kind: what happened.
        bulk: whether it concerns its task alone, as most of a ledger does. All others are landmarks: what a life is
            opened by.
        kept: landmarks that a snapshot stands for. The rest of them are decisions, few in any life.
    """

    kind: ClassVar[str] = ""
    bulk: ClassVar[bool] = False
    kept: ClassVar[bool] = False

    def to_json(self) -> str:
        """The payload: canonical JSON.

        Raises:
            ValueError: it holds a number that is not finite.
        """
        return canonical_json(msgspec.to_builtins(self, enc_hook=_plain_number))


class RunStarted(Facts, frozen=True, kw_only=True):
    """One pass over a stream began.

    Attributes:
        run: its number, from 1.
        stream: the whole stream, with its defaults filled in.
        stream_digest: SHA-256 of the stream.
        constraint_set: the constraint set in force.
        constraint_set_digest: SHA-256 of its rules.
        audit_suite: the audit suite in force.
        audit_suite_digest: SHA-256 of what the suite means.
        policy_set: rules for changes of the search policy, where the stream tunes it.
        device: the device whose costs the objective counts, where it counts any.
        device_digest: SHA-256 of the device.
        plugins: whose parts stream, constraint sets and audit suite could use, by name; not given where they name none.
        continues: number of the run whose task it gives more budget to, its only one; not given where tasks are begun.
    """

    kind: ClassVar[str] = "run.started"
    run: Integer
    stream: Settings
    stream_digest: str
    constraint_set: NamedText
    constraint_set_digest: str
    audit_suite: NamedText
    audit_suite_digest: str
    policy_set: PolicySet | UnsetType = UNSET
    device: Settings | UnsetType = UNSET
    device_digest: str | UnsetType = UNSET
    plugins: list[PluginRecord] | UnsetType = UNSET
    continues: Integer | UnsetType = UNSET

    def __post_init__(self) -> None:
        try:
            _ = self.record
        except msgspec.ValidationError as error:
            raise ValueError(_fault(error, root="stream")) from error

    @property
    def record(self) -> StreamRecord:
        """The stream, as far as readers of a ledger need it."""
        return msgspec.convert(self.stream, StreamRecord)


class MotifRevised(Facts, frozen=True, kw_only=True):
    """A remembered architecture was judged again, since another constraint set came into force.

    Attributes:
        admitted_seq: number of the event that let it in.
        task: name of the task that it was admitted on.
        architecture: as text.
        digest: its SHA-256.
        certificate: JSON text of the new verdict; nothing where the set is not for its space.
    """

    admitted_seq: Integer
    task: str
    architecture: str
    digest: str
    certificate: str | None


class MotifQuarantined(MotifRevised, frozen=True, kw_only=True):
    """The constraint set in force forbids a remembered architecture.

    Attributes:
        failed: ids of the rules that it breaks.
        messages: the messages of these rules.
    """

    kind: ClassVar[str] = "motif.quarantined"
    failed: list[str]
    messages: list[str]


class MotifRestored(MotifRevised, frozen=True, kw_only=True):
    """The constraint set in force admits a quarantined architecture again."""

    kind: ClassVar[str] = "motif.restored"


class TaskStarted(Facts, frozen=True, kw_only=True):
    """A task began.

    Attributes:
        run: number of the run.
        task: its name.
        task_digest: SHA-256 of its data and splits.
        table: the table that it is looked up in, where there is one.
        shape: the shape of its examples.
        description: statistics of the task by name; nothing for a table.
        target: kind of what is asked of an example; left out for classification.
        metric: name of what scores and tests are measured by; left out for accuracy.
        guard: digest of constraint set, space, macro settings and shape.
        space: name of the space with composed operators; left out where it is the stream's.
        macro: how cells may be stacked, in one way as architectures spell it; left out where the stream says all of it.
        admitted_count: how many architectures the guard admits.
        space_count: how many architectures the space has, in decimal digits.
        recalled: what was recalled from earlier tasks, the most promising first.
        baselines: names of the baselines that are fitted before the task ends; left out where there are none.
        continues: number of the run that lived the same task before, whose certificates and trials count here too; left
            out where there is none.
        audited_before: how many networks this life had audited before on the same audit split, or on one that shares an
            example with it; left out for a table, and by releases that did not count.
        prints: SHA-256 of a file, beside the weights, with a number for the content of each example; left out where
            there is none, and by releases that kept none.
        taught: audit examples that earlier tasks were taught; left out where there are none.
    """

    kind: ClassVar[str] = "task.started"
    kept: ClassVar[bool] = True
    run: Integer
    task: str
    task_digest: str
    table: Table | UnsetType = UNSET
    shape: Shape
    description: dict[str, Number] | None
    target: str | UnsetType = UNSET
    metric: str | UnsetType = UNSET
    guard: str
    space: str | UnsetType = UNSET
    macro: str | UnsetType = UNSET
    admitted_count: Count
    space_count: str
    recalled: list[Recalled]
    baselines: list[str] | UnsetType = UNSET
    continues: Integer | UnsetType = UNSET
    audited_before: Integer | UnsetType = UNSET
    prints: str | UnsetType = UNSET
    taught: TaughtRecord | UnsetType = UNSET


class SupernetTrained(Facts, frozen=True, kw_only=True):
    """A supernet was searched for a guided strategy.

    Attributes:
        task: name of the task.
        strategy: name of the strategy.
        logits: for each cell template `(slots, kinds)`; nothing where the strategy ranks, or where training failed.
        reason: why it failed; empty where it did not.
        epochs: number of epochs that were run.
        collapsed: whether it was stopped because skips took over.
        ranking: architectures with their scores under the supernet's weights, the best first.
    """

    kind: ClassVar[str] = "supernet.trained"
    bulk: ClassVar[bool] = True
    task: str
    strategy: str
    logits: list[list[list[Number]]] | None
    reason: str
    epochs: Integer
    collapsed: bool
    ranking: list[tuple[str, Number]] | UnsetType = UNSET


class Gated(Facts, frozen=True, kw_only=True):
    """The constraint gate decided about an architecture.

    Attributes:
        architecture: as text.
        digest: its SHA-256.
        certificate: JSON text; see `constraints.Certificate`.
    """

    bulk: ClassVar[bool] = True
    verdict: ClassVar[str] = ""
    architecture: str
    digest: str
    certificate: str


class Certified(Gated, frozen=True, kw_only=True):
    """Both engines agree that every rule holds."""

    kind: ClassVar[str] = "certified"
    verdict: ClassVar[str] = "admit"


class Rejected(Gated, frozen=True, kw_only=True):
    """A rule is broken.

    Attributes:
        failed: ids of the rules that are broken.
        messages: the messages of these rules.
        blamed: a smallest set of edges that makes the rules fail.
        nearest: the nearest admitted architectures.
        distance: how many edits away they are; nothing where none was found.
    """

    kind: ClassVar[str] = "rejected"
    verdict: ClassVar[str] = "reject"
    failed: list[str]
    messages: list[str]
    blamed: list[str]
    nearest: list[str]
    distance: Integer | None


class Quarantined(Gated, frozen=True, kw_only=True):
    """The engines disagree, or one had no answer.

    Attributes:
        failed: ids of the rules that are not known to hold.
        messages: what happened, in sentences.
    """

    kind: ClassVar[str] = "quarantined"
    verdict: ClassVar[str] = "undecided"
    failed: list[str]
    messages: list[str]


class Evaluated(Facts, frozen=True, kw_only=True):
    """One training at low fidelity ended, or failed; for a table, one cell was looked up.

    Attributes:
        task: name of the task.
        architecture: as text.
        digest: its SHA-256.
        origin: `searched`, `recalled`, `scored` (among the best of an earlier task that gave no winner), `published` (a
            cell of `selfnas.spaces.published`) or `promoted` to a higher fidelity.
        fidelity.
        proxy: its score by the policy's proxy; nothing where none was computed.
        proxies: scores by all proxies, where the policy learns from them.
        fidelity: name of the fidelity.
        score: best validation accuracy in [0, 1], or what another metric makes of it, more being better; nothing where
            training failed.
        reason: why it failed; empty where it did not.
        curve: score at each validation, of which there is one an epoch where epochs are few.
        repeats: of a cross-validated score, that of each repeat; their mean is the score.
        costs: costs by name, where the stream has an objective.
        value: what the objective makes of the score.
        objectives: values of a multi-objective search, to be maximised.
        trial: the trial of a policy that the round was lent to.
        control: the control that the round was lent to.
        plan: SHA-256 of the stream's settings of training and the fidelity; left out for tables, and by 0.1.0.
    """

    kind: ClassVar[str] = "evaluated"
    bulk: ClassVar[bool] = True
    task: str
    architecture: str
    digest: str
    origin: str
    proxy: Number | None
    proxies: dict[str, Number | None] | UnsetType = UNSET
    fidelity: str
    score: Number | None
    reason: str
    curve: list[Number]
    repeats: list[Number] | UnsetType = UNSET
    costs: dict[str, Number] | UnsetType = UNSET
    value: Number | UnsetType | None = UNSET
    objectives: list[Number] | UnsetType = UNSET
    trial: Lent | UnsetType = UNSET
    control: Lent | UnsetType = UNSET
    plan: str | UnsetType = UNSET

    @property
    def recorded_costs(self) -> dict[str, Number]:
        """The costs; none where the stream has no objective."""
        return {} if self.costs is UNSET else self.costs

    @property
    def worth(self) -> Number | None:
        """What the search maximises: the objective's value, or the score where there is no objective."""
        return self.score if self.value is UNSET else self.value


class Filtered(Facts, frozen=True, kw_only=True):
    """One round of proposals ended.

    Attributes:
        task: name of the task.
        rules: how many considered architectures each rule kept out before anything was computed.
        exhausted: whether nothing was left to propose.
        agreement: how well repeated scores of the task's architectures agreed, where that was measured now.
        release: of the strategy that proposed, from 1; left out where it has proposed in one way only, and by 0.1.0.
    """

    kind: ClassVar[str] = "filtered"
    bulk: ClassVar[bool] = True
    task: str
    rules: dict[str, Integer]
    exhausted: bool
    agreement: Agreement | UnsetType = UNSET
    release: Integer | UnsetType = UNSET


class Tested(Facts, frozen=True, kw_only=True):
    """A network was trained fully and tested.

    Attributes:
        task: name of the task.
        architecture: as text.
        reason: why training failed; empty where it did not.
        test_correct: test examples that it classifies correctly.
        test_count: number of test examples; 0 where they have no single class.
        params: number of trainable parameters.
        metric: what the task's metric says of it, where that is not accuracy.
        test_hits: which of them it classifies correctly, a bit for each that is compared, as hexadecimal text; left out
            where nothing was tested.
        refit: how the network that was tested, audited and kept was trained, where that is not the one whose validation
            score is told: on training and validation examples together.
        plan: SHA-256 of the stream's settings of training and the fidelity; left out by 0.1.0.
        robust: what it holds within the region that networks are hardened against, where they are.
    """

    bulk: ClassVar[bool] = True
    task: str
    architecture: str
    reason: str
    test_correct: Integer
    test_count: Integer
    params: Integer
    metric: MetricRecord | UnsetType = UNSET
    test_hits: str | UnsetType = UNSET
    refit: Refit | UnsetType = UNSET
    plan: str | UnsetType = UNSET
    robust: RobustRecord | UnsetType = UNSET

    @property
    def test(self) -> float:
        """Test accuracy in [0, 1], or the task's metric in its own unit; 0.0 where nothing was tested."""
        if self.metric is not UNSET:
            return float(self.metric.estimate)
        return self.test_correct / self.test_count if self.test_count else 0.0


class Trained(Tested, frozen=True, kw_only=True):
    """A finalist was trained fully, or its training failed.

    Attributes:
        digest: its SHA-256.
        validation: best validation accuracy in [0, 1]; 0.0 where training failed.
        curve: validation accuracy after each epoch.
        weights_sha256: SHA-256 of its weights' file; empty where none was kept.
        inherited: whose weights it began with, where it did.
    """

    kind: ClassVar[str] = "trained"
    digest: str
    validation: Number
    curve: list[Number]
    weights_sha256: str
    inherited: Inherited | UnsetType = UNSET


class Audited(Facts, frozen=True, kw_only=True):
    """A finalist was audited.

    Attributes:
        task: name of the task.
        architecture: as text.
        digest: its SHA-256.
        findings: the findings of all audits; empty where they broke off.
        decision: `admit`, `reject` or `undecided`.
        failed: names of the gates that failed.
        reasons: why, one sentence each.
        cross: answers of networks made alike that were counted beside its own, where there were any.
    """

    kind: ClassVar[str] = "audited"
    bulk: ClassVar[bool] = True
    task: str
    architecture: str
    digest: str
    findings: list[FindingRecord]
    decision: str
    failed: list[str]
    reasons: list[str]
    cross: CrossRecord | UnsetType = UNSET


class Admitted(Facts, frozen=True, kw_only=True):
    """A finalist entered the library.

    Attributes:
        task: name of the task.
        task_digest: SHA-256 of its data and splits.
        architecture: as text.
        digest: its SHA-256.
        validation: validation accuracy in [0, 1], or the score by another metric.
        test: test accuracy in [0, 1], or the estimate of another metric.
        params: number of trainable parameters.
        certificate: JSON text of the constraint gate's certificate.
        weights_sha256: SHA-256 of its weights' file.
        metric: what the task's metric says of it, where that is not accuracy.
    """

    kind: ClassVar[str] = "admitted"
    kept: ClassVar[bool] = True
    task: str
    task_digest: str
    architecture: str
    digest: str
    validation: Number
    test: Number
    params: Integer
    certificate: str
    weights_sha256: str
    metric: MetricRecord | UnsetType = UNSET


class Refused(Facts, frozen=True, kw_only=True):
    """A finalist was not admitted.

    Attributes:
        task: name of the task.
        architecture: as text.
        digest: its SHA-256.
        decision: `reject` or `undecided`.
        reasons: why, one sentence each.
    """

    kind: ClassVar[str] = "refused"
    bulk: ClassVar[bool] = True
    task: str
    architecture: str
    digest: str
    decision: str
    reasons: list[str]


class Tabulated(Facts, frozen=True, kw_only=True):
    """What a table says of a finalist. It was never trained or audited here, hence never enters the library.

    Attributes:
        task: name of the task.
        task_digest: SHA-256 of the table.
        architecture: as text.
        digest: its SHA-256.
        validation: validation accuracy in [0, 1].
        test: test accuracy in [0, 1].
        certificate: JSON text of the constraint gate's certificate.
    """

    kind: ClassVar[str] = "tabulated"
    bulk: ClassVar[bool] = True
    task: str
    task_digest: str
    architecture: str
    digest: str
    validation: Number
    test: Number
    certificate: str


class Compared(Tested, frozen=True, kw_only=True):
    """The hand-designed network of the winner's size, or without one of the best finalist's, was trained the same way.

    Attributes:
        validation: best validation accuracy in [0, 1]; nothing where training failed.
    """

    kind: ClassVar[str] = "compared"
    validation: Number | None


class Baselined(Facts, frozen=True, kw_only=True):
    """Baselines that owe nothing to the search were fitted, on training and validation split together, and tested.

    Attributes:
        task: name of the task.
        results: one for each baseline that the task began with, in that order.
    """

    kind: ClassVar[str] = "baselined"
    bulk: ClassVar[bool] = True
    task: str
    results: list[BaselineRecord]


class TaskFinished(Facts, frozen=True, kw_only=True):
    """A task ended.

    Attributes:
        run: number of the run.
        task: name of the task.
        evaluations: number of trainings at low fidelity, or of cells looked up; with those of a task that it continues.
        full_trainings: number of full trainings, likewise.
        winner: digest of the best admitted finalist; nothing where none was admitted.
        limits: what held the task back; left out by releases that did not tell.
        audited: how many networks were audited on its audit split; left out for a table, and by releases that did not
            count.
    """

    kind: ClassVar[str] = "task.finished"
    kept: ClassVar[bool] = True
    run: Integer
    task: str
    evaluations: Integer
    full_trainings: Integer
    winner: str | None
    limits: list[Limit] | UnsetType = UNSET
    audited: Integer | UnsetType = UNSET


class SubcellsMined(Facts, frozen=True, kw_only=True):
    """What winners of this and earlier tasks share, where that is not what was known.

    Attributes:
        run: number of the run.
        task: name of the task after which it was mined.
        space: name of the space.
        tabular: whether they are of tasks of tables.
        least_tasks: fewest tasks whose winners must hold a sub-cell.
        least_share: least share of all winners that must hold it.
        subcells: the sub-cells, the surest gain first.
    """

    kind: ClassVar[str] = "subcells.mined"
    run: Integer
    task: str
    space: str
    tabular: bool
    least_tasks: Integer
    least_share: Number
    subcells: list[MinedRecord]


class SubcellRevoked(Facts, frozen=True, kw_only=True):
    """A person took a sub-cell out of use.

    Attributes:
        digest: its SHA-256.
        space: name of the space.
        text: its edges as text.
        author: who decided.
        reason: why.
    """

    kind: ClassVar[str] = "subcell.revoked"
    digest: str
    space: str
    text: str
    author: str
    reason: str


class OperatorDecided(Facts, frozen=True, kw_only=True):
    """The constraint gate decided about an operator composed of a sub-cell.

    Attributes:
        run: number of the run.
        task: name of the task after which it was composed.
        space: name of the space.
        operator: how it is spelled.
        digest: SHA-256 of space and spelling.
        sub_cell: digest of the sub-cell.
        constraint_set_digest: digest of the set that judged it.
        architecture: the cell that it is alone, as text.
        certificate: JSON text of the certificate.
        failed: ids of the rules that it breaks.
        messages: the messages of these rules.
    """

    verdict: ClassVar[str] = ""
    run: Integer
    task: str
    space: str
    operator: str
    digest: str
    sub_cell: str
    constraint_set_digest: str
    architecture: str
    certificate: str
    failed: list[str]
    messages: list[str]


class OperatorAdmitted(OperatorDecided, frozen=True, kw_only=True):
    """Later tasks' cells may carry the operator."""

    kind: ClassVar[str] = "operator.admitted"
    verdict: ClassVar[str] = "admit"


class OperatorRefused(OperatorDecided, frozen=True, kw_only=True):
    """The operator breaks a rule."""

    kind: ClassVar[str] = "operator.refused"
    verdict: ClassVar[str] = "reject"


class OperatorUndecided(OperatorDecided, frozen=True, kw_only=True):
    """The engines do not agree about the operator."""

    kind: ClassVar[str] = "operator.undecided"
    verdict: ClassVar[str] = "undecided"


class OperatorRevoked(Facts, frozen=True, kw_only=True):
    """A person took an operator out of use.

    Attributes:
        digest: SHA-256 of space and spelling.
        space: name of the space.
        operator: how it is spelled.
        author: who decided.
        reason: why.
    """

    kind: ClassVar[str] = "operator.revoked"
    digest: str
    space: str
    operator: str
    author: str
    reason: str


class PolicyDecided(Facts, frozen=True, kw_only=True):
    """After a task it was decided about the search policy.

    Attributes:
        run: number of the run.
        after_task: how many tasks of the run had ended.
        base: the policy that the stream states.
        old: the policy in force.
        new: what was proposed, also where it is no policy.
        evidence: what rehearsals said; nothing where there were none.
        certificate: JSON text of the policy rules' certificate; nothing where they did not judge it.
        failed: ids of the rules that it breaks.
        controls: contests won and lost by the replaced policy, which took the place of rehearsals.
        reason: why, in words; empty where the policy changes.
    """

    run: Integer
    after_task: Integer
    base: Settings
    old: Settings
    new: Settings
    evidence: Evidence | None
    certificate: str | None
    failed: list[str]
    controls: Wins | UnsetType = UNSET
    reason: str

    @property
    def trial(self) -> Confirmation | None:
        """What a trial of the policy came to; None where there was none."""
        return None


class PolicyRefused(PolicyDecided, frozen=True, kw_only=True):
    """No search policy, over budget, or forbidden by a rule."""

    kind: ClassVar[str] = "policy.refused"


class _OfTrial(PolicyDecided, frozen=True, kw_only=True):
    """A decision that a trial may stand behind.

    Attributes:
        rolls_back: whether the policy is the one that was in force before, where it was put on trial.
        confirmation: what the trial came to, where there was one.
    """

    rolls_back: bool | UnsetType = UNSET
    confirmation: Confirmation | UnsetType = UNSET

    @property
    def trial(self) -> Confirmation | None:
        """What the trial came to; None where there was none."""
        return None if self.confirmation is UNSET else self.confirmation


class PolicyKept(_OfTrial, frozen=True, kw_only=True):
    """The policy in force stays."""

    kind: ClassVar[str] = "policy.kept"


class PolicyProposed(PolicyDecided, frozen=True, kw_only=True):
    """A policy goes on trial: rounds of the next tasks are lent to it.

    Attributes:
        rolls_back: whether the policy is the one that was in force before.
    """

    kind: ClassVar[str] = "policy.proposed"
    rolls_back: bool


class PolicyTried(_OfTrial, frozen=True, kw_only=True):
    """The trial goes on."""

    kind: ClassVar[str] = "policy.tried"
    confirmation: Confirmation


class PolicyAdopted(_OfTrial, frozen=True, kw_only=True):
    """The policy is in force from now on."""

    kind: ClassVar[str] = "policy.adopted"


class PolicyRolledBack(_OfTrial, frozen=True, kw_only=True):
    """The policy that was replaced is in force again."""

    kind: ClassVar[str] = "policy.rolled_back"


class RunFinished(Facts, frozen=True, kw_only=True):
    """A run ended.

    Attributes:
        tasks: number of its tasks.
    """

    kind: ClassVar[str] = "run.finished"
    tasks: Integer


class WatchEvent(Facts, frozen=True, kw_only=True):
    """A past task is followed on new data.

    Attributes:
        task: name of the watched task.
    """

    task: str


class WatchStarted(WatchEvent, frozen=True, kw_only=True):
    """From now on this network of the task is followed.

    Attributes:
        run: number of the run that admitted it.
        in_service: name of the task that it was admitted on.
        digest: its SHA-256.
        architecture: as text.
        weights_sha256: SHA-256 of its weights' file.
        errors: whether it is wrong on each test example of the task, a text of 0 and 1.
        residuals: share of each input outside the main directions of the training inputs.
    """

    kind: ClassVar[str] = "watch.started"
    run: Integer
    in_service: str
    digest: str
    architecture: str
    weights_sha256: str
    errors: str
    residuals: list[Number]


class WatchBatch(WatchEvent, frozen=True, kw_only=True):
    """One file of new data was looked at.

    Attributes:
        batch: SHA-256 of its examples.
        examples: number of examples.
        file: name of the file that keeps them.
        errors: whether the network is wrong on each, a text of 0 and 1.
        residuals: share of each input outside the main directions of the training inputs.
        verdict: `steady`, `suspected` or `drift`.
        change: number of the example where the drift began; nothing where there is none.
        by: `errors` or `inputs`, which found it; empty where nothing was found.
    """

    kind: ClassVar[str] = "watch.batch"
    batch: str
    examples: Integer
    file: str
    errors: str
    residuals: list[Number]
    verdict: str
    change: Integer | None
    by: str


class WatchSearch(WatchEvent, frozen=True, kw_only=True):
    """A drift is confirmed: a run will search for a successor on the new examples.

    Attributes:
        run: number of that run.
        successor_task: name of its task.
        file: name of the file of the new examples.
        examples: number of these.
        in_service: number of the event that let the present network in.
        digest: SHA-256 of its architecture.
    """

    kind: ClassVar[str] = "watch.search"
    run: Integer
    successor_task: str
    file: str
    examples: Integer
    in_service: Integer
    digest: str


class WatchEnded(WatchEvent, frozen=True, kw_only=True):
    """The search for a successor ended.

    Attributes:
        run: number of its run.
        successor: digest of the network that takes over; nothing where there is none.
        evaluations: trainings at low fidelity.
        evaluations_to_best: after how many of them the best was seen.
    """

    kind: ClassVar[str] = "watch.ended"
    run: Integer
    successor: str | None
    evaluations: Integer
    evaluations_to_best: Integer


class Standing(StrEnum):
    """How a finalist stands: by gate and audits, then by what people decided."""

    ADMITTED = "admitted"
    REFUSED = "refused"


SEND_BACK = "send back"  # a decision that leaves what stands


class SignedBy(_Part, frozen=True, kw_only=True):
    """A decision signed by the key of the person who took it.

    Attributes:
        key: Ed25519 public key, in hexadecimal.
        after: hash of the event that the person saw last about the finalist.
        signature: over all else of the event, in hexadecimal.
    """

    key: str
    after: str
    signature: str


class Reviewed(Facts, frozen=True, kw_only=True):
    """A person approved a finalist, reversed what stood, or asked for another audit of it.

    Attributes:
        run: number of the run.
        task: name of the task.
        architecture: as text.
        digest: its SHA-256.
        weights_sha256: SHA-256 of its weights' file.
        decision: `approve`, `overrule` or `send back`, which asks for another audit and leaves what stands.
        standing: `admitted` or `refused`, from now on.
        author: who decided; not authenticated, unless it is signed.
        reason: why.
        signed: by whose key; left out where it is not signed.
    """

    kind: ClassVar[str] = "reviewed"
    run: Integer
    task: str
    architecture: str
    digest: str
    weights_sha256: str
    decision: str
    standing: Standing
    author: str
    reason: str
    signed: SignedBy | UnsetType = UNSET

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest: names the finalist."""
        return self.run, self.task, self.digest


class Deployed(Facts, frozen=True, kw_only=True):
    """A finalist's network was written as a file, in a bundle for somebody else.

    Attributes:
        run: number of the run.
        task: name of the task.
        architecture: as text.
        digest: its SHA-256.
        weights_sha256: SHA-256 of its weights' file.
        form: of the file, `onnx`.
        opset: version of ONNX's operations.
        precision: `float32` or `int8`.
        libraries: versions of PyTorch and of the libraries that wrote it.
        artefact_sha256: SHA-256 of the file.
        graph_sha256: SHA-256 of the file without what it says of itself; equal libraries write it again.
        bytes: size of the file.
        examples: raw test examples that it was run on; other raw examples where there are none of these.
        otherwise: examples that it answers otherwise than the network.
        furthest: largest difference of an output from the network's own, by its size where that is above 1.
        metric: name of the task's metric.
        estimate: what it says of the file's answers; nothing where no test example could be run.
        left_in_float32: parts of the network that quantisation breaks.
        audit_examples: examples of the audit split that it was asked about; 0 where these cannot be had raw.
        findings: of audits that can be judged by these answers alone.
        left_out: audits of the suite that cannot, or have nothing to test.
        latency: of the file.
    """

    kind: ClassVar[str] = "deployed"
    run: Integer
    task: str
    architecture: str
    digest: str
    weights_sha256: str
    form: str
    opset: Integer
    precision: str
    libraries: dict[str, str]
    artefact_sha256: str
    graph_sha256: str
    bytes: Integer
    examples: Integer
    otherwise: Integer
    furthest: Number
    metric: str
    estimate: Number | None
    left_in_float32: list[str]
    audit_examples: Integer
    findings: list[FindingRecord]
    left_out: list[str]
    latency: LatencyRecord

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest: names the finalist."""
        return self.run, self.task, self.digest


class Designed(Facts, frozen=True, kw_only=True):
    """A specification was answered: by a file, each of whose lines was judged, or by none.

    Attributes:
        run: number of the run that searched.
        task: name of its task.
        specification: its name, and the text of its file.
        files: those that were written, in order; none where no network was admitted.
        digest: SHA-256 of the architecture that was chosen; nothing where there is none.
        precision: of the file that was chosen; nothing where there is none.
        artefact_sha256: SHA-256 of that file, which a `deployed` event before this one describes; likewise.
        lines: in the order of the specification.
    """

    kind: ClassVar[str] = "designed"
    run: Integer
    task: str
    specification: NamedText
    files: list[DesignFileRecord]
    digest: str | None
    precision: str | None
    artefact_sha256: str | None
    lines: list[DesignLineRecord]


class Unreadable(Facts, frozen=True, kw_only=True):
    """What is no event of ours; readers other than verification refuse it.

    Attributes:
        payload: its text.
        fault: what is wrong with it.
    """

    payload: str
    fault: str


def _plain_number(value: object) -> float:
    """A NumPy number as JSON has it."""
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _kinds(base: type[Facts]) -> Iterator[type[Facts]]:
    for one in base.__subclasses__():
        if one.kind:
            yield one
        yield from _kinds(one)


KINDS: Mapping[str, type[Facts]] = {one.kind: one for one in _kinds(Facts)}
BULK = tuple(sorted(kind for kind, one in KINDS.items() if one.bulk))
KEPT = tuple(sorted(kind for kind, one in KINDS.items() if one.kept))
_DECODERS = {kind: msgspec.json.Decoder(one) for kind, one in KINDS.items()}

F = TypeVar("F", bound=Facts, covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[F]):
    """One thing that happened.

    Attributes:
        seq: 0-based, without gaps.
        kind: what happened; a key of `KINDS`, unless it is unreadable.
        facts: what the event says.
        previous: hash of the event before; `GENESIS` for the first.
        hash: SHA-256 over the rest.
    """

    seq: int
    kind: str
    facts: F
    previous: str
    hash: str


def read_facts(kind: str, payload: str) -> Facts:
    """What an event of a kind says; `Unreadable` where it does not say what such an event says."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return Unreadable(payload=payload, fault="no event of such a kind is known to this release")
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        return Unreadable(payload=payload, fault=_fault(error))


def readable(event: Event[Facts]) -> Event[Facts]:
    """The same event.

    Raises:
        LedgerError: it is unreadable.
    """
    if isinstance(event.facts, Unreadable):
        raise LedgerError(f"event {event.seq} ({event.kind}) is no event of ours: {event.facts.fault}")
    return event


def misplaced(event: Event[Facts], error: Exception) -> LedgerError:
    """The error to raise where an event cannot follow those before it."""
    what = error.args[0] if error.args else type(error).__name__
    return LedgerError(f"event {event.seq} ({event.kind}) cannot have happened here: {what}")


def _fault(error: Exception, *, root: str = "") -> str:
    """What msgspec says, with the place first: `curve[0] is wrong: Expected …`."""
    what, _, place = str(error).partition(" - at `$")
    place = f"{root}{place.rstrip('`')}".removeprefix(".")
    return f"{place}: {what}" if place else what
