"""Calibration counts what it says, on the seeds it says, and a suite without proof is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from audits import AuditData, Finding, Suite, load_suite, parse_suite, run_suite
from audits.calibrating import hardened
from audits.calibrating.calibration import calibrate, task_specs
from audits.calibrating.controls import CONTROLS, ControlError, make_specimen
from audits.calibrating.matrix import Observation, Tally, directions, kill_matrix, redecided, separations
from audits.calibrating.proof import (
    Calibration,
    calibration_file,
    listing,
    matrix_table,
    read_calibration,
    unproven_gates,
    write_calibration,
)
from audits.catalogue.registry import AUDITS
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    """A tiny task of a person's own: three easy classes of short series."""
    draw = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 300)
    x = draw.normal(size=(3, 1, 16))[y] * 2 + draw.normal(size=(900, 1, 16))
    np.savez(tmp_path / "tiny.npz", x=x.astype(np.float32), y=y)
    return TaskSpec(name="tiny", source="npz", path="tiny.npz", kind="series", transforms=[], nuisances=[])


@pytest.fixture(scope="module")
def findings(healthy: nn.Module, data: AuditData, suite: Suite) -> tuple[Finding, ...]:
    """Of a sound network."""
    return run_suite(healthy, data, suite, seed=0)


def test_audits_aim_at_controls_that_exist() -> None:
    """Each gate and alarm is there for at least one; every control is somebody's aim but the healthy and the unused."""
    aimed = {control for audit in AUDITS.values() for control in audit.aims}
    unused = {name for name, control in CONTROLS.items() if control.unused}
    robust = set(hardened.CONTROLS) - {"healthy", "constant"}  # a constant network is what skill is there for too
    assert aimed == (set(CONTROLS) - unused - {"healthy"}) | robust
    assert len(unused) >= 5
    assert all(AUDITS[name].aims for name in load_suite("baseline").deciding)


def test_counts_by_control_and_row(findings: tuple[Finding, ...], suite: Suite) -> None:
    """An audit catches by a failed finding, the gates by the verdict, the battery by any of its own."""
    bad = tuple(
        replace(finding, estimate=0.05, low=0.0, high=0.1, decision="fail")
        if finding.label == "skill.above_chance"
        else finding
        for finding in findings
    )
    observations = [
        Observation(task="toy", control=control, seed=seed, held_out=True, findings=found)
        for control, found in (("healthy", findings), ("untrained", bad))
        for seed in range(3)
    ]
    matrix = kill_matrix(observations, suite)
    assert matrix["skill"] == {"healthy": Tally(caught=0, n=3), "untrained": Tally(caught=3, n=3)}
    assert matrix["gates reject"]["untrained"].caught == 3
    assert matrix["gates keep out"]["healthy"].caught == 0
    assert matrix["usual battery rejects"]["untrained"].caught == 0
    assert matrix["skill"]["untrained"].interval == pytest.approx((0.2924, 1.0), abs=1e-4)


def test_directions_name_what_prefers_the_bad(findings: tuple[Finding, ...]) -> None:
    """A statistic that ranks a control above its healthy twin, pair after pair, is listed; others are not."""

    def robust(shift: float) -> tuple[Finding, ...]:
        return tuple(
            replace(finding, estimate=0.5 + shift, low=0.0, high=1.0) if finding.label == "attack.accuracy" else finding
            for finding in findings
        )

    observations = [
        Observation(task="toy", control=control, seed=seed, held_out=False, findings=robust(shift))
        for control, shift in (("healthy", 0.0), ("shortcut", 0.2), ("memorised", -0.2))
        for seed in range(8)
    ]
    found = directions(observations)
    assert [(each.statistic, each.control, each.better, each.n) for each in found] == [
        ("attack.accuracy", "shortcut", 8, 8)
    ]


