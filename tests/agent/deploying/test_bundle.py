"""A bundle runs with ONNX Runtime and NumPy alone, and a check finds whatever was changed in it."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.api.deploying import bundle, check
from agent.deploying.bundle import FILES, SUMS, checksums, listed
from selfnas.artefacts import runner
from selfnas.errors import InputError
from tests.agent.conftest import inside

_ALONE = """\
import runpy, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("selfnas", "agent", "audits", "constraints", "torch", "onnx", "scipy", "sklearn"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def made(place: Path, digest: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that the command wrote, in int8, of a life of its own: it records what it deploys."""
    own = shutil.copytree(place, tmp_path_factory.mktemp("bundles") / "life")
    folder = own / "few"
    words = ("--refused", "--precision", "int8", "--home", "home", "-o")
    done = inside(own, "deploy", "bundle", digest, *words, folder)
    assert done.returncode == 0, done.stderr
    assert "times the reference kernel's p50" in done.stdout
    assert "on 1 thread" in done.stdout
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """One to change."""
    return shutil.copytree(made, tmp_path / "copy")


def test_a_bundle_holds_what_is_needed_and_holds(made: Path, place: Path) -> None:
    """Every file with its checksum; facts, latency and audits are in `model.json`."""
    assert sorted(path.name for path in made.iterdir()) == sorted((*FILES, SUMS))
    facts = json.loads((made / "model.json").read_text())
    assert facts["verdict"] == "refused"
    assert facts["target"]["names"] == [str(digit) for digit in range(10)]
    assert facts["preparation"]["steps"][0]["step"] == "layout"
    assert facts["latency"]["p50"] <= facts["latency"]["p95"]
    assert (facts["latency"]["batch"], facts["latency"]["threads"]) == (1, 1)
    audited = facts["audits_of_the_artefact"]
    assert audited["examples"] > 0
    assert "skill" in {finding["audit"] for finding in audited["findings"]}
    assert "attack" in audited["left_out"]
    assert "**refused**" in (made / "card.md").read_text()
    assert json.loads((made / "certificate.json").read_text())["verdict"] == "admit"
    done = inside(place, "deploy", "check", made)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("checked 6 files and 8 examples: all hold")


def test_the_runner_needs_onnxruntime_and_numpy_alone(made: Path, tmp_path: Path) -> None:
    """Its own examples, and those of a file, are answered by name."""
    (tmp_path / "alone.py").write_text(_ALONE)
    own = json.loads((made / "examples.json").read_text())
    np.save(tmp_path / "data.npy", np.array([each["input"] for each in own]))
    wanted = [str(each["answers"]["predicted"]) for each in own]
    for data in ((), (str(tmp_path / "data.npy"),)):
        words = [sys.executable, str(tmp_path / "alone.py"), str(made / "run.py"), *data]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout.split() == wanted, done.stderr


def test_the_runner_says_answers_of_every_kind() -> None:
    """Classes, labels and numbers with units."""
    assert runner.said(1, {"kind": "classification", "names": ["a", "b"]}) == "b"
    assert runner.said([1, 0, 1], {"kind": "multilabel", "names": ["a", "b", "c"]}) == "a, c"
    assert runner.said([0], {"kind": "multilabel", "names": ["a"]}) == "none"
    told = {"kind": "regression", "names": ["price", "size"], "units": ["EUR", ""]}
    assert runner.said([1234.5, 2.0], told) == "price 1234 EUR, size 2"


def test_a_missing_number_is_null() -> None:
    """In examples and answers, of any number of axes; JSON has no other word for it."""
    assert listed(np.array([[1.0, np.nan], [np.inf, 2.0]])) == [[1.0, None], [None, 2.0]]
    assert listed(np.float32(np.nan)) is None
    assert listed(np.uint8(3)) == 3


def _resum(folder: Path) -> None:
    """Checksums that fit whatever was changed."""
    held = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    (folder / SUMS).write_text(checksums(held))


def _edit(name: str, change: Callable[[object], object]) -> Callable[[Path], None]:
    """A JSON file changed, with checksums that fit."""

    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(change(json.loads(path.read_text()))))
        _resum(folder)

    return edit


def _examples(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def changed(held: object) -> object:
        assert isinstance(held, list)
        return [change(held[0]), *held[1:]]

    return _edit("examples.json", changed)


def _logits(example: dict[str, object]) -> dict[str, object]:
    answers = example["answers"]
    assert isinstance(answers, dict)
    return {**example, "answers": {**answers, "logits": [value + 1 for value in answers["logits"]]}}


def _told(**values: object) -> Callable[[Path], None]:
    def changed(held: object) -> object:
        assert isinstance(held, dict)
        return held | values

    return _edit("model.json", changed)


def _linked(folder: Path) -> None:
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to("/etc/hostname")


def _garbage(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"\x80\x04pickle")
    _resum(folder)


CHANGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of the model": (
        lambda folder: (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0"),
        "model.onnx: has SHA-256",
    ),
    "a model that is none": (_garbage, "model.onnx: no ONNX file that ONNX Runtime runs"),
    "a card": (lambda folder: (folder / "card.md").write_text("perfect"), "card.md: has SHA-256"),
    "a card that is a link": (_linked, "card.md: is no file but a link or a folder"),
    "no certificate": (lambda folder: (folder / "certificate.json").unlink(), "certificate.json: is missing"),
    "a further file": (lambda folder: (folder / "more.so").write_text(""), "more.so: is no part of a bundle"),
    "another runner": (
        lambda folder: ((folder / "run.py").write_text("print('hello')"), _resum(folder)),
        "run.py: is not the runner of this release; it was not run",
    ),
    "a verdict": (_told(verdict="admitted"), "model.json: says otherwise than selfnas.json in model.onnx about 'ver"),
    "a size": (_told(file={"bytes": 1, "sha256": ""}), "model.json: 'file' is not the size and SHA-256"),
    "no JSON": (
        lambda folder: ((folder / "model.json").write_text("{"), _resum(folder)),
        "model.json: is no JSON",
    ),
    "a list for an object": (_edit("model.json", lambda held: []), "model.json: holds no object"),
    "an answer": (_examples(_logits), "examples.json: example 0: logits is"),
    "an answer too few": (
        _examples(lambda held: {**held, "answers": {}}), "examples.json: example 0: states answers , model.onnx gives"
    ),
    "an input of another shape": (
        _examples(lambda held: {**held, "input": [1, 2]}), "examples.json: example 0: examples that this .onnx file"
    ),
    "an input of words": (_examples(lambda held: {**held, "input": "x"}), "example 0: its input is no array"),
    "no examples": (_edit("examples.json", lambda held: []), "examples.json: holds no example"),
    "a checksum of elsewhere": (
        lambda folder: (folder / SUMS).write_text("0" * 64 + "  ../../etc/passwd\n" + (folder / SUMS).read_text()),
        "SHA256SUMS: line 1 is no checksum of a file of a bundle",
    ),
    "a checksum too few": (
        lambda folder: (folder / SUMS).write_text("".join((folder / SUMS).read_text().splitlines(keepends=True)[1:])),
        "SHA256SUMS: has no checksum of card.md",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_what_was_changed_is_found(name: str, copy: Path) -> None:
    """By a sentence that begins with the file."""
    change, said = CHANGED[name]
    change(copy)
    assert any(said in problem for problem in check(copy).problems), check(copy).problems


def test_the_command_ends_with_1_where_something_differs(copy: Path, place: Path) -> None:
    """Each problem is located by folder and file; a folder that is none is misuse."""
    (copy / "card.md").write_text("")
    done = inside(place, "deploy", "check", copy)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{copy}/card.md: has SHA-256 {hashlib.sha256(b'').hexdigest()[:12]}")
    assert "1 problem(s)" in done.stdout
    assert inside(place, "deploy", "check", copy / "nowhere").returncode == 2


def test_a_folder_of_other_things_is_never_written_into(place: Path, digest: str, copy: Path, tmp_path: Path) -> None:
    """Not even with `--force`; a bundle is replaced with it alone, and nothing goes into a home."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    with pytest.raises(InputError, match=r"holds what is no part of a bundle \(thesis.tex\)"):
        bundle(place / "home", digest, tmp_path / "mine", refused=True, force=True)
    with pytest.raises(InputError, match="holds a bundle already: choose another folder, or replace it with --force"):
        bundle(place / "home", digest, copy, refused=True)
    with pytest.raises(InputError, match="the home of a life"):
        bundle(place / "home", digest, place / "home" / "bundle", refused=True)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link or a file"):
        bundle(place / "home", digest, tmp_path / "link", refused=True)
    with pytest.raises(InputError, match="was refused by the audits"):
        bundle(place / "home", digest, copy, force=True)
