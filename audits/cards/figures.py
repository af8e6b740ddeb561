"""Pictures for the audit card: attributions over inputs, the confusion matrix. Drawn without a display."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from audits.contract.data import AuditData
from audits.contract.examinee import Examinee, evaluation_mode
from audits.methods.attribution import integrated_gradients

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["attribution_figure", "confusion_figure"]

_COLUMNS = 6
_STEPS = 32  # integration points; enough for a picture


def attribution_figure(network: nn.Module, data: AuditData, *, seed: int, count: int = 6) -> Figure:
    """Integrated gradients over a few audit inputs: for images drawn over the input, for series the line coloured.

    Raises:
        NetworkOutputError: outputs or attributions that are not finite.
    """
    from matplotlib.figure import Figure

    with evaluation_mode(network):
        examinee = Examinee(network, data, seed=seed)
        chosen = examinee.sample(len(data.x), count, "figure")
        predicted = examinee.predictions()[chosen]
        attributions, _ = integrated_gradients(examinee, data.x[chosen], predicted, steps=_STEPS)
    inputs = data.x[chosen].cpu().double().numpy()
    shown = attributions.numpy()
    limit = float(np.abs(shown.sum(1)).max()) or 1.0  # channels are drawn as their sum
    titles = [f"{int(p)} (is {int(y)})" for p, y in zip(predicted, data.y[chosen], strict=True)]
    columns = min(_COLUMNS, len(chosen))
    figure = Figure(figsize=(1.9 * columns, 4.2 if inputs.ndim == 4 else 3.4), layout="constrained")
    rows = figure.subplots(2, columns, squeeze=False)
    for column in range(columns):
        top, bottom = rows[0][column], rows[1][column]
        top.set_title(titles[column], fontsize=8)
        if inputs.ndim == 4:
            draw_image(top, bottom, inputs[column], shown[column], limit)
        else:
            draw_series(top, bottom, inputs[column], shown[column], limit)
    figure.suptitle(
        "Integrated gradients from the mean training input: red speaks for the predicted class, blue against",
        fontsize=9,
    )
    return figure


def draw_image(top: Axes, bottom: Axes, image: NDArray[np.float64], shown: NDArray[np.float64], limit: float) -> None:
    """One image `(channels, h, w)`, and its attribution summed over channels drawn over it: red for, blue against."""
    top.imshow(_displayable(image), cmap="gray")
    bottom.imshow(_displayable(image), cmap="gray", alpha=0.4)
    bottom.imshow(shown.sum(0), cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.75)
    for axes in (top, bottom):
        axes.set_xticks([])
        axes.set_yticks([])


def draw_series(top: Axes, bottom: Axes, series: NDArray[np.float64], shown: NDArray[np.float64], limit: float) -> None:
    """One series `(channels, length)` above the attribution of each step summed over channels."""
    steps = np.arange(series.shape[1])
    for channel in series:
        top.plot(steps, channel, linewidth=0.8)
    total = shown.sum(0)
    bottom.bar(steps, total, width=1.0, color=["firebrick" if value > 0 else "steelblue" for value in total])
    bottom.set_ylim(-limit, limit)
    bottom.set_xlabel("step", fontsize=7)
    for axes in (top, bottom):
        axes.tick_params(labelsize=6)


def confusion_figure(network: nn.Module, data: AuditData) -> Figure:
    """Counts of predicted against true classes on the audit split.

    Raises:
        NetworkOutputError: outputs that are not finite.
    """
    from matplotlib.figure import Figure

    with evaluation_mode(network):
        predicted = Examinee(network, data, seed=0).predictions()
    counts = torch.zeros(data.classes, data.classes, dtype=torch.int64)
    counts.index_put_((data.y.cpu(), predicted), torch.ones(len(predicted), dtype=torch.int64), accumulate=True)
    table = counts.numpy()
    side = max(3.0, 0.42 * data.classes + 1.2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{int(np.trace(table))} of {len(predicted)} audit inputs right", fontsize=9)
    if data.classes <= 20:
        axes.set_xticks(range(data.classes))
        axes.set_yticks(range(data.classes))
        for row, column in np.argwhere(table > 0):
            dark = table[row, column] > table.max() / 2
            axes.text(
                column, row, str(table[row, column]), ha="center", va="center", fontsize=7, color="w" if dark else "k"
            )
    return figure


def _displayable(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(h, w)`, or `(h, w, 3)` scaled to [0, 1]."""
    if image.shape[0] != 3:
        grey: NDArray[np.float64] = image.mean(0)
        return grey
    low, high = float(image.min()), float(image.max())
    return ((image - low) / ((high - low) or 1.0)).transpose(1, 2, 0)
