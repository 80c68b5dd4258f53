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
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        if self.training and x.device.type == "cpu":
            mixed = self._in_tiles(split)
        else:
            query, key, value = split.permute(
                2, 0, 3, 1, 4
            )  # each (sequence, head, position, channel)
            mixed = self._fused(query, key, value).transpose(1, 2).flatten(2)
        return self.projection(mixed)  # type: ignore[no-any-return]

    def _in_tiles(self, split: Tensor) -> Tensor:
        masks = self.dropout.mask if self.dropout.active else None
        with torch.autocast("cpu", enabled=False):
            return TiledAttention.apply(split.float(), masks)  # type: ignore[no-any-return, no-untyped-call]

    def _fused(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if not self.dropout.active:
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return fused_with_dropout(query, key, value, self.dropout)  # type: ignore[no-any-return]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def fused_with_dropout(query: Tensor, key: Tensor, value: Tensor, dropout: Dropout) -> Tensor:
    """Fused attention as torch has it, with the masks of a place in the stream.

    The fused kernels draw their masks from Philox counters that begin at the generator's offset and
    grow in step with sequence x head (FlashAttention-2: 32 for each; the kernel for float32: one
    for each weight). Beginning at the first sequence of a micro-batch gives each sequence the masks
    that it has in any other micro-batch. Sets the generator of the device, which nobody else uses.
    """
    heads, positions = query.shape[1:3]
    per_head = 32 if query.dtype in {torch.float16, torch.bfloat16} else positions**2
    seed, offset = dropout.generator_place(heads * per_head)
    generator = _generator(query.device)
    generator.manual_seed(seed)
    generator.set_offset(offset)
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout.rate, is_causal=True)


def _generator(device: torch.device) -> torch.Generator:
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]
