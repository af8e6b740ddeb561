"""The stream file: which tasks one agent lives through, in which space, under which guard and budget."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Discriminator, Field, StringConstraints, Tag, WithJsonSchema, model_validator

from agent.stream.fidelities import HalvingSection
from agent.stream.objective import ObjectiveSection
from agent.stream.policy import OWN_PROXIES, SearchPolicy
from agent.stream.shipped import stream_path
from agent.stream.training import CrossValidationSection, FidelitySection, TrainingSection
from selfnas import plugins
from selfnas.baselines.catalogue import baseline_names
from selfnas.data.sources.packaged import source_names
from selfnas.data.targets import TARGET_KINDS, TargetKind
from selfnas.data.tasks import TaskSpec
from selfnas.devices.roofline import cost_names
from selfnas.digests import canonical_json
from selfnas.documents import ONE, SEVERAL, Document, PluginName, StrictModel, one_or_several, read_document
from selfnas.errors import InputError, Problem, suggestion
from selfnas.networks.defaults import default_macro
from selfnas.plugins import Plugin
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import MOST_COMPOSED, spaces_by_name
from selfnas.spaces.operations import UNPROVED
from selfnas.spaces.stacked import MOST_STACKS, Choices
from selfnas.training.metrics import METRICS

__all__ = ["STREAM_GROUPS", "Stream", "StreamFile", "load_plugins", "read_stream"]

# Strategies of our own that rehearsals can try.
_REHEARSED = ("transfer", "surrogate", "regularised_evolution", "local_search", "adaptive_evolution", "random")
# What such a file can use of a plug-in.
STREAM_GROUPS = ("operations", "spaces", "strategies", "sources", "proxies", "objectives")
Rehearsable = Annotated[str, WithJsonSchema({"anyOf": [{"enum": [*_REHEARSED]}, {"type": "string"}]})]
Baselines = Annotated[
    Literal["auto", "none"] | Annotated[list[str], Field(min_length=1, max_length=32)],
    WithJsonSchema({"anyOf": [{"enum": ["auto", "none"]}, {"type": "array", "items": {"enum": [*baseline_names()]}}]}),
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


_Width = Annotated[int, Field(ge=2, le=4096)]
_Depth = Annotated[int, Field(ge=1, le=64)]
_Resolution = Annotated[int, Field(ge=4, le=4096)]
_Head = Literal["average", "grid4", "attention", "peaks"]
_Stem = Literal[1, 2, 4]
_Stages = Literal[1, 2, 3]
_Value = TypeVar("_Value")
_Some = Annotated[
    Annotated[_Value, Tag(ONE)] | Annotated[list[_Value], Field(min_length=1, max_length=8), Tag(SEVERAL)],
    Discriminator(one_or_several),
]


class MacroSection(StrictModel):
    """How cells are stacked; see `selfnas.spaces.macro.Macro`.

    Where width, depth or resolution is left open, it follows each task's inputs, as does the head. Where all three are
    stated, the stack is that of NAS-Bench-201: its head is the mean unless another is named. Where a list is given, the
    search chooses of it, for each architecture anew.

    Attributes:
        channels: width of the first stage; it doubles at each reduction, of which there is one between two stages.
        depth: cells per stage.
        resolution: the stem halves larger images, at most twice, until no side exceeds it; series may be four times as
            long.
        head: how positions are brought down to a vector.
        stem: stride of the stem, in place of what the resolution asks for.
        stages: 3 by default; fewer make a shallow network, whose answers can be proved farther (`robustness`). Spaces
            whose cells have two inputs have 3.
    """

    channels: _Some[_Width] | None = None
    depth: _Some[_Depth] | None = None
    resolution: _Some[_Resolution] | None = None
    head: _Some[_Head] | None = None
    stem: _Some[_Stem] | None = None
    stages: _Some[_Stages] | None = None

    def choices(self, shape: TaskShape) -> Choices:
        """As the search uses it on tasks of a shape."""
        usual = Choices.of(default_macro(shape))
        return self.stated() or replace(usual, **self._listed())

    def stated(self) -> Choices | None:
        """What it says by itself; None where it leaves width, depth or resolution open."""
        if self.channels is None or self.depth is None or self.resolution is None:
            return None
        return Choices(**self._listed())

    def _listed(self) -> dict[str, Any]:
        """What is stated, each a tuple of values."""
        stated = self.model_dump(exclude_none=True)
        return {name: tuple(value) if isinstance(value, list) else (value,) for name, value in stated.items()}


class BudgetSection(StrictModel):
    """The ceiling for each task, which no policy can raise.

    Attributes:
        evaluations: candidates trained at low fidelity.
        full_trainings: candidates trained fully and audited; more than the policy's finalists only when audits
            turn finalists away.
    """

    evaluations: int = Field(default=16, ge=1, le=1_000_000)
    full_trainings: int = Field(default=4, ge=1, le=100_000)


class TuningSection(StrictModel):
    """How the agent may change its own search policy between tasks.

    Attributes:
        proposals: policies tried in the choosing rehearsals after each task.
        rehearsals: further rehearsals that must confirm the best of them.
        confirm: tasks on which what won them is tried, in turn with the policy in force, before it is dropped
            unconfirmed; 0 adopts it at once.
        control: whether, under a policy that was adopted, one contest of each task is lent to the policy that it
            replaced, so that real scores can start a trial to roll it back.
        envelope: constraint set whose rules of scope `policy` every change must pass: a shipped name or a file.
        strategies: what may be proposed, besides the strategy in force, also of plug-ins; of equals in rehearsal the
            first is preferred. After one task `transfer` has no past to rehearse with and equals `surrogate`, but it
            gains on later tasks.
        programs: acquisition programs that are bred after each task, besides those proposals, under the strategy in
            force if that reads one, else under the first of `strategies` that does; where it is left out, none.
    """

    proposals: int = Field(default=16, ge=1, le=10_000)
    rehearsals: int = Field(default=24, ge=2, le=10_000)
    confirm: int = Field(default=2, ge=0, le=10_000)
    control: bool = True
    envelope: str = "policy"
    strategies: list[Rehearsable] = Field(default=[*_REHEARSED], min_length=1)
    programs: int | None = Field(default=None, ge=1, le=1000)


class SupernetSection(StrictModel):
    """How guided strategies train and use their supernet; what is not stated is their own default.

    Attributes:
        epochs: passes over the training data, at most.
        inherited: of `one_shot`, candidates that are scored with the supernet's weights.
    """

    epochs: int | None = Field(default=None, ge=1, le=100_000)
    inherited: int = Field(default=240, ge=1, le=100_000)


class Stream(StrictModel):
    """A stream file's content."""

    stream: Name
    format: Literal[1]
    plugins: list[PluginName] | None = Field(default=None, min_length=1, max_length=32)
    seed: int = Field(default=0, ge=0, lt=2**62)
    space: str | None = None
    operators: int | None = Field(default=None, ge=1, le=MOST_COMPOSED)  # most composed of mined sub-cells, in force
    macro: MacroSection = MacroSection()
    constraints: str = "baseline"
    audits: str = "baseline"
    budget: BudgetSection = BudgetSection()
    low: FidelitySection = FidelitySection(epochs=3)
    full: FidelitySection = FidelitySection(epochs=15, patience=6)
    training: TrainingSection = TrainingSection()
    metric: dict[TargetKind, str] | None = None  # by kind of target; each has a default
    cross_validation: CrossValidationSection | None = None  # of candidates of small tasks; with its defaults if absent
    refit: bool | None = None  # finalists are trained again, on training and validation data; so if absent
    inherit: Literal["motif"] | None = None  # full training of what was recalled starts from the motif's weights
    policy: SearchPolicy = SearchPolicy()
    objective: ObjectiveSection | None = None
    supernet: SupernetSection | None = None
    halving: HalvingSection | None = None
    baselines: Baselines | None = None  # what each task's winner is compared with; None is `auto`
    curve_stop: Literal[True] | None = None  # give up low trainings whose curve cannot reach the best any more
    taught_before: Literal["tell", "leave_out", "refuse"] | None = None  # audit examples
    run_by: Annotated[str, Field(min_length=1, max_length=200)] | None = (
        None  # left out of review where a suite says so
    )
    tuning: TuningSection | None = None
    tasks: list[TaskSpec] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="before")
    @classmethod
    def _space_of_tables(cls, stated: object) -> object:
        """Tables have no inputs that a space could follow: where all tasks are tables, it is NAS-Bench-201's."""
        if not isinstance(stated, Mapping) or not isinstance(tasks := stated.get("tasks"), Sequence):
            return stated
        sources = [task.get("source") if isinstance(task, Mapping) else getattr(task, "source", "") for task in tasks]
        if not sources or set(sources) != {"table"}:
            return stated
        macro = stated.get("macro", {})
        if isinstance(macro, MacroSection):
            macro = macro.model_dump(exclude_none=True)
        if isinstance(macro, Mapping):
            macro = {"channels": 8, "depth": 1, "resolution": 16, **macro}
        return {"space": "nb201", **stated, "macro": macro}

    def metrics_of(self, task: TaskSpec) -> Mapping[TargetKind, str]:
        """By kind of target what one of its tasks is measured by, as far as it is named; the task's own goes first."""
        return self.metric or {} if task.metric is None else dict.fromkeys(TARGET_KINDS, task.metric)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides what happens; not of comments, order or spelling."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json", exclude_none=True)).encode()).hexdigest()


