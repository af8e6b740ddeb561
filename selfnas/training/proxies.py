"""Zero-cost proxies: what a network promises before any training, from one batch of examples.

Each is its published definition. `proxy_scores` computes several at the price of one forward and one backward pass
where the definitions allow; `PROXIES` has each alone. The network is copied, so neither its parameters nor its running
statistics change, and no global random state is touched. Which proxy to trust is for the search policy to learn: none
is good on every task.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas import plugins
from selfnas.errors import InputError, suggestion
from selfnas.networks.network import parameter_count
from selfnas.plugins import ExtensionPoint, accept_callable

__all__ = ["EXTENSION_POINT", "PROXIES", "Proxy", "proxy_named", "proxy_scores"]

Proxy = Callable[[nn.Module, Tensor, Tensor], float]

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
_JITTER = 1e-5  # added to eigenvalues of the Jacobian correlation; Mellor et al.'s k
_ZEN_STEP = 1e-2  # Zen-NAS's mixup gamma
_ZEN_SEED = 0


def proxy_scores(network: nn.Module, x: Tensor, y: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Several proxies of one network; the higher, the better it should be.

    Args:
        network: freshly initialised; maps `(b, channels, *size)` to `(b, c)` logits.
        x: `(b, channels, *size)` training inputs, b >= 2; more examples give steadier scores and cost more.
        y: `(b,)` int64 labels.
        names: keys of `PROXIES`.

    Returns:
        A number for each name. One that is not finite says that the proxy could not be computed for this network
        (`naswot` is -inf where two examples look the same to every unit).

    Raises:
        InputError: an unknown name.
    """
    for name in names:
        if name not in _ALL:
            raise InputError(f"unknown proxy {name!r}{suggestion(name, _ALL)}")
    scores: dict[str, float] = {}
    net = copy.deepcopy(network)  # once: copying costs as much as a cheap proxy
    shared = [name for name in names if name in _SHARED]
    if shared:
        scores.update(_shared_pass(net, x, y, frozenset(shared)))
    if "zen" in names:
        scores["zen"] = _zen(net, x)
        net.load_state_dict(network.state_dict())
    if "synflow" in names:
        scores.update(_synflow_and_macs(net, x))
    elif "macs" in names:
        scores["macs"] = _macs(net, x)
    if "params" in names:
        scores["params"] = float(parameter_count(network))
    return {name: scores[name] for name in names}


@dataclass(slots=True)
class _Watched:
    """What hooks saw during one forward pass."""

    outputs: list[Tensor] = field(default_factory=list)
    codes: list[Tensor] = field(default_factory=list)


def _shared_pass(network: nn.Module, x: Tensor, y: Tensor, wanted: frozenset[str]) -> dict[str, float]:
    """Every proxy that reads one forward pass in training mode and its gradients; moves running statistics."""
    net = network.train()
    layers = [module for module in net.modules() if isinstance(module, _WEIGHTED)]
    weights = [layer.weight for layer in layers]
    inputs = x.detach().clone().requires_grad_("jacov" in wanted)
    with _watch(net, layers if "fisher" in wanted else [], codes="naswot" in wanted) as seen:
        logits = net(inputs)
    scores: dict[str, float] = {}
    if "naswot" in wanted:
        scores["naswot"] = _naswot(seen.codes)
    if "jacov" in wanted:
        (jacobian,) = torch.autograd.grad(logits.sum(), inputs, retain_graph=True, allow_unused=True)
        scores["jacov"] = -math.inf if jacobian is None else _jacov(jacobian)  # None: no path from the input
    if wanted & {"grad_norm", "snip", "fisher", "grasp"}:
        loss = functional.cross_entropy(logits, y)
        found = torch.autograd.grad(loss, [*weights, *seen.outputs], create_graph="grasp" in wanted, allow_unused=True)
        pairs = [(w, g) for w, g in zip(weights, found, strict=False) if g is not None]
        if "grad_norm" in wanted:
            scores["grad_norm"] = float(torch.stack([g.detach().norm() for _, g in pairs]).double().sum())
        if "snip" in wanted:
            scores["snip"] = sum(float((w * g).detach().abs().double().sum()) for w, g in pairs)
        if "fisher" in wanted:
            scores["fisher"] = _fisher(seen.outputs, found[len(weights) :])
        if "grasp" in wanted:
            scores["grasp"] = _grasp(pairs)
    return scores


