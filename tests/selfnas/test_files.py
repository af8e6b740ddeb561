"""Files that commands write where a person says."""

from pathlib import Path

import pytest

from selfnas.errors import InputError
from selfnas.files import check_output, write_whole


def test_nothing_is_replaced_unless_told(tmp_path: Path) -> None:
    """Neither a file nor a link, wherever it leads; with `force` the link itself is replaced."""
    there, link = tmp_path / "there.md", tmp_path / "link.md"
    there.write_text("kept")
    link.symlink_to(there)
    for path in (there, link):
        with pytest.raises(InputError, match="there is such a file already"):
            check_output(path, (".md",), force=False)
    write_whole(check_output(link, (".md",), force=True), "new")
    assert (there.read_text(), link.read_text(), link.is_symlink()) == ("kept", "new", False)
    with pytest.raises(InputError, match=r"ends in \.md"):
        check_output(tmp_path / "card.txt", (".md",), force=True)


def test_nothing_is_written_into_a_home(tmp_path: Path) -> None:
    """By whatever name, with `force` too."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    (home / "weights").mkdir(parents=True)
    (home / "ledger.db").touch()
    outside.symlink_to(home / "weights", target_is_directory=True)
    for path in (home / "a.md", home / "weights" / "a.md", outside / "a.md"):
        with pytest.raises(InputError, match="the home of a life: choose a place outside it"):
            check_output(path, (".md",), force=True)
    assert check_output(tmp_path / "a.md", (".md",), force=False) == tmp_path / "a.md"
