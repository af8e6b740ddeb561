"""Device descriptions: what a machine can do, in one YAML file each, every number marked measured or assumed.

Shipped ones are named (`raspberry-pi-4`); others are files. A latency table for one machine is written into such a
file by `selfnas devices measure`. A file that is not whole, or with a number out of range, is refused: costs never fall
back on a guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfnas.documents import Document, StrictModel, parse_document, read_document
from selfnas.errors import InputError, suggestion

__all__ = ["Device", "Latencies", "Quantity", "load_device", "shipped_devices"]

_FOLDER = "device_files"
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Quantity(StrictModel):
    """One number of a device and where it comes from.

    Attributes:
        value: in the unit of its field.
        basis: whether it was measured on such a device or is an assumption.
        source: what was measured and how, or what the assumption rests on.
    """

    value: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
    basis: Literal["measured", "assumed"]
    source: str = Field(min_length=3, max_length=500)


class Latencies(StrictModel):
    """What the parts of networks take on one machine, and how a whole network follows from them.

    A network's time is `intercept_us + scale * (sum over its parts)`.

    Attributes:
        about: library, threads, batch and statistic.
        intercept_us: what a network takes beside its parts.
        scale: fitted on measured networks.
        parts: by `selfnas.devices.work.Part.key`, microseconds.
    """

    about: str = Field(min_length=3, max_length=500)
    intercept_us: Finite
    scale: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    parts: dict[str, Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]] = Field(min_length=1)


class Device(StrictModel):
    """A device file's content.

    Attributes:
        device: its name.
        format: of the file.
        about: what it is, in a sentence.
        peak_gmacs: multiply-accumulates in float32, 1e9 a second.
        bandwidth_gbs: to and from main memory, 1e9 bytes a second.
        overhead_us: microseconds that each kernel takes beside computing and moving.
        pj_per_mac: energy of a multiply-accumulate, picojoules.
        pj_per_byte: energy of a byte moved to or from main memory, picojoules.
        idle_watts: power drawn while nothing is computed, counted as long as a network runs.
        sustained_watts: power that cooling can carry away for ever.
        heating_seconds: time constant of its temperature (first order).
        latencies: measured part by part; without them times follow from the numbers above.
    """

    device: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    format: Literal[1]
    about: str = Field(min_length=3, max_length=500)
    peak_gmacs: Quantity
    bandwidth_gbs: Quantity
    overhead_us: Quantity
    pj_per_mac: Quantity
    pj_per_byte: Quantity
    idle_watts: Quantity
    sustained_watts: Quantity
    heating_seconds: Quantity
    latencies: Latencies | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Every number with its source, by field."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in fields.items() if isinstance(value, Quantity)}


def shipped_devices() -> tuple[str, ...]:
    """Names of the descriptions that come with this package."""
    folder = resources.files("selfnas") / _FOLDER
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_device(name: str) -> Device:
    """A shipped description by name, or one from a file.

    Raises:
        InputError: no such description, or a file that is not one; with every problem found and its place.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return _checked(read_document(Path(name), Device))
    if name not in shipped_devices():
        raise InputError(f"unknown device {name!r}{suggestion(name, shipped_devices())}; a file is named by its path")
    text = (resources.files("selfnas") / _FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return _checked(parse_document(text, Device, name=f"{name}.yaml"))


def _checked(document: Document[Device]) -> Device:
    device = document.value
    if device.sustained_watts.value <= device.idle_watts.value:
        message = (
            f"sustained_watts {device.sustained_watts.value:g} must be above idle_watts "
            f"{device.idle_watts.value:g}, or nothing could ever run"
        )
        raise InputError([document.problem(("sustained_watts",), message)])
    return device
