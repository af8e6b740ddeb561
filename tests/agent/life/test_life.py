"""Whole lives on real data: the same for any number of workers, resumed after a kill, remembered by the next run."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.ledger.events import Certified, Evaluated, TaskStarted, Trained
from agent.ledger.home import Home, hold
from agent.ledger.store import Event, Ledger
from agent.state.state import LifeState, replay
from agent.verify.verification import verify
from selfnas.errors import InputError
from tests.agent.conftest import TINY, Run, inside
from tests.agent.tabular_lives import ledger_of
from tests.stress import forgery_edits
from tests.stress.forgeries import rewrite


def events(home: Path) -> list[Event]:
    """Every event of a life."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


def state(home: Path) -> LifeState:
    """Its state."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return replay(ledger)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the tiny stream was lived through twice with one worker, mirrored to MLflow."""
    place = tmp_path_factory.mktemp("lived")
    (place / "tiny.yaml").write_text(TINY)
    for _ in range(2):
        done = inside(place, "run", "tiny.yaml", "--home", "home", "--workers", "1")
        assert done.returncode == 0, done.stderr
        (place / "output.txt").write_text(done.stdout)
    return place


@pytest.mark.slow
def test_a_life_goes_from_stream_to_admitted_motifs(lived: Path) -> None:
    """Every task has its evaluations, its comparison, a winner in the library with weights, and everything verifies."""
    life = state(lived / "home")
    assert [run.finished for run in life.runs] == [True, True]
    for run in life.runs:
        for task in run.tasks:
            assert len(task.trials) == 4
            assert task.finished is not None
            assert task.finished.winner in {motif.digest for motif in life.library}
            assert task.compared is not None
            assert (task.compared.validation or 0) > 0.3
    with Ledger(Home(lived / "home").ledger, clock=time.time, read_only=True) as ledger:
        result = verify(ledger, Home(lived / "home"))
    assert not result.problems
    assert result.checked["certificates"] > 8
    assert result.checked["weights"] == len(life.library) > 2


@pytest.mark.slow
def test_what_nothing_is_remembered_for_starts_from_published_cells(lived: Path) -> None:
    """As many as the policy has places that memory left, before anything is drawn."""
    for run in state(lived / "home").runs:
        for task in run.tasks:
            origins = [evaluated.origin for evaluated in task.evaluations]
            places = max(3 - len(task.started.recalled), 0)
            assert origins.count("published") == places
            assert "searched" not in origins[: places + origins.count("recalled")]


@pytest.mark.slow
def test_everything_trained_was_certified_before(lived: Path) -> None:
    """No evaluation precedes a certificate for the same architecture on the same task."""
    certified: set[str] = set()
    for event in events(lived / "home"):
        match event.facts:
            case TaskStarted():
                certified = set()
            case Certified(architecture=architecture):
                certified.add(architecture)
            case Evaluated(architecture=architecture) | Trained(architecture=architecture):
                assert architecture in certified


@pytest.mark.slow
def test_the_second_run_starts_from_what_the_first_learned(lived: Path) -> None:
    """On the same task it tries the first run's winner at once, and reaches its score with fewer evaluations."""
    first, second = (run.tasks[0] for run in state(lived / "home").runs)
    best = max(trial.value for trial in first.trials)
    needed = [next(i for i, t in enumerate(task.trials, 1) if t.value >= best) for task in (first, second)]
    assert second.started.recalled[0].likeness == 1.0
    assert second.evaluations[0].origin == "recalled"
    assert needed[1] <= needed[0]
    assert "remembers" in (lived / "output.txt").read_text()


