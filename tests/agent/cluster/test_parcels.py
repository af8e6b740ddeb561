"""What a job reads goes with it by content, and what it leaves is checked before it is put anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.cluster.fleet import Fleet, Limits
from agent.cluster.messages import (
    Ask,
    DamagedError,
    File,
    Input,
    Listing,
    Take,
    Taken,
    Told,
    decode_answer,
    decode_question,
    encode,
)
from agent.cluster.node import Node
from agent.cluster.parcels import JobParcels, NoParcels
from agent.ledger.home import StorageError
from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.jobs import BaselineJob, DataChangedError, FullJob
from agent.workers.process import run_job
from selfnas.data.sources.listing import files_of
from selfnas.data.tasks import TaskSpec, load_task
from tests.agent.cluster.carriers import Threads, altered
from tests.agent.cluster.plain import nothing

ROWS = TaskSpec(name="rows", source="npz", path="data/rows.npz", kind="table")
DIGITS = TaskSpec(name="digits", source="digits", limit=300)
ARCHITECTURE = "nb201/c2n1r8:|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with a small table in a file."""
    (tmp_path / "here" / "data").mkdir(parents=True)
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "here" / "data" / "rows.npz", x=x, y=np.arange(60) % 2)
    return tmp_path / "here"


def baseline(base: Path, name: str = "constant") -> str:
    """A job that reads the table."""
    digest = load_task(ROWS, base=base).digest
    job = BaselineJob(task=ROWS, task_digest=digest, base=str(base), device="cpu", seed=1, name=name)
    return job.model_dump_json(exclude_none=True)


def full(folder: Path, **further: object) -> str:
    """A job that leaves weights."""
    job = FullJob(
        task=DIGITS,
        task_digest=load_task(DIGITS, base=folder).digest,
        base=str(folder),
        device="cpu",
        seed=3,
        architecture=ARCHITECTURE,
        training=TrainingSection(recipe="plain"),
        fidelity=FidelitySection(epochs=1, steps=0),
        weights=str(folder / "weights"),
        **further,
    )
    return job.model_dump_json(exclude_none=True)


def plain(answer: object) -> dict[str, object]:
    """Without what the clock says."""
    return {key: value for key, value in json.loads(str(answer)).items() if not key.endswith("seconds")}


def test_a_node_that_has_the_data_is_sent_nothing(rows: Path) -> None:
    """It reads its own copy, and its answer is that of this process."""
    carrier = Threads(run_job, nodes={"a": 1})
    fleet = Fleet(carrier, 1, parcels=JobParcels())
    (answer,) = fleet.answers([baseline(rows)])
    fleet.close()
    assert plain(answer) == plain(run_job(baseline(rows)))
    assert (fleet.tally["files"], fleet.tally["lost"], fleet.tally["damaged"]) == (0, 0, 0)


def test_a_node_without_the_data_is_sent_them_once(rows: Path) -> None:
    """Two jobs on one file: it is sent with the first, and both are answered as here."""
    jobs = [baseline(rows), baseline(rows, "nearest")]
    here = [plain(run_job(job)) for job in jobs]
    carrier = Threads(run_job, nodes={"a": 1}, own_copies=False)
    fleet = Fleet(carrier, 1, parcels=JobParcels())
    assert [plain(answer) for answer in fleet.answers(jobs)] == here
    fleet.close()
    assert fleet.tally["files"] == 1
    assert fleet.tally["bytes"] == (rows / "data" / "rows.npz").stat().st_size


