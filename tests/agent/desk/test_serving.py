"""`selfnas ui`: both servers start with one command, tell their addresses, load nothing heavy, and end with it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.api.reviewing import Wish
from agent.desk.inbox import Inbox
from agent.desk.serving import Following
from agent.ledger.home import hold
from tests.agent.conftest import inside
from tests.agent.desk.conftest import decisions, events_of
from tests.agent.report.test_desk import HEAVY

ROOT = Path(__file__).parents[3]
TELL = f"""
import atexit, sys
atexit.register(lambda: print('loaded:', sorted(name for name in {HEAVY} if name in sys.modules)))
from agent.cli import main
main()
"""


def free_port() -> int:
    """One that nobody listens on, nor on the next."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def started(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command as a person starts it, and the lines that it prints up to the last."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{home.parent}/mlflow.db"}
    command = [sys.executable, "-c", TELL, "ui", "--home", str(home), *words]
    process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = list(iter(process.stdout.readline, "(Ctrl-C ends)\n"))
        yield process, lines
    finally:
        process.kill()
        process.communicate()


def answers(address: str) -> bool:
    """Whether anything answers there."""
    try:
        urllib.request.urlopen(address, timeout=10).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_the_desk_alone_loads_nothing_heavy(home: Path) -> None:
    """It prints its address, answers with the key alone, and ends on a signal with code 0."""
    port = free_port()
    with started(home, "--no-mlflow", "--port", str(port)) as (process, lines):
        (address,) = re.findall(rf"http://127.0.0.1:{port}/\?key=\S+", "".join(lines))
        assert answers(f"http://127.0.0.1:{port}/")
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(address, timeout=60).read().decode()
        assert "await a decision" in page
        event = events_of(home, standing="admitted")[0]
        assert str(event) in opener.open(f"http://127.0.0.1:{port}/item/{event}", timeout=60).read().decode()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "loaded: []"
    assert errors == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_mlflow_ends_with_the_desk(number: signal.Signals, home: Path) -> None:
    """However that ends; both addresses are printed, and both are free afterwards."""
    port = free_port()
    desk, mlflow = f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port + 1}/"
    with started(home, "--port", str(port)) as (process, lines):
        assert desk in "".join(lines)
        assert mlflow.rstrip("/") in "".join(lines)
        end = time.monotonic() + 300
        while not answers(f"{mlflow}health"):
            assert time.monotonic() < end
            time.sleep(0.5)
        process.send_signal(number)
        process.wait(60)
        while answers(f"{mlflow}health") or answers(desk):
            assert time.monotonic() < end
            time.sleep(0.2)


def test_a_port_that_is_taken_is_said(home: Path) -> None:
    """Of the desk and of MLflow, before anything is started; an address for everybody needs a name."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = inside(home.parent, "ui", "--home", home, "--no-mlflow", "--port", port)
        assert done.returncode == 2
        assert f"--port {port}: nobody can listen there" in done.stderr
        done = inside(home.parent, "ui", "--home", home, "--port", str(free_port()), "--mlflow-port", port)
        assert done.returncode == 2
        assert f"--mlflow-port {port}: nobody can listen there" in done.stderr
    done = inside(home.parent, "ui", "--home", home, "--no-mlflow", "--host", "0.0.0.0")  # noqa: S104
    assert done.returncode == 2
    assert "say with --name" in done.stderr


def test_mlflow_is_brought_up_to_date_once_after_decisions(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody has decided for a while; not without a decision."""
    monkeypatch.setattr("agent.desk.serving._POLL", 0.01)
    monkeypatch.setattr("agent.desk.serving._REST", 0.05)
    told = home.parent / "told"
    following = Following(Inbox(home), mirror=[sys.executable, "-c", f"open({str(told)!r}, 'a').write('x')"])
    with following.running():
        assert not following.lags
        for _ in range(3):
            following.decided()
        assert following.lags
        while not told.exists() or following.lags:
            time.sleep(0.01)
        following.decided()
        while told.read_text() != "xx":
            time.sleep(0.01)
    with following.running():
        pass
    assert told.read_text() == "xx"


def test_decisions_that_waited_are_taken_in_while_mlflow_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes; what is still being written at the end is broken off."""
    monkeypatch.setattr("agent.desk.serving._POLL", 0.01)
    monkeypatch.setattr("agent.desk.serving._REST", 0.0)
    monkeypatch.setattr("agent.desk.inbox._PATIENCE", 0.0)
    inbox = Inbox(home)
    following = Following(inbox, mirror=[sys.executable, "-c", "import time; time.sleep(600)"])
    with following.running():
        following.decided()
        with hold(home):
            inbox.decide([Wish(decision="approve", event=events_of(home, standing="admitted")[0], author="ann")])
        while list(inbox.letters()):
            time.sleep(0.01)
        assert decisions(home)[-1][1].author == "ann"
    assert following.lags
