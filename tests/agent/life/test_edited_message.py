"""A life that is cut off, goes on under a set with other words for the same rules, and verifies."""

from pathlib import Path

import pytest

from agent.ledger.events import Rejected
from agent.life.life import Life
from tests.agent.conftest import inside
from tests.agent.tabular_lives import ledger_of

STREAM = """\
stream: worded
format: 1
constraints: mine.yaml
budget: {evaluations: 6, full_trainings: 1}
policy: {population: 4, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""
SET = """\
set: mine
language: 1
spaces: [nb201]
rules:
  - {id: few-convolutions, scope: cell, require: "count(edge(op: conv3x3)) <= 1", why: a test, message: MESSAGE}
"""
RUN = ("run", "stream.yaml", "--home", "home", "--workers", "1", "--no-mirror")


def test_a_message_may_be_edited_while_a_life_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals before and after have the words of their time, one for each task, and all of them verify."""
    (tmp_path / "stream.yaml").write_text(STREAM)
    rules = tmp_path / "mine.yaml"
    rules.write_text(SET.replace("MESSAGE", "too many convolutions"))
    append = Life.append

    def stopping(life: Life, entries: object) -> object:
        done = append(life, entries)  # type: ignore[arg-type]
        if messages(tmp_path / "home"):
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Life, "append", stopping)
        assert inside(tmp_path, *RUN).returncode not in (0, 2)
    before = messages(tmp_path / "home")
    rules.write_text(SET.replace("MESSAGE", "more than one convolution"))
    done = inside(tmp_path, *RUN)
    assert done.returncode == 0, done.stderr
    after = messages(tmp_path / "home")[len(before) :]
    assert set(before) == {"few-convolutions: too many convolutions"}
    assert set(after) == {"few-convolutions: more than one convolution"}
    verified = inside(tmp_path, "verify", "--home", "home")
    assert verified.returncode == 0, verified.stdout


def messages(home: Path) -> list[str]:
    """What refusals say, in order."""
    with ledger_of(home) as ledger:
        return [one for event in ledger.events() if isinstance(event.facts, Rejected) for one in event.facts.messages]
