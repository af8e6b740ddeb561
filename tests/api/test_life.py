"""A life opened from Python: tables, network, task, verification and report say what the ledger says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from agent import Life, open_life
from agent.api import frames
from selfnas import InputError


@pytest.fixture
def life(place: Path) -> Life:
    """The life that the script lived."""
    return open_life(place / "home")


def test_a_script_without_a_guard_lives_once(place: Path, life: Life) -> None:
    """Worker processes do not run the script again, and its table names the winner."""
    begun, winner = (place / "printed.txt").read_text(encoding="utf-8").split()
    assert begun == "begun"
    assert winner == life.motifs.digest.iloc[-1]


@pytest.mark.parametrize(
    ("table", "types"),
    [
        ("tasks", frames.TASKS),
        ("trials", frames.TRIALS),
        ("motifs", frames.MOTIFS),
        ("audits", frames.AUDITS),
        ("events", frames.EVENTS),
    ],
)
def test_tables_have_their_documented_columns(life: Life, table: str, types: dict[str, str]) -> None:
    """In order, of their types, each of them named in the docstring, and with rows."""
    found = getattr(life, table)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict(types)
    assert len(found)
    for column in types:
        assert f"`{column}`" in (getattr(Life, table).__doc__ or ""), column


def test_tables_agree_with_the_events(life: Life) -> None:
    """Trials are the evaluations in their order, motifs the admissions, findings those that were audited."""
    by_kind = {kind: [json.loads(text) for text in rows.facts] for kind, rows in life.events.groupby("kind")}
    assert life.trials.digest.tolist() == [facts["digest"] for facts in by_kind["evaluated"]]
    assert life.trials.score.tolist() == [facts["score"] for facts in by_kind["evaluated"]]
    assert life.motifs.digest.tolist() == [facts["digest"] for facts in by_kind["admitted"]]
    assert len(life.audits) == sum(len(facts["findings"]) for facts in by_kind["audited"])
    [task] = life.tasks.to_dict("records")
    assert (task["evaluations"], task["full_trainings"]) == (4, len(by_kind["trained"]))
    assert task["test_low"] < task["test"] < task["test_high"]
    assert life.events.previous.tolist()[1:] == life.events.hash.tolist()[:-1]


def test_a_network_has_the_recorded_accuracy(life: Life) -> None:
    """It is in evaluation mode, and classifies the task's test split as it did when it was recorded."""
    motif = life.motifs.iloc[-1]
    network, test = life.network(motif.digest[:16]), life.task("mine").test
    assert not network.training
    with torch.no_grad():
        guessed = network(torch.from_numpy(test.x)).argmax(dim=1).numpy()
    assert float(np.mean(guessed == test.y)) == pytest.approx(motif.test)
    assert life.architecture(motif.digest[:16]).digest == motif.digest


def test_a_life_verifies_from_its_home_alone(place: Path, tmp_path: Path) -> None:
    """Its arrays lie in it, so audits run again on a copy of the home, wherever that is."""
    shutil.copytree(place / "home", tmp_path / "copy")
    result = open_life(tmp_path / "copy").verify(deep=True, sample=1)
    assert result.problems == []
    assert result.checked["networks audited again"] == 1
    assert result.checked["baselines fitted again"] == 1


def test_changed_arrays_are_found(place: Path, tmp_path: Path) -> None:
    """A task whose file was exchanged is not the one that the ledger records."""
    shutil.copytree(place / "home", tmp_path / "copy")
    [path] = (tmp_path / "copy" / "stream").glob("*.npz")
    with np.load(path) as held:
        x, y = held["x"], held["y"]
    np.savez(path, x=x[::-1], y=y)
    with pytest.raises(InputError, match="its data are not those that the ledger records"):
        open_life(tmp_path / "copy").task("mine")


def test_the_report_is_written_where_it_is_asked_for(life: Life, tmp_path: Path) -> None:
    """One page, which names the task; a place that cannot be written is told."""
    page = life.report(tmp_path / "new" / "page.html")
    assert "mine" in page.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        life.report(page / "page.html")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda life: life.task("mien"), "unknown task 'mien'; did you mean 'mine'?"),
        (lambda life: life.network("ffff"), "no trained network of this home has a digest that begins with 'ffff'"),
        (lambda life: life.network(""), "no trained network"),
        (lambda life: life.architecture("zz"), "no architecture of this life has a digest that begins with 'zz'"),
    ],
)
def test_what_is_not_there_is_told(life: Life, ask: object, message: str) -> None:
    """With the name that was asked for."""
    with pytest.raises(InputError) as told:
        ask(life)  # type: ignore[operator]
    assert message in str(told.value)


def test_a_home_without_a_life_is_not_opened(tmp_path: Path) -> None:
    """And not made."""
    with pytest.raises(InputError, match="there is no ledger here"):
        open_life(tmp_path / "none")
    assert not (tmp_path / "none").exists()
