"""Lives whose stream or set names a plug-in: what is recorded, what verification holds it to, and runs without it."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import msgspec
import pytest

from agent.ledger.events import UNSET, RunStarted
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.state.plugins import changed
from agent.verify.verification import verify
from selfnas.plugins import Identity, identify
from tests.agent.tabular_lives import TABLES, ledger_of, live
from tests.plugins.conftest import Write

STRATEGY = """
from dataclasses import dataclass
from selfnas.search.domain import Proposals

@dataclass(frozen=True)
class Plain:
    population: int = 3
    def __call__(self, history, domain, count, rng, *, warm=()):
        batch = Proposals(history, domain, count, warm=warm)
        batch.fill(rng)
        return batch.chosen
"""
QUANTITY = """
from selfnas.networks.costs import Quantity
HEAVY = Quantity(name="heavy", formula=lambda operation, channels, size, stride: operation.kernels(
    channels, size=size, stride=stride)[0].macs // 1000)
"""
RULES = """\
set: rules
language: 1
plugins: [heavy-parts]
spaces: [nb201]
rules:
  - {id: light, scope: network, require: cost(heavy) <= 1000, why: because, message: too heavy}
"""


def _problems(home: Path) -> list[str]:
    with ledger_of(home) as ledger:
        return verify(ledger, Home(home)).problems


def _uninstall(site: Path) -> None:
    """Out of the search path, and out of what this process remembers."""
    sys.path.remove(str(site))
    importlib.invalidate_caches()
    identify.cache_clear()


def test_a_set_may_use_a_plug_in_that_the_stream_does_not_name(write: Write, tmp_path: Path) -> None:
    """The run records it all the same; without it rules are not checkable, and nothing else is called wrong."""
    site = write("heavy-parts", {"quantities:heavy": "HEAVY"}, QUANTITY)
    (tmp_path / "rules.yaml").write_text(RULES)
    text = TABLES.replace("format: 1", "format: 1\nconstraints: rules.yaml")
    state = live(tmp_path / "home", text=text)
    told = state.runs[0].started.plugins
    assert told is not UNSET
    assert [(one.name, one.version, one.parts) for one in told] == [("heavy-parts", "1.0", ["quantities:heavy"])]
    started = state.runs[0].tasks[0].started
    assert 0 < int(started.admitted_count.low) < int(started.space_count)
    assert _problems(tmp_path / "home") == []
    _uninstall(site)
    missing = _problems(tmp_path / "home")
    assert len(missing) == 2
    assert all("not checkable without plug-in heavy-parts 1.0 (SHA-256 " in problem for problem in missing)


def test_a_run_without_a_plug_in_follows_one_with_it(write: Write, tmp_path: Path) -> None:
    """Each run is verified with what it used itself."""
    write("plain-parts", {"strategies:plain": "Plain"}, STRATEGY)
    text = TABLES.replace("strategy: transfer", "strategy: plain")
    first = live(tmp_path / "home", text=text.replace("format: 1", "format: 1\nplugins: [plain-parts]"))
    state = live(tmp_path / "home")
    assert [run.started.plugins is UNSET for run in state.runs] == [False, True]
    assert len(first.runs[0].tasks) == len(state.runs[1].tasks) == 3
    assert _problems(tmp_path / "home") == []


def test_a_life_on_a_plug_in_is_the_same_again(write: Write, tmp_path: Path) -> None:
    """Byte for byte."""
    write("same-parts", {"strategies:plain": "Plain"}, STRATEGY)
    text = TABLES.replace("strategy: transfer", "strategy: plain").replace(
        "format: 1", "format: 1\nplugins: [same-parts]"
    )
    heads = []
    for name in ("one", "two"):
        live(tmp_path / name / "home", text=text)
        with ledger_of(tmp_path / name / "home") as ledger:
            heads.append(ledger.head())
    assert heads[0] == heads[1]


@pytest.mark.parametrize(
    ("version", "sha256", "sentence"),
    [
        ("1.1", "b" * 64, "plug-in parts was another (1.0 → 1.1)"),
        ("1.0", "b" * 64, "plug-in parts 1.0 was another (SHA-256 aaaaaaaaaaaa… → bbbbbbbbbbbb…)"),
        ("1.0", "a" * 64, ""),
    ],
)
def test_how_a_plug_in_changed_is_told(write: Write, tmp_path: Path, version: str, sha256: str, sentence: str) -> None:
    """By version where that differs, else by content; one more or less too."""
    write("told-parts", {"strategies:plain": "Plain"}, STRATEGY)
    state = live(tmp_path / "home")
    record = {"name": "parts", "version": "1.0", "sha256": "a" * 64, "parts": []}
    text = msgspec.json.encode({**msgspec.to_builtins(state.runs[0].started), "plugins": [record]})
    started = msgspec.json.decode(text, type=RunStarted)
    now = Identity(name="parts", version=version, sha256=sha256, parts=())
    assert changed(started, [now]) == sentence
    assert changed(started, []) == "plug-in parts was in use"
    assert changed(state.runs[0].started, [now]) == "plug-in parts was not in use"


def test_what_a_set_uses_must_be_recorded(write: Write, tmp_path: Path) -> None:
    """Else rules would mean whatever is installed."""
    write("heavy-parts", {"quantities:heavy": "HEAVY"}, QUANTITY)
    (tmp_path / "rules.yaml").write_text(RULES)
    state = live(tmp_path / "home", text=TABLES.replace("format: 1", "format: 1\nconstraints: rules.yaml"))
    forged = Home(tmp_path / "forged")
    forged.root.mkdir()
    with Ledger(forged.ledger, clock=time.time) as ledger:
        ledger.append([msgspec.structs.replace(state.runs[0].started, plugins=UNSET)])
    (problem,) = _problems(forged.root)
    assert "its set or suite uses plug-in heavy-parts 1.0 (SHA-256 " in problem
    assert problem.endswith("which it does not record")
