"""From a form of the desk to decisions: an item is an event, what was seen of it, and a digest, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import get_args
from urllib.parse import parse_qs

from starlette.requests import Request

from agent.api.reviewing import Wish
from agent.gate.review import Decision
from selfnas.errors import InputError

__all__ = ["Form", "form_of", "wishes_of"]

_MOST_BYTES = 1 << 20
_MOST_FIELDS = 2000
_ITEM = re.compile(r"(\d{1,15}):(\d{1,15}):([0-9a-f]{64})")

Form = Mapping[str, Sequence[str]]


async def form_of(request: Request) -> Form:
    """The fields of a form, each with its values.

    Raises:
        InputError: it is none, or longer than a form of ours can be.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InputError("a form is sent as application/x-www-form-urlencoded")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise InputError(f"a form has at most {_MOST_BYTES:,} bytes")
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise InputError("a form that cannot be read") from error


def wishes_of(form: Form) -> list[Wish]:
    """What a person decided, one wish for each item.

    Raises:
        InputError: no item, one that is not written so, or no such decision.
    """
    (decision,) = form.get("decision", ["none"])[:1]
    known = [one for one in get_args(Decision) if one == decision]
    if not known:
        raise InputError(f"a decision is one of {', '.join(get_args(Decision))}, not {decision[:40]!r}")
    items = [_ITEM.fullmatch(text) for text in form.get("item", [])]
    author, reason = (form.get(name, [""])[0] for name in ("author", "reason"))
    if not items or not author.strip():
        raise InputError("a decision needs an item and an author")
    wishes = []
    for item in items:
        if item is None:
            raise InputError("an item is written as event:seen:digest")
        event, seen, digest = int(item[1]), int(item[2]), item[3]
        wishes.append(
            Wish(decision=known[0], event=event, seen=seen, digest=digest, author=_line(author), reason=_line(reason))
        )
    return wishes


def _line(text: str) -> str:
    return " ".join(text.split())
