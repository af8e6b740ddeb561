"""Ctrl-C as a flag that is looked at between steps, since an exception out of a signal handler can be lost.

Python drops exceptions raised inside destructors, and solver bindings run many of those: a signal that arrives in one
of them would be swallowed. While `listening`, the first Ctrl-C only sets a flag, which `check` turns into the exception
at a place where it cannot be lost; the second one raises at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["check", "listening"]

_heard = threading.Event()  # of the process, as signals are


def _hear(number: int, frame: FrameType | None) -> None:
    if _heard.is_set():
        raise KeyboardInterrupt
    _heard.set()


@contextmanager
def listening() -> Iterator[None]:
    """Within it, Ctrl-C waits for the next `check`. Only the main thread hears signals; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # the parent wants Ctrl-C ignored here
        yield
        return
    _heard.clear()
    signal.signal(signal.SIGINT, _hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _heard.clear()


def check() -> None:
    """Raise what Ctrl-C raises, if it was pressed.

    Raises:
        KeyboardInterrupt: it was pressed since `listening` began.
    """
    if _heard.is_set():
        raise KeyboardInterrupt
