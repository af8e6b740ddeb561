"""Operators composed of sub-cells in a life: judged, recorded, used, the same after a stop, re-checked, revoked."""

import hashlib
import html
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.commands.motifs import list_sub_cells, revoke
from agent.ledger.events import (
    UNSET,
    Evaluated,
    Event,
    Facts,
    OperatorAdmitted,
    OperatorDecided,
    OperatorRefused,
    SubcellRevoked,
    TaskStarted,
)
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.memory.operators import operator_of, operators_in_force
from agent.report.figures import gather
from agent.report.page import render
from agent.report.uses import OperatorRecord, operator_records
from agent.state.state import LifeState, replay
from agent.stream.file import read_stream
from agent.verify.verification import verify
from agent.workers.jobs import FullAnswer, LowAnswer
from constraints import Certificate
from selfnas.errors import InputError
from selfnas.search.subcells import SubCell
from selfnas.spaces.named import SPACES, parse_architecture
from tests.agent.interrupted import live_interrupted
from tests.agent.life.test_life import rebuild
from tests.agent.made_up import made_up
from tests.agent.tabular_lives import ledger_of

STREAM = """\
stream: composing
format: 1
constraints: rules.yaml
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
metric: {classification: balanced_accuracy}
budget: {evaluations: 30, full_trainings: 1}
low: {epochs: 2, steps: 0}
cross_validation: {below: 0}
operators: 2
policy: {population: 8, sample: 4, batch: 10, oversample: 1, recall: 0, finalists_per_task: 1}
tasks:
  - {name: one, source: digits, limit: 300}
  - {name: two, source: digits, limit: 300, transforms: [{rotate: 90}]}
  - {name: three, source: digits, limit: 300, transforms: [{rotate: 180}]}
"""
RULES = """\
set: rules
language: 1
spaces: [nb201]
rules:
  - id: connected
    scope: cell
    require: exists path(input, output)
    why: nothing is learned otherwise
    message: no path leads from input to output
  - id: size
    scope: cell
    require: count(edge()) >= LEAST
    why: smaller cells are not of interest here
    message: too few operations
"""
OPERATOR = "conv3x3>conv1x1"


class MadeUp:
    """Stands in for workers: a score is made up of what a cell holds, so that a life takes a second."""

    def expect(self, jobs: Sequence[str]) -> None:
        """Nothing is begun before it is asked for."""

    def answers(self, jobs: Sequence[str], on_done: Callable[[], None]) -> list[str]:
        """A training at low fidelity rewards the chain; full training is not to be had here."""
        told = []
        for job in map(json.loads, jobs):
            on_done()
            if "suite" in job or "weights" in job:
                told.append(FullAnswer(score=None, reason="not trained").model_dump_json())
                continue
            (cell,) = parse_architecture(job["architecture"]).flat
            live = cell.live_edges()
            chained = any(
                (a.operation, b.operation) == ("conv3x3", "conv1x1") and a.target == b.source
                for a in live
                for b in live
            )
            luck = int(hashlib.sha256(f"{job['seed']}".encode()).hexdigest()[:6], 16) / 16**6
            score = 0.5 + 0.3 * chained + 0.05 * luck
            told.append(LowAnswer(score=score, curve=[0.4, score]).model_dump_json())
        return told


def lived(home: Path, *, least: int = 1, accept_set: bool = False) -> LifeState:
    """One run of the stream on a home; the state at its end."""
    home.parent.mkdir(parents=True, exist_ok=True)
    (home.parent / "stream.yaml").write_text(STREAM)
    (home.parent / "rules.yaml").write_text(RULES.replace("LEAST", str(least)))
    prepared = prepare(read_stream(home.parent / "stream.yaml"))
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger:
        life = Life(ledger, prepared, workers=MadeUp(), home=held, device="cpu", observer=Unobserved())  # type: ignore[arg-type]
        life.check_resumable(accept_set=prepared.set_.digest if accept_set else "")
        life.run()
        return life.state


