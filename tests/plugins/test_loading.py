"""What a plug-in may bring, what is refused and with which words, and what tells one plug-in from another."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from agent.stream.file import STREAM_GROUPS, read_stream
from agent.workers.jobs import NeededPlugin, PluginChangedError, ProxyJob
from agent.workers.process import run_job
from audits import AUDITS, load_suite, parse_suite
from audits.catalogue.registry import find_audit
from constraints import Context, Guard, load_set, parse_set
from constraints.language.syntax import Linear, PluginCost
from selfnas import plugins
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.devices.roofline import cost
from selfnas.errors import InputError
from selfnas.plugins import MissingPluginError, extension_point, groups, identify, in_force, load
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import SPACES, operation_named, space_named
from selfnas.spaces.operation import Operation
from selfnas.spaces.operations import OPERATIONS, Convolution
from selfnas.strategies import make_strategy
from selfnas.strategies.guided import GUIDED
from selfnas.testing import check_operation, check_space
from tests.plugins.conftest import Write

STREAM = """\
stream: mine
format: 1
plugins: [{name}]
{more}
tasks:
  - {{name: one, source: {source}{dataset}}}
"""
SHAPE, MACRO = TaskShape(channels=1, size=(8, 8), classes=3), Macro(channels=4, depth=1, resolution=8)

# One part of every kind.
EVERYTHING = {
    "operations:conv7x7": "OPERATION",
    "spaces:wide": "SPACE",
    "strategies:first": "First",
    "sources:halves": "halves",
    "proxies:width": "width",
    "objectives:edges": "edges",
    "quantities:taps": "TAPS",
    "audits:sureness": "AUDIT",
}
MODULE = """
from dataclasses import dataclass, replace
import numpy as np
from torch import nn
from audits import AUDITS
from selfnas.data.datasets import RawData
from selfnas.networks.costs import Quantity
from selfnas.networks.operations import batch_norm, convolution
from selfnas.search.domain import Proposals
from selfnas.spaces.architecture import Space
from selfnas.spaces.named import SPACES
from selfnas.spaces.operation import Operation
from selfnas.spaces.operations import Convolution

def conv7x7(channels, stride, dimensions):
    layer = convolution(channels, channels, 7, stride=stride, dimensions=dimensions)
    return nn.Sequential(nn.ReLU(), layer, batch_norm(channels, dimensions=dimensions))

OPERATION = Operation(name="conv7x7", form=Convolution(7), builder=conv7x7)
(CELL,) = SPACES["nb201"].templates
SPACE = Space(name="wide", templates=(replace(CELL, operations=(*CELL.operations[:3], OPERATION)),))

@dataclass(frozen=True)
class First:
    pool: int = 8
    def __call__(self, history, domain, count, rng, *, warm=()):
        batch = Proposals(history, domain, count, warm=warm)
        batch.fill(rng)
        return batch.chosen

def halves():
    x = np.random.default_rng(0).normal(size=(90, 1, 8, 8))
    return RawData(kind="image", x=x, y=np.arange(90) % 3, test=None, labels=("a", "b", "c"))

def width(network, x, y):
    return float(sum(p.numel() for p in network.parameters()))

def edges(architecture, shape, device):
    return float(sum(len(cell.edges) for cell in architecture.cells))

