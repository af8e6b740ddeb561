"""Certificates and what follows from them: every letter, every verdict, every ill-formed text."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from constraints import Guard, load_set
from constraints.judging import releases
from constraints.judging.certificate import CODES, Certificate, decision_from, join, verdict_of
from constraints.judging.policy import decide_policy, policy_counterexample, policy_digest
from constraints.judging.verification import refused_by, verify_certificate
from constraints.loading.loading import parse_set
from constraints.loading.tightening import loosening
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import parse_architecture, space_named

SET = parse_set(
    "set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n"
    "  - {id: few, scope: policy, require: new.batch <= 8, why: w, message: too many}\n"
    "  - {id: steady, scope: policy, require: new.sample <= old.sample, why: w, message: grows}\n"
)
OLD, NEW = {"batch": 4, "sample": 2}, {"batch": 8, "sample": 2}


def certificate(**changes: object) -> Certificate:
    """That of an admitted change of policy, with changes."""
    return replace(decide_policy(SET, OLD, NEW).certificate, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("letters", ["".join(each) for each in itertools.product("pfudn", repeat=2)])
def test_a_verdict_admits_only_where_every_rule_passes_or_does_not_apply(letters: str) -> None:
    """Against the four sentences that define it."""
    verdict = verdict_of(letters)
    assert (verdict == "admit") == (set(letters) <= {"p", "n"})
    assert (verdict == "reject") == ("f" in letters and "d" not in letters)


def test_two_engines_are_joined_by_agreement_alone() -> None:
    """Every pair of answers, where the rule applies and where one engine says that it does not."""
    for ours, theirs in itertools.product((True, False, None), repeat=2):
        applies = join([ours], [theirs], [True])
        if theirs is None:
            assert applies == "d"
        elif ours is None:
            assert applies == "u"
        else:
            assert applies == ("d" if ours != theirs else "p" if ours else "f")
        assert join([ours], [theirs], [False]) == ("n" if theirs is None else "d")
    with pytest.raises(ValueError, match="argument"):
        join([True], [True, True], [True])


def test_what_is_no_certificate_is_refused() -> None:
    """Letters, verdicts, keys and types are checked where one is made or read."""
    assert set(CODES.values()) == {"pass", "fail", "undecided", "n/a"}
    assert (CODES["u"], CODES["d"]) == ("undecided", "undecided")
    good = certificate()
    assert Certificate.from_json(good.to_json()) == good
    with pytest.raises(InputError, match="rule verdicts are written with"):
        certificate(rules="px")
    with pytest.raises(InputError, match="a verdict is admit, reject or undecided"):
        certificate(verdict="maybe")
    record = json.loads(good.to_json())
    for change, message in (
        ({"rules": 7}, "are texts"),
        ({"engines": "z3"}, "are texts"),
        ({"further": "x"}, "exactly the keys"),
    ):
        with pytest.raises(InputError, match=message):
            Certificate.from_json(json.dumps(record | change))
    with pytest.raises(InputError, match="exactly the keys"):
        Certificate.from_json("[]")
    with pytest.raises(InputError, match="not a certificate in JSON"):
        Certificate.from_json("{")
    assert len(certificate(reason="x" * 500).reason) == 120


def test_a_decision_says_what_its_certificate_says() -> None:
    """Failed rules with their messages, disagreement, and the reason of what was left open."""
    rules = SET.of_scope("policy")
    split = decision_from(certificate(rules="fd", verdict="undecided", reason="broke"), rules)
    assert split.failed == ("few",)
    assert split.messages == ("few: too many", "not decided: broke", "steady: the engines disagree")
    assert split.quarantined
    whole = decision_from(certificate(), rules)
    assert (whole.verdict, whole.failed, whole.messages, whole.quarantined) == ("admit", (), (), False)
    assert dict(whole.rules) == {"few": "pass", "steady": "pass"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": "broke"}, "it admits although an engine failed"),
        ({"engines": {"z3": "1"}}, "it admits by z3, not by two that agreed"),
        ({"engines": {}}, "it admits by no engine, not by two that agreed"),
        ({"verdict": "reject"}, "its verdict is reject, but its rules say admit"),
        ({"verdict": "undecided"}, "its verdict is undecided, but its rules say admit"),
        ({"rules": "fp", "verdict": "reject"}, "rule 'few' passes, the certificate says it fails"),
        ({"rules": "np"}, "rule 'few' passes, the certificate says it does not apply"),
        ({"rules": "p"}, "it speaks of 1 rules, the set has 2"),
        ({"digest": "0" * 64}, "its digest is not the policy change's"),
        ({"guard": "0" * 64}, "it was issued under other policy rules"),
        ({"subject": '{"old": 1}'}, "its subject is not a policy change in JSON"),
    ],
)
def test_each_claim_that_does_not_hold_is_named(changes: dict[str, object], problem: str) -> None:
    """One sentence for it, among those that follow from it; the certificate without the change has none."""
    assert verify_certificate(certificate(), SET) == ()
    assert any(problem in found for found in verify_certificate(certificate(**changes), SET))


def test_what_was_left_open_needs_its_reason() -> None:
    """With one it stands, whatever the other letters say."""
    assert verify_certificate(certificate(rules="up", verdict="undecided", reason="no answer"), SET) == ()
    assert verify_certificate(certificate(verdict="undecided", reason="no answer"), SET) == ()
    assert verify_certificate(certificate(verdict="undecided"), SET)


@pytest.mark.parametrize(
    ("new", "letters", "verdict"),
    [
        ({"batch": 8, "sample": 2}, "pp", "admit"),
        ({"batch": 9, "sample": 2}, "fp", "reject"),
        ({"batch": 8, "sample": 3}, "pf", "reject"),
        ({"batch": 8}, "pu", "undecided"),
        ({"batch": 9}, "fu", "reject"),
    ],
)
def test_changes_of_policy_are_judged_at_their_limits(new: dict[str, int], letters: str, verdict: str) -> None:
    """A field that is missing leaves its rule open, and says so."""
    decision = decide_policy(SET, OLD, new)
    assert (decision.certificate.rules, decision.verdict) == (letters, verdict)
    assert ("the policy has no field 'sample', which rule 'steady' needs" in decision.certificate.reason) == (
        "u" in letters
    )
    assert set(decision.certificate.engines) == {"referee", "z3"}
    assert decision.certificate.guard == policy_digest(SET)


def test_loosening_is_looked_for_in_every_space() -> None:
    """In the second too, where the first shows nothing: only its cells have so many edges."""
    old, new = (parse_set(
        "set: s\nlanguage: 1\nspaces: [nb201, darts]\nrules:\n"
        f"  - {{id: r, scope: cell, require: not (count(edge()) >= {least}), why: w, message: m}}\n"
    ).rules[0] for least in (8, 9))  # fmt: skip
    statements = (old.condition, old.forbids), (new.condition, new.forbids)
    assert loosening(*statements, "cell", None, ("nb201",)) == ""
    assert loosening(*statements, "cell", None, ("nb201", "darts")).startswith("darts/")
    assert loosening(*reversed(statements), "cell", None, ("nb201", "darts")) == ""


@pytest.mark.parametrize("batch", [2, 4, 6, 8, 10])
def test_connectives_of_policy_rules_mean_what_they_say(batch: int) -> None:
    """Z3 and the referee agree with Python on each, at and beside the limits; nothing is left open."""
    rules = {
        "new.batch >= 4 and new.batch <= 8": 4 <= batch <= 8,
        "new.batch <= 2 or new.batch > 8": batch <= 2 or batch > 8,
        "not (new.batch == 6)": batch != 6,
        "new.batch - 2 * old.batch < 0": batch < 8,
        "true": True,
    }
    lines = "".join(
        f'  - {{id: r{place}, scope: policy, require: "{text}", why: w, message: m}}\n'
        for place, text in enumerate(rules)
    )
    set_ = parse_set(f"set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n{lines}")
    decision = decide_policy(set_, {"batch": 4}, {"batch": batch})
    assert list(decision.rules.values()) == ["pass" if passes else "fail" for passes in rules.values()]
    forbidding = parse_set(f"set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n{lines.replace('require', 'forbid')}")
    opposite = decide_policy(forbidding, {"batch": 4}, {"batch": batch})
    assert list(opposite.rules.values()) == ["fail" if passes else "pass" for passes in rules.values()]


def test_a_change_that_shows_a_difference_is_found_where_there_is_one() -> None:
    """With its numbers, none of them negative; nothing where the rules mean the same."""
    eight, nine = (
        parse_set(
            "set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n"
            f"  - {{id: r, scope: policy, require: new.batch {limit}, why: w, message: m}}\n"
        ).rules
        for limit in ("<= 8", "< 10")
    )
    assert policy_counterexample(nine, eight) == "new.batch = 9"
    assert policy_counterexample(eight, nine) == ""
    assert policy_counterexample(eight, ()) == ""


def test_what_could_be_held_is_shown_rather_than_what_could_not() -> None:
    """A counterexample of numbers that are not negative, where there is one; else any."""
    rules = parse_set(
        "set: s\nlanguage: 1\nspaces: [nb201]\nrules:\n"
        "  - {id: some, scope: policy, require: new.batch != 0, why: w, message: m}\n"
        "  - {id: four, scope: policy, require: new.batch >= 4, why: w, message: m}\n"
        "  - {id: none, scope: policy, require: new.batch < 0, why: w, message: m}\n"
    ).rules
    shown = policy_counterexample(rules[:1], rules[1:2])
    assert 1 <= int(shown.removeprefix("new.batch = ")) <= 3
    assert int(policy_counterexample(rules[2:], rules[1:2]).removeprefix("new.batch = ")) < 0


@pytest.mark.parametrize(
    ("engines", "known"),
    [
        ({"referee": "1", "z3": "5.4.1"}, True),
        ({"referee": "1", "z3": "5.4"}, True),
        ({"referee": "1", "z3": "5.4.1.0"}, True),
        ({"referee": "1", "z3": "5.4.1.1"}, False),
        ({"referee": "1", "z3": "5.4.2"}, False),
        ({"referee": "1", "z3": "5.3.9"}, False),
        ({"referee": "1", "z3": "4.9"}, False),
        ({"referee": "1", "z3": "5.4.x"}, False),
        ({"referee": "0", "z3": "5.4.1"}, False),
        ({"referee": "2", "z3": "5.4.1"}, False),
        ({"referee": "1", "cvc5": "5.4.1"}, False),
    ],
)
def test_only_releases_that_there_were_can_have_issued_a_certificate(
    engines: dict[str, str], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that was asked for and the last that was tried bound them, where no solver is installed."""
    monkeypatch.setattr(releases, "_installed", lambda: ())
    releases._is_known.cache_clear()
    try:
        assert (releases.unknown_engines(certificate(engines=engines)) == ()) == known
    finally:
        releases._is_known.cache_clear()


