"""Rotary position embeddings: RoPE (Su et al. 2021, "RoFormer", section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import ModelConfig


class Rotation(nn.Module):
    """Rotates pairs of channels by angles that grow with the position.

    Channel i is paired with channel i + n / 2 of the n that are rotated, as in GPT-NeoX and Llama;
    the rest of the channels stay as they are.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.rotated_channels
        rates = 1.0 / config.rope_base ** (torch.arange(0, channels, 2).float() / channels)
        angles = torch.outer(torch.arange(config.context).float(), rates)
        self.cosines: Tensor
        self.sines: Tensor
        self.register_buffer("cosines", angles.cos(), persistent=False)  # (position, pair)
        self.register_buffer("sines", angles.sin(), persistent=False)

    def forward(self, x: Tensor, places: slice | Tensor) -> Tensor:
        """(sequence, position, head, channel) to the same, at positions that `places` selects.

        As a tensor, `places` is (position,) or (sequence, position).
        """
        cosine, sine = (table[places].unsqueeze(-2) for table in (self.cosines, self.sines))
        pairs = self.cosines.shape[1]
        one, other, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
        return torch.cat([one * cosine - other * sine, other * cosine + one * sine, rest], -1)
