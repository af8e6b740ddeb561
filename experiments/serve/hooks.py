"""Hooks of schemathesis: many requests are of designs that exist, and of orders that are right or nearly so.

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
_KNOWN: list[str] = []
_ROWS = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (n, n * n % 7, n % 2) for n in range(80))
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
task: {{name: rows, source: {source}, path: {path}, target: {{kind: classification, column: y}}}}
targets: {{accuracy: ">= 0.5 @audit"}}
search: {{budget: {{evaluations: 1, full_trainings: 1}}}}
"""


def _ids() -> list[str]:
    """Of designs that exist, looked up now and then."""
    if not _KNOWN or _CHOICE.random() < 0.02:
        request = urllib.request.Request(f"{_ADDRESS}/designs", headers={"Authorization": f"Bearer {_TOKEN}"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - of this machine
            _KNOWN[:] = [each["id"] for each in json.load(answer)["designs"]]
    return _KNOWN


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Now and then a design that is there, or an order that is nearly right; a stream that would only wait does not."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and "design" in (case.path_parameters or {}) and _CHOICE.random() < 0.5 and _ids():
        case.path_parameters["design"] = _CHOICE.choice(_KNOWN)
    if positive and case.operation.method.upper() == "POST" and _CHOICE.random() < 0.7:
        case.body = _order()
    if case.operation.path.endswith("/events") and case.query.get("wait", True) in (True, "true"):
        case.query["wait"] = "false"


def _order() -> dict[str, Any]:
    """One that may be accepted, or whose data are not what they say."""
    if _CHOICE.random() < 0.5:
        limit = _CHOICE.choice(["<= 30 k", "<= 5", "<= 30 kB", ">= 1 G", "= 3", ""])
        return {"specification": _DECIDED.format(name=_CHOICE.choice(["a", "b", "../c"]), limit=limit)}
    content = _CHOICE.choice([_ROWS, b"x,y\n1,0\n", b"PK\x03\x04", _CHOICE.randbytes(200), b"@data\n1:a\n", b""])
    path = _CHOICE.choice(["rows.csv", "rows.csv", "rows.npz", "rows.ts", "rows.parquet", "/etc/passwd", "../token"])
    source = _CHOICE.choice(["csv", "csv", "npz", "ts", "parquet", "folder", "digits"])
    name = path if _CHOICE.random() < 0.8 else "other.csv"
    data = {"name": name, "base64": base64.b64encode(content).decode()}
    return {"specification": _OWN.format(source=source, path=path), "data": data}
