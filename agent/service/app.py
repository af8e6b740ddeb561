"""The service as a web application: which address does what."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from agent.deploying.bundle import FILES, SUMS
from agent.desk.guarding import Access
from agent.orders.accepting import accept
from agent.orders.order import Order
from agent.orders.place import Place
from agent.orders.queue import Queue, Row
from agent.service.document import document, page, style_sheet
from agent.service.guarding import Guarded, Limits
from agent.service.models import EVENTS, EXAMPLE_ID, Design, Designs, Event
from agent.service.problems import described, handle_problems

__all__ = ["Service", "application"]

_LOOK = 0.5  # seconds between two looks at a design that somebody follows
_QUIET = 15.0  # seconds after which a silent connection is kept awake
_LONGEST = 3600.0  # seconds of a stream; whoever follows connects again by the last number
_AT_A_TIME = 200  # events
_DATED = (1980, 1, 1, 0, 0, 0)  # of files in an archive, so that the same bundle is the same archive
_REFUSALS = (400, 401, 403, 421)
DesignId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="Of the design.", examples=[EXAMPLE_ID])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service.

    Attributes:
        place: where everything lies.
        queue: of designs.
        access: names of the service, and its token as the key.
        limits: how much it takes.
    """

    place: Place
    queue: Queue
    access: Access
    limits: Limits

    def found(self, design: str) -> Row:
        """The design of an id."""
        row = self.queue.find(design)
        if row is None:
            raise HTTPException(404, "there is no such design")
        return row

    def file(self, design: str, name: str) -> bytes:
        """A file of a design's bundle."""
        self.found(design)
        return _content(self._bundle(design) / name)

    def archive(self, design: str) -> bytes:
        """A design's bundle as a ZIP archive."""
        self.found(design)
        folder, held = self._bundle(design), io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (*FILES, SUMS):
                archive.writestr(zipfile.ZipInfo(f"bundle/{name}", _DATED), _content(folder / name))
        return held.getvalue()

    def _bundle(self, design: str) -> Path:
        row = self.found(design)
        if not row.has_ended:
            raise HTTPException(409, "the design has not ended yet")
        if row.state not in ("met", "not_met"):
            raise HTTPException(409, "the design ended without a file")
        return self.place.made(design).bundle


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise HTTPException(409, "the design ended without a file") from error


def application(service: Service) -> Guarded:
    """The ASGI application of a service."""
    app = FastAPI(
        title="selfnas serve", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
        responses=described(*_REFUSALS),
    )  # fmt: skip
    handle_problems(app)
    _add_designs(app, service)
    _add_results(app, service)
    told = document(app, data=service.limits.data, most=service.limits.open)
    shown = page(told)

    @app.get("/", include_in_schema=False)
    async def documentation() -> Response:
        return HTMLResponse(shown)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(told)

    @app.get("/static/service.css", include_in_schema=False)
    async def style() -> Response:
        return Response(style_sheet(), media_type="text/css")

    return Guarded(app, service.access, service.limits)


