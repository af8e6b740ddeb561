"""Where repeated scores do not agree, a task is scored at a higher fidelity, which verification holds it to."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.ledger.events import UNSET, Agreement, Evaluated, Event, Facts, Filtered
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.state.agreement import LOW, RAISED, agreement_sentence, as_recorded, measured_agreement
from agent.stream.file import read_stream
from agent.verify.verification import verify
from agent.workers.jobs import FullAnswer, LowAnswer, LowJob, job_from_json
from selfnas import seeding
from selfnas.data.tasks import load_task
from selfnas.training.schedule import batch_size_for, fit_schedule
from tests.agent.made_up import changed, made_up
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events

STREAM = """\
stream: few
format: 1
baselines: none
macro: {channels: 2, depth: 1, resolution: 8}
budget: {evaluations: 16, full_trainings: 1}
policy: {population: 4, sample: 2, batch: 4, oversample: 1, recall: 0, finalists_per_task: 1}
tasks:
  - {name: few, source: digits, limit: 60}
"""


class Chance:
    """Workers that answer without training: at the low fidelity by chance, at a higher one by the architecture."""

    def __init__(self) -> None:
        self.asked: list[LowJob] = []

    def expect(self, jobs: Sequence[str]) -> None:
        """Nothing is begun before it is asked for."""

    def answers(self, jobs: Sequence[str], *, on_done: object = None) -> tuple[str, ...]:
        """As `Workers.answers`."""
        return tuple(self._answer(job_from_json(text)) for text in jobs)

    def _answer(self, job: object) -> str:
        if not isinstance(job, LowJob):
            return FullAnswer(reason="not to be had here").model_dump_json()
        self.asked.append(job)
        repeats = job.cross_validation.repeats
        chance, own = seeding.generator(job.seed), seeding.generator(0, job.architecture).random()
        task = load_task(job.task, base=Path(job.base))
        training, both = len(task.train), len(task.train) + len(task.validation)
        drawn = chance.random(repeats).tolist() if repeats == 2 else [own] * repeats
        scores = [round(each * both) / both for each in drawn]  # an accuracy is a count
        mean = sum(scores) / len(scores)
        inside = both - math.ceil(both / job.cross_validation.folds)
        schedule = fit_schedule(job.fidelity.fidelity("low"), inside, batch_size=batch_size_for(training, 64))
        return LowAnswer(score=mean, curve=[mean] * len(schedule.parts), repeats=scores).model_dump_json()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Chance]:
    """A life whose first scores say nothing, and what its workers were asked."""
    place, workers = tmp_path_factory.mktemp("agreement"), Chance()
    (place / "few.yaml").write_text(STREAM)
    prepared = prepare(read_stream(place / "few.yaml"))
    with hold(place / "home") as held, Ledger(held.ledger, clock=time.time) as ledger:
        Life(ledger, prepared, workers, home=held, device="cpu", observer=Unobserved()).run()  # type: ignore[arg-type]
    return place / "home", workers


def events_of(home: Path) -> list[Event[Facts]]:
    """Every event of a life."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


def test_the_fidelity_is_raised_and_the_better_half_scored_again(lived: tuple[Path, Chance]) -> None:
    """After the second round, with twice the repeats; nothing is scored low after that."""
    home, workers = lived
    facts = [event.facts for event in events_of(home)]
    told = [found.agreement for found in facts if isinstance(found, Filtered) and found.agreement is not UNSET]
    assert [(found.fidelity, found.raised) for found in told] == [(LOW, True), (RAISED, False)]
    assert told[0].correlation < 0.6 < told[1].correlation
    assert "twice the repeats" in agreement_sentence(told[0])
    evaluated = [found for found in facts if isinstance(found, Evaluated)]
    assert [found.fidelity for found in evaluated] == [LOW] * 8 + [RAISED] * 8
    best = sorted(evaluated[:8], key=lambda found: -float(found.score or 0))[:4]
    again = [found for found in evaluated if found.origin == "promoted"]
    assert [found.digest for found in again] == [found.digest for found in best]
    steps = [(job.fidelity.steps, job.cross_validation.repeats) for job in workers.asked]
    assert steps == [(120, 2)] * 8 + [(120, 4)] * 8
    assert len({found.digest for found in evaluated}) == 12


def say_more(events: Events) -> None:
    """Scores that agree a little better."""
    for kind, payload in events:
        if kind == "filtered" and "agreement" in payload:
            payload["agreement"]["correlation"] += 0.01


def say_nothing(events: Events) -> None:
    """Nothing was measured."""
    for kind, payload in events:
        if kind == "filtered":
            payload.pop("agreement", None)


def repeat_better(events: Events) -> None:
    """The first score is better than its repeats."""
    next(payload for kind, payload in events if kind == "evaluated")["repeats"][0] += 0.1


def score_low(events: Events) -> None:
    """The last score is told as one of the low fidelity."""
    [payload for kind, payload in events if kind == "evaluated"][-1]["fidelity"] = LOW


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (None, ""),
        (say_more, "what it says of the agreement of scores is not what their repeats give"),
        (say_nothing, "what it says of the agreement of scores is not what their repeats give"),
        (repeat_better, "its score is not the mean of its repeats"),
        (score_low, "scored at fidelity low, which the agreement of scores does not call for"),
    ],
)
def test_verification_measures_agreement_again(
    lived: tuple[Path, Chance], tmp_path: Path, edit: Edit | None, message: str
) -> None:
    """From the recorded repeats; whoever claims another agreement, or scores at another fidelity, is named."""
    forged = rewrite(lived[0], tmp_path / "forged", edit or (lambda events: None))
    with Ledger(forged.ledger, clock=time.time, read_only=True) as ledger:
        problems = verify(ledger, forged).problems
    named = [problem for problem in problems if message in problem]
    assert bool(named) is bool(message), problems


def test_it_is_measured_once_and_only_on_repeats() -> None:
    """Six architectures at least; validated on a split there are none; what was raised is measured anew."""
    scores = [[number / 10, number / 10 + 0.01] for number in range(6)]
    low = [made_up(Evaluated, fidelity=LOW, digest=str(n), score=0.5, repeats=own) for n, own in enumerate(scores)]
    found = measured_agreement(low, [])
    assert found == Agreement(fidelity=LOW, architectures=6, correlation=1.0, noise=0.005, raised=False)
    assert measured_agreement(low, [found]) is UNSET
    assert measured_agreement(low[:5], []) is UNSET
    assert measured_agreement([replace(one, repeats=UNSET) for one in low], []) is UNSET
    raised = changed(low[0], fidelity=RAISED)
    assert measured_agreement([*low, raised], [found]) is UNSET


@pytest.mark.parametrize(("apart", "raised"), [(0.1, True), (0.003, False)])
def test_it_is_not_raised_where_a_wrong_choice_costs_next_to_nothing(apart: float, raised: bool) -> None:
    """Scores in no common order, far apart or all but equal; lives that told no noise raised whatever it was."""
    ranks = [[1, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1]]
    scores = [[0.9 + apart * (rank - 6) for rank in pair] for pair in ranks]
    low = [made_up(Evaluated, fidelity=LOW, digest=str(n), score=0.5, repeats=own) for n, own in enumerate(scores)]
    found = measured_agreement(low, [])
    assert found is not UNSET
    assert (found.correlation, found.raised) == (-1.0, raised)
    assert ("nearly equal" in agreement_sentence(found)) is not raised
    earlier = replace(found, noise=UNSET, raised=True)
    assert as_recorded(found, earlier) == earlier
    assert as_recorded(found, found) == found
