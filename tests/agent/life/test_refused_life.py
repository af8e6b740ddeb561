"""A life that admits nothing on real data: it says so in every place, with finalists, what they missed, a reference."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from agent.api.life import open_life
from agent.ledger.events import Compared, Refused
from agent.ledger.store import reading
from agent.mirror.records import task_record
from agent.state.recorded import suite_of
from agent.state.state import replay
from agent.verify.verification import verify
from audits.external.exported import load_exported
from selfnas.errors import InputError
from selfnas.training.exported import FACTS
from tests.agent.conftest import inside, refused_life
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `few.yaml`, a life on it in `home`, and what the terminal showed in `output.txt`."""
    place = tmp_path_factory.mktemp("refused")
    (place / "output.txt").write_text(refused_life(place, epochs=2, examples=60))
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


def test_a_refused_network_is_exported_under_that_name_alone(place: Path, tmp_path: Path) -> None:
    """Not without being asked for; then name, content and the file beside it say so, and why."""
    import torch

    life = open_life(place / "home")
    found = life.shortfall("few")
    assert found is not None
    assert found.best is not None
    with pytest.raises(InputError, match="was refused by the audits: --refused exports it"):
        life.export(found.best.digest, tmp_path / "net.pt2")
    made = life.export(found.best.digest[:10], tmp_path / "net.pt2", refused=True)
    assert (made.path.name, made.beside.name) == ("net.refused.pt2", "net.refused.json")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["net.refused.json", "net.refused.pt2"]
    inside_file = {FACTS: ""}
    program = torch.export.load(made.path, extra_files=inside_file)
    for text in (inside_file[FACTS], made.beside.read_text()):
        facts = json.loads(text)
        assert facts["verdict"] == "refused"
        assert facts["reasons"] == list(found.best.reasons)
        assert facts["target"]["names"] == [str(digit) for digit in range(10)]
        assert (facts["input"]["shape"], facts["input"]["seen"]) == (["b", 8, 8], {"low": 0.0, "high": 16.0})
    task, images = life.task("few"), load_digits().images
    rows = {row.tobytes(): image for row, image in zip(task.preparation.apply(images), images, strict=True)}
    raw = torch.from_numpy(np.stack([rows[row.tobytes()] for row in task.test.x]))
    assert found.best.test is not None
    for network in (program.module(), life.predictor(found.best.digest)):
        answers = network(raw)["predicted"].numpy()
        assert int((answers == task.test.y).sum()) == found.best.test.correct


def test_the_network_alone_needs_no_data(place: Path, tmp_path: Path) -> None:
    """It gives the logits of prepared examples, and can be audited like anybody's."""
    import torch

    life = open_life(place / "home")
    digest = next(iter(life.tasks.closest))
    made = life.export(digest, tmp_path / "refused.pt2", refused=True, bare=True)
    x = torch.from_numpy(life.task("few").test.x)
    torch.testing.assert_close(load_exported(made.path)(x), life.network(digest)(x))
    whole = life.export(digest, tmp_path / "whole.pt2", refused=True)
    with pytest.raises(InputError, match="it takes raw examples: `selfnas motifs export --bare`"):
        load_exported(whole.path)


@pytest.mark.parametrize("name", ["there.refused.pt2", "link.refused.pt2", "dangling.refused.pt2"])
def test_what_is_there_is_not_replaced_unasked(place: Path, tmp_path: Path, name: str) -> None:
    """Neither a file, nor a link, nor what a link leads to; with `force` the name is taken over, not its target."""
    life, target = open_life(place / "home"), tmp_path / "kept.bin"
    target.write_bytes(b"kept")
    digest = next(iter(life.tasks.closest))
    path = tmp_path / name
    if name.startswith("there"):
        path.write_bytes(b"old")
    else:
        path.symlink_to(target if name.startswith("link") else tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is such a file already"):
        life.export(digest, path, refused=True)
    life.export(digest, path, refused=True, force=True)
    assert not path.is_symlink()
    assert path.stat().st_size > 1000
    assert target.read_bytes() == b"kept"
    assert not (tmp_path / "nowhere").exists()


def test_no_file_of_the_life_is_ever_replaced(place: Path, tmp_path: Path) -> None:
    """By whatever name, with `force` as well; and pages, cards and rules have endings of their own."""
    life, home = open_life(place / "home"), place / "home"
    digest, before = next(iter(life.tasks.closest)), (home / "ledger.db").read_bytes()
    weights = next((home / "weights").iterdir())
    link = tmp_path / "refused.pt2"
    link.symlink_to(home / "ledger.db")
    for path in (link, home / "weights" / "refused.pt2", home / "stream" / "refused.pt2"):
        with pytest.raises(InputError, match="is a place of the life in"):
            life.export(digest, path, refused=True, force=True)
    for words in (("report", home, "-o", home / "ledger.db"), ("audits", "run", digest, "--home", home, "-o", weights),
                  ("devices", "rule", "server-cpu", "--at-most", "900", "--out", home / "ledger.db")):  # fmt: skip
        done = inside(tmp_path, *words)
        assert done.returncode == 2
        assert "what is written here ends in" in done.stderr
    assert (home / "ledger.db").read_bytes() == before


def _kinds(home: Path) -> list[str]:
    with reading(home) as ledger:
        return [event.kind for event in ledger.events()]
