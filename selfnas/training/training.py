"""Training with PyTorch Lightning: one network, one split, one plan; the only module that imports Lightning.

A training that diverges or runs out of memory is an outcome (`TrainingResult.failure`), never an exception.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas import seeding
from selfnas.data.targets import InputKind, Target, Targets
from selfnas.networks.series import lay_out
from selfnas.robust.hardening import CLIPPED_AT, Robustness
from selfnas.training.augmentation import augmented, mixing
from selfnas.training.averaging import STATISTICS, WeightAverage
from selfnas.training.evaluation import Fidelity
from selfnas.training.losses import as_shares, constant_outputs, loss_for
from selfnas.training.metrics import COUNTED, metric_for, score
from selfnas.training.outputs import predict
from selfnas.training.recipes import PLAIN, Recipe
from selfnas.training.schedule import Schedule, fit_schedule, patience_in

__all__ = ["Examples", "Goal", "TrainingPlan", "TrainingResult", "Transfer", "accuracy", "train"]

_FUSED = ("cpu", "cuda")  # devices on which one call updates all weights
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """How a network is trained, the same for every candidate of a run.

    Attributes:
        learning_rate: peak of one cycle, see `selfnas.training.schedule`.
        weight_decay: decoupled (AdamW).
        label_smoothing: in [0, 1).
        recipe: what is done to examples and weights beside.
        class_weights: see `selfnas.training.losses.loss_for`; none weighs all alike.
        robustness: what networks are hardened against; None is plain training. Examples are then not mixed, and weights
            not averaged, for neither has been tried with bounds.
    """

    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 5e-2
    label_smoothing: float = 0.05
    recipe: Recipe = PLAIN
    class_weights: tuple[float, ...] = ()
    robustness: Robustness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What networks are trained for.

    Attributes:
        target: what is asked of an example; None is classification, whose score is accuracy.
        inputs: what an example is; None changes no example, whatever the recipe.
        metric: that is scored; None takes the target's default.
    """

    target: Target | None = None
    inputs: InputKind | None = None
    metric: str | None = None

    @property
    def counted(self) -> bool:
        """Whether scores are accuracies."""
        return self.target is None or (self.metric or metric_for(self.target, {})) == COUNTED

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """What a search maximises."""
        if self.target is None:
            return float((outputs.argmax(dim=1) == y).double().mean())
        return score(outputs, y, self.target, self.metric)

    def chance(self, training: Tensor, validation: Tensor) -> float:
        """The score of the best answer that looks at no example."""
        constant = constant_outputs(training, self.target)
        return self.score(constant.expand(len(validation), -1), validation)


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs `(n, channels, *size)` float32 and what a split holds as `y`, on one device."""

    x: Tensor
    y: Tensor

    @staticmethod
    def of(x: NDArray[np.float32], y: Targets, *, device: torch.device | str = "cpu") -> Examples:
        """From NumPy arrays."""
        return Examples(torch.from_numpy(x).to(device), torch.from_numpy(y).to(device))

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device | str) -> Examples:
        """The same on a device."""
        return Examples(self.x.to(device), self.y.to(device))

    def rows(self, index: Tensor) -> Examples:
        """Some of them, copied."""
        index = index.to(self.x.device)
        return Examples(self.x[index], self.y[index])

    def and_also(self, others: Examples) -> Examples:
        """These, then others; copied."""
        return Examples(torch.cat([self.x, others.x]), torch.cat([self.y, others.y]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transfer:
    """What a teacher says (*knowledge distillation*).

    Attributes:
        varied: examples near those to train on, with its answers as targets, `(m, outputs)` float32.
        own: `(n, outputs)` its answers to those to train on, as of one who had not seen them; None where only `varied`
            are taught.
    """

    varied: Examples
    own: Tensor | None = None

    def to(self, device: torch.device | str) -> Transfer:
        """The same on a device."""
        return Transfer(varied=self.varied.to(device), own=None if self.own is None else self.own.to(device))

    def taught(self, parts: Sequence[Examples]) -> list[Examples]:
        """Training examples whose targets are shares: halfway between what was measured and what the teacher says."""
        begin, found = 0, list[Examples]()
        for part in parts:
            shares = as_shares(part.y, self.varied.y.shape[1])
            if self.own is not None:
                shares = (shares + self.own[begin : begin + len(part)]) / 2
            found.append(Examples(part.x, shares))
            begin += len(part)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What training gave.

    Attributes:
        failure: why there is no usable network; empty when there is one.
        curve: score at each validation.
        train_loss: mean loss since the validation before the last; NaN when it failed.
        weights: state of the network at the best validation, the latest of equals; empty when it failed.
        best_step: how many steps had been taken by then.
        steps: of the whole schedule, were it not ended early.
        outputs: `(n, outputs)` for the validation examples, at each validation.
    """

    failure: str
    curve: tuple[float, ...]
    train_loss: float
    weights: Mapping[str, Tensor]
    best_step: int = 0
    steps: int = 0
    outputs: tuple[Tensor, ...] = ()

    @property
    def best(self) -> float:
        """The best of `curve`."""
        return max(self.curve, default=0.0)


