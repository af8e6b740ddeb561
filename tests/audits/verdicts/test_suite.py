"""Suites are files that people edit: every mistake is named with its place, and the digest follows the meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from audits import AUDITS, AuditData, Suite, calibration_of, load_suite, parse_suite, run_suite
from audits.verdicts.suite import shipped_suites
from selfnas.errors import InputError

SHIPPED = Path(load_suite.__code__.co_filename).parents[1] / "suites" / "baseline.yaml"

GOOD = """\
suite: mine
language: 1
audits:
  - audit: skill
    role: gate
    thresholds: {above_chance: 0.2, against_centroid: 0.8}
    settings: {samples: 200}
  - audit: completeness
    role: validity
    thresholds: {error: 0.05}
    settings: {samples: 20, steps: 32}
"""


def load(tmp_path: Path, text: str) -> Suite:
    """The suite that the text is."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_suite(path)


def test_shipped_suites_use_every_audit() -> None:
    """By name and by path each is the same, and no audit of the registry is left out."""
    suite = load_suite("baseline")
    assert suite == load_suite(SHIPPED)
    assert {entry.audit for name in shipped_suites() for entry in load_suite(name).entries} == set(AUDITS)
    assert {"skill", "generalisation", "swap"} <= set(suite.gates)


@pytest.mark.parametrize("name", ["baseline", "mine"])
def test_a_text_reads_as_the_file_it_came_from(tmp_path: Path, name: str) -> None:
    """The same suite, digest and text; but no file, beside which a calibration could lie."""
    read = load_suite(name) if name == "baseline" else load(tmp_path, GOOD + PLANTS)
    again = parse_suite(read.text)
    assert (again, again.digest, again.text, again.file) == (read, read.digest, read.text, "")
    assert (calibration_of(again) is None) == (name == "mine")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("audit: skill", "audit: skil"), "recorded.yaml:4:5: unknown audit 'skil'"),
        (GOOD + "# " + "x" * 250_000, "recorded.yaml: larger than 250,000 bytes"),
        (GOOD.replace("mine", "\ud800"), "recorded.yaml: not UTF-8 text"),
    ],
)
def test_a_text_is_held_to_what_a_file_of_it_is_held_to(text: str, expected: str) -> None:
    """Mistakes have their line and column under the given name; size and encoding are checked as well."""
    with pytest.raises(InputError) as caught:
        parse_suite(text, name="recorded.yaml")
    assert [str(problem).startswith(expected) for problem in caught.value.problems] == [True]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("audit: skill", "audit: skil", r"mine\.yaml:4:5: unknown audit 'skil'; did you mean 'skill'\?"),
        ("role: gate", "role: gaet", r"mine\.yaml:5:5: role: .*'gate'"),
        ("above_chance: 0.2, ", "", r"mine\.yaml:6:5: missing threshold 'above_chance'"),
        ("above_chance: 0.2", "above_chanse: 0.2", r"mine\.yaml:6:18: unknown threshold 'above_chanse'; did you mean"),
        ("above_chance: 0.2", "above_chance: 2", r"mine\.yaml:6:18: above_chance: need a number in 0\.\.1, not 2"),
        ("above_chance: 0.2", "above_chance: .nan", r"mine\.yaml:6:18: above_chance: "),
        ("samples: 200", "samples: 3", r"mine\.yaml:7:16: samples: need a whole number in 20\.\.100000, not 3"),
        ("samples: 200", "samples: 200.5", r"mine\.yaml:7:16: samples: need a whole number"),
        ("samples: 200", "sampels: 200", r"mine\.yaml:7:16: unknown setting 'sampels'; did you mean 'samples'\?"),
        ("role: gate", "role: validity", r"mine\.yaml:5:5: audit 'skill' tests no attribution method"),
        ("role: gate", "role: advisory", r"mine\.yaml:3:1: no audit has the role gate"),
        ("audit: completeness", "audit: skill", r"mine\.yaml:8:5: audit 'skill' appears twice"),
        ("suite: mine", "suit: mine", r"mine\.yaml:1:1: unknown key 'suit'"),
        ("language: 1", "language: 2", r"mine\.yaml:2:1: language"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, line, column, what is wrong and what would be right."""
    assert GOOD.count(old) == 1
    with pytest.raises(InputError, match=message):
        load(tmp_path, GOOD.replace(old, new))


PLANTS = """\
plants:
  - task: digits
    nuisances:
      - {name: corner, region: [[0, 2], [0, 2]]}
    triggers:
      - {name: sticker, region: [[6, 8], [6, 8]], value: 4.0, target: 0}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: corner", "nam: corner", r"mine\.yaml:15:10: unknown key 'nam'"),
        ("[[0, 2], [0, 2]]", "[[0, 2, 3]]", r"mine\.yaml:15:24: region: a region is one \[start, stop\]"),
        ("target: 0", "target: -1", r"mine\.yaml:17:\d+: target"),
        ("value: 4.0", "value: .inf", r"mine\.yaml:17:\d+: value"),
        ("  - task: digits\n", "  - task: digits\n  - task: digits\n", r"mine\.yaml:14:5: task 'digits' appears twice"),
    ],
)
def test_mistakes_in_plants_are_located(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Nuisances and triggers of a suite are checked like the rest."""
    with pytest.raises(InputError, match=message):
        load(tmp_path, GOOD + PLANTS.replace(old, new))


def test_plants_reach_their_task_only(tmp_path: Path, healthy: nn.Module, data: AuditData) -> None:
    """A suite's nuisances and triggers are tested on the task they name, enter the digest, and must fit."""
    region = [[0, 2]] * len(data.size)
    text = GOOD.replace("audit: completeness", "audit: swap").replace("role: validity", "role: gate")
    text = text.replace("{error: 0.05}", "{follow: 0.1, flip: 0.5}").replace(
        "{samples: 20, steps: 32}", "{samples: 100, donors: 2}"
    )
    plant = f"plants:\n  - task: toy\n    nuisances: [{{name: extra, region: {region}}}]\n"
    with_plant, without = load(tmp_path, text + plant), load(tmp_path, text)
    assert with_plant.digest != without.digest
    for task, expected in (("toy", {"start", "corner", "extra"}), ("other", {"start", "corner"})):
        found = run_suite(healthy, replace(data, task=task), with_plant, seed=0)
        named = {finding.subject for finding in found} - {""}
        assert named <= expected
        assert ("extra" in named) == (task == "toy")
    outside = load(tmp_path, text + plant.replace("2]", "99]"))
    with pytest.raises(InputError, match=r"mine\.yaml:13:5: plants of task 'toy': nuisance 'extra': region"):
        run_suite(healthy, replace(data, task="toy"), outside, seed=0)


def test_attribution_gates_need_their_instrument_tested(tmp_path: Path) -> None:
    """Relevance by occlusion gates only where occlusion itself is put to the test."""
    relevance = (
        "  - audit: relevance\n    role: gate\n    thresholds: {gain: 0}\n    settings: {samples: 20, untrained: 4}\n"
    )
    with pytest.raises(InputError, match=r"mine\.yaml:12:5: audit 'relevance' relies on occlusion.*add faithfulness"):
        load(tmp_path, GOOD + relevance)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Not only the first."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD.replace("above_chance: 0.2", "above_chance: 2").replace("steps: 32", "steps: 1"))
    assert len(caught.value.problems) == 2


def test_unknown_and_missing_suites(tmp_path: Path) -> None:
    """A name is looked up among those shipped; a file must exist."""
    with pytest.raises(InputError, match="unknown audit suite 'basline'; did you mean 'baseline'"):
        load_suite("basline")
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read: no such file"):
        load_suite(tmp_path / "nothing.yaml")


def test_suites_of_earlier_releases_keep_their_digest(tmp_path: Path) -> None:
    """What they do not say is what they meant: settings that came later have the earlier meaning, roles too."""
    early = GOOD + (
        "  - audit: confidence\n    role: advisory\n    thresholds: {temperature: 1.5, error: 0.2}\n"
        "    settings: {samples: 1000}\n"
    )
    suite = load(tmp_path, early)
    assert suite.digest == "a2f457701bca22870a231b784ec0df30cce1a793da818188f7f5876f709065b9"
    assert AUDITS["confidence"].filled({"samples": 1000}) == {"samples": 1000, "debiased": 0}
    assert load(tmp_path, early.replace("language: 1", "language: 1\nuntested: allowed")).digest == suite.digest
    assert load(tmp_path, early.replace("language: 1", "language: 1\nuntested: refused")).digest != suite.digest


def test_digest_follows_the_meaning(tmp_path: Path) -> None:
    """Name, order and spelling do not change it; a threshold, a role or a sample count does."""
    head, first, second = GOOD.partition("  - audit: skill")[0], *_entries()
    digest = load(tmp_path, GOOD).digest
    same = (head + second + first).replace("mine", "other").replace("samples: 200", "samples: 200.0")
    assert load(tmp_path, same).digest == digest
    for old, new in (("0.05", "0.06"), ("steps: 32", "steps: 33"), ("role: validity", "role: advisory")):
        assert load(tmp_path, GOOD.replace(old, new)).digest != digest


REVIEW = """\
approval: before-reuse
review:
  approvals: 2
  reviewers:
    - {name: Ann, key: "AAAA"}
    - {name: Bob, key: "BBBB"}
""".replace("A" * 4, "a" * 64).replace("B" * 4, "b" * 64)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("approvals: 2", "aprovals: 2", r"mine\.yaml:5:3: unknown key 'aprovals'; did you mean 'approvals'"),
        ("approvals: 2", "approvals: 3", r"mine\.yaml:5:3: 3 of 2 reviewers can never be reached"),
        ("approvals: 2", "approvals: 0", r"mine\.yaml:5:3: approvals: need at least 1"),
        ("approvals: 2", "runner: exclude", r"mine\.yaml:5:3: runner: unknown 'exclude'; did you mean 'excluded'"),
        ("name: Bob", "name: ann", r"mine\.yaml:8:8: reviewer 'ann' appears twice"),
        ("name: Bob", "name: 'Bob '", r"mine\.yaml:8:8: a name is one line"),
        ("b" * 64, "a" * 64, r"mine\.yaml:8:19: key aaaaaaaaaaaa appears twice: one person would count as two"),
        ("b" * 64, "b" * 12, r"mine\.yaml:8:19: key: "),
        ("before-reuse", "none", r"mine\.yaml:4:1: without `approval: before-reuse` nobody is waited for"),
    ],
)
def test_mistakes_in_what_is_wanted_of_people_are_located(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A typo is never a suite that asks for fewer."""
    text = GOOD.replace("language: 1\n", f"language: 1\n{REVIEW}")
    assert load(tmp_path, text).review.approvals == 2
    with pytest.raises(InputError, match=message):
        load(tmp_path, text.replace(old, new))


def test_what_is_wanted_of_people_is_part_of_the_digest_and_needs_no_calibration(tmp_path: Path) -> None:
    """Each key changes the digest; the order of reviewers does not, and the shipped calibration still holds."""
    text = GOOD.replace("language: 1\n", f"language: 1\n{REVIEW}")
    lines = text.splitlines()
    turned = "\n".join([*lines[:6], lines[7], lines[6], *lines[8:]])
    digest = load(tmp_path, text).digest
    assert load(tmp_path, turned).digest == digest
    for old, new in (("approvals: 2", "approvals: 1"), ("approvals: 2", "overrules: 2"), ("a" * 64, "c" * 64),
                     ("approvals: 2", "approvals: 2\n  runner: excluded"), ("name: Bob", "name: Bo")):  # fmt: skip
        assert load(tmp_path, text.replace(old, new)).digest != digest
    shipped = SHIPPED.read_text()
    assert calibration_of(load(tmp_path, shipped.replace("approval: none\n", REVIEW))) is not None


def _entries() -> tuple[str, str]:
    start, middle = GOOD.index("  - audit: skill"), GOOD.index("  - audit: completeness")
    return GOOD[start:middle], GOOD[middle:]
