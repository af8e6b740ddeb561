"""Measuring this machine: how long the parts of networks take, and whether their sum predicts whole networks.

One thread, inference mode, one example at a time, processor time: what the wall clock shows on an idle machine. All
things to be timed take turns in rounds, so that a machine whose speed drifts slows all of them alike. The lower decile
over rounds is kept: what else runs can only add to a look, through caches and shared units, and on a machine that is
used it adds to most of them, so a median says how busy the machine was.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas import seeding
from selfnas.devices.devices import Latencies
from selfnas.devices.work import Part, frame_parts, head_part, join_part, operation_part, parts, stem_part, sum_part
from selfnas.errors import InputError
from selfnas.networks.network import Network, build_network
from selfnas.networks.stack import Stack, stack
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape

__all__ = ["Check", "Measured", "Setting", "check", "fit", "measure", "time_networks"]

Setting = tuple[Space, Macro, TaskShape]
Action = Callable[[], object]

_UNDISTURBED = 0.1  # the share of looks that count as undisturbed; unlike a minimum it does not depend on their number
_PAUSE_SECONDS = 0.06  # between rounds of a few networks: looks of one second are all disturbed, or none is
_SLICE_SECONDS = 2e-4  # each look at a part lasts at least about so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How well predictions agree with measurements of networks that did not make them.

    Attributes:
        networks: how many were built and timed.
        spearman: rank correlation of predicted and measured.
        median_error: median of |predicted - measured| / measured.
        worst_error: the largest of them.
    """

    networks: int
    spearman: float
    median_error: float
    worst_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What measuring a machine gave.

    Attributes:
        checks: one for each setting.
        predicted: of each setting's unseen networks, microseconds.
        measured: the same networks, timed.
    """

    latencies: Latencies
    checks: tuple[Check, ...]
    predicted: tuple[NDArray[np.float64], ...]
    measured: tuple[NDArray[np.float64], ...]


def measure(settings: Sequence[Setting], *, fitted: int = 24, checked: int = 100, rounds: int = 75) -> Measured:
    """Time every part of these settings' networks, fit the table on some networks, check it on others.

    Args:
        settings: what is to be predicted; one table serves them all.
        fitted: networks of each setting that the scale is fitted on.
        checked: further networks of each setting, all different from the fitted ones, that it is checked on.
        rounds: in which everything to be timed takes its turn.

    Raises:
        InputError: a setting has fewer different networks than are wanted, or the machine is too busy to be measured.
    """
    actions: dict[str, Action] = {}
    networks: list[list[Architecture]] = []
    for space, macro, shape in settings:
        for part, action in _actions(space, macro, shape):
            actions.setdefault(part.key, action)
        networks.append(_different(space, macro, fitted + checked))
    whole = [
        _network(architecture, shape)
        for (_, _, shape), drawn in zip(settings, networks, strict=True)
        for architecture in drawn
    ]
    times = _timed([*actions.values(), *whole], rounds=rounds)
    known = dict(zip(actions, times.tolist(), strict=False))
    seen = times[len(actions) :].reshape(len(settings), fitted + checked)
    sums = np.array([_sums(known, drawn, shape) for (_, _, shape), drawn in zip(settings, networks, strict=True)])
    about = (
        f"torch {torch.__version__.partition('+')[0]}, float32, one thread, one example; lower decile of processor "
        f"time over {rounds} rounds"
    )
    latencies = fit(about, known, sums[:, :fitted].ravel(), seen[:, :fitted].ravel())
    predicted = latencies.intercept_us + latencies.scale * sums[:, fitted:]
    measured = seen[:, fitted:]
    return Measured(
        latencies=latencies,
        checks=tuple(check(*pair) for pair in zip(predicted, measured, strict=True)),
        predicted=tuple(predicted),
        measured=tuple(measured),
    )


def time_networks(
    architectures: Sequence[Architecture], shape: TaskShape, latencies: Latencies, *, rounds: int
) -> tuple[NDArray[np.float64], float]:
    """`(n,)` microseconds of whole networks of one space and macro setting, and how slow the machine is at present.

    The latter is what the table's parts take now, in turns with the networks, over what they took when it was made
    (median): a machine that others use, or that is hot, is not as fast as it was.

    Raises:
        InputError: the table has none of these networks' parts.
    """
    one = architectures[0]
    now = {part.key: action for part, action in _actions(one.space, one.macro, shape)}
    known = [key for key in now if latencies.parts.get(key, 0.0) > 0]
    if not known:
        raise InputError("the device has no latencies of these networks' parts")
    networks = [_network(architecture, shape) for architecture in architectures]
    times = _timed([*networks, *(now[key] for key in known)], rounds=rounds, pause_seconds=_PAUSE_SECONDS)
    then = np.array([latencies.parts[key] for key in known])
    return times[: len(networks)], float(np.median(times[len(networks) :] / then))


def fit(about: str, known: Mapping[str, float], sums: NDArray[np.float64], measured: NDArray[np.float64]) -> Latencies:
    """Scale and intercept that make `(n,)` sums over parts fit measured networks best in relative terms.

    Raises:
        InputError: fewer than three networks, their parts do not tell them apart, or those whose parts take longer
            were not the slower ones.
    """
    if len(sums) < 3 or np.ptp(sums) <= 0:
        raise InputError(f"need at least 3 networks of different parts to fit latencies, not {len(sums)}")
    design = np.stack([np.ones_like(sums), sums], axis=1) / measured[:, None]
    (intercept, scale), *_ = np.linalg.lstsq(design, np.ones_like(sums), rcond=None)
    if scale <= 0:
        raise InputError(
            f"the {len(sums)} networks that latencies were to be fitted on took no longer the longer their parts take: "
            "this machine is too busy to be measured; try again when it is idle, or with more rounds"
        )
    return Latencies(
        about=about,
        intercept_us=round(float(intercept), 3),
        scale=round(float(scale), 5),
        parts={key: round(value, 3) for key, value in sorted(known.items())},
    )


def check(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> Check:
    """`(n,)` predictions against measurements of networks that the fit has not seen."""
    from scipy.stats import spearmanr

    errors = np.abs(predicted - measured) / measured
    return Check(
        networks=len(measured),
        spearman=float(spearmanr(predicted, measured).statistic),
        median_error=float(np.median(errors)),
        worst_error=float(errors.max()),
    )


def _different(space: Space, macro: Macro, count: int) -> list[Architecture]:
    """Uniformly drawn architectures of different digests."""
    rng, found = seeding.generator(0, "latency", space.name), dict[str, Architecture]()
    for _ in range(20):
        for vector in space.draw(rng, count):
            architecture = space.decode(vector, macro=macro)
            found.setdefault(architecture.digest, architecture)
        if len(found) >= count:
            return list(found.values())[:count]
    raise InputError(f"space {space.name} has only {len(found)} different networks at hand, not {count}")


def _sums(known: Mapping[str, float], architectures: Sequence[Architecture], shape: TaskShape) -> NDArray[np.float64]:
    return np.array([sum(count * known[part.key] for part, count in parts(a, shape).items()) for a in architectures])


def _network(architecture: Architecture, shape: TaskShape) -> Action:
    return _call(build_network(architecture, shape, seed=0).eval(), torch.randn(1, shape.channels, *shape.size))


def _timed(actions: Sequence[Action], *, rounds: int, pause_seconds: float = 0.0) -> NDArray[np.float64]:
    """`(n,)` microseconds of each action where nothing disturbs it, from rounds in which all of them take turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            repeats = []
            for action in actions:
                action()
                repeats.append(max(1, int(_SLICE_SECONDS / max(_seconds(action, 3), 1e-7))))
            looks = []
            for _ in range(rounds):
                looks.append([_seconds(a, n) for a, n in zip(actions, repeats, strict=True)])
                if pause_seconds:
                    time.sleep(pause_seconds)
                    for action in actions:
                        action()  # what is first after a pause finds caches cold, a third of its time and more
    finally:
        torch.set_num_threads(threads)
    return np.asarray(1e6 * np.quantile(np.array(looks), _UNDISTURBED, axis=0))


