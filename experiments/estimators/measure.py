"""Cheap scores, one epoch with inherited weights, and cells of supernets, against full training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from agent.stream.file import Stream, read_stream
from agent.stream.shipped import stream_folder
from experiments.estimators.correlation import spearman, spearman_interval
from experiments.estimators.scoring import Scored, held_out_accuracy, random_networks, score_network
from experiments.harness import Rows, measure_grid, print_table, run
from selfnas import seeding
from selfnas.data.tasks import Task, load_task
from selfnas.errors import InputError, suggestion
from selfnas.models.ranking import ProxyTrials, combined
from selfnas.networks.network import build_network, inherit
from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import parse_architecture, space_named
from selfnas.strategies.guided import DIFFERENTIABLE, GUIDED
from selfnas.strategies.one_shot import OneShotPlan, evolve_paths, score_paths, train_paths
from selfnas.training.differentiable import SupernetPlan, discretise, search_supernet
from selfnas.training.evaluation import Fidelity
from selfnas.training.supernet import build_supernet
from selfnas.training.training import Examples, train

_TAUGHT, _SPLITS = 16, 200  # networks that a combination is learned from, and random choices of them

_StreamFile = Annotated[Path, typer.Argument(metavar="STREAM.yaml", help="Space, fidelities and tasks are its.")]
_TaskName = Annotated[str, typer.Option("--task", help="Which of its tasks.")]
_Kept = Annotated[Path, typer.Option("--keep", help="A .jsonl of finished networks; they are not trained again.")]
_DEFAULT_KEEP = Path("estimators.jsonl")


def scores(
    stream_file: _StreamFile,
    task_name: _TaskName,
    networks: Annotated[int, typer.Option(min=4, max=100_000, help="Random networks to score and train.")] = 48,
    seed: Annotated[int, typer.Option(help="Decides which networks.")] = 0,
    keep: _Kept = _DEFAULT_KEEP,
    twice: Annotated[int, typer.Option(min=0, help="So many are trained again, for the noise of training.")] = 0,
) -> None:
    """Rank correlation of every cheap score with full training, on networks that are built and trained."""
    stream, task = _open(stream_file, task_name)
    plan, full = stream.training.plan(task), stream.full.fidelity("full")
    drawn = random_networks(*_setting(stream), networks, seed=seed)
    rows, low = _rows(keep, stream, task_name), stream.low.fidelity("low")

    def score(architecture: str) -> list[Scored]:
        network = parse_architecture(architecture)
        return [score_network(network, task, low=low, full=full, plan=plan, seed=seed)]

    def repeat(cell: tuple[str, bool]) -> list[Scored]:
        own = seeding.derive(seed, "again")
        found, _ = held_out_accuracy(parse_architecture(cell[0]), task, full, plan, seed=own)
        return [replace(_latest(rows)[cell[0]], again=found)]

    names = [str(architecture) for architecture in drawn]
    measure_grid(score, names, rows, cell_of=lambda one: one.architecture)
    again = [(name, True) for name in names[:twice]]
    measure_grid(repeat, again, rows, cell_of=lambda one: (one.architecture, one.again is not None))
    done = [_latest(rows)[name] for name in names]
    truth = np.array([one.truth for one in done])
    columns = {name: np.array([one.proxies[name] for one in done]) for name in done[0].proxies}
    matrix = np.stack(list(columns.values()), axis=1)
    columns["mean rank of all proxies"] = combined(matrix, ProxyTrials(matrix[:0], truth[:0]))
    shown = []
    for name, values in sorted(columns.items(), key=lambda row: -spearman(row[1], truth)):
        alone = [one.seconds[name] for one in done if name in one.seconds]
        shown.append((name, *_shown(values, truth, seed=seed), f"{np.median(alone):.4f}" if alone else ""))
    if len(done) >= 2 * _TAUGHT:
        learned = np.array([_learned(matrix, truth, seed=split) for split in range(_SPLITS)])
        start, end = np.quantile(learned, [0.025, 0.975])
        name, told = f"learned from {_TAUGHT} of them, on the others", f"{start:.2f} to {end:.2f} (splits)"
        shown.append((name, f"{learned.mean():.2f}", told, ""))
    both = np.array([(one.truth, one.again) for one in done if one.again is not None], dtype=np.float64).reshape(-1, 2)
    for name, values, others in (
        ("training at low fidelity", np.array([one.low for one in done]), truth),
        ("full training, on validation", np.array([max(one.curve, default=0.0) for one in done]), truth),
        (f"full training, again ({len(both)} of them)", both[:, 1], both[:, 0]),
    ):
        if len(values) > 1:
            shown.append((name, *_shown(values, others, seed=seed), ""))
    print_table(
        ("score", "Spearman", "95 %", "seconds"),
        shown,
        title=f"{task.name}: {len(done)} networks of {_named(stream)} against full training "
        f"(accuracy {np.quantile(truth, 0.1):.3f} to {np.quantile(truth, 0.9):.3f}, 10 % to 90 %)",
    )
    ratio = float(np.median([one.together / max(one.seconds.values()) for one in done]))
    print(f"all proxies of one network take {ratio:.2f} times the slowest of them alone (median)")


def inheritance(
    stream_file: _StreamFile,
    task_name: _TaskName,
    seed: Annotated[int, typer.Option(help="Of parents and trainings.")] = 0,
    keep: _Kept = _DEFAULT_KEEP,
) -> None:
    """Whether one epoch with a parent's weights tells more than one epoch from scratch, on networks that were scored.

    The parent is a random neighbour that was trained at low fidelity. Both scores are of the same epoch of the same
    share of the data.
    """
    stream, task = _open(stream_file, task_name)
    done = _scored(keep, stream, task_name)
    low, plan = stream.low.fidelity("low"), stream.training.plan(task)
    once = Fidelity(name="once", epochs=1, fraction=low.fraction)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    space, _ = _setting(stream)
    columns: dict[str, list[float]] = {"one epoch": [], "one epoch with a parent's weights": [], "the parent": []}
    shares = []
    for one in done:
        architecture = parse_architecture(one.architecture)
        own = seeding.derive(seed, "inheritance", architecture.digest)
        rows = space.neighbours(space.encode(architecture))
        rows = rows[[space.decode(row, macro=architecture.macro).digest != architecture.digest for row in rows]]
        chosen = rows[seeding.generator(own, "parent").integers(len(rows))]
        parent = build_network(space.decode(chosen, macro=architecture.macro), task.shape, seed=own)
        taught = train(parent, training, validation, plan, low, seed=own)
        columns["the parent"].append(taught.best)
        for name in ("one epoch", "one epoch with a parent's weights"):
            child = build_network(architecture, task.shape, seed=own)
            if name != "one epoch":
                shares.append(inherit(child, taught.weights))
            columns[name].append(train(child, training, validation, plan, once, seed=own).best)
    columns["training at low fidelity"] = [one.low for one in done]
    truth = np.array([one.truth for one in done])
    print_table(
        ("score", "Spearman", "95 %"),
        [(name, *_shown(np.array(values), truth, seed=seed)) for name, values in columns.items()],
        title=f"{task.name}: {len(done)} networks against full training",
    )
    print(f"a child takes over {np.mean(shares):.0%} of its numbers (mean)")


def supernets(
    stream_file: _StreamFile,
    task_name: _TaskName,
    methods: Annotated[list[str] | None, typer.Option("--method", help="Only this one; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of supernet and search.")] = 0,
    keep: _Kept = _DEFAULT_KEEP,
) -> None:
    """Time of each search on a supernet, and its cell among networks that were scored, after full training."""
    stream, task = _open(stream_file, task_name)
    for method in methods or []:
        if method not in GUIDED:
            raise InputError(f"unknown method {method!r}{suggestion(method, sorted(GUIDED))}")
    done = _scored(keep, stream, task_name)
    truth = np.array([one.truth for one in done])
    print(f"{task.name}: {len(done)} random networks reach {np.median(truth):.4f} (median), {truth.max():.4f} (best)")
    plan, full = stream.training.plan(task), stream.full.fidelity("full")
    for method in methods or sorted(GUIDED):
        begun = time.process_time()
        if method == "one_shot":
            chosen, note = _one_shot(stream, task, done, seed=seed)
        else:
            chosen, note = _differentiable(stream, task, method, seed=seed)
        seconds = time.process_time() - begun
        found, _ = held_out_accuracy(chosen, task, full, plan, seed=seed)
        print(
            f"{method}: {seconds:.0f} s of processor time; {note}; its cell reaches {found:.4f}, above "
            f"{np.mean(found > truth):.0%} and not below {np.mean(found >= truth):.0%} of them: "
            f"{str(chosen).partition(':')[2]}"
        )


def _open(stream_file: Path, task_name: str) -> tuple[Stream, Task]:
    document = read_stream(stream_file)
    stream = document.value
    names = [spec.name for spec in stream.tasks]
    if task_name not in names:
        raise InputError(f"unknown task {task_name!r}{suggestion(task_name, names)}")
    spec = stream.tasks[names.index(task_name)]
    if spec.source == "table":
        raise InputError(f"task {task_name!r} is a table: there is nothing to train")
    torch.set_num_threads(1)
    return stream, load_task(spec, base=stream_folder(Path(document.path)))


def _setting(stream: Stream) -> tuple[Space, Macro]:
    """The space and the macro settings that a stream states.

    Raises:
        InputError: it leaves them open.
    """
    choices = stream.macro.stated()
    if stream.space is None or choices is None:
        raise InputError("state `space`, and `macro` with channels, depth and resolution")
    return space_named(stream.space), choices.first


def _named(stream: Stream) -> str:
    return "/".join(map(str, _setting(stream)))


def _rows(keep: Path, stream: Stream, task_name: str) -> Rows[Scored]:
    return Rows(keep, of=Scored, settings={"task": task_name, "networks": _named(stream)})


def _latest(rows: Rows[Scored]) -> dict[str, Scored]:
    """By architecture; a network that was trained again has two rows, the later of which tells of both trainings."""
    return {one.architecture: one for one in rows}


def _scored(keep: Path, stream: Stream, task_name: str) -> list[Scored]:
    """Every network that is kept.

    Raises:
        InputError: none is.
    """
    done = list(_latest(_rows(keep, stream, task_name)).values())
    if not done:
        raise InputError(f"{keep}: holds no networks: run the command `scores` first")
    return done


def _learned(matrix: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> float:
    """Rank correlation, on the rest of `(n, k)` proxies, of what was learned from a few of them and full trainings."""
    order = np.random.default_rng(seed).permutation(len(truth))
    known, tested = order[:_TAUGHT], order[_TAUGHT:]
    return spearman(combined(matrix[tested], ProxyTrials(matrix[known], truth[known])), truth[tested])


def _shown(values: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> tuple[str, str]:
    low, high = spearman_interval(values, truth, seed=seed)
    return f"{spearman(values, truth):.2f}", f"{low:.2f} to {high:.2f}"


def _differentiable(stream: Stream, task: Task, method: str, *, seed: int) -> tuple[Architecture, str]:
    space, macro = _setting(stream)
    supernet = build_supernet(space, macro, task.shape, seed=seed)
    found = search_supernet(
        supernet, Examples.of(task.train.x, task.train.y), SupernetPlan(method=DIFFERENTIABLE[method]), seed=seed
    )
    note = f"{found.epochs} epochs{', skips took over' if found.collapsed else ''}"
    return space.decode(discretise(space, found.logits, restrict=True), macro=macro), note


def _one_shot(stream: Stream, task: Task, done: list[Scored], *, seed: int) -> tuple[Architecture, str]:
    space, macro = _setting(stream)
    supernet = build_supernet(space, macro, task.shape, seed=seed)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    train_paths(supernet, training, OneShotPlan(), seed=seed)

    def score(architectures: Sequence[Architecture]) -> list[float]:
        vectors = np.stack([space.encode(architecture) for architecture in architectures])
        return score_paths(supernet, vectors, validation).tolist()  # type: ignore[no-any-return]

    ranking = evolve_paths(SpaceDomain(space, macro), score, seed=seed)
    inherited = np.array(score([parse_architecture(one.architecture) for one in done]))
    rho = spearman(inherited, np.array([one.truth for one in done]))
    note = f"Spearman of inherited weights' scores with full training {rho:.2f}"
    return ranking[0].architecture, note


if __name__ == "__main__":
    run(scores, inheritance, supernets)
