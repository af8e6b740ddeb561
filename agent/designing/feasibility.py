"""Whether a specification can be met at all: targets as rules beside those of the set, decided exactly.

Parameters, multiply-accumulates and activations of a network follow from its architecture. So each target on them is a
rule, and decision diagrams and Z3 answer whether any architecture keeps all. The size of a file does not follow by
formula: norms are folded into weights when it is written. But at least half of a network's parameters are in its file,
of four bytes, or of one in int8. For a norm of `c` channels has `2 c` parameters, of which `c` stay as a bias, and it
stands beside a layer with at least `c` weights. That is a rule too, which every small enough file keeps. It is for
networks whose input reaches their output, as the shipped sets demand. Then a network that keeps all rules is written,
and its file is measured.

Accuracy is known after training and latency after measuring. They are left open here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from agent.designing.spec import DesignSpec, Target
from constraints import ConstraintSet, Guard, Rule
from constraints.reports.claims import read_claim
from selfnas import seeding
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import space_named

__all__ = ["Clash", "Feasibility", "FileSize", "feasibility"]

FileSize = Callable[[Architecture], int]
_QUANTITIES = {"parameters": "params", "macs": "macs", "activations": "activation_bytes"}
_BYTES = {"float32": 4, "int8": 1}
_DRAWN = 256  # architectures, of which the smallest is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Why nothing keeps all targets where cells are stacked in one way.

    Attributes:
        macro: that way.
        targets: that cannot be kept together, none of which can be left out.
        rules: ids of the set's rules that are part of it.
    """

    macro: Macro
    targets: tuple[Target, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What is known before training.

    Attributes:
        clashes: one for each way to stack cells that has one.
        admitted: how many architectures keep all targets on parameters, multiply-accumulates and activations, and may
            keep that on the file, over all ways.
        exact: whether this is the count.
        witness: one of them; None where there is none.
        measured: bytes of its file; None where no target limits the file.
        open: targets that nothing is known about yet.
    """

    clashes: tuple[Clash, ...]
    admitted: int
    exact: bool
    witness: Architecture | None
    measured: int | None
    open: tuple[Target, ...]

    @property
    def possible(self) -> bool:
        """Whether some architecture keeps all that is decided before training."""
        return self.witness is not None


def feasibility(spec: DesignSpec, set_: ConstraintSet, *, file_size: FileSize) -> Feasibility:
    """Decide what can be decided.

    Args:
        spec: that is asked.
        set_: the constraint set that holds besides.
        file_size: bytes of the file of an architecture; asked where a target limits the file.

    Raises:
        InputError: the set is not for this space.
    """
    space, targets = space_named(spec.space), spec.read_targets
    file = next((target for target in targets if target.name == "file"), None)
    clashes, guards, counts = [], [], []
    for macro in spec.ways:
        guard, of = _guard(spec, set_, space, macro)
        count = guard.count()
        counts.append(count)
        if count.high:
            guards.append(guard)
            continue
        names = guard.clash()
        clashes.append(
            Clash(
                macro=macro,
                targets=tuple(of[name] for name in names if name in of),
                rules=tuple(name for name in names if name not in of),
            )
        )
    witness = _smallest(guards, spec) if guards else None
    measured = file_size(witness) if witness is not None and file is not None else None
    settled = file is None or witness is None or (measured is not None and measured <= file.limit)
    unknown = tuple(target for target in targets if target.name not in _QUANTITIES and not (target is file and settled))
    return Feasibility(
        clashes=tuple(clashes), admitted=sum(each.value for each in counts), exact=all(each.exact for each in counts),
        witness=witness, measured=measured, open=unknown,
    )  # fmt: skip


def _guard(spec: DesignSpec, set_: ConstraintSet, space: Space, macro: Macro) -> tuple[Guard, dict[str, Target]]:
    """The set with a rule for each target that can be one; and targets by the name of their rule."""
    rules: list[Rule] = []
    of: dict[str, Target] = {}
    for target in spec.read_targets:
        text = _condition(target, spec)
        if text:
            name = f"target-{target.name}"
            rules.append(replace(read_claim(set_, text, space), id=name))
            of[name] = target
    extended = replace(set_, rules=(*set_.rules, *rules))
    return Guard(extended, space=space, macro=macro, shape=spec.task_shape), of


def _condition(target: Target, spec: DesignSpec) -> str:
    """A target in the language of rules; empty where it has no words there."""
    if target.name == "file":
        most = math.floor(target.limit * 2 / _BYTES[spec.precision])
        return f"params <= {most}"
    quantity = _QUANTITIES.get(target.name)
    if quantity is None:
        return ""
    if target.least:
        return f"{quantity} >= {math.ceil(target.limit)}"
    return f"{quantity} <= {math.floor(target.limit)}"


def _smallest(guards: list[Guard], spec: DesignSpec) -> Architecture:
    """Of architectures drawn uniformly in each way, the one with the fewest parameters."""
    found: list[tuple[int, str, Architecture]] = []
    for guard in guards:
        macro = guard.context.macro
        drawn = guard.draw(seeding.generator(0, "design", str(macro)), _DRAWN)
        for vector in np.unique(drawn, axis=0):
            one = guard.space.decode(vector, macro=macro)
            found.append((costs(one, spec.task_shape).params, str(one), one))
    return min(found, key=lambda each: each[:2])[2]
