"""Rotary position embeddings: RoPE (Su et al. 2021, "RoFormer", section 3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.compiled import run_in_rows
from model.config import ModelConfig
from model.rotation_kernels import rotate


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

    def of_groups(self, x: Tensor, positions: int, groups: int, channels: int) -> Tensor:
        """Rotate the first `groups` groups of `channels` of `x` (row, channel), which `is_plain`.

        Rows are the first `positions` positions of one sequence after the other.
        """
        tables = self.cosines[:positions], self.sines[:positions]
        return _Rotated.apply(x, *tables, groups, channels)  # type: ignore[no-any-return, no-untyped-call]


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        x: Tensor,
        cosines: Tensor,
        sines: Tensor,
        groups: int,
        channels: int,
    ) -> Tensor:
        ctx.tables = (cosines.numpy(), sines.numpy(), groups, channels)
        return _rotated(x, *ctx.tables, np.float32(1))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        return _rotated(grad, *ctx.tables, np.float32(-1)), None, None, None, None


def _rotated(x: Tensor, *rest: Any) -> Tensor:  # noqa: ANN401  (the kernel's other arguments)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    rows = x.detach().contiguous().numpy()
    run_in_rows(rotate, len(x), rows, *rest, out.numpy())
    return out
