"""What a stream leaves out of its budgets is filled in by the name of the fidelity."""

import pytest
from pydantic import ValidationError

from agent.stream.training import FidelitySection, RobustnessSection, TrainingSection, plan_digest
from selfnas.training.evaluation import Fidelity


@pytest.mark.parametrize(
    ("stated", "name", "least", "most"),
    [
        ({"epochs": 3}, "low", 120, 600),
        ({"epochs": 3}, "full", 800, 0),
        ({"epochs": 3}, "rung0", 0, 0),
        ({"epochs": 3, "steps": 0}, "low", 0, 600),
        ({"epochs": 3, "steps": 0, "max_steps": 0}, "low", 0, 0),
        ({"epochs": 3, "max_steps": 50}, "low", 50, 50),
        ({"steps": 1000}, "low", 1000, 1000),
        ({"steps": 50}, "full", 50, 0),
    ],
)
def test_floors_and_ceilings(stated: dict[str, int], name: str, least: int, most: int) -> None:
    """Small data get at least so many steps, large data at most; what is stated holds, and 0 lifts it."""
    fidelity = FidelitySection.model_validate(stated).fidelity(name)
    assert (fidelity.steps, fidelity.max_steps, fidelity.epochs) == (least, most, stated.get("epochs", 0))
    assert FidelitySection.of(fidelity).fidelity(name) == fidelity


def test_a_fidelity_made_in_a_program_goes_to_a_worker_as_it_is() -> None:
    """No floor is put under what has none."""
    fidelity = Fidelity(name="low", epochs=2, fraction=0.3, patience=1)
    assert FidelitySection.of(fidelity).fidelity("low") == fidelity


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({}, "need epochs, steps or both"),
        ({"steps": 0}, "need epochs, steps or both"),
        ({"epochs": 1, "steps": 9, "max_steps": 8}, "need steps <= max_steps, not 9 and 8"),
    ],
)
def test_no_training_at_all_cannot_be_meant(stated: dict[str, int], message: str) -> None:
    """Nor a floor above the ceiling."""
    with pytest.raises(ValidationError, match=message):
        FidelitySection.model_validate(stated)


@pytest.mark.parametrize(
    ("stated", "proved"),
    [
        ({}, True),
        ({"method": "adversarial"}, False),
        ({"score": "answered"}, False),
        ({"method": "adversarial", "score": "proved"}, True),
    ],
)
def test_hardened_networks_are_scored_by_what_their_method_aims_at(stated: dict[str, str], proved: bool) -> None:
    """Unless the stream says otherwise."""
    assert RobustnessSection.model_validate({"radius": 0.1, **stated}).proved == proved


def test_a_plan_without_robustness_keeps_its_digest() -> None:
    """That of a release that knew none; with it the plan is another."""
    fidelity = Fidelity(name="low", epochs=3, steps=120, max_steps=600)
    plain = TrainingSection()
    assert plan_digest(plain, fidelity) == plan_digest(TrainingSection(robustness=None), fidelity)
    assert "robustness" not in plain.model_dump(mode="json", exclude_none=True)
    hardened = TrainingSection(robustness=RobustnessSection(radius=0.1))
    assert plan_digest(hardened, fidelity) != plan_digest(plain, fidelity)
