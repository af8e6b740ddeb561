"""Recorded networks, built again from the ledger's facts and the weights file."""

from __future__ import annotations

from pathlib import Path

from agent.state import TaskState, task_shape
from selfnas.errors import InputError
from selfnas.network import Network, build_network
from selfnas.space import parse_architecture

__all__ = ["restore_network"]


def restore_network(task: TaskState, architecture: str, weights: Path) -> Network:
    """A trained network in evaluation mode, on the CPU.

    Raises:
        InputError: the weights file is missing, unreadable or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = build_network(parse_architecture(architecture), task_shape(task.started), seed=0)
    try:
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise InputError(f"{weights}: cannot be used as weights of {architecture}: {first}") from error
    return network.eval()
