"""A service that answers in this process, with no workers unless a test starts them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from agent.desk.guarding import Access
from agent.orders.place import Place
from agent.orders.queue import Queue
from agent.service.app import Service, application
from agent.service.guarding import Limits

TOKEN = "a-token-of-the-tests-alone"  # noqa: S105
DECIDED = """\
design: small
format: 1
space: nb201
macro: c8n1r8
shape: 1x8x8/10
targets: {parameters: "<= 30 k"}
"""
ROWS = """\
design: rows
format: 1
task: {name: rows, source: csv, path: rows.csv, target: {kind: classification, column: y}}
targets: {accuracy: ">= 0.5 @audit"}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its content."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Client:
    """A program that knows the token."""

    service: Service
    port: int

    def ask(
        self, path: str, *, method: str = "GET", body: object = None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """One request; headers replace those of a client, None leaves one out; bytes are sent as they are."""
        sent: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}"}
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent |= {"Content-Type": "application/json"}
        if method == "POST":
            sent |= {"Content-Length": str(len(content))}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in (sent | dict(headers or {})).items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def order(self, specification: str, *, key: str | None = None, **more: object) -> Answer:
        """Hand in a specification."""
        body = {"specification": specification, **more}
        return self.ask("/designs", method="POST", body=body, headers={"Idempotency-Key": key})


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """One that takes files of 4 kB, and five designs."""
    place = Place(tmp_path / "designs-of")
    place.designs.mkdir(parents=True)
    queue = Queue(place.queue, time.time)
    queue.prepare()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    access = Access(port=port, names=["designs.example"], key=TOKEN)
    return Service(place=place, queue=queue, access=access, limits=Limits(data=4000, open=5))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """Of that service."""
    config = uvicorn.Config(
        application(service), host="127.0.0.1", port=service.access.port, log_level="warning", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield Client(service, service.access.port)
    server.should_exit = True
    thread.join()
