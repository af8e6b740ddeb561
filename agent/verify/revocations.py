"""What verification holds a person's revocation to: it takes out what was in force, and somebody answers for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.store import Event, Json
from agent.state.state import items, mapping

__all__ = ["RevocationChecker"]


class RevocationChecker:
    """Follows mined sub-cells and composed operators through a ledger."""

    def __init__(self) -> None:
        self._mined: dict[tuple[str, bool], dict[str, tuple[str, str]]] = {}  # space and text, by list and digest
        self._operators: dict[str, tuple[str, str]] = {}  # space and spelling, by digest
        self._revoked: set[str] = set()

    def listed(self, event: Event) -> None:
        """The latest sub-cells of a space, or one more operator."""
        payload = event.payload
        if event.kind == "operator.admitted":
            self._operators[str(payload["digest"])] = str(payload["space"]), str(payload["operator"])
        elif event.kind == "subcells.mined":
            self._mined[str(payload["space"]), bool(payload["tabular"])] = {
                str(one["digest"]): (str(one["space"]), str(one["text"]))
                for one in map(mapping, items(payload["subcells"]))
            }

    def revoked(self, event: Event) -> Iterator[str]:
        """Problems of a `subcell.revoked` or an `operator.revoked`."""
        payload, digest = event.payload, str(event.payload["digest"])
        known = [self._operators] if event.kind == "operator.revoked" else list(self._mined.values())
        name = str(payload["operator" if event.kind == "operator.revoked" else "text"])
        if not any(listed.get(digest) == (payload["space"], name) for listed in known):
            yield f"it takes out {name}, which was not in force"
        if digest in self._revoked:
            yield f"it takes out {name} a second time"
        yield from (f"a revocation without {word}" for word in ("author", "reason") if _is_blank(payload, word))
        self._revoked.add(digest)


def _is_blank(payload: Mapping[str, Json], word: str) -> bool:
    return not str(payload[word]).strip()
