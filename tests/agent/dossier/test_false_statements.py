"""False statements planted in a dossier: each is found, and named where it stands."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.dossier.checking import check_dossier
from agent.dossier.evidence import read_evidence
from agent.dossier.folder import made
from agent.gate.review import review
from agent.ledger.home import Home
from agent.ledger.store import Ledger, reading
from agent.report.desk import desk
from agent.state.state import replay
from tests.golden.stored_home import rebuild

GOLDEN = Path(__file__).parents[2] / "golden"
Files = dict[str, Any]  # JSON documents and the page, by name
Plant = Callable[[Files], None]
BOM, ANNEX, PROVENANCE, MANIFEST, PAGE = (
    "bom.cdx.json", "annex-iv.json", "provenance.json", "dossier.json", "annex-iv.md",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored life, in which a person then refused what the audits admitted, and let it in again."""
    home = tmp_path_factory.mktemp("false") / "home"
    rebuild(GOLDEN / "trained", home)
    digest, task, run = subject(home)
    with Ledger(home / "ledger.db", clock=time.time) as ledger:
        for reason in ("it looks at one corner", "the corner is the label's place"):
            ledger.append([review(replay(ledger), digest, "overrule", author="ann", reason=reason, task=task, run=run)])
    return home


def subject(home: Path) -> tuple[str, str, int]:
    """The first network that the audits admitted and only ann decided about."""
    with reading(home) as ledger:
        admitted = (row for row in desk(replay(ledger)) if row["audits"] == "admit")
        row = next(row for row in admitted if not row["reviews"] or row["reviews"][0]["author"] == "ann")
    return str(row["digest"]), str(row["task"]), int(str(row["run"]))


@pytest.fixture(scope="module")
def files(home: Path) -> Files:
    """The true dossier."""
    digest, task, run = subject(home)
    with reading(home) as ledger:
        texts = made(read_evidence(ledger, digest, task=task, run=run)).files
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}


def statement(files: Files, key: str) -> dict[str, Any]:
    """A record of the annex, by the beginning of its key."""
    found = (one for part in files[ANNEX]["sections"] for one in part["statements"] if one["key"].startswith(key))
    return next(found)


def told(key: str, name: str, value: object) -> Plant:
    """Another value in a sentence's record."""

    def plant(files: Files) -> None:
        record = statement(files, key)
        assert record["value"][name] != value
        record["value"][name] = value

    return plant


def worded(key: str, old: str, new: str) -> Plant:
    """Another word in a sentence, in the record and on the page alike."""

    def plant(files: Files) -> None:
        record = statement(files, key)
        assert old in record["text"]
        changed = record["text"].replace(old, new, 1)
        files[PAGE] = files[PAGE].replace(record["text"], changed)
        record["text"] = changed

    return plant


def left_out(key: str) -> Plant:
    """A sentence is missing, from the record and from the page."""

    def plant(files: Files) -> None:
        record = statement(files, key)
        for part in files[ANNEX]["sections"]:
            part["statements"] = [one for one in part["statements"] if one is not record]
        files[PAGE] = "\n".join(line for line in files[PAGE].split("\n") if record["text"][:40] not in line)

    return plant


def put(name: str, value: object, *path: str | int) -> Plant:
    """Another value at a place of a document."""

    def plant(files: Files) -> None:
        held = files[name]
        for step in path[:-1]:
            held = held[step]
        assert held[path[-1]] != value
        held[path[-1]] = value

    return plant


def taken(name: str, *path: str | int) -> Plant:
    """A place of a document is missing."""

    def plant(files: Files) -> None:
        held = files[name]
        for step in path[:-1]:
            held = held[step]
        del held[path[-1]]

    return plant


def swapped(name: str, one: tuple[str | int, ...], other: tuple[str | int, ...]) -> Plant:
    """Two values change places."""

    def at(files: Files, path: tuple[str | int, ...]) -> Any:
        held = files[name]
        for step in path:
            held = held[step]
        return held

    def plant(files: Files) -> None:
        first, second = at(files, one), at(files, other)
        assert first != second
        put(name, second, *one)(files)
        put(name, first, *other)(files)

    return plant


