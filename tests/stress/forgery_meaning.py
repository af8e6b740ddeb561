"""Edits of stored lives that a forger makes consistent, each with a word of the sentence that finds it.

The chain is made again over each, and every hash that a certificate names is renamed. A digest of what was edited
(stream, set, suite) is made to fit as well. None is signed, so that the records alone contradict.
"""

from __future__ import annotations

from selfnas.training.intervals import binomial
from tests.stress.forgery_parts import (
    NAME,
    TEXT,
    Forgery,
    answered_twice,
    better,
    both,
    certificates,
    cooler,
    crashed,
    each,
    exchanged_weights,
    finding,
    first_recalled,
    flipped,
    less_one,
    less_unscored,
    line,
    of_finalists,
    policy,
    put,
    renamed,
    reordered,
    scaled,
    scores,
    shallow,
    stream,
    tasks,
    text_for_weights,
    with_plans,
    without_refusals,
)

__all__ = ["MEANINGS"]

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
    "evaluations exchanged": Forgery(life="tuned", edit=reordered("evaluated"), found="another order than proposals"),
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
        edit=each(
            "trained", lambda one: one.update(test_count=2 * one["test_count"], test_correct=2 * one["test_correct"])
        ),
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
    "one epoch where curves have more points": Forgery(life="watched", edit=scaled("full", epochs=1), found="points"),
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
    "nothing is to be recalled, and is": Forgery(life="tabular", edit=policy(recall=0), found="it recalls"),
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
    "one finalist fewer": Forgery(life="tabular", edit=policy(finalists_per_task=1), found="none of the finalists"),
    "candidates on rungs": Forgery(
        life="rivalled",
        edit=stream(lambda told: told.update(halving={"rungs": [{"epochs": 1, "fraction": 0.5}, {"epochs": 2}]})),
        found="another fidelity than rung0",
    ),
    # memory
    "nothing was recalled": Forgery(life="tabular", edit=put("task.started", recalled=[]), found="it recalls nothing"),
    "one more was recalled": Forgery(
        life="tabular",
        edit=first_recalled(lambda one: one["recalled"].append({**one["recalled"][0], "from_task": "two"})),
        found="it recalls",
    ),
    "a likeness raised": Forgery(
        life="trained",
        edit=first_recalled(lambda one: one["recalled"][0].update(likeness=0.999)),
        found="it recalls",
    ),
    "recalled from another run": Forgery(
        life="tabular",
        edit=each("task.started", lambda one: [each_.update(from_run=1) for each_ in one["recalled"]]),
        found="it recalls",
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
    "a source that there is not": Forgery(
        life="rivalled", edit=tasks(lambda one: one.update(source="digitz")), found="there is no source 'digitz'"
    ),
    "a proxy that there is not": Forgery(life="watched", edit=policy(proxy="naswoz"), found="there is no proxy"),
    "a shipped set that is another": Forgery(
        life="rivalled",
        edit=stream(lambda told: told.update(constraints="robust")),
        found="its stream names constraint set 'robust'",
    ),
    "an exact count called an estimate": Forgery(
        life="tabular",
        edit=each("task.started", lambda one: one["admitted_count"].update(exact=False)),
        found="architectures are admitted, counted are",
    ),
    "a description of another shape": Forgery(
        life="watched",
        edit=each("task.started", lambda one: one["description"].update(log2_positions=10.0)),
        found="its shape gives",
    ),
    "one of the nearest cells left out": Forgery(
        life="tuned",
        edit=each("rejected", lambda one: one.update(nearest=one["nearest"][:1])),
        found="edges away, not what it says",
    ),
    "logits of a supernet made even": Forgery(
        life="trained",
        edit=each(
            "supernet.trained",
            lambda one: one.update(logits=[[[0.0] * len(row) for row in own] for own in one["logits"]]),
        ),
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
        found="counted are",
    ),
    # audits and baselines
    "a share with a narrower interval": Forgery(
        life="deployed", edit=finding("copies.share", low=0.0, high=0.001), found="the interval of copies.share"
    ),
    "a share that is no count": Forgery(
        life="deployed", edit=finding("copies.share", estimate=0.0123), found="is that of no number of 108 examples"
    ),
    "a skill that is surer than its examples": Forgery(
        life="trained",
        edit=finding("skill.above_chance", estimate=0.9, low=0.89, high=0.91),
        found="gives its estimate and its interval",
    ),
    "a gap of other counts": Forgery(
        life="deployed",
        edit=finding("generalisation.gap", note="300 of 300 training inputs right, 108 of 108 others"),
        found="generalisation.gap ",
    ),
    "a note that tells of a better network": Forgery(
        life="deployed",
        edit=finding("skill.above_chance", note="108 of 108 right; chance 0.120, nearest centroid 0.500"),
        found="right answers, and its note says otherwise",
    ),
    "attributions of more examples than asked for": Forgery(
        life="deployed", edit=finding("completeness.error", n=17), found="suite and audit split give 16 at most"
    ),
    "a class of more examples than there are to audit": Forgery(
        life="deployed", edit=finding("classes.recall", n=109), found="suite and audit split give 108 at most"
    ),
    "decisions that nobody can have typed": Forgery(
        life="trained", edit=put("reviewed", reason="fine \x1b[8m"), found="printable characters"
    ),
    "decisions of a nameless person": Forgery(
        life="trained", edit=put("reviewed", author="\u200b"), found="printable characters"
    ),
    # files and answers
    "a file audited on more examples": Forgery(
        life="deployed", edit=put("deployed", audit_examples=1000), found="its task has 108 for that"
    ),
    "an answer that is more often right": Forgery(
        life="designed",
        edit=line("accuracy", lambda one: one.update(estimate=1.0, low=binomial(108, 108)[0], high=1.0)),
        found="audits of the same file have 102 of 108 right",
    ),
    "an answer by a smaller file": Forgery(
        life="designed",
        edit=each("designed", lambda told: [one.update(bytes=one["bytes"] - 1) for one in told["files"]]),
        found="the event that describes it says",
    ),
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
    # what several findings say of the same answers
    "a class that is recognised oftener": Forgery(
        life="designed",
        edit=both(finding("classes.fitted", estimate=0.9777), finding("classes.recall", estimate=0.9777)),
        found="is not what its counts give",
    ),
    "more examples of the worst class than there are": Forgery(
        life="designed", edit=finding("classes.recall", n=100), found="counts what there is not"
    ),
    "a class that is recognised for certain": Forgery(
        life="designed", edit=finding("classes.recall", low=0.8), found="cannot be at least 0.800"
    ),
    "other answers right in the note on classes": Forgery(
        life="designed",
        edit=finding("classes.recall", estimate=1.0, note="class 5: 9 of 11 right; 0.818 of the others"),
        found="of the others right, skill has",
    ),
    "occlusion on a few inputs": Forgery(
        life="designed", edit=finding("focus.share", n=3), found="its suite asks for 24, which gives 12"
    ),
    "two temperatures of the same answers": Forgery(
        life="designed",
        edit=each("audited", cooler),
        found="are of the same answers, and differ",
    ),
    "an excess of confidence taken off": Forgery(
        life="designed", edit=finding("overconfidence.excess", estimate=0.0), found="is not the difference of what"
    ),
    "a specification answered twice": Forgery(
        life="designed", edit=answered_twice, found="is not that which describes a file for it"
    ),
    # the watch
    "a drift found by something else": Forgery(
        life="watched",
        edit=each(
            "watch.batch", lambda one: one.update(by={"": "errors", "errors": "inputs"}.get(one["by"], "errors"))
        ),
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
