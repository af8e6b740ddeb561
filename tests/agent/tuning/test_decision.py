"""Self-tuning: what may change the search policy, what may not, and that a life records and resumes it."""

import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from agent.ledger.events import Lent, PolicyAdopted, PolicyDecided, PolicyKept, PolicyRefused
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.state.state import replay
from agent.stream.file import Stream
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import ALPHA, Place, judge_policy
from agent.tuning.rehearsal import Comparison, Rehearsal, compare
from agent.verify.verification import verify
from constraints import load_set
from selfnas.benchmarks.benchmarking import search_table
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Macro
from selfnas.strategies import make_strategy
from selfnas.strategies.transfer import PastTask
from selfnas.tables.tabular import synthetic_benchmark
from tests.agent.conftest import Run

WORTHS = [0.4 + 0.01 * number for number in range(24)]  # as many as a stream rehearses, if it does not say otherwise
GOOD = Comparison.of([2 * worth for worth in WORTHS], WORTHS)
NONE = Comparison.of([worth + (-1) ** number for number, worth in enumerate(WORTHS)], WORTHS)
WORSE = Comparison.of(WORTHS, [2 * worth for worth in WORTHS])
OLD = SearchPolicy(strategy="random", population=100, sample=10)
STREAM = Stream.model_validate(
    {
        "stream": "s",
        "format": 1,
        "tuning": {"confirm": 0},
        "budget": {"evaluations": 20, "full_trainings": 4},
        "tasks": [{"name": "a", "source": "table", "dataset": "a"}],
    }
)


def judged(change: dict[str, object], evidence: Comparison | None = GOOD, *, envelope: str = "policy") -> PolicyDecided:
    """What a change of some fields comes to, under the shipped envelope if no other is named."""
    proposed, place = {**OLD.model_dump(), **change}, Place(run=1, after_task=1)
    return judge_policy(STREAM, load_set(envelope), OLD, proposed, place=place, previous="", evidence=evidence)


@pytest.mark.parametrize(
    ("change", "words", "rule"),
    [
        ({"finalists_per_task": 1}, "audits fewer finalists", "audits-kept"),
        ({"population": 30, "sample": 10}, "more than doubles or halves", "small-steps"),
        ({"recall_trust_percent": 5}, "too unlike", "wary-recall"),
        ({"finalists_per_task": 5}, "above the budget", None),
        ({"audit_suite": "none"}, "not a search policy", None),
        ({"budget": {"evaluations": 10_000}}, "not a search policy", None),
        ({"sample": 200}, "not a search policy", None),
    ],
)
def test_a_change_that_oversteps_is_refused_however_good(
    change: dict[str, object], words: str, rule: str | None
) -> None:
    """By the rule's name where a rule forbids it; fields outside a policy and the budget's ceiling are out of reach."""
    refused = judged(change)
    assert isinstance(refused, PolicyRefused)
    assert words in refused.reason
    if rule:
        assert refused.failed == [rule]


def test_only_evidence_adopts() -> None:
    """An admitted change without evidence, or with weak evidence, or against it, changes nothing."""
    assert type(judged({"strategy": "surrogate"})) is PolicyAdopted
    assert type(judged({"strategy": "surrogate"}, None)) is PolicyKept
    assert type(judged({"strategy": "surrogate"}, NONE)) is PolicyKept
    assert type(judged({"strategy": "surrogate"}, WORSE)) is PolicyKept
    assert type(judged({"finalists_per_task": 1}, None)) is PolicyRefused


def test_a_set_without_policy_rules_admits_no_change() -> None:
    """Fails closed."""
    refused = judged({"strategy": "surrogate"}, envelope="baseline")
    assert isinstance(refused, PolicyRefused)
    assert refused.reason == "set 'baseline' has no rules of scope policy"


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    """Two tasks that were searched at random."""
    table = synthetic_benchmark(tasks=("a", "b"), seed=3)
    past = []
    for task in table.tasks:
        search = search_table(table, task, make_strategy("random"), seed=1)
        past.append(PastTask(name=task, trials=tuple(next(search) for _ in range(40))))
    return Rehearsal(past, SpaceDomain(table.space, Macro()), budget=40, seed=7)


