"""The layers of a GPT-style decoder, pre-norm, with the changes that its configuration names.

They need torch, and `configuration_gpt_sweep.py` beside them. Shapes are (sequence, position, channel),
and (sequence, head, position, channel) inside attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from .configuration_gpt_sweep import GPTSweepConfig

EPSILON = 1e-5
"""Added to the variance, or to the mean square, in every norm."""
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_exact": F.gelu,
    "relu2": lambda x: F.relu(x).square(),  # So et al. 2021
    "silu": F.silu,
    "swiglu": F.silu,  # of the gate: Shazeer 2020, equation 6
}


class Place(NamedTuple):
    """Where the tokens of one forward pass are, and what all layers need to know of it."""

    first: int
    """Number of earlier tokens in the cache."""
    real: Tensor | None
    """False for padding (sequence, 1, query or 1, key); None if there is none."""
    rotation: tuple[Tensor, Tensor] | None
    """Cosines and sines of RoPE, (sequence, 1, position, pair); None without RoPE."""
    cache: Any
    """The cache of transformers, or None."""


class BranchEnd(nn.Linear):
    """The last matrix of a residual branch, whose initial values are smaller, or zero."""


class LearnedSum(nn.Module):
    """weight[0] * one + weight[1] * other (Jordan et al. 2024, "modded-nanogpt")."""

    def __init__(self, one: float, other: float) -> None:
        super().__init__()
        self.initial = (one, other)
        self.weight = nn.Parameter(torch.tensor(self.initial))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        weight = self.weight.to(one.dtype)
        return weight[0] * one + weight[1] * other.to(one.dtype)


def make_norm(config: GPTSweepConfig) -> nn.Module:
    """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019)."""
    if config.norm == "rms":
        return nn.RMSNorm(config.width, eps=EPSILON)
    return nn.LayerNorm(config.width, eps=EPSILON, bias=config.biases == "all")


def rotation(config: GPTSweepConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE at positions (sequence, position); Su et al. 2021, section 3.2."""
    channels = config.rotated_channels
    exponents = torch.arange(0, channels, 2, device=positions.device).float() / channels
    angles = positions[:, None, :, None].float() * (1.0 / config.rope_base**exponents)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, by: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate channel i with channel i + n / 2 of the first n, in float32 at least; keep the others."""
    cosine, sine = by
    pairs = cosine.shape[-1]
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    one, other, rest = wide.split_with_sizes([pairs, pairs, x.shape[-1] - 2 * pairs], -1)
    turned = [one * cosine - other * sine, other * cosine + one * sine, rest]
    return torch.cat(turned, -1).to(x.dtype)


class Attention(nn.Module):
    """Causal attention (Vaswani et al. 2017, section 3.2) with grouped heads (Ainslie et al. 2023)."""

    def __init__(self, config: GPTSweepConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.window, self.dropout = layer, config.window_of(layer), config.dropout
        self.heads, self.kv_heads = config.heads, config.num_key_value_heads
        channels = config.head_dim
        outputs = (self.heads + 2 * self.kv_heads) * channels
        self.qkv = nn.Linear(config.width, outputs, bias=config.qkv_bias)
        self.projection = BranchEnd(config.width, config.width, bias=config.biases == "all")
        self.query_norm = nn.RMSNorm(channels, eps=EPSILON) if config.qk_norm else None
        self.key_norm = nn.RMSNorm(channels, eps=EPSILON) if config.qk_norm else None
        self.value_sum = LearnedSum(0.5, 0.5) if config.has_value_embedding(layer) else None

    def forward(self, x: Tensor, place: Place, values: Tensor | None) -> Tensor:
        by_head = self.qkv(x).unflatten(-1, (self.heads + 2 * self.kv_heads, -1))
        query, key, value = by_head.split_with_sizes([self.heads, self.kv_heads, self.kv_heads], 2)
        if self.value_sum is not None and values is not None:
            value = self.value_sum(value, values.view(value.shape))
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        query, key = (
            self._placed(query, self.query_norm, place),
            self._placed(key, self.key_norm, place),
        )
        if place.cache is not None:
            # Before version 5, transformers' caches of a fixed size ask where to put them.
            where = torch.arange(place.first, place.first + x.shape[1], device=x.device)
            key, value = place.cache.update(key, value, self.layer, {"cache_position": where})
        sharing = self.heads // self.kv_heads
        mixed = F.scaled_dot_product_attention(
            query,
            key.repeat_interleave(sharing, 1),
            value.repeat_interleave(sharing, 1),
            attn_mask=self._visible(query.shape[2], key.shape[2], place, x.device),
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.projection(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _placed(self, x: Tensor, norm: nn.Module | None, place: Place) -> Tensor:
        if norm is not None:
            x = norm(x)
        return x if place.rotation is None else rotate(x, place.rotation)

    def _visible(self, queries: int, keys: int, place: Place, device: torch.device) -> Tensor:
        """True where a query attends to a key: (query, key), or with padding also by sequence."""
        query = place.first + torch.arange(queries, device=device)[:, None]
        key = torch.arange(keys, device=device)
        seen = key <= query
        if self.window is not None:  # Beltagy et al. 2020
            seen &= key > query - self.window
        if place.real is None:
            return seen
        real = F.pad(place.real, (0, keys - place.real.shape[-1]))
        return (seen & real) | (key == query)  # padding sees itself: no row is empty


class FeedForward(nn.Module):
    """Two layers with an activation between them, the hidden one multiplied by a gate in SwiGLU."""

    def __init__(self, config: GPTSweepConfig) -> None:
        super().__init__()
        width, hidden, bias = config.width, config.hidden_channels, config.biases == "all"
        self.activation = ACTIVATIONS[config.activation]
        self.gate = nn.Linear(width, hidden, bias=bias) if config.activation == "swiglu" else None
        self.expand = nn.Linear(width, hidden, bias=bias)
        self.projection = BranchEnd(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.expand(x)
        if self.gate is None:
            return self.projection(self.activation(hidden))  # type: ignore[no-any-return]
        return self.projection(self.activation(self.gate(x)) * hidden)  # type: ignore[no-any-return]


class ExpertMatrices(nn.Module):
    """One matrix of each expert: weight (expert, outputs, inputs)."""

    def __init__(
        self, experts: int, inputs: int, outputs: int, *, ends_branch: bool = False
    ) -> None:
        super().__init__()
        self.ends_branch = ends_branch
        self.weight = nn.Parameter(torch.zeros(experts, outputs, inputs))


class Experts(nn.Module):
    """Each token goes to the experts with the highest scores (Jiang et al. 2024, section 2.1)."""

    def __init__(self, config: GPTSweepConfig) -> None:
        super().__init__()
        width, hidden, experts = config.width, config.hidden_channels, config.experts
        self.active = config.active_experts
        self.activation = ACTIVATIONS[config.activation]
        self.router = nn.Linear(width, experts, bias=False)
        gated = config.activation == "swiglu"
        self.gate = ExpertMatrices(experts, width, hidden) if gated else None
        self.expand = ExpertMatrices(experts, width, hidden)
        self.projection = ExpertMatrices(experts, hidden, width, ends_branch=True)
        self.imbalance: Tensor | None = None
        """Of the last forward pass in training: 1 if all experts are used equally."""

    def forward(self, x: Tensor) -> Tensor:
        scores = F.linear(x.float(), self.router.weight.float())  # (sequence, position, expert)
        best, chosen = scores.topk(self.active, -1)
        self.imbalance = imbalance(scores, chosen) if self.training else None
        rows, shares, chosen = x.flatten(0, 1), best.softmax(-1).flatten(0, 1), chosen.flatten(0, 1)
        out = torch.zeros_like(rows)
        for expert in range(self.router.out_features):
            row, choice = (chosen == expert).nonzero(as_tuple=True)
            made = self._output(rows[row], expert) * shares[row, choice, None].to(x.dtype)
            out = out.index_add(0, row, made)
        return out.view_as(x)

    def _output(self, rows: Tensor, expert: int) -> Tensor:
        hidden = F.linear(rows, self.expand.weight[expert])
        if self.gate is None:
            hidden = self.activation(hidden)
        else:
            hidden = self.activation(F.linear(rows, self.gate.weight[expert])) * hidden
        return F.linear(hidden, self.projection.weight[expert])


def imbalance(scores: Tensor, chosen: Tensor) -> Tensor:
    """The balancing loss, mean over sequences (DeepSeek-V3, 2024, equations 17 to 20, by softmax)."""
    experts = scores.shape[-1]
    picked = F.one_hot(chosen, experts).to(scores.dtype).mean((1, 2)) * experts
    return (picked * scores.softmax(-1).mean(1)).sum(-1).mean()


class Block(nn.Module):
    """Attention, then the feed-forward network, each added to the residual stream."""

    def __init__(self, config: GPTSweepConfig, layer: int) -> None:
        super().__init__()
        self.residual_sum = LearnedSum(1.0, 0.0) if config.residual_scale else None
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = Experts(config) if config.experts else FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, place: Place, embedded: Tensor, values: Tensor | None) -> Tensor:
        if self.residual_sum is not None:
            x = self.residual_sum(x, embedded)
        x = x + self.dropout(self.attention(self.attention_norm(x), place, values))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]
