"""`selfnas devices …`: what is known of devices, and a limit on latency as a rule of a constraint set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfnas.errors import InputError, cause
from selfnas.figures import picture_file

__all__ = ["app"]

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
    out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None,
) -> None:
    """A constraint set that keeps out what would take longer, so that Z3 checks it before anything is trained."""
    from agent.commands.device_rule import latency_set
    from selfnas.devices.devices import load_device

    text = latency_set(load_device(device), setting, at_most_us=at_most)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {cause(error)}") from error
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
    plot: Annotated[
        Path | None, typer.Option(help="A .png of predicted against measured.", callback=picture_file)
    ] = None,
) -> None:
    """Time the parts of networks on this machine and check that they predict whole ones; exit 1 if they do not."""
    from agent.commands.devices_measure import DEFAULT_SETTINGS, build_device

    good = build_device(
        settings or DEFAULT_SETTINGS, name=name, like=like, networks=networks, rounds=rounds, out=out, plot=plot
    )
    raise typer.Exit(0 if good else 1)
