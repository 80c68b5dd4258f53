"""Causal multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.config import ModelConfig
from model.dropout import Dropout
from model.linear import Linear
from model.tiled import TiledAttention


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to those before it."""

    def __init__(self, config: ModelConfig, site: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.projection = Linear(config.width, config.width)
        self.dropout = Dropout(config.dropout, site)

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        qkv = self.qkv(x)
        if self.training and x.device.type == "cpu":
            mixed = self._in_tiles(qkv)
        elif self.dropout.active:
            mixed = fused_with_dropout(qkv, self.heads, self.dropout)
        else:
            mixed = fused(qkv, self.heads)
        return self.projection(mixed)  # type: ignore[no-any-return]

    def _in_tiles(self, qkv: Tensor) -> Tensor:
        masks = self.dropout.mask if self.dropout.active else None
        split = _split(qkv, self.heads)
        with torch.autocast("cpu", enabled=False):
            return TiledAttention.apply(split.float(), masks)  # type: ignore[no-any-return, no-untyped-call]


def fused(qkv: Tensor, heads: int, rate: float = 0.0) -> Tensor:
    """Attention as torch has it: (sequence, position, 3 x width) to (sequence, position, width)."""
    # Unbound along this dimension, the three gradients are put together in one copy.
    query, key, value = (part.transpose(1, 2) for part in _split(qkv, heads).unbind(2))
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
    return mixed.transpose(1, 2).flatten(2)


def _split(qkv: Tensor, heads: int) -> Tensor:
    """(sequence, position, 3 x width) to (sequence, position, 3, head, channel)."""
    return qkv.view(*qkv.shape[:2], 3, heads, -1)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def fused_with_dropout(qkv: Tensor, heads: int, dropout: Dropout) -> Tensor:
    """As `fused`, with the masks of a place in the stream.

    The fused kernels draw their masks from Philox counters that begin at the generator's offset and
    grow in step with sequence x head (FlashAttention-2: 32 for each; the kernel for float32: one
    for each weight). Beginning at the first sequence of a micro-batch gives each sequence the masks
    that it has in any other micro-batch. Sets the generator of the device, which nobody else uses.
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
