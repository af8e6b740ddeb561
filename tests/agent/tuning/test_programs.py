"""Search programs bred between tasks: which may be proposed, that rules filter them, that lives of them verify."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict
from html import unescape
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.ledger.events import Evidence, PolicyAdopted, PolicyProposed, PolicyRefused, read_facts
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.state.state import replay
from agent.stream.file import Stream, TuningSection
from agent.stream.policy import SearchPolicy
from agent.tuning.breeding import bred_programs, with_program
from agent.tuning.decision import Place, earlier_programs, judge_policy
from agent.tuning.rehearsal import Comparison
from agent.tuning.trial import TRIAL
from agent.verify.policy import PolicyChecker
from agent.verify.verification import verify
from constraints import Certificate, decide_policy, load_set, parse_set
from constraints.judging.programs import read_proofs
from selfnas.acquisition.breeding import STARTS
from selfnas.acquisition.expression import notation
from selfnas.acquisition.parser import parse_program
from selfnas.acquisition.ranking import ranking
from tests.agent.conftest import Run
from tests.agent.tuning.test_trial import run_over

WORTHS = [0.4 + 0.01 * number for number in range(24)]
GOOD = Comparison.of([2 * worth for worth in WORTHS], WORTHS)
OLD = SearchPolicy(strategy="surrogate")
STREAM = Stream.model_validate(
    {
        "stream": "s",
        "format": 1,
        "policy": OLD.model_dump(),
        "tuning": {"confirm": 0, "programs": 4},
        "budget": {"evaluations": 20, "full_trainings": 4},
        "tasks": [{"name": "a", "source": "table", "dataset": "a"}],
    }
)
BRED = bred_programs(None, [], 4, seed=STREAM.seed, run=1, after_task=1)


def checker(stream: Stream = STREAM, envelope: str = "policy") -> PolicyChecker:
    """In the first task of a run of that stream."""
    made = PolicyChecker({""})
    assert not list(made.run_begins(run_over(stream, load_set(envelope))))
    made.task_begins()
    return made


def decided(program: str, *, stream: Stream = STREAM):
    """What the agent would record of that program in the place of expected improvement."""
    new = {**OLD.record(), "acquisition": program}
    return judge_policy(
        stream, load_set("policy"), OLD, new, place=Place(run=1, after_task=1), previous="", evidence=GOOD
    )


def test_what_may_be_proposed_follows_from_seed_task_and_what_was_in_force() -> None:
    """The same again, other programs after another task, and none that orders candidates as one in force does."""
    assert bred_programs(None, [], 4, seed=STREAM.seed, run=1, after_task=1) == BRED
    assert len(BRED) == 32
    assert {ranking(parse_program(text)) for text in BRED[: len(STARTS)]} == {
        ranking(parse_program(text)) for text in STARTS
    }
    assert bred_programs(None, [], 4, seed=STREAM.seed, run=1, after_task=2)[len(STARTS) :] != BRED[len(STARTS) :]
    second = bred_programs(BRED[0], ["mean", BRED[0]], 4, seed=0, run=1, after_task=2)
    rankings = [ranking(parse_program(text)) for text in second]
    assert len(set(rankings)) == len(rankings)
    assert not {ranking(parse_program(text)) for text in (BRED[0], "mean", *STARTS)} & set(rankings)


def test_a_program_is_proposed_under_a_strategy_that_reads_it() -> None:
    """The one in force, else the first that may be proposed; otherwise no program is."""
    random = SearchPolicy(strategy="random")
    assert with_program(OLD, "mean", ["transfer"]) == OLD.model_copy(update={"acquisition": "mean"})
    found = with_program(random, "mean", ["local_search", "transfer"])
    assert found is not None
    assert (found.strategy, found.acquisition) == ("transfer", "mean")
    assert with_program(random, "mean", ["local_search"]) is None


def test_earlier_programs_are_those_of_changes_in_order() -> None:
    """Each once, whether it came or went."""
    changes = [({}, {"acquisition": "mean"}), ({"acquisition": "mean"}, {"acquisition": "spread"})]
    assert earlier_programs(changes) == ["mean", "spread"]


def test_a_policy_records_one_spelling_of_its_program_and_none_without() -> None:
    """Policies of before are recorded as they were."""
    policy = SearchPolicy.model_validate({"strategy": "surrogate", "acquisition": "spread*0.40 + (mean)"})
    assert policy.record()["acquisition"] == "0.4 * spread + mean"
    assert "acquisition" not in OLD.record()
    assert policy.strategy_settings()["acquisition"] == "0.4 * spread + mean"
    with pytest.raises(ValueError, match="did you mean 'mean'"):
        SearchPolicy(acquisition="maen")


def test_an_admitted_program_that_was_bred_verifies() -> None:
    """With its proof; one that no seed breeds does not, nor one where the stream breeds none."""
    good = decided(BRED[0])
    assert isinstance(good, PolicyAdopted)
    read = read_facts(good.kind, good.to_json())
    assert list(checker().decided(read)) == []
    foreign = decided("max(0, mean - incumbent) + 0.123 * spread")
    assert isinstance(foreign, PolicyAdopted)
    assert list(checker().decided(foreign)) == [
        "the proposed program is none of those that the seed breeds from what was in force"
    ]
    plain = STREAM.model_copy(update={"tuning": TuningSection(confirm=0)})
    assert "a program was proposed, which the stream does not ask for" in list(checker(plain).decided(good))


def test_a_second_generation_is_bred_from_what_was_adopted() -> None:
    """After an adoption the checker expects children of the adopted program."""
    first = decided(BRED[0])
    after = checker()
    assert list(after.decided(first)) == []
    middle = SearchPolicy.model_validate(first.new)
    children = bred_programs(BRED[0], [BRED[0]], 4, seed=STREAM.seed, run=1, after_task=2)
    others = [
        text for text in bred_programs(None, [], 4, seed=STREAM.seed, run=1, after_task=2) if text not in children
    ]
    for program, said in ((children, []), (others, ["the proposed program is none of those"])):
        found = []
        for text in reversed(program):
            new = {**middle.record(), "acquisition": text}
            judged = judge_policy(
                STREAM, load_set("policy"), middle, new, place=Place(run=1, after_task=2), previous="", evidence=GOOD
            )
            if isinstance(judged, PolicyAdopted):
                found = [problem for problem in after._bred(judged)]
                break
        assert [problem[:37] for problem in found] == said


def test_a_program_that_breaks_a_rule_is_refused_with_its_witness_in_the_reason() -> None:
    """However good its rehearsals are; and the refusal verifies."""
    refused = decided("0.4 * spread - 0.1 * mean")
    assert isinstance(refused, PolicyRefused)
    assert "never-worse-mean" in refused.failed
    assert "it is not so that the acquisition never falls as mean rises" in refused.reason
    assert [
        problem for problem in checker().decided(refused) if "bred" not in problem and "breeds" not in problem
    ] == []


def test_a_set_that_says_nothing_of_programs_admits_none() -> None:
    """Fails closed: in the decision, and again where it is checked."""
    small = parse_set(
        "set: small\nlanguage: 1\nspaces: [nb201]\nrules:\n  - id: small-batch\n    scope: policy\n"
        "    require: new.batch <= 32\n    why: it is tried\n    message: no\n"
    )
    new = {**OLD.record(), "acquisition": BRED[0]}
    refused = judge_policy(STREAM, small, OLD, new, place=Place(run=1, after_task=1), previous="", evidence=GOOD)
    assert isinstance(refused, PolicyRefused)
    assert refused.reason == "set 'small' has no rule about acquisition"
    made = PolicyChecker({""})
    assert not list(made.run_begins(run_over(STREAM, small)))
    made.task_begins()
    assert list(made.decided(refused)) == []
    certificate = decide_policy(small, {"batch": 4}, {"batch": 4}).certificate.to_json()
    forged = PolicyAdopted(
        **{**{name: getattr(refused, name) for name in refused.__struct_fields__}, "reason": "",
           "certificate": certificate, "evidence": Evidence(**asdict(GOOD))}
    )  # fmt: skip
    again = PolicyChecker({""})
    assert not list(again.run_begins(run_over(STREAM, small)))
    again.task_begins()
    assert "the program was changed, and no rule says what a program may be" in list(again.decided(forged))


def test_a_certificate_of_another_program_is_found() -> None:
    """A change may not borrow the proof of a better program."""
    good, other = decided(BRED[0]), decided(BRED[1])
    borrowed = replace(good, certificate=other.certificate)
    assert "the certificate is for another new policy" in list(checker().decided(borrowed))


def test_a_program_goes_on_trial_like_any_policy() -> None:
    """Where the stream confirms on real scores."""
    stream = STREAM.model_copy(update={"tuning": TuningSection(confirm=2, programs=4)})
    proposed = decided(BRED[0], stream=stream)
    assert isinstance(proposed, PolicyProposed)
    assert list(checker(stream).decided(proposed)) == []
    assert TRIAL == "trial"


LIFE = """\
stream: programs
format: 1
seed: 0
budget: {evaluations: 30, full_trainings: 2}
policy: {strategy: surrogate, batch: 2}
tuning: {proposals: 1, rehearsals: 12, confirm: 0, strategies: [surrogate], programs: 6}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""


