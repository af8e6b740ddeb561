"""Every script of the experiments and of the stress tests can be started."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("experiments", "tests/stress")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


def test_scripts_are_found() -> None:
    """All of them, of folders whose names could not be imported by a statement too."""
    assert {"experiments.self-tuning.measure", "experiments.speed.audits", "tests.stress.kills"} <= set(SCRIPTS)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # imported by another test before
@pytest.mark.parametrize("script", SCRIPTS)
def test_script_explains_itself(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m SCRIPT --help` ends well, and every option and argument of it is read as the command line would."""
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    monkeypatch.delitem(sys.modules, script, raising=False)  # another test may have imported it
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(script, run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert "Usage" in capsys.readouterr().out
