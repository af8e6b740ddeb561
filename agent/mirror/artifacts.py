"""What a reviewer is shown of a task and of each finalist, as files; where they go is the mirror's business."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.ledger.events import Rejected
from agent.ledger.home import EXAMPLE, Home
from agent.mirror.finalist_notes import plain
from agent.report.summary import shown_score
from agent.state.spending import attempt_of, spent_at
from agent.state.state import Finalist, RunState, TaskState
from agent.state.taught import taught_sentence
from selfnas.training.metrics import METRICS

if TYPE_CHECKING:
    from audits import Finding, Suite

__all__ = ["Exhibit", "example_of", "write_finalist_files", "write_task_files"]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One task of a run, with what its files are made from."""

    home: Home
    run: RunState
    task: TaskState
    suite: Suite

    def pictures(self, finalist: Finalist) -> Path:
        """The folder of a finalist's pictures."""
        return self.home.pictures(self.run.number, self.task.name) / finalist.digest[:12]


def write_task_files(exhibit: Exhibit, folder: Path) -> None:
    """`search.png`, where it was drawn, and `rejections.md`."""
    picture = exhibit.home.pictures(exhibit.run.number, exhibit.task.name) / "search.png"
    if picture.is_file():
        shutil.copy(picture, folder)
    (folder / "rejections.md").write_text("\n".join(_rejections(exhibit.task)), encoding="utf-8")


def write_finalist_files(exhibit: Exhibit, finalist: Finalist, findings: Sequence[Finding], folder: Path) -> None:
    """The certificate, the audit card as Markdown and as a page with its pictures inside, and the pictures."""
    from audits import calibration_of, card, card_page, judge
    from audits.calibrating.matrix import CALIBRATED_KIND

    run, task, suite = exhibit.run, exhibit.task, exhibit.suite
    (folder / "certificate.json").write_text(task.certificates.get(finalist.architecture, "{}"), encoding="utf-8")
    pictures = {path.name: path.read_bytes() for path in sorted(exhibit.pictures(finalist).glob("*.png"))}
    text = card(
        findings,
        judge(findings, suite, kind=task.kind, attempt=attempt_of(task, finalist.digest)),
        title=f"{task.name}: {finalist.digest[:12]} is {finalist.outcome}",
        facts={
            "architecture": finalist.architecture,
            "digest": finalist.digest,
            "parameters": f"{finalist.trained.params:,}",
            **_validation(task, finalist),
            "constraint set": run.started.constraint_set.name,
            "suite": f"{suite.name} ({suite.digest[:12]})",
            **({} if suite.approval == "none" else {"people": str(suite.review)}),
            **_spending(run, task, finalist),
        },
        calibration=calibration_of(suite) if task.kind == CALIBRATED_KIND else None,
        figures={Path(name).stem: name for name in pictures},
    )
    (folder / "audit-card.md").write_text(text, encoding="utf-8")
    (folder / "audit-card.html").write_text(card_page(text, pictures=pictures), encoding="utf-8")
    for name, content in pictures.items():
        (folder / name).write_bytes(content)


def _spending(run: RunState, task: TaskState, finalist: Finalist) -> dict[str, str]:
    """How often the audit split had been used, and what of it earlier tasks were taught, as far as that was counted."""
    told = spent_at(run, task, finalist.digest)
    taught = taught_sentence(task.started)
    return {
        **({} if told is None else {"audit split": str(told)}),
        **({"audit examples": taught} if taught else {}),
    }


def _validation(task: TaskState, finalist: Finalist) -> dict[str, str]:
    title, value = METRICS[task.metric].title, shown_score(task.metric, finalist.trained.validation)
    if METRICS[task.metric].unit == "share":
        return {f"validation {title}": f"{value} %"}
    return {"validation score": f"{value}, from {title}"}


def example_of(exhibit: Exhibit, finalist: Finalist) -> NDArray[np.float32]:
    """`(2, channels, *size)` inputs the network was trained on; zeros where a home keeps none that fit."""
    shape = exhibit.task.shape
    wanted = (2, shape.channels, *shape.size)
    try:
        kept = np.load(exhibit.pictures(finalist) / EXAMPLE, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        kept = None
    if not isinstance(kept, np.ndarray) or kept.shape != wanted or kept.dtype != np.float32:
        return np.zeros(wanted, dtype=np.float32)
    return kept


def _rejections(task: TaskState) -> Iterator[str]:
    """What was rejected and why, in Markdown."""
    yield f"# {_cell(task.name)}: what the constraint gate kept out\n"
    yield "| rule | architectures considered and kept out |\n| --- | --- |"
    for rule, count in sorted(task.filtered.items(), key=lambda pair: -pair[1]):
        yield f"| {_cell(rule)} | {count} |"
    yield "\nOne case for each rule, with all its reasons:\n"
    for rejection in task.rejected:
        yield f"## {_code(rejection.architecture)}\n"
        yield f"rules: {', '.join(map(_cell, rejection.failed))}\n"
        yield from (f"- {_cell(message)}" for message in rejection.messages)
        if isinstance(rejection, Rejected):
            if rejection.blamed:
                yield f"- edges to blame: {', '.join(map(_cell, rejection.blamed))}"
            for near in rejection.nearest:
                yield f"- nearest admitted, {rejection.distance} edit(s) away: {_code(near)}"
        yield ""


def _cell(text: object) -> str:
    """One line of a ledger's text, shown as it is: no HTML and no Markdown of its own."""
    return plain(" ".join(str(text).split())).replace("|", "\\|")


def _code(text: object) -> str:
    """The same for what is copied, such as an architecture."""
    return "`" + " ".join(str(text).split()).replace("`", "'") + "`"