def without_overrule(files: Files) -> None:
    """Every trace of the first overrule is gone."""
    for key in ("2.e:decision", "6:change"):
        left_out(key)(files)
    told("2.e:count", "decisions", 1)(files)
    told("2.e:count", "overruled", 1)(files)
    component = files[BOM]["metadata"]["component"]
    first = next(one for one in component["properties"] if one["name"].startswith("selfnas:decision:"))
    component["properties"].remove(first)
    design = files[PROVENANCE]["predicate"]["buildDefinition"]["internalParameters"]["design"]
    design.remove(next(one for one in design if one["by"].startswith("Reviewer")))


def page(old: str, new: str) -> Plant:
    """Other words on the page alone."""

    def plant(files: Files) -> None:
        assert old in files[PAGE]
        files[PAGE] = files[PAGE].replace(old, new, 1)

    return plant


def basis(files: Files) -> None:
    """A derived sentence is passed off as the provider's."""
    record = statement(files, "2.g:verdict")
    record |= {"basis": "provider", "asked": "the audits' verdict", "text": "The audits say admit, without reserve."}
    del record["value"], record["events"]


def event_of(key: str) -> Plant:
    """A sentence names an event that it does not follow from."""

    def plant(files: Files) -> None:
        record = statement(files, key)
        other = statement(files, "1.c:plugins")["events"][0]
        assert record["events"][0] != other
        record["events"][0] = dict(other)

    return plant


def hash_of(key: str) -> Plant:
    """A sentence names an event by another hash."""

    def plant(files: Files) -> None:
        event = statement(files, key)["events"][0]
        event["hash"] = event["hash"][::-1]

    return plant


