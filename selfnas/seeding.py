"""Randomness by name: one integer per run, every generator derived from it and from what it is for.

Deriving by name instead of by order makes results independent of the number of workers and of who finishes first.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["derive", "generator", "torch_generator"]


def derive(seed: int, *names: str | int) -> int:
    """A child seed in [0, 2**63), the same on every machine.

    Example:
        >>> derive(1, "train", "digits") == derive(1, "train", "digits") != derive(1, "train", "mnist")
        True
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for one named purpose."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A torch CPU generator for one named purpose."""
    import torch  # takes seconds; who only reads a stream file does not wait for it

    return torch.Generator().manual_seed(derive(seed, *names))
