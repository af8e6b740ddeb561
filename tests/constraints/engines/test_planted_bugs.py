"""Bugs planted in the encoding and the engines: comparing per-rule answers with the referee finds every one.

Each bug is one edit of one module, made in a private copy of the package. The reference answers are the unedited NumPy
engine's, which `test_agreement` compares with the referee on the same rules and cells.
"""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import constraints.engines.diagram
from constraints import Context, Rule
from constraints.engines.encoding import encode
from constraints.engines.vectorised import evaluate
from selfnas.spaces.named import space_named
from selfnas.spaces.template import Vector

pytestmark = pytest.mark.slow

_COPIED = (
    "circuit",
    "cell_circuit",
    "path_circuit",
    "network_circuit",
    "encoding",
    "vectorised",
    "solver",
    "diagram",
    "counting",
)
_numbers = itertools.count()

# (what went wrong, module, text, its replacement)
BUGS = [
    (
        "an empty literal counts as true",
        "circuit",
        "return TRUE if chosen else FALSE",
        "return TRUE",
    ),
    (
        "a literal forgets its lowest value",
        "circuit",
        "return self._add(Choice(slot, chosen))",
        "return self._add(Choice(slot, chosen - {min(chosen)} or chosen))",
    ),
    (
        "a negated literal keeps 'none' out",
        "circuit",
        "node.slot, frozenset(range(self",
        "node.slot, frozenset(range(1, self",
    ),
    (
        "double negation is lost",
        "circuit",
        "return node.items[0]\n",
        "return item\n",
    ),
    (
        "literals of one slot are joined in 'and'",
        "circuit",
        'if operator == "and" else before | node.values',
        'if operator != "and" else before | node.values',
    ),
    (
        "'or' of complements is false",
        "circuit",
        "            return absorbing\n        if len(others) <= 1",
        "            return FALSE\n        if len(others) <= 1",
    ),
    (
        "a gate of one item is its neutral",
        "circuit",
        "return others.pop() if others else neutral",
        "return neutral",
    ),
    (
        "nested gates are flattened into others",
        "circuit",
        "isinstance(node, Gate) and node.operator == operator",
        'isinstance(node, Gate) and node.operator != "not"',
    ),
    (
        "equal terms count once",
        "circuit",
        "total[item] = total.get(item, 0) + weight",
        "total[item] = weight",
    ),
    (
        "a negative weight loses its constant",
        "circuit",
        "                bound -= weight\n                item, weight",
        "                item, weight",
    ),
    (
        "slack is judged one short",
        "circuit",
        "if sum(positive.values()) <= bound",
        "if sum(positive.values()) <= bound + 1",
    ),
    (
        "the bound is rounded up when divided",
        "circuit",
        "bound // divisor))",
        "-(-bound // divisor)))",
    ),
    (
        "sums that differ in their bound share a node",
        "circuit",
        "    bound: int\n\n",
        "    bound: int = __import__('dataclasses').field(compare=False)\n\n",
    ),
    (
        "operations are numbered from none",
        "cell_circuit",
        "enumerate(self.operations, start=1) if ops",
        "enumerate(self.operations) if ops",
    ),
    (
        "edges into a node are those out of it",
        "cell_circuit",
        "if slot[1] == node]",
        "if slot[0] == node]",
    ),
    (
        "a node does not reach itself",
        "cell_circuit",
        "return TRUE if start == stop else FALSE",
        "return FALSE",
    ),
    (
        "reaching needs only the last edge",
        "cell_circuit",
        "self.connects(start, slot[0])) for slot in self.into(stop)]",
        "TRUE) for slot in self.into(stop)]",
    ),
    (
        "live means reached",
        "cell_circuit",
        "return self._both(reached, useful)",
        "return reached",
    ),
    (
        "live means useful",
        "cell_circuit",
        "return self._both(reached, useful)",
        "return useful",
    ),
    (
        "dead is read as live",
        "cell_circuit",
        "live if edges.live else self.circuit.negation(live)",
        "live",
    ),
    (
        "'to' is checked against the source",
        "cell_circuit",
        "slot[1] not in self.ends(edges.target)",
        "slot[0] not in self.ends(edges.target)",
    ),
    (
        "dead edges cost too",
        "cell_circuit",
        "terms.append((self._both(self.carries_value(slot, values), self.live(slot)), weight))",
        "terms.append((self.carries_value(slot, values), weight))",
    ),
    (
        "avoided nodes can be passed",
        "path_circuit",
        "for slot in cell.into(node) if node not in avoided else ():",
        "for slot in cell.into(node):",
    ),
    (
        "avoided nodes can be ends",
        "path_circuit",
        "cell.ends(paths.start) - avoided, cell.ends(paths.stop) - avoided",
        "cell.ends(paths.start), cell.ends(paths.stop)",
    ),
    (
        "'all' starts false",
        "path_circuit",
        'return int(atom.quantifier == "all")',
        "return 0",
    ),
    (
        "'any' needs each operation",
        "path_circuit",
        "int(number or inside)",
        "int(inside)",
    ),
    (
        "products start at zero",
        "path_circuit",
        'min(1 if atom.measure.kind == "product" else 0',
        "min(0",
    ),
    (
        "numbers saturate at the limit",
        "path_circuit",
        "return max(atom.limit, 0) + 1",
        "return max(atom.limit, 0)",
    ),
    (
        "products are added",
        "path_circuit",
        "number * entry if",
        "number + entry if",
    ),
    (
        "'every' forgets one negation",
        "path_circuit",
        'exists_path(cell, paths, syntax.PathNode("not", (where,)))',
        "exists_path(cell, paths, where)",
    ),
    (
        "'max <' is read as 'max <='",
        "path_circuit",
        "beyond if rule.comparison == at_most else at_least",
        "beyond",
    ),
    (
        "'where' of an extreme is ignored",
        "path_circuit",
        'PathNode("and", (rule.where, beyond))',
        "beyond",
    ),
    (
        "a field of one pixel more",
        "network_circuit",
        "+ 1 >= max(pixels, 0)",
        "+ 2 >= max(pixels, 0)",
    ),
    (
        "strides of blocks do not multiply",
        "network_circuit",
        "jumps[index] = jump * block.stride",
        "jumps[index] = jump",
    ),
    (
        "the second convolution of a reduction is forgotten",
        "network_circuit",
        "2 * jump + 2 * jump * block.stride",
        "2 * jump",
    ),
    (
        "reduction cells look as far as normal ones",
        "network_circuit",
        "return operation.reach() * stride",
        "return operation.reach()",
    ),
    (
        "the last port decides",
        "network_circuit",
        "total = np.maximum(total, other)",
        "total = other",
    ),
    (
        "a forbidden rule is a required one",
        "encoding",
        "if rule.forbids else judged",
        "if False else judged",
    ),
    (
        "fixed costs are forgotten",
        "encoding",
        "return terms, int(getattr(table.fixed, quantity.name))",
        "return terms, 0",
    ),
    (
        "every cost is parameters",
        "encoding",
        "int(getattr(costs, quantity.name))",
        "int(costs.params)",
    ),
    (
        "'<' is read as '<='",
        "encoding",
        'limit - (comparison == "<"))',
        "limit)",
    ),
    (
        "'>=' is read as '>'",
        "encoding",
        'limit - (comparison == ">="))',
        "limit)",
    ),
    (
        "the weights of terms are ignored",
        "encoding",
        "(node, factor * weight)",
        "(node, weight)",
    ),
    (
        "fan-in counts edges out",
        "encoding",
        'slot[1 if quantity.direction == "fan_in" else 0]',
        "slot[0]",
    ),
    (
        "'then' is read as 'before'",
        "encoding",
        'if earlier[1] == slot[0] or link == "before"',
        "if True",
    ),
    (
        "'before' is read as 'then'",
        "encoding",
        'if earlier[1] == slot[0] or link == "before"',
        "if earlier[1] == slot[0]",
    ),
    (
        "motif nodes may coincide with others' places",
        "encoding",
        "and node in kinds.get(name, (node,)) ",
        "",
    ),
    (
        "one arrow of a motif is enough",
        "encoding",
        "circuit.conjunction(cell.carries((place",
        "circuit.disjunction(cell.carries((place",
    ),
    (
        "domination looks at the wrong node",
        "encoding",
        "condition.end, (condition.node,))",
        "condition.node, ())",
    ),
    (
        "the largest fan must be reached by each node",
        "encoding",
        "if reaching else each_node(rule.comparison)",
        "if not reaching else each_node(rule.comparison)",
    ),
    (
        "NumPy: complements are not inverted back",
        "vectorised",
        "return np.invert(self.choice(Choice(definition.slot, rest)))",
        "return self.choice(Choice(definition.slot, rest))",
    ),
    (
        "NumPy: sums are kept in a byte",
        "vectorised",
        "np.packbits(total <= definition.bound)",
        "np.packbits(total.astype(np.uint8) <= definition.bound)",
    ),
    (
        "NumPy: only two items of a gate count",
        "vectorised",
        "for item in definition.items[2:]:",
        "for item in ():",
    ),
    (
        "Z3: a sum may exceed its bound by one",
        "solver",
        "strict=True)), definition.bound)",
        "strict=True)), definition.bound + 1)",
    ),
    (
        "Z3: 'or' is 'and'",
        "solver",
        'return z3.And(items) if definition.operator == "and" else z3.Or(items)',
        "return z3.And(items)",
    ),
    (
        "Z3: rules are not tied to their circuits",
        "solver",
        "self._solver.add(rule == self._nodes[root])",
        "self._solver.add(z3.Or(rule, self._nodes[root]))",
    ),
    (
        "Z3: false is read as true",
        "solver",
        "z3.Z3_L_FALSE: False",
        "z3.Z3_L_FALSE: True",
    ),
    (
        "diagram: the sum forgets its last group",
        "diagram",
        "return fits(0, slack).function",
        "return fits(min(1, len(groups)), slack).function",
    ),
    (
        "diagram: values of a slot lose a bit",
        "diagram",
        "bool(value >> bit & 1)",
        "bool(value >> bit & 1) if bit < 2 else False",
    ),
    (
        "diagram: a negated branch is read as it stands",
        "diagram",
        "halves = [np.where(here, sign * child[node], after)",
        "halves = [np.where(here, child[node], after)",
    ),
    (
        "diagram: high and low change places",
        "diagram",
        "for child in (nodes.low, nodes.high)",
        "for child in (nodes.high, nodes.low)",
    ),
    (
        "diagram: counts forget the last value of a slot",
        "counting",
        "self.members[-1][table].sum(axis=1)",
        "self.members[-1][table][:, :-1].sum(axis=1)",
    ),
]


