"""Everything a person can get wrong: one clear message with its place, exit code 2, nothing half written."""

from pathlib import Path

import numpy as np
import pytest

from tests.agent.conftest import TINY, Run

# A replacement in the tiny stream, and what the message must say.
SLIPS = {
    "unknown key": ("stream: tiny", "streem: tiny", "bad.yaml:1:1: unknown key 'streem'; did you mean 'stream'?"),
    "wrong type": ("batch: 2", "batch: two", "bad.yaml:10:36: batch: need a whole number, not 'two'"),
    "impossible value": ("oversample: 2", "oversample: 0", "oversample: need at least 1"),
    "budget 0": (
        "evaluations: 4",
        "evaluations: 0",
        "bad.yaml:6:10: evaluations: need at least",
    ),
    "unknown source": (
        "source: digits, limit: 900}",
        "source: digitz}",
        "bad.yaml:12:19: source: unknown 'digitz'; did you mean 'digits'?",
    ),
    "unknown format": ("format: 1", "format: 9", "bad.yaml:2:1: format: need 1, not 9"),
    "unknown set": ("format: 1", "format: 1\nconstraints: basline", "unknown constraint set 'basline'; did you mean"),
    "missing set file": ("format: 1", "format: 1\nconstraints: my/set.yaml", "cannot be read: no such file"),
    "unknown suite": ("format: 1", "format: 1\naudits: basline", "unknown audit suite 'basline'; did you mean"),
    "unknown space": ("space: nb201", "space: nb202", "unknown space 'nb202'; did you mean 'nb201'?"),
    "unknown strategy": ("{population", "{strategy: evo, population", "unknown strategy 'evo'"),
    "missing data file": ("source: digits, limit: 900}", "source: npz, path: none.npz}", "none.npz"),
    "unreadable data": ("source: digits, limit: 900}", "source: npz, path: garbage.npz}", "garbage.npz"),
    "one class": ("source: digits, limit: 900}", "source: npz, path: one.npz}", "one class"),
    "class missing": ("source: digits, limit: 900}", "source: npz, path: gap.npz}", "missing from the test part"),
    "same name": ("name: again", "name: first", "task name 'first' is used twice"),
    "path in a name": ("name: again", "name: ../up", "a task's name has 1 to 64 letters"),
    "nuisance outside": (
        "[{rotate: 180}]",
        "[{nuisance: {name: n, region: [[0, 3], [6, 20]], correlation: 0.5}}]",
        "nuisance",
    ),
}


@pytest.fixture
def data(tmp_path: Path) -> None:
    """Data files with something wrong."""
    x = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    (tmp_path / "garbage.npz").write_bytes(b"PK\x03\x04 not really")
    np.savez(tmp_path / "one.npz", x=x, y=np.zeros(40, dtype=np.int64))
    y = np.arange(40) % 2
    np.savez(tmp_path / "gap.npz", x_train=x, y_train=y, x_test=x[:9], y_test=np.zeros(9, dtype=np.int64))


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_each_slip_in_a_stream_file_has_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slip is an InputError with the message, before anything runs."""
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    monkeypatch.chdir(tmp_path)
    for name, (old, new, message) in SLIPS.items():
        assert old in TINY
        Path("bad.yaml").write_text(TINY.replace(old, new, 1))
        with pytest.raises(InputError) as caught:
            prepare(read_stream(Path("bad.yaml")))
        assert message in str(caught.value), name
        assert str(caught.value).startswith(("bad.yaml:", str(tmp_path))), name


NOTHING = """\
set: nothing
language: 1
spaces: [nb201]
rules:
  - {id: small, scope: network, require: "params <= 12_000 @param", why: w, message: too large}
  - id: wide
    scope: cell
    require: "count(edge(op: conv3x3)) >= 5"
    why: w
    message: too few convolutions
  - {id: other, scope: cell, require: "exists path(input, output)", why: w, message: no path}