def test_a_node_whose_copy_is_another_is_sent_the_right_one(rows: Path, tmp_path: Path) -> None:
    """What lies at the same place with another content is not read."""
    job, there = baseline(rows), tmp_path / "there.npz"
    np.savez(there, x=np.zeros((60, 3)), y=np.arange(60) % 2)
    packed = JobParcels().pack(job)
    (listing,) = packed.listings.values()
    (file,) = listing.files
    moved = Listing(files=(File(name=file.name, path=str(there), size=file.size, sha256=file.sha256),))
    assert moved.digest == listing.digest
    node = Node(run_job, prepare=nothing)
    asked = encode(Ask(job=job, inputs=packed.inputs, listings=(moved,), outputs=packed.outputs))
    lacking = decode_answer(node.handle(asked))
    assert isinstance(lacking, Told)
    assert (lacking.lacking, lacking.answer) == ((file.sha256,), "")
    wrong = decode_answer(node.handle(encode(Take(sha256=file.sha256, content=there.read_bytes()))))
    assert wrong == Taken(sha256=file.sha256, right=False)
    assert decode_answer(node.handle(asked)) == lacking
    content = Path(file.path).read_bytes()
    assert decode_answer(node.handle(encode(Take(sha256=file.sha256, content=content)))).right  # type: ignore[union-attr]
    told = decode_answer(node.handle(asked))
    assert isinstance(told, Told)
    assert plain(told.answer) == plain(run_job(job))
    node.close()


def test_data_that_were_changed_on_the_way_out_stop_the_life(rows: Path) -> None:
    """What is read for sending must be what was listed."""
    carrier, parcels = Threads(run_job, nodes={"a": 1}, own_copies=False), JobParcels()
    fleet = Fleet(carrier, 1, parcels=parcels)
    job = baseline(rows)
    parcels.pack(job)
    path = rows / "data" / "rows.npz"
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    import os

    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataChangedError, match="was changed while a life reads it"):
        fleet.answers([job])
    fleet.close()


@pytest.mark.slow
def test_weights_come_back_and_lie_under_their_own_digest(tmp_path: Path) -> None:
    """As a worker here would leave them: same answer, same name, same bytes."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    own = plain(run_job(full(here)))
    fleet = Fleet(Threads(run_job, nodes={"a": 1}), 1, parcels=JobParcels())
    (answer,) = fleet.answers([full(there)])
    fleet.close()
    assert plain(answer) == own
    name = f"weights/{own['weights_sha256']}.safetensors"
    assert (there / name).read_bytes() == (here / name).read_bytes()
    assert [path.name for path in (there / "weights").iterdir()] == [Path(name).name]


def answer_with(**fields: object) -> str:
    """Of a full job."""
    return json.dumps({"score": 0.5, **fields})


GOOD = b"weights"
NAME = hashlib.sha256(GOOD).hexdigest()


@pytest.mark.parametrize(
    ("answer", "files", "told"),
    [
        (answer_with(weights_sha256=NAME), {}, "which did not come with it"),
        (answer_with(cross={"sha256": NAME}), {}, "which did not come with it"),
        (answer_with(weights_sha256=NAME), {f"weights/{NAME}.safetensors": b"others"}, "not what their name says"),
        (answer_with(), {"weights/../../x.safetensors": GOOD}, "not what their name says"),
        (answer_with(), {"pictures/../x.png": GOOD}, "no name of a picture"),
        (answer_with(), {"pictures/run.sh": GOOD}, "no name of a picture"),
        (answer_with(), {"elsewhere/x.png": GOOD}, "nobody asked for"),
        (answer_with(), {"/etc/x": GOOD}, "nobody asked for"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_not_written(
    answer: str, files: dict[str, bytes], told: str, tmp_path: Path
) -> None:
    """Neither these nor the good one beside them."""
    job = full(tmp_path, pictures=str(tmp_path / "pictures"))
    good = {f"weights/{NAME}.safetensors": GOOD} if NAME not in answer else {}
    with pytest.raises(DamagedError, match=told):
        JobParcels().unpack(job, answer, {**good, **files})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_here_is_said_as_ever(tmp_path: Path) -> None:
    """As of a worker of this machine."""
    job = full(tmp_path)
    (tmp_path / "weights").write_text("a file where the folder would be")
    with pytest.raises(StorageError, match="what a worker sent cannot be written"):
        JobParcels().unpack(job, answer_with(weights_sha256=NAME), {f"weights/{NAME}.safetensors": GOOD})


@pytest.mark.slow
def test_a_node_that_sends_other_weights_than_it_names_is_given_up(tmp_path: Path) -> None:
    """Its worker ends, another one trains, and only right weights are kept."""
    lies = iter([True])

    def spoil(one: object) -> list[object]:
        changed = altered(one, files={f"weights/{NAME}.safetensors": GOOD})  # type: ignore[arg-type]
        return [changed if changed is not one and next(lies, False) else one]

    fleet = Fleet(Threads(run_job, nodes={"a": 1}, spoil=spoil), 1, parcels=JobParcels(), limits=Limits())  # type: ignore[arg-type]
    (answer,) = fleet.answers([full(tmp_path)])
    fleet.close()
    assert fleet.tally["damaged"] == 1
    assert [path.stem for path in (tmp_path / "weights").iterdir()] == [json.loads(str(answer))["weights_sha256"]]


def test_a_list_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """No file that is sent is put outside the worker's folder."""
    content = b"x"
    digest = hashlib.sha256(content).hexdigest()
    listing = Listing(files=(File(name="../../out", path="/nowhere", size=1, sha256=digest),))
    node = Node(lambda text: text, prepare=nothing)
    asked = Ask(job="{}", inputs=(Input(listing=listing.digest, keys={}, absolute=()),), listings=(listing,))
    decode_answer(node.handle(encode(asked)))
    node.handle(encode(Take(sha256=digest, content=content)))
    told = decode_answer(node.handle(encode(asked)))
    node.close()
    assert isinstance(told, Told)
    assert (told.trouble, told.answer) == ("DamagedError", "")
    assert "would lie elsewhere" in told.reason


