"""A life whose networks are hardened: it searches for what is proved, records it, and verification gives it again."""

import math
from pathlib import Path

import pytest

from agent.api.life import open_life
from agent.ledger.events import UNSET, Compared, RobustRecord, Trained
from agent.ledger.store import reading
from agent.mirror.records import finalist_record
from agent.report.desk import desk
from agent.report.robustness import robust_figures, robust_sentence
from agent.state.state import replay
from agent.stream.file import read_stream
from agent.verify.verification import verify
from selfnas.errors import InputError
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

STREAM = """\
stream: hardened
format: 1
baselines: none
space: nb201
constraints: certifiable
macro: {channels: 8, depth: 1, resolution: 16, head: grid4, stages: 1}
budget: {evaluations: 1, full_trainings: 1}
low: {steps: 30}
full: {steps: 240}
training: {recipe: plain, weight_decay: 0, robustness: {radius: 0.05}}
policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
  - {name: digits, source: digits}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a hardened life in `home`."""
    place = tmp_path_factory.mktemp("hardened")
    (place / "hardened.yaml").write_text(STREAM)
    done = inside(place, "run", "hardened.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    (place / "said.txt").write_text(" ".join(done.stdout.split()))
    return place


def test_what_is_proved_is_recorded(place: Path) -> None:
    """Of finalists and of the hand-designed network; scores are certified shares, hence no more than what answers."""
    with reading(place / "home") as ledger:
        facts = [event.facts for event in ledger.events()]
    (trained,) = [each for each in facts if isinstance(each, Trained)]
    (compared,) = [each for each in facts if isinstance(each, Compared)]
    for each in (trained, compared):
        assert each.robust is not UNSET
        assert 0 <= each.robust.certified <= each.robust.attacked <= each.robust.clean <= each.robust.count == 200
        assert each.robust.radius == 0.05
    assert trained.robust is not UNSET
    assert trained.robust.certified > 60
    assert 0.3 < trained.validation < trained.test


def test_what_is_proved_is_shown(place: Path) -> None:
    """On the terminal, in the report, the desk's record, MLflow's and the table of tasks."""
    home = place / "home"
    with reading(home) as ledger:
        state = replay(ledger)
    (task,) = state.runs[0].tasks
    (finalist,) = task.finalists
    told = finalist.trained.robust
    assert told is not UNSET
    share = told.certified / told.count
    said = (place / "said.txt").read_text()
    assert f"{100 * share:.1f} % [" in said
    assert "of 200 test examples are proved right" in said
    assert said.count("withstand attacks") == 2  # the hand-designed network's as well
    page = open_life(home).report(place / "page.html").read_text()
    assert "What holds while inputs move" in page
    assert f"{100 * share:.1f} [" in page
    (item,) = desk(state)
    assert item["robust"] == robust_figures(told)
    metrics = {name: value for name, value, _ in finalist_record(task, finalist, key="x").metrics}
    assert metrics["robust.proved"] == share
    assert metrics["robust.proved.low"] < share < metrics["robust.proved.high"]
    (row,) = open_life(home).tasks.itertuples()
    assert row.proved == share if finalist.standing == "admitted" else math.isnan(row.proved)


def test_nothing_is_said_to_be_proved_where_nothing_is() -> None:
    """An operation without a rule is named; without examples there is no share."""
    none = RobustRecord(norm="linf", radius=0.1, count=10, clean=9, attacked=3, masked=1, certified=0, unproved="gated")
    said = robust_sentence("net", none)
    assert "nothing is proved, since gated has no bound" in said
    assert "1 were turned by a search without gradients alone" in said
    empty = RobustRecord(norm="linf", radius=0.1, count=0, clean=0, attacked=0, masked=0, certified=0)
    assert robust_figures(empty) == {"robust.radius": 0.1}
    assert "nothing was looked at" in robust_sentence("net", empty)


def test_verification_counts_again(place: Path) -> None:
    """From the weights; and a record that cannot be so is named."""
    assert not open_life(place / "home").verify(deep=True, sample=1).problems

    def more(events: Events) -> None:
        for kind, payload in events:
            if kind == Trained.kind:
                payload["robust"]["certified"] = payload["robust"]["attacked"] + 1

    forged = rewrite(place / "home", place / "forged", more)
    with reading(forged.root) as ledger:
        assert any("which cannot be" in problem for problem in verify(ledger, forged).problems)


def test_a_plain_stream_keeps_its_digest(tmp_path: Path) -> None:
    """It has no key for robustness in its record."""
    (tmp_path / "plain.yaml").write_text(STREAM.replace(", robustness: {radius: 0.05}", ""))
    stream = read_stream(tmp_path / "plain.yaml").value
    assert "robustness" not in str(stream.model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("radius: 0.05", "radius: 0", "need more than 0"),
        ("radius: 0.05", "radius: 0.7", "at most 0.5, not 0.7"),
        ("radius: 0.05", "radius: 0.05, norm: l2", "linf"),
        ("space: nb201", "space: image", "attention has no rule"),
        ("space: nb201\n", "", "state a space"),
        ("source: digits", "source: table, dataset: valid", "is a table"),
        ("baselines: none", "curve_stop: true", "curve_stop: while the radius grows"),
        ("baselines: none", "inherit: motif", "begin with weights of their own"),
        ("policy: {", "policy: {strategy: gdas, ", "supernet, which is not hardened"),
    ],
)
def test_what_cannot_be_hardened_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Before anything is trained, with the place."""
    (tmp_path / "wrong.yaml").write_text(STREAM.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_stream(tmp_path / "wrong.yaml")
