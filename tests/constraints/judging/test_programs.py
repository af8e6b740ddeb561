"""A change of acquisition program at the gate: proved, refused with a witness, or left open, and checked again."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from constraints import decide_policy, load_set, parse_set, policy_digest, verify_certificate
from constraints.analysis.difference import compare_sets
from constraints.commands import app
from constraints.judging.certificate import Certificate
from constraints.judging.programs import read_proofs
from constraints.programs import solving
from selfnas.errors import InputError, SelfnasError

POLICY = load_set("policy")
NUMBERS = {"finalists_per_task": 2, "population": 20, "sample": 10, "recall_trust_percent": 30, "oversample": 2}
OLD = {**NUMBERS, "batch": 4}
GOOD = "0.4 * spread + max(0, mean - incumbent)"


def written(*rules: str) -> str:
    """A set with such rules of scope policy."""
    lines = ["set: mine", "language: 1", "spaces: [nb201]", "rules:"]
    for number, rule in enumerate(rules):
        lines += [f"  - id: r{number}", "    scope: policy", f"    {rule}", "    why: it is tried", "    message: no"]
    return "\n".join(lines) + "\n"


def verdict(rule: str, new: str | None, old: str | None = None) -> str:
    """Of one rule on a change of program."""
    sides = [{} if text is None else {"acquisition": text} for text in (old, new)]
    return decide_policy(parse_set(written(rule)), *sides).verdict


def test_a_program_that_every_rule_admits_is_admitted_with_its_proofs() -> None:
    """Both engines' answers, statement by statement, hold again without a solver."""
    decision = decide_policy(POLICY, OLD, {**OLD, "acquisition": GOOD})
    assert decision.verdict == "admit", decision.messages
    proofs = read_proofs(decision.certificate.proof)
    assert [proof["rule"] for proof in proofs] == ["never-worse-mean", "bounded-program", "small-program-steps"]
    assert {proof[engine] for proof in proofs for engine in ("z3", "intervals")} == {"proved"}
    again = Certificate.from_json(decision.certificate.to_json())
    assert again == decision.certificate
    assert verify_certificate(again, POLICY) == ()


def test_a_program_that_prefers_a_lower_mean_is_refused_with_its_witness() -> None:
    """In numbers that a person can put into the program."""
    decision = decide_policy(POLICY, OLD, {**OLD, "acquisition": "spread - 0.2 * mean"})
    assert decision.verdict == "reject"
    assert "never-worse-mean" in decision.failed
    (said,) = [message for message in decision.messages if "never falls" in message]
    found = re.search(r"is (\S+) at mean (\S+) and (\S+) at mean (\S+)$", said)
    assert found is not None
    high, low_mean, low, high_mean = map(float, found.groups())
    assert low_mean < high_mean
    assert low < high
    assert verify_certificate(decision.certificate, POLICY) == ()


def test_verification_needs_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof is made again where Z3 is not installed."""
    certificates = [
        decide_policy(POLICY, OLD, {**OLD, "acquisition": text}).certificate for text in (GOOD, "0 - mean", "mean")
    ]
    monkeypatch.setitem(sys.modules, "z3", None)
    assert [verify_certificate(certificate, POLICY) for certificate in certificates] == [(), (), ()]


@pytest.mark.parametrize(
    ("rule", "new", "expected"),
    [
        ("require: acquisition rises with mean", GOOD, "admit"),
        ("require: acquisition rises with mean", None, "admit"),
        ("require: acquisition falls with mean", GOOD, "reject"),
        ("forbid: acquisition falls with mean", GOOD, "admit"),
        ("forbid: acquisition rises with mean", GOOD, "reject"),
        ("require: acquisition within [0, 4.5]", GOOD, "admit"),
        ("require: acquisition within [-0.5, 4.25]", GOOD, "reject"),
        ("require: acquisition differs by at most 0.5", GOOD, "admit"),
        ("require: acquisition differs by at most 0", None, "admit"),
        ("require: not acquisition falls with spread", GOOD, "admit"),
        ("require: acquisition falls with mean or acquisition rises with spread", GOOD, "admit"),
        ("require: acquisition falls with mean implies acquisition falls with spread", GOOD, "admit"),
    ],
)
def test_rules_say_what_they_read(rule: str, new: str | None, expected: str) -> None:
    """Alone, denied and joined."""
    assert verdict(rule, new) == expected


def test_what_one_engine_leaves_open_is_not_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals cannot tell a slope that touches zero, Z3 has an end of its steps: the gate stays shut."""
    square = "3 * mean - 3 * mean * mean + mean * mean * mean"
    rule = parse_set(written("require: acquisition rises with mean"))
    decision = decide_policy(rule, {}, {"acquisition": square})
    assert decision.verdict == "undecided"
    assert "not decided on" in decision.messages[-1]
    assert verify_certificate(decision.certificate, rule) == ()
    either = parse_set(written("require: acquisition rises with mean or acquisition within [-200, 200]"))
    assert decide_policy(either, {}, {"acquisition": square}).verdict == "admit"  # the other half is enough
    monkeypatch.setattr(solving.solve, "__kwdefaults__", {"rlimit": 1})
    stopped = decide_policy(rule, {}, {"acquisition": "mean * spread + abs(mean)"})
    assert stopped.verdict == "undecided"


def test_a_broken_engine_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(solving, "solve", broken)
    decision = decide_policy(POLICY, OLD, {**OLD, "acquisition": GOOD})
    assert decision.verdict == "undecided"
    assert "out of order" in decision.certificate.reason
    nonsense = decide_policy(POLICY, OLD, {**OLD, "acquisition": "os.system('x')"})
    assert nonsense.verdict == "undecided"


