"""A network with fresh weights, written and timed, so that sizes and times of others can be predicted."""

from __future__ import annotations

import numpy as np

from agent.designing.bounds import Forecast
from agent.designing.file_size import fresh_files
from agent.designing.spec import DesignSpec
from selfnas.artefacts.latency import REFERENCE_MACS, remeasured
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture

__all__ = ["forecast"]


def forecast(spec: DesignSpec, architecture: Architecture) -> Forecast | None:
    """Of one of the smallest networks; None where no target limits file or time.

    Its time is the lower end of the interval, so that a limit is not called impossible for what else the machine did.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    asked = {"file", "latency_p95"} & set(spec.targets)
    if not asked:
        return None
    shape = spec.task_shape
    files, spent = fresh_files(architecture, shape, spec.precisions), costs(architecture, shape)
    example = np.zeros((shape.channels, *shape.size), dtype=np.float32)
    timed = {each: remeasured(content, example) for each, content in files.items()} if "latency_p95" in asked else {}
    rates = [each.together.reference_p50 / REFERENCE_MACS for each in timed.values()]
    return Forecast(
        params=spent.params,
        macs=spent.macs,
        bytes={each: len(content) for each, content in files.items()} if "file" in asked else {},
        p95={each: found.low for each, found in timed.items()},
        per_mac=min(rates, default=0.0),
    )
