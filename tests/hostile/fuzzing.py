"""Mutated inputs for every file format that is read, and what reading them may end in: a value or a deliberate error.

`python -m tests.hostile.fuzzing --inputs 10000` tries so many of each format, each format in a process of its own under
a ceiling of 4 GB address space, and prints time, peak memory, how many were read, and what escaped. An input that takes
longer than 20 s counts as a hang. The test suite runs a short version.
"""

from __future__ import annotations

import argparse
import functools
import io
import multiprocessing
import random
import resource
import signal
import sqlite3
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from agent.ledger.events import Recalled, RunFinished, TaskStarted
from agent.ledger.store import Ledger
from agent.stream.file import read_stream
from agent.stream.shipped import stream_path
from audits.external.exported import load_exported
from audits.verdicts.suite import load_suite
from constraints import load_set
from selfnas.data.datasets import read_arrays, read_npz
from selfnas.devices.devices import load_device
from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture
from tests.agent.made_up import blank

__all__ = ["FORMATS", "Outcome", "fuzz"]

Mutate = Callable[[random.Random], bytes]
Read = Callable[[Path], object]
_HANG_SECONDS = 20.0
_ROOT = Path(__file__).parents[2]
_ARCHITECTURE = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|"
_TOKENS = (
    b"[", b"{", b"|", b"~", b"&a ", b"*a ", b"!!python/object ", b"../../etc/passwd", b"<script>", b"\x00", b"\xff\xfe",
    b"9" * 40, b"-1", b"1e999", b".nan", b"null", b"- " * 40, b"[" * 200, b": ", b"\n  ", b"\xe2\x80\xa8",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What became of the inputs of one format.

    Attributes:
        tried: inputs.
        read: of these, those that were valid all the same.
        escaped: exceptions that are not the project's own, with the number of the input that raised each.
        hangs: inputs that took longer than `_HANG_SECONDS`.
        slowest_s: the longest that one input took.
        total_s: all of them.
    """

    tried: int = 0
    read: int = 0
    escaped: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    total_s: float = 0.0


class _Hang(BaseException):
    """An input took too long; no handler for errors of reading may take it for one."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """End what runs in it after so long, as soon as Python code runs again."""

    def ring(number: int, frame: object) -> None:
        raise _Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The bytes after one to eight cuts, copies, flips and insertions."""
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            content = content[:at] + content[at + rng.choice((1, 4, 64)) :]
        elif kind == 1:
            content = content[:at] + rng.choice(_TOKENS) + content[at:]
        elif kind == 2:
            content = content[:at] + content[max(0, at - 32) : at] + content[at:]
        elif kind == 3:
            content = content[:at] + rng.randbytes(1) + content[at + 1 :]
        else:
            content = content[:at] if rng.random() < 0.2 else content[:at] + content[at:][::-1]
    return content


def _archive(members: dict[str, bytes], rng: random.Random) -> bytes:
    """A zip whose members, names or own bytes were mutated."""
    how = rng.randrange(4)
    target = rng.choice(sorted(members))
    result = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(result, "w", rng.choice((0, 8, 12, 14))) as archive:
        warnings.simplefilter("ignore")  # names that stand twice are part of the attack
        for name, content in members.items():
            hit = name == target
            odd = rng.choice(("../x.npy", "x", "x.npy", "/etc/passwd", "<b>.npy", "y_test.npy", " "))
            archive.writestr(odd if hit and how == 1 else name, mutated(content, rng) if hit and how == 0 else content)
    return mutated(result.getvalue(), rng) if how >= 2 else result.getvalue()


def _arrays() -> dict[str, bytes]:
    members = {}
    for key, value in (("x", np.zeros((12, 6, 6), np.uint8)), ("y", np.arange(12) % 3)):
        stream = io.BytesIO()
        np.save(stream, value)
        members[f"{key}.npy"] = stream.getvalue()
    return members


def _exported() -> dict[str, bytes]:
    import torch

    stream = io.BytesIO()
    program = torch.export.export(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)), (torch.ones(2, 4),))
    torch.export.save(program, stream)
    with zipfile.ZipFile(stream) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def _ledger() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        with Ledger(path, clock=lambda: 0.0) as ledger:
            recalled = Recalled(architecture="x", digest="d", from_task="t", from_run=1, likeness=0.5)
            started = blank(TaskStarted, task="text", description={"size": 0.5}, recalled=[recalled])
            ledger.append([blank(RunFinished, tasks=1), started])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        return path.read_bytes()


def _read_ledger(path: Path) -> None:
    with Ledger(path, clock=lambda: 0.0, read_only=True) as ledger:
        list(ledger.broken_links())
        list(ledger.events())


