"""A life whose suite wants two named reviewers: command line, desk, MLflow's tags and verification say the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.desk.inbox import Inbox
from agent.ledger.home import Home
from agent.ledger.review_signature import key_text
from agent.ledger.signature import new_key, private_key
from agent.ledger.store import reading
from agent.mirror.review_tags import reviewed_finalist
from agent.state.state import replay
from agent.verify.verification import verify
from audits import load_suite
from audits.contract.reviewing import terms_of
from tests.agent.conftest import FEW, inside
from tests.agent.desk.conftest import Visitor, decisions
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with keys of Ann and Bob, and a life in `home` that admitted nothing."""
    place = tmp_path_factory.mktemp("two")
    listed = []
    for name in ("Ann", "Bob"):
        new_key(place / f"{name}.pem")
        listed.append(f'{{name: {name}, key: "{key_text(private_key(place / f"{name}.pem").public_key())}"}}')
    review = f"review: {{approvals: 2, overrules: 2, runner: excluded, reviewers: [{', '.join(listed)}]}}"
    suite = load_suite("baseline").text.replace("approval: none", f"approval: before-reuse\n{review}")
    (place / "two.yaml").write_text(suite.replace("suite: baseline", "suite: two"))
    (place / "few.yaml").write_text(FEW.format(epochs=2, examples=60) + "audits: ./two.yaml\n")
    words = ("run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    refused = inside(place, *words)
    assert (refused.returncode, "say who does with `run_by`" in refused.stderr) == (2, True)
    assert inside(place, *words, "--set", "run_by=Cy").returncode == 0
    return place


@pytest.fixture
def home(place: Path, tmp_path: Path) -> Path:
    """A copy of that life."""
    shutil.copytree(place / "home", tmp_path / "home")
    return tmp_path / "home"


def key_of(place: Path, name: str) -> Ed25519PrivateKey:
    """The key of a reviewer."""
    return private_key(place / f"{name}.pem")


def listed(home: Path) -> dict[str, object]:
    """The first finalist as `review list --json` has it."""
    done = inside(home.parent, "review", "list", "--awaiting", "--json", "--home", home)
    return dict(json.loads(done.stdout)[0])


def test_two_reviewers_let_a_network_in(place: Path, home: Path, visit: Callable[..., Visitor]) -> None:
    """One at a desk with her key, one on the command line; until then it awaits people, and each place says so."""
    first = listed(home)
    event = int(str(first["event"]))
    words = ("review", "overrule", "--event", str(event), "--reason", "few examples", "--home", home, "--no-mirror")
    for more, why in (
        ((), "this one is not signed"),
        (("--sign", place / "Ann.pem", "--author", "Bob"), "is of Ann, and the author is Bob"),
    ):
        done = inside(home.parent, *words, *more)
        assert (done.returncode, why in done.stderr) == (2, True)
    plain = visit()
    assert (
        "would not count: the suite in force counts only decisions that Ann, Bob signed"
        in plain.ask(f"/item/{event}").text
    )
    assert plain.ask("/decide", form=plain.form(event, "overrule", reason="x", author="Ann")).status == 409
    ann = visit(inbox=Inbox(home, key=key_of(place, "Ann")))
    page = ann.ask(f"/item/{event}").text
    assert '<input name="author" id="author" value="Ann"' in page
    assert "0 of 2 overruled" in page
    answer = ann.ask("/decide", form=ann.form(event, "overrule", reason="few examples", author="Ann"))
    told = ann.ask(answer.headers["location"]).text
    assert "still stands refused, by Ann; 1 of 2 overruled, by Ann" in told
    assert "1 of 2 overruled, by Ann" in ann.ask(f"/item/{event}").text
    assert "1 of 2" in ann.ask("/").text
    assert (listed(home)["stage"], dict(listed(home)["people"])["by"]) == ("awaiting", ["Ann"])  # type: ignore[call-overload]
    done = inside(home.parent, *words, "--sign", place / "Bob.pem")
    assert "now stands admitted, by Bob; 2 of 2 approved, by Ann, Bob" in done.stdout
    assert [(said.author, said.standing) for _, said in decisions(home)] == [("Ann", "refused"), ("Bob", "admitted")]
    shown = inside(home.parent, "motifs", "show", str(first["digest"])[:12], "--home", home).stdout
    assert "people: 2 of 2 approved, by Ann, Bob; the suite: 2 persons must approve before reuse" in shown
    with reading(home) as ledger:
        state = replay(ledger)
        assert verify(ledger, Home(home)).problems == []
    run, task = state.runs[0], state.runs[0].tasks[0]
    terms = terms_of(run.started.audit_suite.text)
    tags, name = reviewed_finalist(terms, run, task, task.finalist(str(first["digest"])), times={})
    assert (tags["review"], tags["people"], name.split(" · ")[0]) == (
        "overruled", "2 of 2 approved, by Ann, Bob", "admitted (overruled)",
    )  # fmt: skip


def test_a_vote_that_was_dropped_or_a_suite_that_was_edited_is_found(place: Path, home: Path, tmp_path: Path) -> None:
    """Let in by Bob alone; or by both, under a suite that asks for one: the chain fits, and the events do not."""
    event = str(listed(home)["event"])
    for name in ("Ann", "Bob"):
        words = ("--event", event, "--reason", "few", "--sign", place / f"{name}.pem", "--home", home, "--no-mirror")
        assert inside(home.parent, "review", "overrule", *words).returncode == 0

    def drop(events: Events) -> None:
        del events[[kind for kind, _ in events].index("reviewed")]

    def loosen(events: Events) -> None:
        for kind, payload in events:
            if kind == "run.started":
                text = payload["audit_suite"]["text"].replace("overrules: 2", "overrules: 1")
                payload["audit_suite"]["text"] = text

    for number, (edit, message) in enumerate(
        (
            (drop, "1 of 2 persons that the suite wants overruled, and it stands admitted"),
            (loosen, "the recorded audit suite does not have the recorded digest"),
        )
    ):
        forged = rewrite(home, tmp_path / str(number), edit)
        with reading(forged.root) as ledger:
            assert any(message in problem for problem in verify(ledger, forged).problems)
