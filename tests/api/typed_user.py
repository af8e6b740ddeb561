"""A program as users write it. It is not run: `mypy --strict` has to find each of these types.

`assert_type` fails where a type is lost, which a plain call would not show.
"""

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd

import agent
import audits
import constraints
import selfnas
from agent import BudgetSection, FidelitySection, Life, SearchPolicy, Stream, Verification, open_life, run
from audits import AuditData, AuditVerdict, Finding, Suite, judge, load_suite, run_suite
from constraints import ConstraintSet, Context, Decision, Difference, Guard, compare_sets, lint_set, load_set, parse_set
from selfnas import (
    SPACES,
    STRATEGIES,
    Architecture,
    Costs,
    Macro,
    Network,
    Space,
    Strategy,
    TabularBenchmark,
    Task,
    TaskSpec,
    build_network,
    costs,
    load_task,
    make_strategy,
    parse_architecture,
    read_benchmark,
    space_named,
)


def search(x: np.ndarray[tuple[int, ...], np.dtype[np.float32]], y: list[str]) -> Life:
    """From arrays to a life."""
    own = assert_type(Task.from_arrays(x, y, name="own", kind="series"), Task)
    rules = assert_type(parse_set("set: mine"), ConstraintSet)
    suite = assert_type(load_suite("baseline"), Suite)
    stream = Stream(
        name="mine",
        tasks=[own, TaskSpec(name="digits", source="digits")],
        constraints=rules,
        audits=suite,
        budget=BudgetSection(evaluations=8),
        low=FidelitySection(epochs=2, steps=0),
        policy=SearchPolicy(strategy="transfer"),
    )
    assert_type(run("quickstart", "elsewhere", seed=3, workers=None, device="auto"), Life)
    return assert_type(run(stream, Path("home"), workers=2), Life)


def look(home: Path) -> None:
    """What a life gives."""
    life = assert_type(open_life(home), Life)
    for table in (life.tasks, life.trials, life.motifs, life.audits, life.events):
        assert_type(table, pd.DataFrame)
    assert_type(life.network("ab"), Network)
    assert_type(life.architecture("ab"), Architecture)
    assert_type(life.task("own"), Task)
    assert_type(life.verify(deep=True), Verification)
    assert_type(life.verify().problems, list[str])
    assert_type(life.report("page.html"), Path)


def judge_one(text: str) -> None:
    """Architectures, costs, rules, audits and strategies."""
    architecture = assert_type(parse_architecture(text), Architecture)
    task = assert_type(load_task(TaskSpec(name="digits", source="digits"), base=Path()), Task)
    assert_type(costs(architecture, task.shape), Costs)
    network = assert_type(build_network(architecture, task.shape, seed=0), Network)
    space = assert_type(space_named("nb201"), Space)
    assert_type(SPACES["nb201"], Space)
    guard = assert_type(Guard(load_set("baseline"), space=space, macro=Macro(8, 1, 16), shape=task.shape), Guard)
    assert_type(guard.decide(architecture), Decision)
    findings = assert_type(run_suite(network, AuditData.of(task), load_suite("baseline"), seed=0), tuple[Finding, ...])
    assert_type(judge(findings, load_suite("baseline")), AuditVerdict)
    assert_type(make_strategy("transfer"), Strategy)
    assert_type(sorted(STRATEGIES), list[str])
    assert_type(read_benchmark(Path("table.csv")), TabularBenchmark)
    context = Context(space=space, macro=Macro(8, 1, 16), shape=task.shape)
    assert_type(compare_sets(load_set("baseline"), load_set("edge-device"), [context]), Difference)
    lint_set(load_set("baseline"))


def packages() -> None:
    """Names are found on the packages too."""
    assert_type(agent.open_life("home"), Life)
    assert_type(audits.load_suite("baseline"), Suite)
    assert_type(constraints.load_set("baseline"), ConstraintSet)
    assert_type(selfnas.parse_architecture("text"), Architecture)
