"""The desk and MLflow's server as one command: both start, both end, whatever ends the command."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.desk.app import Desk, application
from agent.desk.guarding import Access
from agent.desk.inbox import Inbox
from agent.desk.view import View
from selfnas.errors import InputError, cause

__all__ = ["Following", "child", "ending_well", "listening", "serve_desk"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_POLL = 1.0  # seconds between two looks at what waits
_REST = 3.0  # seconds without a decision after which MLflow is brought up to date
_GRACE = 5.0  # seconds that a process has to end by itself


@contextlib.contextmanager
def child(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the block, with all that it started; on Linux also where this one is killed."""
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform.startswith("linux") else None,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def ending_well() -> Iterator[None]:
    """Leave the block as by an exception when this process is asked to end, so that what it started is ended too."""

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(slots=True)
class Following:
    """Takes in decisions that waited, and brings MLflow up to date once nobody has decided for a while.

    Attributes:
        inbox: whose decisions are taken in.
        mirror: command that writes the life's records; empty for none.
    """

    inbox: Inbox
    mirror: Sequence[str] = ()
    _decided: float | None = None  # when the last decision was taken that MLflow was not told of
    _writing: subprocess.Popen[bytes] | None = None

    def decided(self) -> None:
        """A decision became an event."""
        self._decided = time.monotonic()

    @property
    def lags(self) -> bool:
        """Whether MLflow lacks a decision that was taken here."""
        return bool(self.mirror) and (self._decided is not None or self._writing is not None)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Do so on a thread until the block ends; what is being written then is broken off."""
        ended = threading.Event()
        thread = threading.Thread(target=self._follow, args=(ended,), name="desk", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self._writing is not None and self._writing.poll() is None:
                _end(self._writing)

    def _follow(self, ended: threading.Event) -> None:
        while not ended.wait(_POLL):
            if self.inbox.take_in():
                self.decided()
            self._write()

    def _write(self) -> None:
        if self._writing is not None and self._writing.poll() is not None:
            self._writing = None
        since = self._decided
        if self._writing is not None or since is None or not self.mirror or time.monotonic() - since < _REST:
            return
        self._decided = None
        self._writing = subprocess.Popen(  # noqa: S603 - our own command, no shell
            self.mirror, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def serve_desk(
    home: Path,
    *,
    access: Access,
    host: str,
    author: str,
    mlflow: str,
    mirror: Sequence[str],
    beside: Sequence[Path],
    key: Ed25519PrivateKey | None,
    ready: Callable[[], None],
) -> bool:
    """Answer browsers until somebody ends it; whether MLflow lacks a decision then.

    Args:
        home: directory of a life.
        access: what browsers must show.
        host: address to listen on.
        author: who is taken to decide.
        mlflow: address of MLflow's server; empty where there is none.
        mirror: command that writes the life's records; empty for none.
        beside: homes of other lives that it is compared with.
        key: of the one person who decides here; None signs nothing.
        ready: called once the address is taken.

    Raises:
        InputError: nobody can listen there.
    """
    import uvicorn

    following = Following(Inbox(home, key=key), mirror=mirror)
    desk = Desk(
        view=View(home), inbox=following.inbox, access=access, author=author, mlflow=mlflow, decided=following.decided,
        beside=[View(other) for other in beside],
    )  # fmt: skip
    with contextlib.closing(listening(host, access.port)) as taken:
        ready()
        config = uvicorn.Config(
            application(desk), log_level="warning", access_log=False, ws="none", server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        with following.running(), contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[taken])
    return following.lags


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        InputError: nobody can.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(128)  # so that nobody who has read the address is turned away
    except OSError as error:
        taken.close()
        raise InputError(f"--host {host} --port {port}: nobody can listen there: {cause(error)}") from error
    return taken