@pytest.mark.slow
def test_a_life_comes_to_a_program_of_its_own_and_can_be_checked(tmp_path: Path, selfnas: Run) -> None:
    """Bred, proved, rehearsed and adopted; a program forged into the ledger is noticed."""
    (tmp_path / "life.yaml").write_text(LIFE)
    done = selfnas("run", "life.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    home = Home(tmp_path / "home")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        state = replay(ledger)
        assert verify(ledger, home).problems == []
    (first, *_) = state.policy_changes
    assert isinstance(first, PolicyAdopted)
    assert parse_program(str(first.new["acquisition"]))
    proofs = read_proofs(Certificate.from_json(str(first.certificate)).proof)
    assert [proof["z3"] for proof in proofs] == [proof["intervals"] for proof in proofs] == ["proved"] * 3
    assert selfnas("report", "home").returncode == 0
    page = next((tmp_path / "home").rglob("*.html")).read_text()
    assert f"acquisition expected improvement → {notation(parse_program(str(first.new['acquisition'])))}" in unescape(
        page
    )
    assert "the acquisition never falls as mean rises: proved by Z3, proved by intervals" in unescape(page)
    with sqlite3.connect(tmp_path / "home" / "ledger.db") as db:
        db.execute("DROP TRIGGER events_are_final")
        forged = "UPDATE events SET payload = json_set(payload, '$.new.acquisition', 'mean') WHERE kind = ?"
        db.execute(forged, [first.kind])
    db.close()
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        problems = verify(ledger, home).problems
    assert any("another new policy" in problem for problem in problems)
    assert any("none of those that the seed breeds" in problem for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("confirm: 0", "confirm: 0, envelope: small.yaml", "no rule about acquisition"),
        ("strategy: surrogate,", "strategy: random, acquisition: maen,", "did you mean"),
        ("tuning: {proposals: 1, rehearsals: 12, confirm: 0, strategies: [surrogate], programs: 6}\n", "", ""),
    ],
)
def test_a_stream_whose_programs_cannot_work_is_named_before_anything_runs(
    tmp_path: Path, selfnas: Run, old: str, new: str, words: str
) -> None:
    """Exit 2 with the place: rules that judge no program, no program, a strategy that reads none."""
    (tmp_path / "small.yaml").write_text(
        "set: small\nlanguage: 1\nspaces: [nb201]\nrules:\n  - id: small-batch\n    scope: policy\n"
        "    require: new.batch <= 32\n    why: it is tried\n    message: no\n"
    )
    text = LIFE.replace(old, new)
    if not words:
        text = text.replace("strategy: surrogate", "strategy: random, acquisition: mean")
        words = "strategy 'random' reads no acquisition"
    (tmp_path / "life.yaml").write_text(text)
    done = selfnas("run", "life.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 2
    assert "life.yaml:" in done.stderr
    assert words in " ".join(done.stderr.split())
