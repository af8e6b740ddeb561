"""Auditing one network on a person's own arrays, with a card and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from audits.calibrating.proof import calibration_of
from audits.cards.cards import card
from audits.cards.figures import pictures
from audits.contract.data import AuditData
from audits.contract.examinee import NetworkOutputError
from audits.verdicts.run import run_suite
from audits.verdicts.suite import Suite
from audits.verdicts.verdict import judge
from selfnas.data.datasets import read_npz
from selfnas.errors import InputError, Problem
from selfnas.figures import write_figure
from selfnas.files import check_kind, check_new, write_whole

__all__ = ["audit_file", "data_from_file"]


def data_from_file(path: Path, *, task: str, standardise: bool) -> AuditData:
    """The arrays of an `.npz` file: `x_train, y_train` as the training split, `x_test, y_test` as the audit split.

    Args:
        standardise: bring every channel to mean 0 and standard deviation 1, by the training split.

    Raises:
        InputError: unreadable, not such arrays, or without a part that the network has never seen.
    """
    raw = read_npz(path)
    if raw.test is None:
        raise InputError(
            [Problem("need x_train, y_train, x_test, y_test: audits ask for inputs never seen", str(path))]
        )
    x_train, x = raw.x.astype(np.float32), raw.test[0].astype(np.float32)
    if standardise:
        axes = (0, *range(2, x.ndim))
        mean = x_train.mean(axes, keepdims=True, dtype=np.float64)
        spread = x_train.std(axes, keepdims=True, dtype=np.float64)
        spread[spread <= 1e-12 * np.abs(x_train).max(axes, keepdims=True)] = 1.0
        x_train, x = (((each - mean) / spread).astype(np.float32) for each in (x_train, x))
    return AuditData(
        x_train=torch.from_numpy(np.ascontiguousarray(x_train)),
        y_train=torch.from_numpy(raw.y),
        x=torch.from_numpy(np.ascontiguousarray(x)),
        y=torch.from_numpy(raw.test[1]),
        classes=len(raw.labels),
        task=task,
    )


def audit_file(
    network: nn.Module,
    path: Path,
    suite: Suite,
    *,
    title: str,
    task: str,
    seed: int,
    standardise: bool,
    output: Path | None,
    force: bool = False,
) -> tuple[str, bool]:
    """The audit card of a network on a data file, and whether it is admitted.

    Args:
        network: to logits, in the sorted order of the file's labels.
        path: see `data_from_file`, as for `standardise`.
        task: name by which the suite plants.
        output: where to write the card, with figures beside it; nothing is written if absent.
        force: figures may lie there; they are replaced.

    Raises:
        InputError: the data cannot be used, or what the suite plants does not fit them; or the card is no `.md`;
            or something lies where a figure is to be.
    """
    file = None if output is None else check_kind(output, (".md",))
    data = data_from_file(path, task=task, standardise=standardise)
    if file is not None:
        for name in pictures(network, data, seed=seed):
            check_new(_beside(file, name), force=force)
    findings = run_suite(network, data, suite, seed=seed)
    verdict = judge(findings, suite)
    facts = {
        "data": f"{path.name}: {len(data.x_train)} training and {len(data.x)} audit inputs, {data.classes} classes",
        "suite": f"{suite.name}, digest {suite.digest[:16]}",
        "seed": str(seed),
    }
    text = card(findings, verdict, title=title, facts=facts, calibration=calibration_of(suite))
    if file is not None:
        write_whole(file, text + _draw(network, data, file, seed=seed))
    return text, verdict.decision == "admit"


def _beside(card_file: Path, name: str) -> Path:
    return card_file.with_name(f"{card_file.stem}-{name}.png")


def _draw(network: nn.Module, data: AuditData, output: Path, *, seed: int) -> str:
    """Markdown that shows the figures written beside the card; says so where a network gives none."""
    lines = []
    for name, draw in pictures(network, data, seed=seed).items():
        path = _beside(output, name)
        try:
            figure = draw()
        except (NetworkOutputError, RuntimeError) as error:
            lines.append(f"No picture of {name}: {' '.join(str(error).split())[:200]}\n")
        else:
            write_figure(figure, path)
            lines.append(f"![{name}]({path.name})\n")
    return "\n" + "\n".join(lines)
