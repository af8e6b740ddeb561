"""The reference networks: plain, designed by hand, trained by the recipe that anybody would start with.

They share nothing with the cells that are searched. A residual network for images and series, and one of wide
kernels side by side for series; shifts and noise as augmentation, AdamW, one cycle of the learning rate, and a number
of steps that follows from the network's size alone.

Sources: He et al. 2016 (CVPR); Wang, Yan, Oates 2017 (IJCNN), for series; Ismail Fawaz et al. 2020 (DMKD 34),
InceptionTime, here one network of three modules; Smith and Topin 2019, one cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas import seeding
from selfnas.baselines.baseline import Floats, Form, Predict, Scores, Setting
from selfnas.data.targets import Targets

__all__ = ["inception", "resnet", "steps_for"]

_BATCH = 64
_FEWEST_STEPS, _MOST_STEPS = 200, 500
_MULTIPLICATIONS = 6e10  # of the forward pass, over a training: some ten seconds of one core
_RATE, _DECAY, _SMOOTHING = 5e-3, 5e-2, 0.05
_MOST_SHIFT = 1 / 8  # of a side
_NOISE = 0.03  # standard deviations of the inputs, for series
_LARGE_IMAGE, _LONG_SERIES = 16, 256  # beyond it the stem halves

Module: TypeAlias = Callable[[int, int], nn.Module]


def resnet(x: Floats, y: Targets, setting: Setting) -> Predict:
    """Three stages of residual blocks, the width doubled at each, and an average over all places."""
    return _trained(_residual_network(setting), x, y, setting)


def inception(x: Floats, y: Targets, setting: Setting) -> Predict:
    """Three modules of kernels of 9, 19 and 39 steps side by side, with a residual around them."""
    return _trained(_inception_network(setting), x, y, setting)


def steps_for(multiplications: int, batch: int) -> int:
    """Steps of training, by the multiplications of a forward pass of one example.

    Example:
        >>> steps_for(10**6, 64), steps_for(10**9, 64)
        (500, 200)
    """
    return int(min(_MOST_STEPS, max(_FEWEST_STEPS, _MULTIPLICATIONS // max(1, multiplications * batch))))


def _residual_network(setting: Setting) -> Callable[[], nn.Module]:
    dims, width = len(setting.size) - 1, 16 if len(setting.size) > 2 else 32
    conv, norm, pool = _LAYERS[dims]

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            first, second = _KERNELS[dims]
            self.body = nn.Sequential(
                conv(inputs, outputs, first, stride=stride, padding=first // 2, bias=False), norm(outputs), nn.ReLU(),
                conv(outputs, outputs, second, padding=second // 2, bias=False), norm(outputs),
            )  # fmt: skip
            plain = stride == 1 and inputs == outputs
            self.short = nn.Identity() if plain else conv(inputs, outputs, 1, stride=stride, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return functional.relu(self.body(x) + self.short(x))

    def made() -> nn.Module:
        stem = conv(setting.size[0], width, 3, stride=_stem_stride(setting), padding=1, bias=False)
        blocks = [Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)]
        head = [pool(1), nn.Flatten(), nn.Linear(4 * width, setting.columns)]
        return nn.Sequential(stem, norm(width), nn.ReLU(), *blocks, *head)

    return made


def _inception_network(setting: Setting) -> Callable[[], nn.Module]:
    width, kernels = 16, (39, 19, 9)

    class Inception(nn.Module):
        def __init__(self, inputs: int) -> None:
            super().__init__()
            narrow = width if inputs > 1 else inputs
            self.narrow = nn.Conv1d(inputs, narrow, 1, bias=False) if inputs > 1 else nn.Identity()
            self.wide = nn.ModuleList([nn.Conv1d(narrow, width, k, padding=k // 2, bias=False) for k in kernels])
            self.pooled = nn.Sequential(nn.MaxPool1d(3, 1, 1), nn.Conv1d(inputs, width, 1, bias=False))
            self.norm = nn.BatchNorm1d(4 * width)

        def forward(self, x: Tensor) -> Tensor:
            narrow = self.narrow(x)
            side: Tensor = self.norm(torch.cat([*(conv(narrow) for conv in self.wide), self.pooled(x)], dim=1))
            return side

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList([Inception(setting.size[0]), Inception(4 * width), Inception(4 * width)])
            self.short = nn.Sequential(nn.Conv1d(setting.size[0], 4 * width, 1, bias=False), nn.BatchNorm1d(4 * width))

        def forward(self, x: Tensor) -> Tensor:
            first, second, third = self.parts
            inner = third(functional.relu(second(functional.relu(first(x)))))
            return functional.relu(inner + self.short(x))

    def made() -> nn.Module:
        stride = _stem_stride(setting)
        head = [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4 * width, setting.columns)]
        return nn.Sequential(*([nn.AvgPool1d(stride)] if stride > 1 else []), Residual(), *head)

    return made


def _stem_stride(setting: Setting) -> int:
    most = _LARGE_IMAGE if len(setting.size) > 2 else _LONG_SERIES
    return 2 if max(setting.size[1:]) > most else 1


def _trained(made: Callable[[], nn.Module], x: Floats, y: Targets, setting: Setting) -> Predict:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(setting.seed, "reference weights"))
        network = made()
    batch = min(_BATCH, len(x))
    steps = setting.steps or steps_for(_multiplications(network, x), batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.2)
    examples, targets, rng = torch.from_numpy(x), torch.from_numpy(y), seeding.generator(setting.seed, "reference")
    loss, order = _loss(setting), np.empty(0, dtype=np.int64)
    network.train()
    for _ in range(steps):
        if len(order) < batch:
            order = np.concatenate([order, rng.permutation(len(x))])
        chosen, order = order[:batch], order[batch:]
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss(network(_augmented(examples[chosen], rng)), targets[chosen]))
        optimiser.step()
        schedule.step()
    network.eval()

    def predict(rows: Floats) -> Scores:
        with torch.no_grad():
            outputs = torch.cat([network(part) for part in torch.split(torch.from_numpy(rows), 256)])
            told: Scores = _SCORES[setting.form](outputs).double().numpy()
            return told

    return predict


def _augmented(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Each example shifted by up to an eighth of each side, its edge repeated; series get noise and a new scale."""
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        most = int(length * _MOST_SHIFT)
        shifts = torch.from_numpy(rng.integers(-most, most + 1, len(x)))
        places = (torch.arange(length)[None] + shifts[:, None]).clamp(0, length - 1)
        view = [len(x), *[1] * (x.ndim - 1)]
        view[axis] = length
        x = torch.gather(x, axis, places.view(view).expand_as(x))
    if x.ndim == 3:
        scale = torch.from_numpy(rng.normal(1.0, 0.1, (len(x), x.shape[1], 1)).astype(np.float32))
        x = x * scale + torch.from_numpy(rng.normal(0.0, _NOISE, x.shape).astype(np.float32))
    return x


