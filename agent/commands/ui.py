"""`selfnas ui`: MLflow's own server on this life's records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent.commands.inspect import open_life
from agent.state import mapping, replay
from agent.tracking import tracking_uri

__all__ = ["serve"]


def serve(home: Path, *, host: str, port: int) -> int:
    """Run `mlflow server` until it is stopped; answers its exit code.

    Raises:
        InputError: there is no life in this home.
    """
    with open_life(home) as ledger:
        streams = sorted({str(mapping(run.started["stream"])["stream"]) for run in replay(ledger).runs})
    print(f"experiments {', '.join(streams)} at http://{host}:{port} (Ctrl-C ends)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(), "--host", host]
    command += ["--port", str(port), "--workers", "1"]
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603 - no shell, arguments of our own
    except KeyboardInterrupt:
        return 0
