"""What records mean: trainings against their plan, data against their source, certificates against engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.ledger import events
from agent.ledger.home import Home
from agent.stream.file import Stream
from agent.stream.training import plan_digest
from agent.verify.meaning.examples import ExampleChecker, Sizes
from agent.verify.meaning.trainings import TrainingChecker
from constraints import Certificate
from constraints.judging.releases import unknown_engines
from tests.agent.conftest import inside
from tests.agent.made_up import made_up
from tests.agent.tabular_lives import TABLES, live
from tests.golden.stored_home import rebuild
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

CELL = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|"
STREAM: dict[str, Any] = {
    "stream": "s",
    "format": 1,
    "space": "nb201",
    "low": {"epochs": 3, "steps": 0},
    "full": {"epochs": 8, "steps": 0, "patience": 2},
    "tasks": [{"name": "first", "source": "digits"}],
}
# Of 640 training and 160 validation examples: ten steps an epoch. Of 200 and 50: six, and few enough for folds.
LARGE = Sizes(train=640, validation=160, audit=160, test=200, grouped=False)
SMALL = Sizes(train=200, validation=50, audit=50, test=60, grouped=False)
CURVE = [0.25, 0.5, 0.75]
FULL = [0.25, 0.5, 0.75, 0.5, 0.625, 0.5, 0.75, 0.5]


def problems_of(
    facts: events.Facts, sizes: Sizes = LARGE, size: tuple[int, ...] = (8, 8), **settings: Any
) -> list[str]:
    """What is said of one training of a task with splits and examples of such sizes."""
    checker = TrainingChecker()
    checker.run_begins(Stream.model_validate({**STREAM, **settings}))
    shape = events.Shape(channels=1, size=list(size), classes=2)
    checker.task_begins(made_up(events.TaskStarted, shape=shape), sizes)
    end = made_up(events.TaskFinished, winner=None, full_trainings=0)
    return [problem for one in (facts, end) for problem in checker.check(one)]


def evaluated(**told: Any) -> events.Evaluated:
    """A score at low fidelity."""
    return made_up(events.Evaluated, **{"architecture": CELL, "score": 0.75, "curve": CURVE, **told})


def trained(**told: Any) -> events.Trained:
    """A full training whose best validation came last at the seventh of eight, and a second one for as long."""
    base = {"architecture": CELL, "validation": 0.75, "curve": FULL, "test_count": 200, "test_correct": 100}
    values = {**base, "refit": {"steps": 88, "examples": 800}, **told}
    return made_up(events.Trained, **{name: value for name, value in values.items() if value is not None})


HONEST: dict[str, tuple[events.Facts, dict[str, Any]]] = {
    "a score": (evaluated(), {}),
    "a crash": (evaluated(score=None, curve=[0.5], reason="it diverged"), {}),
    "a score given up by its curve": (evaluated(curve=[0.25], score=0.25), {"curve_stop": True}),
    "a full training": (trained(), {}),
    "a full training that lost patience": (
        trained(curve=[0.25, 0.75, 0.5, 0.5], refit={"steps": 50, "examples": 800}),
        {},
    ),
    "a full training without a second one": (trained(refit=None), {}),
    "a crash in full training": (trained(curve=[], validation=0.0, reason="it diverged", refit=None), {}),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_a_training_can_give_is_not_accused(name: str) -> None:
    """Whole curves, crashes, trainings that ended early for a reason, with and without a second one."""
    facts, settings = HONEST[name]
    assert problems_of(facts, **settings) == []


def test_a_score_by_another_metric_need_be_no_count() -> None:
    """Only accuracies are counts; the curve must have its points all the same."""
    checker = TrainingChecker()
    checker.run_begins(Stream.model_validate(STREAM))
    checker.task_begins(made_up(events.TaskStarted, metric="balanced_accuracy"), LARGE)
    assert [*checker.check(evaluated(score=0.123456, curve=[0.1, 0.11, 0.123456]))] == []
    assert [*checker.check(made_up(events.TaskFinished, winner=None, full_trainings=0))] == []


def test_a_cross_validated_score_is_not_accused() -> None:
    """Two repeats of counts over training and validation examples, their mean, and a point for each validation."""
    told = evaluated(score=0.75, curve=[0.25, 0.502, 0.75], repeats=[0.748, 0.752])
    assert problems_of(told, SMALL) == []


def crossed(steps: int = 74, folds: int = 3, **told: Any) -> events.Trained:
    """A full training of a small task, whose best validation by three networks made alike was the seventh of eight."""
    curve = [value / 250 for value in (100, 120, 140, 150, 160, 170, 180, 170)]
    refit = {"steps": steps, "examples": 250, "folds": folds}
    base = {"validation": 0.72, "curve": curve, "refit": refit, "test_count": 60, "test_correct": 30}
    return trained(**{**base, **told})


def test_a_length_by_held_out_answers_is_not_accused() -> None:
    """As many points as the folds are validated, counts over all examples, as many passes as were right."""
    assert problems_of(crossed(), SMALL) == []
    assert problems_of(crossed(steps=84, curve=[0.2] * 8, validation=0.2), SMALL) == []


@pytest.mark.parametrize(
    ("facts", "settings", "message"),
    [
        (crossed(steps=75), {}, "trained a second time for 75 steps, which its held-out answers do not give"),
        (crossed(folds=5), {}, "5 networks made alike decided for how long it is trained, the stream makes 3"),
        (crossed(), {"cross_validation": {"full_below": 0}}, "3 networks made alike decided"),
        (crossed(curve=[0.2] * 7), {}, "its curve has 7 points, its plan gives 8"),
        (crossed(curve=[0.2] * 7 + [0.201]), {}, "0.201000 is that of no number of 250 examples"),
    ],
)
def test_a_length_that_held_out_answers_do_not_give_is_named(
    facts: events.Facts, settings: dict[str, Any], message: str
) -> None:
    """By steps, networks, points and counts."""
    assert any(message in problem for problem in problems_of(facts, SMALL, **settings))


@pytest.mark.parametrize(
    ("counts", "steps", "problem"),
    [
        ((150, 160, 180, 180), 452, ""),  # 300 steps are the whole, and the last of equals
        ((150, 180, 160, 170), 50, ""),
        ((180, 160, 170), 30, ""),  # two that are worse end the trials
        ((150, 250), 50, ""),  # and so does one without a fault
        ((180, 160, 170, 150, 140), 30, "its curve has 5 points, its plan gives 3"),
        ((150, 180, 160), 50, "its curve has 3 points, its plan gives 4"),
        ((150, 180, 160, 170), 30, "trained a second time for 30 steps"),
    ],
)
def test_lengths_of_a_table_are_tried_until_it_is_long_enough(
    counts: tuple[int, ...], steps: int, problem: str
) -> None:
    """A point for each length, which ends where two in a row are worse or nothing is wrong."""
    curve = [count / 250 for count in counts]
    full = {"steps": 300}
    found = problems_of(crossed(steps=steps, curve=curve, validation=max(curve)), SMALL, size=(), full=full)
    assert [told for told in found if problem in told] if problem else found == []


@pytest.mark.parametrize(
    ("counts", "steps", "teacher", "problem"),
    [
        ((150, 160, 180, 170, 190), 151, "forest", ""),
        ((150, 160, 180, 170, 178), 151, "linear+boosting", ""),  # as good but for chance
        ((150, 160, 180, 170, 190), 151, "boosting+linear", "by whom nothing of such a task"),
        ((150, 180, 160, 170, 160), 50, None, ""),  # no teacher helped
        ((150, 160, 170, 180, 190, 175), 1355, None, ""),  # nor where three times the whole is best
        ((150, 180, 160, 170, 190), 151, None, "is best with a teacher, and it says otherwise"),
        ((150, 180, 160, 170, 160), 50, "forest", "is best without a teacher, and it says otherwise"),
        ((150, 180, 160, 170), 151, "forest", "its curve has 4 points, its plan gives 5"),
        ((150, 180, 160, 170, 190), 151, "rocket", "rocket taught it, by whom nothing of such a task"),
    ],
)
def test_a_teacher_is_where_the_curve_says_so(
    counts: tuple[int, ...], steps: int, teacher: str | None, problem: str
) -> None:
    """Lengths without one come first, then those with; the best of all decides."""
    curve = [count / 250 for count in counts]
    refit = {"steps": steps, "examples": 250, "folds": 3} | ({"teacher": teacher} if teacher else {})
    told = crossed(curve=curve, validation=max(curve), refit=refit)
    found = problems_of(told, SMALL, size=(), full={"steps": 300})
    assert [each for each in found if problem in each] if problem else found == []


ALONE, WORSE = (100, 120, 140, 150, 160, 170, 180, 170), (100, 110, 120, 120, 120, 120, 120, 120)


@pytest.mark.parametrize(
    ("counts", "steps", "teacher", "problem"),
    [
        (ALONE + WORSE, 84, None, ""),
        (WORSE + ALONE, 84, "rocket", ""),
        (ALONE + ALONE, 84, "rocket", ""),  # as good with a teacher
        (ALONE, 84, "rocket", ""),  # earlier releases did not try without
        (ALONE, 84, None, ""),  # nobody could teach
        (ALONE + WORSE, 84, "rocket", "is best without a teacher, and it says otherwise"),
        (WORSE + ALONE, 84, None, "is best with a teacher, and it says otherwise"),
        (ALONE + WORSE[:7], 84, None, "its curve has 15 points, its plan gives"),
        (ALONE + WORSE, 84, "forest", "forest taught it, by whom nothing of such a task"),
    ],
)
def test_series_are_tried_without_their_teacher_too(
    counts: tuple[int, ...], steps: int, teacher: str | None, problem: str
) -> None:
    """Eight validations of one length each way; what is better but for chance counts."""
    curve = [count / 250 for count in counts]
    refit = {"steps": steps, "examples": 250, "folds": 3} | ({"teacher": teacher} if teacher else {})
    told = crossed(curve=curve, validation=max(curve), refit=refit)
    found = problems_of(told, SMALL, size=(40,), training={"recipe": "strong"})
    assert [each for each in found if problem in each] if problem else found == []


def test_a_stream_that_has_no_teacher_is_held_to_it() -> None:
    """A plain recipe, or a slot of 0."""
    curve = [count / 250 for count in (150, 160, 180, 170, 190)]
    refit = {"steps": 151, "examples": 250, "folds": 3, "teacher": "forest"}
    told = crossed(curve=curve, validation=max(curve), refit=refit)
    for training in ({"recipe": "plain"}, {"slots": {"distil": 0}}):
        found = problems_of(told, SMALL, size=(), full={"steps": 300}, training=training)
        assert any("forest taught it" in each for each in found)


FORGED: dict[str, tuple[events.Facts, Sizes, dict[str, Any], str]] = {
    "a point too few": (evaluated(curve=CURVE[1:]), LARGE, {}, "its curve has 2 points of 3"),
    "a point too many": (evaluated(curve=[0.1, *CURVE]), LARGE, {}, "its curve has 4 points, its plan gives 3"),
    "no count": (evaluated(curve=[0.25, 0.5, 0.751]), LARGE, {}, "0.751000 is that of no number of 160 examples"),
    "a curve cut short": (trained(curve=FULL[:4]), LARGE, {}, "its curve has 4 points of 8, and nothing"),
    "more steps": (
        trained(refit={"steps": 100, "examples": 800}),
        LARGE,
        {},
        "for 100 steps, its first training gives 88",
    ),
    "more examples": (trained(refit={"steps": 88, "examples": 900}), LARGE, {}, "on 900 examples, there are 800"),
    "more tests": (trained(test_count=400), LARGE, {}, "it was tested on 400 examples, there are 200"),
    "a repeat too few": (evaluated(score=0.75, repeats=[0.752]), SMALL, {}, "it has 1 repeats, the stream makes 2"),
    "a repeat that is no count": (
        evaluated(score=0.75, repeats=[0.749, 0.751]),
        SMALL,
        {},
        "0.749000 is that of no number of 250 examples",
    ),
    "cross-validated for no reason": (
        evaluated(repeats=[0.75, 0.75]),
        LARGE,
        {},
        "cross-validated, which a task of 800 examples is not",
    ),
    "another plan": (
        evaluated(plan="0" * 64),
        LARGE,
        {},
        "the stream's settings of training are not those that it was trained by",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_no_training_can_give_is_named(name: str) -> None:
    """By number of points, count, steps, examples or plan."""
    facts, sizes, settings, message = FORGED[name]
    assert any(message in problem for problem in problems_of(facts, sizes, **settings))


def test_a_plan_is_told_from_another_by_every_setting() -> None:
    """The same settings give the same digest, another learning rate or fidelity another."""
    stream = Stream.model_validate(STREAM)
    low, full = stream.low.fidelity("low"), stream.full.fidelity("full")
    slower = stream.training.model_copy(update={"learning_rate": 0.001})
    digests = {plan_digest(stream.training, low), plan_digest(stream.training, full), plan_digest(slower, low)}
    assert len(digests) == 3
    assert problems_of(evaluated(plan=plan_digest(stream.training, low))) == []


@pytest.mark.parametrize(
    ("engines", "known"),
    [
        ({"referee": "1", "z3": "5.4.1"}, True),
        ({"referee": "1", "z3": "5.4.0"}, True),
        ({"referee": "1"}, True),
        ({"referee": "1", "z3": "99.9"}, False),
        ({"referee": "1", "z3": "4.8.0"}, False),
        ({"referee": "2", "z3": "5.4.1"}, False),
        ({"referee": "1", "z3": "newest"}, False),
        ({"oracle": "1"}, False),
    ],
)
def test_engines_are_releases_that_there_were(engines: dict[str, str], known: bool) -> None:
    """Of Z3 from the first that this package asks for to the one that is here."""
    certificate = Certificate(guard="", subject="", digest="", shape="", rules="", verdict="undecided", engines=engines)
    assert (unknown_engines(certificate) == ()) is known


def test_a_message_of_a_rule_is_no_meaning(tmp_path: Path) -> None:
    """A person may edit it before a life goes on; a message of a rule that is not broken is another matter."""
    rebuild(Path(__file__).parents[2] / "golden" / "tuned", tmp_path / "home")

    def edit(change: str) -> str:
        def one(told: Events) -> None:
            for kind, payload in told:
                if kind == "rejected":
                    first = payload["messages"][0]
                    payload["messages"][0] = change + first.partition(":")[2] if change != "!" else f"{first}!"

        forged = rewrite(tmp_path / "home", tmp_path / f"edited {change.strip(': ')}", one)
        done = inside(tmp_path, "verify", "--home", forged.root)
        return "" if done.returncode == 0 else " ".join(done.stdout.split())

    assert edit("!") == ""
    assert "or whose messages it gives" in edit("another: ")


def test_data_and_tables_in_files_are_read_again(tmp_path: Path) -> None:
    """`verify --deep` finds data that were changed since; where they are gone it says that nothing is known."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 6, 6)).astype(np.float32), np.arange(120) % 2
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    (tmp_path / "s.yaml").write_text(
        "stream: s\nformat: 1\nbaselines: none\nspace: nb201\nmacro: {channels: 2, depth: 1, resolution: 8}\n"
        "budget: {evaluations: 1, full_trainings: 1}\nlow: {epochs: 1, steps: 0}\nfull: {epochs: 1, steps: 0}\n"
        "cross_validation: {below: 0}\nrefit: false\n"
        "policy: {batch: 1, oversample: 1, recall: 0, finalists_per_task: 1}\n"
        "tasks: [{name: mine, source: npz, path: mine.npz, kind: image}]\n"
    )
    assert inside(tmp_path, "run", "s.yaml", "--home", "home", "--workers", "1", "--no-mirror").returncode == 0
    deep = ("verify", "--home", "home", "--deep", "--sample", "0")
    whole = inside(tmp_path, *deep)
    assert whole.returncode == 0, whole.stdout
    assert "1 data read again" in whole.stdout
    np.savez(tmp_path / "mine.npz", x=x + 1, y=y[::-1])
    changed = inside(tmp_path, *deep)
    assert changed.returncode == 1
    assert "its data are not those that the ledger records" in changed.stdout
    (tmp_path / "mine.npz").unlink()
    gone = inside(tmp_path, *deep)
    assert gone.returncode == 0
    assert "its data are not here" in gone.stdout


