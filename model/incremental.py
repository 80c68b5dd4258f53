"""A model read token by token: the keys and values of what it has read are kept."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.attention import CausalSelfAttention
from model.block import Block
from model.gpt import GPT


class Reader:
    """One sequence, and what a model makes of it; a further token costs one token's products."""

    def __init__(self, model: GPT) -> None:
        self._model = model
        shape, weight = model.config, model.token_embedding.weight
        size = (shape.layers, 2, shape.heads, shape.context, shape.width // shape.heads)
        self._kept = torch.empty(size, dtype=weight.dtype, device=weight.device)
        self._read = 0

    def forget(self) -> None:
        """Begin another sequence."""
        self._read = 0

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """Read further tokens (position,), int64; the logits (vocabulary,) of what comes after.

        Raises IndexError (torch) when the sequence is longer than the context.
        """
        model, first = self._model, self._read
        self._read += len(tokens)
        positions = torch.arange(first, self._read, device=tokens.device)
        x = model.token_embedding(tokens) + model.position_embedding(positions)
        for block, kept in zip(model.blocks, self._kept, strict=True):
            assert isinstance(block, Block)  # noqa: S101  (for the type checker)
            x = self._through(block, x, kept)
        return model.head(model.final_norm(x[-1:]))[0]  # type: ignore[no-any-return]

    def _through(self, block: Block, x: Tensor, kept: Tensor) -> Tensor:
        x = x + self._attend(block.attention, block.attention_norm(x), kept)
        return x + block.feed_forward(block.feed_forward_norm(x))  # type: ignore[no-any-return]

    def _attend(self, attention: CausalSelfAttention, x: Tensor, kept: Tensor) -> Tensor:
        """(position, width) to the same; `kept` is (key or value, head, position, channel)."""
        split = attention.qkv(x).unflatten(-1, (3, attention.heads, -1)).permute(1, 2, 0, 3)
        first = self._read - len(x)
        kept[:, :, first : self._read] = split[1:]
        keys, values = kept[:, :, : self._read]
        seen = torch.ones(len(x), self._read, dtype=torch.bool, device=x.device).tril(first)
        mixed = F.scaled_dot_product_attention(split[0], keys, values, attn_mask=seen)
        return attention.projection(mixed.transpose(0, 1).flatten(1))  # type: ignore[no-any-return]
