"""Pictures for the audit card: attributions over inputs, and answers against truths. Drawn without a display."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audits.cards.telling import telling
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee, evaluation_mode
from audits.methods.attribution import integrated_gradients
from selfnas.data.targets import Target, TargetKind
from selfnas.training.outputs import truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["attribution_figure", "confusion_figure", "labels_figure", "pictures", "residuals_figure"]

_COLUMNS = 6
_TABLE = 2  # dimensions of a batch of rows
_BARS = 12  # columns of a table that are shown
_LABELS = 40  # labels that are shown
_NAMED = 20  # classes up to which counts are written out
_NAME = 14  # letters of a name
_STEPS = 32  # integration points; enough for a picture


def attribution_figure(network: nn.Module, data: AuditData, *, seed: int, count: int = 6) -> Figure:
    """Integrated gradients over a few audit inputs: drawn over images, below series, and as bars of a table's columns.

    They are those that say most about the network (`audits.cards.telling`): errors first, then the least certain.

    Raises:
        NetworkOutputError: outputs or attributions that are not finite.
    """
    from matplotlib.figure import Figure

    with evaluation_mode(network):
        examinee = Examinee(network, data, seed=seed)
        told = telling(examinee, count)
        chosen = torch.tensor([one.index for one in told])
        answers = examinee.predictions()[chosen]
        explained = examinee.explained(examinee.audit_logits()[chosen])
        attributions, _ = integrated_gradients(examinee, data.x[chosen], explained, steps=_STEPS)
    inputs = data.x[chosen].cpu().double().numpy()
    shown = attributions.numpy()
    named = [
        [_told(each, data.target) for each in values] for values in (answers, truth(data.y[chosen].cpu(), data.target))
    ]
    titles = [f"{answer} (is {true})\n{one.why}" for answer, true, one in zip(*named, told, strict=True)]
    if inputs.ndim == _TABLE:
        return _table_figure(titles, inputs, shown, data.columns)
    limit = float(np.abs(shown.sum(1)).max()) or 1.0  # channels are drawn as their sum
    columns = min(_COLUMNS, len(chosen))
    figure = Figure(figsize=(1.9 * columns, 4.2 if inputs.ndim == 4 else 3.4), layout="constrained")
    rows = figure.subplots(2, columns, squeeze=False)
    for column in range(columns):
        top, bottom = rows[0][column], rows[1][column]
        top.set_title(titles[column], fontsize=8, color="firebrick" if told[column].wrong else "black")
        if inputs.ndim == 4:
            draw_image(top, bottom, inputs[column], shown[column], limit)
        else:
            draw_series(top, bottom, inputs[column], shown[column], limit)
    figure.suptitle(
        "Errors first, then the least certain. Integrated gradients from the mean training input:\n"
        "red speaks for the answer, blue against",
        fontsize=9,
    )
    return figure


def _table_figure(
    titles: Sequence[str], rows: NDArray[np.float64], shown: NDArray[np.float64], columns: Sequence[str]
) -> Figure:
    """The columns that count most over all rows shown, a panel of bars for each row."""
    from matplotlib.figure import Figure

    most = np.argsort(-np.abs(shown).mean(0), kind="stable")[:_BARS]
    names = [_short(columns[k] if columns else f"column {k}") for k in most]
    count = min(_COLUMNS, len(rows))
    figure = Figure(figsize=(1.9 * count + 1.2, 0.24 * len(most) + 1.4), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    for axes, title, values in zip(panels, titles, shown[:, most], strict=False):
        axes.barh(range(len(most)), values, color=["firebrick" if value > 0 else "steelblue" for value in values])
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=6)
    panels[0].set_yticks(range(len(most)), names, fontsize=7)
    panels[0].invert_yaxis()
    figure.suptitle(
        "Errors first, then the least certain. Integrated gradients from the mean training row:\n"
        "what raises the answer, and what lowers it",
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


def pictures(network: nn.Module, data: AuditData, *, seed: int) -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of a card, by name: attributions, and what is answered of what is true.

    The second is called `confusion`, `labels` or `residuals`, by the kind of task.
    """
    name, draw = _ANSWERS[data.target.kind]
    return {
        "attributions": lambda: attribution_figure(network, data, seed=seed),
        name: lambda: draw(network, data),
    }


