"""Dropout whose masks are a pure function of (seed, step, site, sequence).

Two arms trained with one seed must drop the same units, also when one of them has more dropout
sites, another micro-batch size, or was interrupted. So a mask is not drawn from a generator that
remembers: it is read from a counter-based one (Philox, Salmon et al. 2011, "Parallel random
numbers: as easy as 1, 2, 3", SC11) at a place that its coordinates name.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 2**16
"""A unit is dropped when 16 random bits fall below rate x 2^16, so rates are exact to 2e-5."""
WORDS = 4
"""64-bit words that one Philox counter yields."""
LANES = WORDS * 4
"""16-bit numbers that one Philox counter yields."""


class DropoutStream:
    """The masks of one run, and the place in training that they are read at."""

    def __init__(self, seed: int) -> None:
        digest = hashlib.sha256(f"dropout/{seed}".encode()).digest()
        self._key = np.frombuffer(digest[:16], dtype=np.uint64)
        self._step = 0
        self._first_sequence = 0

    def seek(self, step: int, first_sequence: int) -> None:
        """Go to a micro-batch: the optimiser step, and where in its batch the sequences begin."""
        self._step = step
        self._first_sequence = first_sequence

    def keep_mask(self, site: int, shape: torch.Size, rate: float) -> Tensor:
        """Zeros where a unit is dropped and 1 / P(kept) elsewhere; float32 of `shape`.

        The first dimension of `shape` is the sequence.
        """
        per_sequence = math.prod(shape[1:])
        blocks = -(-per_sequence // LANES)
        counter = np.array([self._first_sequence * blocks, site, self._step, 0], dtype=np.uint64)
        words = np.random.Philox(counter=counter, key=self._key).random_raw(
            shape[0] * blocks * WORDS
        )
        numbers = torch.from_numpy(words.view(np.int16)).view(shape[0], -1)[:, :per_sequence]
        dropped = min(round(rate * LEVELS), LEVELS - 1)  # a rate below 1 keeps something
        kept = numbers >= dropped - LEVELS // 2
        return kept.to(torch.float32).mul_(LEVELS / (LEVELS - dropped)).view(shape)


class Dropout(nn.Module):
    """One dropout site. It draws its mask from the stream that the model was given."""

    def __init__(self, rate: float, site: int) -> None:
        super().__init__()
        self.rate = rate
        self.site = site
        self.stream: DropoutStream | None = None

    @property
    def active(self) -> bool:
        """Whether a forward pass would drop anything now."""
        return self.training and self.rate > 0

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of `x` (sequence, ...); the identity in evaluation."""
        if not self.active:
            return x
        if self.stream is None:
            raise RuntimeError("a model in training needs a dropout stream: call use_dropout first")
        mask = self.stream.keep_mask(self.site, x.shape, self.rate).to(x.device)
        return (x * mask).to(x.dtype)  # bfloat16 would round the mask's 1 / P(kept)


def use_dropout(model: nn.Module, stream: DropoutStream) -> None:
    """Let every dropout site of `model` read its masks from `stream`."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.stream = stream
