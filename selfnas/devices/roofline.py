"""Time, energy and heat of a network on a described device; times measured part by part where the device has them.

Roofline: a kernel takes as long as its arithmetic or its memory traffic, whichever is longer, plus a fixed overhead.
Heat: to first order a device at constant power P warms towards P x R with one time constant; where P is above what
cooling carries away (`sustained_watts`), the limit is reached after a while and from then on work is slowed until the
power equals the limit. The slowed time is what an objective should count for a network that runs all the time.

Sources: Williams, Waterman, Patterson 2009 (CACM) for the roofline; Skadron et al. 2003 (ISCA) for the lumped thermal
resistance and capacitance, of which ours is the single-node case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from selfnas import plugins
from selfnas.devices.devices import Device
from selfnas.devices.work import parts, peak_memory_bytes, traffic_bytes
from selfnas.errors import InputError, suggestion
from selfnas.networks.costs import costs
from selfnas.plugins import ExtensionPoint, accept_callable
from selfnas.spaces.architecture import Architecture, TaskShape

__all__ = ["COSTS", "DEVICE_COSTS", "EXTENSION_POINT", "CostFormula", "Estimate", "cost", "cost_names", "estimate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one example through a network costs on a device.

    Attributes:
        latency_us: microseconds, cool.
        energy_uj: microjoules, idle power included.
        watts: mean power while it runs without a pause.
        slowdown: how many times longer it takes once the device is at its limit; 1 where the limit is never reached.
        seconds_to_limit: of running without a pause from cold; infinite where the limit is never reached.
    """

    latency_us: float
    energy_uj: float
    watts: float
    slowdown: float
    seconds_to_limit: float

    @property
    def sustained_latency_us(self) -> float:
        """Microseconds once the device is warm: the penalty of heat."""
        return self.latency_us * self.slowdown


def estimate(architecture: Architecture, shape: TaskShape, device: Device) -> Estimate:
    """What a network costs on a device.

    Raises:
        InputError: the device has latencies, but not of all parts of this network.
    """
    found = parts(architecture, shape)
    kernels = [(kernel, count) for part, count in found.items() for kernel in part.kernels]
    if device.latencies is None:
        latency_us = sum(
            count
            * (
                device.overhead_us.value
                + max(kernel.macs / device.peak_gmacs.value, kernel.traffic_bytes / device.bandwidth_gbs.value) / 1e3
            )
            for kernel, count in kernels
        )
    else:
        known = device.latencies.parts
        missing = sorted(part.key for part in found if part.key not in known)
        if missing:
            raise InputError(
                f"device {device.device} has no latency of {', '.join(missing[:3])}"
                f"{' and others' if len(missing) > 3 else ''}: measure this setting with `selfnas devices measure`"
            )
        total = sum(count * known[part.key] for part, count in found.items())
        latency_us = max(device.latencies.intercept_us + device.latencies.scale * total, 1e-3)
    dynamic_uj = 1e-6 * sum(
        count * (kernel.macs * device.pj_per_mac.value + kernel.traffic_bytes * device.pj_per_byte.value)
        for kernel, count in kernels
    )
    return _with_heat(latency_us, dynamic_uj, device)


def _with_heat(latency_us: float, dynamic_uj: float, device: Device) -> Estimate:
    idle, limit = device.idle_watts.value, device.sustained_watts.value
    watts = idle + dynamic_uj / latency_us
    slowdown = max(1.0, dynamic_uj / (limit - idle) / latency_us)
    seconds = device.heating_seconds.value * math.log(watts / (watts - limit)) if watts > limit else math.inf
    return Estimate(
        latency_us=latency_us,
        energy_uj=dynamic_uj + idle * latency_us,
        watts=watts,
        slowdown=slowdown,
        seconds_to_limit=seconds,
    )


# (architecture, task shape, device or None) -> what one example costs
CostFormula = Callable[[Architecture, TaskShape, Device | None], float]


def _counted(name: str) -> CostFormula:
    return lambda architecture, shape, device: float(getattr(costs(architecture, shape), name))


def _estimated(name: str) -> CostFormula:
    def formula(architecture: Architecture, shape: TaskShape, device: Device | None) -> float:
        if device is None:
            raise InputError(f"cost {name!r} needs a device")
        return float(getattr(estimate(architecture, shape, device), name))

    return formula


DEVICE_COSTS = ("latency_us", "sustained_latency_us", "energy_uj")
COSTS: Mapping[str, CostFormula] = MappingProxyType(
    {
        **{name: _counted(name) for name in ("params", "macs", "activation_bytes")},
        "peak_memory_bytes": lambda architecture, shape, device: float(peak_memory_bytes(architecture, shape)),
        "traffic_bytes": lambda architecture, shape, device: float(traffic_bytes(architecture, shape)),
        **{name: _estimated(name) for name in DEVICE_COSTS},
    }
)


def cost(name: str, architecture: Architecture, shape: TaskShape, device: Device | None) -> float:
    """One of `COSTS`, or of a plug-in in force.

    Raises:
        InputError: an unknown cost, a device's cost without a device or without the latency of some part, or a
            plug-in's formula that gives no finite number of at least 0.
    """
    if name in COSTS:
        return COSTS[name](architecture, shape, device)
    formula: CostFormula | None = plugins.find("objectives", name)
    if formula is None:
        raise InputError(f"unknown cost {name!r}{suggestion(name, cost_names())}")
    value = float(formula(architecture, shape, device))
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"cost {name!r} of {architecture} is {value}: need a finite number of at least 0")
    return value


def cost_names() -> tuple[str, ...]:
    """Our own costs, and those of plug-ins in force."""
    return (*COSTS, *plugins.names("objectives"))


EXTENSION_POINT = ExtensionPoint(
    wanted="a function (architecture, shape, device) -> float, as selfnas.devices.roofline.CostFormula",
    own=COSTS,
    accept=accept_callable,
)
