"""Make the stored lives: live them with the present release, through its command line, and store their homes.

`PYTHONPATH=. python tests/golden/make.py LIFE...` from the root of the repository, where LIFE is a function below. It
writes `tests/golden/LIFE/`, which must not be there yet: what an earlier release lived is never lived again, since its
bytes are what later ones are held to. To add a life, write a function, run it once and commit what it wrote; the test
finds it by its directory. No test runs this. Trainings need scikit-learn's digits alone and take two minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.golden.lives import live_tabular, summary_of, verified
from tests.golden.stored_home import rows_of, store

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent

# Two channels, so that weights are small; the learning rate that such a narrow network needs to be admitted.
_DIGITS = """\
stream: digits
format: 1
seed: 1
macro: {channels: 2, depth: 1, resolution: 8}
low: {epochs: 1, fraction: 0.5}
training: {learning_rate: 2e-2, batch_size: 32}
"""
_SEARCHED = f"""\
{_DIGITS}full: {{epochs: 25}}
budget: {{evaluations: 32, full_trainings: 2}}
operators: 2
policy: {{population: 8, sample: 4, batch: 8, oversample: 1, finalists_per_task: 1, recall: 1}}
"""
_FIRST = "tasks:\n  - {name: first, source: digits, limit: 900}\n"
_TRAINED = f"{_SEARCHED}{_FIRST}  - {{name: second, source: digits, limit: 900, transforms: [{{rotate: 90}}]}}\n"
_OPERATED = f"{_SEARCHED}tasks:\n  - {{name: third, source: digits, limit: 900, transforms: [{{rotate: 180}}]}}\n"
_AGAIN = f"{_SEARCHED.replace('evaluations: 32', 'evaluations: 8')}{_FIRST}"
_ONE = f"""\
{_DIGITS}full: {{epochs: 25}}
budget: {{evaluations: 4, full_trainings: 2}}
policy: {{population: 4, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1, recall: 1}}
{_FIRST}"""
_DESIGN = """\
design: tiny
format: 1
task: {name: digits, source: digits, limit: 900}
space: nb201
macro: [c4n1r8, c8n1r8]
precision: float32
targets: {parameters: "<= 30 k", file: "<= 150 kB", accuracy: ">= 0.7 @audit", latency_p95: "<= 1 s @batch 1"}
search:
  budget: {evaluations: 2, full_trainings: 2}
  low: {epochs: 1, steps: 0, fraction: 0.5}
  full: {epochs: 8, steps: 0}
  training: {recipe: plain}
  policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
"""
_RIVALLED = _ONE.replace("macro:", "baselines: [nearest, linear]\nmacro:")
_GUIDED = _ONE.replace("population: 4", "strategy: gdas, population: 4") + "supernet: {epochs: 2}\n"
_PROGRAMMED = """\
stream: programs
format: 1
seed: 0
budget: {evaluations: 30, full_trainings: 1}
policy: {strategy: surrogate, batch: 2, finalists_per_task: 1}
tuning: {proposals: 1, rehearsals: 8, confirm: 0, strategies: [surrogate], programs: 6}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""
# After a policy was adopted on made-up tables where one searches well near the best, tables follow where one does not.
_TUNED = """\
stream: tuned
format: 1
seed: 8
budget: {evaluations: 60, full_trainings: 1}
policy: {strategy: random, population: 20, sample: 10, batch: 4, finalists_per_task: 1, recall: 0}
tuning:
  proposals: 8
  rehearsals: 8
  confirm: 3
  envelope: envelope.yaml
  strategies: [local_search, regularised_evolution, random]
tasks:
  - {name: a, source: table, dataset: a}
  - {name: b, source: table, dataset: b}
  - {name: c, source: table, dataset: c}
  - {name: u, source: table, dataset: checkered-a}
  - {name: v, source: table, dataset: checkered-b}
  - {name: w, source: table, dataset: checkered-c}
  - {name: x, source: table, dataset: checkered-d}
  - {name: y, source: table, dataset: checkered-e}
  - {name: z, source: table, dataset: checkered-f}
"""
_ENVELOPE = """\
set: envelope
language: 1
spaces: [nb201]
rules:
  - id: audits-kept
    scope: policy
    require: new.finalists_per_task >= old.finalists_per_task
    why: every finalist is audited; fewer finalists would mean fewer audits
    message: the new policy audits fewer finalists than the old one
  - id: no-crossover
    scope: policy
    require: new.crossover_percent <= 0
    why: a child of one parent differs from it by one edit, which a reviewer can follow
    message: some children would have two parents
"""
# Z3 is given one step a query, which decides nothing: what a gate records when its solver has no answer.
_STARVED = "from constraints import Guard; Guard.__init__.__kwdefaults__['rlimit'] = 1"
# The release that lived these lives cannot draw a cell with a composed operator; no picture is stored.
_UNDRAWN = "import agent.life.life as life; life.draw_task = lambda *_: None"


def tabular(place: Path) -> None:
    """Tables, sub-cells mined and revoked, memory: the life that a test lives again."""
    live_tabular(place / "home")


