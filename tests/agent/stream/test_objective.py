"""Lives that look for more than accuracy."""

import re
import time
from pathlib import Path

import pytest
from msgspec import structs

from agent.ledger.events import Evaluated
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.state.state import replay
from agent.stream.file import read_stream
from agent.stream.objective import ObjectiveSection
from agent.verify.verification import verify
from agent.workers.pool import Workers
from selfnas.benchmarks.fronts import best_first
from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.search.history import Trial
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

STREAM = """\
stream: t
format: 1
budget: {evaluations: 30, full_trainings: 3}
policy: {strategy: nsga2, population: 8, sample: 4, batch: 5, finalists_per_task: 3}
objective: {device: raspberry-pi-4, minimise: [latency_us], limits: {params: 40_000}}
tasks:
  - {name: one, source: table, dataset: a}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life on a made-up table with latency as an objective and a limit on parameters."""
    place = tmp_path_factory.mktemp("objective")
    (place / "t.yaml").write_text(STREAM)
    prepared = prepare(read_stream(place / "t.yaml"))
    with (
        Workers(1) as pool,
        hold(place / "home") as held,
        Ledger(held.ledger, clock=time.time) as ledger,
    ):
        Life(ledger, prepared, pool, home=held, device="cpu", observer=Unobserved()).run()
    return place / "home"


def test_a_life_records_costs_and_keeps_to_limits(home: Path) -> None:
    """Every evaluation has its costs; finalists are within the limit, come from the front, and verification agrees."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        task = replay(ledger).runs[0].tasks[0]
        result = verify(ledger, Home(home))
    assert not result.problems
    shape = TaskShape(channels=3, size=(32, 32), classes=10)
    for trial, evaluated in zip(task.trials, task.evaluations, strict=True):
        recorded = evaluated.recorded_costs
        assert recorded["params"] == float(f"{costs(trial.architecture, shape).params:.6g}")
        assert trial.objectives == (trial.score, -recorded["latency_us"])
        assert (trial.value > -10) == (recorded["params"] <= 40_000)
    assert 0 < sum(trial.value > -10 for trial in task.trials) < len(task.trials)
    within = [trial for trial in task.trials if trial.value > -10]
    assert [found.digest for found in task.tabulated] == [trial.digest for trial in best_first(within)[:3]]


@pytest.mark.parametrize("field", ["costs", "value", "objectives"])
def test_a_forged_cost_is_noticed(home: Path, field: str, tmp_path: Path) -> None:
    """In a chain that was made again with better numbers."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        events = [event.facts for event in ledger.events()]
    forged = {"costs": {"latency_us": 1.0, "params": 1.0}, "value": 0.99, "objectives": [0.99, -1.0]}
    place = next(place for place, facts in enumerate(events) if isinstance(facts, Evaluated))
    events[place] = structs.replace(events[place], **{field: forged[field]})
    copy = Home(tmp_path / "copy")
    copy.ledger.parent.mkdir(parents=True)
    with Ledger(copy.ledger, clock=time.time) as ledger:
        ledger.append(events)
        assert any("its costs are" in text or "its value is" in text for text in verify(ledger, copy).problems)


def test_the_front_is_told_and_drawn(home: Path, tmp_path: Path) -> None:
    """Its first row is the knee; an unknown task or cost is refused with what there is."""
    from agent.commands.front import show_front

    show_front(home, task="one", cost="latency_us", time=False, plot=tmp_path / "front.png")
    assert (tmp_path / "front.png").stat().st_size > 5000
    with pytest.raises(InputError, match="records no cost 'energy_uj'; it records latency_us, params"):
        show_front(home, task="one", cost="energy_uj", time=False, plot=None)
    with pytest.raises(InputError, match="unknown task 'on'; did you mean 'one'"):
        show_front(home, task="on", cost="", time=False, plot=None)


def test_bad_objectives_have_their_place(tmp_path: Path) -> None:
    """Unknown costs and devices, and a latency table that lacks what the stream needs."""
    for section, message in (
        ("{minimise: [latency]}", "t.yaml:5:24: unknown cost 'latency'; did you mean"),
        ("{minimise: [latency_us]}", "cost 'latency_us' needs a device"),
        ("{device: toaster, minimise: [latency_us]}", "unknown device 'toaster'"),
        ("{device: phone}", "names at least one cost"),
    ):
        (tmp_path / "t.yaml").write_text(
            f"stream: t\nformat: 1\nspace: nb201\nseed: 1\nobjective: {section}\n"
            "tasks:\n  - {name: one, source: table, dataset: a}\n"
        )
        with pytest.raises(InputError, match=re.escape(message)):
            prepare(read_stream(tmp_path / "t.yaml"))


def test_weights_and_limits() -> None:
    """A weight is taken off; beyond a limit a candidate is below everything within, the worse the further."""
    section = ObjectiveSection(weights={"macs": 1e-3}, limits={"params": 100.0})
    assert section.value(0.5, {"macs": 100.0, "params": 100.0}) == pytest.approx(0.4)
    worst = section.value(0.0, {"macs": 1e9, "params": 100.0})
    near, far = (section.value(1.0, {"macs": 0.0, "params": params}) for params in (101.0, 1000.0))
    assert far < near < worst
    assert section.objectives(0.4, {"macs": 1.0, "params": 1.0}) == ()


def test_best_first_starts_at_the_knee() -> None:
    """The bend of a front, then its ends, then what is dominated."""
    names = ("skip", "conv1x1", "conv3x3", "avg3")
    cells = [parse_architecture(f"nb201/c4n1r8:|none~0|+|none~0|none~1|+|{n}~0|none~1|none~2|") for n in names]
    points = [(0.0, 1.0), (0.9, 0.9), (1.0, 0.0), (0.5, 0.5)]
    trials = [Trial(architecture=a, score=p[0], objectives=p) for a, p in zip(cells, points, strict=True)]
    order = [trials.index(trial) for trial in best_first(trials)]
    assert order[0] == 1
    assert set(order[1:3]) == {0, 2}
    assert order[3] == 3