def test_rounds_of_an_earlier_release_of_a_strategy_are_told_and_not_accused(tmp_path: Path) -> None:
    """Those of the present one are searched again; a release that there never was is a finding."""
    live(tmp_path / "home", text=TABLES.replace("evaluations: 16", "evaluations: 12").rpartition("  - ")[0])

    def verified(name: str, release: int | None) -> tuple[int, str]:
        def edit(told: Events) -> None:
            for kind, payload in told:
                if kind == "filtered":
                    assert payload.pop("release") == 3
                    payload.update({} if release is None else {"release": release})

        home = rewrite(tmp_path / "home", tmp_path / name, edit)
        done = inside(tmp_path, "verify", "--home", home.root)
        return done.returncode, " ".join(done.stdout.split())

    present = verified("present", 3)
    assert present[0] == 0
    assert "searched again" not in present[1]
    before = verified("before", None)
    assert before[0] == 0
    assert "its rounds are not searched again: 'transfer' was of release 1 then" in before[1]
    second = verified("second", 2)
    assert second[0] == 0
    assert "its rounds are not searched again: 'transfer' was of release 2 then" in second[1]
    never = verified("never", 4)
    assert never[0] == 1
    assert "a round is of release 4 of 'transfer', of which there were 3" in never[1]


@pytest.mark.parametrize(
    ("size", "told", "kind", "message"),
    [
        ((), ["constant", "nearest", "linear", "forest", "boosting"], None, ""),
        ((), ["constant", "linear"], None, "its stream wants constant, nearest, linear, forest, boosting"),
        ((8, 8), [], None, "it begins with baselines none"),
        ((40,), ["constant", "nearest", "linear", "bag", "forest"], None, ""),
        ((40,), ["constant", "nearest", "linear", "bag", "forest"], "series", "its stream wants constant, nearest"),
    ],
)
def test_baselines_are_those_of_the_stream_also_in_a_life_without_its_data(
    size: tuple[int, ...], told: list[str], kind: str | None, message: str, tmp_path: Path
) -> None:
    """The shape of an example tells what kind of task it is, or the stream does."""
    task = {"name": "first", "source": "npz", "path": "elsewhere.npz"} | ({"kind": kind} if kind else {})
    checker = ExampleChecker(Home(tmp_path))
    recorded = Stream.model_validate({**STREAM, "space": "tabular", "tasks": [task]}).model_dump(mode="json")
    checker.run_begins(made_up(events.RunStarted, stream=recorded))
    shape = events.Shape(channels=1, size=list(size), classes=3)
    started = made_up(events.TaskStarted, task="first", shape=shape, audited_before=0, baselines=told, description={})
    problems = [problem for problem in checker.task_begins(started) if "baselines" in problem]
    assert [message in problem for problem in problems] == [True] * bool(message)


