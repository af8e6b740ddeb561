"""Whether a task has the examples that its source gives, where these are at hand: packaged, or kept in the home.

Digest, shape, description and the sizes of splits follow from source, limit, seed and transformations. Files elsewhere
are not looked for: they may have been changed since for good reasons. `verify --deep` reads those.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.ledger.events import UNSET, RunStarted, TaskStarted
from agent.ledger.home import Home
from agent.life.baselines import announced
from agent.memory.taught import PARTS, read_prints
from agent.stream.file import Stream
from selfnas import plugins
from selfnas.data.probes import FEATURES, describe
from selfnas.data.sources.packaged import PACKAGED
from selfnas.data.spec import FILES
from selfnas.data.splits.duplicates import Prints
from selfnas.data.targets import InputKind, Target
from selfnas.data.tasks import SPLITS, TaskSpec, load_task
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape

__all__ = ["ExampleChecker", "Sizes"]

_MOST_BYTES = 256 * 2**20  # a larger file takes longer to read than all else that is checked
_ALIKE = 1e-3  # of a description; sums of thousands of numbers differ less between processors
_COUNTED = ("neighbour_accuracy", "mean_accuracy")  # of which a tie may be decided otherwise
_ALIKE_COUNTED = 0.01
_LOOKS: Mapping[int, tuple[InputKind, ...]] = {0: ("table",), 1: ("series", "tokens"), 2: ("image",)}  # by sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many examples the splits of a task have.

    Attributes:
        train: for fitting.
        validation: for search; None where it is not known.
        audit: likewise.
        test: likewise.
        grouped: whether examples come in groups; None where it is not known.
    """

    train: int
    validation: int | None = None
    audit: int | None = None
    test: int | None = None
    grouped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    digest: str
    shape: TaskShape
    sizes: Sizes
    kind: str
    described: Mapping[str, float]
    prints: Mapping[str, Prints]
    inputs: InputKind
    target: Target