@pytest.mark.slow
def test_mlflow_has_a_run_per_task_and_finalist(lived: Path) -> None:
    """Tags carry the verdict, artifacts the certificate and the card, the registry each task's winner."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{lived}/mlflow.db", registry_uri=f"sqlite:///{lived}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    tasks = [run for run in runs if run.data.tags["kind"] == "task"]
    finalists = [run for run in runs if run.data.tags["kind"] == "finalist"]
    assert len(tasks) == 4
    assert {run.data.tags["mlflow.parentRunId"] for run in finalists} == {run.info.run_id for run in tasks}
    admitted = [run for run in finalists if run.data.tags["verdict"] == "admitted"]
    files = {item.path for item in client.list_artifacts(admitted[0].info.run_id)}
    assert {"certificate.json", "audit-card.md", "attributions.png", "confusion.png", "cell.png"} <= files
    assert {model.name for model in client.search_registered_models()} == {"tiny.first", "tiny.again"}
    assert client.get_model_version_by_alias("tiny.first", "admitted").tags["digest"]


@pytest.mark.slow
def test_workers_do_not_change_what_happens(lived: Path, stream: Path, selfnas: Run, tmp_path: Path) -> None:
    """A life with two workers has the same chain of hashes as one with a single worker."""
    done = selfnas("run", stream, "--home", "home", "--workers", "2", "--no-mirror")
    assert done.returncode == 0, done.stderr
    ours = events(tmp_path / "home")
    assert ours == events(lived / "home")[: len(ours)]


@pytest.mark.slow
def test_a_killed_life_resumes_to_the_same_future(lived: Path, stream: Path, selfnas: Run, tmp_path: Path) -> None:
    """SIGKILL to the whole process group at two moments; the finished ledger equals the uninterrupted one."""
    wanted = events(lived / "home")
    wanted = wanted[: next(event.seq for event in wanted if event.kind == "run.finished") + 1]
    for least in (2, 20):
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", str(stream), "--home", "home", "--workers", "2", "--no-mirror"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and count_events(tmp_path / "home") < least:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert 0 < count_events(tmp_path / "home") < len(wanted)
    done = selfnas("run", stream, "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    assert "going on with run 1" in done.stdout
    assert events(tmp_path / "home") == wanted


def count_events(home: Path) -> int:
    """Events in a ledger that may not exist yet."""
    if not (home / "ledger.db").exists():
        return 0
    try:
        with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as db:
            found: int = db.execute("SELECT count(*) FROM events").fetchone()[0]
            return found
    except sqlite3.OperationalError:
        return 0
    finally:
        if "db" in locals():
            db.close()


@pytest.mark.slow
def test_ctrl_c_stops_within_seconds_and_leaves_no_process(stream: Path, tmp_path: Path) -> None:
    """SIGINT to the group, as a terminal sends it: exit 130, a sentence, no worker left."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "agent",
            "run",
            str(stream),
            "--home",
            "home",
            "--no-mirror",
            "--set",
            "budget.evaluations=400",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Test runners ignore SIGINT in their workers, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and count_events(tmp_path / "home") < 2:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    asked = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in stderr
    assert "Traceback" not in stderr
    assert time.monotonic() - asked < 15
    while time.monotonic() - asked < 30 and group_exists(process.pid):
        time.sleep(0.2)
    assert not group_exists(process.pid)


def group_exists(group: int) -> bool:
    """Whether any process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


FORGERIES = {
    'UPDATE events SET payload = replace(payload, \'"decision":"admit"\', \'"decision":"reject"\') '
    "WHERE kind = 'audited'": "recorded as reject, but its findings say admit",
    "UPDATE events SET payload = json_set(payload, '$.weights_sha256', printf('%064d', 0)) "
    "WHERE kind = 'admitted'": "what was admitted is not what was trained",
    "UPDATE events SET kind = 'rejected' WHERE kind = 'certified'": "(rejected) is no event of ours: Object missing",
    """UPDATE events SET kind = 'quarantined', payload = json_object('architecture', payload ->> 'architecture',
    'certificate', payload ->> 'certificate', 'digest', payload ->> 'digest', 'failed', json('[]'),
    'messages', json('[]')) WHERE kind = 'certified'""": "the certificate says admit",
    "UPDATE events SET payload = json_set(payload, '$.winner', 'x') WHERE kind = 'task.finished'": "winner x, but",
    "UPDATE events SET payload = replace(payload, 'skip-free', 'skip-less')": "",
    "DELETE FROM events WHERE kind = 'audited'": "admitted without audits that admit it",
    "DELETE FROM events WHERE kind = 'certified'": "admitted without a certificate",
    'UPDATE events SET payload = replace(payload, \'"findings":[\', \'"findings":[],"was":[\') '
    "WHERE kind = 'audited'": "(audited) is no event of ours: Object contains unknown field `was`",
    "UPDATE events SET payload = json_set(payload, '$.findings', json('[]')) "
    "WHERE kind = 'audited'": "but without findings nothing is decided",
}


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "message"), [item for item in FORGERIES.items() if item[1]])
def test_a_forged_ledger_is_found_even_with_a_rebuilt_chain(
    lived: Path, tmp_path: Path, statement: str, message: str
) -> None:
    """Whoever edits events and recomputes every hash is still caught by what the events say."""
    home = tmp_path / "home"
    shutil.copytree(lived / "home", home)
    rebuild(home / "ledger.db", statement)
    with Ledger(home / "ledger.db", clock=time.time, read_only=True) as ledger:
        assert not list(ledger.broken_links())
        problems = verify(ledger, Home(home)).problems
    assert any(message in problem for problem in problems), problems


# They contradict nothing that is recorded: only a signature, or measuring again, shows them.
CONSISTENT = {
    "notes of findings edited",
    "observations behind findings inflated",
    "comment put into the constraint set",
    "comment put into the audit suite",
    "last event cut off",
    "last five events cut off",
}


@pytest.mark.slow
def test_a_forger_who_renames_every_hash_is_caught_by_what_events_say(lived: Path, tmp_path: Path) -> None:
    """Of all that a forger tries on a life of trained networks, with a chain made again throughout."""
    tried, missed = 0, set()
    for number_, (name, edit) in enumerate(forgery_edits.FORGERIES.items()):
        forged = rewrite(lived / "home", tmp_path / str(number_), edit)
        with ledger_of(forged.root) as ledger, ledger_of(lived / "home") as true:
            if ledger.head() == true.head():
                continue
            tried += 1
            if not verify(ledger, forged).problems:
                missed.add(name)
        shutil.rmtree(forged.root)
    assert tried > 70
    assert missed <= CONSISTENT


def rebuild(path: Path, statement: str) -> None:
    """Edit a ledger behind its back, renumber, and make the chain whole again."""
    from agent.ledger.store import GENESIS, event_hash

    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER events_are_final")
    db.execute("DROP TRIGGER events_stay")
    assert db.execute(statement).rowcount > 0
    rows = db.execute("SELECT kind, payload FROM events ORDER BY seq").fetchall()
    db.execute("DELETE FROM events")
    previous = GENESIS
    for seq, (kind, payload) in enumerate(rows):
        digest = event_hash(seq, kind, payload, previous)
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, kind, payload, previous, digest))
        previous = digest
    db.commit()
    db.close()


@pytest.mark.slow
def test_changed_and_missing_weights_are_found(lived: Path, tmp_path: Path) -> None:
    """One flipped byte in one file, and one file removed, are each named."""
    home = tmp_path / "home"
    shutil.copytree(lived / "home", home)
    life = state(home)
    flipped, removed = sorted({motif.weights_sha256 for motif in life.library})[:2]
    path = home / "weights" / f"{flipped}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (home / "weights" / f"{removed}.safetensors").unlink()
    with Ledger(home / "ledger.db", clock=time.time, read_only=True) as ledger:
        problems = "\n".join(verify(ledger, Home(home)).problems)
    assert f"weights were changed: {flipped}" in problems
    assert f"weights are missing: {removed}" in problems


@pytest.mark.slow
def test_the_commands_that_look_at_a_life(lived: Path, selfnas: Run, tmp_path: Path) -> None:
    """status, motifs, export and verify work on a finished life; the exported program computes what was audited."""
    import torch

    home = lived / "home"
    digest = state(home).library[0].digest
    assert "what was found" in selfnas("status", "--home", home).stdout
    assert digest[:12] in selfnas("motifs", "list", "--home", home).stdout
    shown = selfnas("motifs", "show", digest[:10], "--home", home).stdout
    assert digest in shown
    assert "skill" in shown
    exported = selfnas("motifs", "export", digest, "-o", tmp_path / "net.pt2", "--home", home)
    assert exported.returncode == 0, exported.stderr
    program = torch.export.load(tmp_path / "net.pt2").module()
    assert program(torch.zeros(5, 8, 8, dtype=torch.uint8))["logits"].shape == (5, 10)
    verified = selfnas("verify", "--home", home)
    assert verified.returncode == 0
    assert "all hold" in verified.stdout
    assert selfnas("motifs", "show", "zz", "--home", home).returncode == 2


def test_a_home_has_one_agent_at_a_time(tmp_path: Path) -> None:
    """The second one is refused at once and told who is there; afterwards the home is free."""
    with (
        hold(tmp_path / "home"),
        pytest.raises(InputError, match=f"process {os.getpid()}"),
        hold(tmp_path / "home"),
    ):
        pass
    with hold(tmp_path / "home"):
        pass


STRICTER = """\
set: stricter
language: 1
spaces: [nb201]
rules:
  - {id: plain, scope: cell, forbid: "edge(op in {avg3, skip})", why: w, message: m}
