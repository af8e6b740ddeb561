"""Lives that are stopped at their steps."""

from collections.abc import Callable

import pytest

from agent.ledger.store import Ledger
from agent.life.life import Life

_OFTEN = 60  # more than any life of these tests has to be begun


def live_interrupted(
    live: Callable[[], object], owner: type[Life | Ledger], monkeypatch: pytest.MonkeyPatch, *, steps: int
) -> None:
    """Call `live` until it comes to its end, though each time the transaction after `steps` is interrupted.

    Args:
        owner: whose `append` writes a transaction.
    """
    append, left = owner.append, steps

    def stopping(self: Life | Ledger, entries: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return append(self, entries)  # type: ignore[arg-type]

    monkeypatch.setattr(owner, "append", stopping)
    for _ in range(_OFTEN):
        left = steps
        try:
            live()
            return
        except KeyboardInterrupt:
            continue
    pytest.fail(f"interrupted {_OFTEN} times, it did not come to its end")
