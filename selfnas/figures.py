"""Figures as PNG: in memory, and as files; where one may be written is said before anything is computed for it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selfnas.errors import InputError, cause
from selfnas.files import check_output, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture_file", "png", "write_figure"]


def picture_file(path: Path | None, *, force: bool) -> Path | None:
    """The same path, for a new `.png` in a folder that exists or can be made; None passes.

    For options of commands, so that a typing error costs no measurement.

    Args:
        force: a file or a link may lie there; it is going to be replaced.

    Raises:
        InputError: another kind of file, a folder, a place inside the home of a life or where nothing can be written;
            or something lies there.
    """
    if path is None:
        return None
    try:
        check_output(path, (".png",), force=force)
        place = next(parent for parent in path.absolute().parents if parent.exists())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {cause(error)}") from error
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise InputError(f"{path}: nothing can be written in {place}")
    return path


def write_figure(figure: Figure, path: Path, *, dpi: int = 110, bbox: Literal["tight"] | None = None) -> None:
    """Write a figure as PNG, whole or not at all, with no window system and no global state; a link is replaced itself.

    Raises:
        InputError: the file cannot be written.
    """
    write_whole(path, png(figure, dpi=dpi, tight=bbox == "tight"))


def png(figure: Figure, *, dpi: int = 90, tight: bool = True) -> bytes:
    """A figure as the bytes of a PNG file; `tight` crops it, which draws everything a second time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, bbox_inches="tight" if tight else None, format="png")
    return buffer.getvalue()
