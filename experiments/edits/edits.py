"""Five edits of the baseline set: what `diff` says of each, beside brute force by the referee.

On nb201 every one of the 15,625 cells is judged; on darts, whose 10^18 nobody can, so many uniform draws.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from constraints import ConstraintSet, Context, Rule, load_set, parse_set
from constraints.analysis.difference import compare_sets
from constraints.engines.referee import Referee
from constraints.loading.tightening import reference_contexts
from experiments.harness import run
from selfnas.spaces.named import space_named
from selfnas.spaces.template import Vector

EDITS = {
    "tighter budget": [("params <= 60 @kparam", "params <= 40 @kparam"), ("params <= 1 @M", "params <= 0.6 @M")],
    "looser depth": [("depth <= 3", "depth <= 4")],
    "dropped motif": [('"motif {a -> b: skip, b -> c: skip, a -> c: skip}"', '"false"')],
    "one loosened, one tightened": [("receptive_field >= 32", "receptive_field >= 8"), ("depth <= 3", "depth <= 2")],
    "renamed only": [("id: shallow", "id: not-deep"), ("opsets:\n  interpretable", "opsets:\n  readable"),
                     ("op in interpretable", "op in readable"), ("only {interpretable}", "only {readable}")],
}  # fmt: skip


def edited(edits: list[tuple[str, str]]) -> ConstraintSet:
    """The baseline with some text replaced."""
    text = load_set("baseline").text
    for old, new in edits:
        if old not in text:
            raise ValueError(f"the baseline holds no {old!r} any more")
        text = text.replace(old, new)
    return parse_set(text)


class Judge:
    """The referee over fixed cells; rules that several sets share are judged once."""

    def __init__(self, context: Context, vectors: Vector) -> None:
        space = context.space
        self.context = context
        self.cells = [space.decode(row, macro=context.macro) for row in vectors]
        self.known: dict[str, NDArray[np.bool_]] = {}

    def admits(self, set_: ConstraintSet) -> NDArray[np.bool_]:
        """`(n,)` whether each cell passes every rule of a set."""
        rules = set_.of_scope("cell", "network")
        fresh = [rule for rule in rules if self._key(rule) not in self.known]
        referee = Referee(fresh, self.context)
        rows = np.array([[answer is not False for answer in referee.verdicts(cell)] for cell in self.cells])
        self.known |= {self._key(rule): column for rule, column in zip(fresh, rows.T, strict=True)} if fresh else {}
        admitted: NDArray[np.bool_] = np.logical_and.reduce([self.known[self._key(rule)] for rule in rules])
        return admitted

    @staticmethod
    def _key(rule: Rule) -> str:
        return repr((rule.scope, rule.when, rule.forbids, rule.condition))


def edits(
    draws: Annotated[int, typer.Option(help="Cells of darts, uniform.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    spaces: Annotated[list[str] | None, typer.Option("--space", help="nb201 or darts; repeatable.")] = None,
) -> None:
    """What `diff` says of five edits, beside brute force; exit 1 if a count differs."""
    old = load_set("baseline")
    contexts = [context for name in spaces or ("nb201", "darts") for context in reference_contexts(space_named(name))]
    wrong = 0
    for context in contexts:
        space = context.space
        whole = space.name == "nb201"
        judge = Judge(context, space.enumerate() if whole else space.draw(np.random.default_rng(seed), draws))
        was = judge.admits(old)
        for name, changes in EDITS.items():
            new = edited(changes)
            (found,) = compare_sets(old, new, [context]).spaces
            is_ = judge.admits(new)
            counted = [int((is_ & ~was).sum()), int((was & ~is_).sum())]
            sides = list(zip([found.gained.count.value, found.lost.count.value], counted, strict=True))
            said = ", ".join(f"{verb} {count:,}" for verb, (count, _) in zip(("in", "out"), sides, strict=True))
            if whole:
                good = all(count == brute for count, brute in sides)
                beside = "brute force: in {:,}, out {:,}".format(*(brute for _, brute in sides))
            else:
                shares = [count / space.count() for count, _ in sides]
                spread = [3.29 * (share * (1 - share) / draws) ** 0.5 + 1e-9 for share in shares]  # 99.9 %
                seen = [brute / draws for _, brute in sides]
                good = all(abs(a - b) <= s for a, b, s in zip(shares, seen, spread, strict=True))
                beside = " ".join(
                    f"{verb} {share:.4f} of all, {k:.4f} of the draws"
                    for verb, share, k in zip(("in", "out"), shares, seen, strict=True)
                )
            wrong += not good
            print(
                f"{context.space} at {context.macro}, {name}: {found.relation}; {said}; {beside}",
                "" if good else "WRONG",
            )
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    run(edits)
