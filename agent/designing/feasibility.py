"""Whether a specification can be met at all: targets as rules beside those of the set, decided exactly.

Decision diagrams and Z3 answer whether any architecture keeps all rules (`agent/designing/bounds.py`). Then a network
that does is written, and its file is measured. Accuracy is known after training and latency after measuring; they are
left open here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.designing.bounds import Bound, exact_bounds
from agent.designing.spec import DesignSpec, Target
from constraints import ConstraintSet, Guard, Rule
from constraints.reports.claims import read_claim
from selfnas import seeding
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import space_named

__all__ = ["Clash", "Feasibility", "FileSize", "feasibility"]

FileSize = Callable[[Architecture], int]
_DRAWN = 256  # architectures, of which the smallest is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Why nothing keeps all targets where cells are stacked in one way.

    Attributes:
        macro: that way.
        targets: that cannot be kept together, none of which can be left out.
        rules: ids of the set's rules that are part of it.
        predicted: whether one of the targets is predicted, so that nothing is proven.
    """

    macro: Macro
    targets: tuple[Target, ...]
    rules: tuple[str, ...]
    predicted: bool = False


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


def feasibility(
    spec: DesignSpec, set_: ConstraintSet, *, file_size: FileSize, predicted: Iterable[Bound] = ()
) -> Feasibility:
    """Decide what can be decided.

    Args:
        spec: that is asked; space, ways to stack cells and shape are stated.
        set_: the constraint set that holds besides.
        file_size: bytes of the file of an architecture; asked where a target limits the file.
        predicted: bounds that hold by prediction.

    Raises:
        InputError: the set is not for this space.
    """
    space, targets = space_named(str(spec.space)), spec.read_targets
    bounds = [*exact_bounds(spec), *predicted]
    file = next((target for target in targets if target.name == "file"), None)
    clashes, guards, counts = [], [], []
    for macro in spec.ways:
        guard = _guard(spec, set_, space, macro, bounds)
        count = guard.count()
        counts.append(count)
        if count.high:
            guards.append(guard)
        else:
            clashes.append(_clash(guard, macro, bounds))
    witness = _smallest(guards, spec) if guards else None
    measured = file_size(witness) if witness is not None and file is not None else None
    settled = file is None or witness is None or (measured is not None and measured <= file.limit)
    decided = {bound.target for bound in exact_bounds(spec)} - ({file} if file is not None and not settled else set())
    return Feasibility(
        clashes=tuple(clashes), admitted=sum(each.value for each in counts), exact=all(each.exact for each in counts),
        witness=witness, measured=measured, open=tuple(target for target in targets if target not in decided),
    )  # fmt: skip


def _guard(spec: DesignSpec, set_: ConstraintSet, space: Space, macro: Macro, bounds: Sequence[Bound]) -> Guard:
    """The set with a rule for each bound."""
    rules: list[Rule] = [replace(read_claim(set_, bound.condition, space), id=bound.id) for bound in bounds]
    return Guard(replace(set_, rules=(*set_.rules, *rules)), space=space, macro=macro, shape=spec.task_shape)


def _clash(guard: Guard, macro: Macro, bounds: Sequence[Bound]) -> Clash:
    names, of = guard.clash(), {bound.id: bound for bound in bounds}
    told = [of[name] for name in names if name in of]
    return Clash(
        macro=macro,
        targets=tuple(dict.fromkeys(bound.target for bound in told)),
        rules=tuple(name for name in names if name not in of),
        predicted=any(bound.predicted for bound in told),
    )


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
