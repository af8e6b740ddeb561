"""What a task's audit examples were used for before: earlier tasks trained on them, or audited networks on them.

An example is told by its content before any preparation, so that a picture that is turned or made smaller is the same.
The numbers of a task's examples are kept in a file beside the weights, which the event that begins the task names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.ledger.events import TaughtBy, TaughtRecord
from agent.ledger.home import Home
from agent.state.state import LifeState
from agent.state.taught import Rows, rows_in_text
from selfnas.data.splits.duplicates import Prints
from selfnas.errors import InputError

__all__ = ["PARTS", "Used", "kept_prints", "read_prints", "used_before"]

PARTS = ("train", "validation", "audit")  # splits whose numbers are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was made of a task's audit examples before it began.

    Attributes:
        audited: networks audited on its audit split, or on one that shares an example with it.
        rows: `(n,)` which of its audit examples an earlier task trained or validated on.
        by: those tasks, oldest first, each once.
    """

    audited: int
    rows: Rows
    by: tuple[TaughtBy, ...]

    def record(self, *, left_out: bool) -> TaughtRecord | None:
        """As the ledger keeps it; None where nothing was taught."""
        if not self.by:
            return None
        return TaughtRecord(rows=rows_in_text(self.rows), by=list(self.by), left_out=left_out)


def used_before(
    state: LifeState, home: Home, task_digest: str, prints: Mapping[str, Prints], *, strict: bool = True
) -> Used:
    """Of a task that begins, what earlier ones made of its audit examples.

    A task of the very same data uses the same audit split, and was taught none of it. One whose numbers were not kept,
    as by earlier releases, is compared by its digest alone.

    Args:
        state: of the events before.
        home: where the numbers of earlier tasks lie.
        task_digest: of its data and splits.
        prints: numbers of its examples by split; empty where there are none.
        strict: whether numbers of an earlier task must be there; else such a task is compared by its digest alone.

    Raises:
        InputError: numbers of an earlier task were changed, or are missing and must be there.
    """
    own = prints["audit"] if prints else np.empty(0, dtype=np.uint64)
    rows, audited, by = np.zeros(len(own), dtype=bool), 0, list[TaughtBy]()
    shared: dict[str, bool] = {}
    for split in state.splits():
        if split.digest == task_digest:
            audited += split.audited
            continue
        if not split.prints or not len(own):
            continue
        if split.prints not in shared:
            if not strict and not home.weights_file(split.prints).is_file():
                shared[split.prints] = False
                continue
            earlier = read_prints(home, split.prints)
            shared[split.prints] = bool(np.isin(own, earlier["audit"]).any())
            taught = np.isin(own, np.concatenate([earlier["train"], earlier["validation"]]))
            if taught.any():
                by.append(TaughtBy(run=split.run, task=split.task, examples=int(taught.sum())))
                rows |= taught
        audited += split.audited * shared[split.prints]
    return Used(audited=audited, rows=rows, by=tuple(by))


def kept_prints(prints: Mapping[str, Prints], home: Home) -> str:
    """Keep the numbers of a task's examples in its home; returns the SHA-256 of the file."""
    import torch

    from agent.workers.kept import keep

    return keep({name: torch.from_numpy(prints[name].view(np.int64)) for name in PARTS}, home.weights)


def read_prints(home: Home, sha256: str) -> Mapping[str, Prints]:
    """The numbers of a task's examples, by split.

    Raises:
        InputError: the file is missing, was changed, or holds something else.
    """
    from safetensors import SafetensorError

    from agent.workers.kept import kept

    path = home.weights_file(sha256)
    try:
        held = {name: tensor.numpy() for name, tensor in kept(path).items()}
    except OSError as error:
        raise InputError(f"the numbers of a task's examples are missing: {path.name}") from error
    except (SafetensorError, ValueError) as error:
        raise InputError(f"the numbers of a task's examples were changed: {path.name}") from error
    if set(held) != set(PARTS) or any(each.dtype != np.int64 or each.ndim != 1 for each in held.values()):
        raise InputError(f"{path.name} does not hold the numbers of a task's examples")
    return {name: each.view(np.uint64) for name, each in held.items()}
