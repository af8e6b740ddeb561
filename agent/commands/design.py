"""`selfnas design SPEC`: whether a specification can be met, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from agent.designing.feasibility import Clash, Feasibility, feasibility
from agent.designing.spec import DesignSpec, read_spec
from constraints import load_set
from selfnas import plugins
from selfnas.spaces.architecture import Architecture

__all__ = ["design"]


def design(path: Path) -> bool:
    """Print what is known of a specification; False where no architecture can keep it.

    Raises:
        InputError: the file is no specification, its set is none or is not for its space, or the extra `onnx` is needed
            and not installed.
    """
    spec = read_spec(path)
    own = spec.constraints.endswith((".yaml", ".yml"))
    set_ = load_set(path.parent / spec.constraints if own else spec.constraints)

    def size(architecture: Architecture) -> int:
        from agent.designing.file_size import file_size

        return file_size(architecture, spec.task_shape, spec.precision)

    with plugins.in_force(*set_.plugins):
        found = feasibility(spec, set_, file_size=size)
        for line in told(spec, found):
            print(line)
    return found.possible


def told(spec: DesignSpec, found: Feasibility) -> list[str]:
    """In lines, for people."""
    lines = [_clash(spec, clash) for clash in found.clashes]
    if not found.possible:
        return [*lines, f"{spec.design}: impossible, before anything is trained"]
    count = f"{found.admitted:,}" if found.exact else f"about {found.admitted:,}"
    decided = [target for target in spec.read_targets if target not in found.open]
    kept = ", ".join(map(str, decided)) or "the rules alone"
    lines.append(f"{count} architectures of {spec.space} keep what is known of each: {kept}")
    lines.append(f"one of the smallest: {found.witness}")
    if found.measured is not None:
        file = next(target for target in spec.read_targets if target.name == "file")
        says = "kept" if found.measured <= file.limit else "not kept by this one, and not shown to be impossible"
        lines.append(f"its {spec.precision} file has {found.measured:,} bytes: {file} is {says}")
    lines += [
        f"{target}: open until networks are {_when(target.name)}" for target in found.open if target.name != "file"
    ]
    return [*lines, f"{spec.design}: nothing is shown to be impossible"]


def _clash(spec: DesignSpec, clash: Clash) -> str:
    targets = " and ".join(map(str, clash.targets))
    rules = f"rule{'s' * (len(clash.rules) > 1)} {', '.join(clash.rules)}" if clash.rules else ""
    what = " and ".join(part for part in (targets, rules) if part)
    less = "without any one of these" if len(clash.targets) + len(clash.rules) > 1 else "without it"
    return f"{clash.macro}: no architecture of {spec.space} keeps {what}; {less} some would"


def _when(name: str) -> str:
    return "trained" if name == "accuracy" else "written and timed"
