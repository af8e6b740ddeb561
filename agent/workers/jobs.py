"""What the agent asks of a worker process, as text: a job is JSON, and so is its answer.

Text, so that a job can be logged, replayed by hand and sent anywhere; and so that an answer is checked like any input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agent.stream.training import CrossValidationSection, FidelitySection, TrainingSection
from selfnas.data.targets import TargetKind
from selfnas.data.tasks import TaskSpec
from selfnas.documents import StrictModel
from selfnas.errors import SelfnasError

__all__ = [
    "ANSWERS",
    "Answer",
    "BaselineAnswer",
    "BaselineJob",
    "CrossAnswer",
    "DataChangedError",
    "FullAnswer",
    "FullJob",
    "InheritAnswer",
    "InheritJob",
    "Job",
    "LowAnswer",
    "LowJob",
    "MetricAnswer",
    "NeededPlugin",
    "PluginChangedError",
    "ProxyAnswer",
    "ProxyJob",
    "RefitAnswer",
    "RobustAnswer",
    "SupernetAnswer",
    "SupernetJob",
    "job_from_json",
]


class DataChangedError(SelfnasError, RuntimeError):
    """A task's data are not those that the ledger names: no answer about them would be one about the task."""


class PluginChangedError(SelfnasError, RuntimeError):
    """A worker does not find a plug-in as the life has it: no answer made with it would be one of this life."""


class NeededPlugin(StrictModel):
    """A plug-in that must be in a worker as it is in the life.

    Attributes:
        name: of the distribution.
        sha256: of its content.
        used: whether the stream names it, so that its parts are loaded; else a set or suite does, and loads its own.
    """

    name: str
    sha256: str
    used: bool


class _OnTask(StrictModel):
    """What every job has.

    Attributes:
        task: as the stream states it.
        task_digest: of the content that it must have when the job is done.
        base: directory that the task's relative path starts from.
        device: a torch device.
        seed: decides everything random in the job.
        plugins: that the life has in force.
        examples: folder with the examples, prepared (`agent.workers.shared`); where it is not, they are read from the
            task's source.
    """

    task: TaskSpec
    task_digest: str
    base: str
    device: str
    seed: int
    plugins: list[NeededPlugin] = Field(default_factory=list)
    examples: str | None = None


class _OfArchitecture(_OnTask):
    """A job on one architecture, in one-line form."""

    architecture: str


class SupernetJob(_OnTask):
    """Search a supernet over a whole space.

    Attributes:
        space: its name.
        macro: how cells are stacked, as architectures spell it.
        method: how the supernet is searched (`selfnas.training.differentiable`), or `one_shot`: trained path by path
            and kept.
        epochs: passes over the training data; None leaves it to the method.
        weights: directory that keeps the weights of a `one_shot`, in a file named by its SHA-256.
    """

    kind: Literal["supernet"] = "supernet"
    space: str
    macro: str
    method: Literal["darts", "darts_second_order", "gdas", "one_shot"]
    epochs: int | None = None
    weights: str | None = None


class InheritJob(_OnTask):
    """Score architectures with the weights of a supernet.

    Attributes:
        space: the supernet's.
        macro: the supernet's.
        weights: file of its weights.
        architectures: in one-line form.
    """

    kind: Literal["inherit"] = "inherit"
    space: str
    macro: str
    weights: str
    architectures: list[str]


class ProxyJob(_OfArchitecture):
    """Score an architecture without training it, by one proxy or (`learned`) by all of them."""

    kind: Literal["proxy"] = "proxy"
    proxy: str


class MetricAnswer(StrictModel):
    """A metric on the test split, see `selfnas.training.metrics.Measured`."""

    name: str
    estimate: float
    low: float | None
    high: float | None
    n: int


class LowJob(_OfArchitecture):
    """Train at low fidelity.

    Attributes:
        metrics: by kind of target what scores are made of; the default of the kind where none is named.
        least: score needed at each validation, or training stops (`selfnas.training.early_stopping`); none never
            stops.
        cross_validation: how small tasks are scored.
    """

    kind: Literal["low"] = "low"
    training: TrainingSection
    fidelity: FidelitySection
    metrics: dict[TargetKind, str] = Field(default_factory=dict)
    least: list[float] = Field(default_factory=list)
    cross_validation: CrossValidationSection = CrossValidationSection(below=0)


class FullJob(_OfArchitecture):
    """Train fully; then, if there is a suite, audit.

    Attributes:
        metrics: as of a `LowJob`.
        suite: text of the audit suite; None trains only.
        weights: directory that keeps the weights, in a file named by its SHA-256; None keeps none.
        left_out: which audit examples the audits do without, a bit each in hexadecimal; empty for none.
        pictures: directory for pictures of what the audits saw; None draws none.
        inherit: file of weights, named by its SHA-256, that training starts from as far as they fit; None from none.
        refit: whether a second network is trained on training and validation examples together and takes its place.
        cross_validation: how small tasks are scored, and how it is found for how long that second one is trained.
    """

    kind: Literal["full"] = "full"
    training: TrainingSection
    fidelity: FidelitySection
    metrics: dict[TargetKind, str] = Field(default_factory=dict)
    suite: str | None = None
    audit_seed: int = 0
    left_out: str = ""
    weights: str | None = None
    pictures: str | None = None
    inherit: str | None = None
    refit: bool = False
    cross_validation: CrossValidationSection = CrossValidationSection(below=0)


class BaselineJob(_OnTask):
    """Fit a baseline on training and validation split together, and test it.

    Attributes:
        name: of the baseline.
        metrics: as of a `LowJob`.
        against: a network to compare with, in one-line form; None compares with none.
        weights: file of that network's weights, named by its SHA-256.
    """

    kind: Literal["baseline"] = "baseline"
    name: str
    metrics: dict[TargetKind, str] = Field(default_factory=dict)
    against: str | None = None
    weights: str = ""


