"""Whether a file of weights is one of the network that it is said to be of: names and shapes in its header."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from selfnas import plugins
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["wrong_answers", "wrong_header"]

_Shapes = Mapping[str, tuple[int, ...]]


def wrong_header(path: Path, architecture: str, shape: TaskShape) -> Iterator[str]:
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


def wrong_answers(path: Path, examples: int, outputs: int) -> Iterator[str]:
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
