"""`selfnas devices measure`: a latency table of this machine, checked on networks that did not make it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from constraints.language.examples import parse_shape
from selfnas.devices.devices import Device, Quantity, load_device
from selfnas.devices.latency import Measured, Setting, measure
from selfnas.errors import InputError
from selfnas.figures import write_figure
from selfnas.files import write_whole
from selfnas.spaces.macro import parse_macro
from selfnas.spaces.named import space_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DEFAULT_SETTINGS", "build_device", "parse_setting", "write_device"]

DEFAULT_SETTINGS = ("nb201/c8n1r16@1x8x8/10", "nb201/c16n5r32@3x32x32/10")
_SPEARMAN = 0.95  # what the predictor should reach on unseen networks


def build_device(
    settings: Sequence[str], *, name: str, like: str, networks: int, rounds: int, out: Path, plot: Path | None
) -> bool:
    """Measure, write the device file, print the checks; whether every check is good enough.

    Args:
        settings: as `parse_setting` reads them.
        name: of the device.
        like: a device whose energies and heat are taken over, for they are not measured here.
        networks: unseen ones of each setting that predictions are checked on.
        rounds: in which everything to be timed takes its turn.
        out: the file.
        plot: a .png of predictions against measurements.

    Raises:
        InputError: a setting that is none, or a file that cannot be written.
    """
    console = Console()
    parsed = [parse_setting(text) for text in settings]
    model = load_device(like)
    with console.status("timing parts and whole networks"):
        found = measure(parsed, checked=networks, rounds=rounds)
    device = model.model_copy(update={"device": name, "latencies": found.latencies, **_speeds()})
    write_device(device, out)
    table = Table(
        "setting", "unseen networks", "Spearman", "median error", "worst error",
        title=f"{name}: predicted against measured, one example, one thread",
    )  # fmt: skip
    for text, check in zip(settings, found.checks, strict=True):
        table.add_row(
            text, str(check.networks), f"{check.spearman:.3f}", f"{check.median_error:.1%}", f"{check.worst_error:.1%}"
        )
    console.print(table)
    console.print(f"{len(found.latencies.parts)} parts, written to {out}")
    if plot:
        _draw(settings, found, plot, title=name)
        console.print(f"plot: {plot}")
    return all(check.spearman >= _SPEARMAN for check in found.checks)


def parse_setting(text: str) -> Setting:
    """Read `space/macro@shape`.

    Raises:
        InputError: not such a text.

    Example:
        >>> space, macro, shape = parse_setting("nb201/c8n1r16@1x8x8/10")
        >>> space.name, str(macro), shape.classes
        ('nb201', 'c8n1r16', 10)
    """
    head, at, shape = text.partition("@")
    space, slash, macro = head.partition("/")
    if not at or not slash:
        raise InputError(f"a setting reads 'nb201/c8n1r16@1x8x8/10' (space, macro settings, task shape), not {text!r}")
    return space_named(space), parse_macro(macro), parse_shape(shape)


def write_device(device: Device, path: Path) -> None:
    """Write a device file and read it back.

    Raises:
        InputError: it cannot be written, or what was written is not a device file.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(device.model_dump(mode="json", exclude_none=True), text)
    write_whole(path, text.getvalue())
    if load_device(str(path.resolve())) != device:
        raise InputError(f"{path}: what was written is not what was measured")


def _speeds() -> dict[str, Quantity]:
    """Peak rate, bandwidth and overhead of one thread of this machine."""
    import torch

    torch.set_num_threads(1)
    side, numbers = 512, 32 * 1024 * 1024
    a, b = torch.randn(side, side), torch.randn(side, side)
    source, target = torch.zeros(numbers), torch.empty(numbers)
    small = torch.zeros(8)
    with torch.inference_mode():
        product = _best(lambda: torch.mm(a, b), repeats=5)
        copy = _best(lambda: target.copy_(source), repeats=1)
        call = _best(lambda: small + small, repeats=1000)
    how = f"torch {torch.__version__.partition('+')[0]}, one thread, fastest of 15"
    return {
        "peak_gmacs": _quantity(side**3 / product / 1e9, f"float32 matrix product of {side} x {side}; {how}"),
        "bandwidth_gbs": _quantity(2 * 4 * numbers / copy / 1e9, f"copy of 128 MiB, read and written; {how}"),
        "overhead_us": _quantity(1e6 * call, f"sum of two tensors of 8 numbers; {how}"),
    }


def _quantity(value: float, source: str) -> Quantity:
    return Quantity(value=float(f"{value:.3g}"), basis="measured", source=source)


def _best(action: Callable[[], object], *, repeats: int) -> float:
    """Seconds of the fastest of a few looks."""
    looks = []
    for _ in range(15):
        begun = time.thread_time()
        for _ in range(repeats):
            action()
        looks.append((time.thread_time() - begun) / repeats)
    return max(min(looks), 1e-9)


def _draw(settings: Sequence[str], found: Measured, path: Path, *, title: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(settings), 4))
    every: Sequence[Axes] = figure.subplots(1, len(settings), squeeze=False)[0]
    for axes, text, predicted, measured, check in zip(
        every, settings, found.predicted, found.measured, found.checks, strict=True
    ):
        ends = [min(predicted.min(), measured.min()), max(predicted.max(), measured.max())]
        axes.plot(ends, ends, color="#999999", linewidth=1)
        axes.plot(measured, predicted, "o", markersize=4, color="#0072B2", alpha=0.7)
        axes.set(xscale="log", yscale="log", xlabel="measured (µs)", ylabel="predicted (µs)")
        axes.set_title(f"{text}\nSpearman {check.spearman:.3f}, {check.networks} unseen networks", fontsize=9)
        axes.grid(alpha=0.3)
    figure.suptitle(title, fontsize=10)
    write_figure(figure, path, bbox="tight")
