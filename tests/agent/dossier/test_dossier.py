"""What a regulator is handed: derived from the ledger sentence by sentence, in forms that others read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from agent.dossier.annex import ASKED, POINTS, SECTIONS
from agent.dossier.bom import bill
from agent.dossier.checking import check_dossier
from agent.dossier.evidence import read_evidence
from agent.dossier.folder import made
from agent.dossier.statement import OPEN
from agent.ledger.events import Deployed
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.report.desk import desk
from agent.state.state import replay
from tests.agent.conftest import inside
from tests.golden.stored_home import rebuild

GOLDEN = Path(__file__).parents[2] / "golden"
LIVES = ("trained", "rivalled", "watched", "deployed")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stored lives with trained networks, made again."""
    place = tmp_path_factory.mktemp("dossiers")
    for life in LIVES:
        rebuild(GOLDEN / life, place / life)
    return {life: place / life for life in LIVES}


def networks(home: Path) -> list[tuple[str, str, int]]:
    """Digest, task and run of each that was trained to the end."""
    with reading(home) as ledger:
        rows = list(desk(replay(ledger)))
    return [(str(row["digest"]), str(row["task"]), int(str(row["run"]))) for row in rows if row["weights_sha256"]]


@pytest.mark.parametrize("life", LIVES)
def test_every_network_s_dossier_is_valid_and_verifies(life: str, homes: dict[str, Path], tmp_path: Path) -> None:
    """Its bill by the schemas of CycloneDX 1.6 and 1.7, its statement by the form of in-toto, all by the ledger."""
    found = networks(homes[life])
    assert found
    for place, (digest, task, run) in enumerate(found):
        with reading(homes[life]) as ledger:
            evidence = read_evidence(ledger, digest, task=task, run=run)
            dossier = made(evidence)
            for version, schema in (("1.6", SchemaVersion.V1_6), ("1.7", SchemaVersion.V1_7)):
                text = json.dumps(bill(evidence, names=False, version=version))  # type: ignore[arg-type]
                assert JsonStrictValidator(schema).validate_str(text) is None
            folder = tmp_path / str(place)
            folder.mkdir()
            for name, content in dossier.files.items():
                (folder / name).write_text(content)
            assert check_dossier(folder, ledger, Home(homes[life])) == []
        statement = dossier.documents["provenance.json"]
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["subject"][0]["digest"]["sha256"] == evidence.trained.facts.weights_sha256
        assert json.loads(dossier.files["bom.cdx.json"])["metadata"]["component"]["modelCard"]


def test_each_sentence_names_its_events_or_is_the_provider_s(homes: dict[str, Path]) -> None:
    """In nine sections, none empty; each event that is named is in the ledger with that hash; keys are unique."""
    with reading(homes["rivalled"]) as ledger:
        for digest, task, run in networks(homes["rivalled"]):
            dossier = made(read_evidence(ledger, digest, task=task, run=run))
            keys = [one.key for one in dossier.statements]
            assert len(set(keys)) == len(keys)
            assert {one.point for one in dossier.statements} == POINTS.keys()
            assert [part["section"] for part in dossier.documents["annex-iv.json"]["sections"]] == list(SECTIONS)
            for one in dossier.statements:
                assert one.derived != one.text.startswith(OPEN)
                assert all(ledger.event(seq).hash == digest for seq, digest in one.events)
            assert {one.key for one in dossier.statements if not one.derived} == ASKED.keys()


def test_files_that_a_network_was_written_as_are_told(homes: dict[str, Path]) -> None:
    """Each with its digest and what it answers otherwise; the event is named."""
    told = []
    with reading(homes["deployed"]) as ledger:
        made_of = [event for event in ledger.events() if isinstance(event.facts, Deployed)]
        for digest, task, run in networks(homes["deployed"]):
            statements = made(read_evidence(ledger, digest, task=task, run=run)).statements
            told += [one for one in statements if one.key.startswith("1.d:file")]
    assert [one.events for one in told] == [((event.seq, event.hash),) for event in made_of] != []
    for one, event in zip(told, made_of, strict=True):
        assert isinstance(event.facts, Deployed)
        assert event.facts.artefact_sha256 in one.text


def test_more_than_half_of_the_points_have_a_derived_sentence(homes: dict[str, Path]) -> None:
    """So many that the provider's part is the smaller one."""
    digest, task, run = networks(homes["rivalled"])[0]
    with reading(homes["rivalled"]) as ledger:
        statements = made(read_evidence(ledger, digest, task=task, run=run)).statements
    told = {one.point for one in statements if one.derived}
    assert len(told) / len(POINTS) >= 0.6
    assert sum(one.derived for one in statements) / len(statements) >= 0.6


@pytest.mark.parametrize("life", LIVES)
def test_nothing_calls_a_network_compliant(life: str, homes: dict[str, Path]) -> None:
    """A file says what was measured; whether the law is met is not its to say."""
    with reading(homes[life]) as ledger:
        for digest, task, run in networks(homes[life]):
            for content in made(read_evidence(ledger, digest, task=task, run=run)).files.values():
                assert not re.search(r"(?i)complian|conforms to|certified by the EU", content)


