"""A service whose server and workers are killed at random moments: does every accepted design end, and rightly?

`python -m experiments.serve.kills FOLDER --kills 50 --seed 0` from the root of a checkout, with the extra `onnx`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.api.deploying import check
from agent.api.verifying import verified
from agent.ledger.events import Deployed
from agent.ledger.store import reading
from agent.orders.place import Place

_SPECIFICATION = """\
design: tiny
format: 1
task: {name: digits, source: digits, limit: 900}
space: nb201
macro: [c4n1r8, c8n1r8]
precision: float32
targets:
  parameters: "<= 30 k"
  file: "<= 150 kB"
  accuracy: ">= 0.7 @audit"
search:
  budget: {evaluations: 2, full_trainings: 2}
  low: {epochs: 1, steps: 0, fraction: 0.5}
  full: {epochs: 8, steps: 0}
  training: {recipe: plain}
  policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
"""
_OPEN = ("queued", "running")
_LONGEST = 20.0  # seconds between two kills, at most
_AHEAD = 2  # designs that are open while it is killed


class Killed:
    """A service that is started again whenever it was killed."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder.absolute())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """As a person would."""
        command = [sys.executable, "-m", "selfnas", "serve", "--folder", str(self.place.root), "--port", str(self.port)]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        assert self.server.stdout is not None  # noqa: S101 - a pipe
        for line in self.server.stdout:
            if line.startswith("(Ctrl-C"):
                return
        raise SystemExit("the server did not start")

    def ask(self, path: str, body: object = None) -> Any:
        """One request."""
        headers = {
            "Authorization": f"Bearer {self.place.token.read_text().strip()}",
            "Content-Type": "application/json",
        }
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return json.load(answer)

    def designs(self) -> list[dict[str, Any]]:
        """All that were accepted."""
        return list(self.ask("/designs?limit=200")["designs"])

    def workers(self) -> list[int]:
        """Processes that answer designs of this folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"agent.orders.working" in words and str(self.place.root).encode() in words:
                    found.append(int(path.parent.name))
        return found


def main(
    folder: Annotated[Path, typer.Argument(help="Where the service keeps its designs.")],
    most: Annotated[int, typer.Option("--kills", help="How many.")] = 50,
    seed: Annotated[int, typer.Option(help="Of moments and victims.")] = 0,
) -> None:
    """Kill, wait, judge, print."""
    draw, service, kills = random.Random(seed), Killed(folder), Counter[str]()
    began = time.monotonic()
    while kills.total() < most:
        while sum(each["state"] in _OPEN for each in service.designs()) < _AHEAD:
            service.ask("/designs", {"specification": _SPECIFICATION})
        time.sleep(draw.uniform(0.0, _LONGEST))
        workers = service.workers()
        if draw.random() < 0.5 and workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(workers), signal.SIGKILL)
            kills["worker"] += 1
        else:
            service.server.kill()
            service.server.wait()
            kills["server"] += 1
            service.start()
        print(f"{kills.total()} kills after {time.monotonic() - began:.0f} s", flush=True)
    while any(each["state"] in _OPEN for each in service.designs()):
        time.sleep(1.0)
    print(f"kills: {dict(kills)}; {time.monotonic() - began:.0f} s")
    chains = Counter[str]()
    for each in service.designs():
        home, bundle = service.place.home(each["id"]).root, service.place.made(each["id"]).bundle
        problems = [*verified(home).problems, *(check(bundle).problems if bundle.exists() else ["no bundle"])]
        chains[_searched(home)] += 1  # of one that failed there is none
        print(
            f"{each['number']}: {each['state']}, {each['attempts']} attempts, {len(problems)} problems {problems[:1]}"
        )
    print(f"chains of searches: {len(chains)} different ones")
    service.server.send_signal(signal.SIGINT)
    service.server.wait()


def _searched(home: Path) -> str:
    """The hash of the last event of a search."""
    with reading(home) as ledger:
        return next((event.previous for event in ledger.events() if isinstance(event.facts, Deployed)), "none")


if __name__ == "__main__":
    typer.run(main)
