"""Figures as PNG: in memory, and as files; where one may be written is said before anything is computed for it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selfnas.errors import InputError, cause

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture_file", "png", "write_figure"]


def picture_file(path: Path | None) -> Path | None:
    """The same path, for a `.png` in a folder that exists or can be made; None passes.

    For options of commands, so that a typing error costs no measurement.

    Raises:
        InputError: another kind of file, a folder, or a place where nothing can be written.
    """
    if path is None:
        return None
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: pictures are written as .png")
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder")
        place = next(parent for parent in path.absolute().parents if parent.exists())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {cause(error)}") from error
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise InputError(f"{path}: nothing can be written in {place}")
    return path


def write_figure(figure: Figure, path: Path, *, dpi: int = 110, bbox: Literal["tight"] | None = None) -> None:
    """Write a figure as PNG with no window system and no global state; folders are made.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=dpi, bbox_inches=bbox)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {cause(error)}") from error


def png(figure: Figure, *, dpi: int = 90, tight: bool = True) -> bytes:
    """A figure as the bytes of a PNG file; `tight` crops it, which draws everything a second time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, bbox_inches="tight" if tight else None, format="png")
    return buffer.getvalue()
