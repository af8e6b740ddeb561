"""Files that commands write where a person says."""

from pathlib import Path

import pytest

from selfnas.errors import InputError
from selfnas.figures import picture_file, write_figure
from selfnas.files import check_continued, check_output, write_whole


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


def test_a_file_that_is_added_to_is_no_link_and_in_no_home(tmp_path: Path) -> None:
    """Rows that a measurement goes on with: an ordinary file, which may be there or not."""
    home, rows, link = tmp_path / "home", tmp_path / "rows.jsonl", tmp_path / "link.jsonl"
    home.mkdir()
    (home / "ledger.db").touch()
    link.symlink_to(rows)
    assert check_continued(rows) == rows
    rows.touch()
    assert check_continued(rows) == rows
    with pytest.raises(InputError, match="is a link: name the file itself"):
        check_continued(link)
    with pytest.raises(InputError, match="the home of a life"):
        check_continued(home / "rows.jsonl")


def test_a_figure_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    """Only where it is told to; a picture is a `.png`."""
    from matplotlib.figure import Figure

    there, link = tmp_path / "there.png", tmp_path / "link.png"
    there.write_bytes(b"kept")
    link.symlink_to(there)
    with pytest.raises(InputError, match="replace it with --force"):
        picture_file(link, force=False)
    with pytest.raises(InputError, match=r"ends in \.png"):
        picture_file(tmp_path / "figure.svg", force=True)
    assert picture_file(None, force=False) is None
    assert picture_file(link, force=True) == link
    write_figure(Figure(), link)
    assert there.read_bytes() == b"kept"
    assert not link.is_symlink()
    assert link.read_bytes().startswith(b"\x89PNG")