def test_separation_lies_between(findings: tuple[Finding, ...]) -> None:
    """Half-way between the nearest limits, for floors and for ceilings; overlap counts errors."""

    def with_limits(label: str, low: float, high: float) -> tuple[Finding, ...]:
        return tuple(
            replace(finding, estimate=(low + high) / 2, low=low, high=high)
            if finding.label.endswith(label)
            else finding
            for finding in findings
        )

    def best(label: str, good: tuple[float, float], bad: tuple[float, float], control: str) -> tuple[float, int]:
        observations = [
            Observation(task="t", control=name, seed=0, held_out=False, findings=with_limits(label, *limits))
            for name, limits in (("healthy", good), (control, bad))
        ]
        (found,) = [each for each in separations(observations) if each.statistic.endswith(label.strip("]"))]
        return found.threshold, found.errors

    assert best("skill.above_chance", (0.8, 0.9), (0.1, 0.2), "untrained") == (pytest.approx(0.5), 0)
    assert best("generalisation.gap", (0.0, 0.1), (0.5, 0.6), "memorised") == (pytest.approx(0.3), 0)
    assert best("generalisation.gap", (0.0, 0.4), (0.3, 0.6), "memorised")[1] >= 1


def test_redecides_with_other_thresholds(findings: tuple[Finding, ...], suite: Suite, tmp_path: Path) -> None:
    """Stored findings can be held against edited thresholds without measuring again."""
    path = tmp_path / "strict.yaml"
    path.write_text(Path(suite.file).read_text().replace("above_chance: 0.2", "above_chance: 1.0"))
    strict = load_suite(path)
    again = {finding.label: finding for finding in redecided(findings, strict)}
    assert again["skill.above_chance"].threshold == 1.0
    assert again["skill.above_chance"].decision != "pass"
    assert redecided(tuple(again.values()), suite) == findings


@pytest.mark.slow
def test_calibrates_end_to_end(spec: TaskSpec, suite: Suite, tmp_path: Path) -> None:
    """Real controls on a task of one's own: caught, counted, stored; the same when continued from records."""
    records = tmp_path / "records.jsonl"
    told: list[str] = []
    arguments = {
        "choose_seeds": [1],
        "report_seeds": [2],
        "base": tmp_path,
        "controls": ("healthy", "untrained"),
        "records": records,
        "progress": told.append,
    }
    calibration = calibrate(suite, [spec], **arguments)  # type: ignore[arg-type]
    assert told == [f"{name} on tiny, seed {seed}" for seed in (1, 2) for name in ("healthy", "untrained")]
    assert calibration.matrix["skill"]["untrained"] == Tally(caught=1, n=1)
    assert calibration.matrix["gates reject"]["healthy"] == Tally(caught=0, n=1)
    assert calibration.kills("skill") == 1

    path = tmp_path / "calibration.json"
    write_calibration(calibration, path)
    assert read_calibration(path) == calibration

    records.write_text(records.read_text()[:-400])  # as after a cut in the middle of a line
    told.clear()
    assert calibrate(suite, [spec], **arguments) == calibration  # type: ignore[arg-type]
    assert told == ["untrained on tiny, seed 2"]
    assert "untrained" in matrix_table(calibration)


def test_refuses_shared_seeds_and_foreign_records(spec: TaskSpec, suite: Suite, tmp_path: Path) -> None:
    """Thresholds are never chosen on what is reported, and findings of other settings are not mixed in."""
    with pytest.raises(InputError, match="must not overlap"):
        calibrate(suite, [spec], choose_seeds=[1, 2], report_seeds=[2], base=tmp_path)
    records = tmp_path / "records.jsonl"
    records.write_text(json.dumps({"format": 1, "settings": "other"}) + "\n")
    with pytest.raises(InputError, match="records of other audit settings"):
        calibrate(suite, [spec], choose_seeds=[1], report_seeds=[2], base=tmp_path, records=records)


