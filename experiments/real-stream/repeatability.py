"""How far low-fidelity scores of one cell repeat under another training seed, task by task.

Random admitted cells, each trained twice at the stream's low fidelity, under seeds that no life of the stream uses.
Goes on where it was stopped.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy.stats import spearmanr

from agent.life.preparation import prepare
from agent.stream.file import read_stream
from experiments.harness import Rows, Set, measure_grid, print_table, run
from selfnas import seeding
from selfnas.data.tasks import load_task
from selfnas.networks.network import build_network
from selfnas.training.training import Examples, train


def repeatability(
    stream: Annotated[Path, typer.Argument(metavar="STREAM.yaml")],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="Finished trainings.")],
    count: Annotated[int, typer.Argument(metavar="CELLS", help="Random cells.")] = 20,
    seed: Annotated[int, typer.Argument(metavar="SEED", help="Of cells and first trainings.")] = 1000,
    settings: Set = None,
) -> None:
    """How far low-fidelity scores of one cell repeat under another training seed."""
    torch.set_num_threads(1)
    document = read_stream(stream, overrides=settings or [])
    prepared, value = prepare(document), document.value
    low = value.low.fidelity("low")
    shown, rows = [], Rows(out, of=dict)
    for ready in prepared.tasks:
        # The cells are the same on every task of a shape, and each is another network.
        drawn = ready.guard.draw(seeding.generator(seed, "repeatability"), 4 * count)
        cells = {a.digest: a for a in (ready.guard.space.decode(row, macro=ready.choices.first) for row in drawn)}
        task = load_task(ready.spec, base=prepared.base)
        training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
        plan = value.training.plan(task)

        def trained(cell: tuple[str, str, int]) -> list[dict[str, Any]]:
            name, digest, again = cell
            own = seeding.derive(again, "low", digest)
            network, begun = build_network(cells[digest], task.shape, seed=own), time.process_time()  # noqa: B023
            score = train(network, training, validation, plan, low, seed=own).best  # noqa: B023
            seconds = round(time.process_time() - begun, 3)
            return [{
                "task": name, "cell": digest, "seed": again, "score": score,
                "examples": len(task.validation), "seconds": seconds,  # noqa: B023
            }]  # fmt: skip

        found = measure_grid(
            trained,
            [(ready.spec.name, digest, again) for digest in list(cells)[:count] for again in (seed, seed + 1)],
            rows,
            cell_of=lambda row: (row["task"], row["cell"], row["seed"]),
        )
        one, other = (np.array([row["score"] for row in found if row["seed"] == again]) for again in (seed, seed + 1))
        start, end = np.quantile((one + other) / 2, (0.1, 0.9))
        noise = np.sqrt(np.mean((one - other) ** 2) / 2)
        near = np.mean([(scores >= 0.99 * scores.max()).mean() for scores in (one, other)])
        shown.append((
            ready.spec.name, found[0]["examples"], f"{np.mean([row['seconds'] for row in found]):.2f}",
            f"{start:.3f} to {end:.3f}", f"{noise:.4f}", f"{spearmanr(one, other).statistic:.2f}",
            f"{100 * near:.0f} %",
        ))  # fmt: skip
    headings = ("task", "validation", "seconds", "scores, 10–90 %", "noise", "Spearman", "within 1 % of the best")
    print_table(headings, shown)


if __name__ == "__main__":
    run(repeatability)
