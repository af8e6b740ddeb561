"""Full training that starts from the weights of a remembered motif: from which, and whether it may.

A finalist that was recalled starts from the weights with which that very architecture was admitted before, as far as
names and shapes agree; the rest, such as the head for other classes, is fresh. It may not where those weights could
have seen examples that this task validates, audits or tests on: allowed are other packaged sources, the same source cut
into the same splits, and the very same task; but only other packaged sources where those weights were trained on
validation examples as well. Files of one's own, and sources of plug-ins, cannot be told apart so, and count only as the
last.
The same holds of every task whose weights those weights were begun with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from agent.ledger.events import UNSET, Inherited, LedgerError, TaskRecord
from agent.state.library import Motif
from agent.state.state import LifeState, TaskState
from selfnas.data.sources.packaged import PACKAGED
from selfnas.errors import InputError

__all__ = ["inherited_record", "keeps_splits_apart", "shared_numbers", "source_of"]


_TESTED = ("mnist1d",)  # packaged sources with a test part of their own


def source_of(state: LifeState, task: TaskState, architecture: str) -> Motif | None:
    """The motif whose weights a finalist may start from: the one it was recalled from, where that is allowed."""
    run = state.runs[-1]
    for recalled in task.started.recalled:
        if recalled.architecture == architecture:  # another spelling of it names its weights otherwise
            seq = state.library.seq_at((recalled.from_run, recalled.from_task, recalled.digest))
            motif = None if seq is None else state.library.by_seq(seq)
            break
    else:
        return None
    if motif is None or not motif.weights_sha256:
        return None
    if motif.shape.dimensions != task.shape.dimensions:
        return None
    now = run.started.record.task(task.name)
    for earlier, name in _descent(state, motif):
        taught = state.runs[earlier - 1]
        refit = taught.tasks.named(name).finalist(motif.digest).trained.refit is not UNSET
        same = not refit and taught.tasks.named(name).started.task_digest == task.started.task_digest
        if not (same or keeps_splits_apart(taught.started.record.task(name), now, refit=refit)):
            return None
    return motif


def _descent(state: LifeState, motif: Motif) -> Iterator[tuple[int, str]]:
    """Run and task of a motif, then of those whose weights its own were begun with, and so on.

    Raises:
        LedgerError: weights that come from themselves.
    """
    seen: list[tuple[int, str]] = []
    place = motif.run, motif.task
    while place not in seen:
        yield place
        seen.append(place)
        inherited = state.runs[place[0] - 1].tasks.named(place[1]).finalist(motif.digest).trained.inherited
        if inherited is UNSET:
            return
        place = inherited.run, inherited.task
    raise LedgerError(f"motif {motif.digest[:12]} of run {motif.run} says that its weights come from themselves")


def keeps_splits_apart(then: TaskRecord, now: TaskRecord, *, refit: bool = False) -> bool:
    """Whether nothing that one task trains on can be what another one validates, audits or tests on.

    Args:
        then, now: task specifications as a stream records them.
        refit: whether the earlier one trained on its validation examples as well.

    Example:
        >>> digits = TaskRecord(name="a", source="digits"), TaskRecord(name="b", source="digits", split_seed=1)
        >>> keeps_splits_apart(*digits)
        False
    """
    if not {then.source, now.source} <= PACKAGED.keys():
        return False
    if then.source != now.source:
        return True
    if refit or (then.source in _TESTED and then.limit is not None):
        return False  # of the latter an earlier release may have cut the audit split from another part
    return (then.limit, then.split_seed, then.audit_from) == (now.limit, now.split_seed, now.audit_from)


def inherited_record(source: Motif, share: float | None) -> Inherited:
    """What a `trained` event says of where the weights come from.

    Args:
        share: of the network's numbers that were taken over; None where training broke before.
    """
    return Inherited(run=source.run, task=source.task, weights_sha256=source.weights_sha256, share=share)


def shared_numbers(own: Path, parent: Path) -> float:
    """Share of the numbers of one safetensors file whose name and shape are in another one too; reads headers alone.

    Raises:
        InputError: one of them cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    shapes: list[dict[str, tuple[int, ...]]] = []
    for path in (own, parent):
        try:
            with safe_open(path, framework="numpy") as file:
                shapes.append({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: cannot be read as weights: {error}") from error
    mine, theirs = shapes
    shared = sum(math.prod(shape) for name, shape in mine.items() if theirs.get(name) == shape)
    return round(shared / max(sum(map(math.prod, mine.values())), 1), 6)
