"""A life that admits nothing on real data: it says so in every place, with finalists, what they missed, a reference."""

from pathlib import Path

import pytest

from agent.api.life import open_life
from agent.ledger.events import Compared, Refused
from agent.ledger.store import reading
from agent.mirror.records import task_record
from agent.state.recorded import suite_of
from agent.state.state import replay
from agent.verify.verification import verify
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

# Ten examples to audit decide nothing, however well the network does.
STREAM = """\
stream: few
format: 1
macro: {channels: 2, depth: 1, resolution: 8}
budget: {evaluations: 2, full_trainings: 2}
low: {epochs: 1, fraction: 0.5}
full: {epochs: 2}
policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
  - {name: few, source: digits, limit: 60}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `few.yaml`, a life on it in `home`, and what the terminal showed in `output.txt`."""
    place = tmp_path_factory.mktemp("refused")
    (place / "few.yaml").write_text(STREAM)
    done = inside(place, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    (place / "output.txt").write_text(done.stdout)
    return place


def test_the_hand_designed_network_is_trained_though_nothing_was_admitted(place: Path) -> None:
    """Of the size of the best finalist; another size is named by verification."""
    with reading(place / "home") as ledger:
        (task,) = replay(ledger).runs[0].tasks
    assert not task.admitted()
    assert _kinds(place / "home").count(Refused.kind) == 2
    assert task.compared is not None
    assert task.compared.test_count > 0

    def smaller(events: Events) -> None:
        for kind, payload in events:
            if kind == Compared.kind:
                payload["architecture"] = payload["architecture"].replace("/c", "/c1", 1)

    forged = rewrite(place / "home", place / "forged", smaller)
    with reading(forged.root) as ledger:
        assert any("of the best finalist's size is" in problem for problem in verify(ledger, forged).problems)
    assert not open_life(place / "home").verify().problems


def test_terminal_page_tables_and_records_say_what_was_missed(place: Path) -> None:
    """In the same words, from one function."""
    life = open_life(place / "home")
    found = life.shortfall("few")
    assert found is not None
    assert found.best is not None
    told = " ".join((place / "output.txt").read_text().split())
    page = " ".join(life.report().read_text().split())
    for sentence in found.deciding:
        assert sentence in told
        assert sentence in page
    assert found.best.digest[:12] in told
    row = life.tasks.iloc[0]
    assert (row.closest, row.closest_validation) == (found.best.digest, found.best.validation)
    assert row.missed == found.best.missed
    assert row.would_decide == "; ".join(found.deciding)
    assert 0 <= row.reference_test <= 1
    with reading(place / "home") as ledger:
        run = replay(ledger).runs[0]
        record = task_record(run, run.tasks[0], suite_of(run), key="k")
    assert record.tags["missed"] == found.best.missed
    assert ("closest_validation", found.best.validation, 0) in record.metrics


def _kinds(home: Path) -> list[str]:
    with reading(home) as ledger:
        return [event.kind for event in ledger.events()]
