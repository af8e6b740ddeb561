"""`selfnas ui`: the desk in the browser, and MLflow's own server on this life's records beside it."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.desk.guarding import Access
from agent.desk.serving import child, ending_well, serve_desk
from agent.ledger.signature import private_key
from agent.ledger.store import reading
from agent.mirror.addresses import server_settings, tracking_uri, without_password
from agent.state.state import replay
from selfnas.errors import InputError

__all__ = ["serve", "server_command"]

_HERE = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - named to be refused without a name


def serve(
    home: Path,
    *,
    host: str,
    port: int,
    mlflow_port: int | None,
    names: Sequence[str],
    author: str,
    mlflow: bool,
    beside: Sequence[Path],
    sign: Path | None,
) -> None:
    """Start both, say where they are, and answer until somebody ends it.

    Args:
        home: directory of a life.
        host: address to listen on.
        port: of the desk.
        mlflow_port: of MLflow; None for the next one.
        names: hosts that people type, beside `host`.
        author: who is taken to decide; empty for the user of this session.
        mlflow: whether MLflow is started.
        beside: homes of other lives that this one is compared with.
        sign: private key of the one person who decides here; None signs nothing.

    Raises:
        InputError: there is no life in this home, or nobody can listen there.
    """
    with reading(home) as ledger:
        streams = sorted({run.started.record.stream for run in replay(ledger).runs})
    for other in beside:
        with reading(other):
            pass
    if host in _EVERYWHERE and not names:
        raise InputError(f"--host {host}: say with --name under which name people reach this machine")
    mlflow_at = port + 1 if mlflow_port is None else mlflow_port
    uri, shown = tracking_uri(), _shown(host if host not in _EVERYWHERE else names[0])
    served = uri if uri.startswith(("http://", "https://")) else f"http://{shown}:{mlflow_at}"
    key = None if sign is None else private_key(sign)
    access = Access(port=port, names=[*names, *({host} - {*_EVERYWHERE, *_HERE})])
    try:
        author = author or getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        author = ""

    def ready() -> None:
        print(f"desk of {home}: http://{shown}:{port}/?key={access.key}")
        if mlflow:
            print(f"MLflow, experiments {', '.join(streams)}: {without_password(served)}")
        print("(Ctrl-C ends)", flush=True)

    with contextlib.ExitStack() as stack:
        stack.enter_context(ending_well())
        if mlflow and served != uri:
            _check_free(host, mlflow_at)
            quiet = {"MLFLOW_LOGGING_LEVEL": "WARNING", **os.environ, **server_settings()}
            stack.enter_context(child(server_command(uri, host=host, port=mlflow_at), quiet))
        mirror = [sys.executable, "-m", "selfnas", "mirror", "--home", str(home)] if mlflow else []
        lags = serve_desk(
            home, access=access, host=host, author=author, mlflow=served if mlflow else "", mirror=mirror,
            beside=beside, key=key, ready=ready,
        )  # fmt: skip
    if lags:
        print(f"MLflow lacks the latest decisions: selfnas mirror --home {shlex.quote(str(home))} writes them")


def server_command(uri: str, *, host: str, port: int) -> list[str]:
    """What starts MLflow's server on a store; it wants `server_settings` in its environment."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    return [*command, "--host", host, "--port", str(port), "--workers", "1", *quiet]


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"--mlflow-port {port}: nobody can listen there: choose another, or --no-mlflow"
            ) from error