def test_folders_of_workers_that_were_killed_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next worker on the machine; those in use stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living, killed = (Node(lambda text: text, prepare=nothing) for _ in range(2))
    killed._held._held.close()  # as the kernel does
    last = Node(lambda text: text, prepare=nothing)
    assert len([*tmp_path.iterdir()]) == 2
    living.close()
    last.close()
    assert not [*tmp_path.iterdir()]


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_are_refused(content: bytes) -> None:
    """Neither read as a question nor as an answer; nothing else is raised."""
    for decode in (decode_question, decode_answer):
        try:
            decode(content)
        except DamagedError:
            continue


@given(st.text(), st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=3))
def test_messages_come_back_as_they_were(text: str, files: dict[str, bytes]) -> None:
    """Through bytes; whatever characters a job has that can be written at all."""
    told = Told(identity="0" * 64, answer=text, files=files)
    try:
        content = encode(told)
    except UnicodeEncodeError:
        return
    assert decode_answer(content) == told


def test_jobs_without_files_bring_none() -> None:
    """What comes all the same is refused."""
    NoParcels().unpack("job", "answer", {})
    with pytest.raises(DamagedError, match="nobody asked for"):
        NoParcels().unpack("job", "answer", {"weights/x": b""})


def test_what_a_task_reads_is_found_and_moves(tmp_path: Path) -> None:
    """Pairs of files, folders and labels: laid out elsewhere they are the same task."""
    here = tmp_path / "here"
    here.mkdir()
    rng = np.random.default_rng(1)
    for part in ("TRAIN", "TEST"):
        lines = [f"{','.join(f'{value:.3f}' for value in rng.normal(size=12))}:{row % 2}" for row in range(40)]
        (here / f"Toy_{part}.ts").write_text("@classLabel true 0 1\n@data\n" + "\n".join(lines) + "\n")
    for name in ("cat", "dog"):
        (here / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 255, size=(8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(here / "images" / name / f"{number}.png")
    np.save(here / "x.npy", rng.normal(size=(60, 8, 8)))
    (here / "y").mkdir()
    np.save(here / "y" / "x.npy", np.arange(60) % 2)
    specs = [
        TaskSpec(name="toy", source="ts", path="Toy_TRAIN.ts"),
        TaskSpec(name="pets", source="folder", path="images"),
        TaskSpec(name="pair", source="npy", path="x.npy", labels="y/x.npy"),
    ]
    for spec, count in zip(specs, (2, 40, 2), strict=True):
        found = files_of(spec, base=here)
        assert len(found.files) == count
        there = tmp_path / f"there-{spec.name}"
        for name, path in found.files.items():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, there / name)
        moved = spec.model_copy(update={"path": found.path, "labels": found.labels})
        assert load_task(moved, base=there).digest == load_task(spec, base=here).digest
    assert files_of(DIGITS, base=here).files == {}
