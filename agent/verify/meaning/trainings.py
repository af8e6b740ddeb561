"""Whether curves, scores and second trainings are such as the recorded plan gives on as many examples as there are.

How often a training is validated, and for how long a second one goes on, follows from epochs, steps, batch size and
number of examples. An accuracy is a count over examples. Release 0.1.0 validated once an epoch, scored on the whole
validation split and knew no floors of steps; what is so is accepted where the stream states none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.ledger import events
from agent.life.fidelity import raised_fidelity
from agent.state.agreement import LOW, RAISED
from agent.stream.file import Stream
from agent.stream.training import CrossValidationSection, plan_digest
from agent.verify.meaning.examples import Sizes
from agent.verify.meaning.hardened import wrong_robustness
from agent.workers.cross_fitted import FOLDS
from agent.workers.delivered import VALIDATED
from selfnas.baselines.catalogue import JOINED, TEACHERS
from selfnas.data.targets import InputKind
from selfnas.training.evaluation import Fidelity
from selfnas.training.refit import Trial, best_end, cross_refit_steps, refit_steps, trials_of, tried
from selfnas.training.schedule import (
    MOST_VALIDATIONS,
    Schedule,
    batch_size_for,
    fit_schedule,
    latest_best,
    patience_in,
    validated_after,
)

__all__ = ["TrainingChecker"]

_ROUNDING = 1e-9
_LOOKS: Mapping[int, InputKind] = {0: "table", 1: "series"}  # by the number of an example's sides


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What trainings of a task depend on."""

    stream: Stream
    train: int
    validation: int | None
    grouped: bool | None
    counted: bool  # whether scores are accuracies
    inputs: InputKind | None  # what an example looks like; None for images

    @property
    def table(self) -> bool:
        """Whether examples are rows of a table."""
        return self.inputs == "table"

    @property
    def teachers(self) -> tuple[str, ...]:
        """Baselines that may teach."""
        return TEACHERS[self.inputs] if self.inputs and self.stream.training.distils else ()

    @property
    def batch(self) -> int:
        return batch_size_for(self.train, self.stream.training.batch_size)

    @property
    def both(self) -> int | None:
        """Training and validation examples."""
        return None if self.validation is None else self.train + self.validation

    @property
    def small(self) -> CrossValidationSection:
        return self.stream.cross_validation or CrossValidationSection()

    def schedule(self, fidelity: Fidelity) -> Schedule:
        pool = self.train if fidelity.fraction == 1 else max(2, round(self.train * fidelity.fraction))
        return fit_schedule(fidelity, pool, batch_size=self.batch)

    def held_out(self, fidelity: Fidelity) -> set[int]:
        """How many validations a cross-validated training may have; the size of folds is known without groups."""
        both = self.both or 0
        least = math.ceil(both / min(self.small.folds, both))
        largest = range(least, least + 1) if self.grouped is False else range(least, both)
        return {len(fit_schedule(fidelity, both - part, batch_size=self.batch).parts) for part in largest}


