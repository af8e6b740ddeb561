"""`motifs export --format onnx`: checked before it is written, with the same facts beside it, in int8 too."""

import json
from pathlib import Path

import pytest

from agent.api.life import open_life
from agent.deploying import programs
from selfnas.artefacts.onnx_program import OPSET, OnnxProgram
from selfnas.errors import InputError
from selfnas.training.exported import ExportError
from tests.agent.conftest import inside


def test_the_command_writes_a_checked_file_and_its_facts(place: Path, digest: str, tmp_path: Path) -> None:
    """What a `.pt2` file says of itself, and opset, precision, agreement and checksum besides."""
    words = ("--refused", "--home", "home", "--format", "onnx", "-o")
    done = inside(place, "motifs", "export", digest, *words, tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    assert "onnxruntime.InferenceSession reads it" in done.stdout
    assert "0 otherwise than by the network; no output further off than" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.refused.json", "net.refused.onnx"]
    program = OnnxProgram.read((tmp_path / "net.refused.onnx").read_bytes())
    beside = json.loads((tmp_path / "net.refused.json").read_text())
    assert beside.pop("file")["bytes"] == (tmp_path / "net.refused.onnx").stat().st_size
    assert program.facts == beside
    assert (beside["artefact"]["opset"], beside["artefact"]["precision"]) == (OPSET, "float32")
    assert beside["artefact"]["batches"] == [1, 3, 17]
    assert beside["checked"]["count"] == beside["checked"]["of"] > 0
    assert beside["checked"]["furthest"] <= programs.AGREEMENT
    pt2 = open_life(place / "home").export(digest, tmp_path / "net2.pt2", refused=True)
    assert {*pt2.facts} < {*beside, "file"}
    told = {name: beside[name] for name in ("verdict", "reasons", "target", "outputs", "digest", "test")}
    assert told == {name: pt2.facts[name] for name in told}


def test_int8_says_what_it_costs(place: Path, digest: str, tmp_path: Path) -> None:
    """Accuracy of both on the test split with the paired difference, bytes of both, and what stays in float32."""
    made = open_life(place / "home").export(digest, tmp_path / "net.onnx", refused=True, form="onnx", precision="int8")
    artefact = json.loads(made.beside.read_text())["artefact"]
    assert artefact["precision"] == "int8"
    assert artefact["calibration"]["split"] == "train"
    assert artefact["left_in_float32"] == []
    against = artefact["against_float32"]
    assert against["low"] <= against["int8"] - against["float32"] <= against["high"]
    assert against["difference"] == pytest.approx(against["int8"] - against["float32"])
    assert set(artefact["bytes"]) == {"float32", "int8"}
    assert "paired difference of accuracy" in made.signature


def test_a_file_that_answers_otherwise_is_not_written(
    place: Path, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says how far off it is."""
    monkeypatch.setattr(programs, "AGREEMENT", -1.0)
    with pytest.raises(ExportError, match=r"not written, for an output of the ONNX file is .* off the network's"):
        open_life(place / "home").export(digest, tmp_path / "net.onnx", refused=True, form="onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "said"), [
    (("--format", "tflite", "-o", "a.tflite"), "format 'tflite': there are pt2 and onnx"),
    (("--format", "onnx", "-o", "a.pt2"), "a.refused.pt2: what is written here ends in .onnx"),
    (("--precision", "int8", "-o", "a.pt2"), "precision int8 is of ONNX files: --format onnx"),
    (("--format", "onnx", "--precision", "int4", "-o", "a.onnx"), "precision 'int4': there are float32 and int8"),
    (("--format", "onnx", "--bare", "-o", "a.onnx"), "--bare writes a .pt2 file: leave --format away"),
])  # fmt: skip
def test_what_there_is_not_is_refused(words: tuple[str, ...], said: str, place: Path, digest: str) -> None:
    """Before anything is read or written."""
    done = inside(place, "motifs", "export", digest, "--refused", "--home", "home", *words)
    assert (done.returncode, done.stderr.strip()) == (2, said)


def test_nothing_lies_there_yet(place: Path, digest: str, tmp_path: Path) -> None:
    """A second export needs `--force`."""
    (tmp_path / "net.refused.json").write_text("mine")
    with pytest.raises(InputError, match="replace it with --force"):
        open_life(place / "home").export(digest, tmp_path / "net.onnx", refused=True, form="onnx")
