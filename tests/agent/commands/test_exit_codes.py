"""`selfnas report` and `selfnas watch` on what they cannot use: one line that says where, exit code 2, no traceback."""

import sys
from pathlib import Path

import pytest

from agent.cli import main
from agent.ledger.events import RunFinished, RunStarted
from agent.ledger.store import Ledger
from tests.agent.made_up import blank


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life without tasks, a home whose ledger is no database, and a data file that is none."""
    place = tmp_path_factory.mktemp("homes")
    for name in ("empty", "damaged"):
        (place / name).mkdir()
    with Ledger(place / "empty" / "ledger.db", clock=lambda: 0.0) as ledger:
        ledger.append([blank(RunStarted), RunFinished(tasks=0)])
    (place / "damaged" / "ledger.db").write_bytes(b"no database" * 99)
    (place / "data.npz").write_bytes(b"no archive")
    return place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "nowhere"), "nowhere/ledger.db: there is no ledger here"),
        (("report", "damaged"), "damaged/ledger.db: cannot be used as a ledger"),
        (("report", "empty", "--cold", "nowhere"), "nowhere/ledger.db: there is no ledger here"),
        (("watch", "nowhere", "digits", "data.npz"), "nowhere/ledger.db: there is no ledger here"),
        (("watch", "damaged", "digits", "data.npz"), "damaged/ledger.db: cannot be used as a ledger"),
        (("watch", "empty", "digitz", "data.npz"), "no task 'digitz' was lived here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    homes: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the command line does it."""
    monkeypatch.chdir(homes)
    monkeypatch.setattr(sys, "argv", ["selfnas", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert not (homes / "nowhere").exists()
