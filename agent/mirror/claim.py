"""Which of two copies of a life an MLflow store is the mirror of: how far the life had come when it last wrote there.

A home can be copied and both copies lived on. Their tasks have the same names and their records the same keys. So a
store remembers number and hash of an event, and takes records only from a ledger that holds it. Takes an MLflow client
and imports nothing of MLflow.
"""

from __future__ import annotations

import time
from typing import Any

from agent.ledger.home import Home
from agent.ledger.store import Ledger

__all__ = ["ForeignRecordsError", "check_claim", "foreign_records", "write_claim"]

_TAG = "selfnas.head."  # of an experiment; the life's name follows


class ForeignRecordsError(Exception):
    """A store holds records of another copy of this life."""


def foreign_records(client: Any, home: Home) -> str:
    """A sentence where the store goes on from an event that the ledger does not hold, else nothing."""
    if not home.ledger.is_file():
        return ""
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        for experiment in _experiments(client):
            told = experiment.tags.get(_TAG + _life(ledger))
            if told is None:
                continue
            seq, _, digest = told.partition(" ")
            if not seq.isdecimal() or ledger.hash_before(int(seq) + 1) != digest:
                return (
                    f"MLflow mirrors a copy of this life that has event {seq} with hash {digest[:12]}, and this ledger "
                    "has not: nothing of that copy is changed; mirror this one to a store of its own "
                    "(MLFLOW_TRACKING_URI)"
                )
    return ""


def check_claim(client: Any, home: Home) -> None:
    """Refuse to write into records of another copy of the life.

    Raises:
        ForeignRecordsError: the store holds such.
    """
    if told := foreign_records(client, home):
        raise ForeignRecordsError(told)


def write_claim(client: Any, home: Home, experiment: str) -> None:
    """Remember in an experiment how far the life had come that wrote there."""
    if not home.ledger.is_file():
        return
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        count, digest = ledger.head()
        client.set_experiment_tag(experiment, _TAG + _life(ledger), f"{count - 1} {digest}")


def _experiments(client: Any) -> list[Any]:
    """All of them, deleted ones too: a mirror brings those back."""
    found: list[Any] = []
    token: str | None = None
    while token != "":
        page = client.search_experiments(view_type=3, page_token=token)  # ViewType.ALL
        found += page
        token = page.token or ""
    return found


def _life(ledger: Ledger) -> str:
    return (ledger.hash_before(1) or "")[:16]
