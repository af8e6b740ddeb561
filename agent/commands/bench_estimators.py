"""`selfnas bench estimators` and `supernets`: cheap scores, and cells of supernets, against full training."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agent.stream.file import Stream, read_stream
from selfnas import seeding
from selfnas.benchmarks.estimators import Scored, held_out_accuracy, random_networks, score_networks
from selfnas.data.tasks import Task, load_task
from selfnas.errors import InputError, suggestion
from selfnas.models.ranking import ProxyTrials, combined
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture, space_named
from selfnas.training.evaluation import Fidelity
from selfnas.training.inheritance import inherit
from selfnas.training.training import Examples, TrainingPlan, train

__all__ = ["measure_estimators", "measure_inheritance", "measure_supernets", "spearman", "spearman_interval"]

_BOOTSTRAPS = 2000
_TAUGHT, _SPLITS = 16, 200  # networks that a combination is learned from, and random choices of them


def measure_estimators(
    stream_file: Path, *, task_name: str, networks: int, seed: int, keep: Path, twice: int = 0
) -> None:
    """Score and train random networks, as far as `keep` does not have them yet, and print rank correlations.

    Args:
        stream_file: its space, macro settings, fidelities and training are used.
        task_name: one of its tasks.
        networks: how many.
        seed: decides which.
        keep: a .json that finished networks are kept in, so that an interrupted command goes on.
        twice: so many of them are trained a second time from other first weights: how far full training agrees with
            itself is what no score can go much beyond.

    Raises:
        InputError: no such stream, task, or a `keep` of other networks.
    """
    console = Console()
    stream, task = _open(stream_file, task_name)
    plan, full = TrainingPlan(**stream.training.model_dump()), stream.full.fidelity("full")
    drawn = random_networks(space_named(stream.space), stream.macro.macro(), networks, seed=seed)
    done = _kept(keep)
    wanted = {str(architecture) for architecture in drawn}
    if not {one.architecture for one in done} <= wanted:
        raise InputError(f"{keep}: holds other networks than these; choose another file")
    left = [architecture for architecture in drawn if str(architecture) not in {one.architecture for one in done}]
    with console.status("scoring and training") as status:
        for scored in score_networks(
            left,
            task,
            low=stream.low.fidelity("low"),
            full=full,
            plan=plan,
            seed=seed,
        ):
            done.append(scored)
            _keep(done, keep)
            status.update(f"{len(done)} of {networks} networks scored and trained")
        for place, one in enumerate(done[:twice]):
            if one.again is None:
                again = seeding.derive(seed, "again")
                found, _ = held_out_accuracy(parse_architecture(one.architecture), task, full, plan, seed=again)
                done[place] = replace(one, again=found)
                _keep(done, keep)
                status.update(f"{place + 1} of {twice} networks trained again")
    truth = np.array([one.truth for one in done])
    table = Table(
        "score", "Spearman", "95 %", "seconds",
        title=f"{task.name}: {len(done)} networks of {stream.space}/{stream.macro.macro()} against full training "
        f"(accuracy {np.quantile(truth, 0.1):.3f} to {np.quantile(truth, 0.9):.3f}, 10 % to 90 %)",
    )  # fmt: skip
    rows = {name: np.array([one.proxies[name] for one in done]) for name in done[0].proxies}
    matrix = np.stack(list(rows.values()), axis=1)
    rows["mean rank of all proxies"] = combined(matrix, ProxyTrials(matrix[:0], truth[:0]))
    for name, values in sorted(rows.items(), key=lambda row: -spearman(row[1], truth)):
        alone = [one.seconds[name] for one in done if name in one.seconds]
        table.add_row(name, *_shown(values, truth, seed=seed), f"{np.median(alone):.4f}" if alone else "")
    if len(done) >= 2 * _TAUGHT:
        learned = np.array([_learned(matrix, truth, seed=split) for split in range(_SPLITS)])
        low, high = np.quantile(learned, [0.025, 0.975])
        table.add_row(f"learned from {_TAUGHT} of them, on the others", f"{learned.mean():.2f}",
                      f"{low:.2f} to {high:.2f} (splits)", "")  # fmt: skip
    table.add_row("training at low fidelity", *_shown(np.array([one.low for one in done]), truth, seed=seed), "")
    same = np.array([max(one.curve, default=0.0) for one in done])
    table.add_row("full training, on validation", *_shown(same, truth, seed=seed), "")
    both = np.array([(one.truth, one.again) for one in done if one.again is not None], dtype=np.float64)
    if len(both) > 1:
        table.add_row(f"full training, again ({len(both)} of them)", *_shown(both[:, 1], both[:, 0], seed=seed), "")
    console.print(table)
    slowest = np.array([max(one.seconds.values()) for one in done])
    together = np.array([one.together for one in done])
    ratio = float(np.median(together / slowest))
    console.print(f"all proxies of one network take {ratio:.2f} times the slowest of them alone (median)")


def measure_supernets(stream_file: Path, *, task_name: str, methods: list[str], seed: int, keep: Path) -> None:
    """Search supernets, train their cells fully, and place them among the random networks of `keep`.

    Raises:
        InputError: no such stream, task or method, or `keep` has no networks.
    """
    from selfnas.strategies.guided import GUIDED

    console = Console()
    stream, task = _open(stream_file, task_name)
    for method in methods:
        if method not in GUIDED:
            raise InputError(f"unknown method {method!r}{suggestion(method, sorted(GUIDED))}")
    done = _kept(keep)
    if not done:
        raise InputError(f"{keep}: run `selfnas bench estimators` first: cells are placed among its networks")
    truth = np.array([one.truth for one in done])
    console.print(
        f"{task.name}: {len(done)} random networks reach {np.median(truth):.4f} (median), {truth.max():.4f} (best)"
    )
    plan, full = TrainingPlan(**stream.training.model_dump()), stream.full.fidelity("full")
    for method in methods or sorted(GUIDED):
        begun = time.process_time()
        if method == "one_shot":
            chosen, note = _one_shot(stream, task, done, seed=seed)
        else:
            chosen, note = _differentiable(stream, task, method, seed=seed)
        seconds = time.process_time() - begun
        found, _ = held_out_accuracy(chosen, task, full, plan, seed=seed)
        console.print(
            f"{method}: {seconds:.0f} s of processor time; {note}; its cell reaches {found:.4f}, above "
            f"{np.mean(found > truth):.0%} and not below {np.mean(found >= truth):.0%} of them: "
            f"{str(chosen).partition(':')[2]}"
        )


def measure_inheritance(stream_file: Path, *, task_name: str, seed: int, keep: Path) -> None:
    """Score the networks of `keep` after one epoch, with and without a parent's weights, against their full training.

    The parent is a random neighbour that was trained at low fidelity. Both scores are of the same epoch of the same
    share of the data.

    Raises:
        InputError: no such stream or task, or `keep` has no networks.
    """
    console = Console()
    stream, task = _open(stream_file, task_name)
    done = _kept(keep)
    if not done:
        raise InputError(f"{keep}: run `selfnas bench estimators` first: its networks are scored")
    low, plan = stream.low.fidelity("low"), TrainingPlan(**stream.training.model_dump())
    once = Fidelity(name="once", epochs=1, fraction=low.fraction)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    space = space_named(stream.space)
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
    table = Table("score", "Spearman", "95 %", title=f"{task.name}: {len(done)} networks against full training")
    for name, values in columns.items():
        table.add_row(name, *_shown(np.array(values), truth, seed=seed))
    console.print(table)
    console.print(f"a child takes over {np.mean(shares):.0%} of its numbers (mean)")


def spearman_interval(values: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the rank correlation of `(n,)` values with `(n,)` others."""
    rows = np.random.default_rng(seed).integers(0, len(truth), size=(_BOOTSTRAPS, len(truth)))
    found = _correlations(values[rows], truth[rows])
    usable = found[np.isfinite(found)]  # of a draw whose values are all alike nothing can be said
    if not len(usable):
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [0.025, 0.975])
    return float(low), float(high)


