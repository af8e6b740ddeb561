"""`selfnas serve` as a person starts it: what it accepted ends, though it and its workers are killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.api.deploying import check
from agent.api.verifying import verified
from agent.orders.accepting import accept, sweep
from agent.orders.order import Order
from agent.orders.place import Place, holding, read_token
from agent.orders.queue import Queue
from agent.orders.supervising import Supervisor
from agent.orders.working import work
from selfnas.errors import InputError
from tests.agent.conftest import inside
from tests.agent.designing.conftest import SPEC
from tests.agent.service.conftest import DECIDED

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs in a process of its own."""

    process: subprocess.Popen[str]
    folder: Path
    port: int

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> bytes:
        """One request."""
        token = (self.folder / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "one"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return bytes(answer.read())

    def until(self, design: str, *, kind: str) -> dict[str, Any]:
        """The design, once it has an event of that kind."""
        end = time.monotonic() + 300
        while f"event: {kind}".encode() not in self.ask(f"/designs/{design}/events?wait=false"):
            assert time.monotonic() < end
            time.sleep(0.1)
        found: dict[str, Any] = json.loads(self.ask(f"/designs/{design}"))
        return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Served]:
    """The command as a person starts it; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "selfnas", "serve", "--folder", str(folder), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = list(iter(process.stdout.readline, "(Ctrl-C ends; open designs go on at the next start)\n"))
        assert f"http://127.0.0.1:{port}/" in lines[0]
        yield Served(process, folder, port)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_what_was_accepted_ends_though_server_and_worker_are_killed(tmp_path: Path) -> None:
    """The server during the search, then a worker; the bundle checks, the certificate is its own, the life verifies."""
    folder = tmp_path / "designs"
    with served(folder) as first:
        design = json.loads(first.ask("/designs", method="POST", body={"specification": SPEC}))["id"]
        first.until(design, kind="step")
    with served(folder) as second:
        assert json.loads(second.ask("/designs", method="POST", body={"specification": SPEC}))["id"] == design
        while (row := Queue(Place(folder).queue, time.time).find(design)) is None or row.state != "running":
            time.sleep(0.05)
        os.kill(worker_of(design), signal.SIGKILL)
        found = second.until(design, kind="ended")
        assert (found["state"], found["told"], found["attempts"] >= 2) == ("met", "", True)
        assert [line["verdict"] for line in found["answer"]["lines"]] == ["met"] * 4
        with zipfile.ZipFile(io.BytesIO(second.ask(f"/designs/{design}/bundle"))) as archive:
            archive.extractall(tmp_path)
        certificate = second.ask(f"/designs/{design}/certificate")
        with contextlib.suppress(ConnectionError):
            second.process.send_signal(signal.SIGINT)
        assert second.process.wait(60) == 0
    assert check(tmp_path / "bundle").problems == []
    assert (tmp_path / "bundle/certificate.json").read_bytes() == certificate
    assert verified(folder / "designs" / design / "design/life").problems == []


def worker_of(design: str) -> int:
    """The process that has a design."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"agent.orders.working" in words and design.encode() in words:
                    return int(path.parent.name)
        time.sleep(0.05)
    raise AssertionError("there is no worker")


@pytest.mark.slow
def test_a_running_design_is_cancelled_as_by_ctrl_c(tmp_path: Path) -> None:
    """It ends after the present step, and what was finished is kept: the command line goes on with it."""
    with served(tmp_path / "designs") as service:
        design = json.loads(service.ask("/designs", method="POST", body={"specification": SPEC}))["id"]
        service.until(design, kind="step")
        service.ask(f"/designs/{design}", method="DELETE")
        found = service.until(design, kind="ended")
    assert (found["state"], found["answer"]) == ("cancelled", None)
    folder = tmp_path / "designs/designs" / design
    done = inside(tmp_path, "design", folder / "specification.yaml", "--folder", folder / "design", "--workers", "1")
    assert (done.returncode, "tiny: met, all 4 lines" in done.stdout) == (0, True), done.stderr


def accepted(place: Place, queue: Queue, specification: str) -> str:
    """A design that was accepted and given out."""
    row = accept(Order(specification=specification), place, queue, key=None, most=9)
    queue.claim()
    return row.id


