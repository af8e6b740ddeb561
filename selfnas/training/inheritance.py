"""Weights from a parent: a network that differs by an edit starts from what its parent has learnt.

Networks name their weights by place (`network.py`), so what two of them share is what has the same name and shape. The
rest keeps its fresh values. Source of the idea: Real et al. 2017 (ICML) and Elsken, Metzen, Hutter 2018.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

__all__ = ["inherit"]


def inherit(child: nn.Module, parent: Mapping[str, Tensor]) -> float:
    """Copy in place what fits of a parent's state; the share of the child's numbers that was taken over, in [0, 1]."""
    own = child.state_dict()
    shared = {name: value for name, value in parent.items() if name in own and own[name].shape == value.shape}
    child.load_state_dict(shared, strict=False)
    total = sum(value.numel() for value in own.values())
    return float(sum(value.numel() for value in shared.values()) / max(total, 1))
