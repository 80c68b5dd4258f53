"""Causal multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.config import ModelConfig
from model.dropout import Dropout
from model.key_value_cache import Cache
from model.linear import Linear
from model.tiled import TiledAttention
from model.windowed import visible, windowed


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to the positions before it."""

    window: int | None = None
    """Positions that each one attends to, itself among them; None for all."""

    def __init__(self, config: ModelConfig, site: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.projection = Linear(config.width, config.width, bias=config.biases == "all")
        self.dropout = Dropout(config.dropout, site)

    def forward(
        self,
        x: Tensor,
        cache: Cache | None = None,
        _values: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> Tensor:
        """(sequence, position, width) to the same.

        With a cache, the sequences continue the cached ones: their keys and values are added to the
        cache, and nothing is dropped. With `starts`, of `model.documents`, positions attend to those
        of their own document.
        """
        qkv = self.qkv(x)
        if cache is None:
            return self.projection(self._mix(qkv, starts))  # type: ignore[no-any-return]
        query, key, value = _split(qkv, self.heads).unbind(2)
        mixed = cache.attend(query, key, value, self.window)
        return self.projection(mixed)  # type: ignore[no-any-return]

    def _mix(self, qkv: Tensor, starts: Tensor | None) -> Tensor:
        """(sequence, position, 3 x width) to (sequence, position, width)."""
        if self.training and qkv.device.type == "cpu":
            return self._in_tiles(qkv, starts)
        if self.window is not None or starts is not None:
            return self._mix_some(qkv, starts)
        if self.dropout.active:
            return fused_with_dropout(qkv, self.heads, self.dropout)
        return fused(qkv, self.heads)

    def _mix_some(self, qkv: Tensor, starts: Tensor | None) -> Tensor:
        """`_mix` with a window or documents, in evaluation or on a GPU."""
        split = _split(qkv, self.heads).permute(2, 0, 3, 1, 4)
        if self.training:
            keep = self.dropout.keep_mask if self.dropout.active else None
            mixed = windowed(split, self.window, keep, starts).to(qkv.dtype)
        else:
            places = range(qkv.shape[1])
            seen = visible(places, places, self.window, qkv.device, starts)
            query, key, value = split.unbind(0)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return mixed.transpose(1, 2).flatten(2)

    def _in_tiles(self, qkv: Tensor, starts: Tensor | None) -> Tensor:
        masks = self.dropout.mask if self.dropout.active else None
        split = _split(qkv, self.heads)
        with torch.autocast("cpu", enabled=False):
            return TiledAttention.apply(split.float(), masks, self.window, starts)  # type: ignore[no-any-return, no-untyped-call]


def fused(qkv: Tensor, heads: int, rate: float = 0.0) -> Tensor:
    """Attention by torch: (sequence, position, 3 x width) to (sequence, position, width)."""
    # Unbinding this dimension lets autograd join the three gradients in a single copy.
    query, key, value = (part.transpose(1, 2) for part in _split(qkv, heads).unbind(2))
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
    return mixed.transpose(1, 2).flatten(2)


def _split(qkv: Tensor, heads: int) -> Tensor:
    """(sequence, position, 3 x width) to (sequence, position, 3, head, channel)."""
    return qkv.view(*qkv.shape[:2], 3, heads, -1)


def fused_with_dropout(qkv: Tensor, heads: int, dropout: Dropout) -> Tensor:
    """`fused` with dropout masks that depend only on seed, step, site and sequence.

    The fused kernels draw their masks from Philox counters, starting at the generator's offset.
    Each head of each sequence takes 32 counters in FlashAttention-2, and one per attention weight
    in the float32 kernel. So an offset computed from the first sequence's index gives each sequence
    the same masks in any micro-batch. Sets the device's generator, which nothing else uses; so
    `trainer.training.compile` hides it from torch.compile.
    """
    per_head = 32 if qkv.dtype in {torch.float16, torch.bfloat16} else qkv.shape[1] ** 2
    seed, offset = dropout.generator_place(heads * per_head)
    generator = _generator(qkv.device)
    generator.manual_seed(seed)
    generator.set_offset(offset)
    return fused(qkv, heads, dropout.rate)


def _generator(device: torch.device) -> torch.Generator:
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]
