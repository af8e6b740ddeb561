"""Weights as workers keep them: safetensors files, each named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["keep", "kept", "write_whole"]


def keep(weights: Mapping[str, Tensor], folder: Path) -> str:
    """Write a safetensors file named by its SHA-256, whole or not at all; returns the SHA-256."""
    from safetensors.torch import save

    content = save({name: tensor.cpu().contiguous() for name, tensor in weights.items()})
    digest = hashlib.sha256(content).hexdigest()
    write_whole(folder / f"{digest}.safetensors", content)
    return digest


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def kept(path: Path) -> Mapping[str, Tensor]:
    """A safetensors file whose bytes are those that its name says.

    Raises:
        ValueError: they are not.
    """
    from safetensors.torch import load

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise ValueError(f"weights to inherit were changed: {path.name} is not what its name says")
    return load(content)
