"""A life written by hand, in which people decide."""

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from agent.gate.review import review
from agent.ledger.events import (
    Admitted,
    Certified,
    Event,
    Facts,
    NamedText,
    Refused,
    Reviewed,
    RunStarted,
    Shape,
    TaskStarted,
    Trained,
)
from agent.ledger.review_signature import key_text, signed
from agent.state.state import LifeState
from agent.verify.reviews import ReviewChecker
from audits.contract.reviewing import terms_of
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from tests.agent.made_up import as_event, blank

ARCHITECTURES = [
    SPACES["nb201"].decode(np.array([3, 3, index, 2, 3, 3], dtype=np.int8), macro=Macro(8, 1, 16)) for index in range(3)
]
GOOD, BAD, LOST = (architecture.digest for architecture in ARCHITECTURES)
STARTED: dict[str, Any] = {"task_digest": "d", "description": {}, "shape": Shape(channels=1, size=[8, 8], classes=10)}


class Story:
    """A life written by hand: `GOOD` was admitted, `BAD` refused by audits, `LOST` could not be trained."""

    def __init__(self, suite: str = "suite: s\n", *, run_by: str | None = None) -> None:
        self.state, self.events = LifeState(), list[Event[Facts]]()
        self.begin(suite, run_by=run_by)
        self.tell(TaskStarted, task="t", **STARTED)
        for architecture in ARCHITECTURES:
            lost = architecture.digest == LOST
            common: dict[str, Any] = {"architecture": str(architecture), "digest": architecture.digest}
            facts: dict[str, Any] = {
                "validation": 0.9, "params": 10, "weights_sha256": "" if lost else "w" + architecture.digest[:8],
            }  # fmt: skip
            self.tell(Certified, **common, certificate="{}")
            reason = "not finite" if lost else ""
            self.tell(Trained, **common, **facts, reason=reason, test_correct=9, test_count=10)
            if architecture.digest == GOOD:
                self.tell(Admitted, **common, **facts, test=0.9, certificate="{}")
            else:
                self.tell(Refused, **common)

    def begin(self, suite: str, *, run_by: str | None = None) -> None:
        """A run under a suite of that text."""
        started = blank(RunStarted, constraint_set_digest="c" * 64, audit_suite=NamedText(name="s", text=suite))
        said = {} if run_by is None else {"run_by": run_by}
        self.add(structs.replace(started, run=len(self.state.runs) + 1, stream={**started.stream, **said}))

    def tell(self, kind: type[Facts], **facts: Any) -> None:
        """One more event."""
        self.add(blank(kind, **facts))

    def add(self, facts: Facts) -> None:
        """One more event, as it is."""
        event = as_event(facts, len(self.events))
        self.events.append(event)
        self.state.apply(event)

    def decide(
        self,
        digest: str,
        decision: Any,
        *,
        author: str = "ann",
        reason: str = "because",
        key: Ed25519PrivateKey | None = None,
        **where: Any,
    ) -> None:
        """A person decides, and signs where there is a key."""
        public = "" if key is None else key_text(key.public_key())
        said = review(self.state, digest, decision, author=author, reason=reason, key=public, **where)
        self.add(said if key is None else signed(said, key, after="0" * 64))

    def problems(self) -> list[str]:
        """What the verifier says of the decisions."""
        checker, found, certified = ReviewChecker(), list[str](), dict[str, str]()
        for event in self.events:
            match event.facts:
                case RunStarted() as started:
                    found += checker.run_begins(
                        started, approval="before-reuse", terms=terms_of(started.audit_suite.text)
                    )
                case TaskStarted() as task:
                    found += checker.task_begins(task)
                case Certified() as one:
                    certified[one.architecture] = one.certificate
                case Trained() as trained:
                    checker.trained(trained, certificate=certified.get(trained.architecture, ""))
                case Reviewed() as decision:
                    found += checker.reviewed(decision)
                case Admitted() | Refused() as outcome:
                    checker.decided(outcome)
        return found

    def standing(self) -> dict[str, str]:
        """The library: digest and what people said."""
        return {motif.digest: motif.review for motif in self.state.library}
