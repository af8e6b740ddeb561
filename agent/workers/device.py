"""Which torch device a name means on this machine."""

from __future__ import annotations

__all__ = ["chosen_device"]


def chosen_device(name: str) -> str:
    """The torch device of a name; `auto` prefers CUDA. Raises `InputError` for one that cannot be used here."""
    import torch

    from selfnas.errors import InputError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {name}: cannot be used here: {first}") from error
    return name
