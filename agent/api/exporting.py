"""A trained network of a life, as a file that needs none of this project, with what is known of it beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger.events import UNSET, Standing, Trained
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.plugins import of_life
from agent.state.state import Finalist, LifeState, RunState, TaskState, replay
from selfnas.errors import InputError
from selfnas.files import check_kind, check_new, write_whole

if TYPE_CHECKING:
    from selfnas.data.tasks import Task
    from selfnas.training.exported import Check
    from selfnas.training.whole import WholeNetwork

__all__ = ["Exported", "export", "predictor"]

_REFUSED = "refused"
_ROUNDED = 200  # one of so many answers may turn by rounding, where examples are resized


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A network that was written.

    Attributes:
        path: the `.pt2` file.
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
) -> Exported:
    """Write a trained network as a `torch.export` program with a free batch size, and a JSON file beside it.

    The program takes raw examples, as the source of the task has them, and gives named outputs. It is checked before it
    is written: read back and run on the raw test examples, it must answer as the ledger says that the network does.

    Args:
        home: directory of the life.
        digest: beginning of the architecture's; of the latest run that has it.
        output: the `.pt2` file; with `refused` its name says so: if need be `.refused` is put before `.pt2`.
        task: only networks of this task; empty for all.
        base: directory that relative paths of data start from, that of the stream file.
        refused: export a finalist that stands refused, which is never done otherwise. File name, facts inside and facts
            beside it say `refused`, and why.
        bare: the network alone, from prepared examples to what it gives for each output; needs no data.
        force: what lies at the place of the file may be replaced; never a file of the home.

    Raises:
        InputError: no such network, or several; it stands otherwise than asked for; its weights or its data are missing
            or were changed; or the file cannot be written, or something lies there already.
        ExportError: what would be written does not answer as the network did.

    Example:
        >>> export("lives/first", "4f1c", "digits.pt2").facts["verdict"]  # doctest: +SKIP
        'admitted'
    """
    root = Home(Path(home))
    path = check_kind(_named(Path(output), refused=refused), (".pt2",))
    beside = path.with_suffix(".json")
    for each in (path, beside):
        _check_outside(check_new(each, force=force), root)
    with reading(root.root) as ledger, of_life(ledger):
        state = replay(ledger)
        run, held, finalist = _chosen(state, digest, task=task, refused=refused)
        facts = _facts(run, held, finalist, head=ledger.head()[1])
        make = _bare if bare else _whole
        content, signature = make(root, run, held, finalist, facts, base=Path(base))
    write_whole(path, content)
    write_whole(beside, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return Exported(path=path, beside=beside, facts=facts, signature=signature)


def predictor(
    home: Home, run: RunState, held: TaskState, finalist: Finalist, *, base: Path
) -> tuple[WholeNetwork, Task]:
    """A finalist's network with its preparation, on the CPU and in evaluation mode; and the task with its data.

    Raises:
        InputError: weights or data are missing, or were changed.
    """
    from agent.state.networks import restore_network
    from agent.state.recorded import recorded_task
    from selfnas.training.whole import WholeNetwork

    network = restore_network(held, finalist.architecture, home.weights_file(finalist.trained.weights_sha256))
    task = recorded_task(run, held, home=home, base=base)
    whole = WholeNetwork(network, task.preparation)
    return whole.eval(), task


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


def _chosen(state: LifeState, digest: str, *, task: str, refused: bool) -> tuple[RunState, TaskState, Finalist]:
    """The latest finalist of that digest that stands as asked for."""
    wanted = Standing.REFUSED if refused else Standing.ADMITTED
    quarantined = {motif.where for motif, _ in state.quarantined.values()}
    found = [
        (run, held, finalist)
        for run, held in state.tasks()
        if task in ("", held.name)
        for finalist in held.finalists
        if digest and finalist.digest.startswith(digest) and finalist.standing is not None
    ]
    standing = [one for one in found if one[2].standing == wanted and one[2].trained.weights_sha256]
    free = [one for one in standing if (one[0].number, one[1].name, one[2].digest) not in quarantined]
    if len({(held.name, finalist.digest) for _, held, finalist in free}) > 1:
        names = ", ".join(sorted({f"{finalist.digest[:16]} ({held.name})" for _, held, finalist in free}))
        raise InputError(f"several networks begin with {digest!r}: {names}; say more of it, or --task")
    if free:
        return free[-1]
    if standing:
        raise InputError(f"{standing[-1][2].digest[:12]} is quarantined by the constraint set in force")
    if not found:
        raise InputError(f"no trained network of this life has a digest that begins with {digest!r}")
    name = found[-1][2].digest[:12]
    if not found[-1][2].trained.weights_sha256:
        raise InputError(f"{name} was not trained to the end: there is nothing to export")
    raise InputError(
        f"{name} stands admitted: leave --refused away"
        if refused
        else f"{name} was refused by the audits: --refused exports it all the same, marked as such"
    )


def _facts(run: RunState, task: TaskState, finalist: Finalist, *, head: str) -> dict[str, object]:
    """What the file says of itself."""
    trained, audited, started = finalist.trained, finalist.audited, run.started
    return {
        "format": 1,
        "verdict": str(finalist.standing),
        "audits": audited.decision if audited else "undecided",
        "reasons": list(audited.reasons) if audited else [],
        "reviews": [
            {"decision": review.facts.decision, "author": review.facts.author, "reason": review.facts.reason}
            for review in finalist.reviews
        ],
        "architecture": finalist.architecture,
        "digest": finalist.digest,
        "parameters": trained.params,
        "weights_sha256": trained.weights_sha256,
        "stream": started.record.stream,
        "run": run.number,
        "task": task.name,
        "task_digest": task.started.task_digest,
        "constraint_set": {"name": started.constraint_set.name, "digest": started.constraint_set_digest},
        "audit_suite": {"name": started.audit_suite.name, "digest": started.audit_suite_digest},
        "ledger_head": head,
        "validation": trained.validation,
        "metric": task.metric,
        "test": {"estimate": trained.test, "count": trained.test_count or _measured_on(trained)},
    }


def _measured_on(trained: Trained) -> int:
    """Number of test examples where no accuracy is counted."""
    return 0 if trained.metric is UNSET else trained.metric.n


def _bare(
    home: Home, run: RunState, held: TaskState, finalist: Finalist, facts: dict[str, object], *, base: Path
) -> tuple[bytes, str]:
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


def _whole(
    home: Home, run: RunState, held: TaskState, finalist: Finalist, facts: dict[str, object], *, base: Path
) -> tuple[bytes, str]:
    """Raw examples in, named outputs out; checked on raw test examples."""
    from agent.state.recorded import data_folder, recorded_spec
    from selfnas.data.originals import originals
    from selfnas.data.tasks import read_source
    from selfnas.training.exported import check, described, whole_program

    try:
        whole, task = predictor(home, run, held, finalist, base=base)
    except InputError as error:
        raise InputError(f"{error}; --bare writes the network alone, for prepared examples") from error
    spec, preparation = recorded_spec(run, held), task.preparation
    found = originals(task, read_source(spec, base=data_folder(spec, home=home, base=base)))
    facts |= described(whole, task, found)
    checked = check(whole_program(whole, preparation, facts), whole, task, found, metric=held.metric)
    _hold_to_ledger(checked, finalist)
    facts["checked"] = asdict(checked)
    sizes = ", ".join(str(side or "any") for side in preparation.raw)
    signature = f"raw (b, {sizes}) -> {', '.join(whole.described)}; {checked}"
    return whole_program(whole, preparation, facts), signature  # once more, for it says what the check gave


def _hold_to_ledger(checked: Check, finalist: Finalist) -> None:
    """Refuse a file that does not answer as the network did.

    Raises:
        ExportError: it does not.
    """
    from selfnas.training.exported import ExportError

    recorded, found = finalist.trained.test, checked.estimate
    apart = checked.whole and found is not None and abs(found - recorded) > max(abs(recorded), 1 / _ROUNDED) / _ROUNDED
    if apart or checked.otherwise > checked.count // _ROUNDED:
        name = finalist.digest[:12]
        raise ExportError(
            f"{name}: not written, for it would not answer as the network did: {checked}; the ledger has {recorded:.4g}"
        )
