"""A life's dossier: all that it admitted, each sentence with its events and its place in two frameworks; and signed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.api.reviewing import Wish, decide
from agent.dossier.folder import made
from agent.dossier.frameworks import OF_LIFE, OF_POINT
from agent.dossier.life_checking import check_life_dossier, is_of_life
from agent.dossier.life_evidence import read_life
from agent.dossier.life_folder import LifeDossier, made_of_life
from agent.dossier.signing import SIGNATURE, check_dossier_signature, sign_dossier
from agent.dossier.writing import write_dossier
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.report.desk import desk
from agent.state.state import replay
from tests.agent.conftest import inside
from tests.golden.stored_home import rebuild

GOLDEN = Path(__file__).parents[2] / "golden"
LIVES = ("trained", "rivalled", "watched", "deployed")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stored lives with admitted networks, made again."""
    place = tmp_path_factory.mktemp("life-dossiers")
    for life in LIVES:
        rebuild(GOLDEN / life, place / life)
    return {life: place / life for life in LIVES}


@pytest.fixture
def home(homes: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of one that may be decided about."""
    shutil.copytree(homes["trained"], tmp_path / "home")
    return tmp_path / "home"


def made_from(home: Path, **given: Any) -> LifeDossier:
    """Its dossier now."""
    with reading(home) as ledger:
        return made_of_life(read_life(ledger), lambda one: made(one, **given), **given)


def problems(home: Path, folder: Path) -> list[str]:
    """What is wrong with a dossier."""
    with reading(home) as ledger:
        return check_life_dossier(folder, ledger, Home(home))


def admitted(home: Path) -> list[dict[str, Any]]:
    """Records of finalists that stand admitted."""
    with reading(home) as ledger:
        return [dict(row) for row in desk(replay(ledger)) if row["standing"] == "admitted"]


@pytest.mark.parametrize("life", LIVES)
def test_every_admitted_network_is_in_it_and_it_verifies(life: str, homes: dict[str, Path], tmp_path: Path) -> None:
    """By weights and folder; every sentence about the life is derived, and nothing is called compliant."""
    dossier = made_from(homes[life])
    wanted = [row["weights_sha256"] for row in admitted(homes[life])]
    assert len(dossier.networks) == len(wanted)
    subjects = {one["digest"]["sha256"] for one in dossier.documents["provenance.json"]["subject"]}
    assert subjects == set(wanted)
    assert all(one.derived for one in dossier.statements)
    assert len({one.key for one in dossier.statements}) == len(dossier.statements)
    assert not re.search(r"(?i)complian", "".join(dossier.files.values()))
    write_dossier(tmp_path / "dossier", dossier)
    assert is_of_life(tmp_path / "dossier")
    assert problems(homes[life], tmp_path / "dossier") == []


def test_each_derived_sentence_has_its_parts_of_the_frameworks(homes: dict[str, Path]) -> None:
    """Of the life and of each network; the parts are numbers as the frameworks write them."""
    dossier = made_from(homes["trained"])
    mapped = dossier.documents["frameworks.json"]
    assert set(mapped["life"]) == {one.key for one in dossier.statements}
    for folder, network in dossier.networks.items():
        assert set(mapped["networks"][folder]) == {one.key for one in network.statements if one.derived}
    for parts in (*OF_LIFE.values(), *OF_POINT.values()):
        assert parts.nist
        assert [one for one in parts.nist if not re.fullmatch(r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d\d?", one)] == []
        assert [one for one in parts.iso if not re.fullmatch(r"(A\.)?\d\d?\.\d(\.\d)?", one)] == []


def test_what_people_ended_is_told_with_its_reason(home: Path) -> None:
    """A revoked network has no dossier, but a sentence; people are named only where that is asked for."""
    row, count = admitted(home)[0], len(admitted(home))
    decide(home, [Wish(decision="overrule", event=row["event"], author="Zoe", reason="looks at the border")])
    dossier = made_from(home)
    before = (row["digest"], row["task"], row["run"])
    ended = {
        (one.value["digest"], one.value["task"], one.value["run"]): one.text
        for one in dossier.statements if one.point == "ended"
    }  # fmt: skip
    assert re.search(r"Reviewer \d ended it because: looks at the border", ended[before])
    assert len(dossier.networks) == len(admitted(home)) == count - 1
    assert "Zoe" not in "".join(dossier.files.values())
    assert "Zoe ended it" in made_from(home, names=True).page


def altered(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Places of all values in a document that are no list and no object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, inner in items:
        found = True
        yield from altered(inner, (*path, key))
    if not found and path:
        yield path


def put(document: Any, path: tuple[str | int, ...]) -> None:
    """Another value there."""
    for step in path[:-1]:
        document = document[step]
    old = document[path[-1]]
    document[path[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"


@pytest.mark.parametrize("name", ["life.json", "frameworks.json", "provenance.json", "dossier.json"])
def test_any_value_that_is_changed_is_found(name: str, homes: dict[str, Path], tmp_path: Path) -> None:
    """Three of each of four documents about the life, and more where they do not divide."""
    home, folder = homes["trained"], tmp_path / "dossier"
    dossier = made_from(home)
    write_dossier(folder, dossier)
    places = list(altered(dossier.documents[name]))
    assert places
    for path in places[:: max(1, len(places) // 3)]:
        document = json.loads(dossier.files[name])
        put(document, path)
        (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        assert problems(home, folder), path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder, network: (folder / "life.md").write_text("nothing\n"), r"^life\.md: line 1 says"),
        (lambda folder, network: (network / "note.txt").write_text("x"), r"/note\.txt: is no part of a dossier"),
        (lambda folder, network: (folder / "networks" / "extra").symlink_to(network), "extra: is no part of a dossier"),
        (
            lambda folder, network: (network / "annex-iv.md").write_text("x"),
            r"^networks/\d+-\w{12}/annex-iv\.md: line 1 says",
        ),
        (
            lambda folder, network: (network / "bom.cdx.json").write_text("{}"),
            r"bom\.cdx\.json: /bomFormat is missing",
        ),
    ],
    ids=["page", "stray file", "link", "page of a network", "bill of a network"],
)
def test_a_file_that_is_not_the_ledger_s_is_named(
    change: Any, message: str, homes: dict[str, Path], tmp_path: Path
) -> None:
    """Of the life or of a network, with its path in the folder."""
    folder = tmp_path / "dossier"
    write_dossier(folder, made_from(homes["trained"]))
    change(folder, next((folder / "networks").iterdir()))
    assert any(re.search(message, problem) for problem in problems(homes["trained"], folder))


def test_what_came_later_makes_it_stale(home: Path, tmp_path: Path) -> None:
    """An overrule after the dossier is named, and so is what it was made without."""
    write_dossier(tmp_path / "dossier", made_from(home))
    row = admitted(home)[0]
    (event,) = decide(home, [Wish(decision="overrule", event=row["event"], author="Zoe", reason="border")])
    assert problems(home, tmp_path / "dossier") == [
        f"event {event.seq} (reviewed) came after the dossier: make it anew"
    ]


def test_a_signature_covers_every_file(homes: dict[str, Path], tmp_path: Path) -> None:
    """With its key it holds; with another, after a change, or where one is wanted and none is there, it does not."""
    folder = tmp_path / "dossier"
    write_dossier(folder, made_from(homes["trained"]))
    assert check_dossier_signature(folder, None) == []
    assert check_dossier_signature(folder, KEY.public_key()) == ["the dossier is not signed"]
    sign_dossier(folder, KEY)
    assert check_dossier_signature(folder, KEY.public_key()) == check_dossier_signature(folder, None) == []
    assert problems(homes["trained"], folder) == []
    other = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    assert "not with" in check_dossier_signature(folder, other.public_key())[0]
    page = next((folder / "networks").iterdir()) / "annex-iv.md"
    page.write_text(page.read_text() + "x")
    assert "over these files" in check_dossier_signature(folder, KEY.public_key())[0]
    for text in ("{", "[]", "{}", '{"format": 1, "key": "zz", "signature": ""}'):
        (folder / SIGNATURE).write_text(text)
        assert check_dossier_signature(folder, None)


def test_the_command_line_makes_signs_and_verifies(home: Path) -> None:
    """A life's and a network's; with the wrong key the exit is 1."""
    place = home.parent
    for name in ("ann", "bob"):
        assert inside(place, "keys", "new", f"{name}.pem").returncode == 0
    done = inside(place, "dossier", "life", "-o", "life", "--home", "home", "--sign", "ann.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sentences about the life, all derived, and dossiers of" in done.stdout
    digest = admitted(home)[0]
    words = ("--task", digest["task"], "--run", str(digest["run"]), "--home", "home", "--sign", "ann.pem")
    assert inside(place, "dossier", digest["digest"], "-o", "one", *words).returncode == 0
    for folder in ("life", "one"):
        words = ("dossier", "verify", folder, "--home", "home", "--no-life", "--key")
        assert inside(place, *words, "ann.pem.pub").returncode == 0
        wrong = inside(place, *words, "bob.pem.pub")
        assert (wrong.returncode, "not with" in wrong.stdout + wrong.stderr) == (1, True)
