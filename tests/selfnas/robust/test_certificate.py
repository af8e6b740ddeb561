"""Certificates that NumPy alone checks, and that bounds by another implementation are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from selfnas.networks.network import Network, build_network
from selfnas.robust import checking
from selfnas.robust.bounds import UnboundedOperationError
from selfnas.robust.certificate import write_certificate
from selfnas.robust.checking import check_bound
from selfnas.robust.region import Region
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.macro import HEADS
from selfnas.spaces.named import SPACES
from selfnas.spaces.operations import OPERATIONS, UNPROVED

_TABLES = ("linear", "mlp", "gated")
_PROVED = tuple(each for name, each in OPERATIONS.items() if name not in {*UNPROVED, *_TABLES})
_SPACE = Space(name="proved", templates=(replace(SPACES["nb201"].templates[0], operations=_PROVED),))


def _network(number: int) -> tuple[Network, torch.Tensor]:
    """A random cell on series or images, its norms moved, and an input."""
    draw, size = np.random.default_rng(number), ((21,), (7, 8))[number % 2]
    heads = [name for name in HEADS if name != "attention"]
    macro = Macro(channels=4, depth=1, resolution=16, head=heads[number % 3], stages=1 + number % 3)
    space = SPACES["darts"] if number % 6 == 5 else _SPACE
    macro = replace(macro, stages=3) if space.name == "darts" else macro
    network = build_network(
        space.decode(space.draw(draw, 1)[0], macro=macro), TaskShape(channels=2, size=size, classes=3), seed=number
    )
    network(torch.randn(16, 2, *size, generator=torch.Generator().manual_seed(number)))
    return network.eval(), torch.randn(2, *size, generator=torch.Generator().manual_seed(number + 1))


@pytest.mark.parametrize("number", range(36))
def test_margins_of_random_cells_are_those_of_numpy(number: int, tmp_path: Path) -> None:
    """Two implementations that share no code agree to a millionth, on every kind of operation that has a rule."""
    network, x = _network(number)
    region = Region(radius=0.002, low=(-3.0, -3.0), high=(3.0, 3.0))
    with torch.no_grad():
        answer = int(network(x[None]).argmax(1))
    proved = write_certificate(network, x, answer, region, tmp_path / "one.json")
    found = check_bound(tmp_path / "one.json")
    assert found.problems == ()
    assert found.proved == proved


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of a small network that is sure of its answer."""
    network, x = _network(2)
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([0.0, 50.0, 0.0]))
    region = Region(radius=0.001, low=(-3.0, -3.0), high=(3.0, 3.0))
    assert write_certificate(network, x, 1, region, tmp_path / "one.json")
    return tmp_path / "one.json"


def test_a_certificate_is_checked_without_the_project(certificate: Path, tmp_path: Path) -> None:
    """A copy of one file, NumPy and nothing else; it says so when PyTorch or the project cannot be imported."""
    script = tmp_path / "alone" / "checking.py"
    script.parent.mkdir()
    script.write_text(Path(checking.__file__).read_text(encoding="utf-8"))
    code = "import runpy, sys; sys.modules.update(torch=None, selfnas=None); sys.argv = sys.argv[1:]; " \
        "runpy.run_path(sys.argv[0], run_name='__main__')"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, str(script), str(certificate)],
        capture_output=True, text=True, cwd=script.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "class 1 proved" in done.stdout


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("radius", 0.4, "margins are not those"),
        ("class", 0, "which is not so"),
        ("arrays_sha256", "0" * 64, "not the file"),
        ("margins", [9.0, 0.0, 9.0], "margins are not those"),
    ],
)
def test_what_was_changed_is_not_proved(certificate: Path, key: str, value: object, said: str) -> None:
    """Whatever is claimed is found out again."""
    record = json.loads(certificate.read_text())
    certificate.write_text(json.dumps({**record, key: value}))
    found = check_bound(certificate)
    assert not found.proved
    assert any(said in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "format 'other'"),
        ({"radius": 0}, "radius lies above 0"),
        ({"steps": [{"op": "attention", "in": ["x"], "out": "v0"}, {"op": "linear", "in": ["v0"]}]}, "attention"),
        ({"arrays": "missing.npz"}, "missing.npz"),
    ],
)
def test_what_is_no_certificate_is_refused(certificate: Path, change: dict[str, object], said: str) -> None:
    """With the reason, and nothing is called proved."""
    certificate.write_text(json.dumps({**json.loads(certificate.read_text()), **change}))
    with pytest.raises(ValueError, match=said):
        check_bound(certificate)


def test_steps_that_cannot_be_checked_are_named(tmp_path: Path) -> None:
    """A head that weighs positions by softmax."""
    architecture = SPACES["nb201"].decode(
        np.ones(6, dtype=np.int8), macro=Macro(channels=4, depth=1, resolution=16, head="attention")
    )
    network = build_network(architecture, TaskShape(channels=2, size=(8, 8), classes=3), seed=0).eval()
    region = Region(radius=0.01, low=(-3.0, -3.0), high=(3.0, 3.0))
    with pytest.raises(UnboundedOperationError, match="softmax"):
        write_certificate(network, torch.zeros(2, 8, 8), 0, region, tmp_path / "one.json")
