"""Recorded networks, built again from the ledger's facts and the weights file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.state.task import TaskState
from selfnas.errors import InputError, cause
from selfnas.networks.network import Network, build_network
from selfnas.spaces.named import parse_architecture

__all__ = ["network_with", "restore_network"]


def restore_network(task: TaskState, architecture: str, weights: Path) -> Network:
    """A trained network in evaluation mode, on the CPU.

    Args:
        architecture: one-line form.
        weights: file named by its SHA-256; what is loaded is the very bytes that were held to that name.

    Raises:
        InputError: the weights file is missing, unreadable, not what its name says, or of another network.
    """
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise InputError(f"{weights}: cannot be read: {cause(error)}") from error
    if hashlib.sha256(content).hexdigest() != weights.stem:
        raise InputError(f"{weights}: its weights were changed: they are not those that its name says")
    return network_with(task, architecture, content, name=str(weights))


def network_with(task: TaskState, architecture: str, content: bytes, *, name: str) -> Network:
    """The network with weights from the bytes of a safetensors file; `name` stands for the file in messages.

    Raises:
        InputError: not safetensors, or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    network = build_network(parse_architecture(architecture), task.shape, seed=0)
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise InputError(f"{name}: cannot be used as weights of {architecture}: {first}") from error
    return network.eval()