"""


@pytest.mark.slow
def test_another_constraint_set_must_be_accepted_and_quarantines(lived: Path, selfnas: Run, tmp_path: Path) -> None:
    """Without --accept-set the home refuses; with it every motif that the set forbids is quarantined, and verifies."""
    from agent.life.life import Life
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from constraints import load_set

    home = tmp_path / "home"
    shutil.copytree(lived / "home", home)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "stricter.yaml").write_text(STRICTER)
    refused = selfnas("run", "tiny.yaml", "--home", "home", "--set", "constraints=stricter.yaml", "--no-mirror")
    assert refused.returncode == 2
    digest = load_set(tmp_path / "stricter.yaml").digest
    assert f"--accept-set {digest[:12]}" in refused.stderr
    assert len(events(home)) == len(events(lived / "home"))

    foretold = selfnas("constraints", "impact", "stricter.yaml", "--home", "home", "--json")
    assert foretold.returncode == 0, foretold.stderr
    revoked = [item["architecture"] for item in json.loads(foretold.stdout)["revoked"]]

    document = read_stream(tmp_path / "tiny.yaml", overrides=[f"constraints={tmp_path}/stricter.yaml"])
    with Ledger(home / "ledger.db", clock=time.time) as ledger:
        life = Life(ledger, prepare(document), workers=None, home=Home(home), device="cpu", observer=None)  # type: ignore[arg-type]
        known = len(life.state.library)
        with pytest.raises(InputError, match="accept-set"):
            life.check_resumable(accept_set="0" * 12)
        life.check_resumable(accept_set=digest[:12])
        life._begin()
        quarantined = [motif for motif, _ in life.state.quarantined.values()]
        assert quarantined
        assert sorted(revoked) == sorted(motif.architecture for motif in quarantined)
        assert all("avg3" in motif.architecture or "skip" in motif.architecture for motif in quarantined)
        assert len(life.state.library) + len(quarantined) == known
        result = verify(ledger, Home(home))
    assert not result.problems
    assert result.checked["motifs judged again"] == len(quarantined)
