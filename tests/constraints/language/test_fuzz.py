"""Mutated set files and expressions: a located error or a valid set, never a traceback, a hang or a blow-up.

Stated bounds: a file has at most 1,000,000 bytes, 32 levels, 200 rules; an expression 4,000 characters and 32 open
brackets and negations; numbers go up to 10**15. Within them, reading takes milliseconds.
"""

from __future__ import annotations

import random
import string
import time
from pathlib import Path

import pytest

import constraints.engines.path_circuit
from constraints import Context, Rule, load_set, shipped_sets
from constraints.engines.encoding import encode
from constraints.language.applicability import read_when
from constraints.language.lexicon import Table, Vocabulary
from constraints.language.parser import MAX_LENGTH, Fault
from constraints.language.resolve import read_condition
from constraints.loading.formatting import format_expression
from constraints.loading.setfile import gather
from selfnas.errors import InputError, Problem
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

_WORDS = Vocabulary(
    operations=frozenset({"skip", "conv1x1", "conv3x3", "avg3"}),
    opsets={"plain": frozenset({"skip"})},
    tables={"cost": Table(entries={"skip": 1, "conv1x1": 0, "conv3x3": 3, "avg3": 1})},
)
_SEEDS = [
    "exists path(input, output) where (all op in plain or length <= 3) and true",
    "max over path(input, output) avoiding node(1, 2) of product(cost) <= 6",
    "motif {a -> b: skip, b -> c: {conv3x3, avg3}, a -> c}",
    "2 * count(edge(op: conv3x3, from: input, live)) - fan_in(node(2)) >= 1",
    "edge(op: skip) then edge() before edge(op not in plain)",
    "params <= 510_000 @param and max over path(input, output) of receptive_field >= 32 @px",
    "every edge(op in plain) is (live, from: input) implies node(2) dominates output",
    "new.a <= 2 * old.a + 3",
    "min over node of fan_out == 1 or depth != 2.5",
]
_PIECES = sorted(
    {word for seed in _SEEDS for word in seed.replace("(", " ( ").split()} | set("(){},:@*+-<>=!_.#'\"\\\t\n")
)


def _mutated(text: str, rng: random.Random) -> str:
    """A text after a few cuts, copies, reversals and insertions."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at, to = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        kind = rng.randrange(6)
        if kind == 0:
            text = text[:at] + text[min(to, at + 6) :]
        elif kind == 1:
            text = text[:at] + " " + rng.choice(_PIECES) + " " + text[at:]
        elif kind == 2:
            text = text[:to] + text[at:to] + text[to:]
        elif kind == 3:
            text = text[:at] + rng.choice(string.printable + "äß→\x00\u2028") + text[at:]
        elif kind == 4:
            text = text[:at] + rng.choice(["(", "not ", "9" * 30, "{", "a -> "]) * rng.choice([1, 3, 60]) + text[at:]
        else:
            text = text[:at] + text[at:to][::-1] + text[to:]
    return text


@pytest.mark.slow
def test_ten_thousand_mutated_expressions_are_read_or_refused_with_a_place() -> None:
    """Every fault has an offset inside the text; nothing raises; the whole takes seconds."""
    rng = random.Random(0)
    start = time.process_time()
    valid = 0
    for _ in range(10_000):
        text = _mutated(rng.choice(_SEEDS), rng)
        scope = rng.choice(["cell", "cell", "network", "policy"])
        _, faults = read_condition(text, scope, _WORDS)  # type: ignore[arg-type]
        assert all(isinstance(f, Fault) and 0 <= f.offset <= len(text) and f.message for f in faults)
        valid += not faults
        read_when(text)
        format_expression(text)
    assert valid > 50
    assert time.process_time() - start < 240


def _problems(file: Path) -> tuple[Problem, ...]:
    try:
        load_set(file)
    except InputError as error:
        return error.problems
    return ()


@pytest.mark.slow
def test_mutated_files_are_read_or_refused_with_a_place(tmp_path: Path) -> None:
    """Two hundred mutants of the shipped files: a set, or problems that name the file."""
    rng = random.Random(1)
    sources = [gather(name).source.text for name in shipped_sets()]
    refused = 0
    for number in range(200):
        file = tmp_path / f"{number}.yaml"
        text = rng.choice(sources)
        start = rng.randrange(len(text))
        file.write_text(text[:start] + _mutated(text[start : start + 200], rng) + text[start + 200 :], encoding="utf-8")
        problems = _problems(file)
        refused += bool(problems)
        assert all(problem.file or "imported" in problem.message for problem in problems), problems
    assert refused > 70


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "not " * 900 + "true",
        "true and " * 440 + "true",
        "true implies " * 300 + "true",
        "edge() then " * 330 + "edge()",
        "count(edge()) + " * 240 + "1 <= 2",
        "motif {" + ", ".join(f"n{i} -> n{i + 1}" for i in range(200)) + "}",
        "exists path(input, output) where (" + " or ".join(f"sum(cost) == {i}" for i in range(180)) + ")",
        "x" * (MAX_LENGTH + 1),
        "depth <= " + "9" * 3000,
        "\x00",
        "",
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_extremes_are_read_or_refused_quickly(text: str) -> None:
    """Long, deep and odd expressions end in a value or a fault within a second."""
    start = time.process_time()
    _, faults = read_condition(text, "cell", _WORDS)
    assert all(0 <= fault.offset <= len(text) for fault in faults)
    assert time.process_time() - start < 2.0


def test_a_rule_with_too_many_states_is_refused_when_it_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path condition beyond the limit of states is an error that names the rule, not a blow-up."""
    monkeypatch.setattr(constraints.engines.path_circuit, "_MAX_STATES", 5)
    condition, faults = read_condition("max over path(input, output) of sum(cost) == 7", "cell", _WORDS)
    assert not faults
    rule = Rule(id="huge", scope="cell", condition=condition, text="", why="", message="")
    context = Context(space=space_named("nb201"), macro=Macro(), shape=TaskShape(channels=1, size=(8, 8), classes=2))
    with pytest.raises(InputError, match="'huge' cannot be encoded for nb201: a path condition has more than 5 states"):
        encode([rule], context)