def test_control_that_does_not_take_is_an_error(
    spec: TaskSpec, suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memoriser that memorised nothing would prove nothing: it is named with its task and seed, and not counted."""
    monkeypatch.setattr("audits.calibrating.controls._LEARNED_BY_HEART", 1)
    words = r"control 'memorised' on task 'tiny', seed 3: reached a training accuracy"
    with pytest.raises(ControlError, match=words):
        make_specimen(CONTROLS["memorised"], spec, seed=3, base=tmp_path)
    counted = calibrate(
        suite, [spec], choose_seeds=[], report_seeds=[3], base=tmp_path, controls=("memorised", "untrained")
    )
    (line,) = counted.skipped
    assert re.search(words, line)
    assert f"- not made: {line}" in matrix_table(counted)
    assert {row: cells.get("memorised") for row, cells in counted.matrix.items()} == dict.fromkeys(counted.matrix)


def test_specimens_repeat(spec: TaskSpec, tmp_path: Path) -> None:
    """Same control, task and seed: same data, same weights; the nuisance tells the class only where it should."""
    first, second = (make_specimen(CONTROLS["undertrained"], spec, seed=4, base=tmp_path) for _ in range(2))
    for name, value in first.network.state_dict().items():
        assert bool((value == second.network.state_dict()[name]).all())
    assert bool((first.data.x == second.data.x).all())
    assert [nuisance.name for nuisance in first.data.nuisances] == ["mark"]
    assert [trigger.name for trigger in first.data.triggers] == ["sticker"]


def test_shipped_suite_is_proven(tmp_path: Path) -> None:
    """Its calibration is of this very suite, and every gate caught something; so it is for a copy."""
    suite = load_suite("baseline")
    assert unproven_gates(suite) == ()
    calibration = read_calibration(calibration_file(suite))
    assert set(calibration.matrix["skill"]) == set(CONTROLS)
    assert "untrained" in listing(suite)
    copy = tmp_path / "copied.yaml"
    copy.write_text(Path(suite.file).read_text())
    assert unproven_gates(load_suite(copy)) == ()


def test_unproven_suites_are_refused(suite: Suite, tmp_path: Path) -> None:
    """No calibration, one of another edition, or a gate without a kill: each says so and how to mend it."""
    path = tmp_path / "mine.yaml"
    path.write_text(Path(suite.file).read_text().replace("above_chance: 0.2", "above_chance: 0.21"))
    mine = load_suite(path)
    (reason,) = unproven_gates(mine)
    assert "no usable calibration" in reason
    assert "selfnas audits calibrate" in reason
    (reason,) = unproven_gates(parse_suite(mine.text))
    assert "no usable calibration (it was read from a text, so no calibration lies beside it)" in reason

    empty = Calibration(
        suite="mine",
        digest="0" * 64,
        tasks=(),
        choose_seeds=(),
        report_seeds=(),
        matrix={},
        directions=(),
        separations=(),
        skipped=(),
    )
    write_calibration(empty, calibration_file(mine))
    assert "edited since it was calibrated" in unproven_gates(mine)[0]
    write_calibration(replace(empty, digest=mine.digest), calibration_file(mine))
    assert len(unproven_gates(mine)) == len(mine.deciding) > len(mine.gates)
    calibration_file(mine).write_text("[1]")
    assert "not a calibration" in unproven_gates(mine)[0]


def test_what_was_not_used_is_counted_together(findings: tuple[Finding, ...], suite: Suite) -> None:
    """The matrix has a column of its own for defects that no audit was made for, and names them."""
    observations = [
        Observation(task="toy", control=control, seed=0, held_out=True, findings=findings)
        for control in ("healthy", "untrained", "trend", "odd-tenth")
    ]
    counted = Calibration(
        suite="mine", digest="0" * 64, tasks=("toy",), choose_seeds=(), report_seeds=(0,),
        matrix=kill_matrix(observations, suite), directions=(), separations=(), skipped=(),
        unused=("trend", "odd-tenth"),
    )  # fmt: skip
    head, first = (line for line in matrix_table(counted).splitlines() if line.startswith(("| | ", "| skill")))
    assert head.endswith("| *defects not used in calibration* |")
    assert first.endswith("| 0/2 [0, 84] |")
    assert "fitted to them: trend, odd-tenth." in matrix_table(counted)


def test_tasks_by_name() -> None:
    """Packaged ones and files."""
    assert [spec.source for spec in task_specs(["digits", "some/where/my data.npz"])] == ["digits", "npz"]
    with pytest.raises(InputError, match="unknown task 'digit'; did you mean 'digits'"):
        task_specs(["digit"])