def _learned(matrix: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> float:
    """Rank correlation, on the rest of `(n, k)` proxies, of what was learned from a few of them and full trainings."""
    order = np.random.default_rng(seed).permutation(len(truth))
    known, tested = order[:_TAUGHT], order[_TAUGHT:]
    return spearman(combined(matrix[tested], ProxyTrials(matrix[known], truth[known])), truth[tested])


def _shown(values: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> tuple[str, str]:
    low, high = spearman_interval(values, truth, seed=seed)
    return f"{spearman(values, truth):.2f}", f"{low:.2f} to {high:.2f}"


def spearman(values: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Rank correlation of `(n,)` values; NaN ranks below all; NaN where one side is constant."""
    return float(_correlations(values[None], truth[None])[0])


def _correlations(values: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(k,)` rank correlation of each row of `(k, n)` values with the same row of others."""
    from scipy.stats import rankdata

    one, other = (rankdata(np.where(np.isnan(rows), -np.inf, rows), axis=1) for rows in (values, truth))
    one, other = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (one, other))
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.where(scale > 0, (one * other).sum(axis=1) / np.where(scale > 0, scale, 1.0), np.nan)


def _open(stream_file: Path, task_name: str) -> tuple[Stream, Task]:
    stream = read_stream(stream_file).value
    names = [spec.name for spec in stream.tasks]
    if task_name not in names:
        raise InputError(f"unknown task {task_name!r}{suggestion(task_name, names)}")
    spec = stream.tasks[names.index(task_name)]
    if spec.source == "table":
        raise InputError(f"task {task_name!r} is a table: there is nothing to train")
    import torch

    torch.set_num_threads(1)
    return stream, load_task(spec, base=stream_file.resolve().parent)


def _keep(done: Sequence[Scored], keep: Path) -> None:
    keep.write_text(json.dumps([asdict(one) for one in done]), encoding="utf-8")


def _kept(keep: Path) -> list[Scored]:
    if not keep.exists():
        return []
    try:
        rows = json.loads(keep.read_text(encoding="utf-8"))
        return [Scored(**{**row, "curve": tuple(row["curve"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{keep}: not what this command keeps: {error}") from error


def _differentiable(stream: Stream, task: Task, method: str, *, seed: int) -> tuple[Architecture, str]:
    from selfnas.strategies.guided import DIFFERENTIABLE
    from selfnas.training.differentiable import SupernetPlan, discretise, search_supernet
    from selfnas.training.supernet import build_supernet

    space, macro = space_named(stream.space), stream.macro.macro()
    supernet = build_supernet(space, macro, task.shape, seed=seed)
    found = search_supernet(
        supernet, Examples.of(task.train.x, task.train.y), SupernetPlan(method=DIFFERENTIABLE[method]), seed=seed
    )
    note = f"{found.epochs} epochs{', skips took over' if found.collapsed else ''}"
    return space.decode(discretise(space, found.logits, restrict=True), macro=macro), note


def _one_shot(stream: Stream, task: Task, done: list[Scored], *, seed: int) -> tuple[Architecture, str]:
    from selfnas.search.domain import SpaceDomain
    from selfnas.strategies.one_shot import OneShotPlan, evolve_paths, score_paths, train_paths
    from selfnas.training.supernet import build_supernet

    space, macro = space_named(stream.space), stream.macro.macro()
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
