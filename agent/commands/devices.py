"""`selfnas devices …`: what is known of devices, a limit on latency as a rule, and this machine measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfnas.errors import InputError
from selfnas.figures import picture_file
from selfnas.files import check_output, write_whole

if TYPE_CHECKING:
    from selfnas.devices.devices import Device

__all__ = ["app", "latency_set"]

app = typer.Typer(no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="A shipped device or a file.")]


@app.callback()
def devices() -> None:
    """Devices that costs are counted for."""


@app.command("list")
def list_devices() -> None:
    """The shipped descriptions."""
    from rich.console import Console
    from rich.table import Table

    from selfnas.devices.devices import load_device, shipped_devices

    table = Table("device", "what it is")
    for name in shipped_devices():
        table.add_row(name, load_device(name).about)
    Console().print(table)


@app.command()
def show(device: _Name) -> None:
    """Every number of a device with its basis and source."""
    from rich.console import Console
    from rich.table import Table

    from selfnas.devices.devices import load_device

    found = load_device(device)
    table = Table("quantity", "value", "basis", "source", title=f"{found.device}: {found.about}")
    for name, quantity in found.quantities.items():
        table.add_row(name, f"{quantity.value:g}", quantity.basis, quantity.source)
    console = Console()
    console.print(table)
    if found.latencies:
        console.print(f"latencies of {len(found.latencies.parts)} parts: {found.latencies.about}")


@app.command()
def rule(
    device: _Name,
    at_most: Annotated[float, typer.Option(min=0.0, help="Microseconds that a network may take.")],
    setting: Annotated[
        str, typer.Option(metavar="SPACE/MACRO@SHAPE", help="Networks that the rule is for.")
    ] = "nb201/c8n1r16@1x8x8/10",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; default: print.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """A constraint set that keeps out what would take longer, so that Z3 checks it before anything is trained."""
    from selfnas.devices.devices import load_device

    file = None if out is None else check_output(out, (".yaml", ".yml"), force=force)
    text = latency_set(load_device(device), setting, at_most_us=at_most)
    if file is None:
        typer.echo(text, nl=False)
        return
    write_whole(file, text)
    typer.echo(f"written to {out}")


@app.command()
def measure(
    out: Annotated[Path, typer.Option(help="The device file to write, a .yaml.")] = Path("this-machine.yaml"),
    name: Annotated[str, typer.Option(help="What to call the device.")] = "this-machine",
    settings: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="SPACE/MACRO@SHAPE", help="Networks to predict; repeatable."),
    ] = None,
    like: Annotated[str, typer.Option(help="Device whose energies and heat are taken over.")] = "server-cpu",
    networks: Annotated[int, typer.Option(min=10, max=10_000, help="Unseen networks to check, per setting.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Looks at everything that is timed.")] = 75,
    plot: Annotated[Path | None, typer.Option(help="A .png of predicted against measured.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files of these names.")] = False,
) -> None:
    """Time the parts of networks on this machine and check that they predict whole ones; exit 1 if they do not."""
    from agent.commands.devices_measure import DEFAULT_SETTINGS, build_device

    check_output(out, (".yaml", ".yml"), force=force)
    picture_file(plot, force=force)
    good = build_device(
        settings or DEFAULT_SETTINGS, name=name, like=like, networks=networks, rounds=rounds, out=out, plot=plot
    )
    raise typer.Exit(0 if good else 1)


def latency_set(device: Device, setting: str, *, at_most_us: float) -> str:
    """The YAML text of a set with one rule: a table of what operations take, and a limit on their total.

    The rule is never laxer than the prediction: each live operation is charged a sum as well, though the first into a
    node needs none, and times are rounded up. That makes it too strict by at most one sum for each node between input
    and output, and a microsecond for each operation.

    Raises:
        InputError: a space of several cells, or the limit is below what the network takes without any operation.
    """
    from agent.commands.devices_measure import parse_setting
    from selfnas.devices.roofline import estimate
    from selfnas.spaces.architecture import Architecture
    from selfnas.spaces.cell import Cell, Edge

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
