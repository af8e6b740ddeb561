"""Parallel coordinates show each scored trial once, by its rank among trials that it can be compared with."""

from pathlib import Path

import numpy as np

from agent.ledger.store import reading
from agent.report.parallel import Parallel, parallel_picture, parallels
from agent.state.state import LifeState, replay
from selfnas.spaces.named import parse_architecture


def state_of(home: Path) -> LifeState:
    """Of a life."""
    with reading(home) as ledger:
        return replay(ledger)


def test_every_scored_trial_of_a_space_is_one_row(stored_life: Path) -> None:
    """With the operations of its cell, spelled by the names beside them; of each group the best has rank 1."""
    state = state_of(stored_life)
    scored = [
        parse_architecture(one.architecture)
        for _, task in state.readable_tasks()
        for one in task.own_evaluations
        if one.worth is not None
    ]
    found = parallels(state)
    assert found
    for one in found:
        own = [each for each in scored if each.space.name == one.space]
        assert len(one.rows) == len(one.ranks) == len(own)
        spelled = {tuple(row) for row in one.rows.tolist()}
        assert spelled == {tuple(map(int, each.space.encode(each))) for each in own}
        assert one.rows.shape[1] == len(one.axes) == len(one.choices)
        assert all(one.rows[:, at].max() < len(names) for at, names in enumerate(one.choices))
        assert ((one.ranks > 0) & (one.ranks <= 1)).all()
        assert int((one.ranks == 1).sum()) >= one.groups


def test_ranks_count_trials_of_the_same_task_and_fidelity(stored_life: Path) -> None:
    """A trial of the worst score of its group is not worse than itself and its equals alone."""
    state = state_of(stored_life)
    _, task = next(iter(state.readable_tasks()))
    scores = [(trial.fidelity, trial.score) for trial in task.trials if trial.score is not None]
    one = parallels(state)[0]
    for (fidelity, score), rank in zip(scores, one.ranks.tolist(), strict=False):
        same = [other for at, other in scores if at == fidelity]
        assert rank == np.mean([score >= other for other in same])
        break


def test_the_picture_is_a_png_whatever_its_size() -> None:
    """Of one trial, and of more edges than are drawn."""
    for edges, count in ((1, 1), (20, 9)):
        shown = Parallel(
            space="s",
            axes=tuple(f"{place}→{place + 1}" for place in range(edges)),
            choices=(("none", "skip"),) * edges,
            rows=np.ones((count, edges), dtype=np.int64),
            ranks=np.linspace(1 / count, 1, count),
            groups=1,
        )
        assert parallel_picture(shown).startswith(b"\x89PNG")
