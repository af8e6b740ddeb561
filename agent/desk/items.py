"""All that a decision about one finalist rests on, as its page shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.desk.cells import difference, distance, read
from agent.desk.view import Seen
from agent.gate.admission import findings_of
from agent.gate.counting import terms_in_force, uncounted, uncounted_of
from agent.gate.review import finalists, moment, stage
from agent.ledger.events import UNSET, Event, Reviewed, Standing
from agent.ledger.review_signature import short, signature_fault
from agent.report.robustness import held
from agent.report.summary import Accuracy, score_of, shown_score
from agent.state.rivals import Rival, best_rival, rivals
from agent.state.state import Finalist, RunState, TaskState
from audits import Finding
from audits.contract.reviewing import USUAL_TERMS
from selfnas.errors import InputError, SelfnasError
from selfnas.training.metrics import METRICS

__all__ = ["Place", "decider", "drawn", "found", "item", "pictures"]

_ORDER = {"gate": 0, "alarm": 1, "validity": 2, "advisory": 3}
_WORDS = {"p": "holds", "f": "broken", "n": "does not apply", "u": "left open", "d": "answered in two ways"}
_SAID = {"gain": "better", "loss": "worse", "open": "not told apart"}
_RIGHT = re.compile(r"(\d+) of (\d+) (training inputs )?right")
_CAPTIONS = {
    "attributions": "What counts for the answer, red for it and blue against; titles say why an input is shown.",
    "confusion": "Answers against truths on the audit split: errors stand off the diagonal.",
    "labels": "Of each label, how often it is found, and how often wrongly.",
    "residuals": "Predictions against truths on the audit split.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finalist stands in a life."""

    run: RunState
    task: TaskState
    finalist: Finalist

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest."""
        return self.run.number, self.task.name, self.finalist.digest


def found(seen: Seen, event: int) -> Place:
    """The finalist about which gate and audits decided in that event.

    Raises:
        InputError: there is none.
    """
    for run, task, finalist in finalists(seen.state):
        if finalist.event == event:
            return Place(run=run, task=task, finalist=finalist)
    raise InputError(f"event {event} decided about no finalist of this life")


def item(seen: Seen, place: Place) -> dict[str, object]:
    """What the page of a finalist shows, apart from what the queue shows of it."""
    finalist, task, terms = place.finalist, place.task, terms_in_force(seen.state)
    findings = findings_of(finalist.audited) if finalist.audited else []
    times = seen.ledger.times_of(one.seq for one in finalist.reviews)
    return {
        "splits": list(_splits(place, findings)),
        "baselines": [_baseline(rival, best_rival(task)) for rival in rivals(task, finalist)],
        "findings": [_finding(one) for one in sorted(findings, key=_deciding_first)],
        "rules": list(_rules(place)),
        "neighbour": _neighbour(seen, place),
        "alike": list(_alike(seen, place)),
        "terms": str(terms) if terms != USUAL_TERMS else "",
        "history": [_decided(one, times, uncounted_of(terms, place.run, one.facts)) for one in finalist.reviews],
        "pictures": [
            {"name": path.stem, "caption": _CAPTIONS.get(path.stem, path.stem)}
            for path in pictures(seen, place) if path.stem != "cell"
        ],
    }  # fmt: skip


def decider(seen: Seen, place: Place, *, author: str, key: str) -> tuple[str, str]:
    """Who is taken to decide at a desk with that key, or with none, and why that would not count; empty where it does.

    A key that the suite in force knows stands for its reviewer.
    """
    terms = terms_in_force(seen.state)
    named = terms.reviewer(key)
    who = author if named is None else named.name
    return who, uncounted(terms, place.run, author=who, key=key)


def pictures(seen: Seen, place: Place) -> list[Path]:
    """Files that were drawn of a finalist while it was audited."""
    folder = seen.home.pictures(place.run.number, place.task.name) / place.finalist.digest[:12]
    return sorted(path for path in folder.glob("*.png") if path.is_file() and not path.is_symlink())


def drawn(place: Place) -> bytes:
    """Its cells as the bytes of a PNG file.

    Raises:
        InputError: it is of a space that is not here.
    """
    from selfnas.spaces.drawing import picture

    architecture = read(place.finalist.architecture)
    if architecture is None:
        raise InputError("its space is of a plug-in that is not here")
    templates = architecture.space.templates
    names = ["" if len(templates) == 1 else template.name for template in templates]
    return picture(list(zip(names, architecture.cells, strict=True)), operations=architecture.space.operations, dpi=90)


def _splits(place: Place, findings: list[Finding]) -> Iterator[dict[str, str]]:
    """How the network does on each split; intervals where the ledger gives the counts."""
    trained, task = place.finalist.trained, place.task
    counted = dict(_counted(findings))
    for name in ("training", "audit"):
        if name in counted:
            yield {"split": name, "shown": str(counted[name]), "n": f"{counted[name].count:,}", "note": ""}
    unit = " %" if task.metric in METRICS and METRICS[task.metric].unit == "share" else ""
    again = ""
    if trained.refit is not UNSET:
        again = f"; then trained again on {trained.refit.examples:,} examples of training and validation"
    note = f"the best epoch was chosen by it{again}"
    yield {
        "split": "validation",
        "shown": f"{shown_score(task.metric, trained.validation)}{unit}",
        "n": "",
        "note": note,
    }
    if (test := score_of(trained)) is not None:
        yield {"split": "test", "shown": str(test), "n": f"{test.count:,}", "note": ""}
    if trained.robust is not UNSET:
        near = f"within {trained.robust.radius:g} of the inputs' range"
        titles = {"attacked": f"test, under attacks {near}", "proved": f"test, proved {near}"}
        for name, share in held(trained.robust).items():
            if name in titles:
                yield {"split": titles[name], "shown": str(share), "n": f"{share.count:,}", "note": trained.robust.norm}
    if task.compared is not None and (test := score_of(task.compared)) is not None:
        note = f"{task.compared.params:,} parameters; this network has {trained.params:,}"
        yield {"split": "test, hand-designed network", "shown": str(test), "n": f"{test.count:,}", "note": note}


def _counted(findings: list[Finding]) -> Iterator[tuple[str, Accuracy]]:
    """Shares of training and audit inputs that were right, as the audits `generalisation` and `skill` told them."""
    for one in findings:
        told = _RIGHT.match(one.note) if one.audit in ("generalisation", "skill") else None
        if told is not None and int(told[2]):
            yield "training" if told[3] else "audit", Accuracy(int(told[1]), int(told[2]))


def _baseline(rival: Rival, best: Rival | None) -> dict[str, object]:
    return {
        "title": rival.title, "shown": rival.shown, "limits": rival.limits, "difference": rival.difference,
        "verdict": _SAID[rival.verdict] if rival.gain is not None else "–", "note": rival.note,
        "best": best is not None and best.record.name == rival.record.name,
    }  # fmt: skip


def _deciding_first(one: Finding) -> tuple[int, int]:
    troubled = {"fail": 0, "inconclusive": 1, "void": 2, "untested": 3}
    return _ORDER.get(one.role, 9), 3 if one.idle else troubled.get(one.decision, 4)


def _finding(one: Finding) -> dict[str, object]:
    idle = one.idle or one.decision == "untested"
    limits = "" if idle or one.low is None or one.high is None else f"[{one.low:.3g}, {one.high:.3g}]"
    return {
        "label": one.label, "role": one.role, "decision": "not tested" if idle else one.decision,
        "estimate": "" if idle or one.estimate is None else f"{one.estimate:.3g}", "limits": limits,
        "threshold": "" if idle else f"{one.threshold:g}", "n": "" if idle else f"{one.n:,}", "note": one.note,
    }  # fmt: skip


def _rules(place: Place) -> Iterator[dict[str, str]]:
    """What the certificate says, rule by rule, with why each rule is there."""
    from constraints import Certificate, parse_set

    text = place.task.certificates.get(place.finalist.architecture, "")
    try:
        certificate = Certificate.from_json(text)
        rules = parse_set(place.run.started.constraint_set.text, name="recorded.yaml").of_scope("cell", "network")
        pairs = list(zip(rules, certificate.rules, strict=True))
    except (SelfnasError, ValueError) as error:
        yield {"id": "certificate", "said": "cannot be read", "text": "", "why": str(error), "letter": "u"}
        return
    for rule, letter in pairs:
        said = "forbids" if rule.forbids else "requires"
        yield {"id": rule.id, "said": _WORDS[letter], "text": f"{said} {rule.text}", "why": rule.why, "letter": letter}


def _neighbour(seen: Seen, place: Place) -> Mapping[str, object] | None:
    """The nearest network that a person approved and that stands, and what would make it this one."""
    own = read(place.finalist.architecture)
    if own is None:
        return None
    nearest: tuple[int, int] | None = None
    chosen = None
    for run, task, other in finalists(seen.state):
        approved = other.standing == Standing.ADMITTED and any(one.facts.decision == "approve" for one in other.reviews)
        if not approved or (run.number, task.name, other.digest) == place.where:
            continue
        architecture = read(other.architecture)
        apart = None if architecture is None else distance(architecture, own)
        if architecture is None or apart is None:
            continue
        key = (apart, int(task.name != place.task.name))
        if nearest is None or key < nearest:
            nearest, chosen = key, (run, task, other, architecture)
    if nearest is None or chosen is None:
        return None
    run, task, other, architecture = chosen
    last = other.reviews[-1].facts
    return {
        "event": other.event, "task": task.name, "run": run.number, "digest": other.digest, "author": last.author,
        "reason": last.reason, "test": str(score_of(other.trained) or "–"), "apart": nearest[0],
        "changes": list(difference(architecture, own)),
    }  # fmt: skip


def _decided(one: Event[Reviewed], times: Mapping[int, float], why_not: str) -> dict[str, object]:
    said = one.facts
    return {
        "event": one.seq, "when": moment(times, one.seq), "author": said.author, "decision": said.decision,
        "standing": str(said.standing), "reason": said.reason, "signed": _signed_by(said),
        "uncounted": why_not,
    }  # fmt: skip


def _signed_by(said: Reviewed) -> str:
    if said.signed is UNSET:
        return "not signed"
    return signature_fault(said) or f"signed with key {short(said.signed.key)}"


def _alike(seen: Seen, place: Place) -> Iterator[dict[str, object]]:
    """Other finalists with the very same weights."""
    terms = terms_in_force(seen.state)
    weights = place.finalist.trained.weights_sha256
    for run, task, other in finalists(seen.state):
        if weights and other.trained.weights_sha256 == weights and other is not place.finalist:
            yield {
                "event": other.event, "seen": other.latest, "task": task.name, "run": run.number,
                "digest": other.digest, "standing": str(other.standing), "stage": stage(terms, run, other),
            }  # fmt: skip
