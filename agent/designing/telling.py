"""What is known of a specification before training, and what it came to, for people."""

from __future__ import annotations

from collections.abc import Sequence

from agent.designing.bounds import Bound
from agent.designing.feasibility import Clash, Feasibility
from agent.designing.lines import Line, binding
from agent.designing.measured import Measured, excess
from agent.designing.spec import DesignSpec

__all__ = ["told", "told_lines", "told_predicted"]


def told(spec: DesignSpec, found: Feasibility) -> list[str]:
    """What is decided."""
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
        which = f"its {spec.precision} file" if spec.precision else "the smaller of its files"
        lines.append(f"{which} has {found.measured:,} bytes: {file} is {says}")
    lines += [
        f"{target}: open until networks are {_when(target.name)}" for target in found.open if target.name != "file"
    ]
    return [*lines, f"{spec.design}: nothing is shown to be impossible"]


def told_predicted(spec: DesignSpec, bounds: Sequence[Bound], found: Feasibility) -> list[str]:
    """What is predicted of a specification from a file that was written and timed."""
    if found.possible:
        limits = [f"{bound.target}: by prediction {bound.condition}, which the search keeps" for bound in bounds]
        return [*limits, f"{found.admitted:,} architectures keep that as well"] if limits else []
    return [
        *(_clash(spec, clash) for clash in found.clashes),
        f"{spec.design}: predicted to be impossible; --anyway searches all the same",
    ]


def told_lines(
    spec: DesignSpec, lines: Sequence[Line], files: Sequence[Measured], *, digest: str, precision: str
) -> list[str]:
    """What a specification came to."""
    stands = binding(lines)
    if not digest:
        return [f"{spec.design}: not met, for no network was admitted by the audits"]
    told = [
        f"{each.digest[:12]} in {each.precision}: {each.bytes:,} bytes, p95 from {each.p95:.3g} ms, validation "
        f"{each.validation:.4g}{'' if not excess(spec, each) else ', beyond a limit'}"
        f"{', chosen' if (each.digest, each.precision) == (digest, precision) else ''}"
        for each in files
    ]
    told += map(str, lines)
    if stands is None:
        return [*told, f"{spec.design}: met, all {len(lines)} lines"]
    return [*told, f"{spec.design}: not met, for {stands.target} is {stands.verdict}"]


def _clash(spec: DesignSpec, clash: Clash) -> str:
    targets = " and ".join(map(str, clash.targets))
    rules = f"rule{'s' * (len(clash.rules) > 1)} {', '.join(clash.rules)}" if clash.rules else ""
    what = " and ".join(part for part in (targets, rules) if part)
    less = "without any one of these" if len(clash.targets) + len(clash.rules) > 1 else "without it"
    how = "by prediction " if clash.predicted else ""
    return f"{clash.macro}: {how}no architecture of {spec.space} keeps {what}; {less} some would"


def _when(name: str) -> str:
    return "trained" if name == "accuracy" else "written and timed"
