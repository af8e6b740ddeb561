"""A stream built in Python becomes a stream file with all that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import BudgetSection, ObjectiveSection, SearchPolicy, Stream
from agent.life.preparation import prepare
from agent.stream.file import read_stream
from audits import load_suite, parse_suite
from constraints import load_set, parse_set
from selfnas import InputError, Task, TaskSpec, load_task

RULES = """\
set: narrow
language: 1
spaces: [nb201]
import: [baseline]
rules:
  - id: two-steps
    scope: cell
    require: depth <= 2
    why: this is a test
    message: deeper than two
"""


def noise(name: str = "noise") -> Task:
    """Two classes of nothing."""
    return Task.from_arrays(np.random.default_rng(0).normal(size=(80, 8, 8)), np.arange(80) % 2, name=name)


def test_a_stream_of_values_is_read_from_its_file(tmp_path: Path) -> None:
    """Arrays, rules and suite lie beside the file, and give the tasks, the set and the suite that they were."""
    task, rules, suite = noise(), parse_set(RULES), parse_suite(load_suite("baseline").text)
    budget = BudgetSection(evaluations=3)
    stream = Stream(
        name="own", tasks=[task], constraints=rules, audits=suite, budget=budget, taught_before="refuse", run_by="Cy"
    )
    document = read_stream(stream.write(tmp_path / "stream"))
    prepared = prepare(document)
    assert prepared.set_.digest == rules.digest
    assert prepared.suite.digest == suite.digest
    assert [own.digest for own in prepared.tasks] == [task.digest]
    assert document.value.budget.evaluations == 3
    assert document.value.taught_before == "refuse"
    assert document.value.run_by == "Cy"
    assert document.value == stream.model()


def test_equal_streams_are_equal_files_wherever_they_are_written(tmp_path: Path) -> None:
    """So that equal seeds give equal events; nothing of the place is in them."""
    for place in ("one", "two"):
        Stream(name="own", tasks=[noise()], constraints=parse_set(RULES)).write(tmp_path / place)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / place).iterdir()} for place in ("one", "two"))
    assert one == two
    assert len(one) == 3


def test_files_are_named_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's own files keep their place; shipped names stay names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RULES, encoding="utf-8")
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).normal(size=(80, 8, 8)), y=np.arange(80) % 2)
    spec = TaskSpec(name="mine", source="npz", path="mine.npz")
    objective = ObjectiveSection(device="phone", minimise=["latency_us"])
    stream = Stream(name="own", tasks=[spec], constraints=Path("mine.yaml"), objective=objective)
    read = read_stream(stream.write(tmp_path / "home" / "stream")).value
    assert read.constraints == str(tmp_path / "mine.yaml")
    assert read.objective is not None
    assert read.objective.device == "phone"
    assert load_task(read.tasks[0], base=tmp_path / "home" / "stream").digest == load_task(spec, base=tmp_path).digest


def test_the_defaults_are_those_of_a_file(tmp_path: Path) -> None:
    """A stream that states nothing but its tasks is the shortest file."""
    stream = Stream(name="short", tasks=[TaskSpec(name="digits", source="digits")])
    path = tmp_path / "short.yaml"
    path.write_text("stream: short\nformat: 1\ntasks: [{name: digits, source: digits}]\n", encoding="utf-8")
    assert read_stream(path).value.digest == stream.model().digest == read_stream(stream.write(tmp_path)).value.digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "two words"}, "stream: "),
        ({"tasks": []}, "tasks: need at least 1 of them"),
        (
            {"tasks": [load_task(TaskSpec(name="d", source="digits", limit=60), base=Path())]},
            "need one of Task.from_arr",
        ),
        ({"tasks": ["digits"]}, "task 'digits' cannot be written out"),
        ({"seed": -1}, "seed: need at least 0, not -1"),
    ],
)
def test_what_no_file_could_say_is_refused_at_once(fields: dict[str, Any], message: str) -> None:
    """When the stream is built, as an input error that names the field."""
    with pytest.raises(InputError, match=message):
        Stream(**{"name": "own", "tasks": [TaskSpec(name="digits", source="digits")], **fields})


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="a stream cannot be written here"):
        Stream(name="own", tasks=[noise()], policy=SearchPolicy(recall=0)).write(tmp_path / "file" / "stream")


def test_the_set_of_a_value_is_whole(tmp_path: Path) -> None:
    """A set that imports others is written with them, and reads the same."""
    stream = Stream(name="own", tasks=[noise()], constraints=load_set("edge-device"))
    assert load_set(tmp_path / read_stream(stream.write(tmp_path)).value.constraints).digest == (
        load_set("edge-device").digest
    )
