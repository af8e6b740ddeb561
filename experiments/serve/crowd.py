"""Orders that come all at once: each is answered, and what is kept is what was accepted.

`python -m experiments.serve.crowd http://127.0.0.1:8000 FOLDER` against a service that runs: `selfnas serve --folder
FOLDER --at-once 0 --most-open 100`.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

_SPECIFICATION = """\
design: rows
format: 1
task: {name: digits, source: digits}
targets: {parameters: "<= 30 k"}
"""


def main(
    address: Annotated[str, typer.Argument(help="Of the service.")],
    folder: Annotated[Path, typer.Argument(help="Of the service.")],
    count: Annotated[int, typer.Option(help="How many orders.")] = 200,
) -> None:
    """Send, count, compare."""
    headers = {"Authorization": f"Bearer {(folder / 'token').read_text().strip()}", "Content-Type": "application/json"}

    def ask(path: str, body: object = None) -> tuple[int, bytes, float]:
        began, content = time.monotonic(), None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{address}{path}", content, headers)  # noqa: S310 - of this machine
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310
                return answer.status, answer.read(), time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, error.read(), time.monotonic() - began

    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(lambda _: ask("/designs", {"specification": _SPECIFICATION}), range(count)))
    accepted = {json.loads(body)["id"] for status, body, _ in answers if status == 202}
    kept = {each.name for each in (folder / "designs").iterdir()}
    listed = {each["id"] for each in json.loads(ask("/designs?limit=200")[1])["designs"]}
    seconds = sorted(each[2] for each in answers)
    print(f"answers: {dict(Counter(each[0] for each in answers))}")
    print(f"seconds to an answer: median {seconds[count // 2]:.1f}, longest {seconds[-1]:.1f}")
    print(f"accepted {len(accepted)}, kept {len(kept)}, listed {len(listed)}, the same: {accepted == kept == listed}")


if __name__ == "__main__":
    typer.run(main)
