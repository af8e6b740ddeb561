"""A specification that names a task is answered by a file, every line of it judged; and the ledger bears it out."""

import json
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import agent.api.answering as answering
from agent.api.deploying import check
from agent.api.verifying import Depth, verified
from agent.deploying.bundle import Bundle, write_bundle
from agent.designing.bounds import Forecast, exact_bounds, extended, predicted_bounds
from agent.designing.measured import Measured, chosen_file
from agent.designing.spec import DesignSpec, parse_spec
from agent.ledger.events import Deployed, Designed
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.state import replay
from agent.verify.verification import verify
from constraints import load_set
from selfnas.errors import InputError
from tests.agent.conftest import inside
from tests.agent.designing.conftest import SPEC
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events


def answer(home: Path) -> Designed | None:
    """What a life has of a specification."""
    with reading(home) as ledger:
        found = replay(ledger).designed
    return found[-1].facts if found else None


def test_each_line_is_judged_and_the_bundle_holds(place: Path) -> None:
    """By exact numbers, or by an interval of examples or calls; the bundle says the same and checks."""
    said = (place / "said.txt").read_text()
    assert "tiny: met, all 4 lines" in said
    assert re.search(
        r"met +accuracy >= 0.7 @audit: 0\.\d+, 95 % interval \[0\.\d+, [01]\.?\d*\] of 108 audit examp", said
    )
    assert re.search(r"met +file <= 150 kB: [\d,]+ exactly", said)
    made = answer(place / "tiny/life")
    assert made is not None
    assert [line.name for line in made.lines] == ["parameters", "file", "accuracy", "latency_p95"]
    assert made.lines[3].n == 1500
    facts = json.loads((place / "tiny/bundle/model.json").read_text())
    assert [line["verdict"] for line in facts["design"]["lines"]] == ["met"] * 4
    assert "## What was asked for: tiny" in (place / "tiny/bundle/card.md").read_text()
    assert check(place / "tiny/bundle").problems == []
    assert (place / "tiny/bundle/model.onnx").stat().st_size == made.lines[1].estimate


def test_limits_are_rules_of_the_life(place: Path) -> None:
    """Exact ones and predicted ones, judged by its guard before any training."""
    with reading(place / "tiny/life") as ledger:
        (run,) = replay(ledger).runs
    text = run.started.constraint_set.text
    for rule in ("target-parameters", "target-file", "predicted-file", "predicted-latency-p95"):
        assert f"id: {rule}" in text


def test_ctrl_c_loses_nothing(place: Path) -> None:
    """What was cut off after its search goes on from there: nothing is searched again."""
    with reading(place / "searched/life") as before, reading(place / "tiny/life") as after:
        kept, whole = list(before.events()), list(after.events())
    assert whole[: len(kept)] == kept
    assert [event.kind for event in whole[len(kept) :]] == [Deployed.kind, Designed.kind]
    assert "evaluations" not in (place / "said.txt").read_text()


def test_a_finished_design_says_the_same_again(place: Path) -> None:
    """Nothing is searched, written or recorded."""
    before = (place / "tiny/life/ledger.db").read_bytes()
    done = inside(place, "design", "tiny.yaml")
    assert done.returncode == 0
    assert (place / "said.txt").read_text() == done.stdout
    assert (place / "tiny/life/ledger.db").read_bytes() == before


