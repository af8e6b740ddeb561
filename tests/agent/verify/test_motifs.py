"""What verification knows of motifs, watches, revocations and audited subjects, on lives written by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.gate.quarantine import recheck
from agent.gate.superseded import admitted_otherwise, suite_sentence
from agent.ledger.events import (
    Admitted,
    Audited,
    MinedRecord,
    MotifQuarantined,
    MotifRevised,
    Recalled,
    Refused,
    Reviewed,
    RunFinished,
    RunStarted,
    SubcellRevoked,
    SubcellsMined,
    TaskStarted,
    Trained,
    WatchEnded,
    WatchSearch,
    WatchStarted,
)
from agent.ledger.home import Home
from agent.state.state import LifeState
from agent.verify.drift import WatchChecker
from agent.verify.motifs import MotifChecker
from agent.verify.recomputation import audit_again
from agent.verify.reviews import RevocationChecker
from audits import Finding, load_suite, uncovered
from constraints import load_set
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES
from tests.agent.made_up import as_event, changed, made_up

SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)
NB201 = SPACES["nb201"]
OPEN, CLOSED = (
    NB201.decode(np.array(row, dtype=np.int8), macro=Macro(8, 1, 16))
    for row in ([4, 3, 2, 0, 0, 4], [4, 3, 0, 1, 3, 4])
)  # both admitted by `baseline`; `oversight` forbids the second


def begun(checker: MotifChecker, name: str, suite: str = "s") -> None:
    """A run under a constraint set."""
    set_ = load_set(name)
    checker.run_begins(run_under(suite, constraint_set_digest=set_.digest), set_)


def run_under(suite: str, **told: Any) -> RunStarted:
    """The beginning of a run under an audit suite."""
    return made_up(RunStarted, audit_suite_digest=suite, audit_suite={"name": suite, "text": "suite: s\n"}, **told)


def let_in(checker: MotifChecker, architecture: Architecture, seq: int) -> None:
    """A motif of the first task."""
    digest = architecture.digest
    admitted = made_up(Admitted, architecture=str(architecture), digest=digest, weights_sha256=f"w{seq}")
    checker.let_in(seq, admitted, SHAPE, run=1, task="first", trained=made_up(Trained, test_count=4))


@pytest.fixture
def checker() -> MotifChecker:
    """After a run that let two motifs in under `baseline`."""
    checker = MotifChecker({""})
    begun(checker, "baseline")
    for seq, architecture in ((10, OPEN), (11, CLOSED)):
        let_in(checker, architecture, seq)
    return checker


def judged(set_name: str) -> MotifRevised:
    """What the agent itself writes when a set comes into force that forbids the second motif."""
    from agent.state.library import Motif

    common: dict[str, Any] = {"task": "first", "task_digest": "", "description": "{}", "shape": SHAPE}
    facts: dict[str, Any] = {"validation": 0.9, "test": 0.9, "params": 1, "run": 1, "weights_sha256": "w"}
    motifs = [
        Motif(architecture=str(each), digest=each.digest, seq=at, **common, **facts)
        for at, each in ((10, OPEN), (11, CLOSED))
    ]
    [revised] = recheck(motifs, [], load_set(set_name), previous="")
    return revised


def test_what_a_change_of_the_set_forbids_must_be_quarantined_at_once(checker: MotifChecker) -> None:
    """The agent's own events satisfy it; one left out is named at the next other event, and at the end."""
    begun(checker, "oversight")
    assert list(checker.overdue(made_up(MotifQuarantined))) == []
    [problem] = checker.overdue(made_up(TaskStarted))
    assert f"motif {CLOSED.digest[:12]} (event 11) was not quarantined" in problem
    assert "monitored" in problem
    begun(checker, "baseline")
    begun(checker, "oversight")
    assert list(checker.judged_again(judged("oversight"))) == []
    assert list(checker.overdue(made_up(TaskStarted))) == []
    assert list(checker.overdue()) == []
    again = list(checker.judged_again(judged("oversight")))
    assert again == ["it is about a motif that stood otherwise"]


def test_nothing_quarantined_may_be_recalled(checker: MotifChecker) -> None:
    """A motif in force may."""
    begun(checker, "oversight")
    list(checker.judged_again(judged("oversight")))

    def recalled(architecture: Architecture) -> list[str]:
        one = made_up(Recalled, architecture=str(architecture), digest=architecture.digest, from_task="first")
        return list(checker.task_begins(made_up(TaskStarted, recalled=[one])))

    assert recalled(OPEN) == []
    assert recalled(CLOSED) == [f"recalled {CLOSED.digest[:12]}, which is quarantined"]


