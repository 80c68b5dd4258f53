"""The norms of `model.norm` in buffers that are kept from step to step."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from model import norm_kernels
from model.compiled import run_in_rows
from model.gradients import add_gradient, array_of
from model.norm import RMSNorm


class KeptNorm(Protocol):
    """A norm of the residual stream."""

    def forward(self, x: Tensor) -> Tensor:
        """(row, width) to the same; keeps `x`."""

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient of what `forward` returned, to that of its argument.

        Adds those of the parameters.
        """


def make_kept_norm(norm: Any, grad: Tensor) -> KeptNorm:  # noqa: ANN401  (a module of `model.norm`)
    """What computes a norm; its `backward` writes to `grad` (row, width)."""
    if isinstance(norm, RMSNorm):
        return KeptRMSNorm(norm, grad)
    return TorchLayerNorm(norm) if norm.bias is None else KeptLayerNorm(norm, grad)


class KeptLayerNorm:
    """LayerNorm with weight and bias."""

    def __init__(self, norm: Any, grad: Tensor) -> None:  # noqa: ANN401
        rows, width = grad.shape
        self._norm, self._grad = norm, grad
        self._out, self._scales = torch.empty_like(grad), torch.empty(rows)
        self._sums = torch.empty(-(-rows // norm_kernels.ROWS_PER_BLOCK), 2, width)

    def forward(self, x: Tensor) -> Tensor:
        """See `KeptNorm`."""
        self._x, norm = x, self._norm
        arrays = [array_of(t) for t in (x, norm.weight, norm.bias, self._out, self._scales)]
        run_in_rows(norm_kernels.layer_norm, len(x), *arrays, np.float32(norm.eps))
        return self._out

    def backward(self, grad: Tensor) -> Tensor:
        """See `KeptNorm`."""
        tensors = (self._x, self._norm.weight, self._scales, grad, self._grad, self._sums)
        arrays = [array_of(each) for each in tensors]
        run_in_rows(norm_kernels.layer_norm_backward, len(self._sums), *arrays)
        of_weight, of_bias = self._sums.sum(0)
        add_gradient(self._norm.weight, of_weight)
        add_gradient(self._norm.bias, of_bias)
        return self._grad


class KeptRMSNorm:
    """RMSNorm: all channels of a row are one group of the kernels."""

    _kinds = np.zeros(1, np.int64)

    def __init__(self, norm: Any, grad: Tensor) -> None:  # noqa: ANN401
        rows, width = grad.shape
        self._norm, self._grad = norm, grad
        self._out, self._scales = torch.empty_like(grad), torch.empty(rows, 1)
        self._sums = torch.empty(-(-rows // norm_kernels.ROWS_PER_BLOCK), 1, width)

    def forward(self, x: Tensor) -> Tensor:
        """See `KeptNorm`."""
        self._x, weights = x, array_of(self._norm.weight[None])
        outputs = [array_of(each) for each in (self._out, self._scales)]
        arrays = (array_of(x), weights, self._kinds, *outputs, np.float32(self._norm.eps))
        run_in_rows(norm_kernels.rms_norm, len(x), *arrays)
        return self._out

    def backward(self, grad: Tensor) -> Tensor:
        """See `KeptNorm`."""
        inputs = (array_of(self._x), array_of(self._norm.weight[None]), self._kinds)
        arrays = [array_of(each) for each in (self._scales, grad, self._grad, self._sums)]
        run_in_rows(norm_kernels.rms_norm_backward, len(self._sums), *inputs, *arrays)
        add_gradient(self._norm.weight, self._sums.sum(0)[0])
        return self._grad


class TorchLayerNorm:
    """LayerNorm without a bias, by torch, which cannot write to a buffer here."""

    def __init__(self, norm: Any) -> None:  # noqa: ANN401
        self._norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """See `KeptNorm`."""
        self._x, norm = x, self._norm
        arguments = (norm.normalized_shape, norm.weight, None, norm.eps)
        out, *self._moments = torch.native_layer_norm(x, *arguments)
        return out

    def backward(self, grad: Tensor) -> Tensor:
        """See `KeptNorm`."""
        norm = self._norm
        inputs = (grad, self._x, norm.normalized_shape, *self._moments, norm.weight, None)
        gradients = torch.ops.aten.native_layer_norm_backward(*inputs, [True, True, False])
        add_gradient(norm.weight, gradients[1])
        return gradients[0]  # type: ignore[no-any-return]
