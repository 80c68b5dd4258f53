"""Causal multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.config import ModelConfig
from model.dropout import Dropout


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to those before it."""

    def __init__(self, config: ModelConfig, site: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.projection = nn.Linear(config.width, config.width)
        self.dropout = Dropout(config.dropout, site)
        future = torch.ones(config.context, config.context, dtype=torch.bool).triu(1)
        self.register_buffer("future", future, persistent=False)
        self.future: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        sequences, positions, width = x.shape
        split = self.qkv(x).view(sequences, positions, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (sequence, head, position, channel)
        if self.dropout.active:
            mixed = self._with_dropout(query, key, value)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.projection(mixed.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]

    def _with_dropout(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The same in the open: the fused kernel takes no mask of ours."""
        positions = query.shape[-2]
        scores = (query * (1 / math.sqrt(query.shape[-1]))) @ key.transpose(-2, -1)
        hidden = self.future[:positions, :positions]
        weights = scores.masked_fill(hidden, -math.inf).softmax(-1)
        return self.dropout(weights) @ value  # type: ignore[no-any-return]
