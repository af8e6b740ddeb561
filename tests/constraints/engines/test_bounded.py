"""Z3 must leave Ctrl-C to whoever runs it: an interrupted query is no verdict, and an unheard Ctrl-C no end."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import z3

from agent.workers import interrupt
from constraints import Context, parse_set
from constraints.engines.encoding import encode
from constraints.engines.solver import Solver, bounded
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

_PIGEONS = 10  # more than holes; no solver sees that at once


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    """Test runners may ignore SIGINT; a terminal does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def hard(context: z3.Context) -> z3.Solver:
    """Pigeons in too few holes, which takes a second or so to find out."""
    solver = bounded(z3.SolverFor("QF_FD", ctx=context), rlimit=1_000_000_000)
    inside = [[z3.Bool(f"{pigeon} in {hole}", context) for hole in range(_PIGEONS - 1)] for pigeon in range(_PIGEONS)]
    solver.add([z3.Or(places) for places in inside])
    for hole in range(_PIGEONS - 1):
        for pigeon in range(_PIGEONS):
            solver.add([z3.Or(z3.Not(inside[pigeon][hole]), z3.Not(inside[o][hole])) for o in range(pigeon)])
    return solver


def test_ctrl_c_during_a_query_is_heard_and_does_not_change_its_answer() -> None:
    """The query runs to its end, and then the interrupt is there."""
    solver = hard(z3.Context())
    with interrupt.listening():
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        answer = solver.check()
        assert timer.finished.is_set(), "the query was over before it was interrupted: it must take longer"
        assert (answer, solver.reason_unknown()) != (z3.unknown, "interrupted from keyboard")
        assert answer == z3.unsat
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_every_solver_is_set_up_so() -> None:
    """One that is made elsewhere would swallow Ctrl-C again."""
    made = re.compile(r"z3\.(SolverFor|SimpleSolver|Solver|Optimize|Tactic)\(")
    sources = Path(__file__).parents[3].glob("constraints/**/*.py")
    lines = [(path.name, line.strip()) for path in sources for line in path.read_text("utf-8").splitlines()]
    solvers = [(name, line) for name, line in lines if made.search(line)]
    assert {"policy.py", "solver.py"} <= {name for name, _ in solvers}
    assert [(name, line) for name, line in solvers if "bounded(" not in line] == []


def test_a_rule_without_a_value_in_the_model_is_left_open() -> None:
    """Z3 may leave out what nothing hangs on; that is no pass."""
    space = space_named("nb201")
    set_ = parse_set(
        "set: s\nlanguage: 1\nspaces: [nb201]\nrules: [{id: r, scope: cell, require: depth <= 3, why: w, message: m}]\n"
    )
    context = Context(space=space, macro=Macro(), shape=TaskShape(channels=1, size=(8, 8), classes=10))
    solver = Solver(encode(set_.rules, context))
    vector = space.draw(np.random.default_rng(0), 1)[0]
    assert solver.verdicts(vector) == [True]
    solver._declarations = [z3.Bool("unheard of", solver._context).decl().ast]
    assert solver.verdicts(vector) == [None]
    solver._handles[0] = [z3.BoolVal(False, solver._context).as_ast()] * len(solver._handles[0])
    assert solver.verdicts(vector) == [None]
