"""A trained network of a life, as a file that needs none of this project, with what is known of it beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from agent.deploying.chosen import chosen, facts_of
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.plugins import of_life
from agent.state.state import Finalist, TaskState, replay
from selfnas.errors import InputError
from selfnas.files import check_kind, check_new, write_whole

__all__ = ["Exported", "Form", "Precision", "export", "read_form"]

Form = Literal["pt2", "onnx"]
Precision = Literal["float32", "int8"]
_REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A network that was written.

    Attributes:
        path: the file.
        beside: the same facts as JSON.
        facts: what the file says of itself.
        signature: what it takes and gives, for people.
    """

    path: Path
    beside: Path
    facts: dict[str, object]
    signature: str


def export(
    home: str | Path,
    digest: str,
    output: str | Path,
    *,
    task: str = "",
    base: str | Path = "",
    refused: bool = False,
    bare: bool = False,
    force: bool = False,
    form: Form = "pt2",
    precision: Precision = "float32",
) -> Exported:
    """Write a trained network as a program with a free batch size, and a JSON file beside it.

    The program takes raw examples, as the source of the task has them, and gives named outputs. It is checked before it
    is written: read back and run on the raw test examples, it must answer as the ledger says that the network does.

    Args:
        home: directory of the life.
        digest: beginning of the architecture's; of the latest run that has it.
        output: the file, which ends in its form; with `refused` its name says so: if need be `.refused` is put before
            the ending.
        task: only networks of this task; empty for all.
        base: directory that relative paths of data start from, that of the stream file.
        refused: export a finalist that stands refused, which is never done otherwise. File name, facts inside and facts
            beside it say `refused`, and why.
        bare: the network alone, from prepared examples to what it gives for each output; needs no data.
        force: what lies at the place of the file may be replaced; never a file of the home.
        form: `pt2` is a `torch.export` program, `onnx` an ONNX file, which needs the extra `onnx`.
        precision: of an ONNX file; `int8` is quantised with ranges of training examples.

    Raises:
        InputError: no such network, or several; a precision that the form does not have; the network stands otherwise
            than asked for; its weights or its data are missing or were changed; or the file cannot be written, or
            something lies there already.
        ExportError: what would be written does not answer as the network did.

    Example:
        >>> export("lives/first", "4f1c", "digits.pt2").facts["verdict"]  # doctest: +SKIP
        'admitted'
    """
    root = Home(Path(home))
    _check_form(form, precision, bare=bare)
    path = check_kind(_named(Path(output), refused=refused), (f".{form}",))
    beside = path.with_suffix(".json")
    for each in (path, beside):
        _check_outside(check_new(each, force=force), root)
    with reading(root.root) as ledger, of_life(ledger):
        state = replay(ledger)
        run, held, finalist = chosen(state, digest, task=task, refused=refused)
        facts = facts_of(run, held, finalist, head=ledger.head()[1])
        if bare:
            content, signature = _bare(root, held, finalist, facts)
        else:
            from agent.deploying.programs import as_onnx, as_pt2, subject_of

            try:
                subject = subject_of(root, run, held, finalist, base=Path(base))
            except InputError as error:
                raise InputError(f"{error}; --bare writes the network alone, for prepared examples") from error
            made = as_pt2(subject, facts) if form == "pt2" else as_onnx(subject, facts, precision=precision)
            content, facts, signature = made.content, made.beside, f"{subject.signature}; {made.told}"
    write_whole(path, content)
    write_whole(beside, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return Exported(path=path, beside=beside, facts=facts, signature=signature)


def read_form(form: str, precision: str) -> tuple[Form, Precision]:
    """The same, of what people wrote.

    Raises:
        InputError: there is no such form, or no such precision.
    """
    forms, precisions = get_args(Form), get_args(Precision)
    if form not in forms:
        raise InputError(f"format {form!r}: there are {' and '.join(forms)}")
    if precision not in precisions:
        raise InputError(f"precision {precision!r}: there are {' and '.join(precisions)}")
    return forms[forms.index(form)], precisions[precisions.index(precision)]


def _check_form(form: Form, precision: Precision, *, bare: bool) -> None:
    read_form(form, precision)
    if precision != "float32" and form != "onnx":
        raise InputError(f"precision {precision} is of ONNX files: --format onnx")
    if bare and form != "pt2":
        raise InputError("--bare writes a .pt2 file: leave --format away")


def _named(output: Path, *, refused: bool) -> Path:
    """The file, whose name says that it is of a refused network, if it is.

    Example:
        >>> str(_named(Path("cat.pt2"), refused=True)), str(_named(Path("refused.pt2"), refused=True))
        ('cat.refused.pt2', 'refused.pt2')
    """
    return output.with_suffix(f".{_REFUSED}{output.suffix}") if refused and _REFUSED not in output.stem else output


def _check_outside(path: Path, home: Home) -> None:
    """Nothing of a life is replaced, whatever name leads to it; new files may be put beside it."""
    target, root = path.resolve(), home.root.resolve()
    if target.is_relative_to(root) and (target.exists() or target.parent != root):
        raise InputError(
            f"{path}: is a place of the life in {home.root}, whose files are never replaced: choose another"
        )


def _bare(home: Home, held: TaskState, finalist: Finalist, facts: dict[str, object]) -> tuple[bytes, str]:
    """The network alone; what it says of its inputs is their shape."""
    import torch

    from agent.state.networks import restore_network
    from selfnas.training.exported import program

    shape = held.shape
    network = restore_network(held, finalist.architecture, home.weights_file(finalist.trained.weights_sha256))
    sizes = ["b", shape.channels, *shape.size]
    facts["input"] = {"prepared": True, "shape": sizes, "type": "float32"}
    facts["outputs"] = {"": f"(b, {shape.classes}) what the network gives for each output"}
    content = program(network, torch.zeros((2, shape.channels, *shape.size)), facts)
    return content, f"prepared ({', '.join(map(str, sizes))}) float32 -> (b, {shape.classes})"
