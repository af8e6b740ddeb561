"""How far low-fidelity scores of one cell repeat under another training seed, task by task.

`repeatability.py STREAM OUT.jsonl [CELLS [SEED]] [--set key=value …]`: CELLS random admitted cells (20), each trained
twice at the stream's low fidelity, under seeds that no life of the stream uses. Goes on where it was stopped.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from agent.life.preparation import prepare
from agent.stream.file import read_stream
from selfnas import seeding
from selfnas.data.tasks import load_task
from selfnas.networks.network import build_network
from selfnas.training.training import Examples, TrainingPlan, train

torch.set_num_threads(1)
words, overrides = sys.argv[1:], []
while "--set" in words:
    at = words.index("--set")
    overrides.append(words[at + 1])
    del words[at : at + 2]
STREAM, OUT = Path(words[0]), Path(words[1])
CELLS, SEED = (int(word) for word in (*words[2:4], *("20", "1000")[len(words) - 2 :]))

document = read_stream(STREAM, overrides=overrides)
prepared, stream = prepare(document), document.value
plan = TrainingPlan(**stream.training.model_dump())
low, macro = stream.low.fidelity("low"), stream.macro.macro()
OUT.touch()
records = [json.loads(line) for line in OUT.read_text(encoding="utf-8").splitlines()]
done = {(record["task"], record["cell"], record["seed"]) for record in records}
for ready in prepared.tasks:
    # The cells are the same on every task of a shape, and each is another network.
    drawn = ready.guard.draw(seeding.generator(SEED, "repeatability"), 4 * CELLS)
    cells = {a.digest: a for a in (ready.guard.space.decode(row, macro=macro) for row in drawn)}
    task = None
    for architecture in list(cells.values())[:CELLS]:
        for seed in (SEED, SEED + 1):
            if (ready.spec.name, architecture.digest, seed) in done:
                continue
            task = task or load_task(ready.spec, base=prepared.base)
            own = seeding.derive(seed, "low", architecture.digest)
            network, begun = build_network(architecture, task.shape, seed=own), time.process_time()
            result = train(
                network,
                Examples.of(task.train.x, task.train.y),
                Examples.of(task.validation.x, task.validation.y),
                plan,
                low,
                seed=own,
            )
            record = {
                "task": ready.spec.name, "cell": architecture.digest, "seed": seed, "score": result.best,
                "examples": len(task.validation), "seconds": round(time.process_time() - begun, 3),
            }  # fmt: skip
            records.append(record)
            with OUT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

print("| task | validation | seconds | scores, 10–90 % | noise | Spearman | within 1 % of the best |")
print("|---|---|---|---|---|---|---|")
for name in dict.fromkeys(record["task"] for record in records):
    rows = [record for record in records if record["task"] == name]
    first, second = (np.array([r["score"] for r in rows if r["seed"] == seed]) for seed in (SEED, SEED + 1))
    low_, high = np.quantile((first + second) / 2, (0.1, 0.9))
    noise = np.sqrt(np.mean((first - second) ** 2) / 2)
    near = np.mean([(scores >= 0.99 * scores.max()).mean() for scores in (first, second)])
    print(
        f"| {name} | {rows[0]['examples']} | {np.mean([r['seconds'] for r in rows]):.2f} | {low_:.3f} to {high:.3f} | "
        f"{noise:.4f} | {spearmanr(first, second).statistic:.2f} | {100 * near:.0f} % |"
    )
