"""How often the gates of the shipped suite let a network through that is so good, on so few audit examples.

Networks are stand-ins that are right with a given probability, on training inputs always. Audits, suite and verdict are
the real ones; cross-fitted answers are drawn with the same probability.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from audits import AuditData, Suite, judge, load_suite, run_suite, wants_cross_fitting
from audits.contract.data import CrossFitted
from experiments.harness import run
from selfnas import seeding

CLASSES = 3
GATES = ("skill", "generalisation")


def answers(y: Tensor, accuracy: float, draw: torch.Generator) -> Tensor:
    """`(n, classes)` logits that are right with that probability, and else wrong in one way."""
    right = torch.rand(len(y), generator=draw) < accuracy
    said = torch.where(right, y, (y + 1) % CLASSES)
    return 4.0 * nn.functional.one_hot(said, CLASSES).float()


def admitted(audited: int, trained: int, accuracy: float, simple: float, suite: Suite, seed: int) -> tuple[bool, bool]:
    """Whether it is let in by the audit split alone, and with the answers of networks made alike."""
    draw = seeding.torch_generator(seed, "small-audits", audited, str(accuracy))
    y_train, y = torch.arange(trained) % CLASSES, torch.arange(audited) % CLASSES
    # Inputs are what the network answers, so nearest centroids answer the same.
    told, new = answers(y_train, 1.0, draw), answers(y, accuracy, draw)
    data = AuditData(x_train=told, y_train=y_train, x=new, y=y, classes=CLASSES)
    network = nn.Linear(CLASSES, CLASSES, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.eye(CLASSES))
    findings = run_suite(network, data, suite, seed=seed)
    alone = judge(findings, suite).decision == "admit"
    if not wants_cross_fitting(findings, data):
        return alone, alone
    cross = CrossFitted(
        outputs=answers(y_train, accuracy, draw).double(),
        simple=answers(y_train, simple, draw).double(),
        y=y_train,
        networks=5,
    )
    return alone, judge(run_suite(network, replace(data, cross=cross), suite, seed=seed), suite).decision == "admit"


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Networks of each kind.")] = 200,
    simple: Annotated[float, typer.Option(min=0, max=1, help="Accuracy of the simple rule, cross-fitted.")] = 0.6,
) -> None:
    """Print shares in per cent by numbers of examples and accuracy: the split alone, then with networks made alike."""
    whole = load_suite("baseline")
    suite = replace(whole, entries=tuple(entry for entry in whole.entries if entry.audit in GATES))
    print("audit examples, training examples | " + " | ".join(f"{100 * p:.0f} %" for p in (0.7, 0.8, 0.85, 0.9, 0.95)))
    for audited, trained in ((5, 31), (10, 57), (20, 110), (50, 280)):
        cells = []
        for accuracy in (0.7, 0.8, 0.85, 0.9, 0.95):
            found = [admitted(audited, trained, accuracy, simple, suite, seed) for seed in range(repeats)]
            alone, both = (100 * sum(each) / repeats for each in zip(*found, strict=True))
            cells.append(f"{alone:.0f} → {both:.0f}")
        print(f"{audited}, {trained} | " + " | ".join(cells))


if __name__ == "__main__":
    run(main)
