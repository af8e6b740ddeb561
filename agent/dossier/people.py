"""Who decided, as a dossier tells: by number, or by name where that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.dossier.evidence import Noted
from agent.ledger.events import SEND_BACK, Reviewed

__all__ = ["Decided", "decisions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision of a person.

    Attributes:
        source: the event.
        by: a name where names are told, else `reviewer 1`, in the order in which people first decided.
        reason: with every name of a reviewer replaced likewise.
    """

    source: Noted[Reviewed]
    by: str
    reason: str

    @property
    def sentence(self) -> str:
        """What happened."""
        said = self.source.facts
        why = f" because: {self.reason}" if self.reason else ", and gave no reason"
        overruled = f"overruled what stood: it stands {said.standing} from then on"
        told = {"approve": "approved the network", SEND_BACK: "sent the network back for another audit"}
        verb = told.get(said.decision, overruled)
        return f"{self.by} {verb}{why}."


def decisions(reviews: Iterable[Noted[Reviewed]], *, names: bool) -> Iterator[Decided]:
    """Each decision, oldest first.

    Args:
        reviews: as the ledger has them.
        names: whether reviewers are named.
    """
    reviews = list(reviews)
    authors = list(dict.fromkeys(one.facts.author for one in reviews))
    called = {author: author if names else f"reviewer {place}" for place, author in enumerate(authors, 1)}
    for one in reviews:
        reason = one.facts.reason
        for author in sorted(filter(None, called), key=len, reverse=True):
            reason = re.sub(rf"(?i)\b{re.escape(author)}\b", called[author].replace("\\", r"\\"), reason)
        by = called[one.facts.author]
        yield Decided(source=one, by=by[:1].upper() + by[1:] if not names else by, reason=reason)