def _seconds(action: Action, repeats: int) -> float:
    begun = time.thread_time()
    for _ in range(repeats):
        action()
    return (time.thread_time() - begun) / repeats


def _call(module: nn.Module, *inputs: Tensor) -> Action:
    return lambda: module(*inputs)


def _actions(space: Space, macro: Macro, shape: TaskShape) -> list[tuple[Part, Action]]:
    """Every part of a setting's networks with something that does it once."""
    plan = stack(space, macro, shape)
    frame = build_network(space.decode(space.draw(np.random.default_rng(0), 1)[0], macro=macro), shape, seed=0).eval()
    found = dict(_frame(plan, frame))
    for block in plan.blocks:
        if block.template is None:
            continue
        template = space.templates[block.template]
        for source, _ in template.slots:
            size, stride = block.edge(source)
            for operation in template.operations:
                part = operation_part(operation, block.channels, size=size, stride=stride)
                module = operation.build(block.channels, stride=stride, size=size).eval()
                found.setdefault(part, _call(module, _example(part)))
    return list(found.items())


def _frame(plan: Stack, network: Network) -> list[tuple[Part, Action]]:
    """The parts around cells: stem, preparations, reductions, sums, joins and head."""
    stem, head = stem_part(plan), head_part(plan)
    found = [(stem, _call(network.stem, _example(stem)))]
    sizes = [plan.stem_size, *(block.size_out for block in plan.blocks)]
    for block, module in zip(plan.blocks, network.blocks, strict=True):
        framing = frame_parts(block, [sizes[source + 1] for source in block.inputs])
        built: Any = [module] if block.template is None else getattr(module, "prepare", [])
        found += [(part, _call(own, _example(part))) for part, own in zip(framing, built, strict=True)]
        if block.template is None:
            continue
        one, two = (torch.randn(1, block.channels, *block.size_out) for _ in range(2))
        found.append((sum_part(block), functools.partial(torch.add, one, two)))
        if len(block.inputs) > 1:
            pieces = [one] * (block.channels_out // block.channels)
            found.append((join_part(block), functools.partial(torch.cat, pieces, dim=1)))
    x = _example(head)
    found.append((head, lambda: network.head(network.pool(network.head_norm(x)))))
    return found


def _example(part: Part) -> Tensor:
    return torch.randn(1, part.channels_in, *part.size)
