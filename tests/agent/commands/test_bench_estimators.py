"""Rank correlations of cheap scores with full training: the arithmetic, and what is kept between two commands."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from agent.commands.bench_estimators import measure_estimators, measure_supernets, spearman, spearman_interval
from agent.commands.bench_ranker import read_scores
from selfnas.benchmarks.estimators import Scored, random_networks
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.training.proxies import PROXIES

STREAM = (
    "stream: t\nformat: 1\nmacro: {channels: 2, depth: 1, resolution: 8}\ntasks:\n  - {name: one, source: digits}\n"
)


def _kept(path: Path, *, count: int = 6) -> None:
    macro = parse_architecture("nb201/c2n1r8:|none~0|+|none~0|none~1|+|skip~0|none~1|none~2|").macro
    rows = [
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
        for k, one in enumerate(random_networks(SPACES["nb201"], macro, count, seed=0))
    ]
    path.write_text(json.dumps([asdict(row) for row in rows]))


def test_kept_networks_are_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All six are there: the table follows at once, best first; the price of all proxies is told."""
    (tmp_path / "t.yaml").write_text(STREAM)
    _kept(tmp_path / "kept.json")
    measure_estimators(tmp_path / "t.yaml", task_name="one", networks=6, seed=0, keep=tmp_path / "kept.json", twice=6)
    told = capsys.readouterr().out
    assert "1.50 times the slowest of them alone" in told
    lines = [line for line in told.splitlines() if "1.00" in line]
    assert "snip" in next(line for line in lines if "-1.00" in line)
    assert any("full training, on validation" in line for line in lines)
    assert "-1.00" in next(line for line in told.splitlines() if "full training, again (6 of them)" in line)
    assert "learned" not in told  # six networks are too few to learn from
    assert "nan" in next(line for line in told.splitlines() if "low fidelity" in line)  # all scores alike say nothing
    for change, message in (({"networks": 3}, "holds other networks"), ({"task_name": "on"}, "did you mean 'one'")):
        settings = {"task_name": "one", "networks": 6, "seed": 0, "keep": tmp_path / "kept.json"} | change
        with pytest.raises(InputError, match=message):
            measure_estimators(tmp_path / "t.yaml", **settings)  # type: ignore[arg-type]
    (tmp_path / "kept.json").write_text('[{"truth": 1}]')
    with pytest.raises(InputError, match="not what this command keeps"):
        measure_supernets(tmp_path / "t.yaml", task_name="one", methods=[], seed=0, keep=tmp_path / "kept.json")


def test_a_combination_learned_from_some_networks_is_tried_on_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine proxies tell the truth and one the opposite: the combination ranks the others as full training does."""
    (tmp_path / "t.yaml").write_text(STREAM)
    _kept(tmp_path / "kept.json", count=32)
    measure_estimators(tmp_path / "t.yaml", task_name="one", networks=32, seed=0, keep=tmp_path / "kept.json")
    told = capsys.readouterr().out
    assert "1.00" in next(line for line in told.splitlines() if "learned from 16 of them" in line)


def test_random_networks_do_not_ignore_their_input() -> None:
    """All differ, and a path joins input and output in each."""
    macro = Macro(channels=2, depth=1, resolution=8)
    drawn = random_networks(SPACES["nb201"], macro, 300, seed=0)
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
