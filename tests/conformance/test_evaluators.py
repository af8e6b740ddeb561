"""What every evaluator must do, whatever its scores come from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from agent.stream.file import Stream
from agent.workers.executor import WorkerDied
from agent.workers.process import run_job
from agent.workers.timing import WorkTime
from agent.workers.trained import Examination, Examiner, SupernetTrainer, TrainedEvaluator
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import SPACES
from selfnas.tables.tabular import TabularEvaluator, synthetic_benchmark
from selfnas.testing import check_evaluator
from selfnas.testing.promises import ConformanceError
from selfnas.training.evaluation import Evaluation, Evaluator, Fidelity, OnDone, ProxyScorer, Request, unheard
from selfnas.training.proxies import PROXIES

MACRO = Macro(channels=4, depth=1, resolution=8)
LOW = Fidelity(name="low", epochs=4)
GOOD = [
    SPACES["nb201"].decode(np.array(row, dtype=np.int8), macro=MACRO)
    for row in ([1, 0, 0, 2, 0, 3], [4, 1, 3, 1, 0, 2])
]
FOREIGN = SPACES["darts"].decode(SPACES["darts"].draw(np.random.default_rng(0), 1)[0], macro=MACRO)
every_evaluator = pytest.mark.parametrize("name", ["tabular", "trained", "made up"])


@dataclass(frozen=True)
class MadeUp:
    """Scores that hang on the request alone, and two proxies; architectures of one space only."""

    def evaluate(self, requests: Sequence[Request], *, on_done: OnDone = unheard) -> list[Evaluation]:
        """A digest of the request as a number in [0, 1)."""
        for _ in requests:
            on_done()
        return [self._score(request) for request in requests]

    def _score(self, request: Request) -> Evaluation:
        if request.architecture.space.name != "nb201":
            return Evaluation(score=None, reason="of another space")
        return Evaluation(score=_number(f"{request.architecture} {request.fidelity.name} {request.seed}"))

    def proxy_scores(
        self, requests: Sequence[Request], *, proxy: str | None = None
    ) -> list[Mapping[str, float | None]]:
        """Digests of proxy and architecture."""
        names = [proxy] if proxy else list(PROXIES)
        return [{name: _number(f"{name} {request.architecture}") for name in names} for request in requests]


def _number(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) / 16**6


class ThisProcess:
    """Does the jobs of workers here; whoever works on a foreign architecture dies of it."""

    def expect(self, jobs: Sequence[str]) -> None:
        """Nothing is begun before it is asked for."""

    def answers(self, jobs: Sequence[str], *, on_done: Callable[[], None]) -> list[str | WorkerDied]:
        """As `Workers.answers`."""
        told: list[str | WorkerDied] = []
        for job in jobs:
            told.append(WorkerDied("the worker process died") if str(FOREIGN) in job else run_job(job))
            on_done()
        return told


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedEvaluator:
    """Trains for one epoch on a few digits, in this process."""
    place, spec = tmp_path_factory.mktemp("trained"), TaskSpec(name="digits", source="digits", limit=600)
    stream = Stream.model_validate({
        "stream": "tiny", "format": 1, "tasks": [spec.model_dump(exclude_none=True)],
        "macro": {"channels": 4, "depth": 1, "resolution": 8},
        "supernet": {"epochs": 1}, "training": {"batch_size": 16},
    })  # fmt: skip
    return TrainedEvaluator(
        workers=ThisProcess(),  # type: ignore[arg-type]
        work=WorkTime(),
        stream=stream,
        space="nb201",
        macro="c4n1r8",
        task=spec,
        task_digest=load_task(spec, base=Path()).digest,
        base=place,
        device="cpu",
        suite="baseline",
        weights=place / "weights",
        pictures=place / "pictures",
    )


@pytest.fixture
def evaluator(name: str, trained: TrainedEvaluator) -> Evaluator:
    """One of each kind."""
    table = TabularEvaluator(benchmark=synthetic_benchmark(), task="a")
    return {"tabular": table, "trained": trained, "made up": MadeUp()}[name]


def requests(*architectures: Architecture, fidelity: Fidelity = LOW) -> list[Request]:
    """One for each, with a seed of its own."""
    return [Request(architecture=each, fidelity=fidelity, seed=seed) for seed, each in enumerate(architectures)]


@every_evaluator
def test_every_evaluator_keeps_its_promises(evaluator: Evaluator) -> None:
    """Order, repetition, failures and curves, for architectures that it can score and one that it cannot."""
    check_evaluator(evaluator, [GOOD[0], FOREIGN, GOOD[1]], fidelity=LOW)


@every_evaluator
def test_a_failure_spoils_no_other_answer(evaluator: Evaluator) -> None:
    """It has a reason and no score, and stands in its place."""
    good, failed, last = evaluator.evaluate(requests(GOOD[0], FOREIGN, GOOD[1]))
    assert (failed.score, bool(failed.reason)) == (None, True)
    assert good.score is not None
    assert last.score is not None


class Broken(MadeUp):
    """Breaks one promise."""

    def __init__(self, how: str) -> None:
        self.how, self.calls = how, 0

    def evaluate(self, requests: Sequence[Request], *, on_done: OnDone = unheard) -> list[Evaluation]:
        """Answers that count calls, move a global generator, are not finite, out of order, too few or not told."""
        self.calls += 1
        answers = super().evaluate(requests, on_done=unheard if self.how == "silent" else on_done)
        match self.how:
            case "counting":
                return [Evaluation(score=float(self.calls)) for _ in answers]
            case "drawing":
                np.random.random()  # noqa: NPY002 - the breach
            case "dividing":
                return [Evaluation(score=0.5, metrics={"ratio": math.inf}) for _ in answers]
            case "sorting":
                return sorted(answers, key=lambda one: one.score or 0.0)
            case "losing":
                return answers[1:]
            case "boasting":
                return [Evaluation(score=0.9, curve=(0.5,)) for _ in answers]
        return answers


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("counting", "equal requests"),
        ("drawing", "generator"),
        ("dividing", "not finite"),
        ("sorting", "equal requests"),
        ("losing", "3 requests got 2 answers"),
        ("silent", "reported 0 times"),
        ("boasting", "not the best of its curve"),
    ],
)
def test_a_broken_evaluator_is_found_out(how: str, message: str) -> None:
    """Whatever promise it breaks."""
    with pytest.raises(ConformanceError, match=message):
        check_evaluator(Broken(how), [GOOD[0], FOREIGN, GOOD[1]], fidelity=LOW)


@every_evaluator
def test_proxies_are_scored_where_they_are_declared(name: str, evaluator: Evaluator) -> None:
    """One row for each request, in order; one proxy, or all of them."""
    assert isinstance(evaluator, ProxyScorer) == (name != "tabular")
    if isinstance(evaluator, ProxyScorer):
        one = evaluator.proxy_scores(requests(*GOOD), proxy="params")
        assert [set(row) for row in one] == [{"params"}] * 2
        assert list(evaluator.proxy_scores(requests(*GOOD)[::-1], proxy="params")) == list(one)[::-1]
        assert [set(row) for row in evaluator.proxy_scores(requests(*GOOD))] == [set(PROXIES)] * 2


@every_evaluator
def test_examinations_are_answered_where_they_are_declared(name: str, evaluator: Evaluator) -> None:
    """A network that is trained fully is tested; one whose training fails has a reason instead."""
    assert isinstance(evaluator, Examiner) == (name == "trained")
    if isinstance(evaluator, Examiner):
        good, failed = evaluator.examine([Examination(request=each) for each in requests(GOOD[0], FOREIGN)])
        assert (good.reason, good.weights_sha256, good.findings) == ("", "", [])
        assert 0 <= good.test_correct <= good.test_count > 0
        assert (failed.score, failed.reason) == (None, "the worker process died")


@every_evaluator
def test_supernets_are_trained_where_they_are_declared(name: str, evaluator: Evaluator, tmp_path: Path) -> None:
    """Architectures are scored with the weights that training left, in order."""
    assert isinstance(evaluator, SupernetTrainer) == (name == "trained")
    if isinstance(evaluator, SupernetTrainer):
        answer = evaluator.train_supernet("one_shot", seed=3, folder=tmp_path)
        weights = tmp_path / f"{answer.weights_sha256}.safetensors"
        scored = evaluator.inherited_scores(GOOD, seed=3, weights=weights)
        assert evaluator.inherited_scores(GOOD[::-1], seed=3, weights=weights).scores == scored.scores[::-1]
        assert len(scored.scores) == 2
