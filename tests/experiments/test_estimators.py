"""Rank correlations of cheap scores with full training: the arithmetic, and what is kept between two commands."""

from pathlib import Path

import numpy as np
import pytest

from experiments.estimators.correlation import spearman, spearman_interval
from experiments.estimators.measure import scores, supernets
from experiments.estimators.scoring import Scored, random_networks
from experiments.harness import Rows
from experiments.ranker.measure import read_scores
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.training.proxies import PROXIES

STREAM = """\
stream: t
format: 1
space: nb201
macro: {channels: 2, depth: 1, resolution: 8}
tasks:
  - {name: one, source: digits}
"""
MACRO = Macro(channels=2, depth=1, resolution=8)


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """A stream of one small task."""
    (tmp_path / "t.yaml").write_text(STREAM)
    return tmp_path / "t.yaml"


def kept(path: Path, *, count: int = 6) -> Path:
    """A file of made-up figures: the best by proxies is the best, `snip` says the opposite."""
    Rows(path, of=Scored, settings={"task": "one", "networks": "nb201/c2n1r8"}).add(
        *(
            Scored(
                architecture=str(one),
                truth=0.5 + k / 100,
                curve=(0.1, 0.2 + k / 10),
                low=0.3,
                proxies={name: float(k) if name != "snip" else -float(k) for name in PROXIES},
                seconds={name: 0.01 for name in PROXIES},
                together=0.015,
                again=0.5 - k / 100,
            )
            for k, one in enumerate(random_networks(SPACES["nb201"], MACRO, count, seed=0))
        )
    )
    return path


def test_kept_networks_are_not_trained_again(stream: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All six are there: the table follows at once, best first; the price of all proxies is told."""
    keep = kept(tmp_path / "kept.jsonl")
    scores(stream, "one", networks=6, keep=keep, twice=6)
    told = capsys.readouterr().out
    assert "1.50 times the slowest of them alone" in told
    lines = [line for line in told.splitlines() if "1.00" in line]
    assert "snip" in next(line for line in lines if "-1.00" in line)
    assert any("full training, on validation" in line for line in lines)
    assert "-1.00" in next(line for line in told.splitlines() if "full training, again (6 of them)" in line)
    assert "learned" not in told  # six networks are too few to learn from
    assert "nan" in next(line for line in told.splitlines() if "low fidelity" in line)  # all scores alike say nothing
    with pytest.raises(InputError, match="did you mean 'one'"):
        scores(stream, "on", networks=6, keep=keep)
    stream.write_text(STREAM.replace("channels: 2", "channels: 4"))
    with pytest.raises(InputError, match=r"measured with networks 'nb201/c2n1r8', not 'nb201/c4n1r8'"):
        scores(stream, "one", networks=6, keep=keep)
    with pytest.raises(InputError, match="run the command `scores` first"):
        supernets(stream, "one", keep=tmp_path / "none.jsonl")


def test_a_combination_learned_from_some_networks_is_tried_on_the_others(
    stream: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine proxies tell the truth and one the opposite: the combination ranks the others as full training does."""
    scores(stream, "one", networks=32, keep=kept(tmp_path / "kept.jsonl", count=32))
    told = capsys.readouterr().out
    assert "1.00" in next(line for line in told.splitlines() if "learned from 16 of them" in line)


def test_random_networks_do_not_ignore_their_input() -> None:
    """All differ, and a path joins input and output in each."""
    drawn = random_networks(SPACES["nb201"], MACRO, 300, seed=0)
    assert len({one.digest for one in drawn}) == 300
    assert all(one.cells[0].live_edges() for one in drawn)


def test_spearman_by_hand_and_its_interval() -> None:
    """Ranks with ties shared; infinities are extreme, NaN is lowest; the interval holds the estimate."""
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(np.array([1.0, 3.0, 2.0, 4.0]), truth) == pytest.approx(0.8)
    assert spearman(np.array([np.nan, -np.inf, 0.0, np.inf]), truth) == pytest.approx(0.9486833)
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    low, high = spearman_interval(x, y, seed=0)
    assert low < spearman(x, y) < high
    assert high - low < 0.5


def test_files_of_proxy_scores(tmp_path: Path) -> None:
    """By task, with the proxies that are known; others and files of another form are passed over or refused."""
    (tmp_path / "scores.csv").write_text("task,val,snip,unknown\na,1,2,3\na,2,3,4\nb,5,6,7\n")
    found = read_scores(tmp_path / "scores.csv")
    assert list(found) == ["a", "b"]
    assert found["a"][0]["snip"].tolist() == [2.0, 3.0]
    (tmp_path / "scores.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match="needs the columns task, val"):
        read_scores(tmp_path / "scores.csv")
