"""GPT-2 as a textbook has it: nothing is fused, tiled or shared with the product.

Dropout masks are random, so they are read from the product's stream, at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.dropout import DropoutStream
from model.tiled import ROWS
from tests.trainer.plain_feed_forward import Experts, FeedForward


@dataclass(frozen=True)
class Masks:
    """The factors of dropout: 0, or 1 / P(kept)."""

    stream: DropoutStream
    rate: float

    def units(self, site: int, x: Tensor) -> Tensor:
        """A mask for `x` (sequence, ...)."""
        if self.rate == 0:
            return torch.ones_like(x)
        return self._mask(self.stream.keep_mask(self.rate, site, x.shape)).to(x)

    def weights(self, site: int, weights: Tensor) -> Tensor:
        """A mask for attention `weights` (sequence, head, query, key).

        The product draws those of `ROWS` queries and the keys up to the last of them at a time.
        """
        if self.rate == 0:
            return torch.ones_like(weights)
        mask = torch.zeros_like(weights)
        sequences, heads, positions, _ = weights.shape
        for tile, start in enumerate(range(0, positions, ROWS)):
            end = min(start + ROWS, positions)
            shape = (sequences, heads, end - start, end)
            kept = self.stream.keep_mask(self.rate, site, shape, tile=tile)
            mask[:, :, start:end, :end] = self._mask(kept).to(mask)
        return mask

    def _mask(self, kept: Tensor) -> Tensor:
        levels = 2**16  # a rate is rounded to 16 bits
        return (kept > 0) / (1 - round(self.rate * levels) / levels)


class LayerNorm(nn.Module):
    """Ba, Kiros and Hinton 2016, "Layer normalization", equation 4."""

    def __init__(self, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else 0.0

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        variance = (x - mean).square().mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias


class RMSNorm(nn.Module):
    """Zhang and Sennrich 2019, "Root mean square layer normalization", equation 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


