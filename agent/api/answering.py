"""A life that searched for a specification: files written of its networks, one chosen, judged, bundled and recorded."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from agent.api.deploying import check_folder
from agent.deploying.bundle import Bundle, bundle_of, deployed_event, write_bundle
from agent.designing.answering import audit_hits, designed_event, judged_lines, unjudged
from agent.designing.asked import Asked
from agent.designing.files import DesignFile, written_files
from agent.designing.folder import DesignFolder
from agent.designing.lines import Line, recorded_line
from agent.designing.measured import chosen_file
from agent.designing.spec import DesignSpec
from agent.ledger.events import Designed, Facts
from agent.ledger.home import AGAIN, Home, StorageError, hold, is_storage_fault
from agent.ledger.store import Ledger, reading
from agent.state.plugins import of_life
from agent.state.recorded import suite_of
from agent.state.state import RunState, TaskState, replay
from selfnas import seeding
from selfnas.artefacts.latency import remeasured
from selfnas.errors import cause
from selfnas.spaces.named import parse_architecture

__all__ = ["answered", "recorded", "searched"]


def searched(home: Home) -> bool:
    """Whether the life has ended."""
    if not home.ledger.exists():
        return False
    with reading(home.root) as ledger, of_life(ledger):
        state = replay(ledger)
        return bool(state.runs) and state.open_run is None


def recorded(home: Home) -> Designed | None:
    """What was answered before."""
    with reading(home.root) as ledger, of_life(ledger):
        designed = replay(ledger).designed
        return designed[-1].facts if designed else None


def answered(asked: Asked, place: DesignFolder, say: Callable[[str], None]) -> Designed:
    """Write files, choose one, judge it, bundle it and record it."""
    try:
        return _answered(asked, place, say)
    except OSError as error:
        if not is_storage_fault(error):
            raise
        raise StorageError(f"no file can be written: {cause(error)}: {AGAIN}") from error


def _answered(asked: Asked, place: DesignFolder, say: Callable[[str], None]) -> Designed:
    spec = asked.spec
    with hold(place.home.root) as home, Ledger(home.ledger, clock=time.time) as ledger, of_life(ledger):
        state = replay(ledger)
        run = state.runs[-1]
        (task,) = run.tasks
        files = written_files(spec, home, run, task, head=ledger.head()[1], say=say)
        measured = [each.measured for each in files]
        entries: list[Facts] = []
        if files:
            chosen = files[chosen_file(spec, measured)]
            lines, made = _bundled(spec, run, task, chosen)
            write_bundle(check_folder(place.bundle, force=True), made)
            entries.append(deployed_event(made, run, task, chosen.finalist))
            told = designed_event(spec, asked.text, run, task, measured, chosen, lines)
        else:
            told = designed_event(spec, asked.text, run, task, measured, None, unjudged(spec))
        ledger.append([*entries, told])
        return told


def _bundled(spec: DesignSpec, run: RunState, task: TaskState, chosen: DesignFile) -> tuple[list[Line], Bundle]:
    """The file that was chosen, judged, with all that belongs to it."""
    subject, finalist, content = chosen.subject, chosen.finalist, chosen.artefact.content
    timed = remeasured(content, next(iter(subject.found.x or subject.found.some)))
    lines = judged_lines(
        spec, parse_architecture(finalist.architecture), task.shape,
        size=len(content), hits=audit_hits(content, subject), timed=timed,
    )  # fmt: skip
    seed = seeding.derive(run.started.record.seed, "audit", subject.task.digest, finalist.digest)
    records = [msgspec.to_builtins(recorded_line(line)) for line in lines]
    made = bundle_of(
        subject, chosen.artefact, task, finalist, suite=suite_of(run), seed=seed, timed=timed.together,
        design={"design": spec.design, "lines": records},
    )  # fmt: skip
    return lines, made
