"""The technical documentation of Annex IV in nine sections; each sentence is derived, or left to the provider.

Source: Regulation (EU) 2024/1689 (Artificial Intelligence Act), Annex IV.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.dossier.annex_measured import figures, findings, limitations
from agent.dossier.evidence import Evidence, Noted
from agent.dossier.people import decisions
from agent.dossier.rules import verdicts
from agent.dossier.statement import Statement, derived, provided
from agent.ledger.events import UNSET, Count, MotifQuarantined, MotifRevised, WatchBatch
from selfnas.digests import canonical_json

__all__ = ["ASKED", "POINTS", "SECTIONS", "annex"]

SECTIONS: Mapping[int, str] = {
    1: "General description of the AI system",
    2: "Elements of the AI system and the process of its development",
    3: "Monitoring, functioning and control",
    4: "Appropriateness of the performance metrics",
    5: "Risk management system",
    6: "Relevant changes through the lifecycle",
    7: "Harmonised standards and other technical specifications",
    8: "EU declaration of conformity",
    9: "Evaluation of performance after placing on the market",
}
POINTS: Mapping[str, str] = {
    "1.a": "intended purpose, provider, version", "1.b": "interaction with hardware and software",
    "1.c": "versions of software", "1.d": "forms in which it is placed on the market", "1.e": "intended hardware",
    "1.f": "external features of a product", "1.g": "user interface for the deployer", "1.h": "instructions for use",
    "2.a": "methods and steps of development", "2.b": "design specifications", "2.c": "architecture and resources",
    "2.d": "data", "2.e": "human oversight", "2.f": "pre-determined changes", "2.g": "validation and testing",
    "2.h": "cybersecurity", "3": "capabilities, limitations, control", "4": "metrics", "5": "risks", "6": "changes",
    "7": "standards", "8": "declaration", "9": "after placing on the market",
}  # fmt: skip


def annex(found: Evidence, stated: Mapping[str, str], *, names: bool) -> list[Statement]:
    """All sentences, in the order of the document.

    Args:
        found: what the ledger holds about the network.
        stated: the provider's sentences, by key.
        names: whether reviewers are named.
    """
    order = list(POINTS)
    every = [
        *_general(found), *_files(found), *_development(found), *_oversight(found, names=names),
        *figures(found), *findings(found), *limitations(found), *_afterwards(found, names=names), *_provider(stated),
    ]  # fmt: skip
    return sorted(every, key=lambda one: (order.index(one.point), not one.derived))


def _general(found: Evidence) -> Iterator[Statement]:
    started, trained, record = found.started.facts, found.trained.facts, found.began.facts.record
    yield derived(
        "1.a:network",
        f"The system holds one neural network, version {found.digest[:12]}, with the architecture "
        f"{trained.architecture}; "
        f"it was found in run {found.run} of stream {record.stream} for task {found.task}.",
        [found.began, found.started, found.trained],
        stream=record.stream,
        run=found.run,
        task=found.task,
        digest=found.digest,
        architecture=trained.architecture,
    )
    yield derived(
        "1.a:weights",
        f"Its weights are the file with SHA-256 {trained.weights_sha256}; it has {trained.params:,} trainable "
        "parameters.",
        [found.trained],
        weights_sha256=trained.weights_sha256,
        parameters=trained.params,
    )
    kept = ", and the constraint set of a later run keeps it out of use" if found.quarantined else ""
    last = [found.changes[-1]] if found.quarantined else _decided(found)
    yield derived(
        "1.a:standing",
        f"It stands {found.standing}{kept}.",
        last,
        standing=found.standing,
        quarantined=found.quarantined,
    )
    if found.certified is not None:
        engines = verdicts(found.began, found.certified).engines
        told = ", ".join(f"{name} {version}" for name, version in engines.items())
        yield derived("1.c:engines", f"Its constraints were decided by {told}.", [found.certified], engines=engines)
    plugins = [] if found.began.facts.plugins is UNSET else found.began.facts.plugins
    listed = ", ".join(f"{one.name} {one.version} (SHA-256 {one.sha256})" for one in plugins)
    yield derived(
        "1.c:plugins",
        f"Plug-ins that the run could use: {listed or 'none'}.",
        [found.began],
        plugins={one.name: one.sha256 for one in plugins},
    )
    shape = started.shape
    size = " × ".join(map(str, shape.size)) or "no"
    yield derived(
        "3:input",
        f"One example has {shape.channels} channel(s) or columns and {size} place(s); the network gives "
        f"{shape.classes} number(s).",
        [found.started],
        channels=shape.channels,
        size=list(shape.size),
        outputs=shape.classes,
    )


def _files(found: Evidence) -> Iterator[Statement]:
    """What it was written as for others."""
    for place, one in enumerate(found.deployed):
        made = one.facts
        told = ", ".join(f"{name} {version}" for name, version in sorted(made.libraries.items()))
        figure = "" if made.estimate is None else f", {made.metric} {made.estimate:.6g}"
        yield derived(
            f"1.d:file {place}",
            f"It was written as a file of {made.form} (opset {made.opset}, {made.precision}, {made.bytes:,} bytes), "
            f"SHA-256 {made.artefact_sha256}; on {made.examples} raw examples it answers {made.otherwise} otherwise "
            f"than the network{figure}.",
            [one],
            artefact_sha256=made.artefact_sha256,
            precision=made.precision,
            examples=made.examples,
            otherwise=made.otherwise,
            estimate=made.estimate,
        )
        yield derived(f"1.c:file {place}", f"That file was written with {told}.", [one], libraries=made.libraries)


def _decided(found: Evidence) -> list[Noted[Any]]:
    return [found.reviews[-1]] if found.reviews else [found.outcome] if found.outcome else [found.trained]


def _development(found: Evidence) -> Iterator[Statement]:
    began, started, trained = found.began.facts, found.started.facts, found.trained.facts
    record = began.record
    space = record.space if started.space is UNSET else started.space
    yield derived(
        "2.a:search",
        f"The architecture was searched by strategy {record.policy['strategy']} in space {space}, with a budget of "
        f"{record.budget.evaluations} short and {record.budget.full_trainings} full trainings.",
        [found.began, found.started],
        strategy=str(record.policy["strategy"]),
        space=str(space),
        evaluations=record.budget.evaluations,
        full_trainings=record.budget.full_trainings,
    )
    if found.finished is not None:
        done = found.finished.facts
        yield derived(
            "2.a:spent",
            f"The task took {done.evaluations} short and {done.full_trainings} full trainings.",
            [found.finished],
            evaluations=done.evaluations,
            full_trainings=done.full_trainings,
        )
    kept_out: dict[str, int] = {}
    for one in found.filtered:
        for rule, count in one.facts.rules.items():
            kept_out[rule] = kept_out.get(rule, 0) + count
    if found.filtered:
        told = ", ".join(f"{rule} {count}" for rule, count in sorted(kept_out.items())) or "nothing"
        yield derived(
            "2.a:kept-out", f"Before any training the rules kept out: {told}.", found.filtered, rules=kept_out
        )
    yield from _origin(found)
    yield derived(
        "2.b:space",
        f"The constraint set admits {_count(started.admitted_count)} of {started.space_count} architectures of that "
        "space.",
        [found.started],
        low=started.admitted_count.low,
        high=started.admitted_count.high,
        space=started.space_count,
    )
    goal = canonical_json(record.objective) if record.objective else "the metric of the task alone"
    yield derived("2.b:objective", f"What the search maximised: {goal}.", [found.began], objective=record.objective)
    yield derived(
        "2.b:constraint-set",
        f"Constraint set {began.constraint_set.name}, digest {began.constraint_set_digest}, was in force.",
        [found.began],
        name=began.constraint_set.name,
        digest=began.constraint_set_digest,
    )
    yield from _rules(found)
    task = began.stream["tasks"][[one.name for one in record.tasks].index(found.task)]
    yield derived(
        "2.d:source",
        f"The data are stated as {canonical_json(task)}; the digest over their content and splits is "
        f"{started.task_digest}.",
        [found.began, found.started],
        stated=task,
        digest=started.task_digest,
    )
    if started.description is not None:
        told = ", ".join(f"{name} {value:g}" for name, value in sorted(started.description.items()))
        yield derived("2.d:statistics", f"Measured of the data: {told}.", [found.started], **started.description)
    inputs = trained.inherited
    began_with = "random numbers" if inputs is UNSET else f"weights of task {inputs.task}, run {inputs.run}"
    yield derived("2.d:start", f"Training began with {began_with}.", [found.trained], began_with=began_with)


def _count(count: Count) -> str:
    return count.low if count.exact else f"{count.low} to {count.high}"


def _origin(found: Evidence) -> Iterator[Statement]:
    """Whose idea the design was."""
    if not found.evaluated:
        return
    first = found.evaluated[0]
    whose = {
        "searched": "proposed by the search itself", "recalled": "recalled from an earlier task",
        "scored": "taken over from an earlier task that gave no winner", "published": "a published cell",
    }  # fmt: skip
    origin = first.facts.origin
    recalled = [one for one in found.started.facts.recalled if one.digest == found.digest]
    told = "".join(f", there of task {one.from_task}, run {one.from_run}" for one in recalled)
    yield derived(
        "2.a:origin",
        f"The design was {whose.get(origin, origin)}{told}.",
        [first, *([found.started] if recalled else [])],
        origin=origin,
        recalled=[{"task": one.from_task, "run": one.from_run} for one in recalled],
    )


_WORDS = {"p": "holds", "f": "is broken", "n": "does not apply", "u": "was left open", "d": "was answered in two ways"}


def _rules(found: Evidence) -> Iterator[Statement]:
    if found.certified is None:
        return
    judged = verdicts(found.began, found.certified)
    for rule, letter in judged.rules:
        yield derived(
            f"2.b:rule {rule.id}",
            f"Rule {rule.id} {_WORDS[letter]}. It {'forbids' if rule.forbids else 'requires'}: {rule.text}. "
            f"Its reason: {rule.why}.",
            [found.began, found.certified],
            rule=rule.id,
            verdict=letter,
        )


def _oversight(found: Evidence, *, names: bool) -> Iterator[Statement]:
    said = list(decisions(found.reviews, names=names))
    for one in said:
        facts = one.source.facts
        yield derived(
            f"2.e:decision {one.source.seq}",
            one.sentence,
            [one.source],
            decision=facts.decision,
            standing=str(facts.standing),
            reviewer=one.by,
            reason=one.reason,
        )
    overruled = sum(one.source.facts.decision == "overrule" for one in said)
    yield derived(
        "2.e:count",
        f"Up to event {found.head.seq}, people took {len(said)} decision(s) about this network, {overruled} of them "
        "against what stood.",
        [found.head],
        decisions=len(said),
        overruled=overruled,
    )
    tuning = found.began.facts.record.tuning
    told = "does not change its search policy by itself" if tuning is None else "may change its search policy by itself"
    yield derived(
        "2.f:policy",
        f"The agent {told}; it took {len(found.tuned)} decision(s) about it in this run up to the end of the task.",
        [found.began, *found.tuned],
        tunes=tuning is not None,
        decisions=len(found.tuned),
    )
    yield derived(
        "2.h:ledger",
        f"All that is derived here stands in a chain of hashes whose event {found.head.seq} has the hash "
        f"{found.head.hash}.",
        [found.head],
        event=found.head.seq,
        hash=found.head.hash,
    )


def _afterwards(found: Evidence, *, names: bool) -> Iterator[Statement]:
    people = {one.source.seq: one for one in decisions(found.reviews, names=names)}
    for change in found.changes:
        if isinstance(change.facts, MotifRevised):
            kept, told = isinstance(change.facts, MotifQuarantined), "A later constraint set admits it again"
            if isinstance(change.facts, MotifQuarantined):
                told = f"A later constraint set forbids it ({', '.join(change.facts.failed) or 'not decided'})"
            yield derived(f"6:change {change.seq}", f"{told}.", [change], quarantined=kept)
        else:
            one = people[change.seq]
            yield derived(f"6:change {change.seq}", one.sentence, [change], standing=str(one.source.facts.standing))
    yield derived(
        "6:count",
        f"Up to event {found.head.seq} the ledger records {len(found.changes)} change(s) of its standing after the "
        "audits.",
        [found.head],
        changes=len(found.changes),
    )
    batches = [one for one in found.watched if isinstance(one.facts, WatchBatch)]
    looked = [one.facts.verdict for one in found.watched if isinstance(one.facts, WatchBatch)]
    told = f"its last verdict is {looked[-1]}" if looked else "no batch was looked at"
    yield derived(
        "9:watched",
        f"Up to event {found.head.seq} the network was followed on {len(batches)} batch(es) of new data; {told}.",
        [found.head, *batches],
        batches=len(batches),
        verdicts=looked,
    )


def _provider(stated: Mapping[str, str]) -> Iterator[Statement]:
    """What no ledger can say."""
    for key, asked in ASKED.items():
        yield provided(key, asked, stated)


ASKED: Mapping[str, str] = {
    "1.a:purpose": "what the system is intended for, the name of the provider, and its earlier versions",
    "1.b:interaction": "hardware and software that the system interacts with, other AI systems included",
    "1.c:software": "versions of software and firmware that the deployed system needs, and requirements on updates",
    "1.d:forms": "in which forms the system is placed on the market or put into service",
    "1.e:hardware": "the hardware that the system is intended to run on",
    "1.f:product": "photographs or drawings, where it is a component of a product",
    "1.g:interface": "the user interface for the deployer",
    "1.h:instructions": "instructions for use for the deployer",
    "2.b:rationale": "persons or groups on whom it is intended to be used, and the trade-offs that were decided",
    "2.c:resources": "computational resources used to develop, train, test and validate the system",
    "2.d:provenance": "where the data come from, how they were selected, labelled and cleaned",
    "2.e:measures": "human oversight measures under Article 14, and technical measures that help to interpret outputs",
    "2.f:changes": "changes to the system and its performance that are determined in advance",
    "2.g:logs": "test logs and test reports, dated and signed by the responsible persons",
    "2.g:discrimination": "potentially discriminatory impacts",
    "2.h:measures": "cybersecurity measures",
    "3:persons": "accuracy for specific persons or groups on whom it is intended to be used",
    "3:outcomes": "foreseeable unintended outcomes and sources of risk to health, safety and fundamental rights",
    "4:appropriate": "why these metrics are appropriate for the system",
    "5:system": "the risk management system under Article 9",
    "7:standards": "harmonised standards applied, or how the requirements are met otherwise",
    "8:declaration": "a copy of the EU declaration of conformity",
    "9:plan": "the post-market monitoring plan under Article 72",
}
