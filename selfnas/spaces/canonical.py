"""The canonical form of a cell's effective graph, and the digest made of it.

Effective: dead edges dropped; in a cell with a single output, an identity (`skip`) that is a node's only input, or the
only use of an inner node, is contracted (at stride 1 it passes the value on, and sums associate). Canonical: inner
nodes renumbered so that isomorphic graphs give equal text. Our own code because digests are stored for years, and
library hashes change.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence

from selfnas.spaces.cell import Cell

__all__ = ["canonical_form", "digest_of"]

_Triple = tuple[int, int, str]  # source, target, operation


@functools.lru_cache(maxsize=65536)
def canonical_form(cell: Cell, identities: frozenset[str]) -> str:
    """Text that is equal exactly for cells with isomorphic effective graphs.

    Inputs keep their numbers (they differ in meaning); inner nodes are renumbered; outputs form a set, since the order
    in a concatenation is undone by the weights that follow. `identities` are the operations that hand on their input.
    """
    edges: list[_Triple] = [(edge.source, edge.target, edge.operation) for edge in cell.live_edges()]
    outputs = set(cell.outputs)
    if len(outputs) == 1:
        edges, output = _merge_skips(edges, next(iter(outputs)), cell.inputs, identities)
        outputs = {output}
    used = {node for source, target, _ in edges for node in (source, target)}
    inner = sorted(node for node in used if node >= cell.inputs)
    best = min(_spell(edges, outputs, order, cell.inputs) for order in _candidate_orders(edges, outputs, inner))
    return json.dumps({"inputs": cell.inputs, "graph": best}, separators=(",", ":"))


def digest_of(cells: Sequence[Cell], macro: str, *, identities: frozenset[str]) -> str:
    """SHA-256 over the canonical forms of the cells, in order, and the macro settings' text."""
    text = json.dumps([macro, *(canonical_form(cell, identities) for cell in cells)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _merge_skips(
    edges: list[_Triple], output: int, inputs: int, identities: frozenset[str]
) -> tuple[list[_Triple], int]:
    """Contract every skip that is a node's only input, or that is the only use of an inner node (sums associate)."""
    while True:
        into, out_of = Counter(t for _, t, _ in edges), Counter(s for s, _, _ in edges)
        only_uses = {node for node, uses in out_of.items() if uses == 1 and node >= inputs and node != output}
        skips = [at for at, (s, t, op) in enumerate(edges) if op in identities and (into[t] == 1 or s in only_uses)]
        if not skips:
            return edges, output
        source, target, _ = edges.pop(skips[0])
        kept = source if into[target] == 1 else target
        gone = source + target - kept
        edges = [(kept if s == gone else s, kept if t == gone else t, op) for s, t, op in edges]
        output = kept if output == gone else output


def _candidate_orders(edges: list[_Triple], outputs: set[int], inner: list[int]) -> list[tuple[int, ...]]:
    """Orders of the inner nodes worth comparing: only nodes that colour refinement cannot tell apart are permuted."""
    if len(inner) < 2:
        return [tuple(inner)]
    colour: dict[int, str] = {node: f"in{node}" for edge in edges for node in edge[:2]}
    colour.update({node: f"inner{node in outputs}" for node in inner})
    for _ in range(len(inner)):
        colour = {
            node: _hash(
                old,
                sorted(f"<{op}{colour[s]}" for s, t, op in edges if t == node),
                sorted(f">{op}{colour[t]}" for s, t, op in edges if s == node),
            )
            for node, old in colour.items()
        }
    classes: dict[str, list[int]] = {}
    for node in inner:
        classes.setdefault(colour[node], []).append(node)
    groups = [classes[key] for key in sorted(classes)]
    return [
        tuple(itertools.chain.from_iterable(choice))
        for choice in itertools.product(*(itertools.permutations(group) for group in groups))
    ]


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _spell(edges: list[_Triple], outputs: set[int], order: tuple[int, ...], inputs: int) -> list[list[object]]:
    number = {node: inputs + position for position, node in enumerate(order)} | {i: i for i in range(inputs)}
    spelled: list[list[object]] = [[number[s], number[t], op] for s, t, op in edges]
    spelled.sort(key=lambda row: (row[1], row[0], row[2]))
    return [*spelled, ["out", *sorted(number.get(node, -1) for node in outputs)]]