def test_a_certificate_of_another_guard_names_both_by_twelve_digits() -> None:
    """So that a reader finds either by its beginning."""
    baseline = load_set("baseline")
    shape = TaskShape(channels=1, size=(8, 8), classes=10)
    guard = Guard(baseline, space=space_named("nb201"), macro=Macro(channels=8, depth=1, resolution=16), shape=shape)
    cell = parse_architecture("nb201/c8n1r16:|conv3x3~0|+|skip~0|conv3x3~1|+|conv1x1~0|none~1|conv3x3~2|")
    own = guard.decide(cell).certificate
    assert verify_certificate(own, baseline) == ()
    other = f"it was issued under guard {'0' * 12}…, not {own.guard[:12]}…"
    assert verify_certificate(replace(own, guard="0" * 64), baseline) == (other,)
    assert verify_certificate(replace(own, digest="0" * 64), baseline) == ("its digest is not the architecture's",)


def test_rules_that_refuse_are_named_and_no_others() -> None:
    """By the referee alone; a set that is not for the space says so in one sentence."""
    baseline, shape = load_set("baseline"), TaskShape(channels=1, size=(8, 8), classes=10)
    good = parse_architecture("nb201/c8n1r16:|conv3x3~0|+|skip~0|conv3x3~1|+|conv1x1~0|none~1|conv3x3~2|")
    dead = parse_architecture("nb201/c8n1r16:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert refused_by(good, baseline, shape=shape) == ()
    guard = Guard(baseline, space=dead.space, macro=dead.macro, shape=shape)
    assert refused_by(dead, baseline, shape=shape) == guard.decide(dead).failed
    assert "connected" in guard.decide(dead).failed
    assert refused_by(good, replace(baseline, spaces=("darts",)), shape=shape) == (
        "set 'baseline' is not for space 'nb201'",
    )
