"""Workers on Ray: where it is installed, a cluster of this machine keeps what every executor promises."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from agent.cluster.choosing import executor_named
from agent.cluster.fleet import Fleet
from agent.cluster.parcels import JobParcels, NoParcels
from agent.cluster.ray_carrier import RayCarrier, library
from agent.testing import check_executor, practise
from agent.workers.jobs import BaselineJob
from agent.workers.process import run_job
from selfnas.data.tasks import TaskSpec, load_task
from tests.agent.cluster.plain import nothing
from tests.agent.cluster.test_parcels import plain

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
LISTENING = "0A"  # a state in /proc/net/tcp


@pytest.fixture(scope="module")
def ray() -> Iterator[object]:
    """A cluster of this machine, of two processors, which the tests of this module share."""
    found = library(local=True)
    starter = RayCarrier(found, work=practise, prepare=nothing, count=2)
    yield found
    starter.close()


def test_a_cluster_keeps_every_promise_of_an_executor(ray: object, tmp_path: Path) -> None:
    """With processes that really die."""
    carrier = RayCarrier(ray, work=practise, prepare=nothing)  # type: ignore[arg-type]
    check_executor(Fleet(carrier, 2, parcels=NoParcels()), tmp_path)


def test_only_this_machine_hears_it(ray: object) -> None:
    """Every port that processes of the cluster listen on is of 127.0.0.1."""
    own = descendants(os.getpid())
    assert len(own) > 4
    sockets = {inode for pid in own for inode in sockets_of(pid)}
    heard = [address for address, inode in listening() if inode in sockets]
    assert heard
    assert set(heard) <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def descendants(root: int) -> set[int]:
    """A process, and all that it started, through however many others."""
    parents: dict[int, int] = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def sockets_of(pid: int) -> set[str]:
    """Inodes of a process's sockets."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            if link.startswith("socket:["):
                found.add(link[8:-1])
    except OSError:
        return found
    return found


def listening() -> Iterator[tuple[str, str]]:
    """Addresses that somebody listens on, with inodes."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENING:
                yield words[1].partition(":")[0], words[9]


def test_data_are_sent_to_actors_that_lack_them(ray: object, tmp_path: Path) -> None:
    """And the answer is that of this process."""
    spec = TaskSpec(name="rows", source="npz", path="rows.npz", kind="table")
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(60, 3)), y=np.arange(60) % 2)
    digest = load_task(spec, base=tmp_path).digest
    job = BaselineJob(task=spec, task_digest=digest, base=str(tmp_path), device="cpu", seed=1, name="nearest")
    text = job.model_dump_json(exclude_none=True)
    carrier = RayCarrier(ray, work=run_job, prepare=nothing, own_copies=False)  # type: ignore[arg-type]
    with closing(Fleet(carrier, 1, parcels=JobParcels())) as fleet:
        (answer,) = fleet.answers([text])
        assert plain(answer) == plain(run_job(text))
        assert fleet.tally["files"] == 1


def test_a_worker_killed_from_outside_is_replaced(ray: object, tmp_path: Path) -> None:
    """Its process is killed while it has nothing to do; the next question is answered."""
    carrier = RayCarrier(ray, work=practise, prepare=nothing)  # type: ignore[arg-type]
    with closing(Fleet(carrier, 1, parcels=NoParcels())) as fleet:
        assert fleet.answers([""]) == ("",)
        (pid,) = fleet.processes
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        assert fleet.answers([""]) == ("",)
        assert fleet.processes != (pid,)


def test_the_executor_of_the_name_is_a_trusted_cluster(ray: object) -> None:
    """`ray` in a program that is connected uses that cluster; its node trains the canary as this machine does."""
    with closing(executor_named("ray", workers=1)) as executor:
        assert executor.capacity == 1
        assert executor.answers([""]) == ("",)


OPEN = """\
import sys
import ray
from agent.cluster.choosing import executor_named
from selfnas.errors import InputError
if __name__ == "__main__":
    try:
        executor_named("ray", workers=1)
    except InputError as error:
        print(error, ray.is_initialized())
"""


def test_ray_that_would_hear_other_machines_is_not_started(tmp_path: Path) -> None:
    """Where a program imported it first, it can no longer be told: that is said, and nothing goes on listening."""
    script = tmp_path / "open.py"
    script.write_text(OPEN)
    told = {name: worth for name, worth in os.environ.items() if not name.startswith("RAY_")}
    environment = told | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert "to listen on this machine alone" in done.stdout, done.stderr[-800:]
    assert done.stdout.rstrip().endswith("False")
