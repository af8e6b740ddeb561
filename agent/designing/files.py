"""Files that may answer a specification: written of finalists in each precision, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agent.deploying.chosen import facts_of
from agent.deploying.programs import Artefact, Subject, as_onnx, graphs_of, subject_of
from agent.designing.measured import Measured, excess
from agent.designing.spec import DesignSpec
from agent.ledger.home import Home
from agent.state.state import Finalist, RunState, TaskState
from selfnas.artefacts.latency import remeasured
from selfnas.artefacts.onnx_program import OnnxProgram
from selfnas.data.originals import originals
from selfnas.errors import InputError
from selfnas.training.exported import ExportError, answered, network_outputs
from selfnas.training.metrics import score
from selfnas.training.outputs import predict

__all__ = ["DesignFile", "written_files"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DesignFile:
    """A file that was written.

    Attributes:
        measured: what is known of it.
        artefact: its content.
        subject: whose network it holds.
        finalist: the same as the ledger has it.
    """

    measured: Measured
    artefact: Artefact
    subject: Subject
    finalist: Finalist


def written_files(
    spec: DesignSpec,
    home: Home,
    run: RunState,
    task: TaskState,
    *,
    head: str,
    say: Callable[[str], None] = lambda sentence: None,
) -> list[DesignFile]:
    """Of admitted finalists, the best on validation examples first, in each precision.

    Once a file keeps the limits on size and time, finalists with a lower score are left alone.

    Args:
        spec: that is to be answered.
        home: of the life.
        run: the finished run.
        task: its task.
        head: of the ledger.
        say: told each precision that a network does not bear.
    """
    files: list[DesignFile] = []
    for finalist in task.admitted():
        known = [each.measured for each in files if not excess(spec, each.measured)]
        if any(each.validation >= finalist.trained.validation for each in known):
            break
        subject = subject_of(home, run, task, finalist, base=Path())
        files += _of_finalist(spec, subject, finalist, facts_of(run, task, finalist, head=head), say=say)
    return files


def _of_finalist(
    spec: DesignSpec, subject: Subject, finalist: Finalist, facts: dict[str, object], *, say: Callable[[str], None]
) -> Iterator[DesignFile]:
    """Its files in the precisions that it bears."""
    graphs, example = graphs_of(subject), next(iter(subject.found.x or subject.found.some))
    for precision in spec.precisions:
        try:
            artefact = as_onnx(subject, facts, precision=precision, graphs=graphs)
        except (InputError, ExportError) as error:
            say(f"{finalist.digest[:12]} in {precision}: {error}")
            continue
        program = OnnxProgram.read(artefact.content)
        apart = 0.0 if precision == "float32" else _apart(program, subject)
        measured = Measured(
            digest=finalist.digest,
            precision=precision,
            bytes=len(artefact.content),
            p95=remeasured(artefact.content, example).low,
            validation=finalist.trained.validation + apart,
        )
        yield DesignFile(measured=measured, artefact=artefact, subject=subject, finalist=finalist)


def _apart(program: OnnxProgram, subject: Subject) -> float:
    """How much better a file does than its network on validation examples; 0 where these cannot be had raw."""
    task = subject.task
    found = originals(task, subject.raw, part="validation")
    if not found.x:
        return 0.0
    places = np.asarray(found.places)
    y = torch.from_numpy(task.validation.y[places])
    own = predict(subject.whole.network, torch.from_numpy(task.validation.x[places]))
    outputs = network_outputs(answered(program.told, found.x), task.target)
    told, before = (score(each, y, task.target, subject.metric) for each in (outputs, own))
    return told - before
