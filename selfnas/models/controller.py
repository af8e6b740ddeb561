"""The controller of `reinforce`: a recurrent network that writes architectures, and what trains it on their scores.

Source: Zoph & Le 2017 (ICLR), with a moving-average baseline and the entropy bonus of Bello et al. 2017; see
`selfnas.strategies.reinforce`, which says where we depart from them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas.models.gaussian_process import normal_scores
from selfnas.spaces.architecture import Space
from selfnas.spaces.template import Vector

__all__ = ["Learner"]

_CHUNK = 5  # consecutive trials that share a gradient step; those of an unfinished chunk wait
_SMOOTHING = 0.9  # of the reward's moving average
_SEED = 0  # of the controller's first weights: every call must start from the same controller


class Learner:
    """A controller, its optimiser, and all that they have seen."""

    def __init__(self, space: Space, *, hidden: int, learning_rate: float) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self.controller = Controller(space, hidden)
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


class Controller(nn.Module):
    """An LSTM that reads the tokens so far and scores the next one, slot by slot."""

    def __init__(self, space: Space, hidden: int) -> None:
        super().__init__()
        self.space = space
        self.widest = max(space.kinds)
        self.start = self.widest  # a token of its own before the first
        self.embed = nn.Embedding(self.widest + 1, hidden)
        self.place = nn.Embedding(len(space.kinds), hidden)
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
    possible = np.zeros((len(tokens), widest), dtype=bool)
    if index < 0:  # a macro setting
        possible[:, : space.kinds[position]] = True
        return possible
    template = space.templates[index]
    possible[:, : len(template.operations) + 1] = True
    if template.in_degree is not None:
        first = position - source
        wanted = template.in_degree - (tokens[:, first:position] > 0).sum(axis=1)
        left = target - source
        possible[wanted == 0, 1:] = False
        possible[wanted >= left, 0] = False
    return possible
