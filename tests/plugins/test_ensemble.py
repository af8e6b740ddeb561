"""The strategy `ensemble`, a plug-in now: it keeps what strategies promise, and lives that name it can be read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import pytest

from agent.commands.inspect import show_status
from agent.ledger.home import Home
from agent.stream.file import read_stream
from agent.verify.verification import verify
from selfnas.errors import InputError
from selfnas.plugins import Identity, Plugin, in_force
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.named import SPACES
from selfnas.strategies import Strategy, make_strategy
from selfnas.testing import check_strategy
from selfnas.testing.strategies import MACRO, search
from tests.agent.tabular_lives import TABLES, ledger_of, live
from tests.plugins.conftest import ROOT, installed, selfnas

FOLDER = ROOT / "experiments" / "ensemble-plugin"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The plug-in's module, from its source."""
    spec = importlib.util.spec_from_file_location("selfnas_ensemble", FOLDER / "selfnas_ensemble.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def ensemble(module: ModuleType) -> Iterator[Callable[..., Strategy]]:
    """In force as a part of ours was: no run records it."""
    identity = Identity(name="was-ours", version="0", sha256="", parts=("strategies:ensemble",))
    parts = MappingProxyType({"strategies": MappingProxyType({"ensemble": module.Ensemble})})
    with in_force(Plugin(identity=identity, parts=parts)):
        yield module.Ensemble


@pytest.mark.slow
@pytest.mark.parametrize("space", sorted(SPACES))
def test_it_keeps_what_strategies_promise(module: ModuleType, space: str) -> None:
    """In every space of our own."""
    check_strategy(module.Ensemble(trees=6), space=SPACES[space])


@pytest.mark.slow
def test_it_is_better_than_random_on_a_hill(ensemble: Callable[..., Strategy]) -> None:
    """On a score with one peak, 60 trials climb higher than 60 random ones, over eight seeds."""

    def mean_best(strategy: Strategy) -> float:
        domain = SpaceDomain(SPACES["nb201"], MACRO)
        runs = [search(strategy, domain, rounds=12, batch=5, seed=seed) for seed in range(8)]
        return float(np.mean([max(trial.value for trial in run) for run in runs]))

    assert mean_best(make_strategy("ensemble", {"trees": 6})) > mean_best(make_strategy("random"))


def test_impossible_settings_are_refused(ensemble: Callable[..., Strategy]) -> None:
    """As those of strategies of our own."""
    with pytest.raises(InputError, match="strategy ensemble: need initial, memory and trees >= 2"):
        make_strategy("ensemble", {"trees": 1})


def test_a_recorded_life_that_names_it_opens_and_verifies(
    tmp_path: Path, module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lived when it was a part of ours; to go on is refused in a sentence that says where it is."""
    text = TABLES.replace("strategy: transfer", "strategy: ensemble")
    identity = Identity(name="was-ours", version="0", sha256="", parts=())
    parts = MappingProxyType({"strategies": MappingProxyType({"ensemble": module.Ensemble})})
    with in_force(Plugin(identity=identity, parts=parts)):
        state = live(tmp_path / "home", text=text)
    assert state.runs[0].started.record.policy["strategy"] == "ensemble"
    with ledger_of(tmp_path / "home") as ledger:
        assert verify(ledger, Home(tmp_path / "home")).problems == []
    show_status(tmp_path / "home")
    assert "run 1 of stream tables: finished" in capsys.readouterr().out
    with pytest.raises(InputError, match="unknown strategy 'ensemble': it is a part of plug-in selfnas-ensemble now"):
        read_stream(tmp_path / "tables.yaml")


@pytest.mark.slow
def test_it_is_installed_and_lived_with_like_any_plug_in(tmp_path: Path) -> None:
    """A life on tables whose stream names it; the ledger says which it was."""
    site = installed(FOLDER, tmp_path / "built")
    text = TABLES.replace("strategy: transfer", "strategy: ensemble").replace(
        "format: 1", "format: 1\nplugins: [selfnas-ensemble]"
    )
    (tmp_path / "tables.yaml").write_text(text)
    done = selfnas("run", "tables.yaml", "--home", "home", "--workers", "1", "--no-mirror", place=tmp_path, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    with ledger_of(tmp_path / "home") as ledger:
        started = ledger.event(0).facts.plugins  # type: ignore[attr-defined]
        assert [(one.name, one.version, one.parts) for one in started] == [
            ("selfnas-ensemble", "1.0", ["strategies:ensemble"])
        ]
    assert selfnas("verify", "--home", "home", place=tmp_path, site=site).returncode == 0