def _add_designs(app: FastAPI, service: Service) -> None:
    queue, one_at_a_time = service.queue, asyncio.Lock()  # data are read one after another

    @app.post(
        "/designs", status_code=202, response_model=Design, summary="Hand in a specification",
        operation_id="hand_in", response_description="It is accepted, and will end.",
        responses=described(409, 411, 413, 422, 429, 507, said={409: "The key came with another request."}),
        tags=["designs"],
    )  # fmt: skip
    async def hand_in(
        order: Order,
        response: Response,
        key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                pattern="^[A-Za-z0-9_.:-]{1,128}$",
                description="A word of your own: the same request with the same key is accepted once.",
                examples=["batch-7.digits"],
            ),
        ] = None,
    ) -> Design:
        """Check a specification with its data, and queue it.

        What is accepted ends, even if the service is killed meanwhile.
        """
        async with one_at_a_time:
            row = await run_in_threadpool(accept, order, service.place, queue, key=key, most=service.limits.open)
        response.headers["Location"] = f"/designs/{row.id}"
        return Design.of(row)

    @app.get(
        "/designs", response_model=Designs, summary="List designs", operation_id="list_designs",
        response_description="A part of the designs.", responses=described(422), tags=["designs"],
    )  # fmt: skip
    def list_designs(
        before: Annotated[int | None, Query(ge=1, le=2**53, description="Only designs of lower numbers.")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many.")] = 50,
    ) -> Designs:
        """Designs, the newest first."""
        rows = queue.listed(before=before, most=limit + 1)
        more = rows[limit - 1].number if len(rows) > limit else None
        return Designs(designs=[Design.of(row) for row in rows[:limit]], before=more)

    @app.get(
        "/designs/{design}", response_model=Design, summary="Look at a design", operation_id="look",
        response_description="The design.", responses=described(404, 422), tags=["designs"],
    )  # fmt: skip
    def look(design: DesignId) -> Design:
        """How far a design is, and what it came to."""
        return Design.of(service.found(design))

    @app.delete(
        "/designs/{design}", response_model=Design, summary="Cancel a design", operation_id="cancel",
        response_description="The design; `cancelling` while its present step goes on.",
        responses=described(404, 422), tags=["designs"],
    )  # fmt: skip
    def cancel(design: DesignId) -> Design:
        """End a design after its present step, as Ctrl-C does.

        What was finished is kept, and so is the design. One that has ended stays as it is.
        """
        row = queue.cancel(design)
        if row is None:
            raise HTTPException(404, "there is no such design")
        return Design.of(row)


def _add_results(app: FastAPI, service: Service) -> None:
    def answers(media_type: str, schema: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
        return {200: {"description": description, "content": {media_type: {"schema": schema}}}}

    @app.get(
        "/designs/{design}/events", response_class=StreamingResponse, summary="Follow a design",
        operation_id="follow", tags=["results"],
        responses={
            **answers("text/event-stream", EVENTS, "Server-sent events; `id` is the number of each."),
            **described(404, 422),
        },
    )  # fmt: skip
    async def follow(
        request: Request,
        design: DesignId,
        after: Annotated[int, Query(ge=0, le=2**53, description="Number of the last event that is known.")] = 0,
        last: Annotated[
            int | None,
            Header(alias="Last-Event-ID", ge=0, le=2**53, description="The same, as browsers send it; it counts."),
        ] = None,
        wait: Annotated[bool, Query(description="Whether to wait for what comes until the design ends.")] = True,
    ) -> StreamingResponse:
        """Events of a design as they happen, each with its number.

        The data of each is a JSON object with `at`, `kind` and `text`. The stream ends with the design.
        """
        await run_in_threadpool(service.found, design)
        known = after if last is None else last
        stream = _events(request, service.queue, design, known, wait=wait)
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.get(
        "/designs/{design}/bundle", response_class=Response, summary="Fetch the bundle", operation_id="fetch_bundle",
        tags=["results"],
        responses={
            **answers("application/zip", {"type": "string", "format": "binary"}, "The deployment bundle."),
            **described(404, 409, 422),
        },
    )  # fmt: skip
    def fetch_bundle(design: DesignId) -> Response:
        """The deployment bundle of a design that ended with a file: the file with all that is needed to run it."""
        named = {"Content-Disposition": f'attachment; filename="{design}.zip"'}
        return Response(service.archive(design), media_type="application/zip", headers=named)

    @app.get(
        "/designs/{design}/certificate", response_class=Response, summary="Fetch the certificate",
        operation_id="fetch_certificate", tags=["results"],
        responses={
            **answers("application/json", {"type": "object"}, "The certificate."), **described(404, 409, 422),
        },
    )  # fmt: skip
    def fetch_certificate(design: DesignId) -> Response:
        """That the architecture of the file keeps every rule, as the guard certified it."""
        return Response(service.file(design, "certificate.json"), media_type="application/json")


async def _events(request: Request, queue: Queue, design: str, known: int, *, wait: bool) -> AsyncIterator[str]:
    quiet = spent = 0.0
    while not await request.is_disconnected():
        row = await run_in_threadpool(queue.find, design)  # looked at first, so that its last event is not missed
        found = await run_in_threadpool(queue.events, design, after=known, most=_AT_A_TIME)
        for each in found:
            known, quiet = each.seq, 0.0
            yield f"id: {each.seq}\nevent: {each.kind}\ndata: {Event.of(each).model_dump_json()}\n\n"
        if len(found) == _AT_A_TIME:
            continue
        if not wait or row is None or row.has_ended or spent >= _LONGEST:
            return
        if quiet >= _QUIET:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK)
        quiet, spent = quiet + _LOOK, spent + _LOOK
