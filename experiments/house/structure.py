"""What the shape of the packages comes to, read from their text: files, imports, literals.

Nothing is imported or run. An import under `TYPE_CHECKING`, or inside a function, counts like any other; what a
package's `__init__` hands on lazily is no import of a module.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import networkx as nx

__all__ = ["PACKAGES", "House"]

PACKAGES = ("selfnas", "constraints", "audits", "agent")
EVENTS = "agent.ledger.events"
# Functions that read a payload before events had types.
_CASTS = frozenset({"items", "mapping", "number"})


class House:
    """The packages of a checkout.

    Args:
        root: of the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.files = {_module(path, root): path for name in PACKAGES for path in sorted((root / name).rglob("*.py"))}

    @cached_property
    def trees(self) -> Mapping[str, ast.Module]:
        """Syntax trees by module."""
        return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.files.items()}

    @cached_property
    def imports(self) -> nx.DiGraph[str]:
        """An arrow from each module to each of ours that it imports; without packages."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        modules = {name for name, path in self.files.items() if path.name != "__init__.py"}
        graph.add_nodes_from(modules)
        for name in modules:
            graph.add_edges_from((name, other) for other in self._imported(name) if other in modules - {name})
        return graph

    def _imported(self, name: str) -> Iterator[str]:
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    @property
    def circles(self) -> list[list[str]]:
        """Modules that import each other, directly or not."""
        return [sorted(found) for found in nx.strongly_connected_components(self.imports) if len(found) > 1]

    @property
    def levels(self) -> dict[str, int]:
        """By room the most modules of it in a row that import one the next; without circles."""
        rooms: dict[str, set[str]] = {}
        for name in self.imports:
            rooms.setdefault(".".join(name.split(".")[:2]) if name.count(".") > 1 else name.split(".")[0], set()).add(
                name
            )
        return {room: nx.dag_longest_path_length(self.imports.subgraph(held)) + 1 for room, held in rooms.items()}

    @property
    def folders(self) -> Counter[str]:
        """Modules by folder, `__init__` included."""
        return Counter(path.parent.as_posix() for path in self.files.values())

    @property
    def lines(self) -> Counter[str]:
        """Lines by package."""
        counts = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in self.files.items()}
        return Counter({package: sum(n for name, n in counts.items() if _of(name, package)) for package in PACKAGES})

    @property
    def kinds(self) -> set[str]:
        """Kinds of events, as their models state them."""
        return {
            str(node.value.value)
            for node in ast.walk(self.trees[EVENTS])
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "kind"
            and isinstance(node.value, ast.Constant)
            and node.value.value
        }

    def kind_literals(self) -> Iterator[str]:
        """Places outside the models where a text is compared, matched or looked up that is a kind of event."""
        kinds = self.kinds
        for name, tree in self.trees.items():
            if name != EVENTS and name.startswith("agent"):
                for node in ast.walk(tree):
                    if isinstance(node, ast.Compare | ast.match_case | ast.Subscript):
                        yield from (f"{name}:{at.lineno}" for at in _texts(node, kinds))
                    elif isinstance(node, ast.Constant) and node.value in kinds and "." in str(node.value):
                        yield f"{name}:{node.lineno}"

    def casts(self) -> Iterator[str]:
        """Calls of functions that read untyped payloads."""
        for name, tree in self.trees.items():
            if name.startswith("agent"):
                for node in ast.walk(tree):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CASTS:
                        yield f"{name}:{node.lineno}"


def _texts(node: ast.AST, kinds: set[str]) -> Iterator[ast.Constant]:
    parts = [node.pattern] if isinstance(node, ast.match_case) else [node]
    for part in parts:
        for inner in ast.walk(part):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value in kinds:
                yield inner


def _module(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _of(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
