"""What is told of a life as a whole; each sentence is derived, and names its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from agent.dossier.evidence import Evidence
from agent.dossier.life_evidence import LifeEvidence, revoking
from agent.dossier.people import decisions
from agent.dossier.statement import Statement, derived
from agent.ledger import events
from audits.contract.reviewing import terms_of

__all__ = ["life_sentences"]


def life_sentences(found: LifeEvidence, *, names: bool) -> list[Statement]:
    """All of them, in the order of the document.

    Args:
        found: the life.
        names: whether reviewers are named.
    """
    return [
        *_ledger(found), *_runs(found), *_gate(found), *_audits(found), *_people(found, names=names),
        *_networks(found), *_ended(found, names=names), *_policy(found), *_memory(found), *_afterwards(found),
    ]  # fmt: skip


def _ledger(found: LifeEvidence) -> Iterator[Statement]:
    first, head = found.events[0], found.head
    yield derived(
        "ledger:chain",
        f"The life is a chain of {len(found.events):,} events; the hash of event {head.seq} covers all before it, "
        f"and is {head.hash}.",
        [first, head],
        events=len(found.events),
        head=head.hash,
    )


def _runs(found: LifeEvidence) -> Iterator[Statement]:
    for number, run in enumerate(found.runs, 1):
        began, record = run.facts, run.facts.record
        goes_on = "" if began.continues is events.UNSET else f", and gives a task of run {began.continues} more budget"
        yield derived(
            f"run:{number}",
            f"Run {number} lives stream {record.stream} with seed {record.seed} under constraint set "
            f"{began.constraint_set.name} ({began.constraint_set_digest[:12]}) and audit suite "
            f"{began.audit_suite.name} ({began.audit_suite_digest[:12]}){goes_on}.",
            [run],
            stream=record.stream,
            stream_digest=began.stream_digest,
            seed=record.seed,
            constraint_set=began.constraint_set_digest,
            audit_suite=began.audit_suite_digest,
        )
    tasks = [one for one in found.events if isinstance(one.facts, events.TaskStarted)]
    for place, one in enumerate(tasks, 1):
        if isinstance(one.facts, events.TaskStarted):
            yield derived(
                f"data:{place}",
                f"Task {one.facts.task} of run {one.facts.run} has data with the digest {one.facts.task_digest}.",
                [one],
                task=one.facts.task,
                run=one.facts.run,
                digest=one.facts.task_digest,
            )


def _gate(found: LifeEvidence) -> Iterator[Statement]:
    kept_out, gated = Counter[str](), Counter[str]()
    for one in found.events:
        if isinstance(one.facts, events.Filtered):
            kept_out.update(one.facts.rules)
        elif isinstance(one.facts, events.Gated):
            gated[one.kind] += 1
    told = _listed(kept_out, none="nothing")
    yield derived(
        "gate:kept-out",
        f"Before any training, rules kept out of what strategies considered: {told}.",
        [found.head],
        rules=dict(sorted(kept_out.items())),
    )
    told = _listed(gated)
    yield derived(
        "gate:decided",
        f"Decisions of the constraint gate that are recorded with a certificate: {told}.",
        [found.head],
        decisions=dict(sorted(gated.items())),
    )


def _audits(found: LifeEvidence) -> Iterator[Statement]:
    trained = [one for one in found.events if isinstance(one.facts, events.Trained)]
    decided = Counter(one.facts.decision for one in found.events if isinstance(one.facts, events.Audited))
    told = _listed(decided)
    yield derived(
        "audits:decided",
        f"{len(trained):,} networks were trained in full; the audits decided: {told}.",
        [found.head],
        trained=len(trained),
        decisions=dict(sorted(decided.items())),
    )
    untested = Counter(
        finding.audit
        for one in found.events
        if isinstance(one.facts, events.Audited)
        for finding in one.facts.findings
        if finding.decision == "untested" and finding.role in ("gate", "alarm")
    )
    told = _listed(untested)
    yield derived(
        "audits:untested",
        f"Deciding findings that had nothing to test, by audit: {told}.",
        [found.head],
        audits=dict(sorted(untested.items())),
    )


def _people(found: LifeEvidence, *, names: bool) -> Iterator[Statement]:
    last = found.runs[-1]
    terms = terms_of(last.facts.audit_suite.text)
    listed = [one.name for one in terms.reviewers]
    who = "whose names nobody checks" if not listed else f"of {len(listed)} reviewers whom it names by their keys"
    named = f" ({', '.join(listed)})" if names and listed else ""
    runner = "; who runs the life does not count" if terms.runner == "excluded" else ""
    yield derived(
        "people:terms",
        f"The suite in force wants {terms.approvals} person(s) to approve and {terms.overrules} to overrule a refusal, "
        f"{who}{named}{runner}.",
        [last],
        approvals=terms.approvals,
        overrules=terms.overrules,
        reviewers=len(listed),
        runner=terms.runner,
    )
    said = [one.facts for one in found.events if isinstance(one.facts, events.Reviewed)]
    by = Counter(one.decision for one in said)
    signed = sum(one.signed is not events.UNSET for one in said)
    told = _listed(by)
    yield derived(
        "people:decided",
        f"Decisions of people: {told}; {signed:,} of {len(said):,} are signed.",
        [found.head],
        decisions=dict(sorted(by.items())),
        signed=signed,
    )


def _networks(found: LifeEvidence) -> Iterator[Statement]:
    in_force = found.runs[-1]
    for place, (one, count) in enumerate(zip(found.standing, found.approvals, strict=True), 1):
        kept = ", and the constraint set of a later run keeps it out of use" if one.quarantined else ""
        source = one.reviews[-1] if one.reviews else one.outcome or one.trained
        yield derived(
            f"network:{place}",
            f"Network {one.digest[:12]} of task {one.task}, run {one.run}, stands admitted{kept}; its weights have the "
            f"SHA-256 {one.trained.facts.weights_sha256}. {len(count.by)} of {count.wanted} persons approved it, as "
            "the suite in force counts them.",
            [one.trained, source, in_force, *one.reviews[:-1]],
            **_identity(one),
            approved=len(count.by),
            wanted=count.wanted,
            quarantined=one.quarantined,
        )


def _ended(found: LifeEvidence, *, names: bool) -> Iterator[Statement]:
    for place, one in enumerate(found.ended, 1):
        ended = revoking(one)
        told = next(said for said in decisions(one.reviews, names=names) if said.source.seq == ended.seq)
        yield derived(
            f"ended:{place}",
            f"Network {one.digest[:12]} of task {one.task}, run {one.run}, was admitted and is no more: "
            f"{told.by} ended it{f' because: {told.reason}' if told.reason else ''}.",
            [one.trained, ended],
            **_identity(one),
        )


def _identity(one: Evidence) -> dict[str, object]:
    return {
        "run": one.run,
        "task": one.task,
        "digest": one.digest,
        "weights_sha256": one.trained.facts.weights_sha256,
    }


def _policy(found: LifeEvidence) -> Iterator[Statement]:
    decided = [one for one in found.events if isinstance(one.facts, events.PolicyDecided)]
    kinds = Counter(one.kind.removeprefix("policy.") for one in decided)
    told = _listed(kinds)
    yield derived(
        "policy:decided",
        f"Decisions of the agent about its own search policy: {told}.",
        decided or [found.head],
        decisions=dict(sorted(kinds.items())),
    )


def _memory(found: LifeEvidence) -> Iterator[Statement]:
    began = [one for one in found.events if isinstance(one.facts, events.TaskStarted) and one.facts.recalled]
    count = sum(len(one.facts.recalled) for one in began if isinstance(one.facts, events.TaskStarted))
    yield derived(
        "memory:recalled",
        f"{count:,} architectures of earlier tasks were recalled at the start of {len(began):,} tasks.",
        began or [found.head],
        recalled=count,
        tasks=len(began),
    )
    started_from = [
        one for one in found.events
        if isinstance(one.facts, events.Trained) and one.facts.inherited is not events.UNSET
    ]  # fmt: skip
    yield derived(
        "memory:inherited",
        f"{len(started_from):,} full trainings began with weights of an earlier network.",
        started_from or [found.head],
        trainings=len(started_from),
    )


def _afterwards(found: LifeEvidence) -> Iterator[Statement]:
    revised = [one for one in found.events if isinstance(one.facts, events.MotifRevised)]
    put_aside = sum(isinstance(one.facts, events.MotifQuarantined) for one in revised)
    yield derived(
        "afterwards:quarantined",
        f"Later constraint sets put {put_aside:,} networks aside and let {len(revised) - put_aside:,} in again.",
        revised or [found.head],
        quarantined=put_aside,
        restored=len(revised) - put_aside,
    )
    batches = [one for one in found.events if isinstance(one.facts, events.WatchBatch)]
    verdicts = Counter(one.facts.verdict for one in batches if isinstance(one.facts, events.WatchBatch))
    told = _listed(verdicts)
    yield derived(
        "afterwards:watched",
        f"Batches of new data that networks were followed on, by verdict: {told}.",
        batches or [found.head],
        verdicts=dict(sorted(verdicts.items())),
    )
    made = [one for one in found.events if isinstance(one.facts, events.Deployed)]
    yield derived(
        "files:written",
        f"{len(made):,} files were written of networks for somebody else.",
        made or [found.head],
        files=[one.facts.artefact_sha256 for one in made if isinstance(one.facts, events.Deployed)],
    )


def _listed(counts: Counter[str], *, none: str = "none") -> str:
    """Names with their counts, in order."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or none
