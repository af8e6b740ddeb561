"""Motifs of another audit suite are named, by run; those of the suite in force never are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agent.gate.superseded import admitted_otherwise, suite_sentence


def life(*suites: str, motifs: dict[int, list[str]]) -> Any:
    """Of runs under these suites; what each of them admitted."""
    runs = [
        SimpleNamespace(
            number=place + 1,
            started=SimpleNamespace(audit_suite_digest=suite, audit_suite=SimpleNamespace(name=f"name-{suite}")),
        )
        for place, suite in enumerate(suites)
    ]
    return SimpleNamespace(runs=runs, library=SimpleNamespace(runs=lambda: list(motifs), of_run=motifs.__getitem__))


def test_only_motifs_of_another_suite_are_named() -> None:
    """Than that of the latest run, or than the one that is asked about."""
    state = life("a", "b", "a", motifs={1: ["one"], 2: ["two", "three"], 3: ["four"]})
    assert list(admitted_otherwise(state)) == ["two", "three"]
    assert list(admitted_otherwise(state, suite="b")) == ["one", "four"]
    assert list(admitted_otherwise(state, suite="c")) == ["one", "two", "three", "four"]
    assert list(admitted_otherwise(life(motifs={}))) == []


def test_the_sentence_counts_them_and_names_the_suite_in_force() -> None:
    """Nothing is said where there are none."""
    state = life("a", "b", motifs={1: ["one", "two"], 2: ["three"]})
    told = suite_sentence(state, "h")
    assert told.startswith("2 motif(s) were admitted under another audit suite than 'name-b'")
    assert "--home h" in told
    assert suite_sentence(state, "h", name="new", digest="a").startswith("1 motif(s) were admitted under another")
    assert "'new'" in suite_sentence(state, "h", name="new", digest="a")
    assert suite_sentence(life("a", motifs={1: ["one"]}), "h") == ""
