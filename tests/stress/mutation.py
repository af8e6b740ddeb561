"""Plant one small bug at a time in the code that judges, and see whether a test notices: how much the tests test.

    python -m tests.stress.mutation judging --sample 60 --seed 18 --tool PATH/cosmic-ray

The bugs are those of [cosmic-ray](https://cosmic-ray.readthedocs.io) 8.7.0, which stands in an environment of its own.
It works on a copy of the checkout, one bug after the other, with the nearest tests of each room. Bugs in annotations,
decorators, texts of errors and `__all__` are left out: they change nothing that judges.
"""

from __future__ import annotations

import ast
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

ROOT = Path(__file__).parents[2]
app = typer.Typer(add_completion=False)
SECONDS = 60.0  # for one bug; what takes longer is killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Code that judges.

    Attributes:
        modules: where bugs are planted.
        tests: the nearest, quickest first.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_JUDGING = "tests/constraints/judging/"
_ENGINES = "tests/constraints/engines/"
ROOMS: Mapping[str, Room] = {
    "judging": Room(
        modules=tuple(
            f"constraints/judging/{name}.py"
            for name in (
                "admitted", "certificate", "explanation", "guard", "policy", "proofs", "releases", "stacked",
                "verification",
            )
        ),
        tests=tuple(f"{_JUDGING}test_{name}.py" for name in ("certificate", "admitted", "stacked", "guard", "proofs")),
    ),
    "engines": Room(
        modules=tuple(
            f"constraints/engines/{name}.py"
            for name in (
                "cell_circuit", "circuit", "graph_view", "network_circuit", "path_circuit", "referee", "solver",
                "vectorised",
            )
        ),
        tests=(
            f"{_ENGINES}test_decisions.py", f"{_ENGINES}test_planted_bugs.py", f"{_JUDGING}test_guard.py",
            f"{_ENGINES}test_random_rules.py", f"{_ENGINES}test_composed.py",
        ),
    ),
    "gate": Room(
        modules=tuple(
            f"agent/gate/{name}.py" for name in ("admission", "domain", "quarantine", "review", "superseded")
        ),
        tests=("tests/agent/gate", "agent/gate"),
    ),
}  # fmt: skip


@app.command()
def measure(
    room: Annotated[Literal["judging", "engines", "gate"], typer.Argument(help="Which code.")],
    sample: Annotated[int, typer.Option(min=1, help="How many bugs, drawn from all.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    tool: Annotated[str, typer.Option(help="The program cosmic-ray.")] = "cosmic-ray",
) -> None:
    """Plant one small bug at a time in code that judges, and name those that no test notices."""
    own = ROOMS[room]
    with tempfile.TemporaryDirectory(prefix="selfnas-mutation-") as folder:
        copy = Path(folder)
        _copy(copy)
        config, session = copy / "mutation.toml", copy / "mutation.sqlite"
        config.write_text(_config(own))
        environment = os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}

        def run(*words: str) -> str:
            done = subprocess.run([tool, *words], cwd=copy, env=environment, check=True, capture_output=True, text=True)
            return done.stdout

        subprocess.run(_test_command(own), cwd=copy, env=environment, check=True, stdout=subprocess.DEVNULL)
        run("init", str(config), str(session))
        kept, of = _draw(session, copy, size=sample, seed=seed)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("exec", str(config), str(session))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        survived = list(_survivors(run("dump", str(session))))
    for line in survived:
        typer.echo(line)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    typer.echo(f"{room}: {kept - len(survived)} of {kept} killed, drawn from {of}; {seconds:.0f} s of processor time")


def _copy(target: Path) -> None:
    """The checkout as it is, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _test_command(room: Room) -> list[str]:
    return [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "--no-cov", *(t for t in room.tests)]


def _config(room: Room) -> str:
    return (
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(room.modules)}\n"
        f"timeout = {SECONDS}\nexcluded-modules = []\n"
        f"test-command = {json.dumps(' '.join(_test_command(room)))}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
    )


def _draw(session: Path, root: Path, *, size: int, seed: int) -> tuple[int, int]:
    """Leave a sample of the session's bugs; returns how many, and of how many."""
    database = sqlite3.connect(session)
    rows = database.execute(
        "select job_id, module_path, operator_name, occurrence, start_pos_row, start_pos_col from mutation_specs"
    ).fetchall()
    trees = {path: ast.parse((root / path).read_text(encoding="utf-8")) for path in {row[1] for row in rows}}
    idle = {path: set(_idle(tree)) for path, tree in trees.items()}
    signs = {path: set(_signs(tree)) for path, tree in trees.items()}
    told = sorted(
        row[1:] + row[:1]
        for row in rows
        if not _within(idle[row[1]], row[4], row[5])
        and ("BinaryOperator" not in row[2] or _within(signs[row[1]], row[4], row[5]))
    )
    kept = {row[-1] for row in random.Random(seed).sample(told, min(size, len(told)))}
    for (job,) in database.execute("select job_id from work_items").fetchall():
        if job not in kept:
            database.execute("delete from mutation_specs where job_id = ?", (job,))
            database.execute("delete from work_items where job_id = ?", (job,))
    database.commit()
    database.close()
    return len(kept), len(told)


Span = tuple[int, int, int, int]


def _idle(tree: ast.Module) -> Iterator[Span]:
    """Where code stands that judges nothing: annotations, decorators, what is raised, names of a module."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        parts += getattr(node, "decorator_list", [])
        if isinstance(node, ast.Raise):
            parts.append(node.exc)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            parts.append(node)
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt):
                yield part.lineno, part.col_offset, part.end_lineno or part.lineno, part.end_col_offset or 0


def _signs(tree: ast.Module) -> Iterator[Span]:
    """Where operators between two values stand; the tool takes the star before keyword-only arguments for one too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            left, right = node.left, node.right
            yield left.end_lineno or 0, (left.end_col_offset or 0) + 1, right.lineno, right.col_offset
        elif isinstance(node, ast.AugAssign):
            yield node.lineno, node.col_offset, node.value.lineno, node.value.col_offset


def _within(spans: set[Span], row: int, column: int) -> bool:
    return any((a, b - 1) <= (row, column) < (c, d) for a, b, c, d in spans)


def _survivors(dumped: str) -> Iterator[str]:
    """What no test noticed, as one line each."""
    for line in dumped.splitlines():
        item, result = json.loads(line)
        if result is None or result["test_outcome"] == "survived":
            (mutation,) = item["mutations"]
            diff = [
                text
                for text in (result or {}).get("diff", "").splitlines()
                if text[:1] in "+-" and text[1:2] != text[:1]
            ]
            row = mutation["start_pos"][0]
            yield f"survived: {mutation['module_path']}:{row} {mutation['operator_name']}\n  " + "\n  ".join(diff)


if __name__ == "__main__":
    app()
