"""Timing parts and whole networks: shapes and arithmetic; how well it predicts, `selfnas devices measure` says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from agent.commands.devices_measure import parse_setting, write_device
from selfnas.devices import latency
from selfnas.devices.devices import load_device
from selfnas.devices.latency import _actions, check, fit, measure
from selfnas.devices.roofline import estimate
from selfnas.devices.work import parts
from selfnas.errors import InputError
from selfnas.spaces.named import SPACES


class _Clock(TorchDispatchMode):
    """Time that passes by what is computed and by nothing else: a microsecond a kernel, a nanosecond a number."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.seconds += 1e-6 + 1e-9 * (found.numel() if isinstance(found, torch.Tensor) else 0)
        return found


def _counted(action: Callable[[], object], _: int) -> float:
    with _Clock() as clock:
        action()
    return clock.seconds


def test_a_table_covers_every_network_of_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device file that holds it is read back as it was."""
    monkeypatch.setattr(latency, "_seconds", _counted)
    settings = [parse_setting(text) for text in ("nb201/c2n1r8@1x8x8/2", "transnas-micro/c2n1r8@1x20/2")]
    found = measure(settings, fitted=4, checked=6, rounds=1)
    assert [one.networks for one in found.checks] == [6, 6]
    assert min(one.spearman for one in found.checks) > 0.9
    device = load_device("server-cpu").model_copy(update={"device": "here", "latencies": found.latencies})
    write_device(device, tmp_path / "here.yaml")
    read = load_device(str(tmp_path / "here.yaml"))
    assert read == device
    for space, macro, shape in settings:
        for vector in space.draw(np.random.default_rng(1), 20):
            assert estimate(space.decode(vector, macro=macro), shape, read).latency_us > 0


def test_fit_and_check_of_known_numbers() -> None:
    """Exact where the sums explain everything; constant sums explain nothing."""
    sums = np.array([10.0, 20.0, 40.0, 80.0])
    latencies = fit("a test", {"part": 1.0}, sums, 5 + 3 * sums)
    assert (latencies.intercept_us, latencies.scale) == (5.0, 3.0)
    found = check(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    assert (found.spearman, found.median_error, found.worst_error) == (1.0, 0.0, 0.25)
    with pytest.raises(InputError, match="at least 3 networks of different parts"):
        fit("a test", {"part": 1.0}, np.ones(4), np.ones(4))
    with pytest.raises(InputError, match="too busy to be measured"):
        fit("a test", {"part": 1.0}, sums, 100 - sums)


def test_cells_with_two_inputs_have_all_their_parts() -> None:
    """Preparations, joins and halving operations are timed too."""
    space, macro, shape = parse_setting("darts/c2n1r8@1x20/2")
    timed = {part.key for part, _ in _actions(space, macro, shape)}
    for vector in space.draw(np.random.default_rng(1), 20):
        assert {part.key for part in parts(space.decode(vector, macro=macro), shape)} <= timed


def test_settings_are_read_or_refused() -> None:
    """With an example of what is right."""
    assert parse_setting("transnas-micro/c16n5r32@3x32x32/10")[0] is SPACES["transnas-micro"]
    with pytest.raises(InputError, match="a setting reads 'nb201/c8n1r16@1x8x8/10'"):
        parse_setting("nb201")
