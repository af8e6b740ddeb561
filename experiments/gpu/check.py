"""One device against the processor: operations, a training, a life, and what a step takes; exit code 1 on a fault."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from agent.stream.training import TrainingSection
from agent.workers.device import chosen_device
from experiments.harness import run
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture
from selfnas.spaces.operations import OPERATIONS
from selfnas.training.evaluation import Fidelity
from selfnas.training.plans import goal_of
from selfnas.training.training import Examples, train

__all__ = ["check"]

_TOLERANCE = 2e-3  # of the largest number: float32 sums in another order, and TensorFloat-32 is off
_APART = 0.03  # of accuracy, between two trainings that round differently
_CELL = "nb201/c16n1r16hg4:|conv3x3~0|+|skip~0|conv3x3~1|+|conv1x1~0|none~1|conv3x3~2|"
_BIG = "nb201/c16n1r32hg4:|conv3x3~0|+|conv3x3~0|skip~1|+|skip~0|conv3x3~1|conv3x3~2|"
_SIZES = ((), (24,), (12, 12))
_STREAM = """\
stream: device
format: 1
baselines: none
space: nb201
macro: {channels: 8, depth: 1, resolution: 8}
budget: {evaluations: 4, full_trainings: 2}
low: {steps: 40}
full: {steps: 200}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1}
tasks:
  - {name: digits, source: digits}
  - {name: series, source: mnist1d, limit: 600}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One line of the result: what was looked at, what came out, and whether it is as it should be."""

    what: str
    value: str
    right: bool


def check(
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    work: Annotated[Path, typer.Option("--work", help="Folder for the life.")] = Path("device-check"),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of the timed training.")] = 30,
) -> None:
    """Everything that a device must do alike; on a machine without one, the same code on the processor."""
    name = chosen_device(device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(f"device {name}{_title(name)}, PyTorch {torch.__version__}")
    found: list[Found] = []
    for part in (_operations(name), _trainings(name), _life(name, work), _speed(name, steps)):
        for one in part:
            found.append(one)
            print(f"{'right' if one.right else 'WRONG'}: {one.what}: {one.value}", flush=True)
    wrong = [one for one in found if not one.right]
    print(f"{len(found) - len(wrong)} of {len(found)} are right")
    if wrong:
        raise typer.Exit(1)


def _title(name: str) -> str:
    return f" ({torch.cuda.get_device_name(name)})" if name.startswith("cuda") else ""


def _operations(name: str) -> Iterator[Found]:
    """Outputs and gradients of every operation that we ship, at both strides, against those of the processor."""
    for operation in OPERATIONS.values():
        worst, places = 0.0, 0
        for size in _SIZES:
            if len(size) not in operation.dimensions:
                continue
            for stride in (1, 2) if size else (1,):
                torch.manual_seed(0)
                module = operation.build(8, stride=stride, size=size)
                x = torch.randn(4, 8, *size)
                worst = max(worst, _apart(module, x, name))
                places += 1
        if places:
            yield Found(
                what=f"operation {operation.name}, {places} settings",
                value=f"differs by {worst:.1e} of the largest number",
                right=worst <= _TOLERANCE,
            )


def _apart(module: nn.Module, x: Tensor, name: str) -> float:
    """How far outputs and gradients lie apart, as a share of the largest number of each."""
    told: list[list[Tensor]] = []
    state = {key: value.clone() for key, value in module.state_dict().items()}
    for where in ("cpu", name):
        module.load_state_dict(state)
        module.to(where).zero_grad()
        own = x.to(where).requires_grad_()
        torch.manual_seed(1)
        output = module(own)
        output.square().mean().backward()
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        told.append([each.detach().cpu() for each in (output, own.grad, *gradients) if each is not None])
    module.to("cpu")
    return max(
        float((one - other).abs().max() / one.abs().max().clamp_min(1e-6)) for one, other in zip(*told, strict=True)
    )


def _trainings(name: str) -> Iterator[Found]:
    """The same training on both, in accuracy on the same examples."""
    task = load_task(TaskSpec.model_validate({"name": "digits", "source": "digits"}), base=Path())
    reached = {where: _trained(task, where, 300)[0] for where in ("cpu", name)}
    yield Found(
        what="accuracy after 300 steps on digits, processor and device",
        value=f"{reached['cpu']:.3f} and {reached[name]:.3f}",
        right=min(reached.values()) > 0.9 and abs(reached["cpu"] - reached[name]) <= _APART,
    )


def _trained(task: Task, where: str, steps: int, *, architecture: str = _CELL) -> tuple[float, float]:
    """The best score of a training, and seconds a step."""
    network = build_network(parse_architecture(architecture), task.shape, seed=0).to(where)
    training, validation = (Examples.of(part.x, part.y, device=where) for part in (task.train, task.validation))
    plan, full, goal = TrainingSection().plan(task), Fidelity(name="full", steps=steps), goal_of(task)
    begun = time.perf_counter()
    result = train(network, training, validation, plan, full, seed=0, goal=goal)
    if where.startswith("cuda"):
        torch.cuda.synchronize(where)
    return result.best, (time.perf_counter() - begun) / steps


def _life(name: str, work: Path) -> Iterator[Found]:
    """A life of two tasks there, its audits, and its verification."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "device.yaml").write_text(_STREAM, encoding="utf-8")
    home = str(work / "home")
    for words in (
        ("run", str(work / "device.yaml"), "--home", home, "--device", name, "--workers", "1", "--no-mirror"),
        ("verify", "--home", home, "--deep"),
    ):
        begun = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "selfnas", *words], capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).strip().splitlines()
        yield Found(
            what=f"selfnas {words[0]}",
            value=f"exit code {done.returncode} after {time.perf_counter() - begun:.0f} s: {said[-1] if said else ''}",
            right=done.returncode == 0,
        )


def _speed(name: str, steps: int) -> Iterator[Found]:
    """Seconds a step on 6,000 made-up colour images of 32 by 32, and the memory that the device held."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(6_000) % 10
    x = torch.randn(6_000, 3, 32, 32, generator=generator) + y[:, None, None, None] / 10
    task = Task.from_arrays(x.numpy(), y.numpy(), name="colours")
    assert task.shape == TaskShape(channels=3, size=(32, 32), classes=10)  # noqa: S101 - channels first, as given
    if name.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(name)
    _, seconds = _trained(task, name, steps, architecture=_BIG)
    held = f"; {torch.cuda.max_memory_allocated(name) / 2**20:.0f} MiB held" if name.startswith("cuda") else ""
    yield Found(
        what="a step of 64 colour images of 32 by 32, 16 channels", value=f"{1000 * seconds:.1f} ms{held}", right=True
    )


if __name__ == "__main__":
    run(check)
