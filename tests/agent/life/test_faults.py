"""What breaks around a life: each fault is said clearly, corrupts nothing, and the life goes on to the same future."""

import errno
import multiprocessing
import os
import resource
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.ledger.events import OperatorRevoked
from agent.ledger.home import Home, StorageError, hold
from agent.ledger.store import GENESIS, Event, Ledger, LedgerError, event_hash
from agent.state.state import replay
from agent.verify.verification import verify
from agent.workers import process as worker
from agent.workers.executor import WorkerDied
from agent.workers.kept import keep
from agent.workers.pool import Workers
from selfnas.errors import InputError
from tests.agent.conftest import Run, inside
from tests.agent.made_up import blank

TABLE = """\
stream: faults
format: 1
budget: {evaluations: 12, full_trainings: 2}
policy: {population: 6, sample: 3, batch: 4, recall: 2}
tasks:
  - {name: one, source: table, dataset: a}
"""
LIVE = ("run", "faults.yaml", "--workers", "1", "--no-mirror", "--home")


def events(home: Path) -> list[Event]:
    """Every event of a life."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life on one task of a table that nothing disturbed."""
    place = tmp_path_factory.mktemp("faults")
    (place / "faults.yaml").write_text(TABLE)
    done = inside(place, *LIVE, "whole")
    assert done.returncode == 0, done.stderr
    return place


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: what a full disk does to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_a_life_that_then_goes_on(lived: Path) -> None:
    """Exit code 1 and a sentence; the ledger holds whole steps alone; with room the life ends as if nothing was."""
    whole = events(lived / "whole")
    with files_at_most(60_000):
        full = inside(lived, *LIVE, "full")
    assert full.returncode == 1
    assert "this step was not written" in full.stderr
    assert "the same command goes on" in full.stderr
    with Ledger(Home(lived / "full").ledger, clock=time.time, read_only=True) as ledger:
        assert not list(ledger.broken_links())
        kept = list(ledger.events())
    assert 0 < len(kept) < len(whole)
    assert kept == whole[: len(kept)]
    assert inside(lived, *LIVE, "full").returncode == 0
    assert events(lived / "full") == whole


def test_a_disk_that_is_full_for_weights_is_not_blamed_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's answer is an error that stops the life, never a failed candidate; nothing half-written stays."""
    import torch

    with files_at_most(1000), pytest.raises(OSError, match="too large"):
        keep({"w": torch.zeros(10_000)}, tmp_path)
    assert not list(tmp_path.iterdir())

    def full(job: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "_low", full)
    task = '{"name": "t", "source": "digits"}'
    architecture, digest = "nb201/c4n1r8:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|", "0" * 64
    job = (
        f'{{"kind": "low", "task": {task}, "task_digest": "{digest}", "base": ".", "device": "cpu", "seed": 0, '
        f'"architecture": "{architecture}", '
        '"training": {}, "fidelity": {"epochs": 1}}'
    )
    with pytest.raises(StorageError, match="No space left"):
        worker.run_job(job)


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_home_is_refused_for_living_and_open_for_looking(lived: Path) -> None:
    """Exit code 2 names the home; verification reads it all the same and leaves no file behind."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        home.mkdir()
        ledger = home / "ledger.db"
        ledger.write_bytes(Home(lived / "whole").ledger.read_bytes())
        Path(place).chmod(0o755)
        home.chmod(0o555)
        with nobody():
            with pytest.raises(InputError, match=r"cannot be used: permission denied"), hold(home):
                pass
            with Ledger(ledger, clock=time.time, read_only=True) as opened:
                assert not verify(opened, Home(home)).problems
        assert [path.name for path in home.iterdir()] == ["ledger.db"]
        home.chmod(0o755)


@pytest.mark.parametrize(("deaths", "answer"), [(1, str), (2, WorkerDied)])
def test_a_killed_worker_is_replaced_and_its_job_tried_once_more(deaths: int, answer: type) -> None:
    """One death costs nothing; a second one on the same job is its answer, and the pool works on."""
    with Workers(1) as workers:
        killed: set[int] = set()

        def kill() -> None:
            while len(killed) < deaths:
                for process in [*(workers._pool._processes or {}).values()]:
                    if process.pid is not None and process.pid not in killed:
                        killed.add(process.pid)
                        os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.001)

        killer = threading.Thread(target=kill)
        killer.start()
        (found,) = workers.answers([""])
        killer.join()
        assert isinstance(found, answer)
        assert workers.answers([""]) == ("",)


def _hold_forever(home: Path, held: object) -> None:
    with hold(home):
        held.set()  # type: ignore[attr-defined]
        time.sleep(600)


def test_workers_killed_while_nobody_asks_are_replaced() -> None:
    """The pool notices their end at once, so that the next question meets a broken one."""
    with Workers(2) as workers:
        assert workers.answers(["", ""]) == ("", "")
        idle = list((workers._pool._processes or {}).values())
        for process in idle:
            process.kill()
            process.join(20)
        while workers._pool._broken is False:  # type: ignore[attr-defined]
            time.sleep(0.01)
        assert workers.answers(["", "", ""]) == ("", "", "")


def test_a_held_home_names_its_holder_and_is_free_once_that_was_killed(lived: Path) -> None:
    """A second agent gets exit code 2 and the process id at once; a lock does not outlive SIGKILL."""
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold_forever, args=(lived / "held", held))
    holder.start()
    assert held.wait(30)
    refused = inside(lived, *LIVE, "held")
    assert refused.returncode == 2
    assert f"another agent lives here (process {holder.pid}, since" in refused.stderr
    holder.kill()
    holder.join()
    holder.close()
    with hold(lived / "held"):
        pass


def test_a_clock_that_is_set_back_changes_nothing(lived: Path, tmp_path: Path) -> None:
    """Events written under a clock that runs backwards have the same chain and verify."""
    home = Home(tmp_path)
    clock = iter(range(10**6, 0, -1000))
    with Ledger(home.ledger, clock=lambda: float(next(clock))) as ledger:
        for event in events(lived / "whole"):
            ledger.append([event.facts])
        assert list(ledger.events()) == events(lived / "whole")
        assert not verify(ledger, home).problems
        times = list(ledger.times().values())
    assert times == sorted(times, reverse=True)


def test_what_a_killed_step_left_half_written_is_removed(tmp_path: Path) -> None:
    """Partial weights and directories of one step go when the home is held again; whole weights stay."""
    with hold(tmp_path):
        pass
    (tmp_path / "weights" / "ab.123.partial").write_bytes(b"half")
    (tmp_path / "weights" / "cd.safetensors").write_bytes(b"whole")
    (tmp_path / "step-x").mkdir()
    (tmp_path / "step-x" / "f").write_bytes(b"")
    with hold(tmp_path):
        assert [path.name for path in (tmp_path / "weights").iterdir()] == ["cd.safetensors"]
        assert not (tmp_path / "step-x").exists()


FORMAT_1 = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE clock (seq INTEGER PRIMARY KEY, unix_seconds REAL NOT NULL) STRICT;
CREATE TRIGGER events_are_final BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE VIEW library AS
    SELECT seq, json_extract(payload, '$.digest') AS digest, json_extract(payload, '$.architecture') AS architecture,
           json_extract(payload, '$.task') AS task, json_extract(payload, '$.validation') AS validation
    FROM events WHERE kind = 'admitted';
PRAGMA application_id=98693285;
PRAGMA user_version=1;
"""


