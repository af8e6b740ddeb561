"""Every refusal as a problem document; nothing that was sent is shown again, and no path of this machine."""

from __future__ import annotations

import http
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from agent.orders.full_disk import is_full
from agent.orders.queue import KeyReusedError, QueueFullError
from agent.service.models import Fault, ProblemDocument
from selfnas.errors import InputError, SelfnasError

__all__ = ["MEDIA_TYPE", "described", "handle_problems", "problem"]

MEDIA_TYPE = "application/problem+json"
_FULL = "the disk takes no more: nothing was accepted; send it again when there is room"
_MOST = 50  # problems that are told
_LONGEST = 2000  # characters of one
_DETAIL: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "The bearer token is missing or wrong.",
    403: "The request comes from a page of another origin.",
    404: "There is no such design.",
    409: "There is none yet, or the design ended without one.",
    411: "The request does not say how long it is.",
    413: "The request is larger than the service takes.",
    421: "The service is not called so: the `Host` header is of another.",
    422: "Something in the request cannot be used; `problems` says what.",
    429: "Too much is open, or on its way: send it again later.",
    507: "The disk takes no more; nothing was accepted.",
}


def problem(
    status: int, detail: str, *, faults: tuple[Fault, ...] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An answer that says why something was not done."""
    document = ProblemDocument(
        title=http.HTTPStatus(status).phrase, status=status, detail=detail[:_LONGEST], problems=list(faults[:_MOST])
    )
    return JSONResponse(document.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def described(*statuses: int, said: Mapping[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Of an operation: what it may answer instead, for the OpenAPI document.

    Args:
        statuses: of the answers.
        said: what a status means there, where that differs from what it usually means.
    """
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        status: {"description": (said or {}).get(status, _DETAIL[status]), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def handle_problems(app: FastAPI) -> None:
    """Answer every error of an application by a problem document."""
    handlers: dict[type[Exception], Callable[[Request, Any], JSONResponse]] = {
        RequestValidationError: _invalid, HTTPException: _plain, InputError: _unusable, KeyReusedError: _reused,
        QueueFullError: _crowded, SelfnasError: _surroundings, OSError: _surroundings, sqlite3.Error: _surroundings,
    }  # fmt: skip
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    faults = tuple(
        Fault(message=_plainly(each["msg"]), place=_plainly(".".join(map(str, each["loc"])))) for each in error.errors()
    )
    return problem(422, "the request cannot be used: `problems` says what is wrong", faults=faults)


def _plain(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:  # of all routes of the address, not of the first alone
        routes = [each for each in request.app.routes if each.matches(request.scope)[0] is not Match.NONE]
        headers["Allow"] = ", ".join(sorted({method for each in routes for method in each.methods or ()}))
    return problem(error.status_code, str(error.detail), headers=headers)


def _unusable(request: Request, error: InputError) -> JSONResponse:
    if is_full(error):
        return problem(507, _FULL)
    faults = tuple(
        Fault(message=_plainly(each.message), place=_plainly(each.file), line=each.line, column=each.column)
        for each in error.problems
    )
    return problem(422, "it cannot be designed to this: `problems` says what is wrong", faults=faults)


def _reused(request: Request, error: KeyReusedError) -> JSONResponse:
    return problem(409, str(error))


def _crowded(request: Request, error: QueueFullError) -> JSONResponse:
    return problem(429, str(error), headers={"Retry-After": "60"})


def _surroundings(request: Request, error: Exception) -> JSONResponse:
    return problem(507, _FULL) if is_full(error) else problem(500, "the service cannot read or write what it keeps")


def _plainly(text: str) -> str:
    """What UTF-8 can write of a text, not too long."""
    return text[:_LONGEST].encode("utf-8", "replace").decode()
