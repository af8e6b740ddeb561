"""How the command line starts: as a script, as a module, and where a person's own files have our packages' names."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ("-m", "selfnas")
SCRIPT = ("-c", "import sys; from selfnas.__main__ import main; sys.exit(main())")  # what an installer writes
OURS = ("agent", "audits", "constraints")


def installed(place: Path, *, entry_points: bool = True) -> Path:
    """A directory with the metadata that installing this checkout would leave, so that no older one is read."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = place / f"selfnas-{project['version']}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: selfnas\nVersion: {project['version']}\n")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]} if entry_points else {}
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {to}\n" for key, to in names.items()) for group, names in groups.items()
    ]
    (folder / "entry_points.txt").write_text("".join(lines))
    return place


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The metadata of this checkout."""
    return installed(tmp_path_factory.mktemp("record"))


def started(place: Path, *arguments: str, path: Sequence[Path]) -> subprocess.CompletedProcess[str]:
    """Python in a directory, with a PYTHONPATH of some directories and this checkout."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])), "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", OURS)
def test_a_file_that_hides_a_package_is_named_by_the_module(name: str, record: Path, tmp_path: Path) -> None:
    """`python -m selfnas` says which file hides which package, and that it lies in the current directory."""
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('never run')\n")
    done = started(tmp_path, *MODULE, "--help", path=[record])
    assert done.returncode == 2
    assert f"{tmp_path / name}.py hides the package {name!r} of selfnas, which is {ROOT / name}" in done.stderr
    assert "`python -P -m selfnas`" in done.stderr
    assert "Traceback" not in done.stderr
    assert started(tmp_path, "-P", *MODULE, "--version", path=[record]).returncode == 0


@pytest.mark.parametrize("name", OURS)
def test_a_file_that_hides_a_package_is_named_by_the_script(name: str, record: Path, tmp_path: Path) -> None:
    """The console script does not look into the current directory, but into those of PYTHONPATH; it names the one."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('never run')\n")
    done = started(tmp_path, "-P", *SCRIPT, "--help", path=[record, tmp_path])
    assert done.returncode == 2
    assert f"{tmp_path / name} hides the package {name!r}" in done.stderr
    assert f"Take {tmp_path} out of PYTHONPATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert started(tmp_path, "-P", *SCRIPT, "--version", path=[record]).returncode == 0


def test_the_module_of_a_checkout_names_what_hides_a_package(record: Path, tmp_path: Path) -> None:
    """`python -m agent` checks the packages below it in the same way."""
    (tmp_path / "audits.py").write_text("raise RuntimeError('never run')\n")
    done = started(tmp_path, "-m", "agent", "--help", path=[record])
    assert done.returncode == 2
    assert "audits.py hides the package 'audits'" in done.stderr


@pytest.mark.parametrize("start", [MODULE, ("-m", "agent"), ("-P", *SCRIPT)])
def test_every_way_to_start_is_the_same_command_line(start: tuple[str, ...], record: Path, tmp_path: Path) -> None:
    """Script and modules print one version and one help, under one name."""
    version, usage, long = (
        started(tmp_path, *start, *words, path=[record])
        for words in (["--version"], ["review", "list", "-h"], ["review", "list", "--help"])
    )
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("selfnas ")
    assert "Usage: selfnas review list" in usage.stdout
    assert usage.stdout == long.stdout


def test_help_offers_completion_and_shells_get_it(record: Path, tmp_path: Path) -> None:
    """A shell that asks what may follow is told the commands and the options."""
    assert "--show-completion" in started(tmp_path, *MODULE, "-h", path=[record]).stdout
    ask = "import os; os.environ.update(_SELFNAS_COMPLETE='complete_bash', COMP_WORDS='selfnas mot', COMP_CWORD='1'); "
    assert started(tmp_path, "-c", ask + SCRIPT[1], path=[record]).stdout.split() == ["motifs"]


def test_an_installation_that_names_no_command_line_is_told(tmp_path: Path) -> None:
    """Where packages can be imported that were never installed, the message says how to install them."""
    done = started(tmp_path, *MODULE, "--help", path=[installed(tmp_path / "older", entry_points=False)])
    assert done.returncode == 2
    assert "pip install" in done.stderr
