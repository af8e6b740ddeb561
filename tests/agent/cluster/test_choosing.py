"""Which executor a name means; without the extra `ray`, and where no cluster is, that is said in one sentence."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cluster.choosing import executor_named
from agent.cluster.ray_carrier import _check_reachable
from agent.workers.pool import Workers
from selfnas.errors import InputError

# A process in which nobody finds Ray, as after `pip install selfnas` alone.
WITHOUT = """\
import sys
sys.modules["ray"] = None
from agent.cli import main
main()
"""
STREAM = """\
stream: small
format: 1
budget: {evaluations: 4, full_trainings: 2}
policy: {population: 3, sample: 2, batch: 2, recall: 1}
tasks:
  - {name: one, source: table, dataset: a}
"""


def test_local_means_processes() -> None:
    """As many as are asked for."""
    executor = executor_named("local", workers=3)
    assert isinstance(executor, Workers)
    assert executor.capacity == 3
    executor.close()


@pytest.mark.parametrize("name", ["", "Ray", "dask", "ray:", "ray//x", "local:3"])
def test_other_names_are_refused(name: str) -> None:
    """With those that there are."""
    with pytest.raises(InputError, match="an executor is local, ray, or ray:HOST:PORT"):
        executor_named(name, workers=1)


@pytest.mark.parametrize("address", ["nowhere", "host:", ":6379", "host:port"])
def test_an_address_is_host_and_port(address: str) -> None:
    """Before anything is tried."""
    with pytest.raises(InputError, match="an address is HOST:PORT"):
        _check_reachable(address)


def test_where_no_cluster_answers_that_is_said_at_once() -> None:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(InputError, match=f"executor ray:127.0.0.1:{port}: no Ray cluster answers there"):
        _check_reachable(f"127.0.0.1:{port}")


def ended(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command without Ray."""
    command = [sys.executable, "-c", WITHOUT, *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    """Exit code 2, nothing written, no traceback."""
    (tmp_path / "small.yaml").write_text(STREAM)
    live = ("run", "small.yaml", "--home", "home", "--workers", "1", "--no-mirror", "--device", "cpu")
    done = ended(tmp_path, *live, "--executor", "ray")
    assert done.returncode == 2, done.stderr[-500:]
    assert "the executor ray needs Ray: pip install 'selfnas[ray]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()
