"""A life counts the networks that it audits on one audit split, and a suite can have them paid for."""

import shutil
from pathlib import Path

import pytest

from agent.api.running import continue_task
from agent.ledger.events import UNSET, TaskFinished, TaskStarted
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.mirror.records import task_record
from agent.report.desk import desk
from agent.state.opening import recollect
from agent.state.recorded import suite_of
from agent.state.spending import attempt_of, next_attempt, spent
from agent.state.state import replay
from agent.verify.verification import verify
from audits import load_suite
from tests.agent.conftest import FEW, inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life in `home` whose one task is lived twice, under a suite that has attempts paid for."""
    place = tmp_path_factory.mktemp("spent")
    suite = load_suite("baseline").text.replace("approval: none", "approval: none\nattempts: paid")
    (place / "paying.yaml").write_text(suite.replace("suite: baseline", "suite: paying"))
    (place / "few.yaml").write_text(FEW.format(epochs=2, examples=60) + "audits: ./paying.yaml\n")
    for _ in range(2):
        done = inside(place, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
        assert done.returncode == 0, done.stderr
    (place / "out").write_text(done.stdout)
    return place


def problems(home: Home) -> list[str]:
    """What verification says of a life."""
    with reading(home.root) as ledger:
        return verify(ledger, home).problems


def test_a_task_that_recurs_uses_its_audit_split_again(place: Path) -> None:
    """Its begin says how many networks came before, its end how many it audited; opening by index tells the same."""
    home = Home(place / "home")
    with reading(home.root) as ledger:
        state, opened = replay(ledger), recollect(ledger, home.snapshot)
        facts = [event.facts for event in ledger.events()]
    assert [one.audited_before for one in facts if isinstance(one, TaskStarted)] == [0, 2]
    assert [one.audited for one in facts if isinstance(one, TaskFinished)] == [2, 2]
    task = state.runs[1].tasks[0]
    digest = task.started.task_digest
    assert list(state.splits()) == list(opened.splits())
    assert [(split.run, split.audited) for split in state.splits() if split.digest == digest] == [(1, 2), (2, 2)]
    opened.close()
    assert [attempt_of(task, one.digest) for one in task.finalists] == [3, 4]
    assert next_attempt(task) == 5
    assert problems(home) == []


def test_a_task_that_goes_on_uses_it_again_too(place: Path, tmp_path: Path) -> None:
    """Under the suite that it was lived under, whatever became of its file."""
    shutil.copytree(place / "home", tmp_path / "home")
    continue_task(tmp_path / "home", "few", evaluations=2, full_trainings=1, base=place)
    with reading(tmp_path / "home") as ledger:
        task = replay(ledger).runs[2].tasks[0]
    assert (task.started.audited_before, task.audited) == (4, 1)
    assert problems(Home(tmp_path / "home")) == []


def test_what_was_spent_is_told_everywhere(place: Path) -> None:
    """On the terminal, in the report, at the desk, in MLflow's record; after four networks one per cent and more."""
    home = place / "home"
    with reading(home) as ledger:
        state = replay(ledger)
    run, task = state.runs[1], state.runs[1].tasks[0]
    found = spent(run, task)
    assert found is not None
    assert (found.attempts, found.before, found.paid, found.error) == (4, 2, True, pytest.approx(0.02))
    assert f"few: {found}" in (place / "out").read_text()
    metrics = {name: value for name, value, _ in task_record(run, task, suite_of(run), key="k").metrics}
    assert (metrics["audited_on_split"], metrics["familywise_error"]) == (4.0, pytest.approx(0.02))
    split = [row["audit_split"] for row in desk(state)]
    assert [(one["audited"], one["by_earlier_tasks"], one["paid"]) for one in split if isinstance(one, dict)] == [
        (1, 0, True), (2, 0, True), (3, 2, True), (4, 2, True),
    ]  # fmt: skip
    assert inside(place, "report", str(home)).returncode == 0
    page = (home / "report" / "index.html").read_text()
    assert "How often audit splits were used" in page
    assert "2 of them by earlier tasks" in str(found)


def counted(kind: str, name: str, value: object) -> Edit:
    """The last event of a kind says another number, or none."""

    def edit(events: Events) -> None:
        payload = [payload for found, payload in events if found == kind][-1]
        if value is None:
            del payload[name]
        else:
            payload[name] = value

    return edit


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        ("task.started", "audited_before", 1, "1 networks were audited on its audit split before, the events have 2"),
        ("task.started", "audited_before", None, "attempts paid for, and it does not say how many there were before"),
        ("task.finished", "audited", 1, "it says that 1 networks were audited, 2 are recorded"),
        ("task.finished", "audited", None, "its begin counts audited networks, its end does not say"),
    ],
)
def test_another_count_does_not_verify(
    place: Path, tmp_path: Path, kind: str, name: str, value: object, message: str
) -> None:
    """Whatever is said of a split, the events are counted again."""
    forged = rewrite(place / "home", tmp_path / "forged", counted(kind, name, value))
    assert message in "\n".join(problems(forged))


def test_a_life_that_did_not_count_is_not_held_to_it(place: Path, tmp_path: Path) -> None:
    """As earlier releases left it, under a suite that only counts: nothing is missing, nothing is told."""

    def before(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                payload["audit_suite"]["text"] = payload["audit_suite"]["text"].replace("attempts: paid\n", "")
            payload.pop("audited_before", None)
            payload.pop("prints", None)
            if kind == "task.finished":
                payload.pop("audited", None)

    old = rewrite(place / "home", tmp_path / "old", before)
    assert [one for one in problems(old) if "networks" in one or "paid" in one] == []
    with reading(old.root) as ledger:
        state, opened = replay(ledger), recollect(ledger)
        task = state.runs[1].tasks[0]
        assert task.started.audited_before is UNSET
        assert spent(state.runs[1], task) is None
        assert [split.audited for split in opened.splits()] == [2, 2]
        opened.close()