def train(
    network: nn.Module,
    training: Examples | Sequence[Examples],
    validation: Examples | None,
    plan: TrainingPlan,
    fidelity: Fidelity,
    *,
    seed: int,
    least: Sequence[float] = (),
    goal: Goal | None = None,
    schedule: Schedule | None = None,
    transfer: Transfer | None = None,
) -> TrainingResult:
    """Fit a network in place and leave it with the weights of its best validation.

    Args:
        network: maps `(b, channels, *size)` to `(b, c)` logits; trained on the device its inputs are on.
        training: a `fraction` of it, drawn by seed, is used; several are taken together, without a copy.
        validation: decides which weights are kept, and early stopping; with None the last weights are kept.
        fidelity: how many steps, on which fraction of the data, with how much patience.
        seed: decides the order of examples and the subset.
        least: score needed at each validation; a training that is below stops there with what it has.
        goal: what it is trained for; None is classification.
        schedule: of the steps; None fits one to the fidelity and the number of examples.
        transfer: what a teacher says. A share of each batch is drawn from its varied examples (`Recipe.distil`), and
            targets are fitted as shares, without smoothing. None teaches by targets alone.
    """
    goal = goal or Goal()
    given = [training] if isinstance(training, Examples) else training
    pool = _Pool(given, fidelity.fraction, seed)
    chance = _chance(goal, pool, validation)
    lay_out(network, torch.channels_last)  # convolutions take a quarter to a half less time so
    if transfer is not None:
        pool = _Pool(transfer.taught(given), fidelity.fraction, seed)
        plan = replace(plan, label_smoothing=0.0)  # a teacher's answers are smooth already
    schedule = schedule or fit_schedule(fidelity, len(pool), batch_size=plan.batch_size)
    if validation is None:
        schedule = replace(schedule, parts=(schedule.steps,))
    varied = None if transfer is None else transfer.varied
    parts = _Parts(pool, schedule, seeding.torch_generator(seed, "order"), varied=varied, share=plan.recipe.distil)
    average = None
    if plan.robustness is not None:
        plan.robustness.prepare(network, seeding.torch_generator(seed, "hardening"))
    elif plan.recipe.average:
        draw = torch.randperm(len(pool), generator=seeding.torch_generator(seed, "statistics"))
        seen = pool.rows(draw[:STATISTICS]).x
        average = WeightAverage(network, steps=plan.recipe.average * schedule.steps, x=seen)
    module = _Module(network, plan, schedule, goal, average, seeding.torch_generator(seed, "augmentation"))
    patience = patience_in(fidelity, schedule)
    watcher = _Watcher(validation, schedule, patience, least, goal, chance=chance)
    device = pool.device
    noise = [device.index or 0] if device.type == "cuda" else []
    with warnings.catch_warnings(), torch.random.fork_rng(devices=noise):
        torch.manual_seed(seeding.derive(seed, "dropout"))
        warnings.simplefilter("ignore")
        _quiet_lightning()
        trainer = pl.Trainer(
            max_epochs=len(schedule.parts),
            accelerator="cpu" if device.type == "cpu" else device.type,
            devices=1 if device.type == "cpu" else [device.index or 0],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[watcher],
            plugins=[LightningEnvironment()],  # one process, whatever a cluster's variables say
        )
        try:
            trainer.fit(module, train_dataloaders=parts)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and not any(
                text in str(error).lower() for text in _OUT_OF_MEMORY
            ):
                raise
            watcher.failure = "out of memory"
    failure = watcher.failure or ("" if watcher.best_state else "no validation was reached")
    if not failure:
        network.load_state_dict(watcher.best_state)
    lay_out(network.to(device), torch.contiguous_format)
    network.eval()
    return TrainingResult(
        failure=failure,
        curve=tuple(watcher.curve),
        train_loss=math.nan if failure else module.mean_loss(),
        weights={} if failure else watcher.best_state,
        best_step=0 if failure else watcher.best_step,
        steps=schedule.steps,
        outputs=tuple(watcher.outputs),
    )


