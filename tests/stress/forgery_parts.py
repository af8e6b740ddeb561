"""What edits of stored lives are made of; `tests.stress.forgery_meaning` lists the edits."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.stream.file import Stream
from agent.stream.training import plan_digest
from selfnas.digests import canonical_json
from tests.stress.forgery_edits import Edit, Events

__all__ = [
    "NAME",
    "TEXT",
    "Forgery",
    "answered_twice",
    "better",
    "both",
    "certificates",
    "cooler",
    "crashed",
    "each",
    "exchanged_weights",
    "first_recalled",
    "flipped",
    "less_one",
    "less_unscored",
    "of_finalists",
    "policy",
    "put",
    "renamed",
    "reordered",
    "scaled",
    "scores",
    "shallow",
    "stream",
    "tasks",
    "text_for_weights",
    "with_plans",
    "without_refusals",
]

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """One edit.

    Attributes:
        life: the stored life that has room for it.
        edit: of its events.
        found: a part of the sentence that names it.
        files: content of weights' files that are laid beside, by the SHA-256 that names them.
    """

    life: str
    edit: Edit
    found: str
    files: Mapping[str, bytes] | None = None


def each(kind: str, change: Callable[[Payload], object]) -> Edit:
    """Change the payload of every event of a kind."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind:
                change(payload)

    return edit


def put(kind: str, **values: Any) -> Edit:
    """The same values in every event of a kind that has them."""
    return each(kind, lambda payload: payload.update({k: v for k, v in values.items() if k in payload}))


def finding(label: str, **values: Any) -> Edit:
    """The same values in every finding of that label, of networks and of files."""

    def one(payload: Payload) -> None:
        for found in payload["findings"]:
            if f"{found['audit']}.{found['statistic']}" == label:
                found.update(values)

    return both(each("audited", one), each("deployed", one))


def cooler(audited: Payload) -> None:
    """A temperature that is nearer to its lower limit."""
    for found in audited["findings"]:
        if (found["audit"], found["statistic"]) == ("overconfidence", "temperature"):
            found["estimate"] = (found["estimate"] + found["low"]) / 2


def answered_twice(events: Events) -> None:
    """The same answer once more, after itself."""
    place = [kind for kind, _ in events].index("designed")
    events.insert(place + 1, copy.deepcopy(events[place]))


def line(name: str, change: Callable[[Payload], object]) -> Edit:
    """Change one line of every answered specification."""
    return each("designed", lambda told: [change(one) for one in told["lines"] if one["name"] == name])


def stream(change: Callable[[Payload], object]) -> Edit:
    """Change every recorded stream, and its digest with it."""

    def one(payload: Payload) -> None:
        change(payload["stream"])
        payload["stream_digest"] = hashlib.sha256(canonical_json(payload["stream"]).encode()).hexdigest()

    return each("run.started", one)


def policy(**values: Any) -> Edit:
    """State other settings of the search policy."""
    return stream(lambda told: told["policy"].update(values))


def scaled(section: str, **values: Any) -> Edit:
    """State other settings of a fidelity or of training."""
    return stream(lambda told: told[section].update(values))


def tasks(change: Callable[[Payload], object]) -> Edit:
    """State every task of the stream otherwise."""
    return stream(lambda told: [change(task) for task in told["tasks"]])


def both(*edits: Edit) -> Edit:
    """One after the other."""

    def edit(events: Events) -> None:
        for one in edits:
            one(events)

    return edit


def of_finalists(change: Callable[[Payload], object], *kinds: str) -> Edit:
    """Change the evaluations of what was scored in full."""

    def edit(events: Events) -> None:
        best = {payload["digest"] for kind, payload in events if kind in kinds}
        for kind, payload in events:
            if kind == "evaluated" and payload["digest"] in best:
                change(payload)

    return edit


def renamed(old: str, new: str) -> Edit:
    """A text in place of another, wherever it is recorded."""

    def edit(events: Events) -> None:
        events[:] = [(kind, json.loads(canonical_json(payload).replace(old, new))) for kind, payload in events]

    return edit


def without_refusals(events: Events) -> None:
    """No rule ever kept anything out."""
    events[:] = [(kind, payload) for kind, payload in events if kind not in ("rejected", "quarantined")]
    put("filtered", rules={})(events)


