"""What went untested is said wherever findings are shown, also where an earlier release recorded it as passed."""

import msgspec
import pytest

from agent.gate.admission import findings_of
from agent.ledger import events
from agent.mirror.records import finalist_record
from agent.state.task import Finalist, TaskState
from audits import Finding
from tests.agent.made_up import made_up


def recorded(decision: str, *, statistic: str = "untested", n: int = 0) -> events.FindingRecord:
    """The finding that counts what `swap` had to test, as a ledger holds it."""
    found = Finding(
        audit="swap", statistic=statistic, estimate=0.0, low=0.0, high=0.0, n=n, threshold=0.0, decision="pass",
        role="gate",
    )  # fmt: skip
    return msgspec.convert(found.to_record() | {"decision": decision}, events.FindingRecord)


def tags_of(record: events.FindingRecord) -> dict[str, str]:
    """Of a finalist with that finding."""
    audited = made_up(events.Audited, findings=[record])
    task = TaskState(index=0, name="first", first=0, started=made_up(events.TaskStarted))
    return dict(finalist_record(task, Finalist(trained=made_up(events.Trained), audited=audited), key="k").tags)


def test_tags_name_what_went_untested() -> None:
    """One tag with the audits' names; what had a subject has none."""
    assert tags_of(recorded("untested"))["audits_not_tested"] == "swap"
    assert "audits_not_tested" not in tags_of(recorded("pass", n=1))


def test_tags_of_an_earlier_release_stay() -> None:
    """MLflow holds the tags that it was given, and agrees with a ledger that says `pass`."""
    assert "audits_not_tested" not in tags_of(recorded("pass"))


@pytest.mark.parametrize("decision", ["pass", "untested"])
def test_both_are_read_alike(decision: str) -> None:
    """By whoever judges, prints or counts findings."""
    (found,) = findings_of(made_up(events.Audited, findings=[recorded(decision)]))
    assert (found.decision, found.idle) == ("untested", True)
