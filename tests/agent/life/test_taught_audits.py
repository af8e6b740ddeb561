"""Audit examples that an earlier task of the life trained or validated on are told, left out or refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.api.life import open_life
from agent.api.running import run
from agent.ledger.events import UNSET
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.memory.taught import read_prints, used_before
from agent.mirror.records import task_record
from agent.report.desk import desk
from agent.state.recorded import suite_of
from agent.state.state import replay
from agent.state.taught import rows_from_text, taught_count, taught_sentence
from agent.verify.reaudit import find_finalist, reaudit
from agent.verify.verification import verify
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import InputError
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events

STREAM = """\
stream: twice
format: 1
baselines: none
space: nb201
macro: {channels: 2, depth: 1, resolution: 8}
budget: {evaluations: 1, full_trainings: 1}
low: {epochs: 1, steps: 0, fraction: 0.5}
full: {epochs: 2, steps: 0}
training: {recipe: plain}
policy: {population: 3, sample: 2, batch: 1, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
"""
UPRIGHT = "  - {name: upright, source: digits, limit: 400}\n"
TURNED = "  - {name: turned, source: digits, limit: 400, split_seed: 1, transforms: [{rotate: 90}]}\n"


def live(place: Path, home: str, *tasks: str, **keys: str) -> Path:
    """A life of these tasks in turn, each a run of its own."""
    for number, task in enumerate(tasks):
        told = "".join(f"{name}: {value}\n" for name, value in keys.items())
        (place / f"{home}{number}.yaml").write_text(told + STREAM + task)
        run(place / f"{home}{number}.yaml", place / home)
    return place / home


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life in `told` and one in `out`: digits, then in a second run digits turned and cut anew."""
    place = tmp_path_factory.mktemp("taught")
    live(place, "told", UPRIGHT, TURNED)
    live(place, "out", UPRIGHT, TURNED, taught_before="leave_out")
    return place


def problems(home: Home) -> list[str]:
    """What verification says of a life."""
    with reading(home.root) as ledger:
        return verify(ledger, home).problems


def shared() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which audit examples of the second task the first is taught, by their pixels as the source has them."""
    upright, turned = (load_task(TaskSpec(name=name, source="digits", limit=400, split_seed=seed), base=Path())
                       for name, seed in (("upright", 0), ("turned", 1)))  # fmt: skip
    whole = {row.tobytes() for part in (upright.train, upright.validation)
             for row in np.asarray(upright_pixels(part.x, upright))}  # fmt: skip
    return np.array([row.tobytes() in whole for row in upright_pixels(turned.audit.x, turned)])


def upright_pixels(x: np.ndarray, task: object) -> np.ndarray:  # type: ignore[type-arg]
    """Pixels from 0 to 16 again, whatever they were scaled by."""
    low, high = x.min(), x.max()
    return np.round((x - low) / (high - low) * 16).astype(np.int8)


def test_what_an_earlier_run_was_taught_is_recorded(place: Path) -> None:
    """The same pictures though they are turned, and of another run: as many as compare equal before any preparation."""
    with reading(place / "told") as ledger:
        first, second = (each.tasks[0] for each in replay(ledger).runs)
    assert first.started.taught is UNSET
    told = second.started.taught
    assert told is not UNSET
    rows = rows_from_text(told.rows, len(shared()))
    assert 0 < rows.sum() < len(rows)
    assert np.array_equal(rows, shared())
    assert [(one.run, one.task, one.examples) for one in told.by] == [(1, "upright", rows.sum())]
    assert not told.left_out
    assert problems(Home(place / "told")) == []


def test_networks_audited_on_shared_examples_are_attempts_too(place: Path) -> None:
    """The two audit splits share pictures: the second is used for the second time."""
    home = Home(place / "told")
    with reading(home.root) as ledger:
        first, second = (each.tasks[0].started for each in replay(ledger).runs)
    assert first.prints is not UNSET
    assert second.prints is not UNSET
    audits = [read_prints(home, each)["audit"] for each in (first.prints, second.prints)]
    assert len(np.intersect1d(*audits))
    assert (first.audited_before, second.audited_before) == (0, 1)


def test_it_is_told_everywhere(place: Path) -> None:
    """In a sentence, at the desk, in MLflow's record and in the report."""
    life = open_life(place / "told")
    with reading(place / "told") as ledger:
        state = replay(ledger)
    held = state.runs[1].tasks[0]
    count, sentence = taught_count(held.started), taught_sentence(held.started)
    assert sentence == (
        f"{count} audit examples were training or validation data of upright (run 1) and are audited all the same"
    )
    (row,) = desk(state, run=2)
    assert isinstance(row["audit_split"], dict)
    assert row["audit_split"]["taught"] == count
    assert sentence in row["audit_split"]["sentence"]
    metrics = {
        name: value for name, value, _ in task_record(state.runs[1], held, suite_of(state.runs[1]), key="k").metrics
    }
    assert metrics["audit_examples_taught"] == count
    assert "of its examples taught before" in life.report().read_text()


def test_left_out_examples_are_not_audited(place: Path) -> None:
    """Findings count the others alone; verification holds to it, and another audit finds the same."""
    with reading(place / "out") as ledger:
        state = replay(ledger)
    held = state.runs[1].tasks[0]
    assert held.started.taught is not UNSET
    assert held.started.taught.left_out
    fresh = int((~shared()).sum())
    (finalist,) = held.finalists
    assert finalist.audited is not None
    alone = [one.n for one in finalist.audited.findings if one.audit == "copies"]
    assert alone == [fresh]
    home = Home(place / "out")
    assert problems(home) == []
    again = reaudit(home, *find_finalist(state, finalist.digest, task="turned"), base=place)
    assert again.changed == ()


def test_a_task_that_was_taught_before_can_be_refused(place: Path, tmp_path: Path) -> None:
    """By an earlier run or by an earlier task of the stream: nothing is recorded of a run that does not begin."""
    shutil.copytree(place / "told", tmp_path / "home")
    (tmp_path / "late.yaml").write_text("taught_before: refuse\n" + STREAM + TURNED.replace("turned", "again"))
    with reading(tmp_path / "home") as ledger:
        before = ledger.head()
    with pytest.raises(InputError, match=r"training or validation examples of upright \(run 1\): the stream refuses"):
        run(tmp_path / "late.yaml", tmp_path / "home")
    with reading(tmp_path / "home") as ledger:
        assert ledger.head() == before
    (tmp_path / "both.yaml").write_text("taught_before: refuse\n" + STREAM + UPRIGHT + TURNED)
    with pytest.raises(InputError, match=r"both.yaml:14:5:.* examples of task upright: the stream refuses that"):
        run(tmp_path / "both.yaml", tmp_path / "other")


def test_the_same_task_again_was_taught_none_of_its_audit_examples(place: Path, tmp_path: Path) -> None:
    """It uses its own split again, which is counted, and is refused nothing."""
    home = live(tmp_path, "again", UPRIGHT, UPRIGHT, taught_before="refuse")
    with reading(home) as ledger:
        first, second = (each.tasks[0].started for each in replay(ledger).runs)
    assert (first.prints, second.taught) == (second.prints, UNSET)
    assert (first.audited_before, second.audited_before) == (0, 1)


def edited(change: Callable[[dict[str, object]], object]) -> Edit:
    """Something else is said by the begin of the last task."""

    def edit(events: Events) -> None:
        change([payload for kind, payload in events if kind == "task.started"][-1])

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.pop("taught"), "is not what the numbers of"),
        (lambda told: told["taught"].update(left_out=True), "is not what the numbers of"),
        (lambda told: told["taught"].update(rows="00" * 10), "is not what the numbers of"),
        (lambda told: told["taught"]["by"][0].update(examples=1), "is not what the numbers of"),
        (lambda told: told.update(audited_before=0), "it says that 0 networks were audited"),
        (lambda told: (told.pop("prints"), told.pop("taught"), told.update(audited_before=0)), "it names no file"),
        (lambda told: told.update(prints="0" * 64), "are missing"),
        (lambda told: [told.pop(name) for name in ("audited_before",)], "cannot"),
    ],
)
def test_what_is_said_of_taught_examples_is_compared_again(
    place: Path, tmp_path: Path, change: Callable[[dict[str, object]], object], message: str
) -> None:
    """From the numbers that are kept beside the weights, which are compared with the source."""
    forged = rewrite(place / "told", tmp_path / "forged", edited(change))
    assert message in "\n".join(problems(forged))


def test_numbers_of_other_examples_are_no_way_out(place: Path, tmp_path: Path) -> None:
    """Those of the first task in place of the second's own tell of nothing taught, and are not of its source."""

    def edit(events: Events) -> None:
        first, second = (payload for kind, payload in events if kind == "task.started")
        second["prints"] = first["prints"]
        del second["taught"]

    forged = rewrite(place / "told", tmp_path / "forged", edit)
    assert "the numbers of its examples are not those of its source" in "\n".join(problems(forged))


def test_numbers_that_were_changed_are_read_by_nobody(place: Path, tmp_path: Path) -> None:
    """Neither by verification nor by the next run: what an audit split was used for must not be forgotten."""
    home = Home(tmp_path / "home")
    shutil.copytree(place / "told", home.root)
    with reading(home.root) as ledger:
        state = replay(ledger)
    started = state.runs[0].tasks[0].started
    assert started.prints is not UNSET
    home.weights_file(started.prints).write_bytes(b"nothing")
    with pytest.raises(InputError, match="were changed"):
        used_before(state, home, "another", load_task(TaskSpec(name="d", source="digits"), base=Path()).prints)
    assert "were changed" in "\n".join(problems(home))
