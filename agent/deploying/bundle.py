"""A deployment bundle: an artefact with all that somebody needs who has ONNX Runtime and NumPy, and nothing else.

| file | holds |
|---|---|
| `model.onnx` | raw examples in, named outputs out |
| `model.json` | what it says of itself, its steps of preparation, what was measured on it |
| `run.py` | runs it; needs onnxruntime and NumPy |
| `examples.json` | a few raw examples, and what is answered to them |
| `certificate.json` | that the architecture keeps the rules |
| `card.md` | about the model, for people |
| `SHA256SUMS` | of all others, as `sha256sum -c` reads it |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.deploying.judged import Judged, judged
from agent.deploying.programs import Artefact, Subject
from agent.gate.admission import recorded_findings
from agent.ledger.events import Deployed, LatencyRecord
from agent.state.state import Finalist, RunState, TaskState
from audits import Suite
from selfnas.artefacts.latency import Latency, latency
from selfnas.artefacts.onnx_program import OnnxProgram
from selfnas.files import write_whole
from selfnas.training.metrics import METRICS

__all__ = [
    "FILES",
    "SUMS",
    "Bundle",
    "bundle_of",
    "checksums",
    "deployed_event",
    "listed",
    "runner_text",
    "write_bundle",
]

SUMS = "SHA256SUMS"
FILES = ("model.onnx", "model.json", "run.py", "examples.json", "certificate.json", "card.md")
_EXAMPLES = 8
_NUMBERS = 100_000  # of all examples together, but for the first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """What is written.

    Attributes:
        files: content by name, without the checksums.
        artefact: the model.
        judged: what the audits say of it.
        latency: of the model here and now.
    """

    files: Mapping[str, bytes]
    artefact: Artefact
    judged: Judged
    latency: Latency


def bundle_of(
    subject: Subject,
    artefact: Artefact,
    held: TaskState,
    finalist: Finalist,
    *,
    suite: Suite,
    seed: int,
    timed: Latency | None = None,
    design: Mapping[str, Any] | None = None,
) -> Bundle:
    """Of an artefact, with what is measured on it.

    Args:
        held: the task.
        suite: that its network was audited with.
        seed: of the recorded audit.
        timed: how long it takes; None measures it.
        design: the specification that it answers, with `lines` that say of each target how it was judged.
    """
    raw = [*(subject.found.x or subject.found.some)][:_EXAMPLES]
    most = max(1, _NUMBERS // max(1, raw[0].size))
    program = OnnxProgram.read(artefact.content)
    found, timed = judged(artefact.content, subject, suite, seed=seed), timed or latency(program, raw[0])
    facts = {
        **artefact.beside,
        "bundle": 1,
        "preparation": json.loads(subject.task.preparation.to_json()),
        "audits_of_the_artefact": {
            "examples": found.n,
            "findings": [asdict(finding) for finding in found.findings],
            "failed": list(found.failed),
            "left_out": list(found.left_out),
        },
        "latency": {**asdict(timed), "measured": "once, on the machine of whoever made this; not verifiable"},
        **({} if design is None else {"design": dict(design)}),
    }
    examples = [_example(program, each) for each in raw[:most]]
    files = {
        "model.onnx": artefact.content,
        "model.json": _json(facts),
        "run.py": runner_text(),
        "examples.json": _json(examples),
        "certificate.json": held.certificates.get(finalist.architecture, "{}").encode() + b"\n",
        "card.md": _card(artefact, found, timed, facts).encode(),
    }
    return Bundle(files=files, artefact=artefact, judged=found, latency=timed)


def deployed_event(made: Bundle, run: RunState, held: TaskState, finalist: Finalist) -> Deployed:
    """What the ledger keeps of a bundle."""
    artefact, checked = made.artefact, made.artefact.checked
    said: Any = artefact.facts["artefact"]
    return Deployed(
        run=run.number,
        task=held.name,
        architecture=finalist.architecture,
        digest=finalist.digest,
        weights_sha256=finalist.trained.weights_sha256,
        form=said["format"],
        opset=said["opset"],
        precision=said["precision"],
        libraries=said["libraries"],
        artefact_sha256=artefact.sha256,
        graph_sha256=artefact.graph_sha256,
        bytes=len(artefact.content),
        examples=checked.count,
        otherwise=checked.otherwise,
        furthest=checked.furthest,
        metric=checked.metric,
        estimate=checked.estimate,
        left_in_float32=list(said.get("left_in_float32", ())),
        audit_examples=made.judged.n,
        findings=recorded_findings(finding.to_record() for finding in made.judged.findings),
        left_out=list(made.judged.left_out),
        latency=LatencyRecord(**asdict(made.latency)),
    )


def write_bundle(folder: Path, made: Bundle) -> None:
    """Write the files of a bundle, in the place of an earlier one.

    Raises:
        InputError: one cannot be written.
    """
    (folder / SUMS).unlink(missing_ok=True)  # so that a bundle that is half replaced is none
    for name, content in made.files.items():
        write_whole(folder / name, content)
    write_whole(folder / SUMS, checksums(made.files))


def runner_text() -> bytes:
    """The runner of this release; it is not imported, since it needs what the extra `onnx` installs."""
    return (files("selfnas.artefacts") / "runner.py").read_bytes()


def checksums(files: Mapping[str, bytes]) -> str:
    """A line for each file, as `sha256sum` writes it."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _example(program: OnnxProgram, raw: NDArray[Any]) -> dict[str, object]:
    """An example and its answers; a missing number is null."""
    given = program.answers(raw[None])
    return {"input": listed(raw), "answers": {name: listed(value[0]) for name, value in given.items()}}