def confusion_figure(network: nn.Module, data: AuditData) -> Figure:
    """Counts of predicted against true classes on the audit split.

    Raises:
        NetworkOutputError: outputs that are not finite.
    """
    from matplotlib.figure import Figure

    classes = len(data.target.names)
    predicted = _predictions(network, data)
    counts = torch.zeros(classes, classes, dtype=torch.int64)
    counts.index_put_((data.y.cpu(), predicted), torch.ones(len(predicted), dtype=torch.int64), accumulate=True)
    table = counts.numpy()
    side = max(3.0, 0.42 * classes + 1.2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{int(np.trace(table))} of {len(predicted)} audit inputs right", fontsize=9)
    _numbered(axes, table)
    if classes <= _NAMED:
        names = [_short(name) for name in data.target.names]
        axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(classes), names)
    return figure


def labels_figure(network: nn.Module, data: AuditData) -> Figure:
    """For each label, how many audit inputs have it and are given it, and how many are not.

    Raises:
        NetworkOutputError: outputs that are not finite.
    """
    from matplotlib.figure import Figure

    given, true = _predictions(network, data) > 0, data.y.cpu() > 0
    columns = (given & true, given & ~true, ~given & true, ~given & ~true)
    table = torch.stack([each.sum(0) for each in columns], 1).numpy()
    shown = min(len(table), _LABELS)
    figure = Figure(figsize=(4.4, 0.34 * shown + 1.2), layout="constrained")
    axes = figure.subplots()
    _numbered(axes, table[:shown], most=_LABELS)
    axes.set_xticks(
        range(4), ["has it, given", "not, given", "has it, missed", "not, not given"], rotation=20, fontsize=7
    )
    axes.set_yticks(range(shown), [_short(name) for name in data.target.names[:shown]], fontsize=7)
    more = f", the first {shown} of {len(table)}" if shown < len(table) else ""
    axes.set_title(f"{len(given)} audit inputs by label{more}", fontsize=9)
    return figure


def residuals_figure(network: nn.Module, data: AuditData) -> Figure:
    """Of each number, what is predicted against what is true, and the residuals below; in the data's units.

    Raises:
        NetworkOutputError: outputs that are not finite.
    """
    from matplotlib.figure import Figure

    predicted, true = _predictions(network, data).numpy(), truth(data.y.cpu(), data.target).numpy()
    shown = min(true.shape[1], _COLUMNS)
    figure = Figure(figsize=(3.4 * shown, 4.6), layout="constrained")
    rows = figure.subplots(2, shown, squeeze=False, sharex="col", height_ratios=(2, 1))
    for column in range(shown):
        x, y = true[:, column], predicted[:, column]
        top, bottom = rows[0][column], rows[1][column]
        ends = (float(min(x.min(), y.min())), float(max(x.max(), y.max())))
        top.plot(ends, ends, color="grey", linewidth=0.8)
        top.plot(x, y, ".", markersize=4, alpha=0.7)
        top.set_ylabel("predicted", fontsize=8)
        top.set_title(f"{_short(data.target.names[column])}: {len(x)} audit inputs", fontsize=9)
        bottom.axhline(0, color="grey", linewidth=0.8)
        bottom.plot(x, y - x, ".", markersize=4, alpha=0.7)
        bottom.set_xlabel("true", fontsize=8)
        bottom.set_ylabel("residual", fontsize=8)
    return figure


_ANSWERS: Mapping[TargetKind, tuple[str, Callable[[nn.Module, AuditData], Figure]]] = {
    "classification": ("confusion", confusion_figure),
    "ordinal": ("confusion", confusion_figure),
    "multilabel": ("labels", labels_figure),
    "regression": ("residuals", residuals_figure),
}


def _predictions(network: nn.Module, data: AuditData) -> Tensor:
    with evaluation_mode(network):
        return Examinee(network, data, seed=0).predictions()


def _numbered(axes: Axes, table: NDArray[np.int64], *, most: int = _NAMED) -> None:
    """Counts as colours, and written out where there are few."""
    axes.imshow(table, cmap="Blues", aspect="auto")
    if len(table) <= most:
        for row, column in np.argwhere(table > 0):
            dark = table[row, column] > table.max() / 2
            axes.text(
                column, row, str(table[row, column]), ha="center", va="center", fontsize=7, color="w" if dark else "k"
            )


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _told(value: Tensor, target: Target) -> str:
    """An answer or a truth in a few letters."""
    if target.counted:
        return _short(target.names[int(value)])
    if target.kind == "multilabel":
        return _short(", ".join(name for name, has in zip(target.names, value.tolist(), strict=True) if has) or "none")
    return ", ".join(f"{number:.4g}" for number in value[:2].tolist())


def _displayable(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(h, w)`, or `(h, w, 3)` scaled to [0, 1]."""
    if image.shape[0] != 3:
        grey: NDArray[np.float64] = image.mean(0)
        return grey
    low, high = float(image.min()), float(image.max())
    return ((image - low) / ((high - low) or 1.0)).transpose(1, 2, 0)
