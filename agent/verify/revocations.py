"""What verification holds a person's revocation to: it takes out what was in force, and somebody answers for it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import OperatorAdmitted, OperatorDecided, OperatorRevoked, SubcellRevoked, SubcellsMined

__all__ = ["RevocationChecker"]


class RevocationChecker:
    """Follows mined sub-cells and composed operators through a ledger."""

    def __init__(self) -> None:
        self._mined: dict[tuple[str, bool], dict[str, tuple[str, str]]] = {}  # space and text, by list and digest
        self._operators: dict[str, tuple[str, str]] = {}  # space and spelling, by digest
        self._revoked: set[str] = set()

    def listed(self, facts: SubcellsMined | OperatorDecided) -> None:
        """The latest sub-cells of a space, or one more operator where it was admitted."""
        match facts:
            case SubcellsMined():
                listed = {one.digest: (one.space, one.text) for one in facts.subcells}
                self._mined[facts.space, facts.tabular] = listed
            case OperatorAdmitted():
                self._operators[facts.digest] = facts.space, facts.operator

    def revoked(self, facts: SubcellRevoked | OperatorRevoked) -> Iterator[str]:
        """Problems of a revocation."""
        if isinstance(facts, OperatorRevoked):
            name, known = facts.operator, [self._operators]
        else:
            name, known = facts.text, list(self._mined.values())
        if not any(listed.get(facts.digest) == (facts.space, name) for listed in known):
            yield f"it takes out {name}, which was not in force"
        if facts.digest in self._revoked:
            yield f"it takes out {name} a second time"
        answers = {"author": facts.author, "reason": facts.reason}
        yield from (f"a revocation without {word}" for word, text in answers.items() if not text.strip())
        self._revoked.add(facts.digest)
