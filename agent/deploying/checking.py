"""Whether a bundle is what its checksums say, and answers its own examples as it says.

Nothing of the bundle is run but `model.onnx`, in ONNX Runtime; its `run.py` is compared with this release's and not
executed. Files are read from a closed list of names, up to a limit, and never through a link.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.deploying.bundle import FILES, SUMS, runner_text
from selfnas.artefacts.onnx_program import LARGEST, OnnxProgram
from selfnas.errors import InputError, cause
from selfnas.training.exported import FACTS

__all__ = ["BundleCheck", "check_bundle"]

_MOST = {"model.onnx": LARGEST, "examples.json": 1 << 26}
_MOST_ELSE = 1 << 24
_EXAMPLES = 1000
_OFF = {"float32": 1e-4, "int8": 0.05}  # an int8 step may turn where processors round otherwise
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]{1,64})")
_BESIDE = (
    "file",
    "bundle",
    "preparation",
    "audits_of_the_artefact",
    "latency",
    "design",
)  # what model.json says beyond the file


@dataclass(slots=True)
class BundleCheck:
    """What was found.

    Attributes:
        problems: one sentence each, which names the file; empty where all holds.
        files: files whose checksum was recomputed.
        examples: examples that were run.
        furthest: largest difference of an answer from the one that the bundle states, by its size above 1.
    """

    problems: list[str] = field(default_factory=list)
    files: int = 0
    examples: int = 0
    furthest: float = 0.0


def check_bundle(folder: Path) -> BundleCheck:
    """Check a bundle.

    Raises:
        InputError: it is no folder that can be read, or the extra `onnx` is not installed.
    """
    check, held = BundleCheck(), dict[str, bytes]()
    check.problems += _read(folder, held)
    check.problems += _summed(held)
    check.files = sum(name in held for name in FILES)
    if "run.py" in held and held["run.py"] != runner_text():
        check.problems.append("run.py: is not the runner of this release; it was not run")
    facts = _document(held, "model.json", dict, check.problems)
    for name, kind in (("examples.json", list), ("certificate.json", dict)):
        _document(held, name, kind, check.problems)
    if "model.onnx" in held and facts is not None:
        _run(held, facts, check)
    return check


def _read(folder: Path, held: dict[str, bytes]) -> Iterator[str]:
    """The files of a bundle; what is missing, too large, a link, or none of it."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {cause(error)}") from error
    for name in (*FILES, SUMS):
        path, most = folder / name, _MOST.get(name, _MOST_ELSE)
        try:
            seen = path.lstat()
            if not stat.S_ISREG(seen.st_mode):
                yield f"{name}: is no file but a link or a folder"
            elif seen.st_size > most:
                yield f"{name}: has {seen.st_size:,} bytes; at most {most:,} are read"
            else:
                with path.open("rb") as file:
                    held[name] = file.read(most)
        except FileNotFoundError:
            yield f"{name}: is missing"
        except OSError as error:
            yield f"{name}: cannot be read: {cause(error)}"
    yield from (f"{name}: is no part of a bundle" for name in names if name not in (*FILES, SUMS))


def _summed(held: Mapping[str, bytes]) -> Iterator[str]:
    """Checksums that are not those of the files."""
    if SUMS not in held:
        return
    stated: dict[str, str] = {}
    for number, line in enumerate(held[SUMS].decode(errors="replace").splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] not in FILES or found[2] in stated:
            yield f"{SUMS}: line {number} is no checksum of a file of a bundle, or a second one: {line[:80]!r}"
        else:
            stated[found[2]] = found[1]
    for name in FILES:
        if name not in held:
            continue
        own = hashlib.sha256(held[name]).hexdigest()
        if name not in stated:
            yield f"{SUMS}: has no checksum of {name}"
        elif stated[name] != own:
            yield f"{name}: has SHA-256 {own[:12]}…, {SUMS} says {stated[name][:12]}…"


def _document(held: Mapping[str, bytes], name: str, kind: type, problems: list[str]) -> Any:
    """A JSON file; None where it is none."""
    if name not in held:
        return None
    try:
        found = json.loads(held[name].decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        problems.append(f"{name}: is no JSON: {str(error)[:200]}")
        return None
    if not isinstance(found, kind):
        problems.append(f"{name}: holds no {'object' if kind is dict else 'list'}")
        return None
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _run(held: Mapping[str, bytes], facts: Mapping[str, Any], check: BundleCheck) -> None:
    """The model says what `model.json` says, and answers as `examples.json` says."""
    try:
        program = OnnxProgram.read(held["model.onnx"])
    except InputError as error:
        check.problems.append(f"model.onnx: {error}")
        return
    stated = {name: value for name, value in facts.items() if name not in _BESIDE}
    differing = sorted(name for name in {*stated, *program.facts} if stated.get(name) != program.facts.get(name))
    if differing:
        check.problems.append(
            f"model.json: says otherwise than {FACTS} in model.onnx about {', '.join(map(repr, differing[:8]))}"
        )
    file = facts.get("file")
    own = {"bytes": len(held["model.onnx"]), "sha256": hashlib.sha256(held["model.onnx"]).hexdigest()}
    if file != own:
        check.problems.append("model.json: 'file' is not the size and SHA-256 of model.onnx")
    examples = json.loads(held["examples.json"]) if "examples.json" in held and _listing(held) else []
    artefact = program.facts.get("artefact")
    precision = artefact.get("precision") if isinstance(artefact, dict) else None
    limit = _OFF.get(str(precision), _OFF["float32"])
    if not examples:
        check.problems.append("examples.json: holds no example")
    for number, example in enumerate(examples[:_EXAMPLES]):
        for problem in _answered(program, example, limit, check):
            check.problems.append(f"examples.json: example {number}: {problem}")


def _listing(held: Mapping[str, bytes]) -> bool:
    """Whether the examples are a list that can be read; what is wrong with them was said."""
    return _document(held, "examples.json", list, []) is not None


def _answered(program: OnnxProgram, example: object, limit: float, check: BundleCheck) -> Iterator[str]:
    if not isinstance(example, dict) or not isinstance(example.get("answers"), dict):
        yield "has no input and answers"
        return
    try:
        raw = np.asarray(example.get("input"), dtype=np.float64)[None]
        with np.errstate(invalid="ignore"):
            given = program.answers(raw)
    except InputError as error:
        yield str(error)
        return
    except (TypeError, ValueError) as error:
        yield f"its input is no array of numbers: {str(error)[:200]}"
        return
    check.examples += 1
    if set(example["answers"]) != set(given):
        yield f"states answers {_names(example['answers'])}, model.onnx gives {_names(given)}"
        return
    for name, value in given.items():
        found = np.asarray(value[0], dtype=np.float64)
        try:
            wanted = np.asarray(example["answers"][name], dtype=np.float64)
        except (TypeError, ValueError):
            yield f"{name} is no array of numbers"
            continue
        if wanted.shape != found.shape:
            yield f"{name} has shape {wanted.shape}, model.onnx gives {found.shape}"
            continue
        apart = np.nan_to_num(np.abs(found - wanted) / np.maximum(1, np.abs(wanted)), nan=np.inf)
        off = float(np.where(np.isnan(found) & np.isnan(wanted), 0, apart).max(initial=0))
        check.furthest = max(check.furthest, off)
        if off > limit:
            yield f"{name} is {off:.3g} off what model.onnx gives; at most {limit:g} is let pass"


def _names(of: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(str(each) for each in of))
