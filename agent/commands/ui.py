"""`selfnas ui`: MLflow's own server on this life's records."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from agent.ledger.store import reading
from agent.mirror.writer import server_settings, tracking_uri
from agent.state.state import replay

__all__ = ["serve", "server_command"]


def serve(home: Path, *, host: str, port: int) -> NoReturn:
    """Become `mlflow server`, so that whatever stops this process stops the server and leaves nothing behind.

    Raises:
        InputError: there is no life in this home.
    """
    with reading(home) as ledger:
        streams = sorted({run.started.record.stream for run in replay(ledger).runs})
    print(f"experiments {', '.join(streams)} at http://{host}:{port} (Ctrl-C ends)", flush=True)
    command = server_command(tracking_uri(), host=host, port=port)
    os.execve(command[0], command, os.environ | server_settings())  # noqa: S606 - no shell, arguments of our own


def server_command(uri: str, *, host: str, port: int) -> list[str]:
    """What starts MLflow's server on a store; it wants `agent.mirror.writer.server_settings` in its environment."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    return [*command, "--host", host, "--port", str(port), "--workers", "1"]
