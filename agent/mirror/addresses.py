"""Where MLflow keeps the records of a life, and what an MLflow server for reviewers is started with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

__all__ = ["server_settings", "store_is_missing", "tracking_uri", "without_password"]

_PASSWORD = re.compile(r"(//[^\s/@:]*):[^\s/@]*@")


def tracking_uri() -> str:
    """Where MLflow keeps its records: `MLFLOW_TRACKING_URI`, or `mlflow.db` in the current directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{quote(str(_own_store()))}"


def store_is_missing() -> bool:
    """Whether records would be looked for in a file of the current directory, and there is none."""
    return not os.environ.get("MLFLOW_TRACKING_URI") and not _own_store().is_file()


def _own_store() -> Path:
    return Path("mlflow.db").resolve()


def without_password(text: str) -> str:
    """An address, or a text with addresses, as it may be printed.

    Example:
        >>> without_password("postgresql://ann:secret@host/db")
        'postgresql://ann:***@host/db'
    """
    return _PASSWORD.sub(r"\1:***@", text)


def server_settings() -> dict[str, str]:
    """Environment of an MLflow server for reviewers: nothing reported home, no workers for jobs that nobody starts."""
    return {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
