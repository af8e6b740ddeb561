"""Whether files that were deployed are of networks of the life, and answer as was recorded; all but the clock.

Without data, what a record says must fit the finalist, its task and its suite. With them, the file is made, run and
audited again. How long it took is of the machine where it was measured, and nobody can know it later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from agent.ledger import events
from agent.ledger.home import Home
from agent.state.plugins import of_runs
from agent.state.recorded import suite_of
from agent.state.state import Finalist, LifeState, RunState, TaskState
from agent.verify.meaning.designs import hits_differ
from audits import Finding, Suite
from audits.contract.finding import decide
from audits.verdicts.verdict import bound_of
from selfnas import seeding
from selfnas.errors import InputError, SelfnasError

__all__ = ["Again", "check_deployed", "deploy_again"]

_AGREEMENT = 1e-4  # as `agent.deploying.programs` writes no float32 file that is further off
_ROUNDED = 200
_ROUNDING = 1e-6
_CLOSE = {"float32": 1e-5, "int8": 0.05}  # of outputs, where processors add up in another order


@dataclass(slots=True)
class Again:
    """What was made again, in sentences.

    Attributes:
        checked: how many of each kind of thing were looked at.
        problems: what does not hold.
        notes: what could not be found out.
    """

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_deployed(state: LifeState, made: events.Deployed) -> Iterator[str]:
    """Problems of a record, without data; `state` is that before it."""
    try:
        run, task, finalist = _finalist(state, made)
    except LookupError:
        yield "is of a network that this life does not have"
        return
    trained = finalist.trained
    if finalist.standing is None:
        yield "is of a network that was not decided about"
    if (trained.architecture, trained.weights_sha256) != (made.architecture, made.weights_sha256):
        yield "its architecture or weights are not those that were trained"
    if not trained.weights_sha256:
        yield "is of a network without weights"
    if made.form != "onnx" or made.precision not in _CLOSE:
        yield f"there are no files of form {made.form} and precision {made.precision}"
    yield from _impossible(made)
    if made.metric != task.metric:
        yield f"is measured by {made.metric}, its task by {task.metric}"
    if made.precision == "float32":
        yield from _unlike(made, trained)
    yield from _findings(made, suite_of(run))


def _finalist(state: LifeState, made: events.Deployed) -> tuple[RunState, TaskState, Finalist]:
    if not 1 <= made.run <= len(state.runs):
        raise LookupError(f"there is no run {made.run}")
    run = state.runs[made.run - 1]
    if made.task not in run.tasks.names:
        raise LookupError(f"there is no task {made.task}")
    task = run.tasks.named(made.task)
    return run, task, task.finalist(made.digest)


def _impossible(made: events.Deployed) -> Iterator[str]:
    """Numbers that no file has."""
    if made.opset < 1 or made.bytes < 1 or made.furthest < 0 or made.audit_examples < 0:
        yield "its opset, size or distance is less than any file has"
    if made.examples < 1 or not 0 <= made.otherwise <= made.examples:
        yield f"{made.otherwise} of {made.examples} examples cannot be answered otherwise"
    for name in ("artefact_sha256", "graph_sha256"):
        digest = getattr(made, name)
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            yield f"{name} is no SHA-256"
    clock = made.latency
    if not (0 < clock.p50 <= clock.p95 and 0 < clock.reference_p50 <= clock.reference_p95):
        yield "its latencies are not in order"
    if min(clock.batch, clock.threads, clock.turns) < 1:
        yield "nothing was timed"
    if made.precision == "float32" and made.left_in_float32:
        yield "a float32 file leaves nothing in float32"


def _unlike(made: events.Deployed, trained: events.Trained) -> Iterator[str]:
    """What no float32 file that answers as its network did can have."""
    if made.furthest > _AGREEMENT or made.otherwise > made.examples // _ROUNDED:
        yield f"a float32 file that is {made.furthest:.2g} off its network is not written"
    if made.estimate is None or made.examples != trained.test_count:
        return
    if abs(made.estimate - trained.test) > max(abs(trained.test), 1 / _ROUNDED) / _ROUNDED:
        yield f"its file has {made.metric} {made.estimate:.4f}, its network {trained.test:.4f}"


def _findings(made: events.Deployed, suite: Suite) -> Iterator[str]:
    """Each audit of the suite is judged or left out, and each finding says what its numbers say."""
    entries = {entry.audit: entry for entry in suite.entries}
    try:
        found = [Finding.from_record(msgspec.to_builtins(record)) for record in made.findings]
    except InputError as error:
        yield f"one of its findings is none: {error}"
        return
    if {finding.audit for finding in found} | set(made.left_out) != set(entries):
        yield "its findings and what they leave out are not the audits of its suite"
    if found and not made.audit_examples:
        yield "findings of no example"
    for finding in found:
        entry, bound = entries.get(finding.audit), bound_of(finding)
        if entry is None or bound is None or finding.audit in made.left_out:
            continue
        limit = entry.thresholds.get(finding.statistic, 0.0)
        decision = decide(bound, finding.estimate, finding.low, finding.high, limit)
        if (finding.role, finding.threshold) != (entry.role, limit):
            yield f"{finding.label} has another role or limit than its suite gives it"
        if finding.decision not in (decision, "untested"):
            yield f"{finding.label} is recorded as {finding.decision}, its numbers say {decision}"


def deploy_again(
    home: Home, state: LifeState, *, base: Path, progress: Callable[[str], None] = lambda name: None
) -> Again:
    """Make every deployed file again from weights and data, run it, and audit its answers.

    Args:
        home: where the weights lie.
        base: directory of the stream file, where relative paths of data start.
        progress: told the network at hand.
    """
    again = Again()
    for event in state.deployed:
        name = f"event {event.seq} ({event.kind})"
        progress(event.facts.digest[:12])
        try:
            problems = _made_again(home, state, event, base=base, notes=again.notes)
            again.problems += [f"{name}: {problem}" for problem in problems]
            again.checked["deployed files made again"] += 1
        except (SelfnasError, LookupError) as error:
            again.problems.append(f"{name}: cannot be made again: {error}")
    return again


def _made_again(
    home: Home, state: LifeState, event: events.Event[events.Deployed], *, base: Path, notes: list[str]
) -> list[str]:
    from agent.deploying.chosen import facts_of
    from agent.deploying.judged import judged
    from agent.deploying.programs import as_onnx, subject_of
    from agent.designing.answering import audit_hits
    from selfnas.artefacts.libraries import versions

    made = event.facts
    run, task, finalist = _finalist(state, made)
    name, present = f"event {event.seq} ({event.kind})", versions()
    if made.precision not in _CLOSE:
        return []  # said without data
    with of_runs(run.started):
        subject = subject_of(home, run, task, finalist, base=base)
        then = replace(finalist, reviews=[review for review in finalist.reviews if review.seq < event.seq])
        facts = facts_of(run, task, then, head=event.previous)
        artefact = as_onnx(subject, facts, precision="int8" if made.precision == "int8" else "float32")
        seed = seeding.derive(run.started.record.seed, "audit", subject.task.digest, finalist.digest)
        found = judged(artefact.content, subject, suite_of(run), seed=seed)
    problems = list(_other(made, artefact.checked, _CLOSE[made.precision]))
    for answer in state.designed:
        if answer.facts.artefact_sha256 == made.artefact_sha256:
            hits = audit_hits(artefact.content, subject)
            problems += hits_differ(answer.facts, hits, exact=made.precision == "float32")
    said = artefact.facts["artefact"]
    left = said.get("left_in_float32", []) if isinstance(said, dict) else []
    if left != made.left_in_float32 or made.audit_examples != found.n or tuple(made.left_out) != found.left_out:
        problems.append("other parts stay in float32, or other audits are left out, than recorded")
    problems += _differing(made, found.findings, exact=made.precision == "float32")
    if artefact.graph_sha256 == made.graph_sha256:
        if artefact.sha256 != made.artefact_sha256:
            notes.append(f"{name}: the graph is the same, but what the file says of itself could not be written again")
    elif present != made.libraries:
        others = _other_of(made.libraries, present)
        notes.append(f"{name}: its file cannot be written again, for other releases wrote it, of {others}")
    elif made.precision == "float32":
        problems.append(f"its graph is another one: SHA-256 {artefact.graph_sha256[:12]}…")
    else:
        notes.append(f"{name}: ranges measured on this processor give an int8 file with other bytes")
    return problems


def _other_of(recorded: dict[str, str], present: dict[str, str]) -> str:
    return ", ".join(sorted(name for name in {*recorded, *present} if recorded.get(name) != present.get(name)))


def _other(made: events.Deployed, found: object, close: float) -> Iterator[str]:
    from selfnas.training.exported import Check

    assert isinstance(found, Check)  # noqa: S101 - for the type alone
    if (found.count, found.metric) != (made.examples, made.metric):
        yield f"it was run on {made.examples} examples, there are {found.count}"
    if abs(found.furthest - made.furthest) > close * max(1.0, found.furthest):
        yield f"recorded as {made.furthest:.3g} off its network, it is {found.furthest:.3g}"
    turned = max(1, found.count // _ROUNDED)
    if abs(found.otherwise - made.otherwise) > turned:
        yield f"recorded as answering {made.otherwise} examples otherwise, it does {found.otherwise}"
    if (found.estimate is None) != (made.estimate is None):
        yield "whether its test examples can be had raw is recorded otherwise"
        return
    if found.estimate is None or made.estimate is None:
        return
    if abs(found.estimate - made.estimate) > max(turned / found.count, abs(found.estimate) / _ROUNDED):
        yield f"recorded with {made.metric} {made.estimate:.4f}, it has {found.estimate:.4f}"


def _differing(made: events.Deployed, found: Sequence[Finding], *, exact: bool) -> Iterator[str]:
    """Findings that are others now; of int8, whose steps may turn, decisions alone are compared."""
    now = {finding.label: finding for finding in found}
    was = {one.label: one for one in (Finding.from_record(msgspec.to_builtins(each)) for each in made.findings)}
    if set(now) != set(was):
        yield f"it has other findings now: {', '.join(sorted(set(now) ^ set(was)))}"
        return
    for label, finding in now.items():
        before = was[label]
        pairs = ((finding.estimate, before.estimate), (finding.low, before.low), (finding.high, before.high))
        if finding.decision != before.decision or finding.n != before.n:
            yield f"{label} is recorded as {before.decision}, it is {finding.decision}"
        elif exact and not all(_near(one, other) for one, other in pairs):
            yield f"{label} is recorded with other numbers than it has"


def _near(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= _ROUNDING)
