"""What is sent and answered, as models that the OpenAPI document is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.orders.queue import Happening, Row

__all__ = [
    "EVENTS",
    "EXAMPLE_ID",
    "Answer",
    "Design",
    "Designs",
    "Event",
    "Fault",
    "JudgedLine",
    "ProblemDocument",
    "State",
]

State = Literal["queued", "running", "met", "not_met", "possible", "impossible", "unusable", "failed", "cancelled"]
# The schema of a server-sent event, which OpenAPI has no other way to state.
EVENTS = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "event": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Event"},
        },
    },
}
EXAMPLE_ID = "3f2a9c4be1d04c5f8a7b6c5d4e3f2a1b"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class JudgedLine(_Model):
    """One target, judged of the file that was chosen."""

    name: str
    asked: Annotated[str, Field(description="As the specification has it.")]
    verdict: Literal["met", "missed", "undecided"]
    estimate: Annotated[float | None, Field(description="What was measured; null where there was nothing to measure.")]
    low: Annotated[float | None, Field(description="Lower end of the 95 % interval; the estimate where it is exact.")]
    high: Annotated[float | None, Field(description="Upper end.")]
    n: Annotated[int, Field(ge=0, description="Examples or calls; 0 where the estimate is exact.")]


class Answer(_Model):
    """What a search came to."""

    digest: Annotated[str, Field(description="Of the architecture; empty where the audits admitted no network.")]
    precision: Annotated[str, Field(description="`float32` or `int8`; empty where there is no file.")]
    lines: list[JudgedLine]
    sentences: Annotated[list[str], Field(description="The same for people, with every file that was measured.")]


class Design(_Model):
    """A design, and how far it is."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=[EXAMPLE_ID])]
    number: Annotated[int, Field(ge=1, description="In the order in which designs were accepted.")]
    name: Annotated[str, Field(description="As the specification has it.")]
    state: Annotated[
        State,
        Field(
            description="`queued` and `running` are open, all others final. `met`, `not_met`: every line is met, or "
            "not. `possible`, `impossible`: what is known without a search. `unusable`: the specification or its data "
            "cannot be used. `failed`: it could not be answered here."
        ),
    ]
    cancelling: Annotated[bool, Field(description="Whether it ends after the present step.")]
    told: Annotated[str, Field(description="Why it stands so; empty where the state says all.")]
    attempts: Annotated[int, Field(ge=0, description="How often a worker began or went on with it.")]
    events: Annotated[int, Field(ge=1, description="Number of its last event.")]
    accepted: Annotated[str, Field(description="When, in UTC.", json_schema_extra={"format": "date-time"})]
    ended: Annotated[str | None, Field(description="When; null before.")]
    answer: Annotated[Answer | None, Field(description="Where a search has ended.")]

    @classmethod
    def of(cls, row: Row) -> Design:
        """A design as the queue has it."""
        return cls.model_validate(
            {
                "id": row.id,
                "number": row.number,
                "name": row.name,
                "state": row.state,
                "cancelling": row.cancel and not row.has_ended,
                "told": row.told,
                "attempts": row.attempt,
                "events": row.events,
                "accepted": _utc(row.accepted),
                "ended": None if row.ended is None else _utc(row.ended),
                "answer": None if row.answer is None else Answer.model_validate_json(row.answer),
            }
        )


class Designs(_Model):
    """Designs, the newest first."""

    designs: list[Design]
    before: Annotated[int | None, Field(description="What to send for the next ones; null at the end.")]


class Event(_Model):
    """One event of a design; its number is the `id` of the server-sent event."""

    at: Annotated[str, Field(description="When, in UTC.", json_schema_extra={"format": "date-time"})]
    kind: Literal["accepted", "begun", "said", "step", "waits", "cancelling", "ended"]
    text: Annotated[str, Field(description="A sentence for people.")]

    @classmethod
    def of(cls, happening: Happening) -> Event:
        """An event as the queue has it."""
        return cls.model_validate({"at": _utc(happening.at), "kind": happening.kind, "text": happening.text})


class Fault(_Model):
    """One thing wrong in a request."""

    message: str
    place: Annotated[str, Field(description="Where in the request; empty where there is no place.")] = ""
    line: Annotated[int, Field(ge=0, description="Of the specification; 0 where it has no place there.")] = 0
    column: Annotated[int, Field(ge=0)] = 0


class ProblemDocument(_Model):
    """Why a request was not done (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    problems: list[Fault] = []


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
