"""Reinforcement learning: a recurrent controller writes the architecture token by token and is rewarded by its score.

Source: Zoph & Le 2017 (ICLR), with a moving-average baseline and the entropy bonus of Bello et al. 2017. Ours reads the
whole training off the history, so that there is no state to save, and scales rewards by rank: each trial is rewarded by
its rank among all up to the end of its chunk. So what a controller has learnt from a beginning of the history does not
hang on what comes after; it is kept for the next call, which goes on from there if its history begins alike, and does
all of it again if not. Constraints are met by projection: a written architecture that is not admitted is replaced by
an admitted neighbour, or dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas.models.gaussian_process import normal_scores
from selfnas.search.domain import Domain, Proposals, encoded, neighbours
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.space import Space
from selfnas.spaces.template import Vector

__all__ = ["Reinforce"]

_ATTEMPTS = 12  # sampled architectures for each one wanted
_CHUNK = 5  # consecutive trials that share a gradient step; those of an unfinished chunk wait
_SMOOTHING = 0.9  # of the reward's moving average
_SEED = 0  # of the controller's first weights: every call must start from the same controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforce:
    """See `Strategy`.

    Attributes:
        initial: random architectures before the controller writes; warm ones count.
        hidden: width of the recurrent cell.
        learning_rate: of Adam.
        entropy_percent: weight of the entropy bonus, in hundredths.
        replays: gradient steps for each five consecutive trials.
    """

    initial: int = 10
    hidden: int = 32
    learning_rate: float = 0.02
    entropy_percent: int = 5
    replays: int = 3
    _kept: list[_Learner] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.initial < 1 or self.hidden < 1 or self.replays < 1 or not 0 < self.learning_rate <= 1:
            raise ValueError(f"need initial, hidden, replays >= 1 and 0 < learning_rate <= 1, not {self}")
        if not 0 <= self.entropy_percent <= 100:
            raise ValueError(f"need entropy_percent in 0..100, not {self.entropy_percent}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones, then what the controller writes."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        values = np.array([trial.value for trial in trials])
        if batch.missing > 0 and len(trials) >= self.initial and np.isfinite(values).any():
            written = self._learner(domain.space, vectors, values).controller.write(rng, _ATTEMPTS * batch.missing)
            for vector, admitted in zip(written, domain.admits(written), strict=True):
                if batch.missing <= 0:
                    break
                if admitted:
                    batch.offer(vector[None])
                else:
                    near = neighbours(domain, vector)
                    batch.offer(near[rng.permutation(len(near))[:1]])
        batch.fill(rng)
        return batch.chosen

    def _learner(self, space: Space, vectors: Vector, values: NDArray[np.float64]) -> _Learner:
        """One that has seen the trials in their order: the latest, taken further, if what it saw is how they begin."""
        if not (self._kept and self._kept[0].began(space, vectors, values)):
            self._kept[:] = [_Learner(space, hidden=self.hidden, learning_rate=self.learning_rate)]
        self._kept[0].learn(vectors, values, replays=self.replays, bonus=self.entropy_percent / 100)
        return self._kept[0]


class _Learner:
    """A controller, its optimiser, and all that they have seen."""

    def __init__(self, space: Space, *, hidden: int, learning_rate: float) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self.controller = _Controller(space, hidden)
        self._optimiser = torch.optim.Adam(self.controller.parameters(), lr=learning_rate)
        self._baseline = 0.0
        self._seen, self._vectors, self._values = 0, b"", b""

    def began(self, space: Space, vectors: Vector, values: NDArray[np.float64]) -> bool:
        """Whether what it has seen is how these `(n, slots)` vectors and `(n,)` values begin."""
        return (
            space == self.controller.space
            and len(vectors) >= self._seen
            and vectors[: self._seen].tobytes() == self._vectors
            and values[: self._seen].tobytes() == self._values
        )

    def learn(self, vectors: Vector, values: NDArray[np.float64], *, replays: int, bonus: float) -> None:
        """Go on to the last whole chunk of trials.

        Args:
            vectors: `(n, slots)`, beginning with what was seen.
            values: `(n,)`, likewise.
            replays: gradient steps a chunk.
            bonus: weight of the entropy.
        """
        tokens = torch.from_numpy(vectors.astype(np.int64))
        for start in range(self._seen, len(tokens) - _CHUNK + 1, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            rewards = torch.from_numpy(normal_scores(values[: start + _CHUNK])[chunk]).float()
            for _ in range(replays):
                chosen = torch.log_softmax(self.controller(tokens[chunk]), dim=2)
                entropy = -(chosen.exp() * chosen).sum(dim=2).mean()
                likelihood = chosen.gather(2, tokens[chunk, :, None]).sum(dim=(1, 2))
                loss = -((rewards - self._baseline) * likelihood).mean() - bonus * entropy
                self._optimiser.zero_grad()
                torch.autograd.backward([loss])
                nn.utils.clip_grad_norm_(self.controller.parameters(), 5.0)
                self._optimiser.step()
            for reward in rewards.tolist():
                self._baseline = _SMOOTHING * self._baseline + (1 - _SMOOTHING) * reward
            self._seen = start + _CHUNK
        self._vectors, self._values = vectors[: self._seen].tobytes(), values[: self._seen].tobytes()


class _Controller(nn.Module):
    """An LSTM that reads the tokens so far and scores the next one, slot by slot."""

    def __init__(self, space: Space, hidden: int) -> None:
        super().__init__()
        self.space = space
        kinds = [len(template.operations) + 1 for template in space.templates for _ in template.slots]
        self.widest = max(kinds)
        self.start = self.widest  # a token of its own before the first
        self.embed = nn.Embedding(self.widest + 1, hidden)
        self.place = nn.Embedding(len(kinds), hidden)
        self.recur = nn.LSTM(hidden, hidden, batch_first=True)
        self.score = nn.Linear(hidden, self.widest)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(b, slots)` tokens to `(b, slots, kinds)` logits of each slot given those before it."""
        before = torch.cat([torch.full_like(tokens[:, :1], self.start), tokens[:, :-1]], dim=1)
        seen, _ = self.recur(self.embed(before) + self.place.weight[None])
        logits: Tensor = self.score(seen)
        return logits

    def write(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` sampled architectures of the space; which tokens are possible is decided slot by slot."""
        slots = self.space.slots
        tokens = torch.zeros((count, len(slots)), dtype=torch.int64)
        with torch.no_grad():
            for position in range(len(slots)):
                logits = self(tokens)[:, position].double().numpy()
                logits[~_possible(self.space, tokens.numpy(), position, self.widest)] = -np.inf
                noise = rng.gumbel(size=logits.shape)
                tokens[:, position] = torch.from_numpy((logits + noise).argmax(axis=1))
        return tokens.numpy().astype(np.int8)


def _possible(
    space: Space, tokens: np.ndarray[tuple[int, int], np.dtype[np.int64]], position: int, widest: int
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """`(n, kinds)` which tokens can stand at a position, so that nodes of fixed in-degree get exactly as many edges."""
    index, source, target = space.slots[position]
    template = space.templates[index]
    possible = np.zeros((len(tokens), widest), dtype=bool)
    possible[:, : len(template.operations) + 1] = True
    if template.in_degree is not None:
        first = position - source
        wanted = template.in_degree - (tokens[:, first:position] > 0).sum(axis=1)
        left = target - source
        possible[wanted == 0, 1:] = False
        possible[wanted >= left, 0] = False
    return possible
