"""Whether the files of a home that a task's events name are there, what their names say, and of what they are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from agent.ledger import events
from agent.ledger.home import Home
from agent.verify.meaning.headers import wrong_answers, wrong_header
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape

__all__ = ["KeptFiles"]


class KeptFiles:
    """Files of weights and of cross-fitted answers.

    Args:
        home: of the life.
        checked: how many of each kind were looked at; counted up here.
    """

    def __init__(self, home: Home, checked: Counter[str]) -> None:
        self._home, self._checked = home, checked

    def weights(self, facts: events.Admitted | events.Reviewed, shape: TaskShape | None) -> Iterator[str]:
        """Whether the weights that an event names are there, what their name says, and of its architecture."""
        wrong = list(self._kept(facts.weights_sha256, "weights"))
        yield from wrong
        if not wrong and shape is not None:
            yield from wrong_header(self._home.weights_file(facts.weights_sha256), facts.architecture, shape)

    def answers(self, cross: events.CrossRecord, outputs: int | None) -> Iterator[str]:
        """Whether cross-fitted answers are there, one for each example that was counted and each output."""
        wrong = list(self._kept(cross.sha256, "cross-fitted answers"))
        yield from wrong
        if not wrong and outputs is not None:
            yield from wrong_answers(self._home.weights_file(cross.sha256), cross.examples, outputs)

    def left(self, trained: events.Trained, shape: TaskShape | None) -> Iterator[str]:
        """Weights of what was not admitted need not be there; where they are, they are of the architecture."""
        if shape is None or not trained.weights_sha256:
            return
        try:
            path = self._home.weights_file(trained.weights_sha256)
        except InputError as error:
            yield str(error)
            return
        if path.is_file():
            yield from wrong_header(path, trained.architecture, shape)

    def _kept(self, sha256: str, what: str) -> Iterator[str]:
        """Whether a file of the home is there, and what its name says."""
        try:
            path = self._home.weights_file(sha256)
        except InputError as error:
            yield str(error)
            return
        if not path.is_file():
            yield f"its {what} are missing: {path.name}"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield f"its {what} were changed: {path.name}"
        else:
            self._checked[what] += 1
