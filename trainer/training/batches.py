"""The training sequences of each step, as a pure function of (seed, step).

There is no state, so a resumed run, or one with other micro-batches, reads the same text.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.corpora.corpus import Part
from trainer.recipe import Recipe
from trainer.tokens import Tokens
from trainer.training.mixing import Dealer
from trainer.training.permutation import Indices, permute

SEQUENCES_AHEAD = 1_024
"""Sequence indices that are computed at once, because each call has a fixed cost."""

MADVISE_MIN_BYTES = 2**32
"""Size in bytes of mapped tokens from which batches are prefetched with madvise."""


class Batches:
    """The batches of one run, read from `tokens` at any step in any order.

    With `parts`, from the corpora of a mixture instead. Sequences are numbered through all of them.
    """

    def __init__(self, recipe: Recipe, tokens: Tokens, parts: Sequence[Part] = ()) -> None:
        self._texts = [part.corpus.train for part in parts] or [tokens]
        self._context = recipe.model.context
        self._size = recipe.train.batch_size
        self._shuffled = recipe.data.order == "shuffled"
        self._seed = recipe.seeds.order
        self._recipe = recipe
        self._sizes = [(len(text) - 1) // self._context for text in self._texts]
        self._starts = np.cumsum([0, *self._sizes[:-1]])
        self._total = recipe.sequences_until(recipe.steps)
        shares = [part.share for part in parts]
        self._dealer = Dealer(shares, self._total, self._seed) if len(parts) > 1 else None
        self._ahead = max(1, SEQUENCES_AHEAD // self._size)
        self._places = lru_cache(maxsize=2)(self._compute)
        self._maps = [large_map(text) if self._shuffled else None for text in self._texts]

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
        if self._dealer is None:
            return self._ordered(slots, self._sizes[0])
        corpora, before = self._dealer.deal(first, end)
        for number, size in enumerate(self._sizes):
            here = corpora == number
            # A corpus that has a sequence for each slot keeps it there, whatever its share is. Of a
            # smaller one, sequences are read one after the other, so that none is read more often.
            places = slots[here] if size >= self._total else before[here]
            slots[here] = self._ordered(places, size) + np.uint64(self._starts[number])
        return slots

    def _ordered(self, slots: Indices, size: int) -> Indices:
        """The sequences that one corpus of `size` sequences has at some slots, over all epochs."""
        epochs, slots = np.divmod(slots, np.uint64(size))
        for epoch in np.unique(epochs) if self._shuffled else ():
            within = epochs == epoch
            slots[within] = permute(slots[within], size, f"order/{self._seed}/{epoch}")
        return slots

    def read(self, step: int, part: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each int64 (sequence, context).

        `part` selects some of the batch's sequences.
        """
        if any(self._maps):
            for number, _, own in self._by_text(self.sequences(step + 1)[part]):
                if mapped := self._maps[number]:
                    self._prefetch(mapped, own)
        sequences = self.sequences(step)[part]
        if len(self._texts) == 1:
            return read_sequences(self._texts[0], sequences, self._context)
        both = torch.empty(2, len(sequences), self._context, dtype=torch.int64)
        for number, here, own in self._by_text(sequences):
            read = read_sequences(self._texts[number], own, self._context)
            both[:, torch.from_numpy(here)] = torch.stack(read)
        return both[0], both[1]

    def _by_text(self, sequences: Indices) -> Iterator[tuple[int, NDArray[np.bool_], Indices]]:
        """For each text with some of the sequences: its number, which they are, and their numbers in it."""
        numbers = np.searchsorted(self._starts, sequences.astype(np.int64), side="right") - 1
        for number in np.unique(numbers).tolist():
            here = numbers == number
            yield number, here, sequences[here] - np.uint64(self._starts[number])

    def _prefetch(self, mapped: mmap.mmap, sequences: Indices) -> None:
        """Let the kernel prefetch a batch while the previous one is trained on."""
        size = self._texts[0].itemsize
        for sequence in sequences.tolist():
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