class TrainingChecker:
    """Follows the trainings of tasks; those of a task are looked at once it is known how many examples it has."""

    def __init__(self) -> None:
        self._stream: Stream | None = None
        self._sizes: Sizes | None = None
        self._metric = ""
        self._tabular = False
        self._inputs: InputKind | None = None
        self._told = False  # whether trainings of this life say by which plan
        self._evaluated: list[events.Evaluated] = []
        self._tested: list[events.Trained | events.Compared] = []
        self._folds: dict[str, int] = {}  # by digest how many networks answered what they had not seen

    def run_begins(self, stream: Stream) -> None:
        """A run over a stream."""
        self._stream, self._sizes = stream, None

    def task_begins(self, started: events.TaskStarted, sizes: Sizes | None) -> None:
        """A task whose splits have so many examples, as far as that is known."""
        self._sizes, self._evaluated, self._tested, self._folds = sizes, [], [], {}
        self._metric = "" if started.metric is events.UNSET else started.metric
        self._tabular = started.table is not events.UNSET
        self._inputs = _LOOKS.get(len(started.shape.size))

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event of a task, in sentences."""
        match facts:
            case events.Evaluated():
                self._evaluated.append(facts)
                yield from self._planned(facts, facts.fidelity)
            case events.Trained() | events.Compared():
                self._tested.append(facts)
                if isinstance(facts, events.Trained) and facts.refit is not events.UNSET:
                    self._folds[facts.digest] = FOLDS if facts.refit.folds is events.UNSET else facts.refit.folds
                yield from self._planned(facts, "full")
                if self._stream is not None:
                    yield from wrong_robustness(facts, self._stream)
            case events.Audited():
                yield from self._observed(facts)
            case events.Baselined():
                yield from self._at_hand(facts)
            case events.TaskFinished():
                yield from self._end()

    # --- the plan ---

    def _planned(self, facts: events.Evaluated | events.Tested, name: str) -> Iterator[str]:
        """The digest that a training records must be that of the recorded plan."""
        if facts.plan is events.UNSET or self._stream is None:
            if self._told and not self._tabular:
                yield "it does not say by which plan it was trained, and trainings before it do"
            return
        self._told = True
        if self._tabular:
            yield "it records a plan of training, and was looked up in a table"
        elif facts.plan != plan_digest(self._stream.training, _fidelity(self._stream, name)):
            yield "the stream's settings of training are not those that it was trained by"

    # --- counts ---

    def _observed(self, audited: events.Audited) -> Iterator[str]:
        """No audit can have looked at more examples than there are, nor at answers to more than were trained on."""
        sizes = self._sizes
        if sizes is None or sizes.validation is None or sizes.audit is None:
            return
        every = sizes.train + sizes.validation + sizes.audit
        for finding in audited.findings:
            if finding.n > every:
                yield f"audit {finding.audit} looked at {finding.n} examples, of {every} that there are for it"
                break
        if audited.cross is not events.UNSET:
            both = sizes.train + sizes.validation
            if audited.cross.examples not in (sizes.train, both):
                yield f"answers to {audited.cross.examples} training examples were counted, there are {both}"
            wanted = self._folds.get(audited.digest, FOLDS)
            if not 2 <= audited.cross.networks <= wanted or (not sizes.grouped and audited.cross.networks != wanted):
                yield f"answers of {audited.cross.networks} networks made alike were counted, of {wanted}"

    def _at_hand(self, baselined: events.Baselined) -> Iterator[str]:
        task = self._known()
        if task is None or task.both is None:
            return
        for one in baselined.results:
            if one.at_hand not in (task.both, 0 if one.reason else task.both):
                yield f"baseline {one.name} had {one.at_hand} rows at hand, there are {task.both}"

    # --- trainings ---

    def _known(self) -> _Task | None:
        """What is known of the task; validation examples are counted by second trainings where by nothing else."""
        if self._sizes is None or self._stream is None or self._tabular:
            return None
        fitted = [one.refit.examples for one in self._tested if one.refit is not events.UNSET]
        validation = self._sizes.validation
        if validation is None and fitted and fitted[0] > self._sizes.train:
            validation = fitted[0] - self._sizes.train
        return _Task(
            stream=self._stream,
            train=self._sizes.train,
            validation=validation,
            grouped=self._sizes.grouped,
            counted=not self._metric,
            inputs=self._inputs,
        )

    def _end(self) -> Iterator[str]:
        task = self._known()
        if task is None:
            return
        for one in self._evaluated:
            yield from (f"its evaluation of {one.architecture}: {problem}" for problem in _short(task, one))
        yield from _taught_otherwise(task, self._tested)
        for tested in self._tested:
            yield from (
                f"its full training of {tested.architecture}: {problem}" for problem in self._full(task, tested)
            )

    def _full(self, task: _Task, tested: events.Trained | events.Compared) -> Iterator[str]:
        test = None if self._sizes is None else self._sizes.test
        if test is not None and tested.test_count not in (test, 0):
            yield f"it was tested on {tested.test_count} examples, there are {test}"
        fidelity, refit = _fidelity(task.stream, "full"), tested.refit
        if refit is not events.UNSET and refit.folds is not events.UNSET:
            yield from _by_folds(task, tested, refit, refit.folds, fidelity)
            return
        schedule = task.schedule(fidelity)
        if isinstance(tested, events.Trained):
            yield from _odd_curve(task, tested.curve, schedule, fidelity, failed=bool(tested.reason))
            if not tested.reason:
                yield from _uncounted(task, tested.curve, _validated(task, "full"))
        elif tested.validation is not None:
            yield from _uncounted(task, [tested.validation], _validated(task, "full"))
        if refit is events.UNSET or task.both is None:
            return
        if refit.examples != task.both:
            yield f"trained a second time on {refit.examples} examples, there are {task.both} for that"
            return
        wanted = _refitted(task, tested, schedule)
        if refit.steps not in wanted:
            told = f"{wanted.start}" if len(wanted) == 1 else f"{wanted.start} to {wanted.stop - 1}"
            yield f"trained a second time for {refit.steps} steps, its first training gives {told}"


def _taught_otherwise(task: _Task, tested: Sequence[events.Trained | events.Compared]) -> Iterator[str]:
    """Who teaches is found out once a task, and teaches those that it helps; a series is tried without it too."""
    told, alone = set[str](), False
    for one in tested:
        if one.refit is events.UNSET or one.refit.folds is events.UNSET:
            continue
        if one.refit.teacher is not events.UNSET:
            told.add(one.refit.teacher)
        elif task.inputs == "series" and isinstance(one, events.Trained) and task.both is not None:
            fidelity, folds = _fidelity(task.stream, "full"), one.refit.folds
            (trial,) = trials_of(
                fidelity, task.both, folds=folds, batch_size=task.batch, table=False, teacher=False
            )  # fmt: skip
            alone |= len(one.curve) <= len(trial.schedule.parts) and max(one.curve, default=1.0) < 1
    if len(told) > 1:
        yield f"its full trainings had other teachers on the same examples: {', '.join(sorted(told))}"
    elif told and alone:
        yield f"{told.pop()} taught others of its full trainings, and this was not tried with it"


def _fidelity(stream: Stream, name: str) -> Fidelity:
    """By the name that events give it."""
    if name == "full":
        return stream.full.fidelity("full")
    if name == RAISED:
        return raised_fidelity(stream)
    if name.startswith("rung") and stream.halving is not None:
        return next((rung for rung in stream.halving.fidelities if rung.name == name), stream.halving.fidelities[0])
    return stream.low.fidelity(LOW)


def _refitted(task: _Task, tested: events.Trained | events.Compared, schedule: Schedule) -> range:
    """Steps that a second training may have: one number where the curve of the first is known."""
    counts = {"training": task.train, "validation": task.validation or 0}
    if isinstance(tested, events.Trained) and tested.curve:
        curve = list(tested.curve)
        latest = len(curve) - curve[::-1].index(max(curve))
        best = sum(schedule.parts[:latest])
        steps = refit_steps(best, schedule.steps, **counts)
        return range(steps, steps + 1)
    least, most = (refit_steps(best, schedule.steps, **counts) for best in (0, schedule.steps))
    return range(least, most + 1)


def _by_folds(
    task: _Task, tested: events.Trained | events.Compared, refit: events.Refit, folds: int, fidelity: Fidelity
) -> Iterator[str]:
    """Problems of a full training whose length held-out answers decided."""
    count = task.both
    if count is None:
        return
    if refit.examples != count:
        yield f"trained a second time on {refit.examples} examples, there are {count} for that"
        return
    wanted = task.small.folds_in_full(count, table=task.table)
    if not 2 <= folds <= wanted or (task.grouped is False and folds != wanted):
        yield f"{folds} networks made alike decided for how long it is trained, the stream makes {wanted}"
        return
    teacher = None if refit.teacher is events.UNSET else refit.teacher
    if teacher is not None and not _may_teach(teacher, task.teachers):
        yield f"{teacher} taught it, by whom nothing of such a task is taught"
        return
    plans = [
        trials_of(
            fidelity, count, folds=folds, batch_size=task.batch, table=task.table, teacher=taught, numbers=numbers,
            beyond=beyond, alone=alone,
        )
        for taught in ((True,) if teacher else (False, True) if task.teachers else (False,))
        for beyond in ((True, False) if task.table else (False,))
        for alone in ((True,) if task.table or not taught else (True, False))  # False: as earlier releases did
        for numbers in ((False,) if task.table or task.counted else (True, False))  # False: as earlier releases did
    ]  # fmt: skip
    least = count - math.ceil(count / folds)
    seen = range(least, least + 1) if task.grouped is False else range(1, count)  # by each network, at least
    best = [steps for trials in plans for trial in trials for steps in validated_after(trial.schedule)]
    if isinstance(tested, events.Trained):
        yield from _uncounted(task, tested.curve, {count})
        may = [found for trials in plans if (found := _ends(trials, tested.curve))]
        if not may:
            points = " or ".join(map(str, sorted({_points(trials, tested.curve) for trials in plans})))
            yield f"its curve has {len(tested.curve)} points, its plan gives {points}"
            return
        chosen = [ends[best_end(ends, tested.curve, examples=count, counted=task.counted)] for ends in may]
        if teacher is None:
            chosen += [ends[latest_best(tested.curve)] for ends in may]  # as earlier releases chose
        if all(trial.taught != (teacher is not None) for trial, _ in chosen):
            yield f"its curve is best {'without' if teacher else 'with'} a teacher, and it says otherwise"
            return
        best = [steps for trial, steps in chosen if trial.taught == (teacher is not None)]
    elif tested.validation is not None:
        yield from _uncounted(task, [tested.validation], {count})
    if not any(
        cross_refit_steps(steps, inside=inside, count=count) == refit.steps for steps in best for inside in seen
    ):
        yield f"trained a second time for {refit.steps} steps, which its held-out answers do not give"


def _may_teach(teacher: str, able: Sequence[str]) -> bool:
    """Whether a name is one of those that may, or several, each once and in order."""
    names = teacher.split(JOINED)
    return [name for name in able if name in names] == names


def _ends(trials: Sequence[Trial], curve: Sequence[events.Number]) -> list[tuple[Trial, int]] | None:
    """Of each point of a curve the trial and its steps so far; None where these trials do not give such a curve."""
    numbers = tried(trials, curve)
    if numbers is None:
        return None
    return [(trials[number], steps) for number in numbers for steps in validated_after(trials[number].schedule)]


def _points(trials: Sequence[Trial], curve: Sequence[events.Number]) -> int:
    """How many points a curve that begins so has, as far as it tells."""
    known = [size for size in range(1, len(curve)) if tried(trials, curve[:size]) is not None]
    return min([*known, sum(len(trial.schedule.parts) for trial in trials)])


def _short(task: _Task, one: events.Evaluated) -> Iterator[str]:
    """Problems of a score at low fidelity."""
    fidelity = _fidelity(task.stream, one.fidelity)
    failed = one.score is None
    if one.repeats is not events.UNSET:
        yield from _crossed(task, one, one.repeats, fidelity)
        return
    small = task.both is not None and task.both < task.small.below
    if not (small and failed):
        yield from _odd_curve(task, one.curve, task.schedule(fidelity), fidelity, failed=failed)
    if not failed:
        yield from _uncounted(task, one.curve, _validated(task, "low"))


def _crossed(task: _Task, one: events.Evaluated, repeats: Sequence[events.Number], fidelity: Fidelity) -> Iterator[str]:
    """Problems of a cross-validated score."""
    if task.both is None:
        return
    if task.both >= task.small.below:
        yield f"cross-validated, which a task of {task.both} examples is not"
        return
    wanted = task.small.repeats * fidelity.repeats
    if len(repeats) != wanted:
        yield f"it has {len(repeats)} repeats, the stream makes {wanted}"
        return
    lengths = task.held_out(fidelity)
    if len(one.curve) not in lengths:
        yield f"its curve has {len(one.curve)} points, its steps give {' or '.join(map(str, sorted(lengths)))}"
    yield from _uncounted(task, repeats, {task.both})
    yield from _uncounted(task, one.curve, {task.both * wanted})


def _validated(task: _Task, kind: str) -> set[int]:
    """How many validation examples a score may be counted on."""
    if task.validation is None:
        return set()
    return {min(task.validation, VALIDATED[kind]), task.validation}


def _odd_curve(
    task: _Task, curve: Sequence[events.Number], schedule: Schedule, fidelity: Fidelity, *, failed: bool
) -> Iterator[str]:
    """Whether a curve has a point for each validation, or ends early for a reason."""
    most, count = len(schedule.parts), len(curve)
    usual = {most, *_formerly(task, schedule, fidelity)}
    if failed:
        if count > max(usual):
            yield f"its curve has {count} points, its plan at most {most}"
        return
    if count in usual:
        return
    if count > max(usual) or not count:
        yield f"its curve has {count} points, its plan gives {most}"
        return
    if fidelity.name != "full" and task.stream.curve_stop:
        return
    values = list(curve)
    first, latest = values.index(max(values)), count - 1 - values[::-1].index(max(values))
    patience = fidelity.patience
    stopped = patience and (count - 1 - latest >= patience_in(fidelity, schedule))
    if not stopped and not (patience and count - 1 - first >= patience and most not in (count, fidelity.epochs)):
        yield f"its curve has {count} points of {most}, and nothing that is recorded ended it early"


def _formerly(task: _Task, schedule: Schedule, fidelity: Fidelity) -> set[int]:
    """How often 0.1.0 validated where a stream states no floor or ceiling of steps, and what came after it."""
    later = min(MOST_VALIDATIONS, max(1, schedule.steps // schedule.per_epoch))
    section = {"full": task.stream.full, LOW: task.stream.low}.get(fidelity.name)
    if section is None or section.steps is not None or section.max_steps is not None:
        return {later}
    return {later, fidelity.epochs}


def _uncounted(task: _Task, scores: Sequence[events.Number], examples: set[int]) -> Iterator[str]:
    """Accuracies that are no number of right answers to so many examples."""
    if not task.counted or not examples:
        return
    for score in scores:
        if not any(abs(round(score * n) / n - score) <= _ROUNDING for n in examples):
            yield f"accuracy {score:.6f} is that of no number of {min(examples)} examples"
            return
