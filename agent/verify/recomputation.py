"""Verification that computes again: Z3 over every certificate, audits over a sample of trained networks, counts.

`verify` believes three things that this does not: that Z3 once agreed with the referee, that the recorded findings
are what the recorded weights give, and how much of each space was admitted. All are found out again here, from the
ledger's sets, suites and seeds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from agent.gate.review import finalists
from agent.ledger.home import Home
from agent.ledger.store import Json, Ledger
from agent.state.recorded import recorded_macro, recorded_set
from agent.state.state import Finalist, LifeState, RunState, TaskState, items, mapping, task_shape
from agent.verify.reaudit import reaudit
from agent.verify.verification import Verification
from audits import Finding
from constraints import Certificate, ConstraintSet, Context, Guard, decide_policy
from constraints.language.examples import parse_shape
from selfnas import seeding
from selfnas.errors import SelfnasError
from selfnas.spaces.named import parse_architecture, space_named

__all__ = ["audit_again", "solve_again"]

_ROUNDING = 1e-6
_JUDGED = ("certified", "rejected", "quarantined", "motif.quarantined", "motif.restored")


def solve_again(ledger: Ledger, *, progress: Callable[[int], None] = lambda count: None) -> Verification:
    """Ask Z3 and the referee again about the subject of every certificate.

    Args:
        ledger: of the life.
        progress: told the number of certificates after each.

    Returns:
        How many were asked, and a problem for each whose answer is another now.
    """
    checked, problems = Counter[str](), []
    solver = _Again()
    for event in ledger.events():
        payload = event.payload
        try:
            if event.kind == "run.started":
                solver.begin(payload)
            elif event.kind == "task.started" and "admitted_count" in payload:
                checked["spaces counted again"] += 1
                problems += [f"event {event.seq} ({event.kind}): {problem}" for problem in solver.recount(payload)]
            elif payload.get("certificate") and (
                event.kind in _JUDGED or event.kind.startswith(("policy.", "operator."))
            ):
                checked["certificates solved again"] += 1
                progress(checked.total())
                certificate = Certificate.from_json(str(payload["certificate"]))
                problems += [
                    f"event {event.seq} ({event.kind}): {problem}" for problem in solver.differences(certificate)
                ]
        except (SelfnasError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            problems.append(f"event {event.seq} ({event.kind}) cannot be solved again: {type(error).__name__}: {error}")
    return Verification(checked=checked, problems=problems)


class _Again:
    """The guards of the run at hand."""

    def __init__(self) -> None:
        self._set: ConstraintSet | None = None
        self._policy: ConstraintSet | None = None
        self._stream: Mapping[str, Json] = {}
        self._guards: dict[Context, Guard] = {}

    def begin(self, payload: Mapping[str, Json]) -> None:
        """A run starts under its own set."""
        self._set = self._policy = None
        self._guards, self._stream = {}, mapping(payload["stream"])
        self._set = recorded_set(str(mapping(payload["constraint_set"])["text"]))
        if "policy_set" in payload:
            self._policy = recorded_set(str(mapping(payload["policy_set"])["text"]))

    def _guard(self, set_: ConstraintSet, context: Context) -> Guard:
        if context not in self._guards:
            self._guards[context] = Guard(set_, space=context.space, macro=context.macro, shape=context.shape)
        return self._guards[context]

    def recount(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """How many architectures a task admits; estimates are not compared."""
        if self._set is None:
            yield "there is no usable constraint set to count by"
            return
        macro = recorded_macro(self._stream)
        space = str(payload.get("space", self._stream["space"]))
        count = self._guard(
            self._set, Context(space=space_named(space), macro=macro, shape=task_shape(payload))
        ).count()
        told = mapping(payload["admitted_count"])
        if told["exact"] != count.exact or (count.exact and {told["low"], told["high"]} != {str(count.low)}):
            yield f"it says that {told['low']} to {told['high']} architectures are admitted, counted are {count.low}"

    def differences(self, certificate: Certificate) -> Iterator[str]:
        """What the engines say now that they did not say then."""
        if certificate.subject.startswith("{"):
            if self._policy is None:
                yield "there are no policy rules to judge it by"
                return
            sides = json.loads(certificate.subject)
            now = decide_policy(self._policy, sides["old"], sides["new"]).certificate
        else:
            if self._set is None:
                yield "there is no usable constraint set to judge it by"
                return
            architecture = parse_architecture(certificate.subject)
            context = Context(space=architecture.space, macro=architecture.macro, shape=parse_shape(certificate.shape))
            now = self._guard(self._set, context).decide(architecture).certificate
        names = ["guard", "digest", *(["verdict"] if certificate.verdict != "undecided" else [])]
        for name in names:
            was, found = getattr(certificate, name), getattr(now, name)
            if was != found:
                yield f"its {name} is {was}, the engines now say {found}"
        # What was left open then, for want of steps or of an engine, may be known now.
        claims = [(was, found) for was, found in zip(certificate.rules, now.rules, strict=False) if was not in "ud"]
        if len(certificate.rules) != len(now.rules) or any(was != found for was, found in claims):
            yield f"its rules are {certificate.rules}, the engines now say {now.rules}"


def audit_again(
    home: Home,
    state: LifeState,
    *,
    count: int,
    seed: int,
    base: Path,
    progress: Callable[[str], None] = lambda name: None,
) -> Verification:
    """Run the recorded suite again on a sample of trained networks, from their weights and data.

    Args:
        home: where the weights lie.
        state: of the life.
        count: networks to draw, without replacement.
        seed: of the draw.
        base: directory of the stream file, where relative paths of data start.
        progress: told the network at hand.

    Returns:
        A problem for each network whose audits now say something else, a note for each that has no findings since its
        audits broke off.
    """
    found = [place for place in finalists(state) if place[2].trained["weights_sha256"] and place[2].audited]
    known = [place for place in found if items((place[2].audited or {})["findings"])]
    order = seeding.generator(seed, "audit again").permutation(len(known))
    checked, problems = Counter[str](), []
    notes = [
        f"{_named(place)}: its audits broke off and left no findings, so that there is nothing to audit again"
        for place in found
        if not items((place[2].audited or {})["findings"])
    ]
    for index in np.sort(order[:count]):
        run, task, finalist = known[index]
        name = _named(known[index])
        progress(name)
        checked["networks audited again"] += 1
        try:
            done = reaudit(home, run, task, finalist, base=base)
        except SelfnasError as error:
            problems.append(f"{name}: cannot be audited again: {error}")
            continue
        recorded = str((finalist.audited or {})["decision"])
        if done.changed is None:
            problems.append(f"{name}: another suite is in force than the recorded one")
        elif changed := [found.label for found in done.findings if not _recorded(found, finalist)]:
            problems.append(f"{name}: other findings than recorded: {', '.join(changed)}")
        if done.verdict.decision != recorded:
            problems.append(f"{name}: recorded as {recorded}, its audits now say {done.verdict.decision}")
    return Verification(checked=checked, problems=problems, notes=notes)


def _named(place: tuple[RunState, TaskState, Finalist]) -> str:
    run, task, finalist = place
    return f"finalist {finalist.digest[:12]} of task {task.name}, run {run.number}"


def _recorded(found: Finding, finalist: Finalist) -> bool:
    """Whether a finding stands in the ledger, up to what another order of the same sums may change."""
    for record in items((finalist.audited or {})["findings"]):
        was = Finding.from_record(mapping(record))
        if (was.label, was.n, was.decision, was.threshold) == (found.label, found.n, found.decision, found.threshold):
            pairs = ((was.estimate, found.estimate), (was.low, found.low), (was.high, found.high))
            if all(a == b or (a is not None and b is not None and abs(a - b) <= _ROUNDING) for a, b in pairs):
                return True
    return False