def _multiplications(network: nn.Module, x: Floats) -> int:
    """Of convolutions and linear layers, for one example."""
    counted: list[int] = []

    def count(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        weight = module.get_parameter("weight")
        counted.append(weight.numel() * (output[0].numel() // weight.shape[0]))

    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear))
    ]
    network.eval()
    with torch.no_grad():
        network(torch.from_numpy(x[:1]))
    for hook in hooks:
        hook.remove()
    return sum(counted)


def _loss(setting: Setting) -> Callable[[Tensor, Tensor], Tensor]:
    """What is minimised: cross-entropy, its like for labels, squares of numbers, or the pinball loss."""
    quantiles = torch.tensor(setting.target.quantiles)

    def smoothed(outputs: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, y, label_smoothing=_SMOOTHING)

    def pinball(outputs: Tensor, y: Tensor) -> Tensor:
        above = y - outputs
        return torch.maximum(quantiles * above, (quantiles - 1) * above).mean()

    by_form: Mapping[Form, Callable[[Tensor, Tensor], Tensor]] = {
        "classes": smoothed,
        "labels": functional.binary_cross_entropy_with_logits,
        "numbers": functional.mse_loss,
        "quantiles": pinball,
    }
    return by_form[setting.form]


_LAYERS = {1: (nn.Conv1d, nn.BatchNorm1d, nn.AdaptiveAvgPool1d), 2: (nn.Conv2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d)}
_KERNELS = {1: (7, 5), 2: (3, 3)}
_SCORES: Mapping[Form, Callable[[Tensor], Tensor]] = {
    "classes": lambda outputs: outputs.softmax(dim=1),
    "labels": torch.sigmoid,
    "numbers": lambda outputs: outputs,
    "quantiles": lambda outputs: outputs,
}
