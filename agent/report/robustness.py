"""What hardened networks hold while their inputs move, as the console, the report, the desk and the mirror tell it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import UNSET, RobustRecord, Tested
from agent.report.summary import Accuracy
from agent.state.state import TaskState

__all__ = ["held", "robust_figures", "robust_rows", "robust_sentence"]


def held(record: RobustRecord) -> dict[str, Accuracy]:
    """Shares of the test examples that were looked at, from the weakest to the strongest claim.

    `clean`: answered right as they are; `attacked`: of all, right as they are and under every attack tried;
    `proved`: proved to be answered right all over their region. Nothing where no example was looked at.
    """
    if not record.count:
        return {}
    counts = {"clean": record.clean, "attacked": record.attacked, "proved": record.certified}
    return {name: Accuracy(correct, record.count) for name, correct in counts.items()}


def robust_figures(record: RobustRecord) -> dict[str, float]:
    """The same as numbers by name, with 95 % limits of what is proved, for MLflow and for programs."""
    shares = held(record)
    found = {f"robust.{name}": share.estimate for name, share in shares.items()}
    if shares:
        found["robust.proved.low"], found["robust.proved.high"] = shares["proved"].interval
    return found | {"robust.radius": float(record.radius)}


def robust_sentence(name: str, record: RobustRecord) -> str:
    """What is proved of a network, and what it withstood, for people."""
    shares = held(record)
    region = f"while each value moves by at most {record.radius:g} of the inputs' range ({record.norm})"
    if not shares:
        return f"{name}: nothing was looked at {region}"
    proved = f"{shares['proved']} of {record.count} test examples are proved right"
    if record.unproved:
        proved = f"nothing is proved, since {record.unproved} has no bound"
    masked = f"; {record.masked} were turned by a search without gradients alone" if record.masked else ""
    others = f"{shares['attacked']} withstand attacks, {shares['clean']} are right as they are"
    return f"{name}: {region} {proved}, {others}{masked}"


def robust_rows(task: TaskState) -> Iterator[tuple[str, RobustRecord]]:
    """Of networks of a task that tell it: finalists by digest and standing, then the hand-designed one."""
    for finalist in task.finalists:
        if (record := _told(finalist.trained)) is not None:
            yield f"{finalist.digest[:12]}, {finalist.standing}", record
    if task.compared is not None and (record := _told(task.compared)) is not None:
        yield "hand-designed", record


def _told(tested: Tested) -> RobustRecord | None:
    return None if tested.robust is UNSET else tested.robust
