"""The guard: a constraint set compiled for one space, macro settings and task shape, and everything asked of it.

The NumPy engine filters, the diagram counts and draws, Z3 decides and explains, the referee confirms. Engines are built
when first needed.
"""

from __future__ import annotations

import functools
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from constraints.engines.diagram import MAX_NODES
from constraints.engines.encoding import Encoding, encode
from constraints.engines.referee import VERSION, Referee
from constraints.engines.solver import DEFAULT_RLIMIT, Solver, version
from constraints.engines.vectorised import evaluate
from constraints.judging.admitted import Admitted, CountInterval
from constraints.judging.certificate import Certificate, Decision, decision_from, join, verdict_of
from constraints.judging.explanation import Blame, Explanation, blamed_slots, describe_slots
from constraints.language.examples import format_shape
from constraints.language.rules import ConstraintSet, Context, Rule
from selfnas.errors import ArchitectureError, InputError
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.template import Vector

__all__ = ["Guard"]

_MAX_CACHED = 100_000  # decisions kept; about 1 kB each


class Guard:
    """A compiled constraint set.

    Args:
        set_: the set; its rules of scope `policy` play no part here (`decide_policy` does those).
        space: the set must be for it, or for the one that it is derived from.
        macro: how cells are stacked.
        shape: the task's shape.
        rlimit: Z3 steps one query may take.
        max_nodes: size at which a decision diagram is given up for sampling.

    Raises:
        InputError: the set is not for this space, or a rule is too large to encode.
    """

    def __init__(
        self,
        set_: ConstraintSet,
        *,
        space: Space,
        macro: Macro,
        shape: TaskShape,
        rlimit: int = DEFAULT_RLIMIT,
        max_nodes: int = MAX_NODES,
    ) -> None:
        if space.base not in set_.spaces:
            raise InputError(
                f"constraint set {set_.name!r} is for {', '.join(set_.spaces)}, not for space {space.name!r}"
            )
        self.set, self.context = set_, Context(space=space, macro=macro, shape=shape)
        self.space = space
        self.rules: tuple[Rule, ...] = set_.of_scope("cell", "network")
        self.digest = self.context.digest(set_.digest)
        self._rlimit, self._max_nodes = rlimit, max_nodes
        # By exact spelling, not by digest: rules such as `avoiding node(2)` or `every edge() is live` see node numbers
        # and dead edges, so two spellings of one network may get different verdicts.
        self._letters: dict[str, str] = {}

    @staticmethod
    def of(set_: ConstraintSet, context: Context) -> Guard:
        """A set compiled for a context, with the usual limits."""
        return Guard(set_, space=context.space, macro=context.macro, shape=context.shape)

    @functools.cached_property
    def encoding(self) -> Encoding:
        """The rules as circuits."""
        return encode(self.rules, self.context)

    @functools.cached_property
    def solver(self) -> Solver:
        """The Z3 engine."""
        return Solver(self.encoding, rlimit=self._rlimit)

    @functools.cached_property
    def referee(self) -> Referee:
        """The plain-Python engine."""
        return Referee(self.rules, self.context)

    @functools.cached_property
    def admitted(self) -> Admitted:
        """The admitted part of the space."""
        return Admitted(self.encoding, max_nodes=self._max_nodes)

    def count(self) -> CountInterval:
        """How many architectures are admitted, as spelled."""
        return self.admitted.count

    def draw(self, rng: np.random.Generator, n: int) -> Vector:
        """`(n, slots)` independent, exactly uniform admitted architectures.

        Raises:
            SelfnasError: the rules admit nothing, or too little to find.
        """
        return self.admitted.draw(rng, n)

    def violations(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n, rules)` whether each of `(n, slots)` vectors breaks each rule, by the NumPy engine alone."""
        roots = [(index, root) for index, root in enumerate(self.encoding.roots) if root is not None]
        result = np.zeros((len(vectors), len(self.rules)), dtype=bool)
        if roots:
            result[:, [index for index, _ in roots]] = ~evaluate(self.encoding.circuit, [r for _, r in roots], vectors)
        return result

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each of `(n, slots)` vectors is admitted, by the NumPy engine alone: a prefilter."""
        roots = [root for root in self.encoding.roots if root is not None]
        everything = self.encoding.circuit.conjunction(roots)
        result: NDArray[np.bool_] = evaluate(self.encoding.circuit, [everything], vectors)[:, 0]
        return result

    def is_idle(self) -> bool:
        """Whether none of the set's rules applies here, so that everything is admitted."""
        return all(root is None for root in self.encoding.roots)

    def clash(self) -> tuple[str, ...]:
        """Ids of rules that together admit nothing, none of which can be left out; empty when something is admitted.

        All rules when the engines do not find a smaller set.
        """
        if self.count().high:
            return ()
        indexes = [index for index, root in enumerate(self.encoding.roots) if root is not None]
        kept = list(indexes)
        for index in indexes:
            rest = [other for other in kept if other != index]
            if self.solver.ask(passing=rest)[0] == "unsat":
                kept = rest
        return tuple(self.rules[index].id for index in kept)

    def nearest(self, vector: Vector, *, limit: int = 3) -> tuple[int, Vector]:
        """How many edges must change before a `(slots,)` vector is admitted, and up to `limit` members that near.

        The distance is -1 and there are no members when none is known.
        """
        return self.admitted.nearest(vector, limit=limit)

    def decide(self, architecture: Architecture, *, previous: str = "") -> Decision:
        """Judge one architecture with two engines and certify the result; whatever breaks leaves it undecided."""
        text, digest, reason = "", "", ""
        letters = "u" * len(self.rules)
        engines = {"referee": VERSION}
        try:
            text, digest = str(architecture), architecture.digest
            engines["z3"] = version()
            letters = self._judge(architecture, text)
            if "u" in letters:
                reason = "Z3 gave no answer within its limit of steps"
        except Exception as error:  # noqa: BLE001 - a broken engine must close the gate, never open it
            reason = f"{type(error).__name__}: {error}"
        verdict = "undecided" if reason and "f" not in letters else verdict_of(letters)
        certificate = Certificate(
            guard=self.digest,
            subject=text,
            digest=digest,
            shape=format_shape(self.context.shape),
            rules=letters,
            verdict=verdict,
            engines=MappingProxyType(engines),
            previous=previous,
            reason=reason,
        )
        return decision_from(certificate, self.rules)

    def explain(self, architecture: Architecture, *, limit: int = 3) -> Explanation:
        """Every violated rule with the edges to blame, and the nearest admitted architectures.

        Raises:
            ArchitectureError: the architecture is not of this guard's space.
        """
        vector = self.space.encode(architecture)
        broken = np.flatnonzero(self.violations(vector[None])[0]).tolist()
        reasons = tuple(
            Blame(
                rule=self.rules[index].id,
                message=self.rules[index].message,
                edges=describe_slots(self.space, vector, blamed_slots(self.solver, vector, index)),
            )
            for index in broken
        )
        distance, rows = self.nearest(vector, limit=limit)
        nearest = tuple(self.space.decode(row, macro=self.context.macro) for row in rows)
        return Explanation(reasons=reasons, nearest=nearest, distance=distance)

    def _judge(self, architecture: Architecture, text: str) -> str:
        if text not in self._letters:
            if architecture.macro != self.context.macro:
                raise ArchitectureError(f"macro settings {architecture.macro} are not the guard's {self.context.macro}")
            vector = self.space.encode(architecture)
            applicable = [root is not None for root in self.encoding.roots]
            letters = join(self.solver.verdicts(vector), self.referee.verdicts(architecture), applicable)
            if len(self._letters) >= _MAX_CACHED:
                self._letters.clear()
            self._letters[text] = letters
        return self._letters[text]