@pytest.mark.parametrize(
    ("curves", "teachers", "accused"),
    [
        ((ALONE, ALONE), ("rocket", None), True),  # it would have been tried with it too
        ((WORSE + ALONE, ALONE + WORSE), ("rocket", None), False),
        ((WORSE + ALONE, (250,) * 8), ("rocket", None), False),  # nothing was wrong without
        ((ALONE, ALONE), ("rocket", "rocket"), False),  # as earlier releases did
        ((ALONE, ALONE), (None, None), False),
    ],
)
def test_networks_of_a_series_are_all_tried_with_its_teacher(
    curves: tuple[tuple[int, ...], ...], teachers: tuple[str | None, ...], accused: bool
) -> None:
    """Who teaches is found out once, from the examples."""
    checker = TrainingChecker()
    checker.run_begins(Stream.model_validate(STREAM))
    checker.task_begins(made_up(events.TaskStarted, shape=events.Shape(channels=1, size=[40], classes=2)), SMALL)
    for counts, teacher in zip(curves, teachers, strict=True):
        refit = {"steps": 84, "examples": 250, "folds": 3} | ({"teacher": teacher} if teacher else {})
        curve = [count / 250 for count in counts]
        list(checker.check(crossed(refit=refit, curve=curve, validation=max(curve))))
    end = made_up(events.TaskFinished, winner=None, full_trainings=0)
    assert any("was not tried with it" in problem for problem in checker.check(end)) == accused
