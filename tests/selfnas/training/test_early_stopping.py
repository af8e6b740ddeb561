"""Trainings are given up by their curves, and only when no finished one ever made up for as much."""

import numpy as np
import pytest
from pydantic import ValidationError

from agent.stream.fidelities import HalvingSection, RungSection, ranked_by_rung
from selfnas.networks.network import build_network
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.training.early_stopping import FEWEST, least_accuracies
from selfnas.training.evaluation import Fidelity
from selfnas.training.training import Examples, TrainingPlan, train


def test_no_finished_training_would_have_been_stopped_below_its_own_best() -> None:
    """Whatever the curves: the best of the finished ones passes, and nothing that reaches it is stopped."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        curves = np.sort(rng.random((FEWEST + 3, 5)), axis=1)
        least = least_accuracies(curves.tolist())
        assert len(least) == 4
        best = curves[curves[:, -1].argmax()]
        assert (np.maximum.accumulate(best)[:4] >= np.array(least) - 1e-9).all()
    assert least_accuracies(curves[: FEWEST - 1].tolist()) == ()
    assert least_accuracies([[0.5]] * 9) == ()
    assert least_accuracies([[0.5, 0.6]] * 9 + [[0.5, 0.6, 0.7]]) == ()  # stopped ones teach nothing


def test_a_training_below_what_it_needs_stops_there() -> None:
    """After the epoch in which it falls short, and not while it is above."""
    shape, space = TaskShape(channels=1, size=(8,), classes=2), SPACES["nb201"]
    x = np.random.default_rng(0).normal(size=(32, 1, 8)).astype(np.float32)
    data = Examples.of(x, (np.arange(32) % 2).astype(np.int64))
    cell = space.decode(space.draw(np.random.default_rng(3), 1)[0], macro=Macro(channels=2, depth=1, resolution=8))

    def epochs(least: tuple[float, ...]) -> int:
        network = build_network(cell, shape, seed=0)
        result = train(network, data, data, TrainingPlan(), Fidelity(name="low", epochs=3), seed=0, least=least)
        assert not result.failure
        return len(result.curve)

    assert epochs(()) == epochs((0.0, 0.0)) == 3
    assert epochs((0.0, 1.1)) == 2
    assert epochs((1.1, 0.0)) == 1


def test_brackets_start_on_rungs_in_turn() -> None:
    """Hyperband: new architectures start dearer every second round; what cannot be meant is refused."""
    rungs = [RungSection(epochs=1, fraction=0.3), RungSection(epochs=1), RungSection(epochs=3)]
    section = HalvingSection(rungs=rungs, brackets=2)
    assert [section.bracket(number).rungs[0].name for number in range(3)] == ["rung0", "rung1", "rung0"]
    with pytest.raises(ValidationError, match="need fewer brackets than rungs, not 3 and 3"):
        HalvingSection(rungs=rungs, brackets=3)
    with pytest.raises(ValidationError, match="distinct names and rising cost"):
        HalvingSection(rungs=rungs[::-1])


def test_the_dearest_rung_ranks_first_and_scores_of_rungs_are_never_compared() -> None:
    """A middling score on a dear rung stands above a high one on a cheap rung; failures are left out."""
    space = SPACES["nb201"]
    cells = [space.decode(v, macro=Macro()) for v in space.draw(np.random.default_rng(0), 3)]
    trials = [
        Trial(architecture=cells[0], score=0.9, fidelity="rung0"),
        Trial(architecture=cells[1], score=0.8, fidelity="rung0"),
        Trial(architecture=cells[2], score=None, fidelity="rung0"),
        Trial(architecture=cells[1], score=0.4, fidelity="rung10"),
        Trial(architecture=cells[0], score=0.3, fidelity="rung2"),
    ]
    assert ranked_by_rung(trials) == [trials[3], trials[4]]
