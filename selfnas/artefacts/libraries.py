"""The libraries of the extra `onnx`, where they are installed; every other module of this room asks for them here."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from selfnas.errors import InputError

__all__ = ["LIBRARIES", "library", "quiet", "versions"]

LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
_WARNING, _FATAL = 2, 4  # severities of ONNX Runtime


def library(name: str) -> ModuleType:
    """A module of one of these libraries.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LIBRARIES:
            raise
        raise InputError(f"ONNX files need {error.name}: pip install 'selfnas[onnx]'") from error


def versions() -> dict[str, str]:
    """Of PyTorch and of these libraries, by name; equal versions write equal files.

    Raises:
        InputError: one is not installed.
    """
    try:
        return {name: version(name) for name in ("torch", *LIBRARIES)}
    except PackageNotFoundError as error:
        raise InputError(f"ONNX files need {error.name}: pip install 'selfnas[onnx]'") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without what these libraries warn of, which is about their own inner workings."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    library("onnxruntime").set_default_logger_severity(_FATAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        library("onnxruntime").set_default_logger_severity(_WARNING)
