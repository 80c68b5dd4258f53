"""Normalisation of the residual stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model import norm_kernels
from model.compiled import run_in_rows
from model.config import ModelConfig
from model.linear import is_plain


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` (Ba, Kiros and Hinton 2016), faster on a CPU; equal up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        if self.bias is None or not is_plain(x):
            return super().forward(x)
        return _LayerNorm.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-any-return, no-untyped-call]


class RMSNorm(nn.RMSNorm):
    """x / sqrt(mean(x^2)), scaled: LayerNorm without its mean and bias (Zhang and Sennrich 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same; faster on a CPU than `nn.RMSNorm`, and equal up to rounding."""
        if not is_plain(x):
            return super().forward(x)
        rows = x.reshape(-1, x.shape[-1])
        return norm_groups(rows, (1,), self.weight).view(x.shape)


EPSILON: Final = 1e-5
"""Added to the variance, or to the mean square."""


def make_norm(config: ModelConfig) -> LayerNorm | RMSNorm:
    """The norm layer of a configuration."""
    if config.norm == "rms":
        return RMSNorm(config.width, eps=EPSILON)
    return LayerNorm(config.width, eps=EPSILON, bias=config.biases == "all")


def norm_groups(x: Tensor, counts: Sequence[int], *weights: Tensor) -> Tensor:
    """RMSNorm of groups of channels of `x` (row, channel), which `is_plain`.

    The first counts[0] groups are scaled by weights[0], the next counts[1] by weights[1], ...; each
    group has as many channels as a weight. Channels after the last group stay as they are.
    """
    kinds = np.repeat(np.arange(len(counts)), counts)
    return _GroupsNorm.apply(x, kinds, *weights)  # type: ignore[no-any-return, no-untyped-call]


class _GroupsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kinds: NDArray[np.int64], *weights: Tensor) -> Tensor:  # noqa: ANN401
        x, stacked = x.detach().contiguous(), torch.stack([each.detach() for each in weights])
        out, scales = torch.empty_like(x), torch.empty(len(x), len(kinds))
        arrays = (x.numpy(), stacked.numpy(), kinds, out.numpy(), scales.numpy())
        run_in_rows(norm_kernels.rms_norm, len(x), *arrays, np.float32(EPSILON))
        ctx.kinds = kinds
        ctx.save_for_backward(x, stacked, scales)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weights, scales = ctx.saved_tensors
        blocks = -(-len(x) // norm_kernels.ROWS_PER_BLOCK)
        out, sums = torch.empty_like(x), torch.empty(blocks, *weights.shape)
        arrays = [t.numpy() for t in (scales, grad.contiguous(), out, sums)]
        run_in_rows(
            norm_kernels.rms_norm_backward, blocks, x.numpy(), weights.numpy(), ctx.kinds, *arrays
        )
        return out, None, *sums.sum(0).unbind()


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:  # noqa: ANN401
        rows = x.detach().reshape(-1, x.shape[-1]).contiguous()
        out, scales = torch.empty_like(rows), torch.empty(rows.shape[0])
        parameters = (weight.detach().numpy(), bias.detach().numpy())
        arrays = (rows.numpy(), *parameters, out.numpy(), scales.numpy())
        run_in_rows(norm_kernels.layer_norm, rows.shape[0], *arrays, np.float32(epsilon))
        ctx.save_for_backward(rows, weight, scales)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # noqa: ANN401
        rows, weight, scales = ctx.saved_tensors
        up = grad.reshape(rows.shape).contiguous()
        out = torch.empty_like(rows)
        blocks = -(-rows.shape[0] // norm_kernels.ROWS_PER_BLOCK)
        sums = torch.empty(blocks, 2, rows.shape[1])
        tensors = (rows, weight.detach(), scales, up, out, sums)
        arrays = [tensor.numpy() for tensor in tensors]
        run_in_rows(norm_kernels.layer_norm_backward, blocks, *arrays)
        of_weight, of_bias = sums.sum(0)
        return out.view(grad.shape), of_weight, of_bias, None
