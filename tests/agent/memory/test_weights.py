"""Full training from the weights of a remembered motif: reproducible, recorded, re-checked, refused where need be."""

import shutil
import time
from pathlib import Path

import msgspec
import pytest

from agent.ledger.events import (
    UNSET,
    Admitted,
    Event,
    Facts,
    Inherited,
    Recalled,
    Refit,
    RunStarted,
    TaskRecord,
    TaskStarted,
    Trained,
)
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.memory.weights import keeps_splits_apart, shared_numbers, source_of
from agent.state.state import TaskState, replay
from agent.stream.training import FidelitySection, TrainingSection
from agent.verify.verification import verify
from agent.verify.weights import InheritanceChecker
from agent.workers.jobs import FullAnswer, FullJob
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import InputError
from tests.agent.conftest import inside
from tests.agent.life.test_life import rebuild
from tests.agent.made_up import changed, made_up

STREAM = """\
stream: inheriting
format: 1
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 1, full_trainings: 1}
low: {epochs: 1, steps: 0, fraction: 0.3}
full: {epochs: 8, steps: 0}
training: {recipe: plain}
refit: false
inherit: motif
policy: {population: 3, sample: 2, batch: 1, oversample: 1, finalists_per_task: 1, recall: 1, recall_trust_percent: 0}
tasks:
  - {name: first, source: digits, limit: 900}
  - {name: turned, source: digits, limit: 900, transforms: [{rotate: 180}]}
"""
SEED = 5  # a first random cell that passes the audits


def events(home: Path) -> list[Event[Facts]]:
    """Every event of a life."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of two tasks, one cell each."""
    place = tmp_path_factory.mktemp("inheriting")
    (place / "stream.yaml").write_text(STREAM)
    done = inside(place, "run", "stream.yaml", "--home", "home", "--workers", "1", "--no-mirror", "--seed", str(SEED))
    assert done.returncode == 0, done.stderr
    return place / "home"


def job(place: Path, **changes: object) -> FullJob:
    """Five epochs of a small cell on half a thousand digits, weights kept."""
    spec = TaskSpec(name="digits", source="digits", limit=500)
    wanted: dict[str, object] = {
        "task": spec, "task_digest": load_task(spec, base=place).digest, "base": str(place), "device": "cpu", "seed": 1,
        "architecture": "nb201/c4n1r8:|conv3x3~0|+|none~0|skip~1|+|conv1x1~0|none~1|conv3x3~2|",
        "training": TrainingSection(learning_rate=0.02, recipe="plain"), "fidelity": FidelitySection(epochs=5, steps=0),
        "weights": str(place / "weights"),
    }  # fmt: skip
    return FullJob.model_validate(wanted | changes)


def answer(asked: FullJob) -> FullAnswer:
    """What a worker makes of it."""
    read = FullAnswer.model_validate_json(run_job(asked.model_dump_json(exclude_none=True)))
    return read.model_copy(update={"seconds": 0.0})


def test_weights_are_taken_over_where_they_fit_and_only_as_they_were(tmp_path: Path) -> None:
    """All of an equal network, all but the head with other classes; twice the same; none from a changed file."""
    parent = answer(job(tmp_path))
    source = tmp_path / "weights" / f"{parent.weights_sha256}.safetensors"
    child = answer(job(tmp_path, inherit=str(source)))
    assert (parent.inherited, child.inherited) == (None, 1.0)
    assert child == answer(job(tmp_path, inherit=str(source)))
    assert child.weights_sha256 != parent.weights_sha256
    assert child.curve[0] > parent.curve[0] + 0.1
    spec = TaskSpec.model_validate(
        {"name": "few", "source": "digits", "limit": 500, "transforms": [{"classes": [0, 1]}]}
    )
    digest = load_task(spec, base=tmp_path).digest
    other = answer(job(tmp_path, inherit=str(source), task=spec, task_digest=digest))
    assert other.inherited is not None
    assert 0.5 < other.inherited < 1
    assert shared_numbers(tmp_path / "weights" / f"{other.weights_sha256}.safetensors", source) == other.inherited
    changed = bytearray(source.read_bytes())
    changed[-1] ^= 1
    source.write_bytes(changed)
    refused = answer(job(tmp_path, inherit=str(source)))
    assert refused.score is None
    assert "weights to inherit were changed" in refused.reason


@pytest.mark.parametrize(
    ("then", "now", "apart"),
    [
        ({"source": "digits"}, {"source": "digits", "transforms": [{"rotate": 90}]}, True),
        ({"source": "digits"}, {"source": "mnist5k"}, True),
        ({"source": "digits"}, {"source": "digits", "split_seed": 1}, False),
        ({"source": "digits", "limit": 900}, {"source": "digits"}, False),
        ({"source": "mnist1d"}, {"source": "mnist1d", "transforms": [{"rotate": 180}]}, True),
        ({"source": "mnist1d"}, {"source": "mnist1d", "audit_from": "test"}, False),
        ({"source": "mnist1d", "limit": 500}, {"source": "mnist1d", "limit": 500}, False),
        ({"source": "npz", "path": "a.npz"}, {"source": "npz", "path": "a.npz"}, False),
        ({"source": "digits"}, {"source": "npz", "path": "a.npz"}, False),
    ],
)
def test_weights_that_may_have_seen_what_is_tested_on_are_not_taken(
    then: dict[str, object], now: dict[str, object], apart: bool
) -> None:
    """Other splits of the same source, and files that nothing is known of, keep their weights."""
    earlier, later = (msgspec.convert({"name": "t", **told}, TaskRecord) for told in (then, now))
    assert keeps_splits_apart(earlier, later) is apart
    assert keeps_splits_apart(earlier, later, refit=True) is (then["source"] != now["source"] and apart)


