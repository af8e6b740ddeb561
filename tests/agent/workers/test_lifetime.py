"""No process of ours outlives the one that started it, however that one ended."""

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A pool as `selfnas run` has one, and one as the benches have: each worker says who it is, then works on without end.
RUN = """
import os, signal, time
from agent.workers import process as worker
from agent.workers.pool import Workers
if __name__ == "__main__":
    worker.HEAVY = ()
    with Workers(2) as workers:
        workers.warm_up()
        workers.answers([""] * 4)
        print(*workers._pool._processes, flush=True)
        time.sleep(600)
"""
BENCH = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from agent.workers.lifetime import follow_parent
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=follow_parent) as pool:
        list(pool.map(abs, range(20)))
        print(*pool._processes, flush=True)
        for _ in range(2):
            pool.submit(sum, range(10**12))
        time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    """Whether such a process runs; one that ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize(("program", "how"), [(RUN, signal.SIGKILL), (BENCH, signal.SIGTERM)], ids=["run", "bench"])
def test_workers_end_with_their_parent(program: str, how: signal.Signals, tmp_path: object) -> None:
    """Killed or terminated alone, not as a group: within seconds no worker is left, busy or idle."""
    script = os.path.join(str(tmp_path), "parent.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(program)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(is_alive, workers))
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(map(is_alive, workers)):
        time.sleep(0.05)
    left = [pid for pid in workers if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


LATE = """
import multiprocessing, os, time
from agent.workers.lifetime import follow_parent
def late():
    time.sleep(3)
    follow_parent()
    sum(range(10**12))  # no other thread of the process runs meanwhile
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=late)
    child.start()
    print(child.pid, flush=True)
    time.sleep(1)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_worker_whose_parent_ended_before_it_could_ask_ends(tmp_path: Path) -> None:
    """A parent that is gone when its worker begins to follow it is noticed, though the kernel no longer tells."""
    script = tmp_path / "parent.py"
    script.write_text(LATE, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and is_alive(worker):
        time.sleep(0.05)
    left = is_alive(worker)
    if left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def followers(tree: ast.Module) -> set[str]:
    """Functions of a module that call `follow_parent`, and itself."""
    found = {"follow_parent"}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            called = {
                inner.func.id
                for inner in ast.walk(node)
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
            }
            found |= {node.name} if "follow_parent" in called else set()
    return found


def test_every_pool_of_ours_follows_its_parent() -> None:
    """Each begins its workers by a function that does; so do those of every bench, experiment and stress test."""
    pools = set()
    follow = followers(ast.parse(Path("agent/workers/process.py").read_text(encoding="utf-8")))
    for path in (path for folder in ("agent", "experiments", "tests/stress") for path in Path(folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ProcessPoolExecutor":
                pools.add(path.as_posix())
                [given] = [keyword.value for keyword in node.keywords if keyword.arg == "initializer"]
                name = (
                    given.attr if isinstance(given, ast.Attribute) else given.id if isinstance(given, ast.Name) else ""
                )
                assert name in (follow if isinstance(given, ast.Attribute) else followers(tree)), path
    assert pools >= {"agent/workers/grid.py", "agent/workers/pool.py"}
