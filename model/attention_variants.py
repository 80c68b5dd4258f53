"""Attention with RoPE, normalised queries and keys, grouped heads, a window or value embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.attention import CausalSelfAttention
from model.config import ModelConfig
from model.key_value_cache import Cache
from model.learned_sum import LearnedSum
from model.linear import Linear, is_plain
from model.norm import EPSILON, norm_groups
from model.rotation import Rotation


def is_varied(config: ModelConfig, layer: int) -> bool:
    """True if a layer's attention differs from `CausalSelfAttention`."""
    shares = config.key_value_heads != config.heads
    adds_or_hides = config.has_value_embedding(layer) or config.window_of(layer) is not None
    return config.position == "rope" or config.qk_norm or shares or adds_or_hides


class VariedAttention(CausalSelfAttention):
    """Each position attends to itself and to positions before it, in one of several ways.

    Grouped heads of keys and values: Ainslie et al. 2023, "GQA", section 2.2. Normalised queries
    and keys: Henry et al. 2020, section 3, with RMSNorm and a weight per channel that all heads
    share, as Qwen3 has it.
    """

    def __init__(self, config: ModelConfig, layer: int, site: int) -> None:
        super().__init__(config, site)
        self.kv_heads, channels = config.key_value_heads, config.head_channels
        if self.kv_heads != self.heads:
            outputs = (self.heads + 2 * self.kv_heads) * channels
            self.qkv = Linear(config.width, outputs, bias=config.qkv_bias)
        self.query_norm = nn.RMSNorm(channels, eps=EPSILON) if config.qk_norm else None
        self.key_norm = nn.RMSNorm(channels, eps=EPSILON) if config.qk_norm else None
        self.rotation = Rotation(config) if config.position == "rope" else None
        self.window = config.window_of(layer)
        self.value_sum = LearnedSum(0.5, 0.5) if config.has_value_embedding(layer) else None

    def forward(
        self,
        x: Tensor,
        cache: Cache | None = None,
        values: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> Tensor:
        """See `CausalSelfAttention.forward`.

        `values`, (sequence, position, channel) of all heads, are added to those of a layer with
        value embeddings.
        """
        places = slice(x.shape[1]) if cache is None else cache.places(x.shape[1])
        qkv = self.qkv(x)
        norms = [norm.weight for norm in (self.query_norm, self.key_norm) if norm is not None]
        place = bool(norms) or self.rotation is not None
        if place and is_plain(qkv) and cache is None:
            qkv, place = self._placed_together(qkv, norms), False
        if cache is None and not place and self._keeps_parts:
            return self.projection(self._mix(qkv, starts))  # type: ignore[no-any-return]
        query, key, value = self._parts(qkv, places, place=place)
        if self.value_sum is not None and values is not None:
            value = self.value_sum(value, values.view(value.shape))
        if cache is None:
            repeated = [part.repeat_interleave(self._sharing, 2) for part in (key, value)]
            mixed = self._mix(torch.stack([query, *repeated], 2).flatten(2), starts)
        else:
            mixed = cache.attend(query, key, value, self.window)
        return self.projection(mixed)  # type: ignore[no-any-return]

    @property
    def _sharing(self) -> int:
        """Heads of queries that share one of keys and values."""
        return self.heads // self.kv_heads

    @property
    def _keeps_parts(self) -> bool:
        """True if values are as they are projected, and each head of queries has its own."""
        return self.value_sum is None and self._sharing == 1

    def _placed_together(self, qkv: Tensor, norms: Sequence[Tensor]) -> Tensor:
        """Normalise and rotate queries and keys where they are, by kernels."""
        rows, heads = qkv.view(-1, qkv.shape[-1]), (self.heads, self.kv_heads)
        if norms:
            rows = norm_groups(rows, heads, *norms)
        if self.rotation is not None:
            channels = rows.shape[1] // (sum(heads) + self.kv_heads)
            rows = self.rotation.of_groups(rows, qkv.shape[1], sum(heads), channels)
        return rows.view(qkv.shape)

    def _parts(
        self, qkv: Tensor, places: slice | Tensor, *, place: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (sequence, position, head, channel), in the type of `qkv`.

        With `place`, queries and keys are normalised and rotated.
        """
        by_head = qkv.view(*qkv.shape[:2], self.heads + 2 * self.kv_heads, -1)
        query, key, value = by_head.split_with_sizes([self.heads, self.kv_heads, self.kv_heads], 2)
        if place:
            query = self._placed(query, self.query_norm, places)
            key = self._placed(key, self.key_norm, places)
        return query, key, value

    def _placed(self, x: Tensor, norm: nn.Module | None, places: slice | Tensor) -> Tensor:
        """Normalise and rotate, in float32 at least."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        if norm is not None:
            wide = norm(wide)
        if self.rotation is not None:
            wide = self.rotation(wide, places)
        return wide.to(x.dtype)