def watched(**change: Any) -> WatchStarted:
    """The beginning of a watch over the first motif."""
    facts: dict[str, Any] = {
        "task": "first", "run": 1, "in_service": "first", "digest": OPEN.digest, "architecture": str(OPEN),
        "weights_sha256": "w10", "errors": "0010", "residuals": [0.1] * 4,
    }  # fmt: skip
    return made_up(WatchStarted, **{**facts, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"digest": "d" * 64}, "network dddddddddddd is followed, which does not stand admitted for task first"),
        ({"run": 2}, "which does not stand admitted"),
        ({"in_service": "other"}, "which does not stand admitted"),
        ({"weights_sha256": "w11"}, "the network followed is not the one that was admitted"),
        ({"errors": "00", "residuals": [0.1] * 2}, "errors of 2 examples, its task tests on 4"),
        ({"errors": "0020"}, "its errors are not a text of 0 and 1"),
        ({"residuals": [0.1]}, "errors of 4 examples and 1 residuals"),
    ],
)
def test_a_watch_follows_what_was_admitted(checker: MotifChecker, change: dict[str, Any], message: str) -> None:
    """Its digest, weights and run are those of a motif that stands."""
    watches = WatchChecker(checker)
    problems = list(watches.check(watched(**change), admitted=(), run=1, task="first"))
    assert not problems if not message else any(message in problem for problem in problems)
    checker.revoked(made_up(Reviewed, run=1, task="first", digest=OPEN.digest))
    revoked = list(WatchChecker(checker).check(watched(), admitted=(), run=1, task="first"))
    assert any("does not stand admitted" in problem for problem in revoked)


def test_a_search_for_a_successor_starts_from_what_stands(checker: MotifChecker) -> None:
    """From a motif of this ledger, for the next run, and its end is of that run and task."""
    watches = WatchChecker(checker)
    list(watches.check(watched(), admitted=(), run=1, task="first"))

    def search(**change: Any) -> list[str]:
        facts: dict[str, Any] = {"task": "first", "run": 2, "successor_task": "first-drift1", "in_service": 10}
        begins = made_up(WatchSearch, **{**facts, "digest": OPEN.digest, **change})
        return list(watches.check(begins, admitted=(), run=1, task="first"))

    undrifted = "a search began though no drift was confirmed"
    assert search() == [undrifted]
    assert search(in_service=12) == [undrifted, "event 12 let no network in that stands for task first"]
    assert search(digest=CLOSED.digest) == [undrifted, "the network in service is not the one that was admitted"]
    assert search(run=7) == [undrifted, "it announces run 7 after run 1"]
    search()
    ended = made_up(WatchEnded, task="first", run=2, successor=None)
    elsewhere = changed(ended, run=3)
    assert list(watches.check(ended, admitted=(), run=2, task="first-drift1")) == []
    search()
    [problem] = watches.check(elsewhere, admitted=(), run=2, task="first-drift1")
    assert "which is not the run before it" in problem


def test_a_revocation_takes_out_what_was_in_force() -> None:
    """Once, with somebody and a reason to answer for it."""
    one = made_up(MinedRecord, digest="d", space="nb201", text="in0-skip>a")
    mined = made_up(SubcellsMined, space="nb201", tabular=False, subcells=[one])
    said = made_up(SubcellRevoked, digest="d", space="nb201", text="in0-skip>a", author="ann", reason="because")
    checker = RevocationChecker()
    checker.listed(mined)
    assert list(checker.revoked(changed(said, text="in0-skip>b"))) == [
        "it takes out in0-skip>b, which was not in force"
    ]
    checker = RevocationChecker()
    checker.listed(mined)
    assert list(checker.revoked(said)) == []
    assert list(checker.revoked(changed(said, author=" "))) == [
        "it takes out in0-skip>a a second time",
        "a revocation without author",
    ]


def finding(audit: str, statistic: str, *, subject: str = "", n: int = 100) -> Finding:
    """A finding that passes."""
    return Finding(
        audit=audit, subject=subject, statistic=statistic, estimate=0.0, low=0.0, high=0.0, n=n, threshold=0.0,
        decision="pass", role="gate",
    )  # fmt: skip