def events(home: Path) -> list[Event[Facts]]:
    """Every event of a life."""
    with ledger_of(home) as ledger:
        return list(ledger.events())


def problems(home: Path) -> list[str]:
    """What verification finds."""
    with ledger_of(home) as ledger:
        return verify(ledger, Home(home)).problems


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of three tasks whose winners share a chain."""
    home = tmp_path_factory.mktemp("composing") / "home"
    lived(home)
    return home


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("a-conv1x1>out in0-conv3x3>a", "conv3x3>conv1x1"),
        ("a-avg3>b c-conv1x1>a in0-conv3x3>c", "conv3x3>conv1x1>avg3"),
        ("a-conv1x1>b in0-conv3x3>a in0-skip>b", "conv3x3>conv1x1&skip"),
        ("a-skip>out in0-conv3x3>a", None),
        ("in0-conv3x3>a in0-skip>out", None),
        ("a-conv1x1>out in0-conv3x3>a in0-skip>b", None),
        ("a-avg3>out b-conv1x1>out in0-conv3x3>b", None),
    ],
)
def test_what_leads_from_one_node_to_one_other_is_an_operator(text: str, operator: str | None) -> None:
    """Chains of two and three, a chain with an edge beside it; no skip within a chain, no second source or target."""
    assert operator_of(SubCell(SPACES["nb201"], 0, text)) == operator


def test_an_operator_is_judged_recorded_used_and_verified(home: Path) -> None:
    """It is certified by two engines before any cell carries it; the next task's cells do, each with a certificate."""
    found = events(home)
    ((at, admitted),) = [
        (e.seq, e.facts) for e in found if isinstance(e.facts, OperatorAdmitted) and e.facts.operator == OPERATOR
    ]
    certificate = Certificate.from_json(admitted.certificate)
    assert (certificate.verdict, sorted(certificate.engines)) == ("admit", ["referee", "z3"])
    carrying = [e for e in found if isinstance(e.facts, Evaluated) and f"{OPERATOR}~" in e.facts.architecture]
    assert carrying
    assert min(event.seq for event in carrying) > at
    started = [e.facts for e in found if isinstance(e.facts, TaskStarted)]
    assert started[0].space is UNSET
    assert OPERATOR in str(started[-1].space)
    assert int(started[-1].space_count) >= 6**6
    with ledger_of(home) as ledger:
        result = verify(ledger, Home(home))
    assert not result.problems
    assert result.checked["composed operators"] == sum(isinstance(e.facts, OperatorDecided) for e in found)


def test_a_life_stopped_at_any_step_composes_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before every fourth transaction in turn, the finished ledger equals the uninterrupted one."""
    live_interrupted(lambda: lived(tmp_path / "home"), Life, monkeypatch, steps=4)
    assert events(tmp_path / "home") == events(home)


def test_a_rule_refuses_an_operator_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where three operations are the least, a chain of two cannot stand alone: refused, told, and in no later space."""
    state = lived(tmp_path / "home", least=3)
    refused = next(one for one in state.operators if one.operator == OPERATOR)
    assert (type(refused), refused.failed) == (OperatorRefused, ["size"])
    started = [e.facts for e in events(tmp_path / "home") if isinstance(e.facts, TaskStarted)]
    later = [one.space for one in started if one.space is not UNSET]
    assert not any(OPERATOR in space.replace(f"{OPERATOR}>", "").replace(f"{OPERATOR}&", "") for space in later)
    assert not problems(tmp_path / "home")
    list_sub_cells(tmp_path / "home")
    assert "operator refused after" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE events SET kind = 'operator.refused' WHERE kind = 'operator.admitted'", "the certificate says admit"),
        (
            "UPDATE events SET payload = replace(payload, 'conv3x3>conv1x1', 'conv3x3>avg3') WHERE kind LIKE 'op%'",
            "no sub-cell in force gives this operator",
        ),
        ("DELETE FROM events WHERE kind LIKE 'operator.%'", "though the operators in force make it nb201"),
    ],
)
def test_a_forged_operator_is_found(home: Path, tmp_path: Path, change: str, message: str) -> None:
    """An outcome turned round, another operator, a decision left out, with the chain made whole again."""
    from tests.agent.memory.test_subcells import copied

    copy = copied(home, tmp_path)
    rebuild(copy / "ledger.db", change)
    assert any(message in problem for problem in problems(copy))


