"""The commands: what they print, their JSON, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from constraints import load_set
from constraints.commands import app
from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.named import parse_architecture

GOOD = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|"
BAD = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|"
COMMANDS = [
    (["check", "baseline", GOOD], 0, "admit: nb201", "verdict"),
    (["check", "baseline", BAD], 1, "traceable-path: no input-to-output path uses only", "nearest"),
    (["check", "baseline", GOOD.partition(":")[2]], 0, "admit: nb201/c8n1r16", "certificate"),
    (["test", "robust"], 0, "mutation score 1.00", "score"),
    (["test", "robust", "--no-mutate"], 0, "5 examples, 0 failed", "examples"),
    (["lint", "robust", "--space", "nb201"], 0, "nothing to complain about", "findings"),
    (["lint", "edge-device", "--space", "nb201"], 1, "no-dilation", "findings"),
    (["diff", "baseline", "oversight", "--space", "nb201"], 0, "oversight is stricter than baseline", "relation"),
    (["diff", "baseline", "oversight", "--space", "nb201", "--fail-on", "looser"], 0, "keeps out", "spaces"),
    (["diff", "oversight", "baseline", "--space", "nb201", "--fail-on", "looser"], 1, "lets in", "policy"),
    (["impact", "baseline", "--space", "nb201"], 0, "turned away by this rule alone", "nb201"),
    (["count", "baseline", "--space", "nb201"], 0, "7,896 of 15,625 (50.53%)", "nb201"),
    (["sample", "baseline", "--space", "nb201", "-n", "2"], 0, "nb201/c8n1r16:|", "architectures"),
    (["repair", "baseline", BAD], 0, "1 changed edge(s):", "distance"),
    (["explain", "baseline", "no-dead-branch"], 0, "Required: every edge is live.", "rules"),
    (["prove", "baseline", "depth <= 3"], 0, "nb201 at c8n1r16 on 1x8x8/10: holds for everything", "proofs"),
    (["prove", "baseline", "params <= 50_000", "--space", "nb201"], 1, "fails: admitted, and violating it", "claim"),
    (["explain", "policy"], 0, "the new policy's batch is at most 32", "rules"),
]


@pytest.mark.parametrize(("arguments", "code", "words", "key"), COMMANDS, ids=lambda value: str(value)[:40])
def test_each_command_prints_text_and_json(arguments: list[str], code: int, words: str, key: str) -> None:
    """Text holds what a person looks for, `--json` one document, both exit alike."""
    told = CliRunner().invoke(app, arguments)
    assert (told.exit_code, words in told.output) == (code, True), told.output
    record = CliRunner().invoke(app, [*arguments, "--json"])
    assert record.exit_code == code
    assert key in json.loads(record.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "baseline", "nb201/c8:x"], "macro settings read"),
        (["check", "basline", GOOD], "did you mean 'baseline'"),
        (["count", "baseline", "--space", "nb202"], "did you mean 'nb201'"),
        (["count", "baseline", "--shape", "8x8"], "a task shape reads"),
        (["count", "baseline", "--space", "tabular", "--shape", "1x8x8/3"], "shape 1x8x8/3 does not fit space tabular"),
        (["check", "baseline", "tabular/c8n1r16:|skip~0|", "--shape", "1x8x8/3"], "3 groups"),
        (["count", "baseline", "--macro", "c8"], "macro settings read"),
        (["explain", "baseline", "shalow"], "did you mean 'shallow'"),
        (["diff", "baseline", "robust", "--fail-on", "loser"], "did you mean 'looser'"),
        (["impact", "baseline", "--library", "missing.txt"], "cannot be read"),
        (["fmt", "missing.yaml"], "cannot be read: no such file"),
        (["prove", "baseline", "depht <= 3"], "claim, character 1: unknown word 'depht'; did you mean 'depth'?"),
        (["prove", "baseline", "depth <="], "claim, character 9: the expression ends"),
        (["diff", "baseline", "baseline", "--allow", "missing.yaml"], "cannot be read: no such file"),
    ],
)
def test_bad_input_is_one_clear_message(arguments: list[str], message: str) -> None:
    """Misuse raises the error that the command line turns into exit code 2."""
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_fmt_changes_only_what_is_asked(tmp_path: Path) -> None:
    """`--check` reports without writing; without it the file is rewritten once and then left alone."""
    file = tmp_path / "set.yaml"
    text = load_set("robust").text.replace("depth <= 3", "depth<=3")
    file.write_text(text, encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["fmt", "--check", str(file)]).exit_code == 1
    assert file.read_text(encoding="utf-8") == before
    assert CliRunner().invoke(app, ["fmt", str(file)]).exit_code == 0
    assert CliRunner().invoke(app, ["fmt", "--check", str(file)]).exit_code == 0


def test_impact_reads_a_library_and_a_table(tmp_path: Path) -> None:
    """A text file of architectures and a CSV of scores are priced."""
    (tmp_path / "library.txt").write_text(f"{GOOD}\n{BAD}\n", encoding="utf-8")
    rows = "\n".join(f"{cell.partition(':')[2]},{score}" for cell, score in ((GOOD, 1.5), (BAD, 2.5)))
    (tmp_path / "table.csv").write_text(f"arch,accuracy\n{rows}\n", encoding="utf-8")
    options = [
        "--library",
        str(tmp_path / "library.txt"),
        "--table",
        str(tmp_path / "table.csv"),
        "--column",
        "accuracy",
    ]
    result = CliRunner().invoke(app, ["impact", "baseline", "--space", "nb201", "--column", "accuracy", *options])
    assert result.exit_code == 0, result.output
    assert f"revokes {BAD}: traceable-path" in result.output
    assert "1 of the 2 in the library would be revoked" in result.output
    assert "1 pass, best       1.5  all rules together" in result.output


def test_count_says_where_no_rule_applies(tmp_path: Path) -> None:
    """Everything is admitted there, which is told apart from rules that everything passes."""
    file = tmp_path / "some.yaml"
    rules = ("{id: r, scope: cell, when: space == darts, require: depth <= 0, why: x, message: x}",
             "{id: s, scope: network, when: classes == 99, require: params <= 9, why: x, message: x}")  # fmt: skip
    file.write_text("set: some\nlanguage: 1\nspaces: [nb201, darts]\nrules:\n" + "".join(f"  - {r}\n" for r in rules))
    result = CliRunner().invoke(app, ["count", str(file), "--space", "nb201"])
    assert result.output.strip() == "nb201           15,625 of 15,625 (100.00%): no rule applies here"
    record = json.loads(CliRunner().invoke(app, ["count", str(file), "--json"]).output)
    assert {space: found["not_applying"] for space, found in record.items()} == {"nb201": ["r", "s"], "darts": ["s"]}


def test_impact_judges_what_a_home_remembers_for_its_own_tasks(tmp_path: Path) -> None:
    """Each motif meets the rules under the shape of its task; one of a space that the set leaves out is revoked."""
    (tmp_path / "few.yaml").write_text(
        "set: few\nlanguage: 1\nspaces: [nb201]\nrules:\n"
        "  - {id: few, scope: network, require: params <= 1200, why: w, message: m}\n",
        encoding="utf-8",
    )
    small = parse_architecture("nb201/c8n1r16:|skip~0|+|none~0|skip~1|+|skip~0|none~1|conv1x1~2|")
    other = parse_architecture("transnas-micro/c8n1r16:|skip~0|+|none~0|skip~1|+|skip~0|none~1|conv1x1~2|")
    shapes = [TaskShape(channels=1, size=(8, 8), classes=classes) for classes in (2, 900)]
    asked: list[Path] = []

    def remembered(home: Path) -> list[tuple[Architecture, TaskShape]]:
        asked.append(home)
        return [(small, shapes[0]), (small, shapes[1]), (other, shapes[0])]

    sizes = [costs(small, shape).params for shape in shapes]
    text = (tmp_path / "few.yaml").read_text(encoding="utf-8")
    (tmp_path / "few.yaml").write_text(text.replace("1200", str(sizes[0])), encoding="utf-8")
    arguments = ["impact", str(tmp_path / "few.yaml"), "--home", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, arguments, obj=remembered)
    assert result.exit_code == 0, result.output
    record = json.loads(result.output)
    assert asked == [tmp_path]
    assert record["library"] == 3
    assert [(item["architecture"], item["rules"]) for item in record["revoked"]] == [
        (str(small), ["few"]),
        (str(other), []),
    ]


def test_an_allowance_file_lets_a_wanted_loosening_pass(tmp_path: Path) -> None:
    """`--fail-on looser --allow FILE` passes exactly when the file covers count and witness."""
    text = load_set("baseline").text.replace('"motif {a -> b: skip, b -> c: skip, a -> c: skip}"', '"false"')
    (tmp_path / "new.yaml").write_text(text, encoding="utf-8")
    arguments = ["diff", "baseline", str(tmp_path / "new.yaml"), "--space", "nb201", "--fail-on", "looser"]
    (space,) = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)["spaces"]
    allow = tmp_path / "allow.yaml"
    for count, code in ((space["gained"]["value"], 0), (space["gained"]["value"] - 1, 1)):
        entry = {"space": "nb201", "witness": space["gained_samples"][0], "count": count}
        allow.write_text(json.dumps({"allow": [entry]}), encoding="utf-8")
        assert CliRunner().invoke(app, [*arguments, "--allow", str(allow)]).exit_code == code


def test_a_claim_is_written_for_another_solver(tmp_path: Path) -> None:
    """The file asks for an admitted cell that violates it, which cvc5 finds or does not as Z3 did."""
    import cvc5

    for claim, answer in (("depth <= 3", "unsat"), ("params <= 50_000", "sat")):
        file = tmp_path / "question.smt2"
        CliRunner().invoke(app, ["prove", "baseline", claim, "--space", "nb201", "--smtlib", str(file), "--force"])
        solver = cvc5.Solver()
        parser = cvc5.InputParser(solver)
        parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(file))
        told = ""
        while not (command := parser.nextCommand()).isNull():
            told = command.invoke(solver, parser.getSymbolManager()) or told
        assert told.strip() == answer


def test_an_example_that_the_referee_does_not_confirm_refutes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong solver must not be believed either way."""
    from constraints.judging.proofs import Proof
    from constraints.reports import claims

    harmless = parse_architecture(GOOD)
    monkeypatch.setattr(claims, "prove", lambda *_: Proof(answer="fails", solver="x", counterexample=harmless))
    told = CliRunner().invoke(app, ["prove", "baseline", "depth <= 3", "--space", "nb201"])
    assert told.exit_code == 1
    assert "unknown: no solver decides it" in told.output


