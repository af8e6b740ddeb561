"""What a trained network holds within the region that it was hardened against: counted, proved and attacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.stream.training import RobustnessSection
from agent.workers.jobs import RobustAnswer

if TYPE_CHECKING:
    from torch import nn

    from selfnas.data.tasks import Task

__all__ = ["COUNTED", "robust_answer"]

COUNTED = 200  # test examples, at most: each is attacked some hundred times
_STEPS, _RESTARTS, _QUERIES = 20, 2, 60


def robust_answer(network: nn.Module, task: Task, section: RobustnessSection, *, device: str = "cpu") -> RobustAnswer:
    """Of test examples how many are answered, withstand attacks, and are proved; the same each time.

    Args:
        network: in evaluation mode.
        task: the examples, of which at most 200 are drawn, and the range of its training inputs.
        section: the region.
        device: where the network is.
    """
    import torch

    from selfnas import seeding
    from selfnas.robust.attack import attack
    from selfnas.robust.bounds import UnboundedOperationError
    from selfnas.robust.margins import certified
    from selfnas.robust.region import Region

    draw = torch.randperm(len(task.test), generator=seeding.torch_generator(0, "robust", task.digest))
    chosen = draw[:COUNTED].sort().values
    x, y = torch.from_numpy(task.test.x)[chosen].to(device), torch.from_numpy(task.test.y)[chosen].to(device)
    region = Region.of(torch.from_numpy(task.train.x), radius=section.radius)
    found = attack(
        network,
        x,
        y,
        region,
        seed=seeding.torch_generator(0, "attack", task.digest),
        steps=_STEPS,
        restarts=_RESTARTS,
        queries=_QUERIES,
    )
    try:
        proved, reason = int(certified(network, x, y, region).sum()), ""
    except UnboundedOperationError as error:
        proved, reason = 0, str(error)
    return RobustAnswer(
        norm=section.norm,
        radius=section.radius,
        count=len(chosen),
        clean=int(found.clean.sum()),
        attacked=int(found.resisted.sum()),
        masked=int(found.masked.sum()),
        certified=proved,
        unproved=reason,
    )
