"""What verification holds decisions of people to: somebody answers for them, and what stands follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from agent.ledger.store import Json
from agent.state.state import items, mapping, number
from selfnas.spaces.named import parse_architecture

__all__ = ["ReviewChecker"]


@dataclass(slots=True)
class _Case:
    """A finalist as `verify` follows it."""

    trained: Mapping[str, Json]
    certificate: str
    constraint_set: str
    standing: str = ""
    approved: bool = False


class ReviewChecker:
    """Follows admissions and decisions of people through a ledger, sharing no code with what wrote them."""

    def __init__(self) -> None:
        self._cases: dict[tuple[int, str, str], _Case] = {}
        self._run, self._task, self._set, self._approval = 0, "", "", "none"

    def run_begins(self, payload: Mapping[str, Json], *, approval: str) -> None:
        """A run under a constraint set, and a suite that does or does not ask for approval."""
        self._run, self._set, self._approval = self._run + 1, str(payload["constraint_set_digest"]), approval

    def task_begins(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Nothing may be recalled that stands refused, or that waits for approval where the suite asks for it."""
        self._task = str(payload["task"])
        for record in map(mapping, items(payload["recalled"])):
            recalled = parse_architecture(str(record["architecture"]))
            origin = (int(number(record["from_run"])), str(record["from_task"]))
            cases = [
                case
                for key, case in self._cases.items()
                if key[:2] == origin
                and replace(parse_architecture(str(case.trained["architecture"])), macro=recalled.macro) == recalled
            ]
            if not any(case.standing == "admitted" for case in cases):
                yield f"recalled {recalled.digest[:12]}, which does not stand admitted"
            elif self._approval == "before-reuse" and not any(case.approved for case in cases):
                yield f"recalled {recalled.digest[:12]} without the approval that the suite asks for"

    def trained(self, payload: Mapping[str, Json], *, certificate: str) -> None:
        """A finalist."""
        key = (self._run, self._task, str(payload["digest"]))
        self._cases[key] = _Case(payload, certificate, self._set)

    def decided(self, payload: Mapping[str, Json], standing: str) -> None:
        """What gate and audits decided about it."""
        case = self._cases.get((self._run, self._task, str(payload["digest"])))
        if case is not None:
            case.standing = standing

    def reviewed(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """What a person decided: problems in sentences."""
        key = (int(number(payload["run"])), str(payload["task"]), str(payload["digest"]))
        case = self._cases.get(key)
        if case is None or not case.standing:
            yield "decides about a finalist that this life does not have"
            return
        flipped = "refused" if case.standing == "admitted" else "admitted"
        expected = {"approve": "admitted", "overrule": flipped}.get(str(payload["decision"]))
        if payload["standing"] != expected or (payload["decision"] == "approve" and case.standing != "admitted"):
            yield f"{payload['decision']} of what stood {case.standing} cannot give {payload['standing']}"
        if not str(payload["author"]).strip():
            yield "a decision without an author"
        if payload["decision"] == "overrule" and not str(payload["reason"]).strip():
            yield "an overrule without a reason"
        if any(case.trained[name] != payload[name] for name in ("architecture", "weights_sha256")):
            yield "what was decided about is not what was trained"
        if payload["standing"] == "admitted":
            if not case.certificate:
                yield "let in without a certificate issued on its task"
            if case.standing == "refused" and case.constraint_set != self._set:
                yield "let in under another constraint set than it was certified under"
        case.standing = str(payload["standing"])
        case.approved = case.standing == "admitted"
