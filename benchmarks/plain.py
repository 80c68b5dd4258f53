"""GPT-2 written out of torch's own layers, with either of two attentions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.config import ModelConfig


class WrittenOutAttention(nn.Module):
    """softmax(Q K^T / sqrt(channels)) V, with a buffer that says what is hidden."""

    future: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, bias = config.width, config.qkv_bias
        self.heads = config.heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        self.projection = nn.Linear(width, width)
        self.dropout = nn.Dropout(config.dropout)
        future = torch.ones(config.context, config.context, dtype=torch.bool).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        length = x.shape[1]
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        scores = scores.masked_fill(self.future[:length, :length], -math.inf)
        mixed = self.dropout(F.softmax(scores, dim=-1)) @ value
        return self.projection(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FusedAttention(nn.Module):
    """One product for Q, K and V, and torch's flash attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.rate = config.dropout
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.projection = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        return self.projection(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class PlainBlock(nn.Module):
    """Pre-norm: attention, then two layers with a GELU between them."""

    def __init__(self, config: ModelConfig, attention: type[nn.Module]) -> None:
        super().__init__()
        width = config.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = attention(config)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.ModuleDict(
            {
                "expand": nn.Linear(width, 4 * width),
                "gelu": nn.GELU(approximate="tanh"),
                "projection": nn.Linear(4 * width, width),
            }
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        hidden = self.feed_forward_norm(x)
        for layer in self.feed_forward.values():
            hidden = layer(hidden)
        return x + self.dropout(hidden)  # type: ignore[no-any-return]


class PlainGPT(nn.Module):
    """GPT-2 out of torch's own layers, its parameters named as ours are."""

    def __init__(self, config: ModelConfig, vocabulary: int, attention: type[nn.Module]) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.context, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(PlainBlock(config, attention) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, vocabulary, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.token_embedding.weight

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of predicting `targets`; both are int64 (sequence, position)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.final_norm(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