@contextmanager
def _watch(net: nn.Module, layers: Sequence[nn.Module], *, codes: bool) -> Iterator[_Watched]:
    seen = _Watched()
    handles = [layer.register_forward_hook(lambda _m, _i, out: seen.outputs.append(out)) for layer in layers]
    if codes:
        handles += [
            module.register_forward_hook(lambda _m, into, _o: seen.codes.append((into[0].detach() > 0).flatten(1)))
            for module in net.modules()
            if isinstance(module, nn.ReLU)
        ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _naswot(codes: Sequence[Tensor]) -> float:
    """Log-determinant of how often two examples switch the same units.

    Source: Mellor, Turner, Storkey, Crowley 2021 (ICML), `score` of the authors' code.
    """
    kernel: Tensor | float = 0.0
    for code in codes:
        on = code.float()
        kernel = kernel + (on @ on.T + (1 - on) @ (1 - on).T).double()
    if isinstance(kernel, float):
        return -math.inf
    sign, value = np.linalg.slogdet(kernel.cpu().numpy())
    return float(value) if sign > 0 else -math.inf


def _jacov(jacobian: Tensor) -> float:
    """Spread of the eigenvalues of the correlation between examples' input gradients.

    Source: Mellor, Turner, Storkey, Crowley 2020 (arXiv 2006.04647v1), `eval_score` of the authors' code.
    """
    rows = jacobian.flatten(1).double().cpu().numpy()
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        return -math.inf
    unit = centred / norms
    values = np.linalg.eigvalsh(unit @ unit.T) + _JITTER
    return float(-(np.log(np.maximum(values, _JITTER / 10)) + 1 / np.maximum(values, _JITTER / 10)).sum())


def _fisher(outputs: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> float:
    """Half the mean squared product of activation and gradient, summed over channels.

    Source: Turner et al. 2020 (ICLR), as in Abdelfattah et al. 2021 (ICLR).
    """
    total = 0.0
    for output, gradient in zip(outputs, gradients, strict=True):
        if gradient is not None:
            product = (output * gradient).detach().double()
            per_channel = product.flatten(2).sum(dim=2) if product.ndim > 2 else product
            total += float(0.5 * per_channel.pow(2).mean(dim=0).sum())
    return total


def _grasp(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Minus weights times Hessian times gradient, summed.

    Source: Wang, Zhang, Grosse 2020 (ICLR), as in Abdelfattah et al. 2021 (ICLR).
    """
    flow = torch.stack([(gradient.detach() * gradient).sum() for _, gradient in pairs]).sum()
    weights = [weight for weight, _ in pairs]
    products = torch.autograd.grad(flow, weights, allow_unused=True)
    return sum(
        -float((w * hg).detach().double().sum()) for w, hg in zip(weights, products, strict=True) if hg is not None
    )


def _synflow_and_macs(network: nn.Module, x: Tensor) -> dict[str, float]:
    """Synflow, and the multiply-accumulates seen on the way.

    Synflow: sum over weights of |weight x gradient of the output's sum|, with absolute weights and an input of ones.

    Source: Tanaka, Kunin, Yamins, Ganguli 2020 (NeurIPS), as in Abdelfattah et al. 2021 (ICLR): float64, norm layers
    left out, weights of convolutions and linear layers only. The network is of no use afterwards.
    """
    net = _without_norms(network.double())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    weights = [module.weight for module in net.modules() if isinstance(module, _WEIGHTED)]
    with _count_macs(net) as macs:
        out = net(torch.ones((1, *x.shape[1:]), dtype=torch.float64, device=x.device)).sum()
    gradients = torch.autograd.grad(out, weights, allow_unused=True)
    flows = [float((w * g).detach().abs().sum()) for w, g in zip(weights, gradients, strict=True) if g is not None]
    return {"synflow": sum(flows), "macs": float(sum(macs))}


def _without_norms(module: nn.Module) -> nn.Module:
    for name, child in list(module.named_children()):
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(module, name, nn.Identity())
        else:
            _without_norms(child)
    return module


def _zen(network: nn.Module, x: Tensor) -> float:
    """How much the last feature map moves with a small move of a Gaussian input, corrected for batch norm's scaling.

    Source: Lin et al. 2021 (ICCV), Zen-NAS `compute_zen_score`, with one draw of weights and inputs as in NASLib where
    the authors average 32. The feature map is what leaves the last of `network.blocks`; a module without blocks is read
    at its output. The network is left with other weights.
    """
    net = network.train()
    random = torch.Generator(device=x.device).manual_seed(_ZEN_SEED)
    blocks = getattr(net, "blocks", None)
    read = blocks[-1] if isinstance(blocks, nn.ModuleList) and len(blocks) else net
    seen: list[Tensor] = []
    handle = read.register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.no_grad():
        norms = _gaussian_weights(net, random)
        one, move = (torch.randn(x.shape, generator=random, device=x.device, dtype=x.dtype) for _ in range(2))
        net(one)
        net(one + _ZEN_STEP * move)
    handle.remove()
    moved = float((seen[0] - seen[1]).double().abs().flatten(1).sum(dim=1).mean())
    variances = [float(norm.running_var.mean()) for norm in norms if norm.running_var is not None]
    if moved <= 0 or min(variances, default=1.0) <= 0:
        return -math.inf
    return math.log(moved) + sum(0.5 * math.log(variance) for variance in variances)


def _gaussian_weights(net: nn.Module, random: torch.Generator) -> list[nn.modules.batchnorm._BatchNorm]:
    """Standard normal weights, fresh norms; returns the norms."""
    norms = []
    for module in net.modules():
        if isinstance(module, _WEIGHTED):
            old = module.weight
            old.copy_(torch.randn(old.shape, generator=random, device=old.device, dtype=old.dtype))
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_parameters()
            norms.append(module)
    return norms


def _macs(network: nn.Module, x: Tensor) -> float:
    """Multiply-accumulates of convolutions and linear layers for one example."""
    net = network.eval()
    with _count_macs(net) as macs, torch.no_grad():
        net(x[:1])
    return float(sum(macs))


@contextmanager
def _count_macs(net: nn.Module) -> Iterator[list[int]]:
    """Collects multiply-accumulates per example of each weighted layer that a forward pass goes through."""
    macs: list[int] = []

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)  # noqa: S101 - narrows the type
        macs.append(weight.numel() * math.prod(out.shape[2:]))

    handles = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, _WEIGHTED)]
    try:
        yield macs
    finally:
        for handle in handles:
            handle.remove()


_SHARED = ("grad_norm", "snip", "grasp", "fisher", "jacov", "naswot")
_ALL = ("synflow", *_SHARED, "zen", "params", "macs")


def _one(name: str, network: nn.Module, x: Tensor, y: Tensor) -> float:
    return proxy_scores(network, x, y, (name,))[name]


PROXIES: Mapping[str, Proxy] = {name: functools.partial(_one, name) for name in _ALL}


def proxy_named(name: str) -> Proxy:
    """One of our own proxies, or of a plug-in in force.

    Raises:
        InputError: there is none of that name.
    """
    found: Proxy | None = PROXIES.get(name) or plugins.find("proxies", name)
    if found is None:
        raise InputError(f"unknown proxy {name!r}{suggestion(name, (*PROXIES, *plugins.names('proxies')))}")
    return found


EXTENSION_POINT = ExtensionPoint(
    wanted="a function (network, x, y) -> float, as selfnas.training.proxies.Proxy",
    own=PROXIES,
    accept=accept_callable,
    reserved=frozenset({"learned"}),
)
