"""Who may talk to the service, and how much: the right host, no foreign origin, a token, a bounded body."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.desk.guarding import Access, with_headers
from agent.service.problems import problem

__all__ = ["OPEN", "Guarded", "Limits"]

OPEN = ("/", "/openapi.json", "/static/service.css")  # what anybody under the right name may read
_AT_ONCE = 4  # largest bodies that may be on their way together
_BASE64 = 4 / 3
_BESIDE = 200_000  # bytes of a request beside its data


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a service takes.

    Attributes:
        data: bytes of a data file.
        open: designs that may be open.
    """

    data: int
    open: int

    @property
    def body(self) -> int:
        """Bytes of a request."""
        return int(self.data * _BASE64) + 4 + _BESIDE


class Guarded:
    """An ASGI application that is asked only by those who may, with bodies of a size that it can hold.

    Args:
        app: what answers them.
        access: names of the service, and its token as the key.
        limits: how much it takes.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self._app, self._access, self._limits = app, access, limits
        self._on_their_way = 0  # bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse; every answer says what a page may do with it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        sent = with_headers(send)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers) or self._too_large(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sent)
            return
        size = int(headers.get("content-length", "0"))
        self._on_their_way += size
        try:
            await self._app(scope, receive, sent)
        finally:
            self._on_their_way -= size

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.getlist("host")
        if len(host) != 1 or host[0].lower() not in self._access.hosts:
            return problem(421, "the service is not called so")
        origins = headers.getlist("origin")
        if origins and (len(origins) > 1 or not self._access.is_own_origin(origins[0].lower(), host[0].lower())):
            return problem(403, "the request comes from a page of another origin")
        if scope["path"] in OPEN and scope["method"] in ("GET", "HEAD"):
            return None
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not self._access.is_key(token.strip()):
            return problem(401, "the bearer token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})
        return None

    def _too_large(self, scope: Scope, headers: Headers) -> Response | None:
        told = headers.getlist("content-length")
        if "transfer-encoding" in headers or (scope["method"] == "POST" and not told):
            return problem(411, "say with Content-Length how long the request is", headers={"Connection": "close"})
        if any(not one.isascii() or not one.isdecimal() for one in told) or len(set(told)) > 1:
            return problem(400, "Content-Length is no number", headers={"Connection": "close"})
        size = int(told[0][:20]) if told else 0
        if size > self._limits.body:
            return problem(
                413,
                f"a request has at most {self._limits.body:,} bytes, and a data file {self._limits.data:,}",
                headers={"Connection": "close"},
            )
        if self._on_their_way + size > _AT_ONCE * self._limits.body:
            return problem(429, "too much is on its way already", headers={"Retry-After": "1", "Connection": "close"})
        return None
