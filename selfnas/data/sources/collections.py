"""Data sets of PyTorch and Lightning as arrays: whatever has a length and gives `(input, answer)` by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import check_memory
from selfnas.errors import InputError

__all__ = ["arrays_of", "parts_of"]

Arrayed = tuple[NDArray[Any] | list[NDArray[Any]], NDArray[Any]]


def arrays_of(dataset: object, *, most: int) -> Arrayed:
    """Every sample of a data set, in order: inputs and answers.

    Args:
        dataset: has a length, and gives pairs of tensors, arrays, numbers or images of Pillow.
        most: bytes that the inputs may take.

    Raises:
        InputError: no length, no pairs, other things in them, or more than memory may take.
    """
    count, get = getattr(dataset, "__len__", None), getattr(dataset, "__getitem__", None)
    if count is None or get is None:
        raise InputError(f"{type(dataset).__name__} has no length and numbered samples: make a list of (input, answer)")
    size = int(count())
    if not size:
        raise InputError(f"{type(dataset).__name__} is empty")
    inputs, answers = [], []
    for index in range(size):
        x, y = _pair(get(index), index)
        if not index:
            check_memory(size * x.size * max(x.dtype.itemsize, 4), most, type(dataset).__name__)
        inputs.append(x)
        answers.append(y)
    same = len({x.shape for x in inputs}) == 1
    return (np.stack(inputs) if same else inputs), np.stack(answers)


def parts_of(module: object) -> dict[str, object]:
    """The data sets of a LightningDataModule: `train`, and where it has them `validation` and `test`.

    Raises:
        InputError: it gives none for training.
    """
    for hook, stage in (("prepare_data", None), ("setup", "fit"), ("setup", "test")):
        call = getattr(module, hook, None)
        if callable(call):
            call() if stage is None else call(stage)
    found: dict[str, object] = {}
    for name, hook in (("train", "train_dataloader"), ("validation", "val_dataloader"), ("test", "test_dataloader")):
        loader = _loader(module, hook)
        if loader is not None:
            found[name] = getattr(loader, "dataset", loader)
    if "train" not in found:
        raise InputError(f"{type(module).__name__} gives no data set for training")
    return found


def _loader(module: object, hook: str) -> object | None:
    call = getattr(module, hook, None)
    if not callable(call) or _only_raises(module, hook):
        return None
    loader: object = call()
    if isinstance(loader, Sequence) and not hasattr(loader, "dataset"):
        if len(loader) != 1:
            raise InputError(f"{hook} gives {len(loader)} loaders: need one")
        loader = loader[0]
    return loader


def _only_raises(module: object, hook: str) -> bool:
    """Whether a hook is Lightning's own: its classes have every hook, and those that nobody overrides only raise."""
    owner = next((one for one in type(module).__mro__ if hook in vars(one)), type(module))
    return owner.__module__.partition(".")[0] in ("pytorch_lightning", "lightning")


def _pair(sample: object, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        raise InputError(f"sample {index} is {type(sample).__name__}: need pairs of input and answer")
    x, y = _array(sample[0]), _array(sample[1])
    if x.dtype.hasobject or y.dtype.hasobject:
        raise InputError(f"sample {index} holds Python objects: need tensors, arrays or numbers")
    return x, y


def _array(value: Any) -> NDArray[Any]:
    """A tensor, an array, an image, a number or a text as an array."""
    detach = getattr(value, "detach", None)
    return np.asarray(detach().cpu().numpy() if callable(detach) else value)