COMPONENT = ("metadata", "component")
CARD = (*COMPONENT, "modelCard")
METRICS = (*CARD, "quantitativeAnalysis", "performanceMetrics")
BUILD = ("predicate", "buildDefinition")
PLANTS: dict[str, Plant] = {
    # numbers
    "test estimate raised": told("2.g:test", "estimate", 0.999),
    "test interval narrowed": told("2.g:test", "low", 0.95),
    "more test examples": told("2.g:test", "n", 100_000),
    "test figure of section 3 raised": told("3:test", "estimate", 0.999),
    "validation score raised": told("2.g:validation", "estimate", 1.0),
    "fewer parameters": told("1.a:weights", "parameters", 7),
    "a finding's limit moved": told("2.g:finding 0", "low", 0.99),
    "a finding's threshold lowered": told("2.g:finding 0", "threshold", 0.0),
    "a finding's observations multiplied": told("2.g:finding 1", "n", 10_000),
    "fewer trainings spent": told("2.a:spent", "evaluations", 1),
    "a larger share of the space admitted": told("2.b:space", "low", "15625"),
    "the hand-designed network made worse": told("2.g:hand-designed", "estimate", 0.1),
    "statistics of the data changed": told("2.d:statistics", "log2_train", 20.0),
    "counts of what was kept out changed": told("2.a:kept-out", "rules", {"connected": 1}),
    "a metric of the bill raised": put(BOM, "0.999", *METRICS, 0, "value"),
    "an interval of the bill narrowed": put(BOM, "0.95", *METRICS, 0, "confidenceInterval", "lowerBound"),
    "a rule is more than met": put(BOM, 0.0, "declarations", "attestations", 0, "map", 0, "conformance", "score"),
    "a number in words alone": worded("2.g:test", "On ", "On more than "),
    "a number on the page alone": page("trainable parameters", "trainable parameters, all of them needed"),
    # words and verdicts
    "the audits' verdict": told("2.g:verdict", "decision", "reject"),
    "a failed finding passes": told("2.g:finding 2", "decision", "fail"),
    "standing turned": told("1.a:standing", "standing", "refused"),
    "standing of the bill turned": put(BOM, "refused", *COMPONENT, "properties", 2, "value"),
    "a rule's verdict": told("2.b:rule", "verdict", "f"),
    "the origin of the design": told("2.a:origin", "origin", "published"),
    "another strategy": told("2.a:search", "strategy", "random"),
    "a reason softened": worded("2.e:decision", "it looks at one corner", "a formality"),
    "a person's decision turned": told("2.e:decision", "decision", "approve"),
    "the claim turned": put(BOM, "rule connected is broken", "declarations", "claims", 0, "predicate"),
    "a derived sentence becomes the provider's": basis,
    # omissions
    "an overrule is missing everywhere": without_overrule,
    "an overrule is missing from the bill": taken(BOM, *COMPONENT, "properties", -1),
    "a finding left out": left_out("2.g:finding 3"),
    "what was not tested left out": left_out("3:untested"),
    "a rule left out": left_out("2.b:rule"),
    "changes of its standing left out": left_out("6:change"),
    "a provider's gap left out": left_out("5:system"),
    "limits of the model card left out": taken(BOM, *CARD, "quantitativeAnalysis"),
    "the certificate left out": taken(BOM, "declarations", "evidence", 0),
    "the constraint set is no material": taken(PROVENANCE, *BUILD, "resolvedDependencies", 1),
    "a section left out": taken(ANNEX, "sections", 4),
    "the seed left out": taken(PROVENANCE, *BUILD, "externalParameters", "seed"),
    # digests
    "digest of the weights": put(BOM, "0" * 64, *COMPONENT, "hashes", 0, "content"),
    "digests of set and suite exchanged": swapped(
        BOM, ("components", 1, "properties", 0, "value"), ("components", 2, "properties", 0, "value")
    ),
    "digests of materials exchanged": swapped(
        PROVENANCE,
        (*BUILD, "resolvedDependencies", 0, "digest"),
        (*BUILD, "resolvedDependencies", 1, "digest"),
    ),
    "another subject": put(PROVENANCE, "f" * 64, "subject", 0, "digest", "sha256"),
    "digest of the data": told("2.d:source", "digest", "5" * 64),
    "hash of an event": hash_of("2.g:test"),
    "another event": event_of("2.g:verdict"),
    "hash of the head": put(MANIFEST, "a" * 64, "head", "hash"),
    "digest of the stream": put(PROVENANCE, "b" * 64, *BUILD, "externalParameters", "stream_digest"),
    "serial number": put(BOM, "urn:uuid:00000000-0000-5000-8000-000000000000", "serialNumber"),
    # additions and later edits
    "an award": lambda files: files[BOM][COMPONENT[0]]["component"]["properties"].append(
        {"name": "selfnas:award", "value": "best network"}
    ),
    "a sentence of its own": lambda files: files[ANNEX]["sections"][0]["statements"].append(
        {"key": "1.a:praise", "basis": "provider", "asked": "praise", "text": "It is excellent."}
    ),
    "a line of the page": page("## 3. ", "- It never fails.\n\n## 3. "),
    "another run": put(MANIFEST, 9, "run"),
    "another network": put(MANIFEST, "c" * 64, "digest"),
    "another format": put(MANIFEST, 2, "format"),
}


def problems(home: Path, files: Files, folder: Path) -> list[str]:
    """What verification says of a folder with these files."""
    folder.mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text)
    with reading(home) as ledger:
        return check_dossier(folder, ledger, Home(home))


def test_the_true_dossier_is_not_accused(home: Path, files: Files, tmp_path: Path) -> None:
    """Neither as it was made nor with what the provider states."""
    assert problems(home, files, tmp_path / "true") == []


def test_there_are_at_least_forty() -> None:
    """Of every kind."""
    assert len(PLANTS) >= 40