@pytest.mark.slow
def test_a_life_inherits_records_and_verifies(lived: Path) -> None:
    """What was recalled starts from its weights, with the share that took over; two workers change nothing."""
    first, turned = (event.facts for event in events(lived) if isinstance(event.facts, Trained))
    assert first.digest == turned.digest
    assert turned.inherited == Inherited(run=1, task="first", weights_sha256=first.weights_sha256, share=1.0)
    assert first.inherited is UNSET
    with Ledger(Home(lived).ledger, clock=time.time, read_only=True) as ledger:
        assert not verify(ledger, Home(lived)).problems
        life = replay(ledger)
    assert source_of(life, life.runs[0].tasks[1], "another spelling") is None
    place = lived.parent
    inside(place, "run", "stream.yaml", "--home", "two", "--workers", "2", "--no-mirror", "--seed", str(SEED))
    assert events(place / "two") == events(lived)


@pytest.mark.slow
def test_weights_are_refused_for_what_those_before_them_saw(lived: Path) -> None:
    """Digits, then a task that began with those weights, then other splits of the same digits: neither may teach it."""
    with Ledger(Home(lived).ledger, clock=time.time, read_only=True) as ledger:
        life = replay(ledger)
        run, turned = life.runs[0], life.runs[0].tasks[1]
        architecture = turned.finalists[0].architecture
        specs = run.started.stream["tasks"]
        specs[1] |= {"source": "mnist5k"}  # as if it had been
        specs.append({"name": "again", "source": "digits", "limit": 900, "split_seed": 0})
        digest = turned.finalists[0].digest
        recalled = Recalled(architecture=architecture, from_run=1, from_task="turned", digest=digest)
        started = changed(turned.started, task_digest="another", recalled=[recalled])
        again = TaskState(index=2, name="again", first=0, started=started)
        assert source_of(life, again, architecture) is not None
        specs[2]["split_seed"] = 1
        assert source_of(life, again, architecture) is None
        specs[2]["split_seed"] = 0
        assert source_of(life, again, architecture) is not None
        first = run.tasks[0].finalists[0]
        first.trained = changed(first.trained, refit=Refit(steps=9, examples=9))  # has seen what `again` validates on
        assert source_of(life, again, architecture) is None


def test_verification_asks_what_those_before_them_saw(tmp_path: Path) -> None:
    """The same three tasks as a ledger could claim them."""

    def problems(refit: str = "", **last: object) -> list[str]:
        specs = [{"name": "a", "source": "digits"}, {"name": "b", "source": "mnist5k"}, {"name": "c", **last}]
        stream = made_up(RunStarted).stream | {"inherit": "motif", "tasks": specs}
        checker = InheritanceChecker(Home(tmp_path))
        checker.run_begins(made_up(RunStarted, stream=stream))
        found: list[str] = []
        for before, here in (("", "a"), ("a", "b"), ("b", "c")):
            recalled = [made_up(Recalled, architecture="x", from_run=1, from_task=before)] if before else []
            checker.task_begins(made_up(TaskStarted, task=here, task_digest=here, recalled=recalled))
            own = {"task": here, "digest": "d", "architecture": "x", "weights_sha256": 64 * here}
            source = Inherited(run=1, task=before, weights_sha256=64 * before, share=1.0)
            told: dict[str, object] = {"inherited": source} if before else {}
            told |= {"refit": Refit(steps=9, examples=9)} if here == refit else {}
            found += checker.trained(made_up(Trained, **own, **told))
            checker.let_in(made_up(Admitted, **own), run=1, task=here)
        return found

    assert problems(source="digits") == []
    assert problems(source="digits", refit="b") == []
    assert problems(source="digits", refit="a") == ["the weights that it inherited may have seen what it is tested on"]
    assert problems(source="digits", split_seed=1) == [
        "the weights that it inherited may have seen what it is tested on"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("""UPDATE events SET payload = replace(payload, '"share":1.0', '"share":0.9')""", "its weights say"),
        ("""UPDATE events SET payload = replace(payload, '"inherited":{"run":1,"share"', '"inherited":{"run":2,"share"')
         WHERE kind = 'trained'""", "not recalled"),
        ("""UPDATE events SET payload = replace(payload, ',"inherit":"motif"', '') WHERE kind = 'run.started'""",
         "which its stream does not say"),
        ("""UPDATE events SET payload = replace(payload, 'digits","split_seed":0,"transforms":[{', 'digits",
         "split_seed":3,"transforms":[{') WHERE kind = 'run.started'""", "may have seen what it is tested on"),
    ],
)  # fmt: skip
def test_forged_inheritance_is_found(lived: Path, tmp_path: Path, change: str, message: str) -> None:
    """Another share, a motif that was not recalled, a stream that says nothing of it, other splits."""
    copy = tmp_path / "home"
    shutil.copytree(lived, copy)
    rebuild(copy / "ledger.db", change)
    with Ledger(Home(copy).ledger, clock=time.time, read_only=True) as ledger:
        assert any(message in problem for problem in verify(ledger, Home(copy)).problems)


def test_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Verification says which file; it does not break on what somebody put in its place."""
    for name in ("own", "parent"):
        (tmp_path / name).write_bytes(b"no weights")
    with pytest.raises(InputError, match="own: cannot be read as weights"):
        shared_numbers(tmp_path / "own", tmp_path / "parent")