class LearnedSum(nn.Module):
    """Jordan et al. 2024, modded-nanogpt: two learned factors."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return one * self.weight[0] + other * self.weight[1]


def norm_of(config: ModelConfig) -> nn.Module:
    if config.norm == "rms":
        return RMSNorm(config.width)
    return LayerNorm(config.width, bias=config.biases == "all")


def rotate(x: Tensor, base: float, channels: int) -> Tensor:
    """Su et al. 2021, equation 34, with the pairing of GPT-NeoX; x (sequence, head, position, channel)."""
    turned = x.clone()
    half = channels // 2
    position = torch.arange(x.shape[2], dtype=torch.float64)
    for pair in range(half):
        angle = position * base ** (-2 * pair / channels)
        cosine, sine = torch.cos(angle).to(x), torch.sin(angle).to(x)
        one, other = x[..., pair], x[..., pair + half]
        turned[..., pair] = one * cosine - other * sine
        turned[..., pair + half] = one * sine + other * cosine
    return turned


class Attention(nn.Module):
    """Vaswani et al. 2017, section 3.2, with the whole matrix of weights written out."""

    visible: Tensor

    def __init__(self, config: ModelConfig, index: int) -> None:
        super().__init__()
        self.site = 1 + 3 * index
        self.config = config
        self.heads, self.channels = config.heads, config.width // config.heads
        self.kv_heads = config.kv_heads or config.heads
        shared = self.kv_heads * self.channels
        self.query = nn.Linear(config.width, config.width, bias=config.qkv_bias)
        self.key = nn.Linear(config.width, shared, bias=config.qkv_bias)
        self.value = nn.Linear(config.width, shared, bias=config.qkv_bias)
        self.projection = nn.Linear(config.width, config.width, bias=config.biases == "all")
        self.query_norm = RMSNorm(self.channels) if config.qk_norm else nn.Identity()
        self.key_norm = RMSNorm(self.channels) if config.qk_norm else nn.Identity()
        if config.value_embeddings and index % 2 == (config.layers - 1) % 2:
            self.value_sum = LearnedSum()
        visible = torch.ones(config.context, config.context, dtype=torch.bool).tril()
        if config.window and config.window_pattern[index % len(config.window_pattern)] == "S":
            visible = visible.triu(1 - config.window)
        self.register_buffer("visible", visible, persistent=False)

    def forward(
        self, x: Tensor, masks: Masks | None, more: Tensor | None, document: Tensor
    ) -> Tensor:
        sequences, positions, width = x.shape
        query = self.placed(self.query_norm(self.by_head(self.query(x), self.heads)))
        key = self.placed(self.key_norm(self.by_head(self.key(x), self.kv_heads)))
        value = self.value(x)
        if more is not None:
            value = self.value_sum(value, more)
        value = self.by_head(value, self.kv_heads)
        group = torch.arange(self.heads) // (self.heads // self.kv_heads)  # Ainslie et al. 2023
        key, value = key[:, group], value[:, group]
        scores = query @ key.transpose(2, 3) / math.sqrt(self.channels)
        scores = scores.masked_fill(~self.visible[:positions, :positions], -math.inf)
        same = document[:, None, :, None] == document[:, None, None, :]
        scores = scores.masked_fill(~same, -math.inf)  # Grattafiori et al. 2024, section 3.2
        weights = torch.softmax(scores, dim=-1)
        if masks:
            weights = weights * masks.weights(self.site, weights)
        mixed = (weights @ value).transpose(1, 2).reshape(sequences, positions, width)
        return self.projection(mixed)  # type: ignore[no-any-return]

    def by_head(self, x: Tensor, heads: int) -> Tensor:
        return x.view(x.shape[0], x.shape[1], heads, self.channels).transpose(1, 2)

    def placed(self, x: Tensor) -> Tensor:
        if self.config.position != "rope":
            return x
        pairs = math.floor(self.config.rope_share * self.channels / 2)
        return rotate(x, self.config.rope_base, 2 * pairs)


class Block(nn.Module):
    """Pre-norm: each branch reads a normalised copy of the residual stream."""

    def __init__(self, config: ModelConfig, index: int, number: int | None = None) -> None:
        super().__init__()
        self.site = 1 + 3 * (index if number is None else number)
        if config.residual_scale:
            self.residual_sum = LearnedSum()
        self.attention_norm = norm_of(config)
        self.attention = Attention(config, index)
        self.attention.site = self.site
        self.feed_forward_norm = norm_of(config)
        self.feed_forward = Experts(config) if config.experts else FeedForward(config)

    def forward(
        self,
        x: Tensor,
        masks: Masks | None,
        start: Tensor,
        more: Tensor | None,
        document: Tensor,
    ) -> Tensor:
        if hasattr(self, "residual_sum"):
            x = self.residual_sum(x, start)
        branch = self.attention(self.attention_norm(x), masks, more, document)
        x = x + (branch * masks.units(self.site + 1, branch) if masks else branch)
        branch = self.feed_forward(self.feed_forward_norm(x))
        return x + (branch * masks.units(self.site + 2, branch) if masks else branch)


class GPT2(nn.Module):
    """Radford et al. 2019, section 2.3. Without `masks`, nothing is dropped."""

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: int,
        multi_token: int = 1,
        border: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.border = border
        self.token_embedding = nn.Embedding(vocabulary, config.width)
        if config.position == "learned":
            self.position_embedding = nn.Embedding(config.context, config.width)
        layers = [i for i in range(config.layers) if i % 2 == (config.layers - 1) % 2]
        self.value_embeddings = nn.ModuleDict(
            {
                str(layer): nn.Embedding(
                    vocabulary, config.width * (config.kv_heads or config.heads) // config.heads
                )
                for layer in layers
                if config.value_embeddings
            }
        )
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.layers))
        self.final_norm = norm_of(config)
        self.head = nn.Linear(config.width, vocabulary, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.token_embedding.weight
        last = config.layers - 1
        self.further_heads = nn.ModuleList(
            Block(config, last, last + ahead) for ahead in range(1, multi_token)
        )

    def forward(self, tokens: Tensor, masks: Masks | None = None) -> Tensor:
        return self.of_each_head(tokens, masks)[0]

    def of_each_head(self, tokens: Tensor, masks: Masks | None = None) -> list[Tensor]:
        """Logits of the next token, the one after it, ...: Gloeckle et al. 2024, section 2."""
        x = self.token_embedding(tokens)
        if self.config.position == "learned":
            x = x + self.position_embedding.weight[: tokens.shape[1]]
        if masks:
            x = x * masks.units(0, x)
        start = x
        # The token between two documents is the first one of the second.
        document = (tokens == self.border).cumsum(1) if self.border else torch.zeros_like(tokens)
        *trunk, last = self.blocks
        tables = [
            self.value_embeddings[layer](tokens) if layer in self.value_embeddings else None
            for layer in map(str, range(self.config.layers))
        ]
        for block, table in zip(trunk, tables[:-1], strict=True):
            x = block(x, masks, start, table, document)
        heads = (last, *self.further_heads)
        branches = [block(x, masks, start, tables[-1], document) for block in heads]
        length = tokens.shape[1]
        return [self.logits(branch[:, : length - ahead]) for ahead, branch in enumerate(branches)]

    def logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.final_norm(x))
        if (cap := self.config.logit_softcap) is not None:  # Gemma 2
            logits = cap * torch.tanh(logits / cap)
        return logits


def balancing_loss(model: GPT2) -> Tensor | float:
    """That of the last forward pass, in nats per token."""
    experts = [each for each in model.modules() if isinstance(each, Experts)]
    return model.config.expert_balance * sum(each.balance for each in experts)


def split_qkv(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The product's tensors by the names that they have here."""
    renamed = {}
    for name, tensor in tensors.items():
        if ".qkv." not in name:
            renamed[name] = tensor
            continue
        width = tensors[name.replace("bias", "weight")].shape[1]
        rest = (tensor.shape[0] - width) // 2
        split = tensor.split([width, rest, rest])  # type: ignore[no-untyped-call]
        for part, piece in zip(("query", "key", "value"), split, strict=True):
            renamed[name.replace("qkv", part)] = piece
    return renamed
