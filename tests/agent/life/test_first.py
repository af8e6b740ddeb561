"""What a search tries first: what scored best where a like task has no winner, then published cells."""

from pathlib import Path

from agent.ledger.store import reading
from agent.state.state import replay
from agent.verify.verification import verify
from selfnas.spaces.named import parse_architecture
from selfnas.spaces.published import published
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

# Ten examples to audit decide nothing, however well the network does; so the first task leaves no winner.
STREAM = """\
stream: few
format: 1
macro: {channels: 2, depth: 1, resolution: 8}
budget: {evaluations: 4, full_trainings: 1}
low: {epochs: 1, steps: 0}
full: {epochs: 1, steps: 0}
training: {recipe: plain}
cross_validation: {below: 0}
policy: {population: 3, sample: 2, batch: 4, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
  - {name: few, source: digits, limit: 60}
  - {name: turned, source: digits, limit: 60, transforms: [{rotate: 180}]}
"""


def test_a_like_task_that_admitted_nothing_still_teaches_where_to_start(tmp_path: Path) -> None:
    """Its best cell comes first, then published ones; verification knows what was scored before."""
    (tmp_path / "few.yaml").write_text(STREAM)
    done = inside(tmp_path, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    with reading(tmp_path / "home") as ledger:
        first, second = replay(ledger).runs[0].tasks
    assert not first.admitted()
    best = max(first.trials, key=lambda trial: trial.value).architecture
    assert [one.origin for one in first.evaluations] == ["published"] * 3 + ["searched"]
    assert second.evaluations[0].origin == "scored"
    assert parse_architecture(second.evaluations[0].architecture).digest == best.digest
    cells = {one.digest for one in published(best.space, best.macro)}
    assert {one.digest for one in second.evaluations if one.origin == "published"} <= cells

    def elsewhere(events: Events) -> None:
        for kind, payload in events:
            if kind == "evaluated" and payload["origin"] == "published":
                payload["origin"] = "scored"

    forged = rewrite(tmp_path / "home", tmp_path / "forged", elsewhere)
    with reading(forged.root) as ledger:
        problems = verify(ledger, forged).problems
    assert any("called scored on an earlier task, and was not" in problem for problem in problems)