"""


def test_a_set_that_admits_nothing_stops_before_training(tmp_path: Path, stream: Path) -> None:
    """The rules that clash are named, and only those."""
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    (tmp_path / "nothing.yaml").write_text(NOTHING)
    document = read_stream(stream, overrides=["constraints=nothing.yaml"])
    with pytest.raises(InputError, match=r"admits nothing .* these rules clash: small, wide") as caught:
        prepare(document)
    assert "other" not in str(caught.value).split("clash")[1]


@pytest.mark.slow
def test_misuse_exits_2_with_one_message_and_writes_nothing(selfnas: Run, stream: Path, tmp_path: Path) -> None:
    """A bad option, a bad override, a missing file and an unusable home each end alike."""
    (tmp_path / "a-file").write_text("")
    cases = [
        (["run", stream, "--set", "budget.evaluations=0"], "--set budget.evaluations=0: evaluations: need at least"),
        (["run", "none.yaml"], "none.yaml: cannot be read: no such file or directory"),
        (["run", stream, "--home", "a-file"], "--home a-file: cannot be used"),
        (["run", stream, "--device", "warp"], "--device warp: cannot be used here"),
        (["run", stream, "--workers", "0"], "greater than or equal to 1"),
        (["verify", "--home", "nowhere"], "there is no ledger here"),
        (["rum"], "No such command"),
    ]
    for arguments, message in cases:
        done = selfnas(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert message in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert not (tmp_path / ".selfnas" / "ledger.db").exists()


@pytest.mark.slow
def test_another_stream_cannot_finish_a_cut_off_run(tmp_path: Path, stream: Path) -> None:
    """The unfinished run keeps its files; the message says what to do."""
    from agent.ledger.home import Home
    from agent.ledger.store import Ledger
    from agent.life.life import Life
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    def life(ledger: Ledger, *overrides: str) -> Life:
        prepared = prepare(read_stream(stream, overrides=overrides))
        home = Home(tmp_path)
        return Life(ledger, prepared, workers=None, home=home, device="cpu", observer=None)  # type: ignore[arg-type]

    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        life(ledger)._begin()
        life(ledger).check_resumable()
        with pytest.raises(InputError, match="its stream was another"):
            life(ledger, "seed=7").check_resumable()


def test_help_needs_under_a_second_and_names_every_command(selfnas: Run) -> None:
    """`--help` imports nothing heavy; every command's help exists."""
    import sys

    done = selfnas("--help")
    assert done.returncode == 0
    for command in ("run", "status", "verify", "mirror", "ui", "motifs", "constraints", "audits"):
        assert command in done.stdout
        assert selfnas(command, "--help").returncode == 0
    probe = "import sys, agent.cli; print([m for m in ('torch','z3','mlflow','captum','numpy') if m in sys.modules])"
    import subprocess

    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_a_gate_that_was_never_shown_to_catch_anything_stops_the_run(tmp_path: Path, stream: Path) -> None:
    """An edited suite has no calibration of its own: refused before training, with the command that makes one."""
    import audits
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    text = (Path(audits.__file__).parent / "suites" / "baseline.yaml").read_text()
    assert "gap: 0.3}" in text
    (tmp_path / "edited.yaml").write_text(text.replace("gap: 0.3}", "gap: 0.9}"))
    document = read_stream(stream, overrides=["audits=./edited.yaml"])
    with pytest.raises(InputError, match="selfnas audits calibrate"):
        prepare(document)
    plant = "plants:\n  - {task: first, nuisances: [{name: far, region: [[0, 2], [7, 9]]}]}\n"
    (tmp_path / "edited.yaml").write_text(text + plant)
    with pytest.raises(InputError, match=r"edited\.yaml:\d+:6: plants of task 'first': nuisance 'far': region"):
        prepare(document)


def test_a_plant_for_a_task_that_is_not_there_is_refused(tmp_path: Path, stream: Path) -> None:
    """A misspelt name would leave the gates nothing to test; suites shared among streams say that it is meant."""
    import audits
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from audits import AuditData, load_suite
    from audits.contract.plants import unplanted, with_plants
    from selfnas.data.tasks import TaskSpec, load_task
    from selfnas.errors import InputError

    text = (Path(audits.__file__).parent / "suites" / "baseline.yaml").read_text()
    plant = "plants:\n  - {task: frist, nuisances: [{name: rim, region: [[0, 2], [0, 2]]}]}\n"
    (tmp_path / "edited.yaml").write_text(text + plant)
    document = read_stream(stream, overrides=["audits=./edited.yaml"])
    with pytest.raises(InputError, match=r"edited\.yaml:\d+:6: plants of task 'frist', .*; did you mean 'first'\?"):
        prepare(document)
    (tmp_path / "edited.yaml").write_text(text + plant.replace("frist,", "frist, optional: true,"))
    assert not unplanted(load_suite(tmp_path / "edited.yaml").plants, {"first", "again"})
    successor = TaskSpec(name="first-drift1", source="digits", limit=900, succeeds="frist")
    planted = with_plants(
        AuditData.of(load_task(successor, base=tmp_path)), load_suite(tmp_path / "edited.yaml").plants
    )
    assert [nuisance.name for nuisance in planted.nuisances] == ["rim"]


def test_a_set_without_rules_for_architectures_is_refused(stream: Path) -> None:
    """It would admit everything."""
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    with pytest.raises(InputError, match=r"tiny\.yaml:1:1: set 'policy' has no rules of scope cell or network"):
        prepare(read_stream(stream, overrides=["constraints=policy"]))


def test_a_set_none_of_whose_rules_applies_stops_before_training(tmp_path: Path, stream: Path) -> None:
    """It would let everything in, which nobody who names a set means."""
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from selfnas.errors import InputError

    (tmp_path / "idle.yaml").write_text(
        "set: idle\nlanguage: 1\nspaces: [nb201]\nrules:\n"
        "  - {id: r, scope: cell, when: classes == 99, require: depth <= 0, why: x, message: x}\n"
    )
    document = read_stream(stream, overrides=["constraints=idle.yaml"])
    with pytest.raises(InputError, match=r"no rule of constraint set 'idle' applies to task .* in space 'nb201'"):
        prepare(document)
