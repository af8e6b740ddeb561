"""What is proved of networks for 14-pixel digits, and whether any certificate is wrong.

Run from the root of the repository, for instance `python -m experiments.robust.measure networks --seeds 3`.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from experiments.harness import Keep, Rows, interval, measure_grid, print_table, run
from selfnas import seeding
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.networks.costs import costs
from selfnas.networks.network import Network, build_network
from selfnas.networks.reference import residual_network
from selfnas.robust.attack import attack
from selfnas.robust.certificate import write_certificate
from selfnas.robust.checking import margins_of
from selfnas.robust.margins import certified
from selfnas.robust.region import Region
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.spaces.operations import OPERATIONS, UNPROVED
from selfnas.training.evaluation import Fidelity
from selfnas.training.outputs import predict
from selfnas.training.plans import goal_of, plan_for
from selfnas.training.training import Examples, train

RADIUS = 0.1
# The best of four tried by hand on the validation split, with one seed.
CELL = "nb201/c32n1r16t1s2hg4:|conv3x3~0|+|none~0|none~1|+|none~0|skip~1|none~2|"
ARMS = ("hardened", "hand-designed, hardened", "plain")
EPOCHS, RATE = 40, 5e-3
ATTACKED = 200  # test examples

MEASURED = ("clean", "attacked", "certified", "masked", "seconds")

_PROVED = tuple(each for name, each in OPERATIONS.items() if name not in {*UNPROVED, "linear", "mlp", "gated"})
_SIZES, _HEADS = ((21,), (7, 8)), ("average", "grid4", "peaks")

Seeds = Annotated[int, typer.Option(min=1, help="Networks of each kind.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network; shares of test examples in per cent, processor time of its training."""

    seed: int
    arm: str
    clean: float
    attacked: float
    certified: float
    masked: float
    seconds: float


def networks(seeds: Seeds = 3, keep: Keep = None) -> None:
    """Clean, attacked and certified accuracy on the test split, by how networks are trained."""
    grid = [(seed, arm) for seed in range(seeds) for arm in ARMS]
    rows = measure_grid(_row, grid, Rows(keep, of=Row), cell_of=lambda row: (row.seed, row.arm))
    table = [
        (arm, *(interval(getattr(row, name) for row in rows if row.arm == arm) for name in MEASURED)) for arm in ARMS
    ]
    print_table(("network", *MEASURED), table)


def wrong(
    seeds: Seeds = 1,
    inputs: Annotated[int, typer.Option(min=1, help="Certified inputs of each network, at most.")] = 500,
    restarts: Annotated[int, typer.Option(min=1, help="Descents from random starts.")] = 50,
) -> None:
    """Attack inputs that are certified; none may be turned."""
    turned = total = 0
    task = _task()
    for seed in range(seeds):
        network = _trained(task, ARMS[0], seed)
        x, y = (torch.from_numpy(each) for each in (task.test.x, task.test.y))
        region = Region.of(torch.from_numpy(task.train.x), radius=RADIUS)
        proved = certified(network, x, y, region).nonzero()[:inputs, 0]
        draw = seeding.torch_generator(seed, "wrong certificates")
        found = attack(network, x[proved], y[proved], region, seed=draw, restarts=restarts, queries=100)
        turned, total = turned + int((~found.resisted).sum()), total + len(proved)
    print(f"{turned} of {total} certified inputs were turned by {restarts} restarts each and a search")


def cells(number: Annotated[int, typer.Option(min=1, help="Random networks.")] = 500) -> None:
    """Margins of random cells by PyTorch and by NumPy, which share no code."""
    space = replace(
        SPACES["nb201"],
        name="proved",
        templates=(replace(SPACES["nb201"].templates[0], operations=_PROVED),),
    )
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one.json"
        for seed in range(number):
            draw, shape = np.random.default_rng(seed), TaskShape(channels=2, size=_SIZES[seed % 2], classes=3)
            macro = Macro(channels=4, depth=1, resolution=16, head=_HEADS[seed % 3], stages=1 + seed % 3)
            network = build_network(space.decode(space.draw(draw, 1)[0], macro=macro), shape, seed=seed)
            noise = torch.Generator().manual_seed(seed)
            network(torch.randn(16, 2, *shape.size, generator=noise))  # moves the moments of norms
            x = torch.randn(2, *shape.size, generator=noise)
            write_certificate(network.eval(), x, 0, Region(radius=0.002, low=(-3.0,) * 2, high=(3.0,) * 2), file)
            record = json.loads(file.read_text(encoding="utf-8"))
            claimed, found = np.array(record["margins"]), margins_of(file)
            worst = max(worst, float((np.abs(claimed - found) / np.maximum(1, np.abs(found))).max()))
    print(f"{number} random cells: margins differ by {worst:.1e} of themselves at most")


def _row(cell: tuple[int, str]) -> list[Row]:
    seed, arm = cell
    task, begun = _task(), time.process_time()
    network = _trained(task, arm, seed)
    seconds = time.process_time() - begun
    x, y = (torch.from_numpy(each) for each in (task.test.x, task.test.y))
    region = Region.of(torch.from_numpy(task.train.x), radius=RADIUS)
    draw = seeding.torch_generator(seed, "attack")
    found = attack(network, x[:ATTACKED], y[:ATTACKED], region, seed=draw)
    return [
        Row(
            seed=seed,
            arm=arm,
            clean=100 * float((predict(network, x).argmax(1) == y).double().mean()),
            certified=100 * float(certified(network, x, y, region).double().mean()),
            attacked=100 * float(found.resisted.double().mean()),
            masked=100 * float(found.masked.double().mean()),
            seconds=seconds,
        )
    ]


def _task() -> Task:
    return load_task(TaskSpec(name="mnist", source="mnist5k", resize=14), base=Path())


def _trained(task: Task, arm: str, seed: int) -> Network:
    """Trained on the training split; the validation split chooses the weights."""
    torch.set_num_threads(1)
    plan = plan_for(
        task,
        recipe="plain",
        learning_rate=RATE,
        weight_decay=0.0,
        label_smoothing=0.0,
        hardened=None if arm == "plain" else (RADIUS, "ibp", True),
    )
    network = build_network(_architecture(task, arm), task.shape, seed=seed)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    result = train(
        network, training, validation, plan, Fidelity(name="full", epochs=EPOCHS), seed=seed, goal=goal_of(task)
    )
    if result.failure:
        raise RuntimeError(result.failure)
    return network


def _architecture(task: Task, arm: str) -> Architecture:
    chosen = parse_architecture(CELL)
    if not arm.startswith("hand"):
        return chosen
    return residual_network(costs(chosen, task.shape).params, task.shape, macro=chosen.macro)


if __name__ == "__main__":
    run(networks, wrong, cells)