def test_rehearsal_prefers_what_searches_better_and_repeats_itself(rehearsal: Rehearsal) -> None:
    """A model beats random draws; a policy against itself gives exactly nothing and is never adopted."""
    better = compare(rehearsal, SearchPolicy(strategy="surrogate"), SearchPolicy(strategy="random"), range(8))
    assert better.mean > 0.1
    assert better.p < 0.01
    same = compare(rehearsal, OLD, OLD, range(4))
    assert (same.count, same.mean, same.p, same.new) == (4, 0.0, 1.0, same.old)


def test_no_better_policies_are_rarely_adopted(rehearsal: Rehearsal) -> None:
    """Null simulation: random search with another batch size draws as well; about 2 of 40 tests may err."""
    wide, narrow = SearchPolicy(strategy="random", batch=10), SearchPolicy(strategy="random", batch=5)
    tests = [compare(rehearsal, wide, narrow, range(8 * k, 8 * k + 8)) for k in range(40)]
    assert sum(test.p < ALPHA for test in tests) <= 7  # 99.8 % of binomial(40, 0.05) lie below
    assert np.ptp([test.mean for test in tests]) > 0


TUNED = """\
stream: tuned
format: 1
budget: {evaluations: 24, full_trainings: 2}
policy: {strategy: random, population: 20, sample: 10, batch: 4}
tuning: {proposals: 4, rehearsals: 8, confirm: 0}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""


@pytest.mark.slow
def test_a_life_tunes_itself_under_the_rules_and_can_be_checked(tmp_path: Path, selfnas: Run) -> None:
    """From random search it comes to something better, and then lends controls to it; a forged adoption is noticed."""
    (tmp_path / "tuned.yaml").write_text(TUNED)
    done = selfnas("run", "tuned.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    home = Home(tmp_path / "home")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        state = replay(ledger)
        assert verify(ledger, home).problems == []
    assert state.runs[0].tuned == 2
    assert state.policy_changes
    assert state.policy_changes[0].new["strategy"] != "random"
    assert "search policy after task" in done.stdout
    again = ("--set", "tuning.confirm=2", "--set", "budget.evaluations=16")
    assert selfnas("run", "tuned.yaml", "--home", "home", "--workers", "1", "--no-mirror", *again).returncode == 0
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        for task in replay(ledger).runs[1].tasks:
            lent = [found.control for found in task.evaluations if isinstance(found.control, Lent)]
            assert len({found.contest for found in lent}) == 1
            assert [found.by for found in lent].count("proposed") == 4  # one round, of the policy that was replaced
            assert len(lent) == 8
        assert verify(ledger, home).problems == []
    with sqlite3.connect(tmp_path / "home" / "ledger.db") as db:
        db.execute("DROP TRIGGER events_are_final")
        forged = "UPDATE events SET payload = json_set(payload, '$.evidence.p', 0.5) WHERE kind = 'policy.adopted'"
        db.execute(forged)
    db.close()
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        problems = verify(ledger, home).problems
    assert any("its evidence says p 0.5, its paired worths give" in problem for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("confirm: 0", "confirm: 0, envelope: baseline", "no rules of scope policy"),
        ("strategy: random", "strategy: darts", "cannot be rehearsed"),
    ],
)
def test_a_tuning_that_cannot_work_is_named_before_anything_runs(
    tmp_path: Path, selfnas: Run, old: str, new: str, words: str
) -> None:
    """Exit 2 with the place: rules that judge no policy; a strategy that no rehearsal can follow."""
    (tmp_path / "tuned.yaml").write_text(TUNED.replace(old, new))
    done = selfnas("run", "tuned.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 2
    assert "tuned.yaml:5:" in done.stderr
    assert words in done.stderr
