"""Keys and values of earlier positions, so that each position passes through the model once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.config import ModelConfig
from model.windowed import visible


class Cache(Protocol):
    """What an attention layer remembers."""

    @property
    def longest(self) -> int:
        """Cached positions of the longest sequence."""

    def places(self, count: int) -> Tensor:
        """The next `count` positions: (position,), or (sequence, position) if sequences differ."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
        """Add keys and values, and attend to all: (sequence, position, head, channel) to
        (sequence, position, width).
        """


class KeyValueCache:
    """Keys and values of one sequence in one attention layer."""

    def __init__(self, config: ModelConfig, like: Tensor) -> None:
        """An empty cache for `config.context` positions, with the type and device of `like`."""
        size = (2, config.key_value_heads, config.context, config.head_channels)
        self._kept = torch.empty(size, dtype=like.dtype, device=like.device)
        self.length = 0
        """Number of positions in the cache."""

    @property
    def longest(self) -> int:
        return self.length

    @property
    def kept(self) -> Tensor:
        """Keys and values so far: (2, head, position, channel)."""
        return self._kept[:, :, : self.length]

    def places(self, count: int) -> Tensor:
        return torch.arange(self.length, self.length + count, device=self._kept.device)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
        first, self.length = self.length, self.length + query.shape[1]
        for kept, new in zip(self._kept, (key, value), strict=True):
            kept[:, first : self.length] = new[0].transpose(0, 1)
        seen = visible(range(first, self.length), range(self.length), window, query.device)
        shared = query.shape[2] != key.shape[2]
        keys, values = self.kept
        mixed = F.scaled_dot_product_attention(
            query[0].transpose(0, 1), keys, values, attn_mask=seen, enable_gqa=shared
        )
        return mixed.transpose(0, 1).flatten(1)[None]


class BatchCache:
    """Keys and values of several sequences in one attention layer; each grows by one position."""

    def __init__(self, config: ModelConfig, like: Tensor, shape: tuple[int, int]) -> None:
        """Empty caches; `shape`: how many sequences, and the most positions that one may get."""
        sequences, positions = shape
        size = (2, sequences, config.key_value_heads, positions, config.head_channels)
        # Zeros: what a mask hides is multiplied by 0, and must be a number.
        self._kept = torch.zeros(size, dtype=like.dtype, device=like.device)
        self._lengths = torch.zeros(sequences, dtype=torch.int64, device=like.device)
        self.longest = 0

    def begin(self, row: int, cache: KeyValueCache) -> None:
        """Begin a sequence with what a cache holds."""
        self._kept[:, row, :, : cache.length] = cache.kept
        self._lengths[row] = cache.length
        self.longest = max(self.longest, cache.length)

    def select(self, rows: Sequence[int]) -> None:
        """Go on with some of the sequences only."""
        self._kept, self._lengths = self._kept[:, rows], self._lengths[rows]
        self.longest = int(self._lengths.max())

    def places(self, count: int) -> Tensor:
        return self._lengths[:, None] + torch.arange(count, device=self._kept.device)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
        rows, last = torch.arange(len(query), device=query.device), self._lengths
        for kept, new in zip(self._kept, (key, value), strict=True):
            kept[rows, :, last] = new[:, 0]
        self._lengths, self.longest = last + 1, self.longest + 1
        positions = torch.arange(self.longest, device=query.device)
        seen = positions <= last[:, None]
        if window is not None:
            seen &= positions > last[:, None] - window
        keys, values = self._kept[:, :, :, : self.longest]
        shared = query.shape[2] != key.shape[2]
        mixed = F.scaled_dot_product_attention(
            query.transpose(1, 2), keys, values, attn_mask=seen[:, None, None], enable_gqa=shared
        )
        return mixed.transpose(1, 2).flatten(2)