TAPS = Quantity(name="taps", unit="tap", formula=lambda operation, channels, size, stride: operation.reach() + 1)
AUDIT = replace(AUDITS["skill"], name="sureness")
"""


def everything(write: Write, name: str, *, version: str = "1.0") -> tuple[plugins.Plugin, ...]:
    """A plug-in of every kind, loaded whole."""
    write(name, EVERYTHING, MODULE, version=version)
    return load([name], groups(), user="test")


def test_our_own_parts_pass_the_same_extension_points() -> None:
    """What a plug-in could declare and what our tables hold is of one kind, checked by one function."""
    for group in groups():
        point = extension_point(group)
        assert point.own
        for name, part in point.own.items():
            assert point.accept(name, part, "") == part
    assert set(GUIDED) <= extension_point("strategies").reserved
    assert extension_point("audits").own is AUDITS


def test_nothing_is_imported_that_no_file_names(write: Write, tmp_path: Path) -> None:
    """An installed plug-in stays outside, and its identity is known without importing it."""
    write("lazy-parts", {"strategies:lazy": "Lazy"}, "raise RuntimeError('imported')")
    (tmp_path / "plain.yaml").write_text("stream: a\nformat: 1\ntasks: [{name: one, source: digits}]\n")
    read_stream(tmp_path / "plain.yaml")
    assert identify("lazy-parts").parts == ("strategies:lazy",)
    assert "lazy_parts_module" not in sys.modules
    with pytest.raises(InputError, match=r"'lazy' of selfnas\.strategies cannot be loaded: RuntimeError: imported"):
        load(["lazy-parts"], STREAM_GROUPS, user="stream")


def test_every_part_can_be_used_where_its_plug_in_is_in_force(write: Write) -> None:
    """And nowhere else; operation and space keep what is promised of all."""
    (plugin,) = everything(write, "whole-parts")
    with pytest.raises(InputError, match="unknown strategy 'first'"):
        make_strategy("first")
    with in_force(plugin):
        space = space_named("wide")
        check_space(space)
        check_operation(operation_named("conv7x7"))
        assert make_strategy("first", {"pool": 3}).pool == 3  # type: ignore[attr-defined]
        assert load_task(TaskSpec(name="one", source="halves"), base=Path()).shape == SHAPE
        architecture = space.decode(space.draw(np.random.default_rng(0), 1)[0], macro=MACRO)
        assert cost("edges", architecture, SHAPE, None) == sum(len(cell.edges) for cell in architecture.cells)
        assert find_audit("sureness") is not None
    assert find_audit("sureness") is None
    assert "wide" not in plugins.names("spaces")


@pytest.mark.parametrize("group", groups())
def test_what_is_not_of_its_kind_is_refused(write: Write, group: str) -> None:
    """With the entry, what it is and what it must be."""
    name = f"odd-{group}"
    write(name, {f"{group}:odd": "ODD"}, "ODD = 3")
    with pytest.raises(InputError, match=rf"plug-in {name}: 'odd' of selfnas.{group} must be .*: it is of type int"):
        load([name], groups(), user="test")


def test_a_part_takes_no_name_that_stands_for_something(write: Write) -> None:
    """Neither of our own, nor of another plug-in; aliases and guided strategies are ours too."""
    write("taking-parts", {"strategies:surrogate": "X", "strategies:darts": "X", "sources:npz": "X"}, "X = dict")
    with pytest.raises(InputError) as caught:
        load(["taking-parts"], STREAM_GROUPS, user="stream")
    assert [problem.message.partition(" is ")[2] for problem in caught.value.problems] == [
        "a name of our own, which it may not replace: choose another"
    ] * 3
    write("one-parts", {"sources:same": "read"}, "def read(): ...")
    write("other-parts", {"sources:same": "read"}, "def read(): ...")
    taken = "'same' of selfnas.sources is a part of plug-in one-parts, which it may not replace: choose another name"
    with pytest.raises(InputError, match=taken):
        load(["one-parts", "other-parts"], STREAM_GROUPS, user="stream")
    alias = "from selfnas.spaces.operation import Operation\nfrom selfnas.spaces.operations import Pool\n"
    alias += 'X = Operation(name="mean", form=Pool(3), builder="m:n", aliases=("avg_pool_3x3",))'
    write("alias-parts", {"operations:mean": "X"}, alias)
    with pytest.raises(InputError, match="'avg_pool_3x3' is an operation of our own"):
        load(["alias-parts"], STREAM_GROUPS, user="stream")


def test_a_space_has_no_operation_that_nobody_declares(write: Write) -> None:
    """So that no name stands for two operations."""
    write("hidden-parts", {"spaces:wide": "SPACE"}, MODULE)
    with pytest.raises(InputError, match=r"declares its operation 'conv7x7' in selfnas\.operations"):
        load(["hidden-parts"], STREAM_GROUPS, user="stream")


def test_each_slip_in_a_stream_has_its_place_and_words(write: Write, tmp_path: Path) -> None:
    """A name that is not installed, that declares nothing, that declares other things, and one named twice."""
    write("near-parts", {"strategies:near": "dict"}, "")
    write("suite-parts", {"audits:near": "dict"}, "")
    slips = {
        "near-part": "s.yaml:3:11: plug-in 'near-part' is not installed; did you mean 'near-parts'?",
        "near_parts": "s.yaml:3:11: plug-in 'near_parts' is spelled 'near-parts'",
        "selfnas": "s.yaml:3:11: 'selfnas' declares no parts for selfnas",
        "suite-parts": "s.yaml:3:11: plug-in 'suite-parts' declares nothing that a stream uses, but audits",
        "near-parts, near-parts": "s.yaml:3:23: plug-in 'near-parts' is named twice",
    }
    for name, message in slips.items():
        (tmp_path / "s.yaml").write_text(STREAM.format(name=name, more="", source="digits", dataset=""))
        with pytest.raises(InputError) as caught:
            read_stream(tmp_path / "s.yaml")
        assert message in str(caught.value).replace(f"{tmp_path}/", "")


def test_a_stream_may_name_the_parts_of_its_plug_ins_alone(write: Write, tmp_path: Path) -> None:
    """Space, strategy, proxy, strategies to rehearse, costs and sources; without the plug-in each is unknown."""
    write("stream-parts", EVERYTHING, MODULE)
    more = "space: wide\npolicy: {strategy: first, proxy: width}\nobjective: {minimise: [edges]}\n"
    more += "tuning: {strategies: [first, random]}"
    text = STREAM.format(name="stream-parts", more=more, source="halves", dataset="")
    (tmp_path / "s.yaml").write_text(text)
    assert read_stream(tmp_path / "s.yaml").value.plugins == ["stream-parts"]
    (tmp_path / "s.yaml").write_text(text.replace("plugins: [stream-parts]\n", ""))
    with pytest.raises(InputError) as caught:
        read_stream(tmp_path / "s.yaml")
    for what in ("space 'wide'", "strategy 'first'", "proxy: unknown 'width'", "unknown cost 'edges'",
                 "strategies: unknown 'first'", "source: unknown 'halves'"):  # fmt: skip
        assert what in str(caught.value)


def test_identity_is_of_version_content_and_entry_points(write: Write) -> None:
    """Compiled files and what the installer notes change nothing; every other byte does."""
    site = write("content-parts", {"strategies:mine": "dict"}, "A = 1")
    first = identify("content-parts")
    identify.cache_clear()
    (site / "content_parts-1.0.dist-info" / "INSTALLER").write_text("other")
    (site / "__pycache__").mkdir()
    (site / "__pycache__" / "content_parts_module.cpython-311.pyc").write_text("x")
    record = site / "content_parts-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "__pycache__/content_parts_module.cpython-311.pyc,,\n")
    assert identify("content-parts") == first
    identify.cache_clear()
    (site / "content_parts_module.py").write_text("A = 2")
    assert identify("content-parts").sha256 != first.sha256
    identify.cache_clear()
    (site / "content_parts_module.py").unlink()
    with pytest.raises(InputError, match="its files cannot be read, install it again"):
        identify("content-parts")


def test_an_editable_install_is_known_by_its_source_files(write: Write) -> None:
    """Its record names no module, so that the packages that entries name are looked at."""
    site = write("edited-parts", {"strategies:mine": "dict"}, "A = 1")
    info = site / "edited_parts-1.0.dist-info"
    whole = identify("edited-parts")
    identify.cache_clear()
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": True}}))
    (info / "RECORD").write_text(f"{info.name}/METADATA,,\n")
    assert identify("edited-parts") == whole
    identify.cache_clear()
    (site / "edited_parts_module.py").write_text("A = 2")
    assert identify("edited-parts").sha256 != whole.sha256


def test_a_part_of_a_plug_in_that_is_not_here_is_missed_by_name(write: Write) -> None:
    """The sentence names the plug-in; other names are unknown as always."""
    (plugin,) = everything(write, "gone-parts")
    with in_force(missing=[plugin.identity]):
        gone = r"not checkable without plug-in gone-parts 1.0 \(SHA-256 [0-9a-f]{12}…\)"
        with pytest.raises(MissingPluginError, match=gone):
            space_named("wide")
        with pytest.raises(MissingPluginError, match=gone):
            make_strategy("first")
        with pytest.raises(MissingPluginError, match=gone):
            parse_set(SET.format(name="gone-parts", space="nb201", rule="cost(taps) <= 3"))
        with pytest.raises(InputError, match="unknown strategy 'firs'"):
            make_strategy("firs")


SET = """\
set: mine
language: 1
plugins: [{name}]
spaces: [{space}]
rules:
  - {{id: few, scope: network, require: {rule}, why: because, message: too many}}