def test_a_dossier_is_made_without_what_takes_seconds_to_load(homes: dict[str, Path], tmp_path: Path) -> None:
    """Neither PyTorch nor a solver nor MLflow."""
    digest, task, run = networks(homes["rivalled"])[0]
    heavy = ("torch", "z3", "mlflow", "captum", "pandas", "matplotlib")
    tell = f"import atexit, sys\natexit.register(lambda: print({{*{heavy}}} & set(sys.modules)))\n"
    words = ["dossier", digest, "-o", str(tmp_path / "d"), "--home", str(homes["rivalled"]), "--task", task]
    done = subprocess.run(
        [sys.executable, "-c", f"{tell}from agent.cli import main\nmain()", *words, "--run", str(run)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.endswith("set()\n")
    assert len(list((tmp_path / "d").iterdir())) == 5


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "bom.cdx.json").unlink(), "bom.cdx.json: no such file: a dossier has"),
        (lambda folder: (folder / "dossier.json").write_text("[]"), "dossier.json: is no JSON object"),
        (lambda folder: (folder / "provenance.json").write_text("{"), "provenance.json: is no JSON"),
        (lambda folder: (folder / "annex-iv.md").write_bytes(b"\xff\xfe"), "annex-iv.md: cannot be read"),
        (lambda folder: (folder / "annex-iv.json").write_text("[" * 100_000), "annex-iv.json: is no JSON"),
    ],
)
def test_what_is_no_dossier_is_refused_by_its_file(
    damage: Callable[[Path], object], told: str, homes: dict[str, Path], tmp_path: Path
) -> None:
    """As bad input, with exit code 2."""
    digest, task, run = networks(homes["rivalled"])[0]
    with reading(homes["rivalled"]) as ledger:
        dossier = made(read_evidence(ledger, digest, task=task, run=run))
    (tmp_path / "d").mkdir()
    for name, content in dossier.files.items():
        (tmp_path / "d" / name).write_text(content)
    damage(tmp_path / "d")
    done = inside(tmp_path, "dossier", "verify", "d", "--home", homes["rivalled"], "--no-life")
    assert done.returncode == 2
    assert told in done.stderr


def decided(home: Path) -> tuple[str, str, int, str]:
    """A network that a person decided about, and who."""
    with reading(home) as ledger:
        row: dict[str, Any] = next(row for row in desk(replay(ledger)) if row["reviews"])
    return row["digest"], row["task"], row["run"], row["reviews"][0]["author"]


def test_people_are_named_only_where_that_is_asked_for(homes: dict[str, Path]) -> None:
    """Else they are numbered, in reasons too; what they decided is told in any case."""
    digest, task, run, author = decided(homes["trained"])
    with reading(homes["trained"]) as ledger:
        found = read_evidence(ledger, digest, task=task, run=run)
    hidden, named = (made(found, names=names) for names in (False, True))
    assert not any(re.search(rf"(?i)\b{re.escape(author)}\b", content) for content in hidden.files.values())
    assert "Reviewer 1" in hidden.page
    for name in ("annex-iv.md", "annex-iv.json", "bom.cdx.json", "provenance.json"):
        assert author in named.files[name]
    assert len(hidden.statements) == len(named.statements)


def test_what_the_provider_states_is_taken_as_it_is(homes: dict[str, Path], tmp_path: Path) -> None:
    """By key, and by the command; a key that the ledger answers is not the provider's to state."""
    digest, task, run = networks(homes["rivalled"])[0]
    where = ("--task", task, "--run", str(run), "--home", homes["rivalled"])
    stated = tmp_path / "stated.json"
    stated.write_text(json.dumps({"1.a:purpose": "sorts parts on a belt", "2.h:measures": "none is networked"}))
    done = inside(tmp_path, "dossier", digest, "-o", "d", "--stated", stated, *where)
    assert done.returncode == 0, done.stderr
    assert "2 stated by the provider" in done.stdout
    assert "- sorts parts on a belt *(1.a; stated by the provider)*" in (tmp_path / "d" / "annex-iv.md").read_text()
    checked = inside(tmp_path, "dossier", "verify", "d", "--home", homes["rivalled"], "--no-life")
    assert (checked.returncode, checked.stdout.strip()) == (0, "checked 1 dossier: all hold")
    again = inside(tmp_path, "dossier", digest, "-o", "d", *where)
    assert again.returncode != 0
    assert "there is something already" in again.stderr
    stated.write_text(json.dumps({"2.g:test": "always right"}))
    refused = inside(tmp_path, "dossier", digest, "-o", "e", "--stated", stated, *where)
    assert refused.returncode != 0
    assert "no sentence that the provider states" in refused.stderr
    assert not (tmp_path / "e").exists()
