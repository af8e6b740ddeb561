"""A worker process whose parent ends, however that ends, has nobody to answer to: it ends too."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

__all__ = ["follow_parent"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def follow_parent() -> None:
    """From now on this process ends when the one that asked for it does.

    A thread waits for the parent's end. Native code can keep threads from running for long, so on Linux the kernel is
    asked as well to kill this process when the one that forked it is gone (for workers of `agent.workers.pool` that is
    a server, which ends at once with its owner). It tells of no end that came before it was asked, so that is looked
    for afterwards.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
