"""A limit on a device's latency as a rule of a constraint set."""

from __future__ import annotations

import math
from collections.abc import Mapping

from selfnas.devices.devices import Device
from selfnas.devices.roofline import estimate
from selfnas.errors import InputError
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.cell import Cell, Edge

__all__ = ["latency_set"]


def latency_set(device: Device, setting: str, *, at_most_us: float) -> str:
    """The YAML text of a set with one rule: a table of what operations take, and a limit on their total.

    The rule is never laxer than the prediction: each live operation is charged a sum as well, though the first into a
    node needs none, and times are rounded up. That makes it too strict by at most one sum for each node between input
    and output, and a microsecond for each operation.

    Raises:
        InputError: a space of several cells, or the limit is below what the network takes without any operation.
    """
    from agent.commands.bench_device import parse_setting

    space, macro, shape = parse_setting(setting)
    if len(space.templates) != 1 or space.templates[0].inputs != 1:
        raise InputError(f"a latency is a total over one cell's operations: not so in space {space.name}")
    template = space.templates[0]
    last = template.nodes - 1

    def latency_us(operations: Mapping[tuple[int, int], str]) -> float:
        edges = tuple(sorted(Edge(target=t, source=s, operation=name) for (s, t), name in operations.items()))
        cell = Cell(inputs=1, nodes=template.nodes, outputs=template.outputs, edges=edges)
        return estimate(Architecture(space=space, cells=(cell,), macro=macro), shape, device).latency_us

    fixed = latency_us({})
    name = template.names[0]
    # Two ways to the output instead of one: the second operation, and one sum.
    long, short = {(0, 1): name, (1, last): name}, {(0, 1): name, (1, last): name, (0, last): name}
    one_sum = latency_us(short) - latency_us(long) - (latency_us({(0, last): name}) - fixed)
    times = {name: latency_us({(0, last): name}) - fixed for name in template.names}
    table = {name: math.ceil(max(0.0, round(time + one_sum, 6))) for name, time in times.items()}
    limit = math.floor(at_most_us - fixed + one_sum)
    if limit < 0:
        raise InputError(
            f"a network of {setting} takes {fixed:.0f} us without any operation, so none is within {at_most_us:g}"
        )
    entries = ", ".join(f"{name}: {value}" for name, value in table.items())
    return f"""\
# At most {at_most_us:g} us on {device.device}, for {setting}; {fixed:.1f} us of it are outside the cell's operations.
set: latency
language: 1
spaces: [{space.name}]
tables: {{latency: {{unit: us, {entries}}}}}
rules:
  - id: latency
    scope: cell
    require: total(latency) <= {limit} @us
    why: a network of {macro} may take at most {at_most_us:g} us for one example on {device.device}
    message: the network would take too long on {device.device}
"""
