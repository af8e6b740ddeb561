"""Every option that names a file to write: nothing is replaced unless told, whatever the command.

What `motifs export` promises beyond this is in `tests/agent/life/test_refused_life.py`.
"""

from pathlib import Path

import pytest

from tests.agent.conftest import inside

BAD = "nb201/c8n1r16:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

# The file is said last; where one is said before, it is new.
COMMANDS = {
    "bench search": ("cell.png", "bench", "search", "--quick", "--plot"),
    "bench lifelong": ("cell.png", "bench", "lifelong", "--orders", "1", "--plot"),
    "front": ("cell.png", "front", "one", "--plot"),
    "constraints check": ("cell.png", "constraints", "check", "baseline", BAD, "--picture"),
    "constraints prove": ("question.smt2", "constraints", "prove", "baseline", "depth <= 3", "--smtlib"),
    "devices measure, file": ("this.yaml", "devices", "measure", "--out"),
    "devices measure, picture": ("cell.png", "devices", "measure", "--out", "other.yaml", "--plot"),
    "devices rule": ("this.yaml", "devices", "rule", "server-cpu", "--at-most", "900", "--out"),
    "tables convert": ("table.csv.gz", "tables", "convert", ".", "--out"),
    "report": ("page.html", "report", "-o"),
    "audits calibrate": ("matrix.json", "audits", "calibrate", "-o"),
    "audits run": ("card.md", "audits", "run", "network.pt2", "data.npz", "-o"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_and_a_link_stay_and_nothing_is_written_into_a_home(name: str, tmp_path: Path) -> None:
    """Refused by a sentence with exit code 2 before anything is computed; in a home, with `--force` too."""
    file, *words = COMMANDS[name]
    path, home, target = tmp_path / file, tmp_path / "home", tmp_path / "target"
    home.mkdir()
    (home / "ledger.db").touch()
    target.write_bytes(b"kept")
    path.write_bytes(b"kept")
    told = inside(tmp_path, *words, path)
    assert (told.returncode, path.read_bytes()) == (2, b"kept"), told.stderr
    assert "there is such a file already" in " ".join(told.stderr.split())
    path.unlink()
    path.symlink_to(target)
    assert inside(tmp_path, *words, path).returncode == 2
    assert target.read_bytes() == b"kept"
    assert path.is_symlink()
    assert inside(tmp_path, *words, home / file, "--force").returncode == 2
    assert [one.name for one in home.iterdir()] == ["ledger.db"]


def test_a_file_is_replaced_where_it_is_told_to(tmp_path: Path) -> None:
    """With `--force`, and a link itself rather than what it leads to."""
    for file, words in (("cell.png", COMMANDS["constraints check"][1:]), ("q.smt2", COMMANDS["constraints prove"][1:])):
        path, target = tmp_path / file, tmp_path / "target"
        target.write_bytes(b"kept")
        path.symlink_to(target)
        done = inside(tmp_path, *words, path, "--force")
        assert done.returncode in (0, 1), done.stderr
        assert not path.is_symlink()
        assert target.read_bytes() == b"kept"
