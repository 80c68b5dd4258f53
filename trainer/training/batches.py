"""The training sequences of each step, as a pure function of (seed, step).

There is no state, so a resumed run, or one with other micro-batches, reads the same text.
"""

from __future__ import annotations

import mmap
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from trainer.recipe import Recipe
from trainer.tokens import Tokens
from trainer.training.permutation import Indices, permute

SEQUENCES_AHEAD = 1_024
"""Sequence indices that are computed at once, because each call has a fixed cost."""

MADVISE_MIN_BYTES = 2**32
"""Size in bytes of mapped tokens from which batches are prefetched with madvise."""


class Batches:
    """The batches of one run, read from `tokens` at any step in any order."""

    def __init__(self, recipe: Recipe, tokens: Tokens) -> None:
        self._tokens = tokens
        self._context = recipe.model.context
        self._size = recipe.train.batch_size
        self._shuffled = recipe.data.order == "shuffled"
        self._seed = recipe.seeds.order
        self._recipe = recipe
        self._sequences = (len(tokens) - 1) // self._context
        self._ahead = max(1, SEQUENCES_AHEAD // self._size)
        self._places = lru_cache(maxsize=2)(self._compute)
        self._map = large_map(tokens) if self._shuffled else None

    def sequences(self, step: int) -> Indices:
        """Indices of the sequences in the batch of `step`, in order, shape (batch_size,)."""
        if self._recipe.schedule.batch_warmup:
            return self._between(*(self._recipe.sequences_until(end) for end in (step, step + 1)))
        block, row = divmod(step, self._ahead)
        return self._places(block)[row]  # type: ignore[no-any-return]

    def _compute(self, block: int) -> Indices:
        """The sequences of consecutive steps, shape (steps, batch_size)."""
        count = self._ahead * self._size
        return self._between(block * count, (block + 1) * count).reshape(self._ahead, self._size)

    def _between(self, first: int, end: int) -> Indices:
        """The sequences from the `first` that is read on, over all epochs."""
        slots = np.arange(first, end, dtype=np.uint64)
        epochs, slots = np.divmod(slots, np.uint64(self._sequences))
        for epoch in np.unique(epochs) if self._shuffled else ():
            within = epochs == epoch
            key = f"order/{self._seed}/{epoch}"
            slots[within] = permute(slots[within], self._sequences, key)
        return slots

    def read(self, step: int, part: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each int64 (sequence, context).

        `part` selects some of the batch's sequences.
        """
        if self._map:
            self._prefetch(self._map, step + 1, part)
        return read_sequences(self._tokens, self.sequences(step)[part], self._context)

    def _prefetch(self, mapped: mmap.mmap, step: int, part: slice) -> None:
        """Let the kernel prefetch a batch while the previous one is trained on."""
        size = self._tokens.itemsize
        for sequence in self.sequences(step)[part].tolist():
            start = sequence * self._context * size
            begin = start - start % mmap.PAGESIZE
            length = start - begin + (self._context + 1) * size
            mapped.madvise(mmap.MADV_WILLNEED, begin, length)


def large_map(tokens: Tokens) -> mmap.mmap | None:
    """The memory map of a large token file that is read at random; None for a small one.

    Linux reads megabytes ahead of each access to a mapped file. That helps with a small file; of a
    large one, most is evicted before it is used, so read-ahead is switched off here.
    """
    mapped: object = tokens.base
    if not isinstance(mapped, mmap.mmap) or tokens.nbytes < MADVISE_MIN_BYTES:
        return None
    mapped.madvise(mmap.MADV_RANDOM)
    return mapped


def read_sequences(tokens: Tokens, sequences: Indices, context: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of the given sequences, each int64 (sequence, context)."""
    starts = sequences.astype(np.int64) * context
    window = tokens[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    both = torch.from_numpy(window)
    return both[:, :-1].contiguous(), both[:, 1:].contiguous()
