"""Hooks of schemathesis: half of the requests are of designs that exist, and of orders that are of the right form.

Without them nearly every request ends at the first check. `SCHEMATHESIS_HOOKS=experiments/serve/hooks.py` loads this.
"""

from __future__ import annotations

import base64
import json
import os
import random
import urllib.request
from typing import Any

import schemathesis

_CHOICE = random.Random(0)
_ADDRESS, _TOKEN = os.environ["SERVE_ADDRESS"], os.environ["SERVE_TOKEN"]
_DECIDED = """\
design: {name}
format: 1
space: nb201
macro: c8n1r8
shape: 1x8x8/10
targets: {{parameters: "{limit}"}}
"""
_OWN = """\
design: rows
format: 1
task: {{name: rows, source: {source}, path: {path}}}
targets: {{accuracy: ">= 0.5 @audit"}}
search: {{budget: {{evaluations: 1, full_trainings: 1}}}}
"""


def _ids() -> list[str]:
    request = urllib.request.Request(  # noqa: S310 - of this machine
        f"{_ADDRESS}/designs?limit=200", headers={"Authorization": f"Bearer {_TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return [each["id"] for each in json.load(answer)["designs"]]


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Now and then a design that is there."""
    if path_parameters and "design" in path_parameters and _CHOICE.random() < 0.5 and (known := _ids()):
        path_parameters["design"] = _CHOICE.choice(known)
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A stream that waits for a design would only wait."""
    if case.operation.path.endswith("/events") and case.query.get("wait", True) in (True, "true"):
        case.query["wait"] = "false"


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Now and then an order that is nearly right, or right."""
    if not isinstance(body, dict) or _CHOICE.random() < 0.5:
        return body
    if _CHOICE.random() < 0.5:
        limit = _CHOICE.choice(["<= 30 k", "<= 5", "<= 30 kB", ">= 1 G", "= 3", ""])
        return {"specification": _DECIDED.format(name=_CHOICE.choice(["a", "b", "../c"]), limit=limit)}
    content = _CHOICE.choice([b"x,y\n1,0\n", b"PK\x03\x04", os.urandom(200), b"\x93NUMPY", b"@data\n1:a\n", b""])
    path = _CHOICE.choice(["rows.csv", "rows.npz", "rows.ts", "rows.parquet", "/etc/passwd", "../token"])
    text = _OWN.format(source=_CHOICE.choice(["csv", "npz", "ts", "parquet", "folder", "digits"]), path=path)
    name = path if _CHOICE.random() < 0.8 else "other.csv"
    return {"specification": text, "data": {"name": name, "base64": base64.b64encode(content).decode()}}
