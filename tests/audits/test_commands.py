"""The audits' command line, and the networks of strangers it reads."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from audits import AuditData, load_suite
from audits.commands import app
from audits.external.exported import load_exported
from audits.external.single import data_from_file
from selfnas.errors import InputError

runner = CliRunner()


@pytest.fixture(scope="module")
def exported(healthy: nn.Module, data: AuditData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound network as torch.export writes it."""
    path = tmp_path_factory.mktemp("export") / "network.pt2"
    healthy.eval()
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    torch.export.save(torch.export.export(healthy, (data.x[:4],), dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="module")
def arrays(data: AuditData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data as a person would keep them."""
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    np.savez(path, x_train=data.x_train, y_train=data.y_train, x_test=data.x, y_test=data.y)
    return path


def test_lists_every_audit() -> None:
    """Name, role, thresholds and what it can and cannot catch."""
    result = runner.invoke(app, ["list"])
    assert result.exit_code == 0
    for entry in load_suite("baseline").entries:
        assert f"| {entry.audit} | {entry.role} |" in result.output


def test_audits_an_exported_network(exported: Path, arrays: Path, tmp_path: Path) -> None:
    """A sound one is admitted with exit code 0; card and pictures are written."""
    card = tmp_path / "card.md"
    result = runner.invoke(app, ["run", str(exported), str(arrays), "-o", str(card)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "**Verdict: admit**" in result.output
    text = card.read_text()
    for picture in ("card-attributions.png", "card-confusion.png"):
        assert picture in text
        assert (tmp_path / picture).read_bytes()[:4] == b"\x89PNG"


def test_rejects_with_exit_code_one(exported: Path, arrays: Path, data: AuditData, tmp_path: Path) -> None:
    """The same network on shuffled labels is not admitted."""
    path = tmp_path / "shuffled.npz"
    with np.load(arrays) as kept:
        parts = dict(kept)
    parts["y_test"] = np.random.default_rng(0).permutation(parts["y_test"])
    np.savez(path, **parts)
    result = runner.invoke(app, ["run", str(exported), str(path)])
    assert result.exit_code == 1
    assert "**Verdict: reject**" in result.output


def test_a_certificate_of_an_exported_network_is_checked(exported: Path, arrays: Path, tmp_path: Path) -> None:
    """At a radius so small that any network holds it, proved; at a tenth of the range this one is not."""
    file = tmp_path / "bound.json"
    for radius, code, said in (("1e-6", 0, " proved"), ("0.1", 1, "not proved")):
        asked = ["bound", str(exported), str(arrays), "-o", str(file), "--radius", radius, "--example", "3", "--force"]
        written = runner.invoke(app, asked)
        assert (written.exit_code, said in written.stdout) == (code, True), written.output
        checked = runner.invoke(app, ["check-bound", str(file)])
        assert (checked.exit_code, checked.stdout) == (code, written.stdout)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--example", "99999"], "numbered from 0, so none is 99999"),
        (["--radius", "0"], "share of the data's range above 0"),
        (["--home", "x"], "or DIGEST and --home"),
    ],
)
def test_what_cannot_be_certified_is_refused(
    exported: Path, arrays: Path, tmp_path: Path, changes: list[str], message: str
) -> None:
    """With the reason, and no file is left that says otherwise."""
    file = tmp_path / "bound.json"
    result = runner.invoke(app, ["bound", str(exported), str(arrays), "-o", str(file), *changes])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not file.exists()


def test_needs_inputs_never_seen(tmp_path: Path) -> None:
    """A file without a test part cannot show generalisation; standardising uses the training part alone."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(3.0, 2.0, (30, 1, 12)).astype(np.float32), np.arange(30) % 3
    np.savez(tmp_path / "whole.npz", x=x, y=y)
    with pytest.raises(InputError, match="need x_train, y_train, x_test, y_test"):
        data_from_file(tmp_path / "whole.npz", task="t", standardise=False)
    np.savez(tmp_path / "parts.npz", x_train=x, y_train=y, x_test=x + 1, y_test=y)
    raw, scaled = (data_from_file(tmp_path / "parts.npz", task="t", standardise=flag) for flag in (False, True))
    assert torch.equal(raw.x_train, torch.from_numpy(x))
    assert float(scaled.x_train.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(scaled.x.mean()) > 0.3


def test_exported_network_is_the_same(exported: Path, healthy: nn.Module, data: AuditData) -> None:
    """Loaded without running or unpickling anything, it computes what it computed."""
    assert torch.allclose(load_exported(exported)(data.x[:7]), healthy.eval()(data.x[:7]), atol=1e-6)


def _edit(tree: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> bytes:
    change(tree)
    return json.dumps(tree).encode()


def _operator(tree: dict[str, Any]) -> None:
    tree["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"


def _expression(tree: dict[str, Any]) -> None:
    sizes = tree["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"]
    sizes[0] = {"as_expr": {"expr_str": "__import__('os').getpid()", "hint": {"as_int": 4}}}


def _tower(tree: dict[str, Any]) -> None:
    sizes = tree["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"]
    sizes[0] = {"as_expr": {"expr_str": "Symbol('s0', integer=True) + 0*9**9**9**9", "hint": {"as_int": 4}}}


def _container(tree: dict[str, Any]) -> None:
    call = tree["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = call["in_spec"].replace("builtins.tuple", "collections.defaultdict")


def _custom(tree: dict[str, Any]) -> None:
    tree["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {"as_custom_obj": {"name": "x", "class_fqn": "y"}}


def _pickled(tree: dict[str, Any]) -> None:
    next(iter(tree["config"].values()))["use_pickle"] = True


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("models/model.json", _operator, "operator 'torch.hub.load'"),
        ("models/model.json", _expression, 'expression "__import__'),
        ("models/model.json", _tower, 'expression "Symbol'),
        ("models/model.json", _container, "container of type 'collections.defaultdict'"),
        ("models/model.json", _custom, "argument of kind 'as_custom_obj'"),
        ("data/weights/model_weights_config.json", _pickled, "pickled tensor"),
        ("data/aotinductor/model/x.so", None, "unexpected member"),
        ("data/weights/model.pt", None, "unexpected member"),
    ],
)
def test_refuses_more_than_a_plain_network(
    exported: Path, tmp_path: Path, member: str, change: Callable[[dict[str, Any]], None] | None, message: str
) -> None:
    """What torch's reader would import, evaluate, unpickle or run is refused before torch sees it."""
    path = tmp_path / "hostile.pt2"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if change and name.endswith("/" + member):
                content = _edit(json.loads(content), change)
            target.writestr(name, content)
        if change is None:
            target.writestr(f"{source.namelist()[0].split('/')[0]}/{member}", b"anything")
    with pytest.raises(InputError, match="more than a plain network") as caught:
        load_exported(path)
    assert message in str(caught.value)


def test_sample_inputs_are_never_unpickled(exported: Path, tmp_path: Path, data: AuditData) -> None:
    """They are dropped, whatever they hold."""
    path = tmp_path / "network.pt2"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"cos\nsystem\n(S'false'\ntR." if "/sample_inputs/" in name else source.read(name))
    assert load_exported(path)(data.x[:2]).shape == (2, data.classes)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: no such file"), (b"no zip", "not a .pt2 file"), (b"", "not a .pt2 file")],
)
def test_refuses_what_is_no_export(tmp_path: Path, content: bytes | None, message: str) -> None:
    """One clear message with the file."""
    path = tmp_path / "x.pt2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_exported(path)
    if content is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("x/models/model.json", "{}")
        path.write_bytes(buffer.getvalue())
        with pytest.raises(InputError, match="torch cannot load it"):
            load_exported(path)


def test_help_is_quick_and_complete() -> None:
    """Help imports neither torch nor captum, and every option says what it is for."""
    code = "import sys, audits.commands; print(sorted({'torch', 'captum', 'pytorch_lightning'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        result = runner.invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert (command.callback.__doc__ or "").splitlines()[0][:30] in result.output
