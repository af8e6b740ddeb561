"""What the library suggests: this very task first, then like tasks in turn, nothing where nothing is alike."""

from dataclasses import replace

import numpy as np
import pytest

from agent.memory import recall
from agent.policy import SearchPolicy
from agent.state import Motif
from selfnas.architecture import Macro, TaskShape
from selfnas.probes import FEATURES, TaskDescription
from selfnas.space import SPACES

MACRO = Macro(8, 1, 16)
SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)


@pytest.fixture(scope="module")
def descriptions() -> dict[str, TaskDescription]:
    """Of digits, of the same turned round, and of a series task."""
    from pathlib import Path

    from selfnas.probes import describe
    from selfnas.tasks import TaskSpec, load_task
    from selfnas.transforms import TransformSpec

    turned = TaskSpec(name="turned", source="digits", transforms=[TransformSpec(rotate=90)])
    specs = {
        "digits": TaskSpec(name="digits", source="digits"),
        "turned": turned,
        "series": TaskSpec(name="series", source="mnist1d", limit=500),
    }
    assert FEATURES
    return {name: describe(load_task(spec, base=Path()), seed=0) for name, spec in specs.items()}


def motif(index: int, task: str, description: TaskDescription, validation: float) -> Motif:
    """A remembered architecture; each index is another network."""
    vector = np.array([3, 3, index % 5, 1 + index // 5, 3, 3], dtype=np.int8)
    architecture = SPACES["nb201"].decode(vector, macro=MACRO)
    return Motif(
        architecture=str(architecture),
        digest=architecture.digest,
        task=task,
        task_digest=task,
        description=description.to_json(),
        shape=SHAPE,
        validation=validation,
        test=0.0,
        params=1,
        run=1,
        seq=index,
        certificate="{}",
        weights_sha256="",
    )


@pytest.fixture
def library(descriptions: dict[str, TaskDescription]) -> list[Motif]:
    """Two winners of each of three tasks."""
    return [
        motif(2 * number + place, task, descriptions[task], 0.9 - 0.1 * place)
        for number, task in enumerate(("digits", "turned", "series"))
        for place in (0, 1)
    ]


def names(library: list[Motif], description: TaskDescription, digest: str, **policy: int) -> list[str]:
    """Tasks that the recollections come from, in order."""
    found = recall(
        library, description, SearchPolicy(**policy), task_digest=digest, space="nb201", macro=Macro(16, 2, 32)
    )
    assert all(recollection.architecture.macro == Macro(16, 2, 32) for recollection in found)
    assert len({recollection.architecture.digest for recollection in found}) == len(found)
    return [recollection.motif.task for recollection in found]


def test_this_very_task_gives_all_its_winners_first(
    library: list[Motif], descriptions: dict[str, TaskDescription]
) -> None:
    """Both winners of digits come before anything of a like task."""
    assert names(library, descriptions["digits"], "digits", recall=3)[:2] == ["digits", "digits"]


def test_like_tasks_take_turns(library: list[Motif], descriptions: dict[str, TaskDescription]) -> None:
    """On a new task the best of each like task comes before the second best of any."""
    found = names(library, descriptions["digits"], "new", recall=4, recall_trust_percent=0)
    assert set(found[:3]) == {"digits", "turned", "series"}
    assert found[2] == "series"


def test_unlike_tasks_give_nothing(library: list[Motif], descriptions: dict[str, TaskDescription]) -> None:
    """Below the trust that the policy asks for, memory is silent; switched off, it is silent too."""
    only_series = [one for one in library if one.task == "series"]
    assert names(only_series, descriptions["digits"], "new", recall=4, recall_trust_percent=90) == []
    assert names(library, descriptions["digits"], "digits", recall=0) == []


def test_other_spaces_are_passed_over(library: list[Motif], descriptions: dict[str, TaskDescription]) -> None:
    """A cell of another space cannot be tried here."""
    found = recall(library, descriptions["digits"], SearchPolicy(), task_digest="digits", space="darts", macro=MACRO)
    assert found == ()


def test_what_no_person_let_in_gives_nothing_where_review_is_asked_for(
    library: list[Motif], descriptions: dict[str, TaskDescription]
) -> None:
    """Only the approved winner is recalled, though better ones are there."""
    library[1] = replace(library[1], review="approved")
    found = recall(
        library,
        descriptions["digits"],
        SearchPolicy(recall=4, recall_trust_percent=0),
        task_digest="digits",
        space="nb201",
        macro=MACRO,
        reviewed_only=True,
    )
    assert [recollection.motif for recollection in found] == [library[1]]
