"""Whether the files that a task's events name are there, what their names say, and of what they are.

Of a file of weights names and shapes in its header are compared with those of the network that it is said to be of.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.ledger import events
from agent.ledger.home import Home
from selfnas import plugins
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["KeptFiles"]

_Shapes = Mapping[str, tuple[int, ...]]


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
            yield from _wrong_header(self._home.weights_file(facts.weights_sha256), facts.architecture, shape)

    def answers(self, cross: events.CrossRecord, outputs: int | None) -> Iterator[str]:
        """Whether cross-fitted answers are there, one for each example that was counted and each output."""
        wrong = list(self._kept(cross.sha256, "cross-fitted answers"))
        yield from wrong
        if not wrong and outputs is not None:
            yield from _wrong_answers(self._home.weights_file(cross.sha256), cross.examples, outputs)

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
            yield from _wrong_header(path, trained.architecture, shape)

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


def _wrong_header(path: Path, architecture: str, shape: TaskShape) -> Iterator[str]:
    """What a file of weights has and the network has not, or the other way round; only the header is read."""
    found = _held(path)
    if found is None:
        yield f"its weights are no safetensors file: {path.name}"
        return
    wanted = _wanted(architecture, shape, plugins.state())
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            told = (found.get(name) or "none", wanted.get(name) or "none")
            yield f"its weights are of another network: {name} has shape {told[0]}, the architecture's {told[1]}"
            return


def _wrong_answers(path: Path, examples: int, outputs: int) -> Iterator[str]:
    """Whether a file of cross-fitted answers has one for each example and output."""
    found = _held(path)
    if found is None:
        yield f"its cross-fitted answers are no safetensors file: {path.name}"
    elif set(found.values()) != {(examples, outputs)}:
        yield f"its cross-fitted answers are of shape {sorted(set(found.values()))}, not {(examples, outputs)}"


def _held(path: Path) -> _Shapes | None:
    """Names and shapes; None where the file is no safetensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return None


@functools.lru_cache(maxsize=256)
def _wanted(architecture: str, shape: TaskShape, plugins_in_force: tuple[object, ...]) -> _Shapes:
    from selfnas.networks.network import build_network

    state = build_network(parse_architecture(architecture), shape, seed=0).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
