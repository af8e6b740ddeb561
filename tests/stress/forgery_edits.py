"""What a forger would change of a recorded life, one entry an idea; `tests.stress.forgeries` tries each on a copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from selfnas.digests import canonical_json

__all__ = ["FORGERIES", "Edit", "Events"]

Events: TypeAlias = "list[tuple[str, dict[str, Any]]]"
Edit: TypeAlias = Callable[[Events], None]


def _field(kind: str, name: str, change: Callable[[Any], Any]) -> Edit:
    """Edit one field of every event of a kind."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind and name in payload:
                payload[name] = change(payload[name])

    return edit


def _inner(kind: str, name: str, key: str, change: Callable[[Any], Any]) -> Edit:
    """Edit one field of the JSON text, or of the records, that a field of every event of a kind holds."""

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return canonical_json(inside(json.loads(value)))
        for record in value if isinstance(value, list) else [value]:
            if record is not None and record.get(key) is not None:
                record[key] = change(record[key])
        return value

    return _field(kind, name, inside)


def _kind(old: str, new: str) -> Edit:
    def edit(events: Events) -> None:
        events[:] = [(new if kind == old else kind, payload) for kind, payload in events]

    return edit


def _drop(kind: str, *, last: bool = False) -> Edit:
    def edit(events: Events) -> None:
        places = [place for place, event in enumerate(events) if event[0] == kind]
        for place in reversed(places[-1:] if last else places):
            del events[place]

    return edit


def _double(kind: str) -> Edit:
    def edit(events: Events) -> None:
        events[:] = [event for event in events for _ in range(2 if event[0] == kind else 1)]

    return edit


def _cut(count: int) -> Edit:
    def edit(events: Events) -> None:
        del events[-count:]

    return edit


def _swap(name: str) -> Edit:
    """Another text for the set or the suite of every run, its digest made to fit where a digest of text would."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                payload[name]["text"] = payload[name]["text"].replace("\n", "\n# edited\n", 1)

    return edit


def _loosen(name: str) -> Edit:
    """Drop the last rule or audit of the recorded text."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                head, mark, _ = payload[name]["text"].rpartition("\n  - ")
                payload[name]["text"] = head + "\n" if mark else ""

    return edit


def _move(kind: str, place: int) -> Edit:
    def edit(events: Events) -> None:
        moved = [event for event in events if event[0] == kind]
        if moved:
            events.remove(moved[-1])
            events.insert(place, moved[-1])

    return edit


def _everywhere(name: str, change: Callable[[Any], Any], *kinds: str) -> Edit:
    """Edit a field wherever one of some kinds of events has it."""

    def edit(events: Events) -> None:
        for kind in kinds:
            _field(kind, name, change)(events)

    return edit


def _lived(events: Events) -> list[slice]:
    """Where each task's events lie."""
    starts = [place for place, event in enumerate(events) if event[0] == "task.started"]
    ends = [place for place, event in enumerate(events) if event[0] == "task.finished"]
    return [slice(start, end + 1) for start, end in zip(starts, ends, strict=False)]


def _last_task(times: int) -> Edit:
    """Have the last task be lived so many times; 0 leaves it out."""

    def edit(events: Events) -> None:
        if lived := _lived(events):
            events[lived[-1]] = events[lived[-1]] * times

    return edit


def _second_wins(events: Events) -> None:
    """Name as the winner of each task the network that was admitted last."""
    admitted = ""
    for kind, payload in events:
        if kind == "admitted":
            admitted = payload["digest"]
        elif kind == "task.finished" and admitted:
            payload["winner"], admitted = admitted, ""


def _both(first: Edit, second: Edit) -> Edit:
    def edit(events: Events) -> None:
        first(events)
        second(events)

    return edit


def _hide_finalist(events: Events) -> None:
    """Leave out the last full training of a task that had several, with all that followed from it."""
    for part in reversed(_lived(events)):
        trained = [payload["digest"] for kind, payload in events[part] if kind == "trained"]
        if len(trained) > 1:
            gone = ("trained", "audited", "admitted", "refused")
            kept = [(kind, p) for kind, p in events[part] if not (kind in gone and p["digest"] == trained[-1])]
            kept[-1][1]["full_trainings"] -= 1
            events[part] = kept
            return


def _raise_test(events: Events) -> None:
    for kind, payload in events:
        if kind == "trained":
            payload["test_correct"] = payload["test_count"] + 5
        elif kind == "admitted":
            of = [p for k, p in events if k == "trained" and p["digest"] == payload["digest"]]
            payload["test"] = (of[0]["test_count"] + 5) / of[0]["test_count"]


def _untag_lost(events: Events) -> None:
    """Take the mark of a trial from every second contest."""
    for kind, payload in events:
        if kind == "evaluated" and "trial" in payload and payload["trial"]["contest"] % 2:
            del payload["trial"]