@pytest.mark.parametrize(("limit", "state"), [("<= 30 k", "possible"), ("<= 5", "impossible")])
def test_what_names_no_task_is_decided(limit: str, state: str, tmp_path: Path) -> None:
    """Without a search, with the sentences of the command line."""
    with holding(tmp_path) as place:
        queue = Queue(place.queue, time.time)
        queue.prepare()
        design = accepted(place, queue, DECIDED.replace("<= 30 k", limit))
        work(place, queue, design, 1, workers=1, device="cpu")
        row = queue.find(design)
        assert row is not None
        assert (row.state, row.answer) == (state, None)
        said = [each.text for each in queue.events(design, after=0, most=100) if each.kind == "said"]
        assert any("small: " in sentence for sentence in said)


def test_what_was_edited_after_it_was_accepted_is_refused(tmp_path: Path) -> None:
    """Before anything is computed of it."""
    with holding(tmp_path) as place:
        queue = Queue(place.queue, time.time)
        queue.prepare()
        design = accepted(place, queue, DECIDED)
        place.specification(design).write_text(DECIDED.replace("30 k", "31 k"))
        work(place, queue, design, 1, workers=1, device="cpu")
        row = queue.find(design)
        assert row is not None
        assert (row.state, "were changed after they were accepted" in row.told) == ("unusable", True)
        assert not place.made(design).root.exists()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (InputError("no such thing"), "unusable"),
        (OSError(28, "No space left on device"), "queued"),
        (KeyboardInterrupt(), "queued"),
    ],
)
def test_what_stops_a_worker(error: BaseException, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk and an end that was asked for are no answer; what cannot be used is."""

    def stopped(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("agent.orders.working.design", stopped)
    with holding(tmp_path) as place:
        queue = Queue(place.queue, time.time)
        queue.prepare()
        design = accepted(place, queue, DECIDED)
        with contextlib.suppress(KeyboardInterrupt):
            work(place, queue, design, 1, workers=1, device="cpu")
        row = queue.find(design)
        assert row is not None
        assert (row.state, row.answer) == (state, None)


def test_a_design_without_its_folder_ends(tmp_path: Path) -> None:
    """It has failed, and no worker is started."""
    with holding(tmp_path) as place:
        queue = Queue(place.queue, time.time)
        queue.prepare()
        design = accepted(place, queue, DECIDED)
        queue.recover()
        shutil.rmtree(place.folder(design))
        Supervisor(place=place, queue=queue, at_once=1, workers=1, device="cpu").step()
        row = queue.find(design)
        assert row is not None
        assert (row.state, row.told) == ("failed", "its folder is not there any more")


def test_what_a_killed_server_had_not_accepted_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """What the queue has stays, and so does what it never had."""
    with holding(tmp_path) as place:
        queue = Queue(place.queue, time.time)
        queue.prepare()
        design = accepted(place, queue, DECIDED)
        for name in (design, "half", ".partial", "mine"):
            place.folder(name).mkdir(exist_ok=True)
            (place.folder(name) / ("accepting" if name != "mine" else "notes.txt")).touch()
        sweep(place, queue)
        assert {each.name for each in place.designs.iterdir()} == {design, "mine"}
        assert [each.name for each in place.folder(design).iterdir()] == ["specification.yaml"]


def test_the_token_is_for_its_owner_alone(tmp_path: Path) -> None:
    """One that others may read is refused, and so is one that anybody could guess."""
    made = read_token(tmp_path / "token", make=True)
    assert (len(made) >= 32, (tmp_path / "token").stat().st_mode & 0o777) == (True, 0o600)
    assert read_token(tmp_path / "token", make=True) == made
    (tmp_path / "token").chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_token(tmp_path / "token", make=False)
    (tmp_path / "short").write_text("guess")
    (tmp_path / "short").chmod(0o600)
    for name, says in (("short", "one word of 20"), ("none", "no such file"), (".", "is a directory")):
        with pytest.raises(InputError, match=says):
            read_token(tmp_path / name, make=False)


def test_one_server_answers_in_a_folder(tmp_path: Path) -> None:
    """The second is told so; the folder is private."""
    with holding(tmp_path / "one"):
        assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
        done = inside(tmp_path, "serve", "--folder", tmp_path / "one", "--port", "1")
        assert (done.returncode, "another server answers there" in done.stderr) == (2, True)
    done = inside(tmp_path, "serve", "--folder", tmp_path / "one", "--host", "0.0.0.0")  # noqa: S104
    assert (done.returncode, "say with --name" in done.stderr) == (2, True)
