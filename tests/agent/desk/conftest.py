"""A stored life, decided about through a desk that answers in this process."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn

from agent.desk.app import Desk, application
from agent.desk.guarding import Access
from agent.desk.inbox import Inbox
from agent.desk.view import View
from agent.gate.review import finalists
from agent.ledger.events import Reviewed
from agent.ledger.store import reading
from agent.state.state import replay


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the desk."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """As text."""
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser in the rough: it has the cookie, and sends forms as pages of the desk do."""

    port: int
    access: Access

    def ask(
        self,
        path: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """GET, or POST of a form; headers replace those of a browser, None leaves one out."""
        own = f"127.0.0.1:{self.port}"
        sent: dict[str, str | None] = {"Host": own, "Cookie": f"{self.access.cookie}={self.access.key}"}
        if form is not None:
            sent |= {"Origin": f"http://{own}", "Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.putrequest("GET" if form is None else "POST", path, skip_host=True, skip_accept_encoding=True)
            body = b"" if form is None else urlencode(form).encode()
            for name, value in (sent | dict(headers or {}) | {"Content-Length": str(len(body))}).items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def form(self, event: int, decision: str, *, author: str = "ann", reason: str = "") -> list[tuple[str, str]]:
        """The form of a finalist's page, filled in."""
        page = self.ask(f"/item/{event}").text
        inside = page[page.index('action="/decide"') :]
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', inside[: inside.index("</form>")])
        return [*hidden, ("author", author), ("reason", reason), ("decision", decision)]


@pytest.fixture
def home(copied_life: Path) -> Path:
    """A life that may be decided about."""
    return copied_life


@pytest.fixture
def visit(home: Path) -> Iterator[Callable[..., Visitor]]:
    """Opens a desk on that home; answers a visitor of it."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def open_desk(**changes: object) -> Visitor:
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        access = Access(port=taken.getsockname()[1])
        given: dict[str, object] = {
            "view": View(home), "inbox": Inbox(home), "access": access, "author": "root", "mlflow": "",
            "decided": lambda: None,
        }  # fmt: skip
        desk = Desk(**(given | changes))  # type: ignore[arg-type]
        config = uvicorn.Config(application(desk), log_level="warning", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        return Visitor(access.port, desk.access)

    yield open_desk
    for server, thread in servers:
        server.should_exit = True
        thread.join()


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """Of a desk on that home."""
    return visit()


def decisions(home: Path) -> list[tuple[int, Reviewed]]:
    """Every decision of a person, with the number of its event."""
    with reading(home) as ledger:
        return [(event.seq, event.facts) for event in ledger.events() if isinstance(event.facts, Reviewed)]


def events_of(home: Path, *, standing: str, waiting: bool = True) -> list[int]:
    """Numbers of the events that decided about finalists which stand so."""
    with reading(home) as ledger:
        return [
            one.event
            for *_, one in finalists(replay(ledger))
            if one.standing == standing and bool(one.reviews) != waiting and one.event is not None
        ]
