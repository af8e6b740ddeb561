"""Device files and what follows from them: time, energy, heat."""

import math
from pathlib import Path

import numpy as np
import pytest

from agent.commands.devices import latency_set
from agent.commands.devices_measure import parse_setting
from constraints import Guard, load_set
from selfnas.devices.devices import Device, Latencies, load_device, shipped_devices
from selfnas.devices.roofline import COSTS, cost, estimate
from selfnas.devices.work import parts
from selfnas.errors import InputError
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture, space_named

SHAPE = TaskShape(channels=3, size=(32, 32), classes=10)
HEAVY = parse_architecture("nb201/c16n5r32:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|")
LIGHT = parse_architecture("nb201/c16n5r32:|none~0|+|none~0|none~1|+|skip~0|none~1|none~2|")


def _with(device: Device, **values: float) -> Device:
    changed = {name: getattr(device, name).model_copy(update={"value": value}) for name, value in values.items()}
    return device.model_copy(update=changed)


def test_shipped_devices_are_whole_and_name_their_sources() -> None:
    """The four that the documentation names; none claims to have measured its energy."""
    assert shipped_devices() == ("phone", "raspberry-pi-4", "server-cpu", "server-gpu")
    for name in shipped_devices():
        device = load_device(name)
        assert device.device == name
        assert all(len(quantity.source) > 20 for quantity in device.quantities.values())
        assert device.pj_per_mac.basis == device.sustained_watts.basis == "assumed"


def test_a_kernel_is_bound_by_arithmetic_or_by_memory() -> None:
    """By hand: with endless bandwidth only multiply-accumulates count, with endless arithmetic only traffic."""
    device = _with(load_device("phone"), overhead_us=1e-9, bandwidth_gbs=1e9, peak_gmacs=2.0)
    kernels = [(kernel, n) for part, n in parts(HEAVY, SHAPE).items() for kernel in part.kernels]
    macs = sum(n * kernel.macs for kernel, n in kernels)
    assert estimate(HEAVY, SHAPE, device).latency_us == pytest.approx(macs / 2e3, rel=1e-6)
    device = _with(device, peak_gmacs=1e9, bandwidth_gbs=3.0)
    traffic = sum(n * kernel.traffic_bytes for kernel, n in kernels)
    assert estimate(HEAVY, SHAPE, device).latency_us == pytest.approx(traffic / 3e3, rel=1e-6)


def test_heat_slows_down_until_power_equals_the_limit() -> None:
    """At the limit the same energy is spent at exactly the sustained power; the limit is reached as RC says."""
    device = _with(load_device("raspberry-pi-4"), sustained_watts=4.0)
    found = estimate(HEAVY, SHAPE, device)
    assert found.watts > 4
    dynamic_uj = found.energy_uj - 3.0 * found.latency_us
    assert 3.0 + dynamic_uj / found.sustained_latency_us == pytest.approx(4.0)
    warmed = found.watts * (1 - math.exp(-found.seconds_to_limit / device.heating_seconds.value))
    assert warmed == pytest.approx(4.0)
    cool = estimate(HEAVY, SHAPE, _with(device, sustained_watts=100.0))
    assert (cool.slowdown, cool.seconds_to_limit) == (1.0, math.inf)


def test_measured_parts_take_the_place_of_the_roofline() -> None:
    """Intercept and scale apply; a network with a part that was never timed is refused by name."""
    known = {part.key: 2.0 for part in parts(LIGHT, SHAPE)}
    latencies = Latencies(about="a test", intercept_us=10.0, scale=1.5, parts=known)
    device = load_device("phone").model_copy(update={"latencies": latencies})
    assert estimate(LIGHT, SHAPE, device).latency_us == 10 + 1.5 * 2.0 * sum(parts(LIGHT, SHAPE).values())
    with pytest.raises(InputError, match="device phone has no latency of conv3x3 16-16 32x32 s1"):
        estimate(HEAVY, SHAPE, device)


def test_more_work_costs_more_by_every_measure() -> None:
    """Of all costs there are; a device's need one."""
    device = load_device("raspberry-pi-4")
    for name in COSTS:
        assert cost(name, HEAVY, SHAPE, device) >= cost(name, LIGHT, SHAPE, device) > 0
    with pytest.raises(InputError, match="cost 'energy_uj' needs a device"):
        cost("energy_uj", LIGHT, SHAPE, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value: 2.51", "value: -1", "need more than 0"),
        ("value: 2.51", "value: .nan", "finite number"),
        ("basis: measured", "basis: guessed", "unknown 'guessed'; known: measured, assumed"),
        ("peak_gmacs:", "peak_gflops:", "unknown key 'peak_gflops'"),
        ("value: 5.5", "value: 2", "must be above idle_watts"),
    ],
)
def test_a_bad_device_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Nothing is put in the place of a number that is wrong or missing."""
    import selfnas

    text = (Path(str(selfnas.__file__)).parent / "device_files" / "raspberry-pi-4.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_device(str(tmp_path / "bad.yaml"))
    with pytest.raises(InputError, match="unknown device 'raspbery-pi-4'; did you mean 'raspberry-pi-4'"):
        load_device("raspbery-pi-4")


@pytest.mark.parametrize("space", ["nb201", "transnas-micro"])
def test_a_latency_rule_is_never_laxer_than_the_prediction(space: str, tmp_path: Path) -> None:
    """And stricter by no more than one sum for each inner node and a microsecond for each operation."""
    device, setting = load_device("raspberry-pi-4"), f"{space}/c8n1r16@1x16x16/10"
    here, macro, shape = parse_setting(setting)
    drawn = [here.decode(v, macro=macro) for v in here.draw(np.random.default_rng(0), 300)]
    times = np.array([estimate(architecture, shape, device).latency_us for architecture in drawn])
    limit = float(np.median(times))
    (tmp_path / "fast.yaml").write_text(latency_set(device, setting, at_most_us=limit))
    guard = Guard(load_set(str(tmp_path / "fast.yaml")), space=space_named(space), macro=macro, shape=shape)
    kept_out = guard.violations(np.stack([here.encode(one) for one in drawn])).any(axis=1)
    assert kept_out[times > limit].all()
    one_sum = 3 * (device.overhead_us.value + 2)
    assert not kept_out[times < limit - 2 * one_sum - 6].any()
    with pytest.raises(InputError, match="without any operation, so none is within 1"):
        latency_set(device, setting, at_most_us=1.0)
    with pytest.raises(InputError, match="not so in space darts"):
        latency_set(device, "darts/c8n1r16@1x16x16/10", at_most_us=1e6)


def test_a_device_that_could_not_run_is_refused_with_its_place(tmp_path: Path) -> None:
    """Cooling for less than what it draws while idle: file, line and column."""
    import selfnas

    shipped = Path(str(selfnas.__file__)).parent / "device_files" / "raspberry-pi-4.yaml"
    lines = shipped.read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines, start=1) if line.startswith("sustained_watts"))
    idle = load_device("raspberry-pi-4").idle_watts.value
    text = "\n".join(lines).replace(
        f"value: {load_device('raspberry-pi-4').sustained_watts.value:g}", f"value: {idle:g}"
    )
    (tmp_path / "cold.yaml").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"cold\.yaml:{place}:1: sustained_watts {idle:g} must be above idle_watts"):
        load_device(str(tmp_path / "cold.yaml"))