@pytest.fixture(scope="module")
def reference(
    construct_rules: Callable[..., list[Rule]], contexts: Callable[[str], list[Context]]
) -> list[SimpleNamespace]:
    """Rules, cells and right answers: all of nb201, and draws of darts for rules of scope network."""
    cases = []
    for name, vectors in (
        ("nb201", space_named("nb201").enumerate()[3::17]),
        ("darts", space_named("darts").draw(np.random.default_rng(2), 400)),
    ):
        rules = construct_rules(name)
        rules += [Rule(id="f", scope="cell", condition=rules[2].condition, forbids=True, text="", why="", message="")]
        if name == "darts":
            rules = [rule for rule in rules if rule.scope == "network" and "receptive" in rule.text]
        context = contexts(name)[0]
        encoding = encode(rules, context)
        answers = evaluate(encoding.circuit, [root or 0 for root in encoding.roots], vectors)
        cases.append(SimpleNamespace(rules=rules, context=context, vectors=vectors, answers=answers))
    return cases


def _copy(folder: Path, module: str, text: str, replacement: str) -> dict[str, ModuleType]:
    """A copy of the engines with one edit."""
    package = f"planted{next(_numbers)}"
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    here = Path(constraints.engines.diagram.__file__).parent
    for name in _COPIED:
        source = (here / f"{name}.py").read_text(encoding="utf-8")
        if name == module:
            assert source.count(text) == 1, f"{text!r} occurs {source.count(text)} times in {name}"
            source = source.replace(text, replacement)
        source = re.sub(
            rf"from constraints\.engines\.({'|'.join(_COPIED)}) import", rf"from {package}.\1 import", source
        )
        (folder / package / f"{name}.py").write_text(source, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        modules = {name: importlib.import_module(f"{package}.{name}") for name in _COPIED}
    finally:
        sys.path.remove(str(folder))
    modules["diagram"]._manager = constraints.engines.diagram._manager  # one manager per process
    return modules


def _answers(
    modules: dict[str, ModuleType], module: str, case: SimpleNamespace
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What the copy says, beside what is right."""
    encoding = modules["encoding"].encode(case.rules, case.context)
    roots = [0 if root is None else root for root in encoding.roots]
    if module == "solver":
        few: Vector = case.vectors[::20]
        solver = modules["solver"].Solver(encoding)
        yield np.array([solver.verdicts(row) for row in few]), case.answers[::20]
    elif module in ("diagram", "counting"):
        if case.context.space.name != "nb201":
            return
        everything = space_named("nb201").enumerate()
        diagram = modules["diagram"].Diagram(encoding.circuit, encoding.space)
        table = modules["counting"].SlotTable
        yield (
            np.array([table(diagram, diagram.function(root) & diagram.domain).count for root in roots]),
            modules["vectorised"].evaluate(encoding.circuit, roots, everything).sum(axis=0),
        )
    else:
        yield modules["vectorised"].evaluate(encoding.circuit, roots, case.vectors), case.answers


def _is_caught(modules: dict[str, ModuleType], module: str, cases: list[SimpleNamespace]) -> bool:
    for case in cases:
        try:
            for said, right in _answers(modules, module, case):
                if not np.array_equal(said, right):
                    return True
        except Exception:  # noqa: BLE001 - an engine that breaks is found out as well
            return True
    return False


@pytest.mark.parametrize(("name", "module", "text", "replacement"), BUGS, ids=[bug[0] for bug in BUGS])
def test_a_planted_bug_is_caught(
    name: str, module: str, text: str, replacement: str, reference: list[SimpleNamespace], tmp_path: Path
) -> None:
    """The edited copy differs from the right answers on some rule and cell."""
    assert _is_caught(_copy(tmp_path, module, text, replacement), module, reference), name


def test_a_copy_without_a_bug_gives_the_right_answers(reference: list[SimpleNamespace], tmp_path: Path) -> None:
    """The comparison itself accuses nobody: an unedited copy passes in every engine."""
    modules = _copy(tmp_path, "circuit", "arguments first", "arguments first")
    assert not any(_is_caught(modules, module, reference) for module in ("encoding", "solver", "diagram"))


def test_there_are_enough_planted_bugs() -> None:
    """At least thirty, all different, and the reference page lists each."""
    assert len({bug[1:] for bug in BUGS}) == len(BUGS) >= 30
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "constraints.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)\.py` \| (.+) \|$", page, flags=re.M)
    assert {(module, name) for module, names in listed for name in names.split("; ")} == {
        (bug[1], bug[0].replace("NumPy: ", "").replace("Z3: ", "").replace("diagram: ", "")) for bug in BUGS
    }
