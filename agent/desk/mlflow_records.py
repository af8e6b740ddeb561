"""Where MLflow shows a finalist, asked of MLflow's own server, so that its package need not be loaded here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["address_of_run"]

_PATIENCE = 10.0  # seconds


def address_of_run(server: str, *, stream: str, key: str, digest: str) -> str | None:
    """The page of a finalist's run; None where MLflow has no such record.

    Args:
        server: address of MLflow's server.
        stream: name of the experiment.
        key: of the task, as `agent.mirror.keys.task_key` gives it.
        digest: of the finalist.

    Raises:
        OSError: the server does not answer as MLflow does.
    """
    try:
        found = _asked(f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(stream, safe='')}")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    experiment = str(found.get("experiment", {}).get("experiment_id", ""))
    query = f"tags.task_key = '{key}' and tags.digest = '{digest}'"
    wanted = {"experiment_ids": [experiment], "filter": query, "max_results": 1}
    runs = _asked(f"{server}/api/2.0/mlflow/runs/search", wanted).get("runs", [])
    return f"{server}/#/experiments/{experiment}/runs/{runs[0]['info']['run_id']}" if runs else None


def _asked(address: str, wanted: Mapping[str, object] | None = None) -> dict[str, Any]:
    """What the server answers; the address is one of http that the desk was started with."""
    body = None if wanted is None else json.dumps(wanted).encode()
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
        try:
            found = json.load(answer)
        except ValueError as error:
            raise OSError("what answers there is not MLflow") from error
    if not isinstance(found, dict):
        raise OSError("what answers there is not MLflow")
    return found