def listed(values: NDArray[Any]) -> Any:
    """An array as JSON holds it; a number that is missing is null."""
    held = np.asarray(values)
    if held.dtype.kind == "f" and not np.isfinite(held).all():
        missing, held = ~np.isfinite(held), held.astype(object)
        held[missing] = None
    return held.tolist()


def _card(artefact: Artefact, found: Judged, timed: Latency, facts: Mapping[str, Any]) -> str:
    """About the model, for people."""
    made, checked, target = facts["artefact"], artefact.checked, facts["target"]
    metric, against = METRICS[checked.metric], made.get("against_float32")
    lines = [
        f"# Model card: {facts['task']}, {facts['digest'][:12]}",
        "",
        f"A network that was **{facts['verdict']}**, as an ONNX file of opset {made['opset']}, {made['precision']}.",
        "",
        *(f"- {reason}" for reason in facts["reasons"]),
        "## What it takes and gives",
        "",
        f"Raw examples of shape ({', '.join(map(str, facts['input']['shape']))}), {facts['input']['type']}. "
        f"Kind of task: {target['kind']}; names: {', '.join(map(str, target['names']))}.",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in facts["outputs"].items()),
        "",
        "## How good this file is",
        "",
        f"On the test split: {checked}.",
    ]
    if against is not None:
        lines += [
            "",
            f"Float32 has {metric.title} {metric.shown(against['float32'])}{metric.suffix} there. The paired "
            f"difference of {against['paired']} is {against['difference']:+.4f}, 95 % interval {_limits(against)}.",
        ]
    for name in made.get("left_in_float32", ()):
        lines += ["", f"Quantisation breaks {name}, which is in float32."]
    lines += ["", "## Audits of this file's own answers", ""]
    if found.n:
        lines.append(f"Of {found.n} examples of the audit split, which neither training nor search has seen:")
        lines += ["", "| finding | decision | estimate | 95 % interval | limit | role |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {each.label} | {each.decision} | {_shown(each.estimate)} | {_shown(each.low)} to {_shown(each.high)} | "
            f"{each.threshold:g} | {each.role} |"
            for each in found.findings
        ]
    else:
        lines.append("None: the examples of the audit split cannot be had raw.")
    lines += [
        "",
        f"Not run on the file, since they need more than these answers or have nothing to test: "
        f"{', '.join(found.left_out) or 'none'}. Of the network they say: {facts['audits']}.",
        "",
        "## How fast it is",
        "",
        f"{timed}. The reference kernel is a {timed.reference}. This was measured once, where the bundle was made.",
        "",
        *(_asked(facts["design"]) if "design" in facts else ()),
        "## What it is not",
        "",
        "It answers every input, also one that is unlike all that it was trained on. It was tested on one split of one "
        "source. `certificate.json` says that the architecture keeps the rules of its constraint set, and nothing of "
        "what it has learned.",
        "",
        f"Ledger head when it was made: `{facts['ledger_head']}`.",
    ]
    return "\n".join(lines) + "\n"


def _asked(design: Mapping[str, Any]) -> Iterator[str]:
    """What was asked of it, line by line."""
    yield from (f"## What was asked for: {design['design']}", "")
    yield "| target | verdict | measured | 95 % interval | of |"
    yield "|---|---|---|---|---|"
    for line in design["lines"]:
        exact = line["estimate"] is not None and not line["n"]
        shown = [f"{line[key]:.6g}" if line[key] is not None else "–" for key in ("estimate", "low", "high")]
        limits = "exact" if exact else f"{shown[1]} to {shown[2]}"
        yield f"| {line['name']} {line['text']} | {line['verdict']} | {shown[0]} | {limits} | {line['n'] or '–'} |"
    yield ""


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _limits(against: Mapping[str, Any]) -> str:
    return "unknown" if against["low"] is None else f"[{against['low']:+.4f}, {against['high']:+.4f}]"