@pytest.mark.parametrize(("change", "named"), [
    (("0.7 @audit", "0.8 @audit"), "which differs in targets.accuracy"),
    (("evaluations: 2", "evaluations: 9"), "which differs in search.budget.evaluations"),
])  # fmt: skip
def test_an_edited_specification_is_refused(change: tuple[str, str], named: str, place: Path, tmp_path: Path) -> None:
    """By a sentence that names what differs; comments may change."""
    shutil.copytree(place / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny.yaml").write_text(SPEC.replace(*change))
    done = inside(tmp_path, "design", "tiny.yaml")
    assert done.returncode == 2
    assert named in done.stderr
    (tmp_path / "tiny.yaml").write_text(f"# the same\n{SPEC}")
    assert inside(tmp_path, "design", "tiny.yaml").returncode == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Whatever lies there."""
    (tmp_path / "tiny.yaml").write_text(SPEC)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/mine.txt").write_text("mine")
    done = inside(tmp_path, "design", "tiny.yaml")
    assert (done.returncode, "holds what is no design" in done.stderr) == (2, True)
    assert [each.name for each in (tmp_path / "tiny").iterdir()] == ["mine.txt"]


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: what a full disk does to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _searched_alone(place: Path, where: Path, spec: str) -> Path:
    """A design that was cut off after its search, begun with another specification."""
    folder = shutil.copytree(place / "searched", where / "tiny")
    kept = json.loads((folder / "design.json").read_text())
    (folder / "design.json").write_text(json.dumps(kept | {"specification": spec}))
    (where / "tiny.yaml").write_text(spec)
    return folder


def test_what_was_cut_off_goes_on_and_a_missed_line_is_named(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves nothing recorded; with room the design ends, with exit code 1 for the line."""
    folder = _searched_alone(place, tmp_path, SPEC.replace("0.7 @audit", "1 @audit"))
    with monkeypatch.context() as patch:
        patch.setattr(answering, "write_bundle", _on_a_full_disk)
        full = inside(tmp_path, "design", "tiny.yaml")
    assert full.returncode == 2
    assert "bundle/model.onnx: cannot be written: file too large" in full.stderr
    assert answer(folder / "life") is None
    assert not (folder / "bundle/SHA256SUMS").exists()
    done = inside(tmp_path, "design", "tiny.yaml")
    made = answer(folder / "life")
    assert made is not None
    verdict = made.lines[2].verdict
    assert verdict in ("missed", "undecided")
    assert (done.returncode, f"tiny: not met, for accuracy >= 1 @audit is {verdict}" in done.stdout) == (1, True)
    assert check(folder / "bundle").problems == []
    with reading(folder / "life") as ledger:
        assert not verify(ledger, Home(folder / "life")).problems


def _on_a_full_disk(folder: Path, made: Bundle) -> None:
    with files_at_most(10_000):
        write_bundle(folder, made)


def test_where_nothing_was_admitted_no_line_is_judged(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so, is recorded, and ends with exit code 1."""
    folder = _searched_alone(place, tmp_path, SPEC)
    monkeypatch.setattr(answering, "written_files", lambda *arguments, **options: [])
    done = inside(tmp_path, "design", "tiny.yaml")
    assert (done.returncode, "no network was admitted" in done.stdout) == (1, True), done.stderr
    made = answer(folder / "life")
    assert made is not None
    assert (made.digest, made.files, {line.verdict for line in made.lines}) == (None, [], {"undecided"})
    with reading(folder / "life") as ledger:
        problems = verify(ledger, Home(folder / "life")).problems
    assert any("chose none of the networks that were admitted" in problem for problem in problems)


def test_the_answer_verifies_with_data(place: Path) -> None:
    """The file is made again, and asked about the audit split again."""
    found = verified(place / "tiny/life", depth=Depth(sample=0))
    assert (found.problems, found.checked["answered specifications"]) == ([], 1)


def _line(place: int, **values: object) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload["lines"][place].update(values)


def _file(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload["files"][0].update(values)


def _text(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(payload: dict[str, Any]) -> None:
        payload["specification"]["text"] = payload["specification"]["text"].replace(old, new)

    return change


FORGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another run": (lambda payload: payload.update(run=9), "is of a run or task that this life does not have"),
    "a specification of nothing": (_text("format: 1", "format: 2"), "its specification or one of its lines is none"),
    "a looser specification": (_text("30 k", "40 k"), "its lines are not those of its specification"),
    "another limit in both": (
        lambda payload: (_text("30 k", "40 k")(payload), _line(0, text="<= 40 k")(payload)),
        "its run had no rule target-parameters: params <= 40000",
    ),
    "fewer parameters": (_line(0, estimate=1, low=1, high=1), "parameters is recorded as met, which its file does not"),
    "a smaller file": (_line(1, estimate=1, low=1, high=1), "file is recorded as met, which its file does not"),
    "a higher accuracy": (_line(2, low=0.99, high=1.0), "accuracy is recorded as met, which its file does not"),
    "another verdict": (_line(2, verdict="missed"), "accuracy is recorded as missed, which its file does not"),
    "fewer examples": (_line(2, n=20), "accuracy is recorded as met, which its file does not"),
    "no such verdict": (_line(3, verdict="fine"), "there is no verdict 'fine'"),
    "a time out of its interval": (_line(3, low=1e6), "latency_p95 is recorded as met, which its file does not"),
    "another file": (lambda payload: payload.update(artefact_sha256="0" * 64), "no event before it describes the file"),
    "a network that was not admitted": (_file(digest="0" * 64), "a file is of a network that was not admitted"),
    "another score": (_file(validation=0.1), "another score on validation examples than its network"),
    "files hidden": (lambda payload: payload.update(files=[]), "chose a file where there is none"),
    "no network": (lambda payload: payload.update(digest=None), "chose no network, but has files"),
}  # fmt: skip


def _forged(place: Path, where: Path, change: Callable[[dict[str, Any]], Any]) -> Home:
    def edit(events: Events) -> None:
        for kind, payload in events:
            if kind == Designed.kind:
                change(payload)

    return rewrite(place / "tiny/life", where, edit)


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_follow_from_the_life_is_found(name: str, place: Path, tmp_path: Path) -> None:
    """By a sentence that names the event."""
    change, said = FORGED[name]
    forged = _forged(place, tmp_path / "forged", change)
    with reading(forged.root) as ledger:
        problems = verify(ledger, forged).problems
    assert any("(designed): " in problem and said in problem for problem in problems), problems


def test_an_accuracy_that_the_file_does_not_have_is_found_with_data(place: Path, tmp_path: Path) -> None:
    """Though interval and verdict follow from what is recorded; without data, since the file was audited."""
    from selfnas.training.intervals import binomial

    low, high = binomial(107, 108)
    forged = _forged(place, tmp_path / "forged", _line(2, estimate=107 / 108, low=low, high=high))
    with reading(forged.root) as ledger:
        (told,) = verify(ledger, forged).problems
    assert "accuracy is recorded as 0.9907, audits of the same file have" in told
    problems = verified(forged.root, depth=Depth(sample=0)).problems
    assert any("recorded with 107 of 108 audit examples right" in problem for problem in problems), problems


def asked(**targets: str) -> DesignSpec:
    """A specification with other targets."""
    text = json.dumps({
        "design": "a", "format": 1, "space": "nb201", "macro": "c8n1r8", "shape": "1x8x8/10", "targets": targets
    })  # fmt: skip
    return parse_spec(text, name="a.yaml").value


def test_predictions_start_from_a_file_that_was_written() -> None:
    """What it has beside weights is taken off the limit, and the rest of the time is bought at the kernel's rate."""
    spec = asked(file="<= 100 kB", latency_p95="<= 1 ms")
    known = Forecast(
        params=1000, macs=10**6, bytes={"float32": 10_000, "int8": 11_000}, p95={"float32": 0.5, "int8": 0.6},
        per_mac=1e-7,
    )  # fmt: skip
    file, time = predicted_bounds(spec, known)
    assert file.condition == f"params <= {1000 + 100_000 - 8_000 - 11_000}"
    assert time.condition == f"macs <= {10**6 + 5 * 10**6}"
    (exact,) = exact_bounds(spec)
    assert (exact.id, exact.condition) == ("target-file", "params <= 200000")


def test_a_set_with_targets_is_a_set_that_keeps_all_its_rules() -> None:
    """Under a name of its own; twice the same rule is refused."""
    spec, baseline = asked(parameters="<= 30 k", macs=">= 1 k"), load_set("baseline")
    made = extended(baseline, list(exact_bounds(spec)), spec)
    assert [rule.id for rule in made.rules] == [
        *(rule.id for rule in baseline.rules), "target-parameters", "target-macs"
    ]  # fmt: skip
    assert made.name != baseline.name
    with pytest.raises(InputError, match="target-parameters"):
        extended(made, list(exact_bounds(spec)), spec)


def test_the_file_with_the_better_answers_is_chosen_of_those_within_limits() -> None:
    """Else the one that is the least beyond them; of equals the smaller."""
    spec = asked(file="<= 1 kB", latency_p95="<= 1 ms")
    files = [
        Measured(digest="a", precision="float32", bytes=2000, p95=0.1, validation=0.99),
        Measured(digest="a", precision="int8", bytes=900, p95=0.9, validation=0.9),
        Measured(digest="b", precision="int8", bytes=800, p95=0.9, validation=0.9),
        Measured(digest="c", precision="int8", bytes=700, p95=2.5, validation=0.95),
    ]
    assert chosen_file(spec, files) == 2
    assert chosen_file(spec, [files[0], files[3]]) == 0
