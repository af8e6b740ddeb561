"""The file that answers a specification, judged line by line on examples that neither training nor search has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from agent.deploying.programs import Subject
from agent.designing.files import DesignFile
from agent.designing.lines import (
    Line,
    accuracy_line,
    counted_lines,
    exact_line,
    judged_line,
    recorded_line,
    unknown_line,
)
from agent.designing.measured import Measured
from agent.designing.spec import DesignSpec
from agent.ledger.events import Designed, DesignFileRecord, NamedText
from agent.state.state import RunState, TaskState
from selfnas.artefacts.latency import Remeasured
from selfnas.artefacts.onnx_program import OnnxProgram
from selfnas.data.originals import originals
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.training.exported import answered, network_outputs
from selfnas.training.outputs import predicted

__all__ = ["audit_hits", "designed_event", "judged_lines", "unjudged"]


def audit_hits(content: bytes, subject: Subject) -> tuple[int, int]:
    """How many examples of the audit split a file answers rightly, and of how many; none where these cannot be had raw.

    Args:
        content: of the `.onnx` file.
        subject: whose network it holds; of classes.
    """
    task = subject.task
    found = originals(task, subject.raw, part="audit")
    if not task.target.counted or len(found.x) < len(task.audit):
        return 0, 0
    outputs = network_outputs(answered(OnnxProgram.read(content).told, found.x), task.target)
    y = torch.from_numpy(task.audit.y[np.asarray(found.places)])
    return int((predicted(outputs, task.target) == y).sum()), len(y)


def judged_lines(
    spec: DesignSpec,
    architecture: Architecture,
    shape: TaskShape,
    *,
    size: int,
    hits: tuple[int, int],
    timed: Remeasured,
) -> list[Line]:
    """Every line of a specification.

    Args:
        architecture: that was chosen.
        shape: of the task.
        size: bytes of the file.
        hits: examples of the audit split that it answers rightly, and of how many.
        timed: how long it takes.
    """
    lines = dict(counted_lines(spec, architecture, shape))
    for target in spec.read_targets:
        if target.name == "file":
            lines["file"] = exact_line(target, size)
        if target.name == "accuracy":
            lines["accuracy"] = accuracy_line(target, *hits)
        if target.name == "latency_p95":
            together = timed.together
            lines["latency_p95"] = judged_line(target, together.p95, timed.low, timed.high, together.turns)
    return [lines[target.name] for target in spec.read_targets]


def designed_event(
    spec: DesignSpec,
    text: str,
    run: RunState,
    task: TaskState,
    files: Sequence[Measured],
    chosen: DesignFile | None,
    lines: Sequence[Line],
) -> Designed:
    """What the ledger keeps of an answer; without a file, of there being none."""
    return Designed(
        run=run.number,
        task=task.name,
        specification=NamedText(name=spec.design, text=text),
        files=[DesignFileRecord(**asdict(each)) for each in files],
        digest=None if chosen is None else chosen.measured.digest,
        precision=None if chosen is None else chosen.measured.precision,
        artefact_sha256=None if chosen is None else chosen.artefact.sha256,
        lines=[recorded_line(line) for line in lines],
    )


def unjudged(spec: DesignSpec) -> list[Line]:
    """Lines where no network was admitted."""
    return [unknown_line(target) for target in spec.read_targets]
