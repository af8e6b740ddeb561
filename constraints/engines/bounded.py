"""How every Z3 solver of ours is set up: bounded by steps, and deaf to Ctrl-C."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["bounded"]

SolverT = TypeVar("SolverT")


def bounded(solver: SolverT, *, rlimit: int) -> SolverT:
    """A `z3.Solver` that takes so many steps a query, and leaves signals to Python.

    Z3 by itself takes SIGINT over while it solves: a Ctrl-C in that moment would end its query with no answer, which a
    gate must take for an undecided verdict, and whoever pressed it would not be heard.
    """
    solver.set("rlimit", rlimit)  # type: ignore[attr-defined]
    solver.set("ctrl_c", False)  # type: ignore[attr-defined]
    return solver