def accuracy(network: nn.Module, examples: Examples) -> float:
    """Share of examples whose largest logit is the label, in [0, 1]."""
    return float((predict(network, examples.x).argmax(dim=1) == examples.y).double().mean())


class _Pool:
    """What a training draws its batches from: a share of one or more sets of examples, none of which is copied."""

    def __init__(self, parts: Sequence[Examples], fraction: float, seed: int) -> None:
        self._parts, self.device = parts, parts[0].x.device
        whole = sum(map(len, parts))
        self._chosen: Tensor | None = None
        if fraction < 1:
            order = torch.randperm(whole, generator=seeding.torch_generator(seed, "subset"))
            self._chosen = order[: max(2, round(whole * fraction))]

    def __len__(self) -> int:
        return sum(map(len, self._parts)) if self._chosen is None else len(self._chosen)

    @property
    def y(self) -> Tensor:
        """Of all of them."""
        y = torch.cat([part.y for part in self._parts])
        return y if self._chosen is None else y[self._chosen.to(y.device)]

    def rows(self, index: Tensor) -> Examples:
        """Some of them, by place, copied."""
        index = index if self._chosen is None else self._chosen[index]
        if len(self._parts) == 1:
            return self._parts[0].rows(index)
        begin, found = 0, list[Examples]()
        places = []
        for part in self._parts:
            inside = ((index >= begin) & (index < begin + len(part))).nonzero().squeeze(1)
            places.append(inside)
            found.append(part.rows(index[inside] - begin))
            begin += len(part)
        back = torch.cat(places).argsort()
        together = functools.reduce(Examples.and_also, found)
        return together.rows(back)


class _Parts:
    """What Lightning takes for a loader: for each epoch one batch, which is all batches up to a validation.

    Each has some milliseconds of its own, which for a small network is as long as a step takes. Batches are of tensors
    already in memory: a hundred times cheaper than a DataLoader for small data.
    """

    def __init__(
        self,
        pool: _Pool,
        schedule: Schedule,
        generator: torch.Generator,
        *,
        varied: Examples | None = None,
        share: float = 0.0,
    ) -> None:
        self._pool, self._schedule, self._generator = pool, schedule, generator
        self._varied, self._share = varied, share
        self._parts, self._order = iter(schedule.parts), self._orders()

    def __iter__(self) -> Iterator[Iterator[Examples]]:
        """The next part of the schedule."""
        yield (self._batch(rows) for rows in itertools.islice(self._order, next(self._parts)))

    def _orders(self) -> Iterator[Tensor]:
        """Numbers of the examples of each batch, in a new order each epoch, without end.

        One example alone would break batch norm where an image has shrunk to one position: the epoch's first joins it.
        """
        while True:
            order = torch.randperm(len(self._pool), generator=self._generator)
            for rows in order.tensor_split(self._schedule.per_epoch):
                yield rows if len(rows) > 1 else torch.cat([rows, order[:1]])

    def _batch(self, rows: Tensor) -> Examples:
        """Examples by number; with a teacher the last of them give way to a draw of its varied examples."""
        if self._varied is None:
            return self._pool.rows(rows)
        count = int(self._share * len(rows))
        drawn = torch.randint(len(self._varied), (count,), generator=self._generator)
        return self._pool.rows(rows[: len(rows) - count]).and_also(self._varied.rows(drawn))


