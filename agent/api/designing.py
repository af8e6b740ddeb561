"""A specification answered: decided, searched in a life of its own, written, measured and judged line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.designing.asked import Asked, read_asked
from agent.designing.bounds import Bound, Forecast, exact_bounds, extended, predicted_bounds
from agent.designing.feasibility import Feasibility, feasibility
from agent.designing.folder import DesignFolder
from agent.designing.lines import Line, binding, read_line
from agent.designing.measured import Measured
from agent.designing.spec import DesignSpec
from agent.designing.telling import told, told_predicted
from selfnas.plugins import in_force
from selfnas.spaces.architecture import Architecture

if TYPE_CHECKING:
    from agent.life.observer import Observer

__all__ = ["Answer", "design"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a specification came to.

    Attributes:
        spec: that was asked, with nothing left open that data decide.
        possible: whether anything was searched, or could be.
        lines: each judged; none where nothing was searched.
        files: that were written and measured, one of which was chosen.
        digest: of the architecture; empty where no network was admitted.
        precision: of the file; empty where there is none.
        folder: of the bundle; None where there is none.
    """

    spec: DesignSpec
    possible: bool
    lines: tuple[Line, ...] = ()
    files: tuple[Measured, ...] = ()
    digest: str = ""
    precision: str = ""
    folder: Path | None = None

    @property
    def binding(self) -> Line | None:
        """The line that stands in the way; None where all are met."""
        return binding(self.lines)


def design(
    spec: str | Path,
    folder: str | Path = "",
    *,
    workers: int | None = 1,
    device: str = "cpu",
    anyway: bool = False,
    say: Say = lambda sentence: None,
    observer: Callable[[Path], Observer] | None = None,
) -> Answer:
    """Answer a specification; one that was cut off goes on where it stopped.

    Nothing is searched where it names no task, or where no network can keep it; then there are no lines. The life that
    searches lies in `FOLDER/life`, the bundle in `FOLDER/bundle`.

    Args:
        spec: the file.
        folder: where all is kept; the name of the design if it is left out.
        workers: worker processes; None takes one per core. They change no event.
        device: torch device for training.
        anyway: search even where it is predicted that no network keeps the targets.
        say: told in sentences what is known before training.
        observer: given the home, who is told of the progress of the search.

    Raises:
        InputError: the file is no specification; its set, its data or the folder cannot be used; the design there was
            begun with another one; or the extra `onnx` is not installed.
        LedgerError: an event could not be written, or the ledger is damaged.
        KeyboardInterrupt: Ctrl-C was pressed; what was finished is kept.

    Example:
        >>> design("small-digits.yaml").binding is None  # doctest: +SKIP
        True
    """
    asked = read_asked(Path(spec))
    with in_force(*asked.set_.plugins):
        if asked.task is None:
            return Answer(spec=asked.spec, possible=_decided(asked, say)[0].possible)
        from selfnas.artefacts.libraries import versions

        versions()  # that the runtime is here, before anything is trained
        place = DesignFolder(Path(folder or asked.spec.design))
        if not place.begun(asked):
            bounds = _bounds(asked, anyway=anyway, say=say)
            if bounds is None:
                return Answer(spec=asked.spec, possible=False)
            _begin(asked, place, bounds)
    from agent.api.answering import answered, recorded, searched

    if not searched(place.home):
        from agent.api.running import run

        watching = None if observer is None else observer(place.home.root)
        run(place.stream(asked), place.home.root, workers=workers, device=device, observer=watching)
    made = recorded(place.home) or answered(asked, place, say)
    return Answer(
        spec=asked.spec,
        possible=True,
        lines=tuple(map(read_line, made.lines)),
        files=tuple(Measured(**msgspec.structs.asdict(each)) for each in made.files),
        digest=made.digest or "",
        precision=made.precision or "",
        folder=place.bundle if made.digest else None,
    )


def _decided(asked: Asked, say: Say) -> tuple[Feasibility, Forecast | None]:
    """What is known before training, and what was written for it."""
    spec, found = asked.spec, list[Forecast | None]()

    def size(architecture: Architecture) -> int:
        from agent.designing.forecast import forecast

        found.append(forecast(spec, architecture))
        return min(found[0].bytes.values()) if found[0] is not None else 0

    known = feasibility(spec, asked.set_, file_size=size)
    for sentence in told(spec, known):
        say(sentence)
    return known, found[0] if found else None


def _bounds(asked: Asked, *, anyway: bool, say: Say) -> list[Bound] | None:
    """What the search keeps; None where nothing can keep it."""
    spec = asked.spec
    known, written = _decided(asked, say)
    if known.witness is None:
        return None
    from agent.designing.forecast import forecast

    written = written or forecast(spec, known.witness)
    exact, predicted = list(exact_bounds(spec)), list(predicted_bounds(spec, written)) if written else []
    narrowed = feasibility(spec, asked.set_, file_size=lambda architecture: 0, predicted=predicted)
    for sentence in told_predicted(spec, predicted, narrowed):
        say(sentence)
    if narrowed.possible:
        return [*exact, *predicted]
    return exact if anyway else None


def _begin(asked: Asked, place: DesignFolder, bounds: Sequence[Bound]) -> None:
    """Write the stream of the life, and keep what was asked."""
    from agent.api.streams import Stream
    from agent.designing.stacks import macro_section

    spec, search = asked.spec, asked.spec.search
    assert asked.task is not None  # noqa: S101 - the caller asked
    place.prepare()
    Stream(
        name=spec.design,
        tasks=[asked.task],
        seed=search.seed,
        space=spec.space,
        constraints=extended(asked.set_, bounds, spec),
        audits=search.audits,
        macro=macro_section(spec.choices),
        budget=search.budget,
        low=search.low,
        full=search.full,
        training=search.training,
        cross_validation=search.cross_validation,
        policy=search.policy,
        baselines="none",
    ).write(place.home.stream)
    place.begin(asked)
