"""Edits of stored lives that a forger makes consistent, each with a word of the sentence that finds it.

The chain is made again over each, and every hash that a certificate names is renamed. A digest of what was edited
(stream, set, suite) is made to fit as well. None is signed, so that the records alone contradict.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.stream.file import Stream
from agent.stream.training import plan_digest
from selfnas.digests import canonical_json
from tests.stress.forgery_edits import Edit, Events

__all__ = ["MEANINGS", "Forgery", "with_plans"]

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
_SHA = re.compile(r"[0-9a-f]{64}")


def text_for_weights(events: Events) -> None:
    """The winner's weights are a text, named by its SHA-256 wherever they are named."""
    name = next(payload["weights_sha256"] for kind, payload in events if kind == "admitted")
    renamed(name, NAME)(events)


MEANINGS: dict[str, Forgery] = {
    # weights
    "weights of two networks exchanged": Forgery(
        life="trained", edit=exchanged_weights, found="its weights are of another network"
    ),
    "weights that are a text": Forgery(
        life="watched", edit=text_for_weights, found="no safetensors file", files={NAME: TEXT}
    ),
    # scores and ranks
    "finalists have the lowest scores": Forgery(
        life="rivalled",
        edit=of_finalists(lambda one: one.update(score=0.0, curve=[0.0] * len(one["curve"])), "trained"),
        found="make nb201",
    ),
    "finalists of a table have the lowest scores": Forgery(
        life="tabular",
        edit=of_finalists(lambda one: one.update(score=0.01), "tabulated"),
        found="its table says validation",
    ),
    "the best candidate is said to have crashed": Forgery(
        life="trained", edit=of_finalists(crashed, "trained"), found="scored in full"
    ),
    "every candidate scored a little more": Forgery(
        life="rivalled", edit=scores(lambda score: score + 0.000987), found="is that of no number of"
    ),
    "every cell of a table scored a little more": Forgery(
        life="tuned", edit=scores(lambda score: score + 0.001), found="its table says validation"
    ),
    "test scores of a table raised": Forgery(
        life="tabular", edit=put("tabulated", test=0.99), found="its table says test"
    ),
    "full trainings came to a little more": Forgery(life="rivalled", edit=better, found="is that of no number of"),
    "finalists of a table exchanged": Forgery(life="tabular", edit=reordered("tabulated"), found="the next finalist"),
    "evaluations exchanged": Forgery(
        life="tuned", edit=reordered("evaluated"), found="another order than proposals"
    ),
    "proxies made up": Forgery(
        life="watched",
        edit=both(put("evaluated", proxy=1.0), less_one("filtered")),
        found="before the round before it had ended",
    ),
    # what was kept out
    "nothing was ever refused": Forgery(life="tuned", edit=without_refusals, found="under the recorded seed"),
    "counts of what was kept out times a thousand": Forgery(
        life="tuned",
        edit=each("filtered", lambda one: one.update(rules={k: 1000 * v for k, v in one["rules"].items()})),
        found="of what was considered, not",
    ),
    "one refusal left out": Forgery(life="tuned", edit=less_one("rejected"), found="under the recorded seed"),
    "a certified candidate left out": Forgery(life="watched", edit=less_unscored, found="under the recorded seed"),
    "a rule kept out one more": Forgery(
        life="trained",
        edit=each("filtered", lambda one: one.update(rules={k: v + 1 for k, v in one["rules"].items()})),
        found="of what was considered, not",
    ),
    # tasks and data
    "transformations left out": Forgery(
        life="trained", edit=tasks(lambda one: one.update(transforms=[])), found="transformations of its data give"
    ),
    "digest of the data replaced everywhere": Forgery(
        life="rivalled",
        edit=lambda events: renamed(
            next(payload["task_digest"] for kind, payload in events if kind == "task.started"), "5" * 64
        )(events),
        found="transformations of its data give",
    ),
    "digest of a table replaced everywhere": Forgery(
        life="tabular",
        edit=lambda events: renamed(
            next(payload["task_digest"] for kind, payload in events if kind == "task.started"), "5" * 64
        )(events),
        found="whose digest is another",
    ),
    "examples split by another seed": Forgery(
        life="rivalled", edit=tasks(lambda one: one.update(split_seed=7)), found="transformations of its data give"
    ),
    "fewer examples than there were": Forgery(
        life="watched",
        edit=tasks(lambda one: one.update(limit=800) if one["source"] == "digits" else None),
        found="transformations of its data give",
    ),
    "another source": Forgery(
        life="rivalled", edit=tasks(lambda one: one.update(source="mnist1d")), found="transformations of its data give"
    ),
    "a description that is of another task": Forgery(
        life="rivalled",
        edit=each("task.started", lambda one: one["description"].update(roughness=0.9)),
        found="its description says roughness",
    ),
    "more training examples than there are": Forgery(
        life="trained",
        edit=each("task.started", lambda one: one["description"].update(log2_train=12.0)),
        found="its description says log2_train",
    ),
    "more test examples than there are": Forgery(
        life="trained",
        edit=each("trained", lambda one: one.update(test_count=2 * one["test_count"], test_correct=2 * one["test_correct"])),
        found="it was tested on 358 examples",
    ),
    "another column of the table": Forgery(
        life="tuned",
        edit=both(
            tasks(lambda one: one.update(dataset={"a": "b", "b": "c", "c": "a"}.get(one["dataset"], one["dataset"]))),
            each(
                "task.started",
                lambda one: one["table"].update(
                    dataset={"a": "b", "b": "c", "c": "a"}.get(one["table"]["dataset"], one["table"]["dataset"])
                ),
            ),
        ),
        found="its table says validation",
    ),
    "a column that the stream does not name": Forgery(
        life="tabular",
        edit=each("task.started", lambda one: one["table"].update(dataset="b")),
        found="its stream says",
    ),
    # plans of training
    "fifty epochs where curves have one point": Forgery(
        life="rivalled", edit=scaled("low", epochs=50), found="points of 16"
    ),
    "one epoch where curves have more points": Forgery(
        life="watched", edit=scaled("full", epochs=1), found="points"
    ),
    "curves cut short": Forgery(
        life="watched", edit=each("trained", shallow), found="nothing that is recorded ended it early"
    ),
    "a learning rate that nobody trained with": Forgery(
        life="rivalled",
        edit=both(with_plans, scaled("training", learning_rate=0.9)),
        found="not those that it was trained by",
    ),
    "a batch size that nobody trained with": Forgery(
        life="rivalled",
        edit=both(with_plans, scaled("training", batch_size=4096)),
        found="not those that it was trained by",
    ),
    "a weight decay that nobody trained with": Forgery(
        life="watched",
        edit=both(with_plans, scaled("training", weight_decay=0.5)),
        found="not those that it was trained by",
    ),
    "a plan left out of the last training": Forgery(
        life="rivalled",
        edit=both(with_plans, each("compared", lambda one: one.pop("plan"))),
        found="does not say by which plan",
    ),
    # the policy
    "nothing is to be recalled, and is": Forgery(life="tabular", edit=policy(recall=0), found="what it recalls"),
    "rounds of one": Forgery(life="tabular", edit=policy(batch=1), found="under the recorded seed"),
    "rounds of eight": Forgery(life="tuned", edit=policy(batch=8), found="under the recorded seed"),
    "another strategy": Forgery(life="tabular", edit=policy(strategy="random"), found="strategy 'random' proposes"),
    "a strategy that fits a model": Forgery(
        life="tabular", edit=policy(strategy="surrogate"), found="rounds are not what strategy 'surrogate'"
    ),
    "a larger population": Forgery(life="tabular", edit=policy(population=30), found="under the recorded seed"),
    "a smaller sample": Forgery(life="tabular", edit=policy(sample=2), found="under the recorded seed"),
    "no crossover": Forgery(life="tabular", edit=policy(crossover_percent=0), found="under the recorded seed"),
    "no implants": Forgery(life="tabular", edit=policy(implant_percent=0), found="under the recorded seed"),
    "a space that widens": Forgery(life="tuned", edit=policy(progressive=3), found="under the recorded seed"),
    "fewer proposals for each one scored": Forgery(
        life="rivalled", edit=policy(oversample=1), found="under the recorded seed"
    ),
    "a seed drawn anew": Forgery(
        life="rivalled", edit=stream(lambda told: told.update(seed=9)), found="under the recorded seed"
    ),
    "a seed drawn anew for a table": Forgery(
        life="tabular", edit=stream(lambda told: told.update(seed=9)), found="under the recorded seed"
    ),
    "one finalist fewer": Forgery(
        life="tabular", edit=policy(finalists_per_task=1), found="none of the finalists"
    ),
    "candidates on rungs": Forgery(
        life="rivalled",
        edit=stream(lambda told: told.update(halving={"rungs": [{"epochs": 1, "fraction": 0.5}, {"epochs": 2}]})),
        found="another fidelity than rung0",
    ),
    # memory
    "nothing was recalled": Forgery(life="tabular", edit=put("task.started", recalled=[]), found="too little"),
    "one more was recalled": Forgery(
        life="tabular",
        edit=first_recalled(lambda one: one["recalled"].append({**one["recalled"][0], "from_task": "two"})),
        found="what it recalls",
    ),
    "a likeness raised": Forgery(
        life="trained",
        edit=first_recalled(lambda one: one["recalled"][0].update(likeness=0.999)),
        found="what it recalls",
    ),
    "recalled from another run": Forgery(
        life="tabular",
        edit=each("task.started", lambda one: [each_.update(from_run=1) for each_ in one["recalled"]]),
        found="what it recalls",
    ),
    "recalled candidates called searched": Forgery(
        life="tabular",
        edit=each("evaluated", lambda one: one.update(origin="searched")),
        found="is called searched, and is recalled",
    ),
    "sub-cells of another task": Forgery(
        life="tabular", edit=put("subcells.mined", task="one"), found="than it was mined after"
    ),
    "sub-cells by looser limits": Forgery(
        life="tabular", edit=put("subcells.mined", least_share=0.01), found="or other limits"
    ),
    # supernets
    "logits of a supernet made even": Forgery(
        life="trained",
        edit=each("supernet.trained", lambda one: one.update(logits=[[[0.0] * len(row) for row in own] for own in one["logits"]])),
        found="rounds are not what strategy 'gdas'",
    ),
    "logits of a smaller space": Forgery(
        life="trained",
        edit=each("supernet.trained", lambda one: one.update(logits=[own[1:] for own in one["logits"]])),
        found="its logits are",
    ),
    "a supernet of another strategy": Forgery(
        life="trained", edit=put("supernet.trained", strategy="darts"), found="a supernet of strategy 'darts'"
    ),
    "a supernet trained for longer than allowed": Forgery(
        life="trained", edit=put("supernet.trained", epochs=500), found="the stream allows"
    ),
    # names, versions, counts
    "another name above the constraint set": Forgery(
        life="tabular",
        edit=each("run.started", lambda one: one["constraint_set"].update(name="strict")),
        found="it calls its constraint set 'strict'",
    ),
    "another name above the suite": Forgery(
        life="rivalled",
        edit=each("run.started", lambda one: one["audit_suite"].update(name="thorough")),
        found="it calls its audit suite 'thorough'",
    ),
    "another name above the policy rules": Forgery(
        life="tuned",
        edit=each("run.started", lambda one: one["policy_set"].update(name="strict")),
        found="it calls its policy rules 'strict'",
    ),
    "certificates by a Z3 that never was": Forgery(
        life="tabular", edit=certificates(engines={"referee": "1", "z3": "99.9"}), found="z3 99.9"
    ),
    "certificates by a referee that never was": Forgery(
        life="rivalled", edit=certificates(engines={"referee": "7", "z3": "5.4.1"}), found="referee 7"
    ),
    "certificates by another solver": Forgery(
        life="rivalled", edit=certificates(engines={"referee": "1", "cvc5": "1.4.2"}), found="cvc5 1.4.2"
    ),
    "a larger space": Forgery(life="tabular", edit=put("task.started", space_count="15626"), found="it has 15625"),
    "more admitted cells": Forgery(
        life="tabular",
        edit=put("task.started", admitted_count={"low": "15000", "high": "15000", "exact": True}),
        found="architectures are admitted, counted are",
    ),
    "an estimate above the space": Forgery(
        life="rivalled",
        edit=put("task.started", admitted_count={"low": "1", "high": "99999", "exact": False}),
        found="architectures are admitted, of",
    ),
    # audits and baselines
    "audits of more examples than there are": Forgery(
        life="watched",
        edit=each("audited", lambda one: [finding.update(n=100 * finding["n"]) for finding in one["findings"]]),
        found="examples, of",
    ),
    "baselines with more rows at hand": Forgery(
        life="rivalled",
        edit=each("baselined", lambda one: [each_.update(at_hand=9999) for each_ in one["results"]]),
        found="rows at hand, there are",
    ),
    # the watch
    "a drift found by something else": Forgery(
        life="watched",
        edit=each("watch.batch", lambda one: one.update(by={"": "errors", "errors": "inputs"}.get(one["by"], "errors"))),
        found="its numbers say",
    ),
    "new examples in another file": Forgery(
        life="watched", edit=put("watch.batch", file="0" * 64 + ".npz"), found="not named by their digest"
    ),
    "errors on the test split made up": Forgery(
        life="watched", edit=each("watch.started", flipped), found="test examples, in its full training"
    ),
    "a quicker search for a successor": Forgery(
        life="watched", edit=put("watch.ended", evaluations_to_best=0), found="to the best, not what it says"
    ),
    "a search for a successor that found none": Forgery(
        life="watched", edit=put("watch.ended", successor=None), found="not the best that its search admitted"
    ),
}