def test_the_report_page_says_how_operators_were_judged_and_where_they_are(home: Path, tmp_path: Path) -> None:
    """Counts are those of the ledger's cells; a refusal names its rule, a revocation shows."""
    from tests.agent.memory.test_subcells import copied

    def shown(place: Path) -> list[OperatorRecord]:
        with ledger_of(place) as ledger:
            found = gather(ledger)
        records = [one for one in operator_records(found.state) if one.operator == OPERATOR]
        page = render(found)
        assert all(html.escape(text) in page for one in records for text in (one.operator, *map(str, one.uses)))
        return records

    (record,) = shown(home)
    evaluated = [e.facts.architecture for e in events(home) if isinstance(e.facts, Evaluated)]
    assert record.outcome == "admitted"
    assert sum(use.holding for use in record.uses) == sum(f"{OPERATOR}~" in text for text in evaluated) > 0
    stricter = copied(home, tmp_path / "stricter")
    lived(stricter, least=3, accept_set=True)
    assert [(one.outcome, one.failed) for one in shown(stricter)] == [("admitted", ()), ("refused", ("size",))]
    revoked = copied(home, tmp_path / "revoked")
    with ledger_of(revoked) as ledger:
        (digest,) = {one.digest for one in replay(ledger).operators if one.operator == OPERATOR}
    revoke(revoked, digest[:12], author="Ann", reason="hard to explain")
    assert [one.outcome for one in shown(revoked)] == ["revoked"]


def test_a_revoked_operator_is_out_of_use_for_good(home: Path, tmp_path: Path) -> None:
    """The next run searches without it and does not compose it again; a revoked sub-cell takes its operator along."""
    from tests.agent.memory.test_subcells import copied

    copy = copied(home, tmp_path)
    with ledger_of(copy) as ledger:
        first = replay(ledger).operators
    for one in first:
        revoke(copy, one.digest[:12], author="Ann", reason="hard to explain")
    with pytest.raises(InputError, match="no mined sub-cell in force"):
        revoke(copy, first[0].digest[:12], author="Ann", reason="again")
    state = lived(copy)
    digest = state.runs[-1].started.constraint_set_digest
    gone = {one.operator for one in first}
    assert gone.isdisjoint(operators_in_force(state, space="nb201", set_digest=digest))
    assert state.runs[-1].tasks[0].started.space is UNSET
    assert not problems(copy)
    newer = [one for one in state.operators if isinstance(one, OperatorAdmitted)][len(first) :]
    for one in newer:
        state.revoked[one.sub_cell] = made_up(SubcellRevoked, digest=one.sub_cell)
    assert not operators_in_force(state, space="nb201", set_digest=digest)


def test_under_another_set_an_operator_is_judged_again(home: Path, tmp_path: Path) -> None:
    """Out of force when the run begins; under the stricter set it is then refused by the rule that it breaks."""
    from tests.agent.memory.test_subcells import copied

    copy = copied(home, tmp_path)
    state = lived(copy, least=3, accept_set=True)
    assert state.runs[-1].tasks[0].started.space is UNSET
    again = [(type(one), one.failed) for one in state.operators if one.operator == OPERATOR]
    assert again == [(OperatorAdmitted, []), (OperatorRefused, ["size"])]
    assert not problems(copy)
