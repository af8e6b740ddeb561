"""Ctrl-C is heard even where Python would drop an exception."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from agent.workers import interrupt
from agent.workers import pool as workers


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    """Test runners may ignore SIGINT; a terminal does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Destroyed:
    """Is interrupted while it is being destroyed."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    """The default handler loses it there; the flag does not."""
    Destroyed()  # swallowed: what `listening` is for
    with interrupt.listening():
        Destroyed()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_a_second_interrupt_does_not_wait_and_the_flag_ends_with_the_listening() -> None:
    """Whoever presses twice means it; nothing is carried into the next life."""
    with pytest.raises(KeyboardInterrupt), interrupt.listening():  # noqa: PT012 - it is the second one that raises
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    interrupt.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_ends_the_wait_for_a_server_that_imports(capfd: pytest.CaptureFixture[str]) -> None:
    """The first question of a process waits seconds for it; who interrupts that gets no answer, and no traceback."""
    workers._kill_server()  # one of an earlier test has imported everything already
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with interrupt.listening(), workers.Workers(1) as pool:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            pool.answers([""])
    timer.join()
    with workers.Workers(1) as pool:
        assert pool.answers([""]) == ("",)
    assert "Traceback" not in capfd.readouterr().err