def _made_up(kind: str) -> Edit:
    """A decision about the policy that nobody took: the policy of the stream, kept or refused for no reason."""

    def edit(events: Events) -> None:
        runs = [payload for found, payload in events if found == "run.started"]
        lived = _lived(events)
        if not runs or not lived:
            return
        policy = runs[0]["stream"]["policy"]
        record = {"base": policy, "old": policy, "new": policy, "evidence": None, "certificate": None, "failed": []}
        events.insert(lived[0].stop, (kind, {"run": 1, "after_task": 1, "reason": "made up", **record}))

    return edit


def _flip_hex(text: str) -> str:
    return ("0" if text[:1] != "0" else "1") + text[1:]


_OTHER: dict[str, str] = {"admit": "reject", "reject": "admit", "undecided": "admit"}
_ELSE: dict[str, str] = {"pass": "fail", "fail": "pass", "inconclusive": "pass", "void": "pass", "untested": "fail"}

FORGERIES: dict[str, Edit] = {
    # audits
    "verdict of the audits flipped": _field("audited", "decision", lambda old: _OTHER[old]),
    "findings removed": _field("audited", "findings", lambda _: []),
    "first finding removed": _field("audited", "findings", lambda old: old[1:]),
    "last finding removed": _field("audited", "findings", lambda old: old[:-1]),
    "decisions of findings flipped": _inner("audited", "findings", "decision", lambda old: _ELSE[old]),
    "thresholds of findings loosened": _inner("audited", "findings", "threshold", lambda old: old - 0.5),
    "estimates of findings moved": _inner("audited", "findings", "estimate", lambda old: 2.0),
    "intervals of findings moved": _inner("audited", "findings", "low", lambda old: -2.0),
    "gates of findings made advisory": _inner("audited", "findings", "role", lambda _: "advisory"),
    "findings named for another audit": _inner("audited", "findings", "audit", lambda _: "skill"),
    "notes of findings edited": _inner("audited", "findings", "note", lambda old: old + "!"),
    "observations behind findings inflated": _inner("audited", "findings", "n", lambda old: 10 * old),
    "audit given to another network": _field("audited", "digest", _flip_hex),
    "audits dropped": _drop("audited"),
    "audits doubled": _double("audited"),
    "audit moved after the admission": _move("audited", -2),
    # baselines
    "estimates of baselines raised": _inner("baselined", "results", "estimate", lambda old: min(1.0, old + 0.01)),
    "intervals of baselines widened": _inner("baselined", "results", "high", lambda old: old + 0.01),
    "examples of baselines inflated": _inner("baselined", "results", "n", lambda old: 10 * old),
    "answers of baselines edited": _inner("baselined", "results", "hits", lambda old: "0" + old[1:]),
    "rows of baselines inflated": _inner("baselined", "results", "rows", lambda old: 10 * old),
    "a baseline left out": _field("baselined", "results", lambda old: old[:-1]),
    "baselines dropped": _drop("baselined"),
    "baselines doubled": _double("baselined"),
    "answers of networks edited": _field("trained", "test_hits", lambda old: "0" + old[1:]),
    # second trainings, on validation examples too
    "second trainings of no step": _inner("trained", "refit", "steps", lambda _: 0),
    "second trainings on more examples than another network": _inner("compared", "refit", "examples", lambda n: n + 1),
    # certificates
    "verdict of certificates flipped": _inner("certified", "certificate", "verdict", lambda old: _OTHER[old]),
    "rules of certificates edited": _inner("certified", "certificate", "rules", lambda old: "f" + old[1:]),
    "rules of certificates shortened": _inner("certified", "certificate", "rules", lambda old: old[:-1]),
    "certificates for another digest": _inner("certified", "certificate", "digest", _flip_hex),
    "certificates for another shape": _inner("certified", "certificate", "shape", lambda _: "3x8x8/10"),
    "certificates of another guard": _inner("certified", "certificate", "guard", _flip_hex),
    "certificates of another history": _inner("certified", "certificate", "previous", _flip_hex),
    "certificates for another subject": _inner(
        "certified", "certificate", "subject", lambda old: old.replace("conv", "avg")
    ),
    "engines of certificates edited": _inner("certified", "certificate", "engines", lambda _: {"z3": "0"}),
    "architecture beside certificates edited": _field("certified", "architecture", lambda old: old + "|"),
    "certified made rejected": _kind("certified", "rejected"),
    "certified made quarantined": _kind("certified", "quarantined"),
    "certificates dropped": _drop("certified"),
    "certificates doubled": _double("certified"),
    "last certificate moved to the end": _move("certified", 10**6),
    # set and suite
    "comment put into the constraint set": _swap("constraint_set"),
    "last rule of the constraint set removed": _loosen("constraint_set"),
    "digest of the constraint set edited": _field("run.started", "constraint_set_digest", _flip_hex),
    "comment put into the audit suite": _swap("audit_suite"),
    "last audit of the suite removed": _loosen("audit_suite"),
    "digest of the audit suite edited": _field("run.started", "audit_suite_digest", _flip_hex),
    "digest of the stream edited": _field("run.started", "stream_digest", _flip_hex),
    "guard of the task edited": _field("task.started", "guard", _flip_hex),
    "start of the run dropped": _drop("run.started"),
    "start of the task dropped": _drop("task.started"),
    # training, admission, end
    "score of what was trained raised": _field("trained", "validation", lambda old: 1.0),
    "weights of what was trained replaced": _field("trained", "weights_sha256", _flip_hex),
    "trained dropped": _drop("trained"),
    "score of what was admitted raised": _field("admitted", "validation", lambda old: 1.0),
    "test score of what was admitted raised": _field("admitted", "test", lambda old: 1.0),
    "weights of what was admitted replaced": _field("admitted", "weights_sha256", _flip_hex),
    "parameters of what was admitted lowered": _field("admitted", "params", lambda old: old - 1),
    "admitted another digest": _field("admitted", "digest", _flip_hex),
    "admitted another architecture": _field("admitted", "architecture", lambda old: old.replace("none", "skip", 1)),
    "admitted with another certificate": _inner("admitted", "certificate", "previous", _flip_hex),
    "admission dropped": _drop("admitted"),
    "admission moved before its audit": _move("admitted", 3),
    "refused made admitted": _kind("refused", "admitted"),
    "admitted made refused": _kind("admitted", "refused"),
    "winner replaced": _field("task.finished", "winner", lambda old: "0" * 64),
    "winner removed": _field("task.finished", "winner", lambda old: None),
    "score of one evaluation raised": _field("evaluated", "score", lambda old: 1.0),
    "last evaluation dropped": _drop("evaluated", last=True),
    # what stands beside all that
    "second of the admitted named the winner": _second_wins,
    "parameters lowered everywhere": _everywhere("params", lambda old: old - 1, "trained", "admitted", "compared"),
    "failed audits of audits edited": _field("audited", "failed", lambda old: [*old, "skill"]),
    "reasons of audits edited": _everywhere("reasons", lambda old: [*old, "made up"], "audited", "refused"),
    "rules that refusals name edited": _everywhere("failed", lambda old: [*old, "x"], "rejected", "quarantined"),
    "messages of refusals edited": _everywhere("messages", lambda old: ["!", *old], "rejected", "quarantined"),
    "edges that refusals blame edited": _field("rejected", "blamed", lambda old: ["cell: conv9x9 0->1", *old]),
    "what refusals call near edited": _field("rejected", "nearest", lambda old: [*old[:-1], "nb201/x"]),
    "hand-designed network made smaller": _field("compared", "architecture", lambda old: old.replace("/c", "/c1", 1)),
    "evaluations called recalled": _field("evaluated", "origin", lambda _: "recalled"),
    "evaluations called scored": _field("evaluated", "origin", lambda _: "scored"),
    "evaluations called published": _field("evaluated", "origin", lambda _: "published"),
    "evaluations doubled": _double("evaluated"),
    "full trainings of tasks edited": _field("task.finished", "full_trainings", lambda old: old + 1),
    "last task lived twice": _last_task(2),
    "last task left out": _last_task(0),
    "tasks renamed": _field("task.started", "task", lambda old: f"{old}2"),
    "number of the run edited": _field("run.started", "run", lambda old: old + 1),
    "a finalist hidden": _hide_finalist,
    "comparisons dropped": _drop("compared"),
    "comparisons doubled": _double("compared"),
    "curves of what was trained emptied": _field("trained", "curve", lambda _: []),
    "more test examples right than there are": _raise_test,
    "training said to have failed": _field("trained", "reason", lambda _: "it diverged"),
    "tasks of evaluations renamed": _field("evaluated", "task", lambda old: f"{old}2"),
    "audits of another architecture": _field("audited", "architecture", lambda old: old.replace("none", "skip", 1)),
    "all refusals by rules dropped": _drop("rejected"),
    "distances of what is near edited": _field("rejected", "distance", lambda old: old + 5),
    "rounds called exhausted": _field("filtered", "exhausted", lambda _: True),
    "lists of sub-cells dropped": _drop("subcells.mined"),
    "last evaluation and all mining dropped": _both(_drop("evaluated", last=True), _drop("subcells.mined")),
    "what tables say of finalists dropped": _drop("tabulated"),
    "what tables say of finalists doubled": _double("tabulated"),
    "name of the weights made a path": _everywhere("weights_sha256", lambda _: "../../x", "trained", "admitted"),
    "name of the weights too long": _everywhere("weights_sha256", lambda _: "a" * 300, "trained", "admitted"),
    "tasks of the run miscounted": _field("run.finished", "tasks", lambda old: old + 1),
    "lost contests of a trial taken out": _untag_lost,
    "a policy said to be refused": _made_up("policy.refused"),
    "a policy said to be kept": _made_up("policy.kept"),
    "evidence for policies improved": _inner("policy.proposed", "evidence", "p", lambda old: old / 2),
    "trials of policies won": _inner("policy.adopted", "confirmation", "won", lambda old: old + 1),
    "last event cut off": _cut(1),
    "last five events cut off": _cut(5),
}
