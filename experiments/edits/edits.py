"""Five edits of the baseline set: what `diff` says of each, beside brute force by the referee.

On nb201 every one of the 15,625 cells is judged; on darts, whose 10^18 nobody can, so many uniform draws.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from constraints import ConstraintSet, Context, Rule, load_set
from constraints.analysis.difference import compare_sets
from constraints.engines.referee import Referee
from constraints.loading.tightening import reference_contexts
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


def edited(folder: Path, edits: list[tuple[str, str]]) -> ConstraintSet:
    """The baseline with some text replaced."""
    text = load_set("baseline").text
    for old, new in edits:
        if old not in text:
            raise ValueError(f"the baseline holds no {old!r} any more")
        text = text.replace(old, new)
    (folder / "edited.yaml").write_text(text, encoding="utf-8")
    return load_set(folder / "edited.yaml")


class Judge:
    """The referee over fixed cells; rules that several sets share are judged once."""

    def __init__(self, context: Context, vectors: Vector) -> None:
        space = context.space
        self.context = context
        self.cells = [space.decode(row, macro=context.macro) for row in vectors]
        self.known: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]] = {}

    def admits(self, set_: ConstraintSet) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """`(n,)` whether each cell passes every rule of a set."""
        rules = set_.of_scope("cell", "network")
        fresh = [rule for rule in rules if self._key(rule) not in self.known]
        referee = Referee(fresh, self.context)
        rows = np.array([[answer is not False for answer in referee.verdicts(cell)] for cell in self.cells])
        self.known |= {self._key(rule): column for rule, column in zip(fresh, rows.T, strict=True)} if fresh else {}
        return np.logical_and.reduce([self.known[self._key(rule)] for rule in rules])

    @staticmethod
    def _key(rule: Rule) -> str:
        return repr((rule.scope, rule.when, rule.forbids, rule.condition))


def main() -> None:
    """Print a table; exit 1 if a count differs from brute force."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000, help="cells of darts, uniform")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--space", choices=("nb201", "darts"), action="append")
    chosen = parser.parse_args()
    old = load_set("baseline")
    spaces = map(space_named, chosen.space or ("nb201", "darts"))
    contexts = [context for space in spaces for context in reference_contexts(space)]
    wrong = 0
    for context in contexts:
        space = context.space
        whole = context.space.name == "nb201"
        judge = Judge(
            context, space.enumerate() if whole else space.draw(np.random.default_rng(chosen.seed), chosen.draws)
        )
        was = judge.admits(old)
        for name, edits in EDITS.items():
            with tempfile.TemporaryDirectory() as folder:
                new = edited(Path(folder), edits)
            (found,) = compare_sets(old, new, [context]).spaces
            is_ = judge.admits(new)
            sides = [(found.gained.value, int((is_ & ~was).sum())), (found.lost.value, int((was & ~is_).sum()))]
            said = ", ".join(f"{verb} {count:,}" for verb, (count, _) in zip(("in", "out"), sides, strict=True))
            if whole:
                good = all(count == brute for count, brute in sides)
                beside = "brute force: in {:,}, out {:,}".format(*(brute for _, brute in sides))
            else:
                shares = [count / space.count() for count, _ in sides]
                spread = [3.29 * (share * (1 - share) / chosen.draws) ** 0.5 + 1e-9 for share in shares]  # 99.9 %
                seen = [brute / chosen.draws for _, brute in sides]
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
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
