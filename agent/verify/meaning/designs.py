"""Whether answers to specifications follow from what the life holds: every line judged again, all but the clock."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from agent.designing.bounds import exact_bounds
from agent.designing.lines import Line, accuracy_line, counted_lines, exact_line, judged_line, read_line
from agent.designing.measured import Measured, chosen_file
from agent.designing.spec import DesignSpec, parse_spec
from agent.ledger import events
from agent.state.recorded import recorded_set
from agent.state.state import LifeState, RunState, TaskState
from agent.verify.meaning.counts import right_answers
from audits import Finding
from selfnas.errors import SelfnasError
from selfnas.spaces.named import parse_architecture

__all__ = ["check_designed", "hits_differ"]

_ROUNDING = 1e-6


def check_designed(state: LifeState, made: events.Designed, *, seq: int) -> Iterator[str]:
    """Problems of an answer, without data; `state` is that before it, `seq` its place."""
    if not 1 <= made.run <= len(state.runs) or made.task not in state.runs[made.run - 1].tasks.names:
        yield "is of a run or task that this life does not have"
        return
    run = state.runs[made.run - 1]
    task = run.tasks.named(made.task)
    try:
        spec = parse_spec(made.specification.text, name="specification").value
        lines = [read_line(record) for record in made.lines]
    except (SelfnasError, ValueError) as error:
        yield f"its specification or one of its lines is none: {error}"
        return
    if spec.design != made.specification.name:
        yield f"answers {spec.design}, recorded as {made.specification.name}"
    if [line.target for line in lines] != list(spec.read_targets):
        yield "its lines are not those of its specification"
        return
    if any((each.facts.run, each.facts.specification) == (made.run, made.specification) for each in state.designed):
        yield "answers a specification that was answered before on this run"
    yield from _unruled(spec, run)
    if made.digest is None:
        yield from _unanswered(task, made, lines)
        return
    yield from _chosen(spec, task, made)
    deployed = next((each.facts for each in state.deployed if each.facts.artefact_sha256 == made.artefact_sha256), None)
    if deployed is None or (deployed.run, deployed.task, deployed.digest, deployed.precision) != (
        made.run, made.task, made.digest, made.precision,
    ):  # fmt: skip
        yield "no event before it describes the file that it chose"
        return
    if state.deployed[-1].seq != seq - 1:  # both are written at once
        yield "the event just before it is not that which describes a file for it"
    yield from _otherwise_measured(made, deployed)
    yield from _misjudged(spec, task, deployed, lines)


def hits_differ(made: events.Designed, hits: tuple[int, int], *, exact: bool) -> Iterator[str]:
    """Problems of the accuracy that was recorded, where the file was run again.

    Args:
        made: the answer.
        hits: examples of the audit split that the file answers rightly now, and of how many.
        exact: whether equal files give equal answers everywhere; steps of int8 may turn.
    """
    for record in made.lines:
        if record.name == "accuracy":
            recorded = 0 if record.estimate is None else round(record.estimate * record.n)
            spare = 0 if exact else max(1, hits[1] // 100)
            if record.n != hits[1] or abs(recorded - hits[0]) > spare:
                told = f"{hits[0]} of {hits[1]}"
                yield f"recorded with {recorded} of {record.n} audit examples right, its file has {told}"


def _unruled(spec: DesignSpec, run: RunState) -> Iterator[str]:
    """The search was to keep what every answer keeps."""
    try:
        rules = {rule.id: rule for rule in recorded_set(run.started.constraint_set.text).rules}
    except SelfnasError as error:
        yield f"the rules of its run cannot be read: {error}"
        return
    for bound in exact_bounds(spec):
        if bound.id not in rules or rules[bound.id].text != bound.condition:
            yield f"its run had no rule {bound.id}: {bound.condition}"


def _unanswered(task: TaskState, made: events.Designed, lines: list[Line]) -> Iterator[str]:
    if made.files or made.precision is not None or made.artefact_sha256 is not None:
        yield "chose no network, but has files"
    if any(line.verdict != "undecided" or line.estimate is not None for line in lines):
        yield "judges lines without a file"
    if task.admitted():
        yield "chose none of the networks that were admitted"


def _chosen(spec: DesignSpec, task: TaskState, made: events.Designed) -> Iterator[str]:
    """Files are of admitted networks, in precisions that were asked for, and the best of them was chosen."""
    admitted = {finalist.digest: finalist for finalist in task.admitted()}
    files = [Measured(**msgspec.structs.asdict(record)) for record in made.files]
    for file in files:
        if file.digest not in admitted or file.precision not in spec.precisions:
            yield "a file is of a network that was not admitted, or of a precision that was not asked for"
            return
        if file.precision == "float32" and file.validation != admitted[file.digest].trained.validation:
            yield "a float32 file has another score on validation examples than its network"
        if file.bytes < 1 or not file.p95 > 0:
            yield "a file has no size, or takes no time"
    if not files:
        yield "chose a file where there is none"
        return
    best = files[chosen_file(spec, files)]
    if (best.digest, best.precision) != (made.digest, made.precision):
        told = f"{best.digest[:12]} in {best.precision}"
        yield f"chose {str(made.digest)[:12]} in {made.precision}, its numbers say {told}"


def _otherwise_measured(made: events.Designed, deployed: events.Deployed) -> Iterator[str]:
    """What is said of the chosen file twice must be said alike: its size, and how many audit examples were right."""
    for file in made.files:
        if (file.digest, file.precision) == (made.digest, made.precision) and file.bytes != deployed.bytes:
            yield f"its file has {file.bytes} bytes, the event that describes it says {deployed.bytes}"
    found = [Finding.from_record(msgspec.to_builtins(one)) for one in deployed.findings]
    right = right_answers(found)
    for record in made.lines:
        if record.name != "accuracy" or record.estimate is None or right is None or right[1] != record.n:
            continue
        if abs(record.estimate * record.n - right[0]) > _ROUNDING:
            told = f"{right[0]} of {right[1]}"
            yield f"accuracy is recorded as {record.estimate:.4f}, audits of the same file have {told} right"


def _misjudged(spec: DesignSpec, task: TaskState, deployed: events.Deployed, lines: list[Line]) -> Iterator[str]:
    """Each line says what its numbers say, and these are of the file."""
    counted = dict(counted_lines(spec, parse_architecture(deployed.architecture), task.shape))
    for line in lines:
        name = line.target.name
        if name == "accuracy":
            n, correct = deployed.audit_examples, round((line.estimate or 0.0) * line.n)
            wanted = accuracy_line(line.target, correct, n) if line.n == n and correct <= n else None
        elif name == "file":
            wanted = exact_line(line.target, deployed.bytes)
        elif name == "latency_p95":
            wanted = _timed(line, deployed)
        else:
            wanted = counted[name]
        if wanted is None or not _same(wanted, line):
            yield f"{name} is recorded as {line.verdict}, which its file does not bear out"


def _timed(line: Line, deployed: events.Deployed) -> Line | None:
    """By the recorded times, which nobody can take again."""
    clock = deployed.latency
    if line.estimate != clock.p95 or line.low is None or line.high is None or line.n != clock.turns:
        return None
    if not 0 < line.low <= line.estimate <= line.high:
        return None
    return judged_line(line.target, line.estimate, line.low, line.high, line.n)


def _same(one: Line, other: Line) -> bool:
    pairs = ((one.estimate, other.estimate), (one.low, other.low), (one.high, other.high))
    near = all(
        first == second or (first is not None and second is not None and math.isclose(first, second, abs_tol=1e-9))
        for first, second in pairs
    )
    return near and (one.verdict, one.n) == (other.verdict, other.n)
