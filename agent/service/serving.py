"""The service as one command: it answers, has designs answered, and ends with all that it started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from agent.desk.guarding import Access
from agent.desk.serving import ending_well, listening
from agent.orders.accepting import sweep
from agent.orders.place import holding, read_token
from agent.orders.queue import Queue
from agent.orders.supervising import Supervisor
from agent.service.app import Service, application
from agent.service.guarding import Limits
from selfnas.artefacts.libraries import versions
from selfnas.errors import InputError

__all__ = ["serve_designs"]


_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - named to be refused without a name
_HERE = ("127.0.0.1", "localhost", "::1")


def serve_designs(
    folder: Path,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    token: Path | None,
    limits: Limits,
    at_once: int,
    workers: int,
    device: str,
) -> None:
    """Say where the service is, and answer until somebody ends it; open designs go on at the next start.

    Args:
        folder: where everything is kept; made where it is missing.
        host: address to listen on.
        port: to listen on.
        names: hosts that people type, beside `host`.
        token: file of the bearer token; None takes the one in the folder, which is made where it is missing.
        limits: how much is taken.
        at_once: designs that are answered at the same time; 0 accepts alone.
        workers: processes that train, for each.
        device: that they train on.

    Raises:
        InputError: the folder, the token or the address cannot be used, or the extra `onnx` is not installed.
    """
    import uvicorn

    versions()
    if host in _EVERYWHERE and not names:
        raise InputError(f"--host {host}: say with --name under which name people reach this machine")
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(holding(folder))
        file = place.token if token is None else token
        known = [*names, *({host} - {*_EVERYWHERE, *_HERE})]
        access = Access(port=port, names=known, key=read_token(file, make=token is None))
        queue = Queue(place.queue, time.time)
        queue.prepare()
        taken = stack.enter_context(contextlib.closing(listening(host, port)))
        stack.enter_context(ending_well())
        queue.recover()
        sweep(place, queue)
        service = Service(place=place, queue=queue, access=access, limits=limits)
        config = uvicorn.Config(
            application(service), log_level="warning", access_log=False, ws="none", server_header=False,
            timeout_graceful_shutdown=1, backlog=512,
        )  # fmt: skip
        supervisor = Supervisor(place=place, queue=queue, at_once=at_once, workers=workers, device=device)
        shown = host if host not in _EVERYWHERE else names[0]
        print(f"designs of {folder}: http://{f'[{shown}]' if ':' in shown else shown}:{port}/")
        print(f"bearer token: {file}")
        print("(Ctrl-C ends; open designs go on at the next start)", flush=True)
        with supervisor.running(), contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[taken])
