"""The reference page: every example on it says what it claims, and no construct of the grammar is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from constraints import Context, Guard, Rule, load_set
from constraints.commands import app
from constraints.judging.policy import decide_policy, judged_again
from constraints.judging.programs import program_of, statements_in
from constraints.language.applicability import read_when
from constraints.language.lexicon import Table, Vocabulary
from constraints.language.parser import Fault, parse
from constraints.language.resolve import read_condition
from constraints.language.rules import ConstraintSet
from constraints.loading.formatting import format_set
from constraints.programs.statements import decide
from selfnas.errors import InputError
from selfnas.networks.costs import Quantity
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named
from selfnas.spaces.operation import Operation

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "constraints.md"
_TEXT = _PAGE.read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```constraint (cell|network|policy)\n(.+?)\n((?:(?:passes|fails): .+\n)+)```", _TEXT)


def _weights(operation: Operation, channels: int, size: tuple[int, ...], stride: int) -> int:
    return sum(kernel.params for kernel in operation.kernels(channels, size=size, stride=stride))


_WORDS = Vocabulary(
    operations=frozenset(space_named("nb201").operations),
    opsets={"plain": frozenset({"skip", "conv1x1", "avg3"}), "learned": frozenset({"conv1x1", "conv3x3"})},
    tables={
        "stretch": Table(entries={"skip": 1, "avg3": 1, "conv1x1": 2, "conv3x3": 3}),
        "time": Table(entries={"skip": 0, "avg3": 1, "conv1x1": 2, "conv3x3": 5}, unit="us"),
    },
    quantities={"weights": Quantity(name="weights", unit="param", formula=_weights, origin="parts 1.0 0a")},
)
_ALL = space_named("nb201").enumerate()
_CONTEXT = Context(
    space=space_named("nb201"),
    macro=Macro(channels=8, depth=1, resolution=16),
    shape=TaskShape(channels=1, size=(8, 8), classes=10),
)


def _policy(text: str) -> tuple[dict[str, int | str], dict[str, int | str]]:
    old, _, new = f" {text}".removeprefix(" old").partition(" new ")
    old_fields, new_fields = (
        {name: value if name == "acquisition" else int(value) for name, _, value in map(_parted, side.split())}
        for side in (old, new)
    )
    return old_fields, new_fields


def _parted(word: str) -> tuple[str, str, str]:
    return word.partition("=")


@pytest.mark.parametrize(("scope", "text", "claims"), _BLOCKS, ids=[block[1][:40] for block in _BLOCKS])
def test_every_example_says_what_it_claims(scope: str, text: str, claims: str) -> None:
    """Each block's expression reads without fault and passes or fails as written, by each engine that there is for it.

    Z3 and referee judge the example; NumPy does too, and over all of nb201 it finds as many as the diagram counts.
    Changes of policy have no finite space, hence Z3 and referee alone.
    """
    condition, faults = read_condition(text, scope, _WORDS)  # type: ignore[arg-type]
    assert not faults
    rule = Rule(id="r", scope=scope, condition=condition, text=text, why="", message="")  # type: ignore[arg-type]
    set_ = ConstraintSet(name="page", spaces=("nb201",), rules=(rule,))
    guard = Guard(set_, space=space_named("nb201"), macro=_CONTEXT.macro, shape=_CONTEXT.shape)
    for claim in claims.splitlines():
        expected, _, subject = claim.partition(": ")
        passes = expected == "passes"
        if scope == "policy":
            old, new = _policy(subject)
            found = [(one, decide(one, program_of(old), program_of(new))) for one in statements_in(rule)]
            assert judged_again(rule, found, old, new) is passes
            assert decide_policy(set_, *_policy(subject)).rules["r"] == ("pass" if passes else "fail")
            continue
        architecture = space_named("nb201").parse_cells(subject, macro=_CONTEXT.macro)
        assert guard.decide(architecture).rules["r"] == ("pass" if passes else "fail"), subject
        assert guard.admits(guard.space.encode(architecture)[None])[0] == passes
    if scope != "policy":
        assert guard.count().exact
        assert guard.count().value == guard.admits(_ALL).sum()


def test_the_page_names_what_a_safety_team_looks_for() -> None:
    """Motifs with labels, domination, stretch along paths, memory, field, policy: each has a block."""
    texts = "\n".join(text for _, text, _ in _BLOCKS)
    for words in (
        "motif {a -> b: skip", "dominates output", "of product(stretch)", "activation_bytes", "receptive_field", "new.",
        "avoiding node", "macs", "params", "fan_in", "fan_out", "count(edge", "depth",
    ):  # fmt: skip
        assert words in texts, words


def test_a_tightening_that_loosens_is_refused_as_the_page_says(tmp_path: Path) -> None:
    """The set on the page does not load, and the message is the one printed there."""
    ((text, message),) = re.findall(r"```refused\n(.+?)says: (.+?)\n```", _TEXT, flags=re.S)
    (tmp_path / "loose.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        load_set(tmp_path / "loose.yaml")
    tighter = text.replace("depth <= 4", "depth <= 2")
    assert tighter != text
    (tmp_path / "tight.yaml").write_text(tighter, encoding="utf-8")
    assert len(load_set(tmp_path / "tight.yaml").rules) == len(load_set("baseline").rules)


def test_no_construct_of_the_grammar_is_missing() -> None:
    """Every alternative of the grammar occurs in some example on the page."""
    grammar = (_PAGE.parents[2] / "constraints" / "grammar.lark").read_text(encoding="utf-8")
    named = set(re.findall(r"-> ([a-z_]+)", re.sub(r"//.*", "", grammar)))
    seen: set[str] = set()
    texts = [("condition", block[1]) for block in _BLOCKS]
    whens = re.findall(r"```when\n(.+?)```", _TEXT, flags=re.S)[0].strip().splitlines()
    texts += [("when", text) for text in whens]
    for start, text in texts:
        tree = parse(text, start)  # type: ignore[arg-type]
        assert not isinstance(tree, Fault), text
        seen |= {str(part.data) for part in tree.iter_subtrees()}
    assert named - seen == set()
    for text in whens:
        assert read_when(text)[1] == []


def test_the_file_on_the_page_is_a_set(tmp_path: Path) -> None:
    """The example file loads and can be formatted."""
    text = re.findall(r"```yaml\n(set: .+?)```", _TEXT, flags=re.S)[0]
    (tmp_path / "page.yaml").write_text(text.replace("spaces: [nb201, darts]", "spaces: [nb201]"), encoding="utf-8")
    assert load_set(tmp_path / "page.yaml").rules[-1].id == "traceable"
    assert format_set(text) == format_set(format_set(text))


def test_every_command_is_on_the_page() -> None:
    """A command that people cannot read about does not exist."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        assert re.search(rf"selfnas constraints [a-z\\|]*\b{name}\b", _TEXT), name
