"""A finalist's network as the content of a file, checked on raw test examples before anybody gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from agent.deploying.chosen import predictor
from agent.ledger.home import Home
from agent.state.recorded import data_folder, recorded_spec
from agent.state.state import Finalist, RunState, TaskState
from agent.state.taught import Rows, left_out_rows
from selfnas.artefacts import measured, onnx_program, quantised
from selfnas.artefacts.libraries import versions
from selfnas.artefacts.onnx_program import OPSET, Graph, OnnxProgram
from selfnas.data.originals import Originals, originals
from selfnas.data.raw import RawData
from selfnas.data.tasks import Task, read_source
from selfnas.training.exported import Check, ExportError, check, compare, described, whole_program
from selfnas.training.metrics import METRICS, score
from selfnas.training.whole import WholeNetwork

__all__ = [
    "AGREEMENT",
    "BATCHES",
    "Artefact",
    "Graphs",
    "Precision",
    "Subject",
    "as_onnx",
    "as_pt2",
    "graphs_of",
    "subject_of",
]

Precision = Literal["float32", "int8"]
AGREEMENT = 1e-4  # furthest that a float32 file may answer from its network
BATCHES = (1, 3, 17)
_FEW = 51  # raw examples that are asked about in each of the smaller batches
_ROUNDED = 200  # one of so many answers may turn by rounding, where examples are resized


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A network that is written, with what it is checked on.

    Attributes:
        name: beginning of its digest.
        whole: with preparation and named outputs, in evaluation mode.
        task: with its data.
        raw: the source of these.
        found: raw test examples.
        metric: that the task is measured by.
        recorded: what the ledger says of it on the test split.
        left_out: `(n,)` which audit examples its audits did without; None for none.
    """

    name: str
    whole: WholeNetwork
    task: Task
    raw: RawData
    found: Originals
    metric: str
    recorded: float
    left_out: Rows | None = None

    @property
    def described(self) -> dict[str, object]:
        """What a file of it takes and gives."""
        return described(self.whole, self.task, self.found)

    @property
    def signature(self) -> str:
        """The same in a line."""
        sizes = ", ".join(str(side or "any") for side in self.task.preparation.raw)
        return f"raw (b, {sizes}) -> {', '.join(self.whole.described)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Artefact:
    """A file that was made.

    Attributes:
        content: its bytes.
        facts: what it says of itself.
        checked: on raw test examples, against the network.
    """

    content: bytes
    facts: dict[str, object]
    checked: Check

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def graph_sha256(self) -> str:
        """Of an ONNX file without what it says of itself, where sums of another order may change a last digit."""
        return hashlib.sha256(onnx_program.with_facts(self.content, {})).hexdigest()

    @property
    def told(self) -> str:
        """What the check gave, and of int8 what it costs, for people."""
        said = self.facts.get("artefact", {})
        if not isinstance(said, dict):
            return str(self.checked)
        left = said.get("left_in_float32") or []
        apart = "" if _cost(said) else f"no output further off than {self.checked.furthest:.1g}"
        parts = [str(self.checked), apart, _cost(said)]
        return "; ".join([part for part in parts if part] + [f"{name} stays in float32" for name in left])

    @property
    def beside(self) -> dict[str, object]:
        """The facts, with what a file cannot say of itself."""
        return {**self.facts, "file": {"bytes": len(self.content), "sha256": self.sha256}}


def _cost(said: Mapping[str, Any]) -> str:
    """Of int8: the accuracy that it costs, and the bytes that it saves."""
    found, size = said.get("against_float32"), said.get("bytes")
    if not size:
        return ""
    text = f"{size['int8']:,} bytes, {size['int8'] / size['float32']:.0%} of float32's {size['float32']:,}"
    if found is None:
        return text
    metric, limits = METRICS[found["metric"]], ""
    if found["low"] is not None:
        limits = f" [{found['low']:+.4f}, {found['high']:+.4f}]"
    shown = f"float32 {metric.shown(found['float32'])}{metric.suffix}"
    return f"{shown}, paired difference of {found['paired']} {found['difference']:+.4f}{limits}; {text}"


def subject_of(home: Home, run: RunState, held: TaskState, finalist: Finalist, *, base: Path) -> Subject:
    """A finalist with its data.

    Raises:
        InputError: weights or data are missing, or were changed.
    """
    whole, task = predictor(home, run, held, finalist, base=base)
    spec = recorded_spec(run, held)
    raw = read_source(spec, base=data_folder(spec, home=home, base=base))
    return Subject(
        name=finalist.digest[:12], whole=whole, task=task, raw=raw, found=originals(task, raw), metric=held.metric,
        recorded=finalist.trained.test, left_out=left_out_rows(held.started, len(task.audit)),
    )  # fmt: skip