StreamFile = Document[Stream]
Place = tuple[str | int, ...]


def read_stream(path: Path, *, overrides: Sequence[str] = ()) -> StreamFile:
    """Read and check a stream with `--set` overrides.

    Args:
        path: a file, or the name of a shipped stream.
        overrides: `key=value` of each `--set`.

    Raises:
        InputError: with every problem found and its place.
    """
    document = read_document(stream_path(path), Stream, overrides=overrides)
    with plugins.in_force(*load_plugins(document)):
        if problems := [*_unknown(document), *_misfits(document)]:
            raise InputError(problems)
    return document


def load_plugins(document: StreamFile) -> tuple[Plugin, ...]:
    """The plug-ins that a stream names, with what a stream can use of them.

    Raises:
        InputError: one cannot be used; with every problem found and its place.
    """
    return plugins.load(
        document.value.plugins or (),
        STREAM_GROUPS,
        user="stream",
        problem=lambda index, message: document.problem(("plugins", index), message),
    )


def _unknown(document: StreamFile) -> Iterator[Problem]:
    """Names of parts that there are not, of our own or of the plug-ins in force."""
    # Imports that take seconds wait until the file says what it should.
    from selfnas.strategies.guided import GUIDED
    from selfnas.strategies.table import strategy_names, unknown_strategy

    stream = document.value
    tuning, objective = stream.tuning, stream.objective
    known: list[tuple[str, Sequence[str], list[tuple[Place, str]]]] = [
        ("unknown space", sorted(spaces_by_name()), [(("space",), stream.space)] if stream.space else []),
        ("unknown strategy", sorted([*strategy_names(), *GUIDED]), [(("policy", "strategy"), stream.policy.strategy)]),
        ("proxy: unknown", (*OWN_PROXIES, *plugins.names("proxies")), [(("policy", "proxy"), stream.policy.proxy)]),
    ]
    if tuning is not None:
        listed: list[tuple[Place, str]] = [
            (("tuning", "strategies", index), name) for index, name in enumerate(tuning.strategies)
        ]
        known.append(("strategies: unknown", (*_REHEARSED, *plugins.names("strategies")), listed))
    if objective is not None:
        listed = [(("objective", "minimise", index), name) for index, name in enumerate(objective.minimise)]
        listed += [(("objective", "weights", name), name) for name in objective.weights]
        listed += [(("objective", "limits", name), name) for name in objective.limits]
        known.append(("unknown cost", cost_names(), listed))
    for kind, name in (stream.metric or {}).items():
        fitting = [metric.name for metric in METRICS.values() if kind in metric.kinds]
        known.append((f"metric of {kind}: unknown", fitting, [(("metric", kind), name)]))
    if isinstance(stream.baselines, list):
        listed = [(("baselines", index), name) for index, name in enumerate(stream.baselines)]
        known.append(("unknown baseline", baseline_names(), listed))
    listed = [(("tasks", index, "metric"), task.metric) for index, task in enumerate(stream.tasks) if task.metric]
    known.append(("metric: unknown", list(METRICS), listed))
    listed = [(("tasks", index, "source"), task.source) for index, task in enumerate(stream.tasks)]
    known.append(("source: unknown", source_names(), listed))
    for what, names, told in known:
        for place, name in told:
            if name not in names:
                strategy = what == "unknown strategy"
                message = unknown_strategy(name, names) if strategy else f"{what} {name!r}{suggestion(name, names)}"
                yield document.problem(place, message)


