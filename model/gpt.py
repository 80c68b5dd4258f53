"""The whole network: token ids in, logits out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.block import Block
from model.config import ModelConfig
from model.dropout import Dropout


class GPT(nn.Module):
    """A GPT-2-style decoder. Its parameters are undefined until `model.init.initialise` fills them.

    Raises IndexError (torch) when a sequence is longer than `config.context`.
    """

    def __init__(self, config: ModelConfig, vocabulary: int) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.context, config.width)
        self.embedding_dropout = Dropout(config.dropout, site=0)
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.layers))
        self.final_norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, vocabulary, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.token_embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (sequence, position), int64, to logits (sequence, position, vocabulary)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.token_embedding(tokens) + self.position_embedding(positions)
        x = self.embedding_dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.final_norm(x))  # type: ignore[no-any-return]
