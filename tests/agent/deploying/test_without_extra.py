"""Without the extra `onnx` each command that needs it says so, and all others work."""

import subprocess
import sys
from pathlib import Path

import pytest

# A process in which nobody finds these libraries, as after `pip install selfnas` alone.
WITHOUT = """\
import sys
from importlib import metadata
GONE = ("onnx", "onnxruntime", "onnxscript", "onnx_ir")
sys.modules.update(dict.fromkeys(GONE))
known = metadata.version
def version(name):
    if name in GONE:
        raise metadata.PackageNotFoundError(name)
    return known(name)
metadata.version = version
from agent.cli import main
main()
"""
SPEC = """\
design: small
format: 1
task: {name: digits, source: digits}
space: nb201
targets: {accuracy: ">= 0.5 @audit", file: "<= 300 kB"}
"""


def ended(place: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command there."""
    command = [sys.executable, "-c", WITHOUT, *map(str, words)]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)


def test_what_needs_the_extra_says_how_to_get_it(place: Path, digest: str, tmp_path: Path) -> None:
    """One sentence, nothing written, no traceback."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "bundle").mkdir()
    home = ("--home", place / "home")
    for words in (
        ("deploy", "bundle", digest, "--refused", *home, "-o", "made"),
        ("motifs", "export", digest, "--refused", "--format", "onnx", *home, "-o", "made.refused.onnx"),
        ("serve", "--folder", "designs", "--port", "8197"),
        ("design", "spec.yaml"),
    ):
        done = ended(tmp_path, *words)
        assert done.returncode == 2, (words, done.stderr[-500:])
        assert "pip install 'selfnas[onnx]'" in " ".join(done.stderr.split()), words
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "designs").exists()


@pytest.mark.parametrize("words", [("serve", "--help"), ("deploy", "--help"), ("motifs", "list", "--home", "home")])
def test_what_does_not_need_it_works(place: Path, words: tuple[str, ...]) -> None:
    """Help, and the library."""
    done = ended(place, *words)
    assert done.returncode == 0, done.stderr[-500:]
