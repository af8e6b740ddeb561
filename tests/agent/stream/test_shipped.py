"""Streams that come with the project: found by name, and whose relative paths start where the person stands."""

from pathlib import Path

import pytest

from agent.life.preparation import prepare
from agent.stream.file import read_stream
from agent.stream.shipped import shipped_streams, stream_folder, stream_path
from selfnas.errors import InputError

TABLE = "tasks=[{name: one, source: table, dataset: a}]"


@pytest.mark.parametrize("name", shipped_streams())
def test_every_shipped_stream_can_be_prepared_from_any_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its set, suite and data are found where there is nothing but an empty directory."""
    monkeypatch.chdir(tmp_path)
    assert prepare(read_stream(Path(name))).stream.stream == name


def test_a_file_of_a_persons_own_goes_before_a_shipped_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called `quickstart` is read, not the shipped stream; a folder of that name hides nothing."""
    monkeypatch.chdir(tmp_path)
    Path("quickstart").mkdir()
    assert stream_path(Path("quickstart")).is_absolute()
    Path("quickstart").rmdir()
    Path("quickstart").write_text("stream: mine\nformat: 1\ntasks: [{name: one, source: digits}]\n")
    assert read_stream(Path("quickstart")).value.stream == "mine"


def test_an_unknown_name_is_answered_with_the_names_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the shipped streams, and the one that was probably meant."""
    monkeypatch.chdir(tmp_path)
    known = ", ".join(shipped_streams())
    with pytest.raises(InputError, match=f"unknown stream 'quikstart'.*: {known}; did you mean 'quickstart'"):
        read_stream(Path("quikstart"))
    with pytest.raises(InputError, match=f"unknown stream 'zzz'.*: {known}$"):
        read_stream(Path("zzz"))


@pytest.mark.parametrize("path", ["quickstart.yaml", "./here/quickstart", "/quickstart"])
def test_only_a_bare_name_stands_for_a_shipped_stream(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has a suffix or a folder is a file, and missing is missing."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be read: no such file"):
        read_stream(Path(path))


def test_paths_put_into_a_shipped_stream_start_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--set constraints=mine.yaml` is the file beside the person, not one inside the installed package."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "set: mine\nlanguage: 1\nspaces: [nb201]\n"
        "rules: [{id: shallow, scope: cell, require: depth <= 3, why: a test, message: too deep}]\n"
    )
    assert prepare(read_stream(Path("quickstart"), overrides=["constraints=mine.yaml", TABLE])).set_.name == "mine"
    assert stream_folder(Path("elsewhere/own.yaml")) == tmp_path / "elsewhere"