def _misfits(document: StreamFile) -> Iterator[Problem]:
    """Sections that cannot go together."""
    from selfnas.strategies.guided import GUIDED
    from selfnas.strategies.table import settings_of, strategy_names

    stream, strategy = document.value, document.value.policy.strategy
    guided = strategy in GUIDED
    if stream.training.robustness is not None:
        yield from _robust_problems(document, guided=guided)
    yield from _macro_problems(document, guided=guided)
    yield from (document.problem(("operators",), message) for message in _operator_problems(stream, guided=guided))
    tables = [task.name for task in stream.tasks if task.source == "table"]
    if guided and tables:
        message = f"strategy {strategy!r} trains a supernet on examples, which task {tables[0]!r}, a table, has none of"
        yield document.problem(("policy", "strategy"), message)
    if stream.halving is not None and tables:
        message = f"halving trains on several rungs, which task {tables[0]!r}, a table, does not have"
        yield document.problem(("halving",), message)
    if guided and stream.tuning is not None:
        message = f"a policy with strategy {strategy!r} cannot be rehearsed, for a supernet needs the task's examples"
        yield document.problem(("tuning",), message)
    if (
        stream.policy.acquisition is not None
        and stream.tuning is None
        and (strategy not in strategy_names() or "acquisition" not in settings_of(strategy))
    ):
        message = f"strategy {strategy!r} reads no acquisition: 'surrogate' and 'transfer' do"
        yield document.problem(("policy", "acquisition"), message)
    if stream.policy.finalists_per_task > stream.budget.full_trainings:
        message = (
            f"finalists_per_task {stream.policy.finalists_per_task} is above the budget's full_trainings "
            f"{stream.budget.full_trainings}"
        )
        yield document.problem(("policy", "finalists_per_task"), message)
    counts = Counter(task.name for task in stream.tasks)
    for index, task in enumerate(stream.tasks):
        if counts[task.name] > 1 and task.name in {other.name for other in stream.tasks[:index]}:
            yield document.problem(("tasks", index, "name"), f"task name {task.name!r} is used twice")