def trained(place: Path) -> None:
    """Networks trained and audited under three constraint sets in turn, with people's decisions in between.

    Nothing is recalled where an operator is in force: verification takes what was respelled for one as another network.
    """
    _run(place, _TRAINED)
    _run(place, _OPERATED, "policy.recall=0", first=_UNDRAWN)
    first, _, third = _digests(place, "admitted")
    _review(place, "approve", first, "--author", "Ada", "--task", "first")
    _run(place, _AGAIN, "full.epochs=1", "constraints=oversight")  # one epoch is too little for the audits
    said = ("--author", "Bob", "--reason")
    _review(place, "overrule", _digests(place, "refused")[0], *said, "its errors are harmless here", "--task", "first")
    _run(place, _AGAIN, "constraints=robust", first=_STARVED)
    _run(place, _GUIDED)
    _review(place, "overrule", third, *said, "its data were mislabelled", "--task", "third")
    _revoke(place, _digests(place, "operator.admitted")[0], *said, "hard to explain")
    mined = [json.loads(row.payload) for row in rows_of(place / "home" / "ledger.db") if row.kind == "subcells.mined"]
    _revoke(place, mined[-1]["subcells"][0]["digest"], *said, "hard to explain too")


def tuned(place: Path) -> None:
    """A search policy proposed, tried, adopted, rolled back, kept and refused, on tables."""
    (place / "envelope.yaml").write_text(_ENVELOPE)
    _run(place, _TUNED)


def programmed(place: Path) -> None:
    """An acquisition program bred, proved, rehearsed and adopted on tables, and another bred from it."""
    _run(place, _PROGRAMMED)


def watched(place: Path) -> None:
    """A task followed on new data, which drift, and a successor found."""
    from sklearn.datasets import load_digits

    _run(place, _ONE)
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = digits.images.astype(np.uint8)[order], digits.target[order]
    names, begin = [], 0
    for number, (count, turned) in enumerate(((100, False), (300, True), (300, True), (100, True))):
        rows = slice(begin, begin + count)
        names.append(f"batch{number}.npz")
        np.savez(place / names[-1], x=np.rot90(x[rows], axes=(1, 2)) if turned else x[rows], y=y[rows])
        begin += count
    _selfnas(
        place, "watch", "home", "first", *names, "--least", "500", "--workers", "1", "--device", "cpu", "--no-mirror"
    )


def rivalled(place: Path) -> None:
    """A winner beside baselines that owe nothing to the search."""
    _run(place, _RIVALLED)


def deployed(place: Path) -> None:
    """A network deployed as a file, in both precisions."""
    _run(place, _RIVALLED)
    (digest, *_) = _digests(place, "admitted")
    for precision in ("float32", "int8"):
        words = ("deploy", "bundle", digest, "--home", "home", "--precision", precision)
        _selfnas(place, *words, "--output", str(place / precision))


def designed(place: Path) -> None:
    """A specification answered by a search, a file and what was measured of it."""
    (place / "tiny.yaml").write_text(_DESIGN)
    _selfnas(place, "design", "tiny.yaml", "--folder", "tiny", "--workers", "1", "--device", "cpu")
    (place / "tiny" / "life").rename(place / "home")


_LIVES: dict[str, Callable[[Path], None]] = {
    one.__name__: one for one in (tabular, trained, tuned, programmed, watched, rivalled, deployed, designed)
}


def main() -> None:
    """Make the lives that are named."""
    for name in sys.argv[1:]:
        stored = _HERE / name
        stored.mkdir()
        with tempfile.TemporaryDirectory() as folder:
            _LIVES[name](Path(folder))
            home = Path(folder) / "home"
            store(home, stored)
            rows, found = rows_of(home / "ledger.db"), verified(home)
            if found.problems:
                raise SystemExit("\n".join(found.problems))
            expected = {
                "head": rows[-1].hash,
                "events": len(rows),
                "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
                "verified": {"checked": dict(sorted(found.checked.items())), "notes": found.notes},
                "state": summary_of(home),
            }
            (stored / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def _run(place: Path, stream: str, *settings: str, first: str = "") -> None:
    """One run, under `_selfnas`; the constraint set that it names is accepted."""
    (place / "stream.yaml").write_text(stream)
    sets = [word for setting in settings for word in ("--set", setting)]
    how = ("--workers", "1", "--device", "cpu", "--no-mirror")
    words = ("run", "stream.yaml", "--home", "home", *how, *sets)
    done = _selfnas(place, *words, first=first, check=False)
    if "--accept-set" in done.stderr:
        words = (*words, "--accept-set", done.stderr.rpartition("--accept-set ")[2].strip())
        done = _selfnas(place, *words, first=first)
    if done.returncode:
        raise SystemExit(done.stderr)


def _selfnas(place: Path, *words: str, first: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """The command line, as a person starts it; `first` is executed before it."""
    program = ["-c", f"{first}; from agent.cli import main; main()"] if first else ["-m", "agent"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *program, *words], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    if check and done.returncode:
        raise SystemExit(done.stderr)
    return done


def _review(place: Path, decision: str, digest: str, *words: str) -> None:
    _selfnas(place, "review", decision, digest, "--home", "home", "--no-mirror", *words)


def _revoke(place: Path, digest: str, *words: str) -> None:
    _selfnas(place, "motifs", "revoke", digest, "--home", "home", *words)


def _digests(place: Path, kind: str) -> list[str]:
    """Of every event of a kind."""
    return [str(json.loads(row.payload)["digest"]) for row in rows_of(place / "home" / "ledger.db") if row.kind == kind]


if __name__ == "__main__":
    main()