class _Module(pl.LightningModule):
    """Takes all steps of a part in one call of Lightning's."""

    automatic_optimization = False

    def __init__(
        self,
        network: nn.Module,
        plan: TrainingPlan,
        schedule: Schedule,
        goal: Goal,
        average: WeightAverage | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.network = network
        self._plan, self._schedule, self._goal = plan, schedule, goal
        self._average, self._generator = average, generator
        self._loss = loss_for(
            goal.target, smoothing=plan.label_smoothing, weights=plan.class_weights, metric=goal.metric
        )
        self._losses: list[Tensor] = []
        self._taken = 0  # steps
        self._optimiser: torch.optim.Optimizer | None = None

    def training_step(self, part: Iterator[Examples], index: int) -> None:
        self._losses.clear()
        if self._plan.robustness is not None:
            self._plan.robustness.settle(self.network)
        optimiser = self._optimiser
        assert optimiser is not None  # noqa: S101 - Lightning asked for it
        for batch in part:
            for group in optimiser.param_groups:
                group["lr"] = self._plan.learning_rate * self._schedule.factor(self._taken)
            loss = self._loss_of(batch)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            if self._plan.robustness is not None:
                nn.utils.clip_grad_norm_(self.network.parameters(), CLIPPED_AT)
            optimiser.step()
            self._taken += 1
            if self._average is not None:
                self._average.update()
            self._losses.append(loss.detach())

    def _loss_of(self, batch: Examples) -> Tensor:
        x, y = batch.x, batch.y
        recipe, inputs = self._plan.recipe, self._goal.inputs
        if inputs is not None:
            x = augmented(x, recipe, self._generator, inputs=inputs)
        if self._plan.robustness is not None:
            hardened = self._plan.robustness.loss(self.network, x, y, self._taken / self._schedule.steps)
            return self._loss(self.network(x), y) if hardened is None else hardened
        if not recipe.mixup or not x.is_floating_point():
            return self._loss(self.network(x), y)
        partner, own = mixing(len(x), recipe, self._generator)
        partner = partner.to(x.device)
        outputs = self.network(own * x + (1 - own) * x[partner])
        return own * self._loss(outputs, y) + (1 - own) * self._loss(outputs, y[partner])

    @property
    def delivered(self) -> nn.Module:
        """The network whose weights count: averaged, or as they are."""
        return self.network if self._average is None else self._average.network

    def answers(self, examples: Examples) -> Tensor:
        """`(n, outputs)` that are scored: what the network answers, or what is proved of it."""
        hardened = self._plan.robustness
        proved = None if hardened is None else hardened.answers(self.delivered, examples.x, examples.y)
        return predict(self.delivered, examples.x) if proved is None else proved

    def mean_loss(self) -> float:
        """Mean training loss over the part that ran last."""
        return float(torch.stack(self._losses).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Called once the network is on its device; its own steps are taken without what Lightning wraps it in."""
        plan = self._plan
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=plan.learning_rate,
            weight_decay=plan.weight_decay,
            fused=self.device.type in _FUSED,
        )
        return self._optimiser


class _Watcher(pl.Callback):
    """Validates after each part, keeps the best weights, stops on divergence and on lack of patience.

    Patience is lost by validations that are worse than the best, after warm-up and once the best is above chance.
    """

    def __init__(
        self,
        validation: Examples | None,
        schedule: Schedule,
        patience: int,
        least: Sequence[float],
        goal: Goal,
        *,
        chance: float,
    ) -> None:
        self._validation, self._schedule, self._goal, self._chance = validation, schedule, goal, chance
        self._patience, self._least = patience, least
        self._worse = 0
        self.curve: list[float] = []
        self.outputs: list[Tensor] = []
        self.best_state: dict[str, Tensor] = {}
        self.best_step = 0
        self.failure = ""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, _Module)  # noqa: S101 - narrows the type
        delivered = pl_module.delivered
        held = self._validation
        outputs = None if held is None else pl_module.answers(held)
        pl_module.network.train()
        if not math.isfinite(pl_module.mean_loss()) or not (outputs is None or bool(torch.isfinite(outputs).all())):
            self.failure = "diverged: a loss or an output is not finite"
            trainer.should_stop = True
            return
        if outputs is None or held is None:
            self._keep(delivered, self._schedule.steps)
            return
        score = self._goal.score(outputs, held.y)
        self.curve.append(score)
        self.outputs.append(outputs)
        best, step = max(self.curve), sum(self._schedule.parts[: len(self.curve)])
        if score == best:
            self._keep(delivered, step)
        patient = score == best or step <= self._schedule.warm_up or best <= self._chance
        self._worse = 0 if patient else self._worse + 1
        hopeless = len(self.curve) <= len(self._least) and best < self._least[len(self.curve) - 1]
        if hopeless or (self._patience and self._worse >= self._patience):
            trainer.should_stop = True

    def _keep(self, network: nn.Module, step: int) -> None:
        self.best_state = {
            name: value.detach().clone(memory_format=torch.contiguous_format)
            for name, value in network.state_dict().items()
        }
        self.best_step = step


def _chance(goal: Goal, training: _Pool, validation: Examples | None) -> float:
    return 0.0 if validation is None else goal.chance(training.y, validation.y)


def _quiet_lightning() -> None:
    for name in ("pytorch_lightning", "lightning.pytorch", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
