"""What is wrong with a specification is said before anything is trained or made, with its place."""

from pathlib import Path

import numpy as np
import pytest

from selfnas.artefacts import libraries
from selfnas.errors import InputError
from tests.agent.conftest import inside

TARGETS = 'targets: {accuracy: ">= 0.5 @audit"}\n'
DIGITS = "task: {name: digits, source: digits}\n"


@pytest.mark.parametrize(("text", "said"), [
    (TARGETS, "without a task it needs space, macro, shape"),
    (DIGITS + "shape: 1x9x9/10\n" + TARGETS, "4:1: the data of task 'digits' have shape 1x8x8/10"),
    (DIGITS + "macro: [c4n1r8, c8n2r8]\n" + TARGETS, "4:1: a search chooses each setting by itself, so these ways"),
    (DIGITS + "target: onnxruntime-gpu\n" + TARGETS, "4:1: target: unknown 'onnxruntime-gpu'"),
    (DIGITS + "space: tabular\n" + TARGETS, "4:1: space tabular is for tables, and task 'digits' has"),
    ("task: {name: t, source: table, dataset: a}\nspace: nb201\n" + TARGETS, "a table gives no network"),
    ("task: {name: mine, source: npz, path: mine.npz}\n" + TARGETS, "mine.npz"),
    ("task: {name: mine, source: csv, path: mine.csv, target: {kind: regression, columns: [b]}}\n" + TARGETS,
     "accuracy is of classes, and the task is regression"),
    (DIGITS + 'targets: {file: "<= 300 ms"}\n', "4:11: file: 'ms' does not fit"),
])  # fmt: skip
def test_a_specification_that_does_not_fit_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """Exit code 2, a sentence with its place, and no folder."""
    (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04 this is no archive")
    rows = np.random.default_rng(0).normal(size=(200, 2))
    (tmp_path / "mine.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows))
    (tmp_path / "a.yaml").write_text(f"design: a\nformat: 1\n{text}")
    done = inside(tmp_path, "design", "a.yaml", "--workers", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_target_whose_runtime_is_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before training, not after it."""

    def missing() -> None:
        raise InputError("ONNX files need onnxruntime: pip install 'selfnas[onnx]'")

    monkeypatch.setattr(libraries, "versions", missing)
    (tmp_path / "a.yaml").write_text(f"design: a\nformat: 1\n{DIGITS}{TARGETS}")
    done = inside(tmp_path, "design", "a.yaml")
    assert (done.returncode, "pip install 'selfnas[onnx]'" in done.stderr) == (2, True)
    assert not (tmp_path / "a").exists()


def test_a_time_that_no_network_is_predicted_to_keep_is_named(tmp_path: Path) -> None:
    """Exit code 1, without training; it says that this is predicted."""
    text = f"design: a\nformat: 1\n{DIGITS}space: nb201\nmacro: c4n1r8\nprecision: float32\n"
    (tmp_path / "a.yaml").write_text(text + 'targets: {latency_p95: "<= 0.01 us", parameters: "<= 30 k"}\n')
    done = inside(tmp_path, "design", "a.yaml")
    assert done.returncode == 1
    assert "by prediction no architecture of nb201 keeps latency_p95 <= 0.01 us; without it some would" in done.stdout
    assert "a: predicted to be impossible; --anyway searches all the same" in done.stdout
    assert not (tmp_path / "a").exists()


def test_targets_that_contradict_each_other_are_named_with_a_task_too(tmp_path: Path) -> None:
    """By the shape of its data; nothing is written."""
    text = f"design: a\nformat: 1\n{DIGITS}space: nb201\nmacro: c4n1r8\n"
    (tmp_path / "a.yaml").write_text(text + 'targets: {parameters: ">= 20 k", macs: "<= 0.1 M", accuracy: ">= 0.9"}\n')
    done = inside(tmp_path, "design", "a.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "c4n1r8: no architecture of nb201 keeps parameters >= 20 k and macs <= 0.1 M; without any one of these some "
        "would",
        "a: impossible, before anything is trained",
    ]
    assert not (tmp_path / "a").exists()