def _weights() -> bytes:
    from safetensors.torch import save

    return save(_network().state_dict())


@functools.cache
def _task() -> SimpleNamespace:
    """What `network_with` asks of a task."""
    return SimpleNamespace(shape=TaskShape(channels=1, size=(8, 8), classes=3))


def _network() -> Any:
    from selfnas.networks.network import build_network

    return build_network(parse_architecture(_ARCHITECTURE), _task().shape, seed=0)


def _read_weights(path: Path) -> None:
    from agent.state.networks import network_with

    network_with(_task(), _ARCHITECTURE, path.read_bytes(), name=path.name)


def _stream() -> bytes:
    path = stream_path(Path("quickstart"))
    read_stream(path)  # imports what reading needs: no input is charged for it, and no alarm breaks it off
    return path.read_bytes()


def _plain(content: bytes) -> Mutate:
    return lambda rng: mutated(content, rng)


def _zipped(members: dict[str, bytes]) -> Mutate:
    return lambda rng: _archive(members, rng)


def _formats() -> dict[str, tuple[str, Callable[[], Mutate], Read]]:
    """Per format: how its files end, what makes mutants, what reads them."""
    return {
        "stream": (".yaml", lambda: _plain(_stream()), read_stream),
        "set": (".yaml", lambda: _plain((_ROOT / "constraints/sets/baseline.yaml").read_bytes()), load_set),
        "suite": (".yaml", lambda: _plain((_ROOT / "audits/suites/baseline.yaml").read_bytes()), load_suite),
        "device": (
            ".yaml",
            lambda: _plain((_ROOT / "selfnas/device_files/raspberry-pi-4.yaml").read_bytes()),
            lambda path: load_device(str(path)),
        ),
        "weights": (".safetensors", lambda: _plain(_weights()), _read_weights),
        "arrays": (".npz", lambda: _zipped(_arrays()), read_arrays),
        "npz": (".npz", lambda: _zipped(_arrays()), read_npz),
        "architecture": (
            ".txt",
            lambda: _plain(_ARCHITECTURE.encode()),
            lambda path: parse_architecture(path.read_bytes().decode("utf-8", "replace")),
        ),
        "ledger": (".db", lambda: _plain(_ledger()), _read_ledger),
        "exported": (".pt2", lambda: _zipped(_exported()), load_exported),
    }


FORMATS = tuple(_formats())


def fuzz(name: str, inputs: int, directory: Path, *, seed: int = 0, first: int = 0) -> Outcome:
    """Read so many mutants of one format, from number `first` on."""
    suffix, prepare, read = _formats()[name]
    make, outcome = prepare(), Outcome()
    for number in range(first, first + inputs):
        file = directory / f"mutant{suffix}"
        file.write_bytes(make(random.Random(f"{seed} {name} {number}")))
        start = time.perf_counter()
        try:
            with _at_most(_HANG_SECONDS):
                read(file)
            outcome.read += 1
        except SelfnasError as error:
            if not str(error):
                outcome.escaped.append(f"{number}: an error without a message")
        except _Hang:
            outcome.hangs.append(f"{number}: still read after {_HANG_SECONDS:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
            outcome.escaped.append(f"{number}: {type(error).__name__}: {str(error)[:120]}")
        taken = time.perf_counter() - start
        outcome.tried += 1
        outcome.total_s += taken
        outcome.slowest_s = max(outcome.slowest_s, taken)
    return outcome


def _told(name: str, inputs: int, seed: int, first: int) -> None:
    """Fuzz one format, print a line, and exit by whether something escaped."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    with tempfile.TemporaryDirectory() as directory:
        found = fuzz(name, inputs, Path(directory), seed=seed, first=first)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{name:>13}: {found.tried:,} in {found.total_s:.0f} s, slowest {found.slowest_s:.2f} s, {found.read:,} read,"
        f" {len(found.escaped)} escaped, {len(found.hangs)} hangs; peak memory {peak:,} MB",
        flush=True,
    )
    for line in (*found.escaped[:5], *found.hangs[:5]):
        print(f"    {line}", flush=True)
    raise SystemExit(1 if found.escaped or found.hangs else 0)


def main() -> None:
    """Print one line a format; exit 1 if anything escaped or hung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to go on with")
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    bad = False
    for name in chosen.format or FORMATS:
        arguments = (name, chosen.inputs, chosen.seed, chosen.first)
        process = multiprocessing.get_context("spawn").Process(target=_told, args=arguments)
        process.start()
        process.join()
        bad = bad or process.exitcode != 0
    raise SystemExit(bad)


if __name__ == "__main__":
    main()