def test_a_picture_is_drawn_on_request(tmp_path: Path) -> None:
    """`check --picture` writes a PNG."""
    file = tmp_path / "cell.png"
    assert CliRunner().invoke(app, ["check", "baseline", BAD, "--picture", str(file)]).exit_code == 1
    assert file.read_bytes().startswith(b"\x89PNG")


def test_help_needs_no_heavy_import() -> None:
    """Listing the commands loads neither a solver nor numpy."""
    code = (
        "import sys; from constraints.commands import app; import constraints; "
        "print([m for m in ('z3', 'dd', 'numpy', 'networkx', 'lark', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_check_and_lint_say_that_no_rule_applies(tmp_path: Path) -> None:
    """An admission by nothing is told apart from one by rules."""
    file = tmp_path / "idle.yaml"
    file.write_text(
        "set: idle\nlanguage: 1\nspaces: [nb201]\nrules:\n"
        "  - {id: r, scope: cell, when: classes == 99, require: depth <= 0, why: x, message: x}\n"
    )
    assert "no rule applies here: everything is admitted" in CliRunner().invoke(app, ["check", str(file), GOOD]).output
    assert "no rule applies here" not in CliRunner().invoke(app, ["check", "baseline", GOOD]).output
    assert "no rule applies in nb201" in CliRunner().invoke(app, ["lint", str(file)]).output