class ExampleChecker:
    """Reads the examples of tasks, each kind of task once.

    Args:
        home: of the life.

    Attributes:
        sizes: of the splits of the present task, as far as they are known.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._specs: list[TaskSpec] = []
        self._seed = 0
        self._stream: Stream | None = None
        self._known: dict[tuple[str, Path, int], _Loaded] = {}
        self.sizes: Sizes | None = None

    def run_begins(self, started: RunStarted) -> None:
        """A run over a stream."""
        self._specs = [TaskSpec.model_validate_json(json.dumps(spec)) for spec in started.stream["tasks"]]
        self._seed = started.record.seed
        self._stream = Stream.model_validate_json(json.dumps(started.stream))

    def task_begins(self, started: TaskStarted) -> Iterator[str]:
        """Problems of what is said of the data of a task."""
        self.sizes = None
        if started.table is not UNSET:
            return
        described = started.description or {}
        yield from _misshapen(started.shape.task_shape, described)
        if "log2_train" in described:
            self.sizes = Sizes(train=round(2 ** float(described["log2_train"])))
        spec = next((spec for spec in self._specs if spec.name == started.task), None)
        if spec is not None and spec.source not in (*PACKAGED, *FILES) and plugins.find("sources", spec.source) is None:
            yield f"there is no source {spec.source!r}"
        base = None if spec is None else self._base(spec)
        if spec is None or base is None:
            if spec is not None:
                yield from self._unasked(started, spec)
            return
        try:
            loaded = self._loaded(spec, base)
            if loaded.digest != started.task_digest and spec.duplicates is None:  # 0.1.0 dealt repeats out one by one
                loaded = self._loaded(spec.model_copy(update={"duplicates": "allow"}), base)
        except InputError as error:
            yield f"its examples cannot be made again: {error}"
            return
        self.sizes = loaded.sizes
        if loaded.digest != started.task_digest:
            yield f"source, limit, seed and transformations of its data give digest {loaded.digest[:12]}…, not its own"
            return
        yield from self._unannounced(started, loaded)
        yield from self._misnumbered(started, loaded.prints)
        if loaded.shape != started.shape.task_shape:
            yield f"its examples have shape {loaded.shape}, not {started.shape.task_shape}"
        if loaded.kind != ("classification" if started.target is UNSET else started.target):
            yield f"its data ask for {loaded.kind}"
        yield from _undescribed(loaded.described, described)

    def _unannounced(self, started: TaskStarted, loaded: _Loaded) -> Iterator[str]:
        """Whether it began with the baselines that its stream wants; earlier releases may have had others."""
        if started.audited_before is UNSET or self._stream is None:
            return
        told = [] if started.baselines is UNSET else started.baselines
        if told != (wanted := list(announced(self._stream, loaded.inputs, loaded.target))):
            names = [", ".join(each) or "none" for each in (told, wanted)]
            yield f"it begins with baselines {names[0]}, its stream wants {names[1]}"

    def _unasked(self, started: TaskStarted, spec: TaskSpec) -> Iterator[str]:
        """The same where the examples are not at hand: what kind of task it is follows from the record."""
        target, size = _target(started), started.shape.size
        if started.audited_before is UNSET or self._stream is None or target is None:
            return
        kinds = _LOOKS.get(len(size), ()) if spec.kind is None else (spec.kind,)
        wanted = [list(announced(self._stream, kind, target)) for kind in kinds]
        told = [] if started.baselines is UNSET else started.baselines
        if wanted and told not in wanted:
            names = [", ".join(each) or "none" for each in (told, *wanted)]
            yield f"it begins with baselines {names[0]}, its stream wants {' or '.join(names[1:])}"

    def _misnumbered(self, started: TaskStarted, wanted: Mapping[str, Prints]) -> Iterator[str]:
        """Whether the file that numbers the content of its examples numbers these; releases before had none."""
        if started.prints is UNSET:
            if wanted and started.audited_before is not UNSET:
                yield "it names no file with the numbers of its examples, which can be told apart"
            return
        try:
            held = read_prints(self._home, started.prints)
        except InputError:
            return  # said where they are compared with those of earlier tasks
        if held.keys() != wanted.keys() or any(not np.array_equal(held[name], wanted[name]) for name in wanted):
            yield "the numbers of its examples are not those of its source"

    def _base(self, spec: TaskSpec) -> Path | None:
        """Where the path of a task starts from; None where its examples are not at hand."""
        if spec.source in PACKAGED:
            return Path()
        for folder in (self._home.stream, self._home.root):
            path = folder / (spec.path or "")
            if spec.path and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                inside = path.resolve().is_relative_to(self._home.root.resolve())
                return folder if inside else None
        return None

    def _loaded(self, spec: TaskSpec, base: Path) -> _Loaded:
        key = spec.model_copy(update={"name": "any", "succeeds": None}).model_dump_json(), base, self._seed
        if key not in self._known:
            task = load_task(spec, base=base)
            counts = {name: len(task.split(name)) for name in SPLITS}
            self._known[key] = _Loaded(
                digest=task.digest,
                shape=task.shape,
                sizes=Sizes(**counts, grouped=bool(task.groups)),
                kind=task.target.kind,
                described=describe(task, seed=self._seed).named(),
                inputs=task.inputs,
                target=task.target,
                prints={name: task.prints[name] for name in PARTS} if task.prints else {},
            )
        return self._known[key]


def _target(started: TaskStarted) -> Target | None:
    """What is asked, as far as baselines differ by it; None where the record does not tell, as of quantiles."""
    kind, outputs = "classification" if started.target is UNSET else started.target, started.shape.classes
    if kind == "classification":
        return Target.of_classes(outputs)
    return Target(kind="multilabel", names=tuple(map(str, range(outputs)))) if kind == "multilabel" else None


def _misshapen(shape: TaskShape, found: Mapping[str, float]) -> Iterator[str]:
    """What a description says that the shape of an example does not give."""
    wanted = {
        "dimensions": float(shape.dimensions),
        "log2_positions": math.log2(math.prod(shape.size)),
        "log2_channels": math.log2(shape.channels),
    }
    for name, value in wanted.items():
        if name in found and not math.isclose(value, found[name], abs_tol=_ALIKE):
            yield f"its description says {name} {found[name]}, its shape gives {value:g}"


def _undescribed(wanted: Mapping[str, float], found: Mapping[str, float]) -> Iterator[str]:
    """What a description says that the examples do not give."""
    for name in FEATURES:
        alike = _ALIKE_COUNTED if name in _COUNTED else _ALIKE
        told = found.get(name)
        if told is None or not math.isclose(wanted[name], told, rel_tol=alike, abs_tol=alike):
            yield f"its description says {name} {told}, its examples give {wanted[name]:g}"
            return