"""


def test_a_quantity_is_judged_alike_by_every_engine(write: Write) -> None:
    """NumPy, the diagram's count, Z3 and the referee, over a whole space; the set's digest names the plug-in."""
    everything(write, "taps-parts")
    set_ = parse_set(SET.format(name="taps-parts", space="wide", rule="cost(taps) <= 60 @tap"))
    with in_force(*set_.plugins):
        guard = Guard(set_, space=space_named("wide"), macro=MACRO, shape=SHAPE)
        everywhere = guard.space.enumerate()
        admitted = guard.admits(everywhere)
        assert 0 < admitted.sum() < len(everywhere)
        assert guard.count().value == admitted.sum()
        for row in np.random.default_rng(0).permutation(len(everywhere))[:30]:
            architecture = guard.space.decode(everywhere[row], macro=MACRO)
            assert guard.decide(architecture).verdict == ("admit" if admitted[row] else "reject")
    with pytest.raises(InputError, match="unknown quantity 'tap'; did you mean 'taps'"):
        parse_set(SET.format(name="taps-parts", space="wide", rule="cost(tap) <= 3"))
    plain = SET.format(name="", space="nb201", rule="cost(taps) <= 3").replace("plugins: []\n", "")
    with pytest.raises(InputError, match="unknown quantity 'taps'; the set names no plug-in that declares any"):
        parse_set(plain)


def test_guards_differ_where_a_plug_in_does(write: Write) -> None:
    """By its content alone: rules, space, formulas and numbers are equal."""
    (plugin,) = everything(write, "guarded-parts")
    space = plugin.parts["spaces"]["wide"]
    assert isinstance(space, Space)
    edited = replace(space, origin=space.origin.replace("1.0", "1.1"))
    digests = {Context(space=one, macro=MACRO, shape=SHAPE).digest("") for one in (space, edited)}
    assert len(digests) == 2
    with in_force(plugin):
        set_ = parse_set(SET.format(name="guarded-parts", space="wide", rule="cost(taps) <= 60"))
    (rule,) = set_.rules
    condition = rule.condition
    assert isinstance(condition, Linear)
    ((weight, quantity),) = condition.terms
    assert isinstance(quantity, PluginCost)
    moved = replace(condition, terms=((weight, replace(quantity, origin="guarded-parts 1.1 00")),))
    assert replace(set_, rules=(replace(rule, condition=moved),)).digest != set_.digest


def test_own_guards_are_as_they_were() -> None:
    """A space of our own has no origin, and its context the digest of before."""
    assert all(space.origin == "" for space in SPACES.values())
    foreign = Operation(name="conv9x9", form=Convolution(9), builder="m:n")
    (cell,) = SPACES["nb201"].templates
    mine = Space(name="mine", templates=(replace(cell, operations=(*cell.operations, foreign)),))
    assert mine.origin == ""
    first = ["skip", "conv1x1", "conv3x3", "avg3", "max3", "sep3x3", "sep5x5", "dil3x3", "dil5x5"]
    assert list(OPERATIONS)[: len(first)] == first


def test_a_suite_uses_audits_of_plug_ins_that_it_names(write: Write, tmp_path: Path) -> None:
    """With the plug-in's content in its digest; without the name the audit is unknown."""
    everything(write, "audit-parts")
    (first, *_) = [entry for entry in load_suite("baseline").entries if entry.audit == "skill"]
    numbers = {"thresholds": dict(first.thresholds), "settings": dict(first.settings)}
    entry = json.dumps({"audit": "sureness", "role": "gate", **numbers})
    text = f"suite: mine\nlanguage: 1\nplugins: [audit-parts]\naudits:\n  - {entry}\n"
    suite = parse_suite(text)
    assert suite.gates == ("sureness",)
    other = replace(suite.plugins[0], identity=replace(suite.plugins[0].identity, version="1.1"))
    assert replace(suite, plugins=(other,)).digest != suite.digest
    with pytest.raises(InputError, match="unknown audit 'sureness'"):
        parse_suite(text.replace("plugins: [audit-parts]\n", ""))


