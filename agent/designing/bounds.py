"""Targets as rules: what a guard can judge of a specification before anything is trained.

Parameters, multiply-accumulates and activations of a network follow from its architecture, so a target on them is a
rule as it stands. The size of a file does not follow by formula: norms are folded into weights when it is written. But
at least half of a network's parameters are in its file, of four bytes, or of one in int8. For a norm of `c` channels
has `2 c` parameters, of which `c` stay as a bias, and it stands beside a layer with at least `c` weights. That is a
rule too, which every small enough file keeps. It is for networks whose input reaches their output, as the shipped sets
demand.

What a file needs beside its weights, and how long it takes, are *predicted* from a file that was written and timed.
Such a rule keeps the search where targets can be met. It proves nothing, and the finished file decides.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML

from agent.designing.spec import DesignSpec, Precision, Target
from constraints import ConstraintSet, parse_set

__all__ = ["WEIGHT_BYTES", "Bound", "Forecast", "exact_bounds", "extended", "predicted_bounds"]

WEIGHT_BYTES: Mapping[Precision, int] = {"float32": 4, "int8": 1}
_QUANTITIES = {"parameters": "params", "macs": "macs", "activations": "activation_bytes"}
_SAID = 8_000  # bytes that a file says of itself and its steps of preparation, with some to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A target as a rule of scope `network`.

    Attributes:
        target: that is kept by it, or cannot be kept without it.
        condition: in the language of rules.
        predicted: whether it is predicted from a file that was timed and measured.
    """

    target: Target
    condition: str
    predicted: bool = False

    @property
    def id(self) -> str:
        """Of the rule."""
        return f"{'predicted' if self.predicted else 'target'}-{self.target.name.replace('_', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A network that was written and timed with fresh weights, from which others are predicted.

    Attributes:
        params: its parameters.
        macs: its multiply-accumulates.
        bytes: of its file, by precision; nothing where no target limits the file.
        p95: milliseconds of its file at least, by precision; nothing where no target limits them.
        per_mac: milliseconds that a multiply-accumulate takes in the reference kernel.
    """

    params: int
    macs: int
    bytes: Mapping[Precision, int]
    p95: Mapping[Precision, float]
    per_mac: float


def exact_bounds(spec: DesignSpec) -> Iterator[Bound]:
    """What every network that keeps the targets keeps."""
    for target in spec.read_targets:
        if target.name == "file":
            least = min(WEIGHT_BYTES[precision] for precision in spec.precisions)
            yield Bound(target=target, condition=f"params <= {math.floor(target.limit * 2 / least)}")
        quantity = _QUANTITIES.get(target.name)
        if quantity is None:
            continue
        limit = f">= {math.ceil(target.limit)}" if target.least else f"<= {math.floor(target.limit)}"
        yield Bound(target=target, condition=f"{quantity} {limit}")


def predicted_bounds(spec: DesignSpec, known: Forecast) -> Iterator[Bound]:
    """What networks that keep the targets will keep if they are as the one that was written and timed."""
    sizes = known.bytes.items()
    for target in spec.read_targets:
        if target.name == "file" and sizes:
            room = max(known.params + (float(target.limit) - _SAID - size) / WEIGHT_BYTES[each] for each, size in sizes)
            yield Bound(target=target, condition=f"params <= {max(0, math.floor(room))}", predicted=True)
        if target.name == "latency_p95" and known.p95:
            room = known.macs + (float(target.limit) - min(known.p95.values())) / known.per_mac
            yield Bound(target=target, condition=f"macs <= {max(0, math.floor(room))}", predicted=True)


def extended(set_: ConstraintSet, bounds: Sequence[Bound], spec: DesignSpec) -> ConstraintSet:
    """A constraint set with a rule for each bound, as a set of its own.

    Raises:
        InputError: the set has a rule of that name.
    """
    reader = YAML(typ="safe", pure=True)
    document = reader.load(set_.text)
    document["set"] = f"design-{set_.name}"[:40].rstrip("-")
    document["rules"] = [*document.get("rules", []), *(_rule(bound, spec) for bound in bounds)]
    reader.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # it is typed by its default
    written = io.StringIO()
    reader.dump(document, written)
    return parse_set(written.getvalue(), name=f"{set_.name} with the targets of {spec.design}")


def _rule(bound: Bound, spec: DesignSpec) -> dict[str, str]:
    how = "by prediction, it cannot keep" if bound.predicted else "it cannot keep"
    return {
        "id": bound.id,
        "scope": "network",
        "require": bound.condition,
        "why": f"the specification {spec.design} asks for {bound.target}",
        "message": f"{how} {bound.target}",
    }
