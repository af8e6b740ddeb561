"""What must hold of the metric that a task is measured by, and of what it says of each network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from agent.ledger import events
from selfnas.data.targets import TARGET_KINDS, TargetKind
from selfnas.training.metrics import METRICS, Metric

__all__ = ["kind_of", "possible", "wrong_metric"]


def kind_of(started: events.TaskStarted) -> tuple[TargetKind, list[str]]:
    """The kind of target that a task names, and what is wrong with it and with its metric, in sentences."""
    told = "classification" if started.target is events.UNSET else started.target
    kind: TargetKind = next((known for known in TARGET_KINDS if known == told), "classification")
    problems = [] if kind == told else [f"its target is {told!r}, which there is not"]
    name = "accuracy" if started.metric is events.UNSET else started.metric
    metric = METRICS.get(name)
    if metric is None or kind not in metric.kinds:
        problems.append(f"its metric is {name!r}, which there is not for {kind}")
    return kind, problems


def wrong_metric(tested: events.Tested, started: events.TaskStarted) -> Iterator[str]:
    """What a network's metric cannot be; how it came from the test split is a measurement that nothing here repeats."""
    found = tested.metric
    if found is events.UNSET:
        if started.metric is not events.UNSET and not tested.reason:
            yield f"the task is measured by {started.metric}, which is not told"
        return
    if found.name != started.metric:
        yield f"measured by {found.name}, but the task is measured by {started.metric or 'accuracy'}"
        return
    limits = (found.estimate if found.low is None else found.low, found.estimate if found.high is None else found.high)
    if not limits[0] <= found.estimate <= limits[1]:
        yield f"{found.name} {found.estimate:g} lies outside its own interval"
    metric = METRICS.get(found.name)
    if metric is not None and not possible(metric, found.estimate):
        yield f"{found.name} cannot be {found.estimate:g}"
    if tested.test_count and found.n != tested.test_count:
        yield f"{found.name} is of {found.n} examples, and {tested.test_count} were tested"


def possible(metric: Metric, value: float) -> bool:
    """Shares and R² are at most 1, shares and losses at least 0."""
    if not math.isfinite(value) or (metric.higher and value > 1):
        return False
    return value >= 0 or metric.unit == "none"