def test_a_worker_does_no_job_with_another_plug_in(write: Write) -> None:
    """It says which content it finds and which it should; nothing is answered about the network."""
    everything(write, "worker-parts")
    told = NeededPlugin(name="worker-parts", sha256="0" * 64, used=True)
    job = ProxyJob(
        task=TaskSpec(name="one", source="halves"), task_digest="", base="", device="cpu", seed=0, plugins=[told],
        architecture="", proxy="width",
    )  # fmt: skip
    with pytest.raises(PluginChangedError, match=r"a worker finds plug-in worker-parts 1.0 .* began with SHA-256 0000"):
        run_job(job.model_dump_json(exclude_none=True))
    gone = job.model_copy(update={"plugins": [told.model_copy(update={"name": "no-parts"})]})
    with pytest.raises(PluginChangedError, match="plug-in 'no-parts' is not installed"):
        run_job(gone.model_dump_json(exclude_none=True))


def test_a_worker_scores_with_the_parts_of_a_plug_in(write: Write) -> None:
    """Space, operation, source and proxy are found in the worker by name, nothing is sent but text."""
    (plugin,) = everything(write, "scoring-parts")
    with in_force(plugin):
        task = load_task(TaskSpec(name="one", source="halves"), base=Path())
    job = ProxyJob(
        task=TaskSpec(name="one", source="halves"), task_digest=task.digest, base="", device="cpu", seed=0,
        architecture="wide/c4n1r8:|conv7x7~0|+|none~0|none~1|+|skip~0|none~1|none~2|", proxy="width",
        plugins=[NeededPlugin(name="scoring-parts", sha256=plugin.identity.sha256, used=True)],
    )  # fmt: skip
    answer = json.loads(run_job(job.model_dump_json(exclude_none=True)))
    assert answer["reason"] == ""
    assert answer["score"] > 1000


def test_the_groups_are_those_that_the_guide_lists() -> None:
    """And selfnas itself declares none of them: its parts stand in its tables."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "plugins.md").read_text(encoding="utf-8")
    for group in groups():
        assert f"`selfnas.{group}`" in page
    own = metadata.distribution("selfnas").entry_points
    assert not [entry for entry in own if entry.group.removeprefix("selfnas.") in groups()]
    assert load_set("baseline").plugins == ()
