"""A deployed file is an event: verified without data as far as it says anything, and made again with them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.api.deploying import bundle
from agent.api.life import open_life
from agent.api.verifying import Depth, verified
from agent.ledger.events import Deployed
from agent.ledger.home import hold
from agent.ledger.store import Ledger, reading
from agent.state.opening import recollect
from agent.state.state import replay
from agent.verify.verification import verify
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events


@pytest.fixture(scope="module")
def home(place: Path, digest: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of which a network was deployed."""
    folder = tmp_path_factory.mktemp("recorded")
    copied = shutil.copytree(place / "home", folder / "home")
    made = bundle(copied, digest, folder / "bundle", refused=True)
    assert made.sentences[-1].startswith("recorded as event ")
    return copied


def test_a_bundle_is_an_event_of_the_life(home: Path) -> None:
    """Digests of file and graph, opset, agreement and latency; in the state, in the report, and with a snapshot."""
    with reading(home) as ledger:
        (event,) = replay(ledger).deployed
        assert not verify(ledger, _home(home)).problems
    made = event.facts
    assert (made.form, made.opset, made.precision) == ("onnx", 18, "float32")
    assert made.artefact_sha256 != made.graph_sha256
    assert 0 <= made.furthest <= 1e-4
    assert made.examples > made.otherwise == 0
    assert {record.audit for record in made.findings} | set(made.left_out) >= {"skill", "attack"}
    page = open_life(home).report().read_text()
    assert "Files that networks were deployed as" in page
    assert "at batch 1, 1 thread" in page
    with Ledger(home / "ledger.db", clock=lambda: 0.0) as ledger:
        for _ in range(2):
            state = recollect(ledger, home / "snapshot.db")
            assert [one.facts for one in state.deployed] == [made]
            state.close()


def test_a_life_that_deployed_goes_on(home: Path, place: Path, tmp_path: Path) -> None:
    """A further run is lived and verifies."""
    shutil.copytree(home, tmp_path / "home")
    shutil.copy(place / "few.yaml", tmp_path / "few.yaml")
    done = inside(tmp_path, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror", "--seed", "2")
    assert done.returncode == 0, done.stderr
    with reading(tmp_path / "home") as ledger:
        assert len(replay(ledger).runs) == 2
        assert not verify(ledger, _home(tmp_path / "home")).problems


def test_the_file_is_made_again_byte_for_byte(home: Path) -> None:
    """With the data, by the same libraries."""
    found = verified(home, depth=Depth(sample=0))
    assert (found.problems, found.checked["deployed files made again"]) == ([], 1)


def test_a_home_that_is_held_records_nothing(place: Path, digest: str, tmp_path: Path) -> None:
    """The bundle is written all the same, and says so."""
    shutil.copytree(place / "home", tmp_path / "home")
    with hold(tmp_path / "home"):
        made = bundle(tmp_path / "home", digest, tmp_path / "bundle", refused=True)
    assert made.sentences[-1].startswith("not recorded in the life: ")
    with reading(tmp_path / "home") as ledger:
        assert replay(ledger).deployed == []


def _home(root: Path) -> Any:
    from agent.ledger.home import Home

    return Home(root)


def _put(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload.update(values)


def _finding(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload["findings"][0].update(values)


def _clock(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload["latency"].update(values)


PLAIN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another network": (_put(digest="0" * 64), "is of a network that this life does not have"),
    "another run": (_put(run=7), "is of a network that this life does not have"),
    "another task": (_put(task="other"), "is of a network that this life does not have"),
    "other weights": (_put(weights_sha256="0" * 64), "its architecture or weights are not those that were trained"),
    "another form": (_put(form="tflite"), "there are no files of form tflite"),
    "another precision": (_put(precision="int4"), "precision int4"),
    "an opset of none": (_put(opset=0), "less than any file has"),
    "no SHA-256": (_put(artefact_sha256="abc"), "artefact_sha256 is no SHA-256"),
    "more otherwise than examples": (_put(otherwise=10**6), "cannot be answered otherwise"),
    "far off": (_put(furthest=0.5), "a float32 file that is 0.5 off its network is not written"),
    "another metric": (_put(metric="mae"), "is measured by mae"),
    "another accuracy": (_put(estimate=0.999), "its file has accuracy 0.9990"),
    "another decision": (_finding(decision="fail"), "skill.above_chance is recorded as fail, its numbers say"),
    "another limit": (_finding(threshold=0.01), "has another role or limit than its suite gives it"),
    "an audit hidden": (lambda payload: payload["left_out"].pop(), "are not the audits of its suite"),
    "latency out of order": (_clock(p95=1e-9), "its latencies are not in order"),
    "nothing timed": (_clock(turns=0), "nothing was timed"),
    "left in a float32 file": (_put(left_in_float32=["conv3x3"]), "a float32 file leaves nothing in float32"),
}
DEEP: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another graph": (_put(graph_sha256="1" * 64), "its graph is another one"),
    "another count": (_put(examples=19, estimate=None), "whether its test examples can be had raw"),
    "another distance": (_put(furthest=9e-5), "recorded as 9e-05 off its network"),
    "another number of a finding": (_finding(note="", estimate=0.5), "is recorded with other numbers than it has"),
    "fewer audited": (_put(audit_examples=3), "other audits are left out"),
}


def _forged(home: Path, where: Path, change: Callable[[dict[str, Any]], Any]) -> Any:
    """The life with its deployment changed, and the chain made again over it."""

    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == Deployed.kind:
                change(payload)

    return rewrite(home, where, edit)


@pytest.mark.parametrize("name", PLAIN)
def test_what_contradicts_the_life_is_found_without_data(name: str, home: Path, tmp_path: Path) -> None:
    """By a sentence that names the event."""
    change, said = PLAIN[name]
    forged = _forged(home, tmp_path / "forged", change)
    with reading(forged.root) as ledger:
        problems = verify(ledger, forged).problems
    assert any("(deployed): " in problem and said in problem for problem in problems), problems


@pytest.mark.parametrize("name", DEEP)
def test_what_the_file_does_not_give_is_found_with_data(name: str, home: Path, tmp_path: Path) -> None:
    """Though it fits all that the ledger says."""
    change, said = DEEP[name]
    forged = _forged(home, tmp_path / "forged", change)
    problems = verified(forged.root, depth=Depth(sample=0)).problems
    assert any("(deployed): " in problem and said in problem for problem in problems), problems