def test_engines_that_disagree_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Z3 proving what a point breaks would be a broken Z3."""
    from constraints.programs.statements import Finding

    monkeypatch.setattr(solving, "solve", lambda *_: Finding("proved", 0))
    decision = decide_policy(POLICY, OLD, {**OLD, "acquisition": "0 - mean"})
    assert decision.verdict == "undecided"
    assert decision.quarantined


def forged(certificate: Certificate, **changes: object) -> Certificate:
    """A certificate of which one proof says something else."""
    proofs = json.loads(certificate.proof)
    proofs[0] |= changes
    return replace(certificate, proof=json.dumps(proofs, sort_keys=True, separators=(",", ":")))


def test_forged_proofs_are_found() -> None:
    """Another program under the proof, an answer turned round, a proof left out, another claim, a false witness."""
    good = decide_policy(POLICY, OLD, {**OLD, "acquisition": GOOD}).certificate
    bad = decide_policy(POLICY, OLD, {**OLD, "acquisition": "0 - mean"}).certificate
    assert verify_certificate(replace(good, subject=bad.subject, digest=bad.digest), POLICY)
    assert verify_certificate(forged(good, boxes=7), POLICY)
    assert verify_certificate(forged(good, claim="the sky is blue"), POLICY)
    assert verify_certificate(forged(good, intervals="unknown"), POLICY)
    assert verify_certificate(forged(good, z3="unknown"), POLICY)  # two engines must have agreed
    assert verify_certificate(replace(good, proof=""), POLICY)
    assert verify_certificate(replace(good, proof="[1]"), POLICY)
    turned = replace(bad, rules="p" * len(bad.rules), verdict="admit")
    assert verify_certificate(turned, POLICY)
    claimed = forged(bad, z3="proved", intervals="proved")
    assert verify_certificate(replace(claimed, rules="p" * len(bad.rules), verdict="admit"), POLICY)
    for text in ('{"a":1}', "no", '[{"rule":"x","claim":"y","z3":"perhaps","intervals":"proved","boxes":1}]'):
        with pytest.raises(InputError):
            read_proofs(text)


def test_certificates_of_before_hold_no_proof_and_read_as_they_did() -> None:
    """What has no statements about programs has the JSON that it had."""
    plain = parse_set(written("require: new.batch <= 32"))
    certificate = decide_policy(plain, {"batch": 4}, {"batch": 8}).certificate
    assert "proof" not in json.loads(certificate.to_json())
    assert "acquisition" not in certificate.subject
    assert Certificate.from_json(certificate.to_json()) == certificate


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("acquisition rises with maen", "did you mean 'mean'"),
        ("acquisition climbs with mean", "rises"),
        ("acquisition within [2, 1]", "above the upper"),
        ("acquisition within [0, 0.0001]", "three decimals"),
        ("acquisition differs by at most 9000000", "go up to"),
        ("new.acquisition <= 3", "acquisition is a program"),
        (" or ".join(f"acquisition within [-{n}, {n}]" for n in range(1, 10)), "at most 8 things"),
    ],
)
def test_what_a_rule_cannot_say_is_told_with_its_place(rule: str, said: str) -> None:
    """Like every fault of a set file."""
    with pytest.raises(SelfnasError, match=re.escape(said)):
        parse_set(written(f"require: {rule}"))


def test_programs_are_for_rules_of_scope_policy() -> None:
    """A cell has none."""
    text = written("require: acquisition rises with mean").replace("scope: policy", "scope: cell")
    with pytest.raises(SelfnasError, match="scope policy"):
        parse_set(text)


def test_sets_that_bound_programs_otherwise_are_told_apart() -> None:
    """A wider bound is looser, the digest is another, and what follows is not a difference."""
    narrow, wide = (parse_set(written(f"require: acquisition differs by at most {k}")) for k in (1, 2))
    assert policy_digest(narrow) != policy_digest(wide)
    difference = compare_sets(narrow, wide, [])
    assert difference.policy == "looser"
    assert "it is not so that the acquisition differs by at most 1" in difference.policy_witness
    assert compare_sets(narrow, narrow, []).policy == "equivalent"


def test_a_person_asks_why_a_program_is_refused() -> None:
    """`constraints check` judges a program alone, or a whole change, and tells the witness."""
    run = CliRunner()
    refused = run.invoke(app, ["check", "policy", "acquisition: spread - mean"])
    assert refused.exit_code == 1
    assert "reject: acquisition spread - mean, that is σ − μ" in refused.stdout
    assert "it is not so that the acquisition never falls as mean rises: with " in refused.stdout
    admitted = run.invoke(app, ["check", "policy", json.dumps({"old": OLD, "new": {**OLD, "acquisition": GOOD}})])
    assert admitted.exit_code == 0
    assert "proved by Z3, proved by intervals" in admitted.stdout
    told = run.invoke(app, ["check", "policy", f"acquisition: {GOOD}", "--json"])
    assert json.loads(told.stdout)["verdict"] == "admit"
    for wrong in ('{"old": 1}', "{", '{"old": {"batch": "x"}, "new": {}}', "acquisition: maen"):
        assert isinstance(run.invoke(app, ["check", "policy", wrong]).exception, InputError)
    assert isinstance(run.invoke(app, ["check", "baseline", "acquisition: mean"]).exception, InputError)
