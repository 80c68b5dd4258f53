"""Read sequences token by token, with a cache of the earlier tokens' keys and values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.gpt import GPT
from model.key_value_cache import BatchCache, KeyValueCache


class Reader:
    """Reads one sequence piece by piece; each token passes through the model once."""

    def __init__(self, model: GPT) -> None:
        self._model = model
        weight = model.token_embedding.weight
        self.caches = [KeyValueCache(model.config, weight) for _ in model.blocks]

    def forget(self) -> None:
        """Start a new sequence."""
        for cache in self.caches:
            cache.length = 0

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """Read more tokens (position,), int64; returns the logits (vocabulary,) of the next token.

        Raises IndexError when the sequence is longer than the context.
        """
        hidden = self._model.hidden(tokens[None], self.caches)
        return self._model.logits(hidden[0, -1:])[0]


class BatchReader:
    """Reads several sequences: the beginning of each by itself, then a token of each at a time."""

    def __init__(self, model: GPT, sequences: int, positions: int) -> None:
        """No sequence may become longer than `positions`."""
        shape, weight = (sequences, positions), model.token_embedding.weight
        self._model, self._beginning = model, Reader(model)
        self._caches = [BatchCache(model.config, weight, shape) for _ in model.blocks]

    def begin(self, row: int, tokens: Tensor) -> Tensor:
        """Begin a sequence with tokens (position,), int64; returns the next logits (vocabulary,)."""
        self._beginning.forget()
        logits = self._beginning.read(tokens)
        for cache, read in zip(self._caches, self._beginning.caches, strict=True):
            cache.begin(row, read)
        return logits

    def select(self, rows: Sequence[int]) -> None:
        """Go on with some of the sequences only, in this order."""
        for cache in self._caches:
            cache.select(rows)

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """Read a token of each sequence (sequence,), int64; returns the next logits
        (sequence, vocabulary).
        """
        hidden = self._model.hidden(tokens[:, None], self._caches)
        return self._model.logits(hidden[:, -1])