Job = BaselineJob | SupernetJob | InheritJob | ProxyJob | LowJob | FullJob


class SupernetAnswer(StrictModel):
    """What the search of a supernet gave.

    Attributes:
        logits: per template `(slots, kinds)`, rounded to six digits; None when the search failed.
        reason: why it failed.
        seconds: that the job took; for people, never recorded.
        epochs: how many were run.
        collapsed: whether it stopped because skips took over.
        weights_sha256: of a `one_shot`'s weights; empty otherwise.
    """

    logits: list[list[list[float]]] | None = None
    reason: str = ""
    seconds: float = 0.0
    epochs: int = 0
    collapsed: bool = False
    weights_sha256: str = ""


class InheritAnswer(StrictModel):
    """Accuracy of each architecture in [0, 1], in order; none and a reason where the job failed."""

    scores: list[float] = Field(default_factory=list)
    reason: str = ""
    seconds: float = 0.0


class _Answer(StrictModel):
    """What every answer has.

    Attributes:
        score: None when the job failed.
        reason: why it failed.
        seconds: that the job took in its process; for people, never recorded.
    """

    score: float | None = None
    reason: str = ""
    seconds: float = 0.0


class ProxyAnswer(_Answer):
    """A proxy's score; None when it is not finite or failed.

    Attributes:
        proxies: every proxy's score, where all were asked for; `score` is then None.
    """

    proxies: dict[str, float | None] = Field(default_factory=dict)


class LowAnswer(_Answer):
    """Best score of the curve, and the curve; a failure has a reason and no score.

    Attributes:
        repeats: of a cross-validated score, that of each repeat; empty where the validation split was held out.
    """

    curve: list[float] = Field(default_factory=list)
    repeats: list[float] = Field(default_factory=list)


class CrossAnswer(StrictModel):
    """Answers of networks made alike that the audits counted, in a file named by its SHA-256."""

    networks: int
    examples: int
    sha256: str


class RefitAnswer(StrictModel):
    """How a network was trained on training and validation examples together.

    Attributes:
        folds: networks whose held-out answers decided for how long; 0 where the validation split decided.
        teacher: baseline whose answers to varied examples it was taught too; empty for none.
    """

    steps: int
    examples: int
    folds: int = 0
    teacher: str = ""


class RobustAnswer(StrictModel):
    """Test examples that a network answers, whatever happens in their region; see `agent.workers.hardened`.

    Attributes:
        count: how many there were.
        clean: answered right as they are.
        attacked: of these, that no attack turned.
        masked: turned by a search that asks for answers alone, not by gradients.
        certified: proved.
        unproved: why nothing could be; empty where it could.
    """

    norm: str
    radius: float
    count: int
    clean: int
    attacked: int
    masked: int
    certified: int
    unproved: str = ""


class FullAnswer(_Answer):
    """What full training and the audits gave.

    Attributes:
        score: best validation accuracy, or score by another metric; None when training failed.
        audit_seconds: of `seconds`, what the audits and their pictures took.
        curve: validation accuracy after each epoch.
        test_correct: test examples classified correctly, of `test_count`; for reporting alone. Both 0 where examples
            have no single class.
        test_hits: which of them, as `selfnas.baselines.paired` writes it.
        metric: on the test split, where the metric is not accuracy.
        findings: records of `audits.Finding`; empty when nothing was audited.
        cross: answers of networks made alike that the findings count; None where they count none.
        audit_error: why the audits could not be run to their end.
        suite_digest: of the suite that was run.
        weights_sha256: of the safetensors file; empty when none was kept.
        inherited: share of the network's numbers that were taken over; None where none were to be.
        refit: of the network that was tested, audited and kept; None where that is the one that was scored.
        robust: what it holds where it was hardened; None where it was not.
    """

    audit_seconds: float = 0.0
    curve: list[float] = Field(default_factory=list)
    test_correct: int = 0
    test_count: int = 0
    metric: MetricAnswer | None = None
    test_hits: str = ""
    findings: list[dict[str, str | int | float | None]] = Field(default_factory=list)
    cross: CrossAnswer | None = None
    audit_error: str = ""
    suite_digest: str = ""
    weights_sha256: str = ""
    inherited: float | None = None
    refit: RefitAnswer | None = None
    robust: RobustAnswer | None = None


class BaselineAnswer(StrictModel):
    """What a baseline came to; see `selfnas.baselines.BaselineResult`.

    Attributes:
        hits: as `selfnas.baselines.paired` writes it; empty where an example has no single class.
        gain: of the network to compare with, and its 95 % interval; None where it was compared with none.
    """

    metric: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    rows: int = 0
    at_hand: int = 0
    hits: str = ""
    gain: tuple[float, float | None, float | None] | None = None
    reason: str = ""
    seconds: float = 0.0


Answer = BaselineAnswer | SupernetAnswer | InheritAnswer | ProxyAnswer | LowAnswer | FullAnswer
# By kind of job what answers it; made of a reason alone where the job broke.
ANSWERS: Mapping[str, type[Answer]] = {
    "baseline": BaselineAnswer,
    "supernet": SupernetAnswer, "inherit": InheritAnswer, "proxy": ProxyAnswer, "low": LowAnswer, "full": FullAnswer,
}  # fmt: skip

_JOB: TypeAdapter[Job] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])


def job_from_json(text: str) -> Job:
    """Read a job.

    Raises:
        pydantic.ValidationError: not a job.
    """
    return _JOB.validate_json(text)
