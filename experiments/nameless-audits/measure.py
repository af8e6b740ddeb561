"""What the gates catch of planted defects where no region, trigger or group is named, and whom they accuse wrongly.

Thresholds were chosen on the packaged and generated sets (`--sets tune`) and looked at on others (`report`, which need
`--data`); three were then loosened, and new networks counted (`check`). Weights and findings are kept, so that a second
run only counts.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from audits import Finding, Suite, judge, load_suite, run_suite
from audits.calibrating.controls import CONTROLS, ControlError, make_specimen
from audits.calibrating.defects import NAMELESS
from audits.calibrating.matrix import redecided
from audits.calibrating.spread import SPREAD
from experiments.harness import print_table, run
from experiments.speed.audits import gates_alone
from selfnas.data.tasks import TaskSpec
from selfnas.data.transforms import TransformSpec

DRAWN = importlib.import_module("experiments.nameless-audits.drawn").DRAWN
KINDS = CONTROLS | {control.name: control for control in DRAWN}
GROUPS = {
    "first": (*(control.name for control in NAMELESS), "overconfident"),
    "spread": tuple(control.name for control in SPREAD),
    "drawn": tuple(control.name for control in DRAWN),
}
TUNED = {
    "digits": TaskSpec(name="digits", source="digits", limit=900),
    "mnist1d": TaskSpec(name="mnist1d", source="mnist1d", limit=1500),
    "waves": TaskSpec(name="waves", source="npz", path="waves.npz", kind="series", limit=900),
    "blobs": TaskSpec(name="blobs", source="npz", path="blobs.npz", kind="image", limit=900),
}
TUNED_HEALTHY = {
    "digits-small": TaskSpec(name="digits-small", source="digits", limit=450),
    "digits-38": TaskSpec(name="digits-38", source="digits", transforms=[TransformSpec(classes=[3, 8])]),
    "mnist1d-02": TaskSpec(name="mnist1d-02", source="mnist1d", limit=2500, transforms=[TransformSpec(classes=[0, 2])]),
    "mnist1d-large": TaskSpec(name="mnist1d-large", source="mnist1d", limit=4000),
}
REPORTED = {
    "usps": TaskSpec(name="usps", source="npz", path="usps.npz", limit=930, resize=10),
    "vowels": TaskSpec(name="vowels", source="npz", path="ts_JapaneseVowels.npz", audit_from="test"),
    "fashion": TaskSpec(name="fashion", source="npz", path="fashion10k.npz", limit=1200, resize=14),
    "cifar": TaskSpec(name="cifar", source="npz", path="cifar10_16px_12k.npz", limit=3000),
}
REPORTED_HEALTHY = {
    "usps-small": TaskSpec(name="usps-small", source="npz", path="usps.npz", limit=550),
    "usps-large": TaskSpec(name="usps-large", source="npz", path="usps.npz", limit=4000, resize=10),
    "fashion-79": TaskSpec(
        name="fashion-79",
        source="npz",
        path="fashion10k.npz",
        limit=4000,
        resize=14,
        transforms=[TransformSpec(classes=[7, 9])],
    ),
    "cifar-large": TaskSpec(name="cifar-large", source="npz", path="cifar10_16px_12k.npz", limit=9000),
    "power": TaskSpec(name="power", source="npz", path="ts_ItalyPowerDemand.npz", audit_from="test"),
}
DRAWINGS = {
    name.lower(): TaskSpec(name=name.lower(), source="npz", path=f"omniglot_{name}.npz", resize=14)
    for name in ("Balinese", "Tagalog", "Korean")
}
CHECKED = ("usps", "vowels", "fashion")
CHECKED_HEALTHY = {
    "gunpoint": TaskSpec(name="gunpoint", source="npz", path="ts_GunPoint.npz", audit_from="test"),
    "leaves": TaskSpec(name="leaves", source="npz", path="ts_OSULeaf.npz", audit_from="test", resize=100),
    "cifar-pair": TaskSpec(
        name="cifar-pair", source="npz", path="cifar10_16px_12k.npz", transforms=[TransformSpec(classes=[0, 1])]
    ),
}


def generated(place: Path) -> None:
    """Two small sets: waves of five frequencies, and blurred templates that are shifted, scaled and noisy."""
    draw = np.random.default_rng(0)
    n, steps = 3000, np.arange(48)
    y = draw.integers(0, 5, n)
    phase = 2 * np.pi * (1.5 + 0.7 * y[:, None]) * steps / 48 * (1 + 0.03 * draw.normal(size=(n, 1)))
    x = np.sin(phase + np.pi * draw.uniform(0, 0.9, (n, 1))) * draw.uniform(0.6, 1.4, (n, 1))
    np.savez(place / "waves.npz", x=(x + 0.5 * draw.normal(size=x.shape))[:, None].astype(np.float32), y=y)
    y, grid = draw.integers(0, 6, n), np.arange(12)
    centres = draw.uniform(1, 11, (6, 5, 2))
    heights = draw.choice([-1.0, 1.0], (6, 5))
    moved = centres[y] + draw.uniform(-1.2, 1.2, (n, 1, 2))
    bumps = [np.exp(-((grid - moved[:, :, axis, None]) ** 2) / 4) for axis in (0, 1)]
    x = 2 * np.einsum("nk,nki,nkj->nij", heights[y] * draw.uniform(0.6, 1.4, (n, 1)), *bumps)
    np.savez(place / "blobs.npz", x=(x + 0.6 * draw.normal(size=x.shape)).astype(np.float32), y=y)


def main(
    sets: Annotated[str, typer.Option(help="`tune`, `report`, `check`, or names of sets, with commas.")] = "tune",
    data: Annotated[Path, typer.Option(help="Directory of the .npz files of the reported sets.")] = Path(),
    keep: Annotated[Path, typer.Option(help="Directory for generated sets, weights and findings.")] = Path("kept"),
    seeds: Annotated[str, typer.Option(help="Seeds of split, weights and defects.")] = "1,2",
    healthy: Annotated[str, typer.Option(help="Seeds of the healthy networks.")] = "1,2,3,4",
    suite: Annotated[str, typer.Option(help="Name of a shipped suite, or a YAML file.")] = "baseline",
    defects: Annotated[str, typer.Option(help="Groups of defects, with commas: `first`, `spread`, `drawn`.")] = "first",
    each: Annotated[bool, typer.Option("--each", help="Print every network.")] = False,
) -> None:
    """Make networks, audit them by the gates alone with nothing named, and print what was refused."""
    torch.set_num_threads(1)
    keep.mkdir(parents=True, exist_ok=True)
    if not (keep / "blobs.npz").exists():
        generated(keep)
    loaded = gates_alone(load_suite(suite))
    known = {name: (spec, keep) for name, spec in (TUNED | TUNED_HEALTHY).items()}
    known |= {name: (spec, data) for name, spec in (REPORTED | REPORTED_HEALTHY | CHECKED_HEALTHY | DRAWINGS).items()}
    chosen, beside = {
        "tune": (list(TUNED), list(TUNED_HEALTHY)),
        "report": (list(REPORTED), list(REPORTED_HEALTHY)),
        "check": (list(CHECKED), ["usps-small", "usps-large", "fashion-79", "power", *CHECKED_HEALTHY]),
    }.get(sets, (sets.split(","), []))
    rows: dict[str, list[tuple[str, str]]] = {}
    alarms: dict[str, dict[str, int]] = {}
    seconds: list[float] = []
    for defect in ("healthy", *(name for group in defects.split(",") for name in GROUPS[group])):
        for name in chosen + (beside if defect == "healthy" else []):
            for seed in map(int, (healthy if defect == "healthy" else seeds).split(",")):
                spec, base = known[name]
                found = audited(loaded, defect, spec, seed, base, keep)
                if found is None:
                    continue
                seconds.append(found[1])
                verdict = judge(found[0], loaded)
                rows.setdefault(defect, []).append((name, verdict.decision))
                for audit in verdict.failed:
                    alarms.setdefault(defect, {}).setdefault(audit, 0)
                    alarms[defect][audit] += 1
                if each:
                    print(f"{defect} {name} {seed}: {verdict.decision}; {'; '.join(verdict.reasons)}")
    shown = []
    for defect, verdicts in rows.items():
        counts = [sum(decision == one for _, decision in verdicts) for one in ("reject", "undecided", "admit")]
        by = ", ".join(f"{audit} {count}" for audit, count in alarms.get(defect, {}).items())
        unused = defect in KINDS and (KINDS[defect].unused or KINDS[defect] in DRAWN)
        shown.append((defect + (" *" if unused else ""), len(verdicts), *counts, by))
    print_table(("defect", "networks", "rejected", "undecided", "admitted", "failed audits"), shown)
    bad = [decision for defect, verdicts in rows.items() if defect != "healthy" for _, decision in verdicts]
    print(
        f"defects admitted: {bad.count('admit')} of {len(bad)}; healthy refused: "
        f"{sum(decision != 'admit' for _, decision in rows.get('healthy', []))} of {len(rows.get('healthy', []))}; "
        f"gates: median {np.median(seconds):.2f} s, most {max(seconds):.2f} s a candidate; * not used in choosing"
    )


def audited(
    suite: Suite, defect: str, spec: TaskSpec, seed: int, base: Path, keep: Path
) -> tuple[tuple[Finding, ...], float] | None:
    """Of one network, and the processor time of its audits; None where the defect did not take."""
    measured = json.dumps([[entry.audit, entry.settings] for entry in suite.entries])
    path = keep / f"{defect}-{spec.name}-{seed}.{hashlib.sha256(measured.encode()).hexdigest()[:12]}.json"
    if path.exists():
        kept = json.loads(path.read_text())
        return redecided(tuple(map(Finding.from_record, kept["findings"])), suite), kept["seconds"]
    try:
        made = make_specimen(KINDS[defect], spec, seed=seed, base=base, named=False, kept=keep)
    except ControlError as error:
        print(f"not made: {error}")
        return None
    began = time.process_time()
    found = run_suite(made.network, made.data, suite, seed=seed)
    seconds = time.process_time() - began
    path.write_text(json.dumps({"findings": [one.to_record() for one in found], "seconds": seconds}))
    return found, seconds


if __name__ == "__main__":
    run(main)
