"""One transformer block, pre-norm (Radford et al. 2019, section 2.3)."""

from __future__ import annotations

from torch import Tensor, nn

from model.attention import CausalSelfAttention
from model.attention_variants import VariedAttention, is_varied
from model.config import ModelConfig
from model.dropout import Dropout
from model.experts import Experts
from model.feed_forward import make_feed_forward
from model.key_value_cache import Cache
from model.learned_sum import LearnedSum
from model.norm import make_norm

SITES_PER_BLOCK = 3
"""Dropout sites per block: the attention weights and the end of each residual branch."""


class Block(nn.Module):
    """Attention, then the feed-forward network, each added to the residual stream."""

    def __init__(self, config: ModelConfig, index: int, number: int | None = None) -> None:
        """The block of layer `index`; its dropout sites are those of block `number`, or of `index`."""
        super().__init__()
        first_site = 1 + SITES_PER_BLOCK * (index if number is None else number)
        self.residual_sum = LearnedSum(1.0, 0.0) if config.residual_scale else None
        self.attention_norm = make_norm(config)
        self.attention = make_attention(config, index, first_site)
        self.attention_dropout = Dropout(config.dropout, first_site + 1)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = Experts(config) if config.experts else make_feed_forward(config)
        self.feed_forward_dropout = Dropout(config.dropout, first_site + 2)

    def forward(
        self,
        x: Tensor,
        cache: Cache | None = None,
        embedded: Tensor | None = None,
        values: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> Tensor:
        """(sequence, position, width) to the same; `cache`, `values` and `starts` as in the attention.

        `embedded` is the first block's input, which `model.residual_scale` adds.
        """
        if self.residual_sum is not None:
            x = self.residual_sum(x, embedded)
        mixed = self.attention(self.attention_norm(x), cache, values, starts)
        x = self.attention_dropout.add(x, mixed)
        return self.feed_forward_dropout.add(x, self.feed_forward(self.feed_forward_norm(x)))


def make_attention(config: ModelConfig, index: int, site: int) -> CausalSelfAttention:
    """The attention of a layer; the plain one where a configuration asks for nothing else."""
    if is_varied(config, index):
        return VariedAttention(config, index, site)
    return CausalSelfAttention(config, site)
