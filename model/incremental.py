"""Read a sequence token by token, with a cache of the earlier tokens' keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from model.attention import KeyValueCache
from model.gpt import GPT


class Reader:
    """Reads one sequence piece by piece; each token passes through the model once."""

    def __init__(self, model: GPT) -> None:
        self._model = model
        weight = model.token_embedding.weight
        self._caches = [KeyValueCache(model.config, weight) for _ in model.blocks]

    def forget(self) -> None:
        """Start a new sequence."""
        for cache in self._caches:
            cache.length = 0

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """Read more tokens (position,), int64; returns the logits (vocabulary,) of the next token.

        Raises IndexError when the sequence is longer than the context.
        """
        hidden = self._model.hidden(tokens[None], self._caches)
        return self._model.logits(hidden[0, -1:])[0]