def _robust_problems(document: StreamFile, *, guided: bool) -> Iterator[Problem]:
    """Why networks cannot be hardened as the stream says."""
    stream, place = document.value, ("training", "robustness")
    reasons = [
        (guided, f"strategy {stream.policy.strategy!r} trains a supernet, which is not hardened"),
        (stream.inherit is not None, "inherit: hardened networks begin with weights of their own"),
        (stream.curve_stop is not None, "curve_stop: while the radius grows, curves say nothing of where they end"),
        (bool(stream.metric) or any(task.metric for task in stream.tasks), "metric: what is proved is an accuracy"),
    ]
    yield from (document.problem(place, message) for clash, message in reasons if clash)
    for index, task in enumerate(stream.tasks):
        if task.source == "table":
            message = f"robustness is of images and series, and task {task.name!r} is a table"
            yield document.problem(("tasks", index, "source"), message)
    section = stream.training.robustness
    spaces = [space for space in [spaces_by_name().get(stream.space or "")] if space is not None]
    if section is not None and section.proved:
        named = sorted({name for space in spaces for name in space.operations if name in UNPROVED})
        if named:
            message = (
                f"what rounding does to {', '.join(named)} has no rule, so no network of space {stream.space} that has "
                "it can be proved: take another space, such as nb201, or score: answered"
            )
            yield document.problem(place, message)
        if stream.space is None:
            yield document.problem(place, "state a space whose operations all have a rule, such as nb201")


def _macro_problems(document: StreamFile, *, guided: bool) -> Iterator[Problem]:
    """Why macro settings cannot be chosen as they are listed."""
    stream = document.value
    listed = {name: value for name, value in stream.macro.model_dump().items() if isinstance(value, list)}
    for name, values in listed.items():
        if len(set(values)) < len(values):
            yield document.problem(("macro", name), f"{name} has a value twice")
    ways = math.prod(map(len, listed.values()))
    if ways > MOST_STACKS:
        yield document.problem(("macro",), f"these lists leave {ways} ways to stack cells: at most {MOST_STACKS}")
    if ways > 1 and guided:
        message = f"strategy {stream.policy.strategy!r} trains one supernet: state one value of each macro setting"
        yield document.problem(("macro",), message)
    space = spaces_by_name().get(stream.space or "")
    if stream.macro.stages not in (None, 3) and space is not None and space.templates[0].inputs > 1:
        message = f"space {stream.space} has cells of two inputs, which are stacked in 3 stages alone"
        yield document.problem(("macro", "stages"), message)
    tables = [task.name for task in stream.tasks if task.source == "table"]
    if ways > 1 and tables:
        message = f"task {tables[0]!r} is a table, which knows one way to stack cells: state one value of each setting"
        yield document.problem(("macro",), message)


def _operator_problems(stream: Stream, *, guided: bool) -> Iterator[str]:
    """Why a stream can have no composed operators."""
    spaces = spaces_by_name()
    if stream.operators is None:
        return
    known = spaces.get(stream.space) if stream.space is not None else None
    if known is not None and any(template.in_degree is not None for template in known.templates):
        yield f"space {stream.space} has nodes of a fixed number of edges: no operator can stand alone to be judged"
    if guided:
        yield f"strategy {stream.policy.strategy!r} searches a supernet, which composed operators are no part of"
    if all(task.source == "table" for task in stream.tasks):
        yield "operators are composed of what trained networks share, and every task is a table"
