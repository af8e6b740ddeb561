"""Who may talk to the desk, and what its pages may do: a key, the right host, no foreign origin, nothing loaded.

The desk decides about networks in the name of whoever sits there. So its address holds a key that is new at each start,
and a page of another origin, or a name that leads here by DNS, gets no answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Access", "Guarded", "with_headers"]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = ("GET", "HEAD")
_OWN = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a browser must show.

    Attributes:
        port: that is listened on.
        names: hosts that people type, beside those of this machine itself.
        key: of this start; whoever has it may read and decide.
    """

    port: int
    names: Sequence[str] = ()
    key: str = field(default_factory=lambda: token_urlsafe(24))

    @property
    def hosts(self) -> frozenset[str]:
        """What a `Host` header may say."""
        return frozenset({f"{name}:{self.port}" for name in (*_OWN, *self._named)} | set(self._named))

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether an origin is that of the desk's own pages, opened under a host that a `Host` header may say.

        Behind a proxy that encrypts, pages of names that people type are of `https`.
        """
        named = any(host in (name, f"{name}:{self.port}") for name in self._named)
        return origin == f"http://{host}" or (named and origin == f"https://{host}")

    @property
    def _named(self) -> list[str]:
        return [f"[{name.lower()}]" if ":" in name else name.lower() for name in self.names]

    @property
    def cookie(self) -> str:
        """Its name; cookies are shared by all ports of a host."""
        return f"selfnas-desk-{self.port}"

    @property
    def token(self) -> str:
        """What each form must hold, so that no other page can send one."""
        return hmac.new(self.key.encode(), b"form", "sha256").hexdigest()

    def is_key(self, text: str) -> bool:
        """Whether it is the key; takes as long for each text."""
        return hmac.compare_digest(text.encode(), self.key.encode())

    def is_token(self, text: str) -> bool:
        """Whether it is the token of forms."""
        return hmac.compare_digest(text.encode(), self.token.encode())


def with_headers(send: Send) -> Send:
    """Sends as `send` does, with `HEADERS` on every answer."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sent


class Guarded:
    """An ASGI application that is asked only by those who may.

    Args:
        app: what answers them.
        access: what they must show.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse; every answer says what its page may do."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        sent = with_headers(send)
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, sent)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead of a page; None lets the request through."""
        headers = Headers(scope=scope)
        host = headers.getlist("host")
        if len(host) != 1 or host[0].lower() not in self._access.hosts:
            return PlainTextResponse("this desk is not called so: open the address that it printed\n", 400)
        origin = headers.get("origin", "").lower()
        if scope["method"] not in _SAFE and not self._access.is_own_origin(origin, host[0].lower()):
            return PlainTextResponse("a decision must come from a page of this desk\n", 403)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        keys = [value for name, value in query if name == "key"]
        if scope["method"] in _SAFE and keys and self._access.is_key(keys[0]):
            return self._welcome(scope["path"], [pair for pair in query if pair[0] != "key"])
        if not self._has_cookie(headers):
            told = "open the address that `selfnas ui` printed: it holds a key, which is new at each start\n"
            return PlainTextResponse(told, 403)
        return None

    def _welcome(self, path: str, query: list[tuple[str, str]]) -> Response:
        """The same page without the key in its address."""
        target = "/" + path.lstrip("/\\") + (f"?{urlencode(query)}" if query else "")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(self._access.cookie, self._access.key, httponly=True, samesite="strict", path="/")
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self._access.cookie)
        return found is not None and self._access.is_key(found.value)
