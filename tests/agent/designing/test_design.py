"""A specification that nothing can keep is told so before any training, by a smallest set of reasons."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.designing.feasibility import Feasibility, feasibility
from agent.designing.file_size import file_size
from agent.designing.spec import DesignSpec, read_spec, read_target
from constraints import Guard, load_set
from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture, space_named
from tests.agent.conftest import inside

SPEC: dict[str, Any] = {
    "design": "small", "format": 1, "space": "nb201", "macro": "c8n1r8", "shape": "1x8x8/10", "precision": "float32",
    "targets": {"parameters": "<= 30 k"},
}  # fmt: skip


def spec(**values: Any) -> DesignSpec:
    """A specification with other values."""
    return DesignSpec.model_validate(SPEC | values)


def found(asked: DesignSpec, size: int = 1) -> Feasibility:
    """What is known of it where every file has one size."""
    return feasibility(asked, load_set(asked.constraints), file_size=lambda architecture: size)


@pytest.mark.parametrize(("name", "text", "limit"), [
    ("parameters", "<= 30 k", 30_000), ("macs", ">=0.5 M", 500_000), ("file", "<= 300 kB", 300_000),
    ("activations", "<= 4 MiB", 4 * 2**20), ("latency_p95", "<= 0.8 ms @batch 1", Fraction(4, 5)),
    ("accuracy", ">= 0.97 @audit", Fraction(97, 100)), ("latency_p95", "<= 20 us", Fraction(1, 50)),
])  # fmt: skip
def test_targets_are_read_exactly(name: str, text: str, limit: object) -> None:
    """In numbers, bytes, a share or milliseconds."""
    assert read_target(name, text).limit == limit


@pytest.mark.parametrize(("name", "text", "said"), [
    ("size", "<= 3 kB", "there is no target 'size'"),
    ("file", "<= 300 ms", "'ms' does not fit: B, kB"),
    ("file", ">= 300 kB", ">= cannot be asked for"),
    ("accuracy", "<= 0.9", "<= cannot be asked for"),
    ("accuracy", ">= 97", "more than 1 cannot be asked for"),
    ("latency_p95", "<= 1 ms @batch 8", "@batch 8 cannot be asked for, @batch 1 alone"),
    ("macs", "about 3", "does not read"),
    ("parameters", "<= 3 k @audit", "@audit cannot be asked for, nothing"),
])  # fmt: skip
def test_targets_that_say_nothing_are_refused(name: str, text: str, said: str) -> None:
    """By quantity, unit, direction and place."""
    with pytest.raises(ValueError, match=said):
        read_target(name, text)


def test_a_file_is_refused_with_all_its_faults_at_their_places(tmp_path: Path) -> None:
    """Line and column of each."""
    path = tmp_path / "spec.yaml"
    path.write_text(
        "design: a\nformat: 1\nspace: nb202\nmacro: c8\nshape: 8x8\ntargets:\n  file: <= 3 ms\n  speed: '<= 3'\n"
    )
    with pytest.raises(InputError) as refused:
        read_spec(path)
    assert [(problem.line, problem.message.split()[0]) for problem in refused.value.problems] == [
        (3, "unknown"), (4, "macro"), (5, "a"), (7, "file:"), (8, "there"),
    ]  # fmt: skip


def test_what_is_possible_comes_with_a_witness_that_keeps_it() -> None:
    """Counted exactly, over all ways to stack cells; accuracy and latency stay open."""
    asked = spec(
        macro=["c4n1r8", "c8n1r8"],
        targets={"parameters": "<= 30 k", "macs": "<= 0.5 M", "accuracy": ">= 0.9", "latency_p95": "<= 1 ms"},
    )
    known = found(asked)
    assert known.possible
    assert known.exact
    assert known.witness is not None
    spent = costs(known.witness, asked.task_shape)
    assert spent.params <= 30_000
    assert spent.macs <= 500_000
    assert [target.name for target in known.open] == ["accuracy", "latency_p95"]
    assert known.clashes == ()


def test_reasons_are_the_fewest() -> None:
    """One target by itself, two against each other, a target against a rule; each beside an idle one."""
    idle = {"macs": "<= 900 G"}
    (alone,) = found(spec(targets={"parameters": "<= 2 k", **idle})).clashes
    assert ([target.name for target in alone.targets], alone.rules) == (["parameters"], ())
    (two,) = found(spec(targets={"parameters": ">= 50 k", "file": "<= 60 kB", **idle})).clashes
    assert ([target.name for target in two.targets], two.rules) == (["parameters", "file"], ())
    (ruled,) = found(spec(targets={"parameters": ">= 61 k", **idle})).clashes
    assert ([target.name for target in ruled.targets], ruled.rules) == (["parameters"], ("small-param-budget",))


def test_a_way_that_clashes_does_not_speak_for_the_others() -> None:
    """Wide cells clash, narrow ones are the witness."""
    known = found(spec(macro=["c4n1r8", "c16n1r8"], targets={"parameters": "<= 9 k"}))
    assert [str(clash.macro) for clash in known.clashes] == ["c16n1r8"]
    assert known.witness is not None
    assert str(known.witness.macro) == "c4n1r8"


@pytest.fixture(scope="module")
def everything() -> list[tuple[int, int]]:
    """Parameters and multiply-accumulates of every admitted architecture."""
    asked, set_ = spec(), load_set("baseline")
    space, macro, shape = space_named("nb201"), asked.ways[0], asked.task_shape
    guard = Guard(set_, space=space, macro=macro, shape=shape)
    vectors = space.enumerate()
    spent = [costs(space.decode(one, macro=macro), shape) for one in vectors[guard.admits(vectors)]]
    return [(each.params, each.macs) for each in spent]


@pytest.mark.parametrize("seed", range(12))
def test_counts_and_reasons_are_those_of_an_enumeration(seed: int, everything: list[tuple[int, int]]) -> None:
    """Of random limits on both sides: how many keep them, and that no target of a reason can be left out."""
    rng = np.random.default_rng(seed)
    params, macs = np.array(everything).T
    low, high = np.sort(rng.integers(params.min() * 0.9, params.max() * 1.1, 2))
    work = int(rng.integers(macs.min() * 0.9, macs.max()))
    most = {"parameters": f"<= {high}", "macs": f"<= {work}"} if seed % 2 else {
        "parameters": f">= {low}", "macs": f"<= {work}"
    }  # fmt: skip
    kept = {"parameters": params <= high if seed % 2 else params >= low, "macs": macs <= work}
    known = found(spec(targets=most))
    assert (known.admitted, known.exact) == (int((kept["parameters"] & kept["macs"]).sum()), True)
    for clash in known.clashes:
        assert not clash.rules or len(clash.targets) + len(clash.rules) > 1
        for left in itertools.combinations(clash.targets, len(clash.targets) - 1):
            if not clash.rules and left:
                assert np.all([kept[target.name] for target in left], axis=0).any()


def test_a_file_is_open_where_the_smallest_drawn_is_too_large() -> None:
    """It is not shown to be impossible, and not shown to be possible."""
    asked = spec(targets={"file": "<= 99 kB"})
    assert found(asked, size=99_000).open == ()
    known = found(asked, size=99_001)
    assert known.possible
    assert [target.name for target in known.open] == ["file"]
    assert known.measured == 99_001


@pytest.mark.parametrize(("text", "shape"), [
    ("nb201/c4n1r8:|skip~0|+|none~0|skip~1|+|none~0|none~1|skip~2|", "1x8x8/3"),
    ("image/c4n1r8:|sep3x3~0|+|none~0|attention~1|+|se~0|none~1|residual~2|", "3x8x8/3"),
    ("tabular/c4n1r8:|mlp~0|+|none~0|gated~1|+|linear~0|none~1|skip~2|", "5/3"),
])  # fmt: skip
def test_half_of_the_parameters_are_in_any_file(text: str, shape: str) -> None:
    """Four bytes each, and one in int8: what is taken as impossible is too small for them."""
    asked = spec(shape=shape)
    architecture: Architecture = parse_architecture(text)
    params = costs(architecture, asked.task_shape).params
    assert file_size(architecture, asked.task_shape, "float32") >= 2 * params
    assert file_size(architecture, asked.task_shape, "int8") >= params / 2


def test_the_command_ends_with_1_where_nothing_can_keep_it(tmp_path: Path) -> None:
    """And with 0 where something might; the sentence names way, target and what would help."""
    text = "design: tiny\nformat: 1\nspace: nb201\nmacro: c8n1r8\nshape: 1x8x8/10\ntargets:\n  parameters: '<= 5 k'\n"
    (tmp_path / "spec.yaml").write_text(text)
    done = inside(tmp_path, "design", "spec.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "c8n1r8: no architecture of nb201 keeps parameters <= 5 k; without it some would",
        "tiny: impossible, before anything is trained",
    ]
    (tmp_path / "spec.yaml").write_text(text.replace("5 k", "50 k"))
    done = inside(tmp_path, "design", "spec.yaml")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "tiny: nothing is shown to be impossible")


def test_the_set_of_the_specification_holds(tmp_path: Path) -> None:
    """A rule of its own file, beside it."""
    own = replace(load_set("baseline"), name="own")
    assert own.rules
    rule = "rules:\n  - {id: deep, scope: cell, require: depth >= 99, why: x, message: x}\n"
    (tmp_path / "own.yaml").write_text(f"set: own\nlanguage: 1\nspaces: [nb201]\n{rule}")
    (tmp_path / "spec.yaml").write_text(
        "design: a\nformat: 1\nspace: nb201\nmacro: c8n1r8\nshape: 1x8x8/10\nconstraints: own.yaml\n"
        "targets: {macs: '<= 1 G'}\n"
    )
    done = inside(tmp_path, "design", "spec.yaml")
    assert done.returncode == 1
    assert "keeps rule deep; without it some would" in done.stdout