@pytest.mark.parametrize("name", PLANTS)
def test_a_false_statement_is_found_where_it_stands(name: str, home: Path, files: Files, tmp_path: Path) -> None:
    """The sentence names the file."""
    false = copy.deepcopy(files)
    PLANTS[name](false)
    changed = [part for part in files if false[part] != files[part]]
    found = problems(home, false, tmp_path / "false")
    for part in changed:
        assert any(problem.startswith(f"{part}: ") for problem in found) or MANIFEST in changed, found[:5]
    assert found


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Of every number, text and truth in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from places(inner, (*path, place))
    else:
        yield path


@pytest.mark.parametrize("document", [BOM, PROVENANCE, ANNEX])
def test_any_value_that_is_changed_is_found(document: str, home: Path, files: Files, tmp_path: Path) -> None:
    """Every twenty-third value of each document in turn, but for what the provider states."""
    for number, path in enumerate(list(places(files[document]))[::23]):
        false = copy.deepcopy(files)
        held: Any = false[document]
        for step in path[:-1]:
            held = held[step]
        if isinstance(held, dict) and held.get("basis") == "provider" and path[-1] == "text":
            continue
        old = held[path[-1]]
        held[path[-1]] = f"{old}x" if isinstance(old, str) else not old if isinstance(old, bool | None) else old + 1
        assert problems(home, false, tmp_path / str(number)), path


def test_what_is_decided_later_makes_a_dossier_stale(home: Path, files: Files, tmp_path: Path) -> None:
    """It says by which event: no overrule is escaped by a dossier of the day before."""
    shutil.copytree(home, tmp_path / "home")
    digest, task, run = subject(home)
    with Ledger(tmp_path / "home" / "ledger.db", clock=time.time) as ledger:
        said = review(replay(ledger), digest, "overrule", author="bob", reason="no", task=task, run=run)
        (event,) = ledger.append([said])
    (told,) = problems(tmp_path / "home", files, tmp_path / "stale")
    assert told.startswith(f"event {event.seq} (reviewed) is about this network and came after the dossier")


def test_a_dossier_of_the_day_before_does_not_hide_an_overrule(home: Path, tmp_path: Path) -> None:
    """Though all of it was true then."""
    digest, task, run = subject(home)
    with reading(home) as ledger:
        last = ledger.head()[0] - 1
        earlier = made(read_evidence(ledger, digest, task=task, run=run, until=last - 2))
    found = problems(home, dict(earlier.files), tmp_path / "before")
    assert [problem.split(" is about")[0] for problem in found] == [
        f"event {last - 1} (reviewed)", f"event {last} (reviewed)"
    ]  # fmt: skip


def test_a_network_whose_weights_were_changed_has_no_true_dossier(home: Path, files: Files, tmp_path: Path) -> None:
    """The file is part of what is vouched for."""
    shutil.copytree(home, tmp_path / "home")
    sha256 = files[BOM]["metadata"]["component"]["hashes"][0]["content"]
    Home(tmp_path / "home").weights_file(sha256).write_bytes(b"other")
    (told,) = problems(tmp_path / "home", files, tmp_path / "dossier")
    assert told == f"weights {sha256[:12]}… of this home were changed"
    Home(tmp_path / "home").weights_file(sha256).unlink()
    (told,) = problems(tmp_path / "home", files, tmp_path / "again")
    assert told == f"weights {sha256[:12]}… are not in this home"


def test_a_stray_file_and_a_key_that_is_there_twice_are_found(home: Path, files: Files, tmp_path: Path) -> None:
    """What a reader's parser would pass over is not passed over."""
    assert problems(home, files, tmp_path / "true") == []
    (tmp_path / "true" / "seal.txt").write_text("approved")
    text = (tmp_path / "true" / MANIFEST).read_text()
    (tmp_path / "true" / MANIFEST).write_text(text.replace('"names": false', '"names": true,\n "names": false'))
    with reading(home) as ledger:
        found = check_dossier(tmp_path / "true", ledger, Home(home))
    assert found == [
        "seal.txt: is no part of a dossier",
        f"{MANIFEST}: is written in another way, such as a key that is there twice",
    ]
