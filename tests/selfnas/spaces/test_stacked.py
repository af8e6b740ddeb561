"""Macro settings that are searched with the cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selfnas.errors import ArchitectureError
from selfnas.models.cell_features import cell_features
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.macro import HEADS, STAGES, Macro, parse_macro
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.spaces.stacked import Choices, StackedSpace, parse_choices, stacked
from selfnas.strategies.table import make_strategy, strategy_names
from selfnas.strategies.transfer import PastTask, with_past_tasks

CHOICES = parse_choices("c4,8n1,2r16s0,2haverage,peaks")
SPACE = stacked(SPACES["nb201"], CHOICES)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("stem", [0, 1, 2, 4])
@pytest.mark.parametrize("stages", STAGES)
def test_macro_settings_read_as_they_are_written(head: str, stem: int, stages: int) -> None:
    """Old spellings stay as they are, and what is chosen besides comes after them."""
    macro = Macro(channels=8, depth=1, resolution=16, head=head, stem=stem, stages=stages)
    assert str(macro).startswith("c8n1r16")
    assert (str(macro) == "c8n1r16") == (head == "average" and not stem and stages == 3)
    assert parse_macro(str(macro)) == macro
    assert parse_choices(str(macro)) == Choices.of(macro)


@pytest.mark.parametrize(
    "text", ["c8n1", "c8n1r16hx", "c8n1r16s3", "c8n1r16ha1", "c8n1r16t3", "c8,n1r16s0haverage", "c8n1r16s0h,"]
)
def test_what_are_no_macro_settings_is_refused(text: str) -> None:
    """By their own text."""
    with pytest.raises(ArchitectureError):
        parse_choices(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": ()}, "needs one or more values"),
        ({"channels": (8, 8)}, "no two alike"),
        ({"channels": (1,)}, "channels in 2..4096"),
        ({"head": ("mean",)}, "a head is one of"),
        ({"stages": (4,)}, "1, 2 or 3 stages"),
        ({"channels": tuple(range(2, 67))}, "at most 64"),
    ],
)
def test_choices_are_values_that_there_are(changes: dict[str, tuple[object, ...]], message: str) -> None:
    """Each once, and not too many in all."""
    with pytest.raises(ArchitectureError, match=message):
        Choices(**{"channels": (8,), "depth": (1,), "resolution": (16,), **changes})  # type: ignore[arg-type]


def test_choices_read_as_they_are_written() -> None:
    """Their order is that of the numbers in vectors."""
    assert parse_choices(str(CHOICES)) == CHOICES
    shallow = replace(CHOICES, stages=(1, 3))
    assert str(shallow) == "c4,8n1,2r16t1,3s0,2haverage,peaks"
    assert parse_choices(str(shallow)) == shallow
    assert {macro.stages for macro in shallow} == {1, 3}
    assert len(CHOICES) == len(set(CHOICES)) == 16
    assert all(CHOICES.macro(CHOICES.columns(macro)) == macro for macro in CHOICES)
    with pytest.raises(ArchitectureError, match="are none of"):
        CHOICES.columns(Macro())


def test_one_way_to_stack_leaves_the_space_as_it_is() -> None:
    """And architectures of several are those of the space of cells."""
    assert stacked(SPACES["nb201"], Choices.of(Macro())) is SPACES["nb201"]
    assert isinstance(SPACE, StackedSpace)
    architecture = SPACE.decode(SPACE.draw(np.random.default_rng(0), 1)[0], macro=Macro())
    assert architecture.space == SPACES["nb201"]
    assert architecture.macro in CHOICES
    assert parse_architecture(str(architecture)) == architecture
    assert not SPACE.contains(SPACES["nb201"].decode(np.zeros(6, dtype=np.int8), macro=Macro()))


def test_models_see_macro_settings() -> None:
    """As columns beside the features of the cells, which stay what they were."""
    vectors = SPACE.draw(np.random.default_rng(0), 20)
    features, cells = cell_features(SPACE, vectors), cell_features(SPACES["nb201"], vectors[:, :6])
    assert features.shape[1] == cells.shape[1] + sum(CHOICES.kinds)
    assert np.array_equal(SPACE.settings(vectors).sum(axis=1), np.full(20, 4.0))
    for row, marks in zip(vectors, SPACE.settings(vectors), strict=True):
        assert marks[: CHOICES.kinds[0]].argmax() == row[6]


def scored(seed: int, count: int) -> list[Trial]:
    """Random architectures, the wider and deeper the better."""
    rng = np.random.default_rng(seed)
    found = [SPACE.decode(row, macro=Macro()) for row in SPACE.draw(rng, count)]
    return [Trial(architecture=one, score=one.macro.channels + one.macro.depth + 0.1 * rng.random()) for one in found]


@pytest.mark.parametrize("name", strategy_names())
def test_every_strategy_searches_macro_settings(name: str) -> None:
    """What it proposes is of the space, and not all stacked alike."""
    strategy = make_strategy(name)
    past = PastTask(name="past", trials=tuple(scored(1, 30)), spelled=SPACE)
    proposed = with_past_tasks(strategy, [past])(
        scored(0, 24), SpaceDomain(SPACE, CHOICES.first), 8, np.random.default_rng(3)
    )
    assert len(proposed) == 8
    assert all(SPACE.contains(one) for one in proposed)
    assert len({one.macro for one in proposed}) > 1 or name in ("surrogate", "transfer", "local_search")


@pytest.mark.parametrize("name", ["surrogate", "transfer"])
def test_a_model_learns_what_a_setting_is_worth(name: str) -> None:
    """Where wider and deeper is better, that is what it proposes."""
    past = PastTask(name="past", trials=tuple(scored(1, 30)), spelled=SPACE)
    strategy = with_past_tasks(make_strategy(name), [past])
    proposed = strategy(scored(0, 30), SpaceDomain(SPACE, CHOICES.first), 8, np.random.default_rng(3))
    assert np.mean([(one.macro.channels, one.macro.depth) == (8, 2) for one in proposed]) >= 0.75