def test_a_ledger_of_format_1_is_read_as_it_is_and_migrated_when_a_life_goes_on(lived: Path, tmp_path: Path) -> None:
    """Looking changes nothing; opening for writing makes format 4 of it, with the same events; others are refused."""
    home, whole = Home(tmp_path / "old"), events(lived / "whole")
    home.root.mkdir()
    old = sqlite3.connect(home.ledger)
    old.executescript(FORMAT_1)
    previous = GENESIS
    steps = whole[: [event.kind for event in whole].index("tabulated")]
    for event in steps:
        text = event.facts.to_json()
        digest = event_hash(event.seq, event.kind, text, previous)
        old.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (event.seq, event.kind, text, previous, digest))
        old.execute("INSERT INTO clock VALUES (?, 1.0)", (event.seq,))
        previous = digest
    old.commit()
    assert events(home.root) == steps
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    (tmp_path / "faults.yaml").write_text(TABLE)
    done = inside(tmp_path, *LIVE, "old")
    assert done.returncode == 0, done.stderr
    assert events(home.root) == whole
    assert old.execute("PRAGMA user_version").fetchone() == (4,)
    assert old.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('landmarks', 'decisions')").fetchone() == (2,)
    old.execute("PRAGMA user_version = 0")
    old.commit()
    old.close()
    refused = inside(tmp_path, *LIVE, "old")
    assert refused.returncode == 2
    assert "ledger format 0, but this release reads formats 1 to 4" in refused.stderr


def test_a_mirror_that_is_gone_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selfnas: Run) -> None:
    """The life ends well, says what MLflow lacks, and has the chain that it would have had."""
    (tmp_path / "faults.yaml").write_text(TABLE)
    monkeypatch.setattr("agent.mirror.writer.tracking_uri", lambda: "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = selfnas("run", "faults.yaml", "--workers", "1", "--home", "home")
    assert done.returncode == 0, done.stderr
    assert "1 task(s) are not in MLflow yet; `selfnas mirror` writes them" in done.stdout
    with Ledger(Home(tmp_path / "home").ledger, clock=time.time, read_only=True) as ledger:
        assert replay(ledger).runs[0].finished


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The error names the file, and what was there before is whole."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as ledger:
        ledger.append([blank(OperatorRevoked, reason="y" * 1000)])
        head = ledger.head()
        with files_at_most(1000), pytest.raises(LedgerError, match=r"ledger\.db: this step was not written"):
            ledger.append([blank(OperatorRevoked, reason="y" * 100_000)])
        assert ledger.head() == head
        assert ledger.append([blank(OperatorRevoked)])[0].seq == 1