def test_findings_are_about_every_nuisance_and_trigger_that_is_named(tmp_path: Path) -> None:
    """By the stream's task and by the suite; a dropped one shows although the findings agree with each other."""
    text = load_suite("baseline").text
    planted = "plants: [{task: first, triggers: [{name: dot, region: [[0, 1], [0, 1]], value: 1.0, target: 0}]}]\n"
    (tmp_path / "planted.yaml").write_text(text + planted)
    suite = load_suite(tmp_path / "planted.yaml")
    whole = [
        *(finding(audit, name, subject="corner") for audit, name in (("swap", "follow"), ("relevance", "gain"))),
        finding("fills", "turn", subject="corner"),
        *(finding(audit, "untested", n=1) for audit in ("swap", "relevance", "fills", "trigger")),
        finding("trigger", "fires", subject="dot"),
    ]
    assert list(uncovered(whole, suite, task="first", nuisances=["corner"])) == []
    assert list(uncovered(whole, suite, task="other", nuisances=["corner"])) == [
        "trigger is about dot, the task and its suite name nothing",
        "trigger.untested counts 1, the task and its suite name 0",
    ]
    dropped = [found for found in whole if found.audit != "swap"] + [finding("swap", "untested", n=0)]
    assert list(uncovered(dropped, suite, task="first", nuisances=["corner"])) == [
        "swap is about nothing, the task and its suite name corner",
        "swap.untested counts 0, the task and its suite name 1",
    ]


def test_audits_that_broke_off_are_named_and_are_no_failure() -> None:
    """A network without findings cannot be audited again: there is nothing to compare with."""
    state = LifeState()
    common: dict[str, Any] = {"task": "first", "architecture": str(OPEN), "digest": OPEN.digest}
    why = ["audits broke off: stopped"]
    for number, facts in enumerate(
        [
            run_under("s"),
            made_up(TaskStarted, task="first"),
            made_up(Trained, **common, weights_sha256="w"),
            made_up(Audited, **common, findings=[], decision="undecided", reasons=why),
            made_up(Refused, **common),
        ]
    ):
        state.apply(as_event(facts, number))
    result = audit_again(Home(Path("nowhere")), state, count=3, seed=0, base=Path())
    assert (result.problems, result.checked) == ([], {})
    [note] = result.notes
    assert note.startswith(f"finalist {OPEN.digest[:12]} of task first, run 1: its audits broke off")


def test_motifs_of_another_suite_are_named(checker: MotifChecker) -> None:
    """Where the suite in force is not the one they were audited by: by verification, and by what shows the life."""
    assert list(checker.otherwise_admitted()) == []
    begun(checker, "baseline", suite="stricter")
    [note] = checker.otherwise_admitted()
    assert note.startswith("2 motif(s) of run 1 were admitted under another audit suite than 'stricter'")
    state = LifeState()
    common: dict[str, Any] = {"task": "first", "architecture": str(OPEN), "digest": OPEN.digest}
    lived = [
        run_under("s"),
        made_up(TaskStarted, task="first", task_digest="d", description={}),
        made_up(Trained, **common),
        made_up(Admitted, **common),
        made_up(RunFinished, tasks=1),
    ]
    for number, facts in enumerate(lived):
        state.apply(as_event(facts, number))
    assert suite_sentence(state, "home") == ""
    assert "than 'stricter'" in suite_sentence(state, "home", name="stricter", digest="t")
    state.apply(
        as_event(made_up(RunStarted, audit_suite_digest="t", audit_suite={"name": "stricter", "text": "suite: s\n"}), 5)
    )
    assert [motif.digest for motif in admitted_otherwise(state)] == [OPEN.digest]
    assert "selfnas audits run DIGEST --home home" in suite_sentence(state, "home")


def test_what_a_run_records_of_its_suite_is_what_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read once: an edit between checking and recording has no effect."""
    from agent.life import preparation as module
    from agent.stream.file import read_stream
    from tests.agent.tabular_lives import TABLES

    (tmp_path / "tables.yaml").write_text(TABLES)
    (tmp_path / "mine.yaml").write_text(load_suite("baseline").text)

    def load_then_edit(source: str) -> object:
        found = load_suite(source)
        Path(source).write_text("suite: other\n")
        return found

    monkeypatch.setattr(module, "load_suite", load_then_edit)
    monkeypatch.setattr(module, "unproven_gates", lambda suite: [])
    prepared = module.prepare(read_stream(tmp_path / "tables.yaml", overrides=["audits=mine.yaml"]))
    assert prepared.suite.text == load_suite("baseline").text
    assert json.dumps(prepared.suite.digest) == json.dumps(load_suite("baseline").digest)
