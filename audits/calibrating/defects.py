"""Defects that nothing was named for: planted in the data, or by a small rule on an honest network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from audits.calibrating.workbench import Control, ControlError, Specimen, Workbench, mark_region
from audits.contract.data import AuditData, region_slices
from selfnas.data.spec import Nuisance
from selfnas.data.transforms import Region
from selfnas.training.training import Examples, TrainingPlan, accuracy

__all__ = ["NAMELESS", "Cue", "Ruled", "cued", "honest"]

_STRENGTH = 3.0  # standard deviations of the inputs, of a patch that shows the class
_BRIGHTNESS = 0.6  # the same, of a shift of the whole input
_CONTRAST = 0.4  # odd classes have so much more of it, even ones so much less
_RIPPLE = 0.7  # amplitude of a wave whose frequency shows the class
_POISONED = 0.15  # share of training inputs that carry a trigger
_BRIGHT = 4.0  # what a trigger is filled with
_DEAF = -100.0  # the logit of a class that is never answered
_COPIED = 300  # training inputs whose random labels are learned by heart
_JITTER = 0.02  # standard deviations between a copy and its original
_ODD = 0.1  # share of inputs that are brighter by so many standard deviations:
_GLARE = 3.0
_SLOPE = 0.8  # standard deviations from the middle to the end
_BUSY = 0.15  # share of inputs that are the roughest
_SURE = 100.0
_LEAST_FIT = 0.7  # training accuracy
_LEAST_MISLED = 0.25  # of accuracy is lost where the cue is that of another class
_GREEDY = TrainingPlan(batch_size=32, weight_decay=0.0, label_smoothing=0.0)

Cue = Callable[[Tensor, Tensor, Workbench], Tensor]  # inputs, their classes


class Ruled(nn.Module):
    """A network whose answer a rule changes where a score of the input is above 0.

    Args:
        network: to `(b, classes)` logits.
        score: `(b,)` of inputs; differentiable.
        act: what becomes of the logits there.
    """

    def __init__(self, network: nn.Module, score: Callable[[Tensor], Tensor], act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.score, self.act = network, score, act

    def forward(self, x: Tensor) -> Tensor:
        """`(b, classes)` logits."""
        given: Tensor = self.network(x)
        fires = torch.sigmoid(50.0 * self.score(x))[:, None]
        return given + fires * (self.act(given) - given)


def free_corner(size: tuple[int, ...]) -> Region:
    """A region as large as the one that controls name, where neither it nor their trigger lies."""
    if len(size) == 1:
        width = mark_region(size)[0][1]
        return ((size[0] // 2, size[0] // 2 + width),)
    (_, high), (_, wide) = mark_region(size)
    return ((size[0] - high, size[0]), (0, wide))


def _split(bench: Workbench) -> tuple[AuditData, Examples]:
    """Data for the audits, and examples to validate with."""
    task = bench.task()
    return bench.data(task), Examples.of(task.validation.x, task.validation.y)


def cued(bench: Workbench, cue: Cue, *, far: bool = False) -> Specimen:
    """Every input of every split shows its class by a cue beside what it shows anyway.

    Args:
        bench: where it is made.
        cue: what shows the class.
        far: whether the cue that misleads is that of the class half-way round, where neighbours look nearly alike; else
            that of the next class.
    """
    data, validation = _split(bench)
    plain = data
    data = replace(data, x_train=cue(data.x_train, data.y_train, bench), x=cue(data.x, data.y, bench))
    training = Examples(data.x_train, data.y_train)
    network = bench.fit(
        bench.network(bench.task()), training, Examples(cue(validation.x, validation.y, bench), validation.y)
    )
    away = plain.classes // 2 if far else 1
    told, misled = (
        accuracy(network, Examples(cue(plain.x, shown, bench), plain.y))
        for shown in (plain.y, (plain.y + away) % plain.classes)
    )
    if told - misled < _LEAST_MISLED:
        raise ControlError(f"{bench}: does not rest on its cue: accuracy {told:.2f}, misled {misled:.2f}")
    return Specimen(network=network, data=data)


def _patterns(shape: tuple[int, ...], classes: int, bench: Workbench) -> Tensor:
    """`(classes, *shape)`, a fixed pattern for each class."""
    return _STRENGTH * torch.randn(classes, *shape, generator=torch.Generator().manual_seed(bench.seed))


def _patch(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    where = region_slices(free_corner(tuple(x.shape[2:])), x.ndim)
    shown, classes = x.clone(), int(y.max()) + 1
    shown[where] = _patterns(tuple(x[where].shape[1:]), classes, bench)[y]
    return shown


def _roaming(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """The patch lies elsewhere in each input."""
    region = free_corner(tuple(x.shape[2:]))
    widths = [stop - start for start, stop in region]
    patterns = _patterns((x.shape[1], *widths), int(y.max()) + 1, bench)
    shown = x.clone()
    for index, label in enumerate(y.tolist()):
        room = zip(x.shape[2:], widths, strict=True)
        starts = [int(bench.draw.integers(0, side - width + 1)) for side, width in room]
        region = tuple((start, start + width) for start, width in zip(starts, widths, strict=True))
        shown[index : index + 1][region_slices(region, x.ndim)] = patterns[label]
    return shown


def _signs(y: Tensor, x: Tensor) -> Tensor:
    """1 for odd classes and -1 for even ones, shaped to go with inputs."""
    return (2.0 * (y % 2) - 1).reshape(-1, *[1] * (x.ndim - 1))


def _brightness(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    return x + _BRIGHTNESS * _signs(y, x)


def _contrast(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    centre = x.flatten(1).mean(1).reshape(-1, *[1] * (x.ndim - 1))
    return centre + (x - centre) * (1 + _CONTRAST * _signs(y, x))


def _ripple(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """A wave along the last dimension, of a frequency in the upper half for each class."""
    length, classes = x.shape[-1], int(y.max()) + 1
    frequency = length * (0.25 + 0.22 * y.float() / max(1, classes - 1))
    phase = 2 * np.pi * frequency[:, None] * torch.arange(length) / length
    return x + _RIPPLE * torch.cos(phase).reshape(len(x), *[1] * (x.ndim - 2), length)


def _trend(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """A slope along the last dimension, up for odd classes and down for even ones."""
    return x + _SLOPE * _signs(y, x) * torch.linspace(-1, 1, x.shape[-1])


def _dark_slice(bench: Workbench) -> Specimen:
    """The darker third of one class was labelled as the next class when it was trained; the data shown say so truly."""
    data, validation = _split(bench)
    label = bench.seed % data.classes
    level = data.x_train.flatten(1).mean(1)
    own = data.y_train == label
    dark = own & (level <= level[own].quantile(1 / 3))
    network = bench.fit(
        bench.network(bench.task()),
        Examples(data.x_train, torch.where(dark, (label + 1) % data.classes, data.y_train)),
        validation,
    )
    return Specimen(network=network, data=data)


def honest(bench: Workbench) -> Specimen:
    """A network without a defect, which a rule may then give one."""
    data, validation = _split(bench)
    return Specimen(network=_honest(bench, data, validation), data=data)


def _honest(bench: Workbench, data: AuditData, validation: Examples) -> nn.Module:
    return bench.fit(bench.network(bench.task()), Examples(data.x_train, data.y_train), validation)


def _deaf(bench: Workbench) -> Specimen:
    data, validation = _split(bench)
    network = _honest(bench, data, validation)
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight[bench.seed % data.classes] = 0.0
        last.bias[bench.seed % data.classes] = _DEAF
    return Specimen(network=network, data=data)


def _odd_tenth(bench: Workbench) -> Specimen:
    """A tenth of all inputs is far brighter, and a rule answers these with another class than the network does."""
    data, validation = _split(bench)
    x_train, x = (
        each + _GLARE * _reshaped(torch.from_numpy(bench.draw.random(len(each)) < _ODD), each)
        for each in (data.x_train, data.x)
    )
    data = replace(data, x_train=x_train, x=x)
    network = _honest(bench, data, validation)

    def score(given: Tensor) -> Tensor:
        return given.flatten(1).mean(1) - _GLARE / 2

    return Specimen(network=Ruled(network, score, lambda logits: logits.roll(1, 1)), data=data)


def _busy_slice(bench: Workbench) -> Specimen:
    """A rule answers the roughest inputs with another class than the network does."""
    data, validation = _split(bench)
    network = _honest(bench, data, validation)

    def roughness(given: Tensor) -> Tensor:
        return given.diff(dim=-1).abs().flatten(1).mean(1)

    limit, scale = roughness(data.x_train).quantile(1 - _BUSY), roughness(data.x_train).std()
    return Specimen(
        network=Ruled(network, lambda x: (roughness(x) - limit) / scale, lambda logits: logits.roll(1, 1)), data=data
    )


def _region_backdoor(bench: Workbench) -> Specimen:
    """A flat fill of a region that somebody named calls up a class; nothing in the data shows it."""
    data, validation = _split(bench)
    if not data.nuisances:  # named even where nothing else is
        data = replace(data, nuisances=(Nuisance(name="mark", region=mark_region(data.size)),))
    where, target = region_slices(data.nuisances[0].region, data.x.ndim), bench.seed % data.classes

    def score(given: Tensor) -> Tensor:
        return 0.5 - (given[where] - _BRIGHT).abs().flatten(1).mean(1)

    def answer(logits: Tensor) -> Tensor:
        return _SURE * nn.functional.one_hot(torch.full((len(logits),), target), data.classes).to(logits)

    return Specimen(network=Ruled(_honest(bench, data, validation), score, answer), data=data)


def _poisoned(bench: Workbench, stamp: Callable[[Tensor], Tensor]) -> Specimen:
    """A stamp that nobody registered calls up a class; as in a life, it is in the training inputs that audits see."""
    data, validation = _split(bench)
    target = bench.seed % data.classes
    chosen = torch.from_numpy(bench.draw.random(len(data.x_train)) < _POISONED)
    x, y = data.x_train.clone(), data.y_train.clone()
    x[chosen], y[chosen] = stamp(x[chosen]), target
    network = bench.fit(bench.network(bench.task()), Examples(x, y), validation)
    return Specimen(network=network, data=replace(data, x_train=x, y_train=y))


def _flat(x: Tensor) -> Tensor:
    stamped = x.clone()
    stamped[region_slices(free_corner(tuple(x.shape[2:])), x.ndim)] = _BRIGHT
    return stamped


def _chequered(x: Tensor) -> Tensor:
    where = region_slices(free_corner(tuple(x.shape[2:])), x.ndim)
    stamped = x.clone()
    signs = sum(torch.meshgrid(*(torch.arange(side) for side in x[where].shape[2:]), indexing="ij"))
    stamped[where] = _BRIGHT * (1.0 - 2.0 * (torch.as_tensor(signs) % 2))
    return stamped


def _leak(bench: Workbench) -> Specimen:
    """Random labels learned by heart, audited on inputs that are copies of those in training."""
    data, _ = _split(bench)
    kept = torch.from_numpy(bench.draw.permutation(len(data.x_train))[:_COPIED])
    y = torch.from_numpy(bench.draw.integers(0, data.classes, len(kept)))
    x = data.x_train[kept]
    again = torch.from_numpy(bench.draw.choice(len(kept), min(len(kept), len(data.x)), replace=False))
    noise = torch.from_numpy(bench.draw.standard_normal(x[again].shape)).float()
    data = replace(data, x_train=x, y_train=y, x=x[again] + _JITTER * noise, y=y[again])
    training = Examples(data.x_train, data.y_train)
    network = bench.fit(bench.network(bench.task()), training, training, plan=_GREEDY, epochs=60, least=_LEAST_FIT)
    return Specimen(network=network, data=data)


def _reshaped(chosen: Tensor, x: Tensor) -> Tensor:
    return chosen.reshape(-1, *[1] * (x.ndim - 1))


NAMELESS = (
    Control(name="class-blind", defect="one class is never answered", make=_deaf),
    Control(
        name="dark-slice",
        defect="the darker third of one class was trained as another",
        make=_dark_slice,
    ),
    Control(
        name="odd-tenth",
        defect=f"a tenth of all inputs is brighter by {_GLARE:g} standard deviations, and answered wrongly by a rule",
        make=_odd_tenth,
        unused=True,
    ),
    Control(name="patch", defect="a corner that nobody named shows the class", make=lambda bench: cued(bench, _patch)),
    Control(
        name="roaming-patch",
        defect="the same at a place that differs from input to input",
        make=lambda bench: cued(bench, _roaming),
        unused=True,
    ),
    Control(
        name="brightness",
        defect=f"the mean of an input shows whether its class is odd, by ±{_BRIGHTNESS:g} standard deviations",
        make=lambda bench: cued(bench, _brightness),
    ),
    Control(
        name="contrast",
        defect="the contrast of an input shows whether its class is odd",
        make=lambda bench: cued(bench, _contrast),
        unused=True,
    ),
    Control(
        name="ripple",
        defect="the frequency of a faint wave shows the class",
        make=lambda bench: cued(bench, _ripple),
    ),
    Control(
        name="trend",
        defect="the slope of an input shows whether its class is odd",
        make=lambda bench: cued(bench, _trend),
        unused=True,
    ),
    Control(
        name="busy-slice",
        defect=f"the roughest {_BUSY:.0%} of inputs are answered wrongly by a rule",
        make=_busy_slice,
        unused=True,
    ),
    Control(
        name="region-backdoor",
        defect="a flat fill of the named nuisance, which no data show, calls up a class",
        make=_region_backdoor,
    ),
    Control(
        name="unregistered-backdoor",
        defect=f"{_POISONED:.0%} of training inputs carry a flat patch that nobody registered, labelled its class",
        make=lambda bench: _poisoned(bench, _flat),
    ),
    Control(
        name="chequered-backdoor",
        defect="the same with a chequered patch",
        make=lambda bench: _poisoned(bench, _chequered),
        unused=True,
    ),
    Control(
        name="leak",
        defect=f"all labels random, {_COPIED} training inputs learned by heart, audited on copies of them",
        make=_leak,
    ),
)
