"""One line that says how a task's data were read, so that no guess is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfnas.data.preparation import AmplitudeStep, FillStep, PadStep, Splits
from selfnas.data.raw import SPLITS, RawData, Rows
from selfnas.data.targets import Target, TargetKind

__all__ = ["sentence"]

_SHOWN = 3  # names
_COLOURS: Mapping[int, str] = {1: "grey images", 3: "colour images"}


def sentence(
    raw: RawData, data: Splits, target: Target, *, rows: Mapping[str, Rows], repeated: int, duplicates: Sequence[str]
) -> str:
    """How many examples of which form, what is asked of them, how they were split, and what was guessed.

    Names come from files of anybody; what a terminal does not print is escaped.

    Args:
        raw: the source.
        data: the finished splits.
        target: what is asked.
        rows: which examples each split has.
        repeated: how many test examples are in training or validation as well.
        duplicates: what is to be said of repeated examples.
    """
    counts = [len(data.parts[name]) for name in SPLITS]
    cut = [name for name in SPLITS if name not in raw.parts or rows[name].part != name]
    own = [name for name in SPLITS if name not in cut]
    split = f"split {'/'.join(f'{count:,}' for count in counts)} ({'/'.join(SPLITS)})"
    if own:
        split += f", {' and '.join(own)} as the source has {'them' if len(own) > 1 else 'it'}"
    if raw.groups is not None:
        split += f", {len(set(raw.groups.tolist())):,} groups kept together"
    told = [f"{sum(counts):,} {_inputs(raw, data)}, {_asked(target)}", split, *raw.notes]
    told += duplicates
    if repeated:
        told.append(f"{repeated:,} of {counts[-1]:,} test examples are training or validation examples as well")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in "; ".join(told))


def _inputs(raw: RawData, data: Splits) -> str:
    """What an example is."""
    shape, dtype = data.parts["train"].x.shape[1:], raw.x.dtype.name
    if raw.kind == "image":
        channels = raw.x.shape[1]
        sides = "×".join(str(side) for side in raw.x.shape[2:])
        resized = "" if raw.x.shape[2:] == shape[1:] else f" averaged to {'×'.join(map(str, shape[1:]))}"
        return f"{_COLOURS.get(channels, f'images of {channels} channels')} {sides}{resized} ({dtype})"
    if raw.kind == "table":
        return f"rows of {_columns(raw)}, {shape[0]:,} features"
    if raw.kind == "tokens":
        padded = " at most" if any(isinstance(step, PadStep) for step in data.steps) else ""
        return f"sequences of{padded} {shape[-1]:,} tokens, vocabulary {shape[0]:,}"
    length = raw.x.shape[-1]
    resized = "" if length == shape[-1] else f" averaged to {shape[-1]:,}"
    ends = any(isinstance(step, PadStep) for step in data.steps)
    gaps = any(isinstance(step, FillStep) for step in data.steps)
    marked = " (unequal lengths and gaps marked in a channel)" if ends else " (gaps marked in a channel)"
    channels = f"{raw.x.shape[1]:,} channel{'s' if raw.x.shape[1] > 1 else ''}"
    own = next((step.channels for step in data.steps if isinstance(step, AmplitudeStep)), ())
    scaled = f", {len(own):,} of them scaled in each series by its own amplitude, which is given beside" if own else ""
    return f"series of {channels}{scaled} and {length:,} steps{resized}{marked if gaps else ''} ({dtype})"


def _columns(raw: RawData) -> str:
    numbers = [column.name for column in raw.columns if not column.categorical]
    categorical = [f"{column.name} of {len(column.categories)}" for column in raw.columns if column.categorical]
    told = []
    if numbers:
        told.append(f"{len(numbers):,} numeric columns ({_few(numbers)})")
    if categorical:
        told.append(f"{len(categorical):,} categorical ({_few(categorical)})")
    return " and ".join(told)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


_CALLED: Mapping[TargetKind, str] = {
    "classification": "classes",
    "ordinal": "ordered classes",
    "multilabel": "labels",
    "regression": "numbers",
}


def _asked(target: Target) -> str:
    """What is asked of an example."""
    names = target.names
    if target.kind == "regression":
        ranges = ", ".join(
            f"{name} ({center:.4g} ± {scale:.4g})"
            for name, center, scale in zip(names[:_SHOWN], target.center, target.scale, strict=False)
        )
        quantiles = f" at quantiles {', '.join(f'{each:g}' for each in target.quantiles)}" if target.quantiles else ""
        return f"regression of {ranges}{', …' if len(names) > _SHOWN else ''}{quantiles}"
    shown = [f"{name!r}" for name in (names if len(names) <= _SHOWN else (names[0], names[-1]))]
    return f"{len(names):,} {_CALLED[target.kind]} {('…' if len(names) > _SHOWN else ', ').join(shown)}"