def less_one(kind: str) -> Edit:
    """Leave out the last event of a kind."""

    def edit(events: Events) -> None:
        del events[max(place for place, event in enumerate(events) if event[0] == kind)]

    return edit


def less_unscored(events: Events) -> None:
    """Leave out a certificate of what a proxy passed over."""
    scored = {payload["architecture"] for kind, payload in events if kind == "evaluated"}
    for place, (kind, payload) in enumerate(events):
        if kind == "certified" and payload["architecture"] not in scored:
            del events[place]
            return


def swapped(first: str, second: str) -> Edit:
    """Exchange two texts wherever they are recorded."""
    return both(renamed(first, "\x00"), renamed(second, first), renamed("\x00", second))


def exchanged_weights(events: Events) -> None:
    """Two networks of different architecture get each other's weights."""
    trained = [payload for kind, payload in events if kind == "trained" and payload["weights_sha256"]]
    first = trained[0]
    second = next(one for one in trained if one["architecture"] != first["architecture"])
    for kind, payload in events:
        if kind in ("trained", "admitted", "reviewed"):
            for mine, other in ((first, second), (second, first)):
                if payload["architecture"] == mine["architecture"] and payload["weights_sha256"]:
                    payload["weights_sha256"] = other["weights_sha256"] + "!"
    renamed("!", "")(events)


def certificates(**values: Any) -> Edit:
    """Say something else in every certificate."""

    def one(payload: Payload) -> None:
        payload["certificate"] = canonical_json({**json.loads(payload["certificate"]), **values})

    return both(*(each(kind, one) for kind in ("certified", "rejected", "quarantined", "tabulated", "admitted")))


def scores(change: Callable[[float], float]) -> Edit:
    """Other scores at low fidelity, with curves that fit them."""

    def one(payload: Payload) -> None:
        if payload["score"] is not None:
            payload["score"] = change(payload["score"])
            payload["curve"] = [min(point, payload["score"]) for point in payload["curve"][:-1]] + [payload["score"]]

    return each("evaluated", one)


def better(events: Events) -> None:
    """Full trainings that came to a little more, wherever that is recorded."""
    for kind, payload in events:
        if kind in ("trained", "admitted"):
            payload["validation"] += 0.001234
        if kind == "trained":
            payload["curve"] = [*payload["curve"][:-1], payload["validation"]]


def crashed(payload: Payload) -> None:
    """It never came to a score."""
    payload.update(score=None, reason="diverged: a loss or an output is not finite", curve=[])


def reordered(kind: str) -> Edit:
    """Exchange the first two events of a kind that follow each other."""

    def edit(events: Events) -> None:
        for place in range(len(events) - 1):
            if events[place][0] == events[place + 1][0] == kind:
                events[place], events[place + 1] = events[place + 1], events[place]
                return

    return edit


def with_plans(events: Events) -> None:
    """What the present release records of trainings, laid into a life of an earlier one; nothing contradicts it."""
    told: Stream | None = None
    for kind, payload in events:
        if kind == "run.started":
            told = Stream.model_validate_json(json.dumps(payload["stream"]))
        elif kind in ("evaluated", "trained", "compared") and told is not None:
            section, name = (told.low, "low") if kind == "evaluated" else (told.full, "full")
            payload["plan"] = plan_digest(told.training, section.fidelity(name))


def first_recalled(change: Callable[[Payload], object]) -> Edit:
    """Change what the first task that recalls anything recalls."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == "task.started" and payload["recalled"]:
                change(payload)
                return

    return edit


def flipped(payload: Payload) -> None:
    """Twenty of the test examples were answered otherwise."""
    errors = payload["errors"]
    payload["errors"] = "".join("01"[letter == "0"] for letter in errors[:20]) + errors[20:]


def shallow(payload: Payload) -> None:
    """Half of each curve, its best point kept."""
    curve = payload["curve"]
    payload["curve"] = [*curve[: len(curve) // 2], max(curve)]


TEXT = b"these are not weights at all"
NAME = hashlib.sha256(TEXT).hexdigest()


def text_for_weights(events: Events) -> None:
    """The winner's weights are a text, named by its SHA-256 wherever they are named."""
    name = next(payload["weights_sha256"] for kind, payload in events if kind == "admitted")
    renamed(name, NAME)(events)
