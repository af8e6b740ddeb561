"""`selfnas watch` on a life whose one network was never trained: data that cannot be used, and what is in force."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save

from agent.ledger.events import Admitted, RunFinished, TaskFinished, Trained, WatchSearch
from agent.ledger.home import hold
from agent.ledger.store import Ledger
from agent.life.drift import Watcher
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.life.start import started
from agent.stream.file import read_stream
from audits import load_suite, read_calibration
from audits.calibrating.proof import calibration_file, write_calibration
from constraints import load_set
from selfnas.data.batches import load_batches, write_examples
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from tests.agent.conftest import inside
from tests.agent.made_up import blank
from tests.agent.tabular_lives import ledger_of

STREAM = """\
stream: own
format: 1
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
low: {epochs: 3, steps: 0}
full: {epochs: 15, steps: 0, patience: 6}
training: {recipe: plain}
tasks:
  - {name: first, source: npz, path: own.npz}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a person's data and a life that admitted a network for them."""
    place = tmp_path_factory.mktemp("own")
    live(place, STREAM)
    return place


def live(place: Path, stream: str) -> None:
    """Write data and a stream, and a life that admitted an untrained network."""
    rng = np.random.default_rng(0)
    np.savez(place / "own.npz", x=rng.normal(size=(240, 8, 8)).astype(np.float32), y=np.arange(240) % 3)
    np.savez(place / "new.npz", x=rng.normal(size=(60, 8, 8)).astype(np.float32), y=np.arange(60) % 3)
    (place / "own.yaml").write_text(stream)
    prepared = prepare(read_stream(place / "own.yaml"))
    cell = SPACES["nb201"].decode(np.array([4, 3, 2, 0, 0, 4], dtype=np.int8), macro=Macro(4, 1, 8))
    content = save(build_network(cell, prepared.tasks[0].shape, seed=0).state_dict())
    with hold(place / "home") as held, Ledger(held.ledger, clock=time.time) as ledger:
        life = Life(ledger, prepared, workers=None, home=held, device="cpu", observer=Unobserved())  # type: ignore[arg-type]
        run = life._begin()
        life.append([started(life.context(run, 0), prepared.stream.policy)])
        weights = hashlib.sha256(content).hexdigest()
        held.weights.mkdir(exist_ok=True)
        (held.weights / f"{weights}.safetensors").write_bytes(content)
        common = {"task": "first", "architecture": str(cell), "digest": cell.digest, "weights_sha256": weights}
        trained = blank(Trained, **common, validation=0.5, params=1, test_correct=1, test_count=2)
        let_in = {"task_digest": prepared.tasks[0].digest, "test": 0.5, "certificate": "{}"}
        life.append([trained, blank(Admitted, **common, validation=0.5, params=1, **let_in)])
        finished = TaskFinished(run=1, task="first", evaluations=0, full_trainings=1, winner=cell.digest)
        life.append([finished, RunFinished(tasks=1)])
        life.state.close()


def watch(place: Path, *files: str) -> tuple[int, str]:
    """The command's exit code and what it said; it must record nothing where it refuses."""
    with ledger_of(place / "home") as ledger:
        before = ledger.head()
    done = inside(place, "watch", "home", "first", *files, "--no-mirror")
    with ledger_of(place / "home") as ledger:
        assert done.returncode == 0 or ledger.head() == before
    return done.returncode, done.stderr


def test_data_of_the_task_that_were_damaged_or_changed_are_named(place: Path) -> None:
    """Without them nothing can be followed: exit code 2, in one line, and nothing is recorded."""
    own = place / "own.npz"
    whole = own.read_bytes()
    try:
        own.write_bytes(whole[: len(whole) // 2])
        assert watch(place, "new.npz") == (
            2,
            "task 'first': own.npz is not an .npz file or is damaged: File is not a zip file\n",
        )
        changed = bytearray(whole)
        changed[len(whole) // 2] ^= 0xFF
        own.write_bytes(changed)
        code, said = watch(place, "new.npz")
        assert (code, said.count("\n")) == (2, 1)
        assert "own.npz" in said
        own.unlink()
        assert watch(place, "new.npz") == (2, "task 'first': no such file: own.npz\n")
        np.savez(own, x=np.random.default_rng(9).random((240, 8, 8), np.float32), y=np.arange(240) % 3)
        code, said = watch(place, "new.npz")
        assert (code, said) == (2, "task 'first': its data are not those that the ledger records\n")
    finally:
        own.write_bytes(whole)


def test_new_data_that_are_damaged_are_named_before_any_is_taken_in(place: Path) -> None:
    """The whole file before the damaged one is not recorded either; alone it is."""
    (place / "cut.npz").write_bytes((place / "new.npz").read_bytes()[:300])
    code, said = watch(place, "new.npz", "cut.npz")
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("cut.npz is not an .npz file or is damaged")
    assert watch(place, "new.npz") == (0, "")


def test_a_successor_is_searched_under_the_set_and_the_suite_that_the_ledger_holds(tmp_path: Path) -> None:
    """Both are a person's own, share one name, and their files are gone; so is the suite's calibration."""
    text = load_suite("baseline").text
    (tmp_path / "rules.yaml").write_text(
        "set: mine\nlanguage: 1\nspaces: [nb201]\nimport: [baseline]\n"
        "tighten:\n  - {id: shallow, require: depth <= 2}\n"
    )
    (tmp_path / "audits.yaml").write_text(
        text.replace("suite: baseline", "suite: mine").replace("above_chance: 0.2", "above_chance: 0.21")
    )
    suite = load_suite(tmp_path / "audits.yaml")
    shipped = read_calibration(calibration_file(load_suite("baseline")))
    write_calibration(replace(shipped, digest=suite.digest), calibration_file(suite))
    live(tmp_path, STREAM.replace("macro:", "constraints: ./rules.yaml\naudits: ./audits.yaml\nmacro:"))
    for file in ("rules.yaml", "audits.yaml", "audits.calibration.json"):
        (tmp_path / file).unlink()
    with hold(tmp_path / "home") as held, Ledger(held.ledger, clock=time.time) as ledger:
        watcher = Watcher(ledger, held, "first", base=tmp_path, least=1)
        [batch] = load_batches(watcher._spec, [tmp_path / "own.npz"], base=tmp_path)[1]
        name = write_examples(held.root / "watch", batch.x, batch.labels, kind=watcher._kind)
        search = blank(WatchSearch, run=2, file=name, successor_task="first-drift1", in_service=watcher.motif.seq)
        prepared = watcher._prepared(search)
        begun = watcher.state.runs[0].started
        assert (tmp_path / "home" / "watch").is_dir()
        assert [path.name for path in (tmp_path / "home" / "watch").iterdir()] == [name]
    assert suite.digest == prepared.suite.digest == begun.audit_suite_digest != load_suite("baseline").digest
    assert prepared.set_.digest == begun.constraint_set_digest != load_set("baseline").digest
    assert (prepared.set_.text, prepared.suite.text) == tuple(
        file.text for file in (begun.constraint_set, begun.audit_suite)
    )
    assert (prepared.stream.constraints, prepared.stream.audits) == (
        "watch/constraints-mine.yaml",
        "watch/audits-mine.yaml",
    )