def as_pt2(subject: Subject, facts: Mapping[str, object]) -> Artefact:
    """A `torch.export` program.

    Raises:
        ExportError: it does not answer as the network did.
    """
    whole, preparation = subject.whole, subject.task.preparation
    said = {**facts, **subject.described}
    content = whole_program(whole, preparation, said)
    checked = check(content, whole, subject.task, subject.found, metric=subject.metric)
    _hold_to_ledger(checked, subject)
    said["checked"] = asdict(checked)
    content = whole_program(whole, preparation, said)  # once more, for it says what the check gave
    return Artefact(content=content, facts=said, checked=checked)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graphs:
    """What an ONNX file is put together of; files of all precisions have the same.

    Attributes:
        before: of the preparation.
        network: in float32.
        behind: that names the outputs.
    """

    before: Graph
    network: Graph
    behind: Graph


def graphs_of(subject: Subject) -> Graphs:
    """Of a network with its task.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    task = subject.task
    return Graphs(
        before=onnx_program.prepared_graph(task.preparation),
        network=onnx_program.network_graph(subject.whole.network, task.train.x.shape[1:]),
        behind=onnx_program.named_graph(task.target),
    )


def as_onnx(
    subject: Subject, facts: Mapping[str, object], *, precision: Precision = "float32", graphs: Graphs | None = None
) -> Artefact:
    """An ONNX file.

    Args:
        subject: whose network it holds.
        facts: what it says of itself, as far as that is not of the file.
        precision: `int8` is quantised with ranges of training examples.
        graphs: of `graphs_of`; None makes them.

    Raises:
        InputError: the extra `onnx` is not installed, or quantisation breaks every part of the network.
        ExportError: it does not answer as the network did; of float32, an output is further off than `AGREEMENT`.
    """
    task, parts = subject.task, graphs or graphs_of(subject)
    before, graph, behind = parts.before, parts.network, parts.behind
    made = onnx_program.onnx_program(before, graph, behind, {})
    checked = _checked(made, subject)
    _hold_to_ledger(checked, subject)
    if checked.furthest > AGREEMENT:
        raise ExportError(
            f"{subject.name}: not written, for an output of the ONNX file is {checked.furthest:.2g} off the network's; "
            f"at most {AGREEMENT:g} is let pass"
        )
    artefact: dict[str, object] = {
        "format": "onnx", "opset": OPSET, "precision": precision, "batches": list(BATCHES), "libraries": versions()
    }  # fmt: skip
    if precision == "int8":
        found = _quantised(subject, graph)
        small = onnx_program.onnx_program(before, found.graph, behind, {})
        checked, beside = _checked(small, subject), {"float32": len(made), "int8": len(small)}
        pair = (OnnxProgram.read(made).told, OnnxProgram.read(small).told)
        compared = measured.compared(*pair, task, subject.found, metric=subject.metric)
        artefact |= {
            "calibration": {"split": "train", "examples": len(quantised.calibration(task.train.x))},
            "left_in_float32": list(found.broken),
            "against_float32": None if compared is None else _told(compared),
            "bytes": beside,
        }
        made = small
    said = {**facts, **subject.described, "artefact": artefact, "checked": asdict(checked)}
    _taken(said)["type"] = onnx_program.input_type(task.preparation)
    return Artefact(content=onnx_program.with_facts(made, said), facts=said, checked=checked)


def _told(compared: measured.Compared) -> dict[str, object]:
    told = asdict(compared)
    return {"float32": told.pop("first"), "int8": told.pop("second"), **told}


def _taken(said: dict[str, Any]) -> dict[str, Any]:
    taken = said["input"]
    assert isinstance(taken, dict)  # noqa: S101 as `described` makes it
    return taken


def _quantised(subject: Subject, graph: Graph) -> quantised.Quantised:
    """In int8, with what validation examples say that it breaks left out."""
    task = subject.task
    y = torch.from_numpy(task.validation.y)

    def scored(candidate: Graph) -> float:
        program = OnnxProgram.read(candidate.SerializeToString())
        outputs = torch.from_numpy(program.answers(task.validation.x)["outputs"])
        return score(outputs, y, task.target, subject.metric)

    return quantised.quantised_bearably(graph, quantised.calibration(task.train.x), scored)


def _checked(content: bytes, subject: Subject) -> Check:
    """Against the network on all raw test examples, and in the smaller batches on a few."""
    program, found = OnnxProgram.read(content), subject.found
    few = replace(found, x=found.x[:_FEW], places=found.places[:_FEW], some=found.some[:_FEW])
    *small, large = BATCHES
    checks = [
        compare(program.told, subject.whole, subject.task, each, metric=subject.metric, batch=batch)
        for each, batch in ((found, large), *((few, batch) for batch in small))
    ]
    return replace(checks[0], furthest=max(each.furthest for each in checks))


def _hold_to_ledger(checked: Check, subject: Subject) -> None:
    """Refuse a file that does not answer as the network did.

    Raises:
        ExportError: it does not.
    """
    recorded, found = subject.recorded, checked.estimate
    apart = checked.whole and found is not None and abs(found - recorded) > max(abs(recorded), 1 / _ROUNDED) / _ROUNDED
    if apart or checked.otherwise > checked.count // _ROUNDED:
        raise ExportError(
            f"{subject.name}: not written, for it would not answer as the network did: {checked}; the ledger has "
            f"{recorded:.4g}"
        )
