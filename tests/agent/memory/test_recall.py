"""What the library suggests: this very task first, then like tasks in turn, nothing where nothing is alike."""

from dataclasses import replace

import numpy as np
import pytest

from agent.memory.recall import Recollection, order_by_expected_score, recall
from agent.state.library import Library, Motif
from agent.stream.policy import SearchPolicy
from selfnas.data.probes import FEATURES, TaskDescription, distance
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.strategies.transfer import PastTask

MACRO = Macro(8, 1, 16)
SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)


@pytest.fixture(scope="module")
def descriptions() -> dict[str, TaskDescription]:
    """Of digits, of the same turned round, and of a series task."""
    from pathlib import Path

    from selfnas.data.probes import describe
    from selfnas.data.tasks import TaskSpec, load_task
    from selfnas.data.transforms import TransformSpec

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
        Library(library), description, SearchPolicy(**policy), task_digest=digest, space="nb201", macro=Macro(16, 2, 32)
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
    found = recall(
        Library(library), descriptions["digits"], SearchPolicy(), task_digest="digits", space="darts", macro=MACRO
    )
    assert found == ()


def test_what_no_person_let_in_gives_nothing_where_review_is_asked_for(
    library: list[Motif], descriptions: dict[str, TaskDescription]
) -> None:
    """Only the approved winner is recalled, though better ones are there."""
    library[1] = replace(library[1], review="approved")
    found = recall(
        Library(library),
        descriptions["digits"],
        SearchPolicy(recall=4, recall_trust_percent=0),
        task_digest="digits",
        space="nb201",
        macro=MACRO,
        approved=lambda motif: bool(motif.review),
    )
    assert [recollection.motif for recollection in found] == [library[1]]


def test_winners_that_all_past_tasks_think_well_of_are_tried_first(
    library: list[Motif], descriptions: dict[str, TaskDescription]
) -> None:
    """By scores with three cells each; the very task's winner and the architecture in service keep their places."""
    cells = [parse_architecture(one.architecture) for one in library]

    def past(*scores: float) -> PastTask:
        trials = tuple(Trial(architecture=cell, score=score) for cell, score in zip(cells, scores, strict=False))
        return PastTask(name="past", trials=trials)

    recalled = [
        Recollection(architecture=cell, motif=one, likeness=0.9) for cell, one in zip(cells, library, strict=True)
    ][:4]
    liked = (past(0.5, 0.2, 0.6, 0.9), past(0.4, 0.1, 0.7, 0.8))

    def order(*tasks: PastTask, digest: str = "new", first: Motif | None = None) -> list[int]:
        return [
            recalled.index(one) for one in order_by_expected_score(recalled, tasks, task_digest=digest, first=first)
        ]

    assert order(*liked) == [3, 2, 0, 1]
    assert order(*liked, digest="digits") == [0, 1, 3, 2]
    assert order(*liked, first=library[1]) == [1, 3, 2, 0]
    assert order() == [0, 1, 2, 3]
    opposite = past(0.5, 0.9, 0.4, 0.1)
    assert order(*(replace(task, likeness=0.95) for task in liked), replace(opposite, likeness=0.2)) == [3, 2, 0, 1]
    assert order(*(replace(task, likeness=0.2) for task in liked), replace(opposite, likeness=0.95))[0] == 1


def plain(
    library: list[Motif], description: TaskDescription, count: int, *, task_digest: str
) -> list[tuple[int, float]]:
    """The same choice, every motif parsed and compared on its own."""
    by_task: dict[str, list[tuple[float, int, float, str]]] = {}
    for found in library:
        likeness = max(0.0, 1.0 - distance(description, TaskDescription.from_json(found.description)))
        digest = replace(parse_architecture(found.architecture), macro=MACRO).digest
        if 100 * likeness >= SearchPolicy().recall_trust_percent:
            by_task.setdefault(found.task_digest, []).append((-found.validation, found.seq, likeness, digest))
    groups = sorted((sorted(group) for group in by_task.values()), key=lambda group: (-group[0][2], group[0][1]))
    known = sorted(by_task.get(task_digest, []))
    deepest = max(map(len, groups), default=0)
    turns = [*known, *(group[rank] for rank in range(deepest) for group in groups if rank < len(group))]
    chosen: dict[str, tuple[int, float]] = {}
    for _, seq, likeness, digest in turns:
        if len(chosen) < count:
            chosen.setdefault(digest, (seq, likeness))
    return list(chosen.values())


@pytest.mark.parametrize("seed", range(10))
def test_late_parsing_changes_nothing(descriptions: dict[str, TaskDescription], seed: int) -> None:
    """Random libraries with ties and repeated networks give what the plain version gives."""
    rng = np.random.default_rng(seed)
    names = [*descriptions]
    library = []
    for seq in range(60):
        name = names[rng.integers(len(names))]
        made = motif(int(rng.integers(15)), f"{name}{rng.integers(3)}", descriptions[name], rng.integers(5) / 5)
        library.append(replace(made, seq=seq))
    policy = SearchPolicy(recall=int(rng.integers(1, 9)))
    asked, digest = descriptions["digits"], str(rng.choice(["digits0", "unknown"]))
    found = recall(Library(library), asked, policy, task_digest=digest, space="nb201", macro=MACRO)
    assert [(each.motif.seq, each.likeness) for each in found] == plain(
        library, asked, policy.recall, task_digest=digest
    )
