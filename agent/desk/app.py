"""The desk as a web application: which address gives which page."""

from __future__ import annotations

import asyncio
import functools
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.api.reviewing import told
from agent.desk import items
from agent.desk.comparing import compared
from agent.desk.deciding import Form, form_of, wishes_of
from agent.desk.guarding import Access, Guarded
from agent.desk.inbox import Inbox
from agent.desk.lineage import ancestry
from agent.desk.live import live, mark
from agent.desk.mlflow_records import address_of_run
from agent.desk.play import Typed, cell_picture, library, tried
from agent.desk.queue import CONCERNS, SORTS, STAGES, Choice, Row, rows
from agent.desk.rendering import Pages, static_file
from agent.desk.trials import TRIAL_SORTS, Wanted, time_rows, trial_rows
from agent.desk.view import Seen, View
from agent.gate.review import finalists
from agent.ledger.review_signature import short
from agent.mirror.keys import task_key
from selfnas.errors import InputError, SelfnasError

__all__ = ["Desk", "application"]

_LOOK = 1.0  # seconds between two looks at a life that somebody watches
_QUIET = 15.0  # seconds after which a silent connection is kept awake
_EXAMPLES = (
    ("every edge() is live", "cell"),
    ("exists path(input, output) where all op in {skip, conv1x1}", "cell"),
    ("params <= 0.1 @Mparam", "network"),
)
_MOST_TOLD = 200  # events named in an address
Handler = Callable[[Request], Awaitable[Response] | Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One desk.

    Attributes:
        view: of the life that is decided about.
        inbox: takes its decisions.
        access: what browsers must show.
        author: who is taken to decide, until somebody else is typed.
        mlflow: address of MLflow's server; empty where there is none.
        decided: called after decisions became events, so that MLflow follows.
        beside: other lives that it is compared with.
    """

    view: View
    inbox: Inbox
    access: Access
    author: str
    mlflow: str
    decided: Callable[[], None]
    beside: Sequence[View] = ()

    @property
    def pages(self) -> Pages:
        """Its pages."""
        return Pages(home=str(self.view.home), token=self.access.token)

    def queue(self, request: Request) -> Response:
        """What waits for a person."""
        choice = Choice.of(request.query_params)
        every = self.view.made("rows", rows)
        count = Counter(row["stage"] for row in every)
        return self.pages.page(
            "queue",
            here="/",
            notices=self._told(request),
            choice=choice,
            rows=choice.of_rows(every),
            total=len(every),
            counts={**{name: count[name] for name in STAGES}, "all": len(every)},
            stages=STAGES,
            concerns={name: told for name, (told, _) in CONCERNS.items()},
            tasks=sorted({row["task"] for row in every}),
            letters=list(self.inbox.letters()),
            heading=functools.partial(_heading, choice, SORTS),
        )

    def item(self, request: Request) -> Response:
        """One finalist, with all that a decision about it rests on."""
        return self._item(request.path_params["event"], request.query_params, notices=self._told(request))

    def picture(self, request: Request) -> Response:
        """A picture of a finalist, as it was drawn at its audit, or its cell drawn now."""
        name = request.path_params["name"]
        with self.view.opened() as seen:
            place = items.found(seen, request.path_params["event"])
            known = {path.name: path for path in items.pictures(seen, place)}
        if name in known:
            return Response(known[name].read_bytes(), media_type="image/png")
        if name != "cell.png":
            raise InputError("there is no such picture")
        return Response(items.drawn(place), media_type="image/png")

    def trials(self, request: Request) -> Response:
        """Every trial, and where the time went."""
        wanted = Wanted.of(request.query_params)
        every = self.view.made("trials", trial_rows)
        listed = wanted.of_rows(every)
        shown, pages = wanted.on_page(listed)
        return self.pages.page(
            "trials",
            here="/trials",
            wanted=wanted,
            rows=shown,
            pages=pages,
            listed=len(listed),
            total=len(every),
            runs=sorted({row["run"] for row in every}),
            tasks=list(dict.fromkeys(row["task"] for row in every)),
            origins=sorted({row["origin"] for row in every}),
            times=self.view.made("times", time_rows),
            heading=functools.partial(_heading, wanted, TRIAL_SORTS),
        )

    def lives(self, request: Request) -> Response:
        """This life beside others."""
        return self.pages.page("compare", here="/compare", lives=compared([self.view, *self.beside]))

    def play(self, request: Request) -> Response:
        """A rule, tried."""
        typed = Typed.of(request.query_params)
        return self.pages.page(
            "play", here="/play", typed=typed, tried=self._tried(typed),
            examples=[{"rule": rule, "query": urlencode({"rule": rule, "scope": scope})} for rule, scope in _EXAMPLES],
        )  # fmt: skip

    def play_part(self, request: Request) -> Response:
        """What a rule comes to, for a page that stays open."""
        tried = self._tried(Typed.of(request.query_params))
        return HTMLResponse(self.pages.part("play_part", tried=tried))

    def play_picture(self, request: Request) -> Response:
        """An architecture that a page of rules shows."""
        return Response(cell_picture(request.query_params.get("architecture", "")), media_type="image/png")

    def _tried(self, typed: Typed) -> dict[str, Any]:
        return tried(typed, known=self.view.made("library", library))

    def live(self, request: Request) -> Response:
        """What the life does now."""
        return self.pages.page("live", here="/live", life=self.view.looked(live))

    async def live_parts(self, request: Request) -> Response:
        """The same again and again, as long as somebody looks: a server-sent event whenever something changed."""
        return StreamingResponse(self._parts(request), media_type="text/event-stream")

    async def _parts(self, request: Request) -> AsyncIterator[str]:
        known: tuple[object, ...] = ()
        quiet = 0.0
        while not await request.is_disconnected():
            now = await run_in_threadpool(lambda: mark(self.view.home, self.view.head()[1]))
            if now != known:
                known, quiet = now, 0.0
                part = await run_in_threadpool(lambda: self.pages.part("live_part", life=self.view.looked(live)))
                yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
            elif quiet >= _QUIET:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(_LOOK)
            quiet += _LOOK

    async def decide(self, request: Request) -> Response:
        """Decisions of a form, written before the answer; what cannot be decided is told beside the finalist."""
        form = await form_of(request)
        if not self.access.is_token("".join(form.get("token", []))):
            raise InputError("a form of another start of the desk: go back, load the page again and decide there")
        fields = {name: values[0] for name, values in form.items()}
        return await run_in_threadpool(self._decide, form, fields)

    async def dismiss(self, request: Request) -> Response:
        """Throw away a decision that waits, or that was refused while it waited."""
        form = await form_of(request)
        if not self.access.is_token("".join(form.get("token", []))):
            raise InputError("a form of another start of the desk: load the page again")
        self.inbox.dismiss("".join(form.get("letter", [])))
        return RedirectResponse("/", 303)

    def record(self, request: Request) -> Response:
        """Lead to the run of a finalist in MLflow, or to MLflow itself."""
        if not self.mlflow:
            return self.pages.message("MLflow is not there", "The desk was started without MLflow.", status=404)
        if "event" not in request.path_params:
            return RedirectResponse(self.mlflow, 303)
        with self.view.opened() as seen:
            place = items.found(seen, request.path_params["event"])
            key = task_key(seen.ledger, place.run, place.task)
        stream, digest = place.run.started.record.stream, place.finalist.digest
        try:
            address = address_of_run(self.mlflow, stream=stream, key=key, digest=digest)
        except OSError as error:
            return self.pages.message(
                "MLflow does not answer", f"At {self.mlflow}: {error}. It takes some seconds to start.", status=502
            )
        if address is None:
            home = shlex.quote(str(self.view.home))
            return self.pages.message(
                "MLflow has no such record", f"`selfnas mirror --home {home}` writes what it lacks.", status=404
            )
        return RedirectResponse(address, 303)

    def _decide(self, form: Form, fields: Mapping[str, str]) -> Response:
        wishes = wishes_of(form)
        choice = Choice.of({name: values for name, values in _query(fields.get("query", "")).items()})
        try:
            done = self.inbox.decide(wishes)
        except SelfnasError as error:
            return self._item(
                wishes[0].event or 0, {**_query(fields.get("query", "")), "stage": choice.stage}, problem=str(error),
                reason=wishes[0].reason, status=409,
            )  # fmt: skip
        if not isinstance(done, tuple):
            said = f"waits={done.name}"
        else:
            self.decided()
            said = "done=" + ",".join(str(event.seq) for event in done[:_MOST_TOLD])
        left = [row["event"] for row in choice.of_rows(self.view.made("rows", rows))]
        waiting = {wish.event for letter in self.inbox.letters() if not letter.refused for wish in letter.wishes}
        left = [event for event in left if event not in waiting]
        after = fields.get("next", "")
        following = int(after) if after.isdecimal() and int(after) in left else left[0] if left else None
        path = "/" if following is None else f"/item/{following}"
        return RedirectResponse(f"{path}?{'&'.join(filter(None, (choice.query(), said)))}", 303)

    def _item(
        self,
        event: int,
        query: Mapping[str, str],
        *,
        notices: list[str] | None = None,
        problem: str = "",
        reason: str = "",
        status: int = 200,
    ) -> Response:
        choice = Choice.of(query)
        every: list[Row] = self.view.made("rows", rows)
        listed = [row["event"] for row in choice.of_rows(every)]
        with self.view.opened() as seen:
            place = items.found(seen, event)
            shown = items.item(seen, place)
            author, barred = items.decider(seen, place, author=self.author, key=self.inbox.signer)
            chain = ancestry(place.task, place.finalist.digest) if place.task.is_readable else []
        at = listed.index(event) if event in listed else None
        return self.pages.page(
            "item",
            notices=notices or [],
            problem=problem,
            status=status,
            row=next(row for row in every if row["event"] == event),
            item=shown,
            chain=chain,
            query=choice.query(),
            place=at + 1 if at is not None else 0,
            listed=len(listed),
            previous=listed[at - 1] if at else None,
            following=next((one for one in listed[at + 1 if at is not None else 0 :] if one != event), None),
            author=author,
            barred=barred,
            signer=short(self.inbox.signer),
            reason=reason,
            quoted_home=shlex.quote(str(self.view.home)),
        )

    def _told(self, request: Request) -> list[str]:
        """What became of the decisions that brought a person to this page."""
        wanted = {
            int(part) for part in request.query_params.get("done", "").split(",")[:_MOST_TOLD] if part.isdecimal()
        }
        waits = request.query_params.get("waits", "")
        sentences = self.view.made("sentences", _sentences) if wanted else {}
        found = [sentences[seq] for seq in sorted(wanted) if seq in sentences]
        if waits and any(letter.name == waits for letter in self.inbox.letters()):
            found.append(
                "A life is being lived in this home, and it alone writes there now. The decision is kept, and is "
                "recorded as soon as the life lets go."
            )
        return found


def application(desk: Desk) -> Guarded:
    """The ASGI application of a desk."""
    routes = [
        Route("/", _answering(desk, desk.queue)),
        Route("/item/{event:int}", _answering(desk, desk.item)),
        Route("/item/{event:int}/picture/{name}", _answering(desk, desk.picture)),
        Route("/trials", _answering(desk, desk.trials)),
        Route("/compare", _answering(desk, desk.lives)),
        Route("/play", _answering(desk, desk.play)),
        Route("/play/part", _answering(desk, desk.play_part)),
        Route("/play/cell.png", _answering(desk, desk.play_picture)),
        Route("/live", _answering(desk, desk.live)),
        Route("/live/parts", _awaiting(desk, desk.live_parts)),
        Route("/decide", _awaiting(desk, desk.decide), methods=["POST"]),
        Route("/dismiss", _awaiting(desk, desk.dismiss), methods=["POST"]),
        Route("/mlflow", _answering(desk, desk.record)),
        Route("/mlflow/{event:int}", _answering(desk, desk.record)),
        Route("/static/{name}", lambda request: static_file(request.path_params["name"])),
    ]
    return Guarded(Starlette(routes=routes), desk.access)


def _answering(desk: Desk, handler: Callable[[Request], Response]) -> Handler:
    """A page whose problems are a page too."""

    def answer(request: Request) -> Response:
        try:
            return handler(request)
        except InputError as error:
            return desk.pages.message("Not found", str(error), status=404)
        except SelfnasError as error:
            return desk.pages.message("The life cannot be read", str(error), status=500)

    return answer


def _awaiting(desk: Desk, handler: Callable[[Request], Awaitable[Response]]) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except SelfnasError as error:
            return desk.pages.message("Nothing was decided", str(error), status=400)

    return answer


def _sentences(seen: Seen) -> dict[int, str]:
    """By number: what each decision of a person came to."""
    return {one.seq: told(one, seen.state) for *_, finalist in finalists(seen.state) for one in finalist.reviews}


def _query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text[:2000]))


def _heading(choice: Choice | Wanted, sorts: Mapping[str, tuple[Any, ...]], name: str) -> dict[str, str]:
    """A column's title, and the part of an address that sorts by it, the other way round where it does so already."""
    title, _, greatest = sorts[name]
    arrow = "" if choice.sort != name else " ▾" if greatest != choice.down else " ▴"
    down = choice.sort == name and not choice.down
    return {"title": title + arrow, "query": choice.query(sort=name, down=down)}
